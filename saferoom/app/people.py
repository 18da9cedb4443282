"""Who are the room's people, and whose token is this?

A token is 32 random bytes; only its digest is stored. It says who calls and gives no
authority: what counts is signed. It ends with its key.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_missing, insert_new
from saferoom.app import loading
from saferoom.app.batches import check_count, unknown
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entries, write_entry
from saferoom.app.teaching import queue, teach_now
from saferoom.canonical import Digest, digest_bytes
from saferoom.core.enrolment import (
    Enrolment,
    Place,
    Role,
    check_begins_soon,
    check_enrolment,
    check_genesis,
    check_only_key,
    check_signer,
)
from saferoom.core.moment import FRESH, read_instant, write_instant
from saferoom.core.record import Record, check_field
from saferoom.core.state import PartyState
from saferoom.crypto.signing import KeyId, Statement, hex_bytes
from saferoom.errors import Conflict, Refusal, Unauthenticated


@dataclass(frozen=True, kw_only=True)
class TokenRequest(Record):
    """Prove to one room that an enrolled key is held; another room cannot use the proof."""

    KIND: ClassVar[str] = "saferoom/token-request/1"
    origin: str  # the room's log
    holder: str
    asked_at: str
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.origin) <= 200, "origin")
        check_field(0 < len(self.holder) <= 64, "holder")
        read_instant(self.asked_at)
        hex_bytes(self.nonce, 16)


def genesis(room: Room, statements: Sequence[Statement], trust: Digest) -> tuple[Digest, ...]:
    """Enrol the first two operators and open the log; once. `trust` names the trust file.

    The vault knows them from its trust file: what it is taught must rest on them.
    """
    founders = check_genesis(statements)
    with writing(room.database) as connection:
        if connection.scalar(sa.select(sa.func.count()).select_from(t.enrolment)):
            raise Conflict("STATE", "the room is founded already")
        write_entry(
            connection,
            room,
            Draft(
                "genesis",
                room.origin,
                {"origin": room.origin, "operators": [one.holder for one in founders]},
                {"trust": trust},
            ),
        )
        _store(connection, room, list(zip(statements, founders, strict=True)))
    return tuple(statement.digest for statement in statements)


def enrol(room: Room, _caller: Caller, statements: Sequence[Statement]) -> tuple[Digest, ...]:
    """Enrol keys, all or none; the statements carry the authority, not the caller."""
    check_count(statements)
    with writing(room.database) as connection:
        new = _check_in_turn(connection, room, unknown(connection, statements, t.enrolment))
        if new:
            _check_never_used(connection, [enrolment for _, enrolment in new])
            _store(connection, room, new)
            queue(connection, [statement for statement, _ in new])
    teach_now(room)
    return tuple(statement.digest for statement in statements)


def _check_in_turn(
    connection: Connection, room: Room, statements: Sequence[Statement]
) -> list[tuple[Statement, Enrolment]]:
    """Check each as if those before it were in force already."""
    keys = [mark.key for one in statements for mark in one.signatures]
    stored = loading.lookup_among(connection, keys)
    turned: dict[KeyId, Enrolment | None] = {}
    held = _held(connection, {str(one.body.get("holder")) for one in statements})
    new = []
    for statement in statements:
        one = check_enrolment(statement, lambda key: turned[key] if key in turned else stored(key))
        check_begins_soon(one, room.clock())
        check_only_key(one, held)
        held[one.place] = one.key_id
        turned[one.key_id] = one
        if one.replaces is not None:
            turned[one.replaces] = None
        new.append((statement, one))
    return new


def _held(connection: Connection, holders: Collection[str]) -> dict[Place, KeyId]:
    """Read which key each of these holders has in force, for which party and role."""
    query = sa.select(t.enrolment.c.statement).where(
        t.enrolment.c.holder.in_(holders), t.enrolment.c.replaced_by.is_(None)
    )
    found = [loading.read(Enrolment, stored) for stored in connection.scalars(query)]
    return {one.place: one.key_id for one in found}


def issue_token(room: Room, statement: Statement) -> tuple[str, str]:
    """Trade a signed token request for (token, expires_at); each request works once."""
    wanted = TokenRequest.from_body(statement.body)
    now = room.clock()
    if wanted.origin != room.origin:
        raise Refusal("SIGNATURE_INVALID", "made for another room")
    if abs(now - read_instant(wanted.asked_at)) > FRESH:
        raise Refusal("REPLAY")
    token = room.random_bytes(32).hex()
    expires_at = write_instant(now + room.token_life)
    with writing(room.database) as connection:
        signer = check_signer(statement, loading.lookup(connection), *Role)
        if signer.holder != wanted.holder:
            raise Refusal("SIGNATURE_INVALID", "the key is another holder's")
        _check_not_stopped(connection, signer.party)
        row = {
            "digest": digest_bytes(token.encode()),
            "request": statement.digest,
            "key": signer.key_id,
            "expires_at": expires_at,
        }
        if not insert_new(connection, t.token, row):
            raise Refusal("REPLAY")
        draft = Draft("token_issued", signer.holder, {"holder": signer.holder})
        write_entry(connection, room, draft)
    return token, expires_at


def end_tokens(connection: Connection, party: str) -> None:
    """End every token of a party's people, with the party."""
    keys = sa.select(t.enrolment.c.key).where(t.enrolment.c.party == party)
    connection.execute(sa.delete(t.token).where(t.token.c.key.in_(keys)))


def _check_not_stopped(connection: Connection, party: str) -> None:
    """Refuse a token to the people of a party that was stopped; the row waits for a stop."""
    query = sa.select(t.party.c.state).where(t.party.c.party == party)
    state = connection.scalar(query.with_for_update(read=True))
    if state in {PartyState.SUSPENDED, PartyState.EXITED}:
        raise Refusal("ORG_INACTIVE")


def who(room: Room, token: str) -> Caller:
    """Name the caller of a token that is alive and whose key is in force."""
    query = (
        sa.select(t.enrolment, t.token.c.expires_at)
        .join(t.token, t.token.c.key == t.enrolment.c.key)
        .where(
            t.token.c.digest == digest_bytes(token.encode()), t.enrolment.c.replaced_by.is_(None)
        )
    )
    with reading(room.database) as connection:
        row = connection.execute(query).one_or_none()
    if row is None or read_instant(row.expires_at) <= room.clock():
        raise Unauthenticated("TOKEN_INVALID")
    return Caller(row.holder, row.party, Role(row.role), row.key)


def forget_expired_tokens(room: Room) -> int:
    """Delete tokens that ended a while ago, after their requests grew stale."""
    before = write_instant(room.clock() - 2 * FRESH - timedelta(hours=1))
    with writing(room.database) as connection:
        return connection.execute(sa.delete(t.token).where(t.token.c.expires_at < before)).rowcount


def _check_never_used(connection: Connection, enrolments: Sequence[Enrolment]) -> None:
    """Refuse a key that was replaced: it may be in the wrong hands."""
    keys = [one.key_id for one in enrolments]
    query = sa.select(t.enrolment.c.key).where(t.enrolment.c.key.in_(keys))
    if len(set(keys)) != len(keys) or connection.scalar(query.limit(1)) is not None:
        raise Conflict("DUPLICATE", "this key was enrolled before")


def _store(
    connection: Connection, room: Room, enrolled: Sequence[tuple[Statement, Enrolment]]
) -> None:
    now = write_instant(room.clock())
    rows = [
        {
            "key": one.key_id,
            "holder": one.holder,
            "party": one.party,
            "role": str(one.role),
            "digest": statement.digest,
            "statement": statement.to_bytes(),
            "enrolled_at": now,
        }
        for statement, one in enrolled
    ]
    connection.execute(sa.insert(t.enrolment), rows)
    for _, one in enrolled:
        if one.replaces is not None:
            _replace(connection, one)
    accounts = [
        {"code": one.party, "epoch": 0, "ceiling_mbit": 0, "spent_mbit": 0}
        for _, one in enrolled
        if one.role is Role.ENTERPRISE
    ]
    insert_missing(connection, t.enterprise, accounts)
    write_entries(connection, room, [_draft(statement, one) for statement, one in enrolled])


def _replace(connection: Connection, new: Enrolment) -> None:
    connection.execute(
        sa.update(t.enrolment)
        .where(t.enrolment.c.key == new.replaces)
        .values(replaced_by=new.key_id)
    )
    connection.execute(sa.delete(t.token).where(t.token.c.key == new.replaces))


def _draft(statement: Statement, one: Enrolment) -> Draft:
    return Draft(
        "key_enrolled",
        one.holder,
        {
            "holder": one.holder,
            "party": one.party,
            "role": str(one.role),
            "key": one.key_id,
            "replaces": one.replaces,
            "statement": statement.digest,
        },
    )
