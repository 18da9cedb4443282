"""What is this room, and is each part of it there?"""

from __future__ import annotations

from collections.abc import Callable

import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading
from saferoom.app import loading, teaching, witnessing
from saferoom.app.context import Room
from saferoom.canonical import Json
from saferoom.core.mock import MockSet
from saferoom.errors import Isolation, SaferoomError, Unavailable

READY = "ready"


def describe(room: Room) -> dict[str, Json]:
    """State what is public: origin, keys, and the digests that count now.

    The keys are for information: a bank takes them from its trust file, never from here.
    """
    with reading(room.database) as connection:
        policy, views, snapshot = (
            loading.standing(connection, name) for name in ("policy", "views", "snapshot")
        )
    vault = room.vault.describe()
    return {
        "origin": room.origin,
        "sealing_key": vault.get("sealing_key"),
        "answer_key": vault.get("answer_key"),
        "log_key": room.log_key.public.raw.hex(),
        "policy": policy,
        "views": views,
        "snapshot": snapshot,
    }


def catalogue(room: Room) -> dict[str, Json]:
    """Return the approved ViewSet body; NOT_READY before one is approved."""
    with reading(room.database) as connection:
        return loading.standing_views(connection).to_body()


def mock_set(room: Room) -> dict[str, Json]:
    """Return what mock data are made of; nothing of the vault is needed for it."""
    with reading(room.database) as connection:
        return MockSet.from_body(loading.standing_subject(connection, "mock").body).to_body()


def parts(room: Room) -> dict[str, str]:
    """Say "ready" or a code for database, vault, cage, sinks and lessons."""
    found = {
        "database": _state(lambda: _ask_database(room)),
        "vault": _state(lambda: _ask_vault(room)),
        "cage": _state(lambda: _ask_cage(room)),
        "lessons": _state(lambda: _ask_lessons(room)),
    }
    if room.trust is not None and room.trust.witnesses.quorum:
        found["witnesses"] = _state(lambda: _ask_witnesses(room))
    return found | {f"sink {sink.name}": _state(lambda s=sink: s.append([])) for sink in room.sinks}  # type: ignore[misc]  # a default binds the sink


def _state(ask: Callable[[], None]) -> str:
    try:
        ask()
    except SaferoomError as error:
        return error.code
    return READY


def _ask_database(room: Room) -> None:
    with reading(room.database) as connection:
        connection.execute(sa.select(t.standing.c.name).limit(1)).all()


def _ask_vault(room: Room) -> None:
    room.vault.describe()
    if teaching.is_behind(room):
        raise Isolation("VAULT_BEHIND")


def _ask_cage(room: Room) -> None:
    if room.vault.describe().get("cage") != READY:
        raise Unavailable("CAGE_UNAVAILABLE")


def _ask_witnesses(room: Room) -> None:
    with reading(room.database) as connection:
        witnessing.check_witnessed(connection, room)


def _ask_lessons(room: Room) -> None:
    """Show the operator that the vault refused a lesson."""
    query = sa.select(t.lesson.c.state).where(t.lesson.c.state.not_in(["waiting", "taught"]))
    with reading(room.database) as connection:
        if connection.scalar(query.limit(1)) is not None:
            raise Unavailable("NOT_READY", "the vault refused a lesson")
