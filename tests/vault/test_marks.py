"""A mark is HMAC-SHA-256, whatever the key's length and the text's."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.vault.marks import BLOCK, Marker


@given(st.binary(max_size=BLOCK), st.lists(st.binary(max_size=200), max_size=5))
def test_every_mark_is_the_standard_librarys(key: bytes, texts: list[bytes]) -> None:
    marker = Marker(key)
    for text in texts:
        assert marker.mark(text) == hmac.digest(key, text, "sha256")


def test_a_longer_key_is_not_cut_in_silence() -> None:
    with pytest.raises(AssertionError):
        Marker(bytes(BLOCK + 1))
