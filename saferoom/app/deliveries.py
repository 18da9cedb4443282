"""When may a recorded release be shown?

Recorded is committed and charged; delivered is acknowledged by every mandatory sink
while the grant lived. Nothing is shown in between. A release whose grant ended in
between stays recorded, and one whose grant ended since is not shown again: its line says
so and names the receipt.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection, Row

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app.context import Room
from saferoom.app.entries import promise
from saferoom.app.frames import Asked
from saferoom.app.holdings import Checked
from saferoom.app.log import mark_acknowledged, offer
from saferoom.app.withholding import Releases, withheld
from saferoom.canonical import Json
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Unavailable

RECORDED, DELIVERED = "recorded", "delivered"
_IDS: sa.BindParameter[str] = sa.bindparam("ids", expanding=True)
_ERASED = b""  # what an erasure leaves of an answer
_MARK_DELIVERED = (
    sa.update(t.release)
    .where(t.release.c.id.in_(_IDS), t.release.c.answer != _ERASED)
    .values(state=DELIVERED, delivered_at=sa.bindparam("now"))
)
_RELEASES = sa.select(t.release).where(t.release.c.request == sa.bindparam("request"))
_REFUSALS = sa.select(t.refusal).where(
    t.refusal.c.request == sa.bindparam("request"), t.refusal.c.enterprise != ""
)
_WRITTEN = (
    sa.select(t.entry.c.id, t.entry.c.written_at)
    .where(t.entry.c.id.in_(_IDS))
    .order_by(t.entry.c.number)
)


@dataclass(frozen=True)
class Result:
    """One enterprise's line of the answer."""

    enterprise: str
    status: str  # "released" or "refused"
    code: str | None
    sentence: str | None
    remedy: str | None
    answer: bytes | None  # sealed in the vault; the room cannot read it
    receipt: str | None
    charge_mbit: int
    stored: bool

    def to_json(self) -> dict[str, Json]:
        """Render for the wire."""
        return {
            "enterprise": self.enterprise,
            "status": self.status,
            "code": self.code,
            "sentence": self.sentence,
            "remedy": self.remedy,
            "answer": None if self.answer is None else self.answer.hex(),
            "receipt": self.receipt,
            "charge_mbit": self.charge_mbit,
            "stored": self.stored,
        }


@dataclass(frozen=True)
class ScoreAnswer:
    """The whole answer: a line per enterprise in the request's order, and promises."""

    results: tuple[Result, ...]
    promises: tuple[Statement, ...]

    def to_json(self) -> dict[str, Json]:
        """Render for the wire."""
        return {
            "results": [result.to_json() for result in self.results],
            "promises": [one.to_json() for one in self.promises],
        }


def deliver(room: Room, asked: Asked, checked: Checked) -> ScoreAnswer:
    """Have the sinks acknowledge, then show; NOT_DELIVERED if one does not.

    What was delivered before is checked like what waits: a replay shows no more than a new
    request would be given.
    """
    with reading(room.database) as connection:
        releases = _releases(connection, asked)
        waiting = [row for row in releases if row.state == RECORDED]
        if not waiting:
            refused = withheld(connection, room, asked, releases, checked, lock=False)
            return _answer(connection, room, asked, refused)
    try:
        offered = offer(room, sorted({row.entry for row in waiting}))
    except Unavailable as error:
        raise Unavailable("NOT_DELIVERED") from error
    # Forgotten by a power cut it is done again: the sinks hold the entry, the grant is asked anew.
    with writing(room.database, synced=False) as connection:
        mark_acknowledged(connection, offered)
        releases = _releases(connection, asked)  # anew: an erasure may have come in between
        waiting = [row for row in releases if row.state == RECORDED]
        refused = withheld(connection, room, asked, releases, checked, lock=True)
        _mark_delivered(connection, room, [row for row in waiting if row.enterprise not in refused])
    room.wake.set()  # the receipts' places in the log
    with reading(room.database) as connection:
        return _answer(connection, room, asked, refused)


def _mark_delivered(connection: Connection, room: Room, shown: Releases) -> None:
    named = {"ids": [row.id for row in shown], "now": write_instant(room.clock())}
    connection.execute(_MARK_DELIVERED, named)


def _releases(connection: Connection, asked: Asked) -> Releases:
    return connection.execute(_RELEASES, {"request": asked.statement.digest}).all()


def _answer(
    connection: Connection, room: Room, asked: Asked, refused: Mapping[str, Refusal]
) -> ScoreAnswer:
    lines: dict[str, Result] = {}
    refusals = connection.execute(_REFUSALS, {"request": asked.statement.digest}).all()
    for row in refusals:
        lines[row.enterprise] = _refused(row.enterprise, Refusal(row.code, row.detail))
    releases = _releases(connection, asked)
    for row in releases:
        error = refused.get(row.enterprise)
        if error is None and row.answer == _ERASED:  # since it was checked
            error = Refusal("ERASED")
        lines[row.enterprise] = _released(row) if error is None else _withheld(row, error)
    settled = {row.entry for row in (*releases, *refusals)}
    return ScoreAnswer(
        tuple(lines[code] for code in asked.request.enterprises),
        _promises(connection, room, settled),
    )


def _promises(connection: Connection, room: Room, entries: set[str]) -> tuple[Statement, ...]:
    found = connection.execute(_WRITTEN, {"ids": list(entries)})
    return tuple(promise(room, row.id, row.written_at) for row in found)


def _released(row: Row[*tuple[object, ...]]) -> Result:
    if row.state != DELIVERED:  # nothing is shown before, whatever raced with us
        raise Unavailable("NOT_DELIVERED")
    return Result(
        enterprise=row.enterprise,
        status="released",
        code=None,
        sentence=None,
        remedy=None,
        answer=row.answer,
        receipt=row.id,
        charge_mbit=row.charge_mbit,
        stored=row.source == "stored",
    )


def _withheld(row: Row[*tuple[object, ...]], error: Refusal) -> Result:
    return Result(
        enterprise=row.enterprise,
        status="refused",
        code=error.code,
        sentence=error.sentence,
        remedy=error.remedy,
        answer=None,
        receipt=row.id,
        charge_mbit=row.charge_mbit,
        stored=row.source == "stored",
    )


def _refused(enterprise: str, error: Refusal) -> Result:
    return Result(
        enterprise=enterprise,
        status="refused",
        code=error.code,
        sentence=error.sentence,
        remedy=error.remedy,
        answer=None,
        receipt=None,
        charge_mbit=0,
        stored=False,
    )
