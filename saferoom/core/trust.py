"""Which log and which vault, under which keys, does somebody outside believe?

The trust file comes to a bank or a verifier by another way than the room's API, which could
else name keys of its own: a model is sealed to the vaults that stand here, and an answer
counts that one of them signed. The log's genesis names the digest of the first trust file.

The log's keys judge checkpoints. They carry the interval in which they signed and whether they
were declared compromised; a checkpoint is signed no earlier than its leaves were written, so a
key that had been retired before a leaf's hour cannot vouch for that leaf. A compromised key
vouches for nothing, even long ago: its thief could have signed any past. Receipts under it are
saved by a later checkpoint of a sound key and a consistency proof.

A log may sign with SM2 as well. Where the file names such a key it is demanded: a checkpoint
counts only with a sound signature of each algorithm. All else is signed with Ed25519 alone.

Not promised: when a checkpoint was signed. Only witnesses can say that; the file names theirs,
and how many different organisations make a quorum. The founders change them by signed
statements that a newer file carries (`witnesses.py`); its other bytes stay those of the first.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.core.closing import Closing, check_chain
from saferoom.core.moment import read_instant
from saferoom.core.override import Override, check_override
from saferoom.core.record import Record, check_field
from saferoom.core.witnesses import (
    MOST_CHANGES,
    NO_WITNESSES,
    Era,
    Seen,
    Witnesses,
    WitnessKey,
    check_change,
    join,
)
from saferoom.crypto.signing import (
    KeyId,
    NoteVerifier,
    Statement,
    VerifyKey,
    hex_bytes,
    sealing_key_bytes,
)
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.checkpoint import Note, NoteKey, SignedCheckpoint, check_name, check_note

KIND = "saferoom/trust/1"
ALGORITHMS = {"ed25519": 32, "sm2": 64}  # and how many bytes a key has
_FIELDS = {"kind", "origin", "log_keys", "operators", "vaults", "witnesses", "quorum"}
_MOST = 64  # of each kind of key


@dataclass(frozen=True, kw_only=True)
class LogKey(Record):
    """One key of the log and what it may vouch for."""

    algorithm: str
    key: str
    valid_from: str
    valid_until: str | None
    compromised: bool

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(self.algorithm in ALGORITHMS, "algorithm")
        hex_bytes(self.key, ALGORITHMS[self.algorithm])
        if self.algorithm == "sm2":
            self.note_key  # noqa: B018  # refuses what is no point of the curve
        _check_interval(self.valid_from, self.valid_until)

    @property
    def verify_key(self) -> VerifyKey:
        """Return the Ed25519 key, under which the log's statements verify too."""
        return VerifyKey.from_hex(self.key)

    @property
    def note_key(self) -> NoteVerifier:
        """Return the key under which checkpoints verify."""
        if self.algorithm == "ed25519":
            return self.verify_key
        from saferoom.crypto.sm2 import Sm2Key  # noqa: PLC0415  # only where a file names one

        return Sm2Key.from_hex(self.key)

    def vouches(self, hour: datetime | None) -> bool:
        """Say whether a checkpoint over a leaf of this hour may rest on this key."""
        if self.compromised:
            return False
        if hour is None or self.valid_until is None:
            return True
        return hour < read_instant(self.valid_until)


@dataclass(frozen=True, kw_only=True)
class VaultKeys(Record):
    """One vault: what models are sealed to, what its answers are signed with, and when."""

    answer_key: str  # Ed25519, hexadecimal
    sealing_key: str  # X25519, hexadecimal
    valid_from: str
    valid_until: str | None

    def __post_init__(self) -> None:
        """Check ranges."""
        VerifyKey.from_hex(self.answer_key)
        sealing_key_bytes(self.sealing_key)
        _check_interval(self.valid_from, self.valid_until)

    @property
    def verify_key(self) -> VerifyKey:
        """Return the key under which its answers verify."""
        return VerifyKey.from_hex(self.answer_key)

    def in_force(self, now: datetime) -> bool:
        """Say whether it is to be believed now."""
        started = read_instant(self.valid_from) <= now
        return started and (self.valid_until is None or now < read_instant(self.valid_until))


@dataclass(frozen=True, kw_only=True)
class Trust:
    """What somebody outside holds: the log's origin and keys, the vaults, and the founders.

    `operators` are carried as signed; `enrolment.check_genesis` judges them where they matter.
    """

    origin: str
    log_keys: tuple[LogKey, ...]
    operators: tuple[Statement, ...] = ()
    vaults: tuple[VaultKeys, ...] = ()
    witnesses: Witnesses = NO_WITNESSES  # of the first file; `watchers` are those of now
    changes: tuple[Statement, ...] = ()
    closed: tuple[Statement, ...] = ()  # the logs before this one, oldest first (closing.py)
    ended: Closing | None = None  # in no file: `of` says where a closed log ends

    def __post_init__(self) -> None:
        """Check ranges; a key stands once, and no log is its own witness."""
        check_name(self.origin)
        check_field(0 < len(self.log_keys) <= _MOST, "log_keys")
        check_field(len({key.key for key in self.log_keys}) == len(self.log_keys), "log_keys")
        check_field(bool(self.statement_keys), "log_keys")
        names = {vault.answer_key for vault in self.vaults}
        check_field(len(names) == len(self.vaults) <= _MOST, "vaults")
        own = {key.key for key in self.log_keys}
        check_field(len(self.changes) <= MOST_CHANGES, "changes")
        check_field(own.isdisjoint(key.key for key in self.watchers.keys), "witnesses")
        if self.closed:
            check_chain(self.closed, self._founders, self.origin)

    @cached_property
    def eras(self) -> tuple[Era, ...]:
        """Return every set of witnesses that was in force, each in its time, the newest last."""
        found = [Era(self.witnesses)]
        for statement in self.changes:
            found.append(check_change(statement, found[-1], self._founders, self.origin))
        return join(found)

    @property
    def watchers(self) -> Witnesses:
        """Return the newest set; it names every key that ever was one."""
        return self.eras[-1].witnesses

    def changed(self, statement: Statement) -> Trust:
        """Return the file with one more change; what the founders did not sign so is refused."""
        return replace(self, changes=(*self.changes, statement))

    def follows(self, older: Trust) -> bool:
        """Say whether this is that file with more changes, or the same."""
        return replace(self, changes=self.changes[: len(older.changes)]) == older

    @property
    def statement_keys(self) -> tuple[LogKey, ...]:
        """Return the keys under which promises and other statements of the log verify."""
        return tuple(key for key in self.log_keys if key.algorithm == "ed25519")

    @property
    def algorithms(self) -> frozenset[str]:
        """Name the algorithms by which a checkpoint must be signed, all of them."""
        return frozenset(key.algorithm for key in self.log_keys)

    @property
    def closings(self) -> tuple[Closing, ...]:
        """Return how the logs before this one ended."""
        return tuple(Closing.from_body(one.body) for one in self.closed)

    def of(self, origin: str) -> Trust:
        """Return what this file says of a log that was closed; itself, of any other."""
        for one in self.closings:
            if one.origin == origin:
                return replace(self, origin=origin, changes=(), closed=(), ended=one)
        return self

    @property
    def fingerprint(self) -> Digest:
        """Return the file's SHA-256, to be compared over the telephone."""
        return digest_bytes(self.to_bytes())

    def to_bytes(self) -> bytes:
        """Write the trust file."""
        log_keys: list[Json] = [key.to_body() for key in self.log_keys]
        operators: list[Json] = [statement.to_json() for statement in self.operators]
        vaults: list[Json] = [vault.to_body() for vault in self.vaults]
        witnesses: list[Json] = [key.to_body() for key in self.witnesses.keys]
        changes: list[Json] = [statement.to_json() for statement in self.changes]
        closed: list[Json] = [statement.to_json() for statement in self.closed]
        return canonical_bytes(
            {
                **({"changes": changes} if changes else {}),
                **({"closed": closed} if closed else {}),
                "kind": KIND,
                "origin": self.origin,
                "log_keys": log_keys,
                "operators": operators,
                "vaults": vaults,
                "witnesses": witnesses,
                "quorum": self.witnesses.quorum,
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Trust:
        """Read strictly."""
        body = parse_object(data)
        changes, closed = body.get("changes"), body.get("closed")
        fields = _FIELDS | {name for name in ("changes", "closed") if name in body}
        check_field(set(body) == fields and body["kind"] == KIND, "trust file")
        origin, log_keys, operators = body["origin"], body["log_keys"], body["operators"]
        if not isinstance(origin, str) or not isinstance(log_keys, list):
            raise BadInput("FIELD_INVALID", "trust file")
        if not isinstance(operators, list) or len(operators) > _MOST:
            raise BadInput("FIELD_INVALID", "operators")
        if not isinstance(body["vaults"], list):
            raise BadInput("FIELD_INVALID", "trust file")
        return cls(
            origin=origin,
            log_keys=tuple(LogKey.from_body(key) for key in log_keys),
            operators=tuple(Statement.from_json(statement) for statement in operators),
            vaults=tuple(VaultKeys.from_body(vault) for vault in body["vaults"]),
            witnesses=_read_witnesses(body["witnesses"], body["quorum"]),
            changes=_read_changes(changes) if "changes" in body else (),
            closed=_read_changes(closed) if "closed" in body else (),
        )

    def vaults_at(self, now: datetime) -> tuple[VaultKeys, ...]:
        """Return the vaults to believe now."""
        return tuple(vault for vault in self.vaults if vault.in_force(now))

    def key_of(self, key: KeyId) -> LogKey | None:
        """Find a key of the log's statements by its id, sound or not."""
        return next((known for known in self.statement_keys if known.verify_key.id == key), None)

    def check_signatures(self, note: Note, *, only_known: bool) -> SignedCheckpoint:
        """Check each signature by a key of this file, and that the note is of this log."""
        keys = [NoteKey.of_log(self.origin, key.note_key) for key in self.log_keys]
        witnesses = [key.note_key for key in self.watchers.keys]
        signed = check_note(note, [*keys, *witnesses], only_known=only_known and not witnesses)
        if only_known and len(note.signatures) > len(signed.signers) + len(signed.cosigned):
            raise Tampered("TRUST_OLDER")
        if signed.checkpoint.origin != self.origin:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint of another log")
        if signed.checkpoint.extensions:  # nobody could audit what they say, so we write none
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint with extension lines")
        if self.ended is not None:
            self.ended.check_within(signed.checkpoint)
        return signed

    def seen(self, signed: SignedCheckpoint, now: datetime | None = None) -> Seen | None:
        """Return the quorum of witnesses behind a checkpoint, or None."""
        found = (era.seen(signed, now) for era in reversed(self.eras))
        return next((seen for seen in found if seen is not None), None)

    def check_override(self, statement: Statement) -> Override:
        """Accept an override that the operators of this file signed."""
        return check_override(statement, self._founders, self.origin)

    def check_vouched(self, signed: SignedCheckpoint, hour: datetime | None) -> tuple[KeyId, ...]:
        """Return the sound keys behind a checkpoint over a leaf of this hour.

        At least one of each algorithm that the file names.
        """
        sound = {key.key for key in self.log_keys if key.vouches(hour)}
        found = [signer.key for signer in signed.signers if signer.key.raw.hex() in sound]
        if not found:
            raise Tampered("CHECKPOINT_UNTRUSTED", "its key was compromised or retired before")
        if {key.ALGORITHM for key in found} != self.algorithms:
            raise Tampered("CHECKPOINT_UNTRUSTED", "the trust file asks for SM2 beside Ed25519")
        return tuple(key.id for key in found)

    @property
    def _founders(self) -> list[VerifyKey]:
        return [VerifyKey.from_hex(one.body.get("signing_key")) for one in self.operators]


def _read_witnesses(keys: Json, quorum: Json) -> Witnesses:
    if not isinstance(keys, list) or type(quorum) is not int:
        raise BadInput("FIELD_INVALID", "witnesses")
    return Witnesses(quorum, tuple(WitnessKey.from_body(key) for key in keys))


def _read_changes(changes: Json) -> tuple[Statement, ...]:
    """Read them; a file without any is the first one, so an empty list is another's writing."""
    if not isinstance(changes, list) or not 0 < len(changes) <= MOST_CHANGES:
        raise BadInput("FIELD_INVALID", "changes")
    return tuple(Statement.from_json(one) for one in changes)


def _check_interval(start: str, end: str | None) -> None:
    begins = read_instant(start)
    check_field(end is None or begins < read_instant(end), "valid_until")
