"""What does a log ask of a witness, and what must the witness say?

C2SP tlog-witness, `add-checkpoint`: an old size, a proof, a blank line, a checkpoint. The
order of refusals is the specification's; `judge` reads nothing but its arguments.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass

from saferoom.errors import BadInput, Tampered
from saferoom.tlog.checkpoint import Checkpoint, Note, NoteKey, check_note, read_note
from saferoom.tlog.merkle import EMPTY_ROOT, HASH_BYTES
from saferoom.tlog.proof import check_consistency

MOST_PROOF_LINES = 63
LARGEST_REQUEST = 80 * 1024
_OLD = re.compile(r"old (0|[1-9][0-9]{0,15})")


@dataclass(frozen=True)
class Asked:
    """One request, as read."""

    old: int
    proof: tuple[bytes, ...]
    note: Note


@dataclass(frozen=True)
class Answer:
    """What goes back over HTTP."""

    status: int
    body: str = ""
    kind: str = "text/plain; charset=utf-8"


UNREADABLE = Answer(400, "the request cannot be read\n")
UNKNOWN_LOG = Answer(404, "this log is not witnessed here\n")
UNSIGNED = Answer(403, "no key of this log signed the checkpoint\n")
SHRINKS = Answer(400, "the old size is larger than the checkpoint\n")
FORKED = Answer(422, "the proof does not lead from the tree seen before\n")


def read_request(data: bytes) -> Asked:
    """Read strictly; BadInput for anything else."""
    try:
        head, blank, note = data.decode().partition("\n\n")
    except UnicodeDecodeError as error:
        raise BadInput("FIELD_INVALID", "a request is text") from error
    first, *lines = head.split("\n")
    old = _OLD.fullmatch(first)
    if old is None or not blank or len(lines) > MOST_PROOF_LINES:
        raise BadInput("FIELD_INVALID", "add-checkpoint")
    return Asked(int(old[1]), tuple(map(_read_hash, lines)), read_note(note))


def judge(asked: Asked, keys: Sequence[NoteKey], seen: Checkpoint | None) -> Answer | None:
    """Refuse, or return None: this checkpoint may be stored and then cosigned."""
    new = asked.note.checkpoint
    try:
        check_note(asked.note, keys, only_known=False)
    except Tampered:
        return UNSIGNED
    if asked.old > new.size:
        return SHRINKS
    size = 0 if seen is None else seen.size
    if asked.old != size:
        return conflict(size)
    if seen is not None and new.size == size and new.root != seen.root:
        return conflict(size)
    try:
        check_consistency(
            old_size=size,
            new_size=new.size,
            old_root=EMPTY_ROOT if seen is None else seen.root,
            new_root=new.root,
            proof=asked.proof,
        )
        check_empty(new)
    except Tampered:
        return FORKED
    return None


def conflict(size: int) -> Answer:
    """Name the size of the tree that was cosigned last."""
    return Answer(409, f"{size}\n", "text/x.tlog.size")


def check_empty(checkpoint: Checkpoint) -> None:
    """Refuse an empty tree with another root than the empty one's."""
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise Tampered("CONSISTENCY")


def _read_hash(line: str) -> bytes:
    try:
        data = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("FIELD_INVALID", "a proof's hash") from error
    if len(data) != HASH_BYTES or base64.b64encode(data).decode() != line:
        raise BadInput("FIELD_INVALID", "a proof's hash")
    return data
