from __future__ import annotations

import copy
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import factories as make
from tests.vault.room import SmallRoom, counted_random, ready_room


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[SmallRoom]:
    """A vault that knows its three operators."""
    room = SmallRoom.open(tmp_path)
    yield room
    room.service.close()


@pytest.fixture(scope="session")
def furnished_once(tmp_path_factory: pytest.TempPathFactory) -> SmallRoom:
    """A closed home with people, facts and a snapshot, to be copied."""
    room = ready_room(tmp_path_factory.mktemp("furnished"))
    room.service.close()
    return room


def copied(closed: SmallRoom, folder: Path) -> SmallRoom:
    """Open a copy of a closed room."""
    room = copy.copy(closed)
    room.home = Path(shutil.copytree(closed.home, folder / "home"))
    room.random = counted_random(f"copy {folder.name}")
    known = closed.register
    room.register = make.Register(dict(known.in_force), list(known.statements))
    room.start()
    return room


@pytest.fixture
def room(furnished_once: SmallRoom, tmp_path: Path) -> Iterator[SmallRoom]:
    """A vault with people, facts and a snapshot, of this test's own."""
    room = copied(furnished_once, tmp_path)
    yield room
    room.service.close()
