"""Have enough witnesses seen the log lately, and what if they have not?

Each witness is asked after every checkpoint and every minute. What a quorum cosigned is
published. Without one for half a day the room warns; after a whole day nothing is released,
unless the operators of the trust file have signed a time-boxed override, which every release
under it names. A room whose trust file names no witnesses says so by its receipts.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import sqlalchemy as sa
from sqlalchemy import Connection

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.database.writing import insert_new
from saferoom.app import behind, loading, trusting
from saferoom.app.context import Caller, Room
from saferoom.app.entries import Draft, write_entry
from saferoom.canonical import Digest
from saferoom.core.enrolment import Role
from saferoom.core.moment import check_not_ahead, read_instant, write_instant
from saferoom.core.override import Override
from saferoom.core.witnesses import Seen
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Refusal, Tampered, Unavailable
from saferoom.ports import Witness
from saferoom.tlog.checkpoint import Note, SignatureLine, read_lines, read_note
from saferoom.tlog.commitments import Opening

OLDEST = timedelta(hours=24)
WARNING = OLDEST / 2
_OVERRIDE = "override"


def ask(room: Room, witness: Witness) -> bool:
    """Ask one witness about the target if it is due; publish what then has a quorum."""
    now = room.clock()
    target = room.cosigning.aim(read_note(room.log.checkpoint()), now)
    if not room.cosigning.due(witness.name, now):
        return False
    try:
        line = _line_of(room, witness, target)
    except Unavailable:
        room.cosigning.failed(witness.name, now)
        raise
    room.cosigning.succeeded(witness.name, target, line, now)
    _publish(room)
    return True


def warn(room: Room) -> int:
    """Raise WITNESSES_LATE while there is still time to act; the worker's log tells it once."""
    if _quorum(room):
        seen = newest_quorum(room)
        if seen is None or room.clock() - seen.at > WARNING:
            raise Unavailable("WITNESSES_LATE")
    return 0


def newest_quorum(room: Room) -> Seen | None:
    """Return who cosigned the published note, and when; its signatures are checked once."""
    note, trust = _cosigned(room), trusting.current(room)
    if trust is None or note is None:
        return None
    known, text = room.cosigning.checked, note.text()
    if known is None or known[0] != text:
        try:
            known = (text, trust.check_signatures(note, only_known=True))
        except (BadInput, Tampered):
            return None
        room.cosigning.checked = known
    return trust.seen(known[1], room.clock())


def check_witnessed(connection: Connection, room: Room) -> Digest | None:
    """Return nothing, or the override that a release needs and names; else refuse."""
    if not _quorum(room):
        return None
    trusting.refresh(connection, room)
    behind.check_not_found(connection)
    seen = newest_quorum(room)
    if seen is not None and room.clock() - seen.at < OLDEST:
        return None
    for statement in _overrides(connection):
        assert room.trust is not None
        try:
            override = _check_override(connection, room, statement)
        except Refusal:  # written into the database, and not by these two; or a key was replaced
            continue
        if override.in_force(room.clock()):
            return statement.digest
    raise Unavailable("WITNESSES_SILENT")


def override(room: Room, caller: Caller, statement: Statement) -> Digest:
    """Take an override that the operators of the trust file signed; once."""
    if caller.role is not Role.OPERATOR:
        raise Refusal("ROLE")
    if room.trust is None:
        raise BadInput("FIELD_INVALID", "no witness is named in the trust file")
    with reading(room.database) as connection:
        made = _check_override(connection, room, statement)
    check_not_ahead(made.valid_from, room.clock(), "valid_from")
    if read_instant(made.valid_until) <= room.clock():
        raise Refusal("REPLAY", "the override has ended")
    row = {
        "digest": statement.digest,
        "kind": _OVERRIDE,
        "party": caller.party,
        "submitter": caller.key,
        "state": "signed",
        "statement": statement.to_bytes(),
        "proposed_at": write_instant(room.clock()),
    }
    with writing(room.database) as connection:
        if insert_new(connection, t.subject, row):
            write_entry(connection, room, _draft(room, statement, made))
    return statement.digest


def _check_override(connection: Connection, room: Room, statement: Statement) -> Override:
    """Ask also whether the founders' keys are still in force: a replaced one signs nothing."""
    assert room.trust is not None
    made = room.trust.check_override(statement)
    find = loading.lookup(connection)
    if any(find(key) is None for key in statement.signers()):
        raise Refusal("APPROVAL_MISSING", "an operator's key was replaced")
    return made


def named_override(connection: Connection, opened: Mapping[str, Opening]) -> Statement | None:
    """Return the override that a release's leaf names."""
    named = opened.get(_OVERRIDE)
    if named is None or named.value is None:
        return None
    query = sa.select(t.subject.c.statement).where(
        t.subject.c.kind == _OVERRIDE, t.subject.c.digest == named.value
    )
    return Statement.from_bytes(connection.execute(query).scalar_one())


def note_over(room: Room, index: int | None, *, overridden: bool) -> tuple[str, int]:
    """Return the note for a receipt and its size: cosigned, unless the release says otherwise."""
    plain = room.log.checkpoint()
    note = plain
    if _quorum(room):
        cosigned = _cosigned(room)
        covers = cosigned and index is not None and cosigned.checkpoint.size > index
        if cosigned is not None and (covers or not overridden):
            note = cosigned.text()
        elif not overridden:
            return plain, 0  # not yet: the witnesses are asked within a second
    return note, _size(note)


def _line_of(room: Room, witness: Witness, target: Note) -> SignatureLine:
    """Get a line that the witness's own key signed; where it stands elsewhere, ask again."""
    size = room.cosigning.turns[witness.name].size
    head = target.checkpoint
    for _ in range(2):
        if size > head.size:
            behind.check_witness(room, witness)
            raise Unavailable("WITNESS_UNAVAILABLE", f"{witness.name} has seen a larger tree")
        proof = room.log.consistency(size, head.size)
        answer = witness.add_checkpoint(target.text(), size, proof)
        if isinstance(answer, str):
            return _check_answer(room, witness.name, target, answer)
        room.cosigning.turns[witness.name].size = size = answer
    raise Unavailable("WITNESS_UNAVAILABLE", f"{witness.name} has seen another tree")


def _check_answer(room: Room, name: str, target: Note, answer: str) -> SignatureLine:
    """Find the line under this witness's name that a key of the trust file signed."""
    trust = trusting.current(room)
    assert trust is not None
    keys = [key.note_key for key in trust.watchers.keys if key.name == name]
    try:
        lines = read_lines(answer)
        for line in lines:
            if any(line.hint == key.hint and line.name == name for key in keys):
                with_own = Note(target.checkpoint, (*target.signatures, line))
                trust.check_signatures(with_own, only_known=True)
                return line
    except (BadInput, Tampered) as error:
        raise Unavailable("WITNESS_UNAVAILABLE", f"{name} answers something else") from error
    raise Unavailable("WITNESS_UNAVAILABLE", f"{name} signs with another key")


def _publish(room: Room) -> None:
    """Publish the target once a quorum has cosigned it, and whenever a line is renewed."""
    trust = trusting.current(room)
    assert trust is not None
    with room.cosigning.lock:
        note = room.cosigning.note()
        signed = trust.check_signatures(note, only_known=True)
        if trust.seen(signed, room.clock()) is None:
            return
        room.cosigning.reached = True
        old = _cosigned(room)
        if old is None or old.checkpoint.size <= note.checkpoint.size:
            room.log.keep_cosigned(note.text())


def _cosigned(room: Room) -> Note | None:
    """Read the published note; a file that somebody changed is as good as none."""
    try:
        text = room.log.cosigned()
        return None if text is None else read_note(text)
    except (BadInput, Tampered):
        return None


def _quorum(room: Room) -> int:
    return 0 if room.trust is None else room.trust.witnesses.quorum


def _overrides(connection: Connection) -> list[Statement]:
    query = (
        sa.select(t.subject.c.statement)
        .where(t.subject.c.kind == _OVERRIDE)
        .order_by(t.subject.c.proposed_at.desc())
        .limit(10)
    )
    return [Statement.from_bytes(data) for data in connection.scalars(query)]


def _draft(room: Room, statement: Statement, made: Override) -> Draft:
    by = [str(one.body.get("holder")) for one in (room.trust.operators if room.trust else ())]
    return Draft(
        "witnesses_overridden",
        room.origin,
        {
            "reason": made.reason,
            "valid_until": made.valid_until,
            "by": [*by],
            "statement": statement.digest,
        },
    )


def _size(note: str) -> int:
    return read_note(note).checkpoint.size
