"""Entries of many writers are committed together, each once, and none fails for another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.app import together
from saferoom.app.entries import Draft
from saferoom.app.together import write_together
from saferoom.errors import BadInput
from tests.app.world import World, empty_world


@pytest.fixture
def empty(database: sa.Engine, tmp_path: Path) -> World:
    return empty_world(database, tmp_path)


def draft(number: int) -> Draft:
    return Draft("token_issued", f"person {number % 3}", {"holder": f"person {number}"})


def test_each_of_many_writers_finds_its_own_entry(
    empty: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(together, "MOST", 7)  # several groups, and some who wait twice
    with ThreadPoolExecutor(16) as pool:
        ids = list(pool.map(lambda n: write_together(empty.room, draft(n)), range(100)))
    assert len(set(ids)) == 100
    assert empty.count(t.entry) == 100
    empty.settle()
    assert empty.room.log.size == 100


def test_a_draft_that_cannot_be_written_fails_its_writer_alone(empty: World) -> None:
    wrong = Draft("token_issued", "person", {"hodler": "x"})

    def write(number: int) -> str:
        try:
            return write_together(empty.room, wrong if number == 5 else draft(number))
        except BadInput as error:
            return error.code

    with ThreadPoolExecutor(16) as pool:
        told = list(pool.map(write, range(20)))
    assert told.count("FIELD_INVALID") == 1
    assert told[5] == "FIELD_INVALID"
    assert empty.count(t.entry) == 19
