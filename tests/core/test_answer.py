"""Whose answer is believed, and does its length tell what it says?"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.canonical import digest_bytes
from saferoom.core.answer import SIZE, Answer, check_answer, check_fits, pad
from saferoom.core.trust import Trust, VaultKeys
from saferoom.core.uscc import make_uscc
from saferoom.crypto.signing import SigningKey, Statement, sign_statement
from saferoom.errors import BadInput, SaferoomError, Tampered
from tests import factories as make
from tests.tlog.small_log import trust

NOW = datetime(2026, 11, 20, 10, 51, tzinfo=UTC)
VAULT, NEXT, FORGER = (make.signing_key(name) for name in ("vault", "next vault", "forger"))


def answer(**changes: object) -> Answer:
    fields: dict[str, object] = {
        "enterprise": make.ENTERPRISE,
        "outcome": "G01",
        "request": make.some_digest("request"),
        "snapshot": make.some_digest("snapshot"),
        "version": make.some_digest("version"),
    }
    return Answer(**{**fields, **changes})  # type: ignore[arg-type]


def sealed(*keys: SigningKey, **changes: object) -> bytes:
    return pad(sign_statement(answer(**changes).to_body(), keys or [VAULT]))


def trusting(*vaults: VaultKeys) -> Trust:
    return replace(trust(), vaults=vaults or (make.vault_keys(),))


GRADES = st.text(
    st.characters(categories=("L", "M", "N", "P", "S"), include_characters=' "\\/é优🀄'),
    min_size=1,
    max_size=16,
)


@given(GRADES)
def test_every_answer_has_the_one_length(grade: str) -> None:
    try:
        version = make.manifest(grades=(grade, "other"))
    except BadInput:
        return
    for outcome in version.outcomes:
        assert len(sealed(outcome=outcome)) == SIZE


@pytest.mark.parametrize("letter", ["A", '"', "\\", "优", "🀄", "\x7f"])
def test_the_longest_answer_fits(letter: str) -> None:
    long = answer(enterprise=letter * 18, outcome=letter * 16)
    assert len(pad(sign_statement(long.to_body(), [VAULT]))) == SIZE


def test_what_would_not_fit_is_not_cut() -> None:
    with pytest.raises(BadInput, match="TOO_LARGE"):
        pad(Statement({"kind": "x" * SIZE}, ()))


def test_an_answer_of_a_trusted_vault_reads_back() -> None:
    assert check_answer(sealed(), trusting(), NOW) == answer()
    both = trusting(make.vault_keys(), make.vault_keys("next vault"))
    assert check_answer(sealed(NEXT), both, NOW) == answer()


LATER = make.vault_keys(valid_from="2026-11-20T10:51:01Z")
RETIRED = make.vault_keys(valid_until="2026-11-20T10:51:00Z")


@pytest.mark.parametrize(
    ("plain", "held"),
    [
        (sealed(FORGER), trusting()),
        (sealed(VAULT, FORGER), trusting()),
        (sealed(NEXT), trusting()),
        (sealed(), trust()),
        (sealed(), trusting(LATER)),
        (sealed(), trusting(RETIRED)),
        (pad(Statement(answer().to_body(), ())), trusting()),
        (pad(Statement(answer(outcome="G02").to_body(), Statement.from_bytes(
            sign_statement(answer().to_body(), [VAULT]).to_bytes()).signatures)), trusting()),
        (pad(sign_statement({**answer().to_body(), "kind": "saferoom/answer/2"}, [VAULT])),
         trusting()),
        (pad(sign_statement({**answer().to_body(), "more": 1}, [VAULT])), trusting()),
        (sealed()[:-1], trusting()),
        (sealed() + b"\0", trusting()),
        (sealed()[:-1] + b"\1", trusting()),
        (b"\xff\xff" + sealed()[2:], trusting()),
        (bytes(SIZE), trusting()),
    ],
)  # fmt: skip  # one case a line where it fits
def test_anything_else_is_no_answer(plain: bytes, held: Trust) -> None:
    with pytest.raises(Tampered, match="ANSWER_INVALID"):
        check_answer(plain, held, NOW)


def fits(**changes: object) -> bool:
    told = answer()
    asked: dict[str, object] = {
        "enterprise": told.enterprise,
        "version": told.version,
        "request": told.request,
        "outcomes": ("G01", "G02"),
    }
    try:
        check_fits(told, **{**asked, **changes})  # type: ignore[arg-type]
    except Tampered:
        return False
    return True


def test_an_answer_fits_what_was_asked() -> None:
    assert fits()
    assert fits(request=None)  # stored: it keeps the request that it answered first
    assert not fits(enterprise=make_uscc(2))
    assert not fits(version=digest_bytes(b"another"))
    assert not fits(request=digest_bytes(b"another"))
    assert not fits(outcomes=("G02", "missing", "refused"))


@pytest.mark.parametrize(
    "changes",
    [
        {"enterprise": ""},
        {"outcome": ""},
        {"outcome": "x" * 17},
        {"request": "x"},
        {"snapshot": ""},
    ],
)
def test_ranges_are_checked(changes: dict[str, object]) -> None:
    with pytest.raises(SaferoomError, match="FIELD_INVALID"):
        answer(**changes)
