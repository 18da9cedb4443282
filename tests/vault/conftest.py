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


@pytest.fixture
def room(furnished_once: SmallRoom, tmp_path: Path) -> Iterator[SmallRoom]:
    """A vault with people, facts and a snapshot, of this test's own."""
    room = copy.copy(furnished_once)
    room.home = Path(shutil.copytree(furnished_once.home, tmp_path / "home"))
    room.random = counted_random(f"copy {tmp_path.name}")
    known = furnished_once.register
    room.register = make.Register(dict(known.in_force), list(known.statements))
    room.start()
    yield room
    room.service.close()
