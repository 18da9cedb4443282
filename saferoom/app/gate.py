"""May this leave, decided once and for all?

The only place that writes a release. One short transaction per chunk: it locks in the
fixed order (locking.py), compares what was evaluated with what counts now, lets code
refuse first and policy after it, debits both accounts, and writes the log entry and the
release. Nothing is shown here: what is recorded still waits for every mandatory sink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app.context import Room
from saferoom.app.entries import Draft, write_entry
from saferoom.app.frames import Asked, Frame, load_frame
from saferoom.app.holdings import Checked, Holding, check_holding, load_holdings
from saferoom.canonical import Digest, Json, digest_bytes
from saferoom.core.ledger import charge_mbit, check_debit
from saferoom.core.moment import write_instant
from saferoom.errors import Conflict, Refusal

CHUNK = 100  # enterprises per transaction, so that locks are held briefly
EVALUATED, STORED = "evaluated", "stored"


_CLAIMS = sa.select(t.request).where(
    sa.or_(
        sa.and_(t.request.c.party == sa.bindparam("party"), t.request.c.key == sa.bindparam("key")),
        t.request.c.digest == sa.bindparam("digest"),
    )
)
_RELEASED = sa.select(t.release.c.enterprise).where(t.release.c.request == sa.bindparam("request"))
_RELEASE = sa.insert(t.release)
_DEBIT_ALL = (
    sa.update(t.enterprise)
    .where(t.enterprise.c.code == sa.bindparam("who"))
    .values(spent_mbit=sa.bindparam("spent"))
)
_DEBIT_GROUP = (
    sa.update(t.account)
    .where(
        t.account.c.enterprise == sa.bindparam("who"),
        t.account.c.bank_group == sa.bindparam("group"),
    )
    .values(spent_mbit=sa.bindparam("spent"))
)


class Moved(Exception):  # control flow inside the gate, never shown
    """What was evaluated is not what counts now."""


@dataclass(frozen=True)
class Candidate:
    """One sealed answer that wants to leave, and what it was computed from."""

    enterprise: str
    sealed: bytes
    source: str
    snapshot: Digest
    epoch: int
    version: Digest

    def charge_mbit(self, frame: Frame) -> int:
        """Charge what this answer reveals; the same answer again reveals nothing."""
        return 0 if self.source == STORED else charge_mbit(len(frame.manifest.outcomes))


@dataclass
class Decided:
    """What a chunk's transaction found, enterprise by enterprise."""

    released: list[tuple[Candidate, Holding, int]] = field(default_factory=list)
    refused: dict[str, Refusal] = field(default_factory=dict)


def commit_chunk(
    room: Room,
    asked: Asked,
    candidates: Sequence[Candidate],
    refused: Mapping[str, Refusal],
    checked: Checked,
) -> None:
    """Record releases and refusals of one chunk, or raise Moved and change nothing."""
    with writing(room.database) as connection:
        frame = load_frame(connection, room, asked, lock=True)
        claim(connection, room, asked)
        done = recorded(connection, asked)
        wanted = [c for c in candidates if c.enterprise not in done]
        decided = _decide(connection, frame, wanted, checked)
        decided.refused |= dict(refused)
        _debit(connection, frame, decided)
        _write(connection, room, frame, decided)


def claim(connection: Connection, room: Room, asked: Asked) -> None:
    """Bind the idempotency key to this request, once; a request belongs to one key."""
    row = {
        "party": asked.party,
        "key": asked.key,
        "digest": asked.statement.digest,
        "statement": asked.statement.to_bytes(),
        "first_asked_at": write_instant(room.clock()),
    }
    insert_new(connection, t.request, row)
    check_claim(connection, asked)


def check_claim(connection: Connection, asked: Asked) -> str | None:
    """Say when this was first asked, None if never; refuse another body or another key."""
    named = {"party": asked.party, "key": asked.key, "digest": asked.statement.digest}
    claims = {(row.party, row.key): row for row in connection.execute(_CLAIMS, named)}
    mine = claims.pop((asked.party, asked.key), None)
    if mine is not None:
        if mine.digest != asked.statement.digest:
            raise Conflict("IDEMPOTENCY_CONFLICT")
        return str(mine.first_asked_at)
    if claims:
        raise Refusal("REPLAY", "under another idempotency key")
    return None


def recorded(connection: Connection, asked: Asked) -> set[str]:
    """Name the enterprises that this request was released for, in this or another try."""
    return set(connection.scalars(_RELEASED, {"request": asked.statement.digest}))


def check_policy(frame: Frame, charges: Sequence[int]) -> dict[int, Refusal]:
    """Ask policy once for each class of equal facts; no policy can name one enterprise."""
    denied = {}
    for charge in sorted(set(charges)):
        try:
            frame.policy.check("score", frame.facts(charge))
        except Refusal as error:
            denied[charge] = error
    return denied


def _decide(
    connection: Connection, frame: Frame, candidates: Sequence[Candidate], checked: Checked
) -> Decided:
    """Compare, let code refuse, then ask policy; in the order of locks."""
    names = [candidate.enterprise for candidate in candidates]
    holdings = load_holdings(connection, frame, names, checked, lock=True)
    decided = Decided()
    for candidate in sorted(candidates, key=lambda c: c.enterprise):
        holding = holdings.get(candidate.enterprise)
        _check_unmoved(frame, candidate, holding)
        charge = candidate.charge_mbit(frame)
        try:
            check_holding(frame, holding, charge)
        except Refusal as error:
            decided.refused[candidate.enterprise] = error
        else:
            assert holding is not None  # check_holding refuses a stranger
            decided.released.append((candidate, holding, charge))
    denied = check_policy(frame, [charge for *_, charge in decided.released])
    for candidate, _, charge in decided.released:
        if charge in denied:
            decided.refused[candidate.enterprise] = denied[charge]
    decided.released = [one for one in decided.released if one[2] not in denied]
    return decided


def _check_unmoved(frame: Frame, candidate: Candidate, holding: Holding | None) -> None:
    evaluated = (candidate.version, candidate.snapshot, candidate.epoch)
    now = (frame.manifest.digest, frame.snapshot, None if holding is None else holding.epoch)
    if holding is not None and evaluated != now:
        raise Moved


def _debit(connection: Connection, frame: Frame, decided: Decided) -> None:
    charged = [(holding, charge) for _, holding, charge in decided.released if charge]
    if not charged:
        return
    everything, groups = [], []
    for holding, charge in charged:
        assert holding.budget is not None  # check_holding refuses without one
        spent_all = check_debit(
            charge, holding.spent_all_mbit, holding.ceiling_mbit, "CEILING_FULL"
        )
        spent = check_debit(
            charge, holding.spent_group_mbit, holding.budget.limit_mbit, "BUDGET_FULL"
        )
        everything.append({"who": holding.enterprise, "spent": spent_all})
        groups.append({"who": holding.enterprise, "group": frame.manifest.group, "spent": spent})
    connection.execute(_DEBIT_ALL, everything)
    connection.execute(_DEBIT_GROUP, groups)


def _write(connection: Connection, room: Room, frame: Frame, decided: Decided) -> None:
    if decided.released:
        entry = write_entry(connection, room, _release_draft(frame, decided))
        rows = [
            _release_row(room, frame, entry, position, *one)
            for position, one in enumerate(decided.released)
        ]
        connection.execute(_RELEASE, rows)
    _record_refusals(connection, room, frame.asked, decided.refused)


def record_refused_request(
    connection: Connection, room: Room, asked: Asked, error: Refusal
) -> None:
    """Log once that the whole request was refused; whoever inserts the row writes the entry."""
    row = {"request": asked.statement.digest, "enterprise": "", "code": error.code}
    if insert_new(connection, t.refusal, {**row, "detail": error.detail}):
        entry = write_entry(connection, room, _refusal_draft(asked, {"": error}))
        mine = sa.and_(*(t.refusal.c[name] == value for name, value in row.items()))
        connection.execute(sa.update(t.refusal).where(mine).values(entry=entry))


def _record_refusals(
    connection: Connection, room: Room, asked: Asked, refused: Mapping[str, Refusal]
) -> None:
    """Log each enterprise's refusal once, all of a chunk in one entry.

    The claim keeps two tries of one request apart.
    """
    request = asked.statement.digest
    if not refused:
        return
    known = connection.execute(
        sa.select(t.refusal.c.enterprise, t.refusal.c.code).where(t.refusal.c.request == request)
    )
    logged = {(row.enterprise, row.code) for row in known}
    new = {who: e for who, e in sorted(refused.items()) if (who, e.code) not in logged}
    if not new:
        return
    entry = write_entry(connection, room, _refusal_draft(asked, new))
    rows = [
        {
            "request": request,
            "enterprise": who,
            "code": error.code,
            "detail": error.detail,
            "entry": entry,
        }
        for who, error in new.items()
    ]
    connection.execute(sa.insert(t.refusal), rows)


def _release_draft(frame: Frame, decided: Decided) -> Draft:
    request = frame.asked.request
    return Draft(
        "release",
        frame.manifest.bank,
        {
            "bank": frame.manifest.bank,
            "request": frame.asked.statement.digest,
            "caller": frame.caller.holder,
            "purpose": str(request.purpose),
            "loan_reference": request.loan_reference,
            "approvers": [*frame.approvers],
            "override": frame.override,
        },
        artefacts={
            "version": frame.manifest.digest,
            "views": frame.manifest.views,
            "snapshot": frame.snapshot,
            "policy_set": frame.policy.digest,
        },
        records=[_record(*one) for one in decided.released],
        record_subjects=[candidate.enterprise for candidate, *_ in decided.released],
    )


def _record(candidate: Candidate, holding: Holding, charge: int) -> dict[str, Json]:
    assert holding.grant is not None  # check_holding refuses without them
    assert holding.budget is not None
    return {
        "enterprise": candidate.enterprise,
        "grant": holding.grant.digest,
        "budget": holding.budget.digest,
        "charge_mbit": charge,
        "answer": digest_bytes(candidate.sealed),
        "source": candidate.source,
    }


def _release_row(  # noqa: PLR0917  # one row, from where it stands
    room: Room,
    frame: Frame,
    entry: str,
    position: int,
    candidate: Candidate,
    holding: Holding,
    charge: int,
) -> dict[str, object]:
    assert holding.grant is not None
    return {
        "id": room.random_bytes(16).hex(),
        "request": frame.asked.statement.digest,
        "enterprise": candidate.enterprise,
        "bank": frame.manifest.bank,
        "bank_group": frame.manifest.group,
        "version": frame.manifest.digest,
        "purpose": str(frame.asked.request.purpose),
        "snapshot": candidate.snapshot,
        "epoch": candidate.epoch,
        "grant_digest": holding.grant.digest,
        "source": candidate.source,
        "charge_mbit": charge,
        "answer": candidate.sealed,
        "entry": entry,
        "position": position,
        "state": "recorded",
        "recorded_at": write_instant(frame.now),
    }


def _refusal_draft(asked: Asked, refused: Mapping[str, Refusal]) -> Draft:
    """Say who was refused and why; the whole request stands under no enterprise's name."""
    return Draft(
        "refusal",
        asked.party,
        {"bank": asked.party, "request": asked.statement.digest},
        records=[{"enterprise": who or None, "code": e.code} for who, e in refused.items()],
        record_subjects=[who or asked.party for who in refused],
    )
