"""A served application whose use cases are twins, for what the edge alone decides."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from saferoom.api import app as api
from saferoom.app import idempotency, people
from saferoom.app.context import Caller, Room
from saferoom.core.enrolment import Role
from saferoom.crypto.signing import KeyId
from saferoom.errors import Unauthenticated

CALLER = Caller(holder="li.na", party="bank-a", role=Role.MODELLER, key=KeyId("00" * 32))
TOKEN = {"Authorization": "Bearer good"}
KEY = {"Idempotency-Key": "0123456789abcdef"}


@dataclass
class TwinRoom:
    """What the edge asks of a room: a clock that tests move."""

    now: datetime = field(default_factory=lambda: datetime(2026, 11, 20, 10, 51, tzinfo=UTC))

    def clock(self) -> datetime:
        return self.now


@pytest.fixture
def room() -> TwinRoom:
    return TwinRoom()


@pytest.fixture
def app(room: TwinRoom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FastAPI:
    def who(_: Room, token: str) -> Caller:
        if token != "good":
            raise Unauthenticated("TOKEN_INVALID")
        return CALLER

    monkeypatch.setattr(people, "who", who)
    monkeypatch.setattr(idempotency, "once", lambda _r, _c, _k, _d, act: act())
    return api.create(cast("Room", room), tmp_path)


@pytest.fixture
def http(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, raise_server_exceptions=False) as client:
        yield client
