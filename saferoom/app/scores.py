"""May these scores leave, and what leaves?

Pre-check without locks, evaluation in the vault's cage, the gate's transaction, then
delivery: sinks first, and only then an answer. A retry with the same key finishes what
an earlier try began and is never charged twice.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.app import loading
from saferoom.app.context import Caller, Room
from saferoom.app.deliveries import Result, ScoreAnswer, deliver
from saferoom.app.frames import Asked, Frame, check_caller, load_frame
from saferoom.app.gate import (
    CHUNK,
    EVALUATED,
    STORED,
    Candidate,
    Moved,
    check_claim,
    check_policy,
    commit_chunk,
    record_refused_request,
    recorded,
)
from saferoom.app.holdings import Checked, Holding, check_holding, load_holdings
from saferoom.app.sources import follow
from saferoom.app.teaching import teach
from saferoom.core.ledger import charge_mbit
from saferoom.core.moment import read_instant
from saferoom.core.request import ScoreRequest
from saferoom.crypto.signing import Statement
from saferoom.errors import CODES, BadInput, Conflict, NotFound, Refusal
from saferoom.ports import Evaluation

__all__ = ["Result", "ScoreAnswer", "score"]

MOST_TRIES = 3
_KEY = re.compile(r"[A-Za-z0-9-]{16,64}")


_REFUSED = sa.select(t.refusal.c.enterprise).where(t.refusal.c.request == sa.bindparam("request"))
_STORED = sa.select(t.release.c.enterprise, t.release.c.answer, t.release.c.epoch).where(
    t.release.c.enterprise.in_(sa.bindparam("codes", expanding=True)),
    t.release.c.version == sa.bindparam("version"),
    t.release.c.snapshot == sa.bindparam("snapshot"),
    t.release.c.bank_group == sa.bindparam("group"),
    t.release.c.purpose == sa.bindparam("purpose"),
    t.release.c.source == EVALUATED,
)


def score(room: Room, caller: Caller, statement: Statement, idempotency_key: str) -> ScoreAnswer:
    """Score through the gate; refusals of the whole request are raised, and logged.

    What its own bank did not sign is refused without a trace: else anybody with a token could
    fill the log in a bank's name.
    """
    if not _KEY.fullmatch(idempotency_key):
        raise BadInput("IDEMPOTENCY_KEY")
    request = ScoreRequest.from_body(statement.body)
    asked = Asked(statement, request, caller.party, idempotency_key, room.clock())
    checked = Checked()
    with reading(room.database) as connection:
        _check_own(connection, asked)
        check_caller(asked, loading.lookup(connection))
    try:
        asked = _record_all(room, asked, checked)
    except Refusal as error:
        with writing(room.database) as connection:
            record_refused_request(connection, room, asked, error)
        raise
    return deliver(room, asked, checked)


def _check_own(connection: Connection, asked: Asked) -> None:
    """Tell a bank that another bank's version is not there; whose it is says its manifest."""
    if loading.manifest_of(connection, asked.request.version).bank != asked.party:
        raise NotFound("NOT_FOUND", "version")


@dataclass
class _Plan:
    """What the pre-check leaves to do."""

    refused: dict[str, Refusal] = field(default_factory=dict)
    stored: list[Candidate] = field(default_factory=list)
    evaluate: list[Holding] = field(default_factory=list)


def _record_all(room: Room, asked: Asked, checked: Checked) -> Asked:
    """Try until every enterprise has a recorded outcome; the data may move meanwhile."""
    for _ in range(MOST_TRIES):
        with reading(room.database) as connection:
            asked = _as_first_asked(connection, asked)
            open_ones = _unsettled(connection, asked)
            if not open_ones:
                check_caller(asked, loading.lookup(connection))  # the digest is the body's only
                return asked
            frame = load_frame(connection, room, asked, lock=False)
            plan = _precheck(connection, frame, open_ones, checked)
        try:
            candidates = [*plan.stored, *_evaluate(room, frame, plan)]
            _commit(room, asked, candidates, plan.refused, checked)
        except Moved:
            follow(room)
            continue
        return asked
    raise Conflict("MOVED")


def _as_first_asked(connection: Connection, asked: Asked) -> Asked:
    first = check_claim(connection, asked)
    return asked if first is None else replace(asked, first_asked_at=read_instant(first))


def _unsettled(connection: Connection, asked: Asked) -> list[str]:
    refused = connection.scalars(_REFUSED, {"request": asked.statement.digest})
    settled = recorded(connection, asked) | set(refused)
    return [code for code in asked.request.enterprises if code not in settled]


def _precheck(
    connection: Connection, frame: Frame, enterprises: Sequence[str], checked: Checked
) -> _Plan:
    """Refuse for free what can be refused without the enterprise's data."""
    plan = _Plan()
    holdings = load_holdings(connection, frame, enterprises, checked, lock=False)
    stored = _stored_answers(connection, frame, holdings)
    full = charge_mbit(len(frame.manifest.outcomes))
    denied = check_policy(frame, [0, full])
    for code in enterprises:
        charge = 0 if code in stored else full
        try:
            check_holding(frame, holdings.get(code), charge)
            if charge in denied:
                raise denied[charge]
        except Refusal as error:
            plan.refused[code] = error
            continue
        if code in stored:
            plan.stored.append(stored[code])
        else:
            plan.evaluate.append(holdings[code])
    return plan


def _stored_answers(
    connection: Connection, frame: Frame, holdings: Mapping[str, Holding]
) -> dict[str, Candidate]:
    """Find earlier answers of this bank group, version, purpose and snapshot."""
    named = {
        "codes": list(holdings),
        "version": frame.manifest.digest,
        "snapshot": frame.snapshot,
        "group": frame.manifest.group,
        "purpose": str(frame.asked.request.purpose),
    }
    return {
        row.enterprise: Candidate(
            row.enterprise, row.answer, STORED, frame.snapshot, row.epoch, frame.manifest.digest
        )
        for row in connection.execute(_STORED, named)
        if row.epoch == holdings[row.enterprise].epoch
    }


def _evaluate(room: Room, frame: Frame, plan: _Plan) -> list[Candidate]:
    """Ask the vault once; what it refuses was computed without the enterprise's data."""
    if not plan.evaluate:
        return []
    teach(room)
    grants = [one.statement for one in plan.evaluate if one.statement is not None]
    evaluation = room.vault.score(frame.asked.statement, grants)
    epochs = {one.enterprise: one.epoch for one in plan.evaluate}
    plan.refused |= _vault_refusals(evaluation, epochs)
    return [
        Candidate(
            answer.enterprise,
            answer.sealed,
            EVALUATED,
            evaluation.snapshot,
            epochs[answer.enterprise],
            frame.manifest.digest,
        )
        for answer in evaluation.answers
        if answer.enterprise in epochs
    ]


def _vault_refusals(evaluation: Evaluation, asked: Mapping[str, int]) -> dict[str, Refusal]:
    """Name each enterprise that the vault did not answer for."""
    answered = {answer.enterprise for answer in evaluation.answers}
    refusals = {}
    for code in asked:
        if code not in answered:
            reason = evaluation.refusals.get(code, "AUTH_MISSING")
            known = reason in CODES and CODES[reason].family is Refusal
            refusals[code] = Refusal(reason if known else "AUTH_MISSING", "said the vault")
    return refusals


def _commit(
    room: Room,
    asked: Asked,
    candidates: Sequence[Candidate],
    refused: Mapping[str, Refusal],
    checked: Checked,
) -> None:
    in_order = sorted(candidates, key=lambda candidate: candidate.enterprise)
    chunks = [in_order[at : at + CHUNK] for at in range(0, len(in_order), CHUNK)] or [[]]
    for number, chunk in enumerate(chunks):
        commit_chunk(room, asked, chunk, refused if number == 0 else {}, checked)
