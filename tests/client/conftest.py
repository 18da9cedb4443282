"""Keys drawn from a counter, a clock that stands, and a room that is a function."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

import httpx2
import pytest

from saferoom.client import keyfolder
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author
from saferoom.client.transport import Transport
from saferoom.core.enrolment import Role
from saferoom.crypto.sealing import SealingKey

NOW = datetime(2026, 11, 20, 10, 51, tzinfo=UTC)
Answer = Callable[[httpx2.Request], httpx2.Response]


def counted_bytes() -> Callable[[int], bytes]:
    numbers = count(1)
    return lambda length: next(numbers).to_bytes(length, "big")


def make_keys(folder: Path, holder: str = "li.na", role: Role = Role.MODELLER) -> KeyFolder:
    return keyfolder.create(
        folder,
        holder=holder,
        party="bank-a",
        role=role,
        url="https://room.example",
        random_bytes=counted_bytes(),
        delivery=SealingKey(b"d" * 32),
    )


def make_transport(answer: Answer, pauses: list[float] | None = None) -> Transport:
    slept: list[float] = [] if pauses is None else pauses
    return Transport(
        "https://room.example", sleep=slept.append, transport=httpx2.MockTransport(answer)
    )


@pytest.fixture
def keys(tmp_path: Path) -> KeyFolder:
    return make_keys(tmp_path / "li.na")


@pytest.fixture
def author(keys: KeyFolder) -> Author:
    return Author(keys, clock=lambda: NOW, random_bytes=counted_bytes())
