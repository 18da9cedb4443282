"""Does one bank leave places to the others, and all of them some to the vault's own needs?"""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from saferoom.errors import Unavailable
from saferoom.vault.places import MOST_OF_A_BANK, MOST_SCORES, Places
from saferoom.vault.server import MOST_CONNECTIONS


def test_a_bank_holds_half_and_the_next_is_told_at_once() -> None:
    places = Places()
    with ExitStack() as held:
        for _ in range(MOST_OF_A_BANK):
            held.enter_context(places.take("bank-a"))
        with pytest.raises(Unavailable, match="VAULT_BUSY"), places.take("bank-a"):
            pass
        held.enter_context(places.take("bank-b"))
    with places.take("bank-a"):
        pass


def test_all_banks_together_leave_room_for_lessons_and_health() -> None:
    places = Places()
    with ExitStack() as held:
        for number in range(MOST_SCORES):
            held.enter_context(places.take(f"bank {number}"))
        with pytest.raises(Unavailable, match="VAULT_BUSY"), places.take("another"):
            pass
    assert MOST_SCORES < MOST_CONNECTIONS
