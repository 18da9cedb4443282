"""A commitment opens to its value and to nothing else."""

from __future__ import annotations

import os

import pytest

from saferoom.canonical import Json
from saferoom.errors import Tampered
from saferoom.tlog.commitments import Opening, check_opening, commit, commitment


@pytest.mark.parametrize("value", ["91310000MA1FL00000", 4000, None, True, ["a", "b"], {"x": 1}])
def test_commitment_opens_to_its_value_only(value: Json) -> None:
    committed, opening = commit(value, os.urandom)
    check_opening(committed, opening)
    with pytest.raises(Tampered):
        check_opening(committed, Opening(opening.nonce, "another"))
    with pytest.raises(Tampered):
        check_opening(committed, Opening(os.urandom(32), value))


def test_nonce_has_one_length() -> None:
    opening = Opening(bytes(31), 1)
    with pytest.raises(Tampered) as caught:
        check_opening(commitment(opening), opening)
    assert caught.value.code == "PROOF_INVALID"


def test_commitment_is_as_documented() -> None:
    assert commitment(Opening(bytes(32), "x")) == (
        __import__("hashlib").sha256(b"saferoom-commitment-v1\0" + bytes(32) + b'"x"').hexdigest()
    )
