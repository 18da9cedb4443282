"""What proves that a release happened as it says, to someone who trusts only a key?

A receipt is canonical JSON; other bytes and unknown fields are refused. Each field is held
by the checkpoint's signature, by the leaf or record that the proofs lead from, or by a
commitment in one of them; `answer` hangs on the opened commitment of its digest. `papers` and
`enrolments` are judged by whom the caller names (`core/papers.py`); unjudged they are refused.
So no byte could change unseen, and whatever does not hold is Tampered, never a mere typo.

Proven: the log's key signed a tree that holds this entry, with these values, and as many
witnesses as the trust file asks for saw that tree and no other. Not proven: that the values
are true; without witnesses, that another tree was not shown to others: compare checkpoints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.log_events import Leaf, read_leaf, read_record
from saferoom.crypto.signing import KeyId, Statement, hex_bytes
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.tlog import merkle
from saferoom.tlog.checkpoint import Checkpoint, Note, SignedCheckpoint, read_note
from saferoom.tlog.commitments import NONCE_BYTES, Opening, check_opening
from saferoom.tlog.proof import LONGEST_PROOF, check_consistency, check_inclusion

if TYPE_CHECKING:  # how a trust file is read is not this module's affair
    from saferoom.core.trust import Trust

KIND = "saferoom/receipt/1"
LARGEST_RECEIPT = 4 * 2**20
_FIELDS = {
    "kind", "checkpoint", "leaf", "leaf_index", "leaf_proof", "record", "record_index",
    "record_proof", "openings", "shredded", "answer", "override", "papers", "enrolments",
}  # fmt: skip
_MOST_STATEMENTS = 1_000
_PARTS = {"leaf", "record"}


@dataclass(frozen=True)
class RecordPart:
    """One enterprise's record of a chunk, its place, and what opens it."""

    record: bytes
    index: int
    proof: Sequence[bytes]
    openings: Mapping[str, Opening]


def record_part(
    records: Sequence[bytes], index: int, openings: Mapping[str, Opening]
) -> RecordPart:
    """Prove one record to its chunk's root."""
    proof = merkle.inclusion_proof(merkle.MemoryReader(records), index, len(records))
    return RecordPart(records[index], index, proof, openings)


def build_receipt(
    *,
    checkpoint: str,
    leaf: bytes,
    leaf_index: int,
    leaf_proof: Sequence[bytes],
    openings: Mapping[str, Opening],
    record: RecordPart | None = None,
    answer: bytes | None = None,
    override: Statement | None = None,
    papers: Sequence[Statement] = (),
    enrolments: Sequence[Statement] = (),
) -> bytes:
    """Write a receipt; committed fields without an opening are listed as shredded."""
    leaf_body = parse_object(leaf)
    record_body = parse_object(record.record) if record else None
    record_openings = record.openings if record else {}
    return canonical_bytes(
        {
            "kind": KIND,
            "checkpoint": checkpoint,
            "leaf": leaf_body,
            "leaf_index": leaf_index,
            "leaf_proof": [step.hex() for step in leaf_proof],
            "record": record_body,
            "record_index": record.index if record else None,
            "record_proof": [step.hex() for step in record.proof] if record else [],
            "openings": {"leaf": _write(openings), "record": _write(record_openings)},
            "shredded": {
                "leaf": _closed(leaf_body, openings),
                "record": _closed(record_body or {"commitments": {}}, record_openings),
            },
            "answer": None if answer is None else answer.hex(),
            "override": None if override is None else override.to_json(),
            "papers": _write_statements(papers),
            "enrolments": _write_statements(enrolments),
        }
    )


@dataclass(frozen=True, kw_only=True)
class Verified:
    """What was shown: every link in words, and the values behind them."""

    kind: str
    hour: str
    origin: str
    index: int
    size: int
    root: str  # of the tree of that size
    entry: str  # the leaf's hash, as promises name it
    record: int | None  # which of the entry's records, if it is of one
    keys: tuple[KeyId, ...]  # fingerprints of the sound log keys that vouch
    artefacts: dict[str, str]
    opened: dict[str, Json]
    shredded: tuple[str, ...]
    answer: bytes | None
    links: tuple[str, ...]
    papers: tuple[Statement, ...] = ()
    enrolments: tuple[Statement, ...] = ()


CheckPapers = Callable[[Verified, "Trust"], tuple[str, ...]]


def check_receipt(
    data: bytes,
    trust: Trust,
    checkpoint: str | None = None,
    consistency: Sequence[bytes] | None = None,
    check_papers: CheckPapers | None = None,
) -> Verified:
    """Check every link from the sealed answer to the checkpoint and its key, or refuse.

    `checkpoint` is the one that the verifier kept; if it differs from the receipt's own,
    `consistency` must prove that both are of one log. A receipt with papers needs whoever
    judges them, which is `papers.check_papers`.
    """
    receipt = _read(data)
    overridden = _check_override(trust, receipt)
    trust = trust.of(receipt.note.checkpoint.origin)
    own = trust.check_signatures(receipt.note, only_known=True)
    kept = own
    if checkpoint is not None:
        kept = trust.check_signatures(read_note(checkpoint), only_known=False)
    keys = _check_vouched(trust, own, kept, receipt)
    links = [
        f"checkpoint of {trust.origin}, size {kept.checkpoint.size}: signed by a trusted log key",
        *_told_of_sm2(trust),
        *_tell_end(trust),
        *_check_witnessed(trust, own, kept, receipt, overridden=bool(overridden)),
        *overridden,
        *_check_one_log(own.checkpoint, kept.checkpoint, consistency),
        _check_leaf(receipt, own.checkpoint),
        *_check_record(receipt),
        *_check_openings(receipt),
        *_check_answer(receipt),
    ]
    verified = Verified(
        kind=receipt.leaf.kind,
        hour=receipt.leaf.time,
        origin=trust.origin,
        index=receipt.leaf_index,
        size=kept.checkpoint.size,
        root=kept.checkpoint.root.hex(),
        record=None if receipt.record_bytes is None else receipt.record_index,
        entry=merkle.leaf_hash(receipt.leaf_bytes).hex(),
        keys=keys,
        artefacts=receipt.leaf.artefacts,
        opened={name: opening.value for name, opening in receipt.opened.items()},
        shredded=(*receipt.leaf_part.shredded, *receipt.record_part.shredded),
        answer=receipt.answer,
        links=tuple(links),
        papers=receipt.papers,
        enrolments=receipt.enrolments,
    )
    if check_papers is not None:
        return replace(verified, links=(*links, *check_papers(verified, trust)))
    if verified.papers or verified.enrolments:
        raise Tampered("RECEIPT_INVALID", "its papers were not judged")
    return verified


def check_own_checkpoint(data: bytes, trust: Trust) -> Checkpoint:
    """Return the receipt's own signed checkpoint, to know which consistency proof to ask for."""
    note = _read(data).note
    return trust.of(note.checkpoint.origin).check_signatures(note, only_known=True).checkpoint


@dataclass(frozen=True)
class _Part:
    """The commitments of a leaf or record: each opened or shredded."""

    commitments: dict[str, str]
    openings: dict[str, Opening]
    shredded: tuple[str, ...]


@dataclass(frozen=True)
class _Receipt:
    note: Note
    leaf: Leaf
    leaf_bytes: bytes
    leaf_index: int
    leaf_proof: tuple[bytes, ...]
    leaf_part: _Part
    record_bytes: bytes | None
    record_index: int
    record_proof: tuple[bytes, ...]
    record_part: _Part
    answer: bytes | None
    override: Statement | None
    papers: tuple[Statement, ...]
    enrolments: tuple[Statement, ...]

    @property
    def opened(self) -> dict[str, Opening]:
        """No field of a leaf has the name of a record's field (a test holds the table to it)."""
        return {**self.leaf_part.openings, **self.record_part.openings}


def _read(data: bytes) -> _Receipt:
    try:
        return _read_fields(data)
    except BadInput as error:  # whoever verifies cannot tell damage from forgery, nor should we
        raise Tampered("RECEIPT_INVALID", "it cannot be read strictly") from error


def _read_fields(data: bytes) -> _Receipt:
    _need(len(data) <= LARGEST_RECEIPT)
    body = parse_object(data)
    _need(set(body) == _FIELDS and body["kind"] == KIND)
    checkpoint, record = body["checkpoint"], body["record"]
    leaf = read_leaf(body["leaf"])
    openings, shredded = _read_parts(body["openings"]), _read_parts(body["shredded"])
    commitments = {} if record is None else read_record(record, leaf.kind)
    _need(isinstance(checkpoint, str))
    _need((body["record_index"] is None) == (record is None))
    _need(record is not None or body["record_proof"] == [])
    return _Receipt(
        note=read_note(str(checkpoint)),
        leaf=leaf,
        leaf_bytes=canonical_bytes(body["leaf"]),
        leaf_index=_read_index(body["leaf_index"]),
        leaf_proof=_read_proof(body["leaf_proof"]),
        leaf_part=_read_part(leaf.commitments, openings["leaf"], shredded["leaf"]),
        record_bytes=None if record is None else canonical_bytes(record),
        record_index=0 if record is None else _read_index(body["record_index"]),
        record_proof=_read_proof(body["record_proof"]),
        record_part=_read_part(commitments, openings["record"], shredded["record"]),
        answer=None if body["answer"] is None else _read_hex(body["answer"]),
        override=None if body["override"] is None else Statement.from_json(body["override"]),
        papers=_read_statements(body["papers"]),
        enrolments=_read_statements(body["enrolments"]),
    )


def _check_vouched(
    trust: Trust, own: SignedCheckpoint, kept: SignedCheckpoint, receipt: _Receipt
) -> tuple[KeyId, ...]:
    """Ask a sound key of the kept checkpoint, and of the own one unless the kept one covers it."""
    hour = receipt.leaf.hour
    if own.checkpoint.size > kept.checkpoint.size:
        trust.check_vouched(own, hour)
    covers = kept.checkpoint.size > receipt.leaf_index
    return trust.check_vouched(kept, hour if covers else None)


def _told_of_sm2(trust: Trust) -> tuple[str, ...]:
    """Say so where the trust file asked for it, which `check_vouched` held the checkpoint to."""
    if "sm2" not in trust.algorithms:
        return ()
    return ("the same checkpoint is signed by the log's trusted SM2 key too (GB/T 32918, SM3)",)


def _check_witnessed(
    trust: Trust,
    own: SignedCheckpoint,
    kept: SignedCheckpoint,
    receipt: _Receipt,
    *,
    overridden: bool,
) -> tuple[str, ...]:
    """Ask for a quorum behind a checkpoint that covers the leaf, or for an override."""
    wanted = trust.watchers
    if not wanted.quorum:
        return ()
    covering = [one for one in (own, kept) if one.checkpoint.size > receipt.leaf_index]
    quorums = [seen for one in covering if (seen := trust.seen(one)) is not None]
    asked = f"{wanted.quorum} of {wanted.organisations} witnesses"
    if quorums:
        asked = f"{quorums[0].quorum} of {quorums[0].of} witnesses"
        by = ", ".join(f"{who} at {at:%Y-%m-%dT%H:%M:%SZ}" for who, at in quorums[0].by)
        return (f"cosigned by {len(quorums[0].by)} organisations, {asked} needed: {by}",)
    if not overridden:
        raise Tampered("CHECKPOINT_UNWITNESSED", f"{asked} are needed")
    return (f"NOT witnessed: {asked} were needed; others may have been shown another log",)


def _tell_end(trust: Trust) -> tuple[str, ...]:
    """Say that a log was closed, and how much of it nobody has any more."""
    if trust.ended is None:
        return ()
    ended = trust.ended
    told = (
        f"that log was closed by two operators at {ended.closed_at}, {ended.successor} follows;"
        f" of {ended.seen_size} entries {ended.lost} were lost: {ended.reason}"
    )
    return (told,)


def _check_override(trust: Trust, receipt: _Receipt) -> tuple[str, ...]:
    """Hold the override that is named in the leaf and the one in the receipt together."""
    named, statement = receipt.opened.get("override"), receipt.override
    if named is None or named.value is None:
        if statement is not None:
            raise Tampered("RECEIPT_INVALID", "the entry names no override")
        return ()
    if statement is None or statement.digest != named.value:
        raise Tampered("RECEIPT_INVALID", "the override that the entry names is missing")
    try:
        of = trust.of(str(statement.body.get("origin")))  # a carried release names a closed log's
        override = of.check_override(statement)
    except (BadInput, Refusal) as error:
        raise Tampered("RECEIPT_INVALID", "the override is not signed as it must be") from error
    if not override.touches(receipt.leaf.hour):
        raise Tampered("RECEIPT_INVALID", "the override did not hold then")
    until = override.valid_until
    return (f"released under an override of two operators until {until}: {override.reason}",)


def _check_one_log(
    own: Checkpoint, kept: Checkpoint, proof: Sequence[bytes] | None
) -> tuple[str, ...]:
    if own == kept:
        return ()
    old, new = sorted((own, kept), key=lambda checkpoint: checkpoint.size)
    if old.size != new.size and proof is None:
        raise Tampered("CONSISTENCY", f"a proof from size {old.size} to {new.size} is needed")
    check_consistency(
        old_size=old.size,
        new_size=new.size,
        old_root=old.root,
        new_root=new.root,
        proof=() if old.size == new.size else proof or (),
    )
    return (f"the log of size {new.size} only appended to the log of size {old.size}",)


def _check_leaf(receipt: _Receipt, own: Checkpoint) -> str:
    check_inclusion(
        index=receipt.leaf_index,
        size=own.size,
        leaf_hash=merkle.leaf_hash(receipt.leaf_bytes),
        proof=receipt.leaf_proof,
        root=own.root,
    )
    return f"entry {receipt.leaf_index} ({receipt.leaf.kind}) is in the log of size {own.size}"


def _check_record(receipt: _Receipt) -> tuple[str, ...]:
    count, root = receipt.leaf.records, receipt.leaf.records_root
    if receipt.record_bytes is None:
        return ()
    if count is None or root is None:  # a kind without records has no record
        raise Tampered("RECEIPT_INVALID", "this entry has no records")
    check_inclusion(
        index=receipt.record_index,
        size=count,
        leaf_hash=merkle.leaf_hash(receipt.record_bytes),
        proof=receipt.record_proof,
        root=root,
    )
    return (f"record {receipt.record_index} is one of the entry's {count}",)


def _check_openings(receipt: _Receipt) -> tuple[str, ...]:
    for part in (receipt.leaf_part, receipt.record_part):
        for name, opening in part.openings.items():
            check_opening(part.commitments[name], opening)
    return tuple(f"{name}: fits its commitment" for name in receipt.opened)


def _check_answer(receipt: _Receipt) -> tuple[str, ...]:
    if receipt.answer is None:
        return ()
    opened = receipt.record_part.openings.get("answer")
    if opened is None or opened.value != hashlib.sha256(receipt.answer).hexdigest():
        raise Tampered("RECEIPT_INVALID", "the sealed answer is not the one that was logged")
    return ("the sealed answer is the one that was logged",)


def _read_parts(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict) or set(value) != _PARTS:
        raise BadInput("FIELD_INVALID", "openings")
    return value


def _read_part(commitments: dict[str, str], openings: Json, shredded: Json) -> _Part:
    """Each committed field is opened or shredded: never both, never neither."""
    if not isinstance(openings, dict) or not isinstance(shredded, list):
        raise BadInput("FIELD_INVALID", "openings")
    _need(set(openings) <= set(commitments))
    closed = sorted(set(commitments) - set(openings))
    _need(shredded == closed)
    opened = {name: _read_opening(value) for name, value in openings.items()}
    return _Part(commitments, opened, tuple(closed))


def _read_opening(value: Json) -> Opening:
    if not isinstance(value, dict) or set(value) != {"nonce", "value"}:
        raise BadInput("FIELD_INVALID", "opening")
    return Opening(hex_bytes(value["nonce"], NONCE_BYTES), value["value"])


def _read_statements(value: Json) -> tuple[Statement, ...]:
    """Read statements in their one order: no other bytes say the same."""
    if not isinstance(value, list) or len(value) > _MOST_STATEMENTS:
        raise BadInput("FIELD_INVALID", "statements")
    found = tuple(Statement.from_json(one) for one in value)
    places = [_place(one) for one in found]
    _need(places == sorted(set(places)))
    return found


def _read_proof(value: Json) -> tuple[bytes, ...]:
    if not isinstance(value, list) or len(value) > LONGEST_PROOF:
        raise BadInput("FIELD_INVALID", "proof")
    return tuple(hex_bytes(step, merkle.HASH_BYTES) for step in value)


def _read_index(value: Json) -> int:
    if type(value) is not int:
        raise BadInput("FIELD_INVALID", "index")
    return value


def _read_hex(value: Json) -> bytes:
    _need(isinstance(value, str) and len(value) % 2 == 0)
    return hex_bytes(value, len(str(value)) // 2)


def _need(holds: bool) -> None:  # noqa: FBT001  # reads as: need that it holds
    if not holds:
        raise BadInput("FIELD_INVALID", "receipt")


def _place(statement: Statement) -> tuple[str, ...]:
    return (statement.digest, *statement.signers())


def _write_statements(statements: Sequence[Statement]) -> list[Json]:
    ordered = {_place(one): one for one in statements}
    return [ordered[place].to_json() for place in sorted(ordered)]


def _write(openings: Mapping[str, Opening]) -> dict[str, Json]:
    return {
        name: {"nonce": opening.nonce.hex(), "value": opening.value}
        for name, opening in openings.items()
    }


def _closed(body: Mapping[str, Json], openings: Mapping[str, Opening]) -> list[Json]:
    commitments = body["commitments"]
    assert isinstance(commitments, dict)
    return [*sorted(set(commitments) - set(openings))]
