"""Which log and which vault, under which keys, does somebody outside believe?

The trust file comes to a bank or a verifier by another way than the room's API, which could
else name keys of its own: a model is sealed to the vaults that stand here, and an answer
counts that one of them signed. The log's genesis names the digest of the first trust file.

The log's keys judge checkpoints. They carry the interval in which they signed and whether they
were declared compromised; a checkpoint is signed no earlier than its leaves were written, so a
key that had been retired before a leaf's hour cannot vouch for that leaf. A compromised key
vouches for nothing, even long ago: its thief could have signed any past. Receipts under it are
saved by a later checkpoint of a sound key and a consistency proof.

Not promised: when a checkpoint was signed. Only witnesses can say that; the file names theirs,
and how many different organisations make a quorum (`witnesses.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from saferoom.canonical import Digest, Json, canonical_bytes, digest_bytes, parse_object
from saferoom.core.closing import Closing, check_chain
from saferoom.core.moment import read_instant
from saferoom.core.override import Override, check_override
from saferoom.core.record import Record, check_field
from saferoom.core.witnesses import NO_WITNESSES, Seen, Witnesses, WitnessKey
from saferoom.crypto.signing import KeyId, Statement, VerifyKey, hex_bytes, sealing_key_bytes
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.checkpoint import Note, NoteKey, SignedCheckpoint, check_name, check_note

KIND = "saferoom/trust/1"
ALGORITHMS = ("ed25519",)
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
        hex_bytes(self.key, 32)
        _check_interval(self.valid_from, self.valid_until)

    @property
    def verify_key(self) -> VerifyKey:
        """Return the public key."""
        return VerifyKey.from_hex(self.key)

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
    witnesses: Witnesses = NO_WITNESSES
    closed: tuple[Statement, ...] = ()  # the logs before this one, oldest first (closing.py)
    ended: Closing | None = None  # in no file: `of` says where a closed log ends

    def __post_init__(self) -> None:
        """Check ranges; a key stands once, and no log is its own witness."""
        check_name(self.origin)
        check_field(0 < len(self.log_keys) <= _MOST, "log_keys")
        check_field(len({key.key for key in self.log_keys}) == len(self.log_keys), "log_keys")
        names = {vault.answer_key for vault in self.vaults}
        check_field(len(names) == len(self.vaults) <= _MOST, "vaults")
        own = {key.key for key in self.log_keys}
        check_field(own.isdisjoint(key.key for key in self.witnesses.keys), "witnesses")
        if self.closed:
            check_chain(self.closed, self._founders(), self.origin)

    @property
    def closings(self) -> tuple[Closing, ...]:
        """Return how the logs before this one ended."""
        return tuple(Closing.from_body(one.body) for one in self.closed)

    def of(self, origin: str) -> Trust:
        """Return what this file says of a log that was closed; itself, of any other."""
        for one in self.closings:
            if one.origin == origin:
                return replace(self, origin=origin, closed=(), ended=one)
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
        closed: list[Json] = [statement.to_json() for statement in self.closed]
        return canonical_bytes(
            {
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
        closed = body.pop("closed", [])
        check_field(set(body) == _FIELDS and body["kind"] == KIND, "trust file")
        origin, log_keys, operators = body["origin"], body["log_keys"], body["operators"]
        if not isinstance(origin, str) or not isinstance(log_keys, list):
            raise BadInput("FIELD_INVALID", "trust file")
        if not isinstance(operators, list) or len(operators) > _MOST:
            raise BadInput("FIELD_INVALID", "operators")
        if not isinstance(body["vaults"], list) or not isinstance(closed, list):
            raise BadInput("FIELD_INVALID", "trust file")
        return cls(
            origin=origin,
            log_keys=tuple(LogKey.from_body(key) for key in log_keys),
            operators=tuple(Statement.from_json(statement) for statement in operators),
            vaults=tuple(VaultKeys.from_body(vault) for vault in body["vaults"]),
            witnesses=_read_witnesses(body["witnesses"], body["quorum"]),
            closed=tuple(Statement.from_json(statement) for statement in closed),
        )

    def vaults_at(self, now: datetime) -> tuple[VaultKeys, ...]:
        """Return the vaults to believe now."""
        return tuple(vault for vault in self.vaults if vault.in_force(now))

    def key_of(self, key: KeyId) -> LogKey | None:
        """Find a log key by its id, sound or not."""
        return next((known for known in self.log_keys if known.verify_key.id == key), None)

    def check_signatures(self, note: Note, *, only_known: bool) -> SignedCheckpoint:
        """Check each signature by a key of this file, and that the note is of this log."""
        keys = [NoteKey(self.origin, key.verify_key) for key in self.log_keys]
        witnesses = [key.note_key for key in self.witnesses.keys]
        signed = check_note(note, [*keys, *witnesses], only_known=only_known)
        if signed.checkpoint.origin != self.origin:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint of another log")
        if signed.checkpoint.extensions:  # nobody could audit what they say, so we write none
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint with extension lines")
        if self.ended is not None:
            self.ended.check_within(signed.checkpoint)
        return signed

    def seen(self, signed: SignedCheckpoint, now: datetime | None = None) -> Seen | None:
        """Return the quorum of witnesses behind a checkpoint, or None."""
        return self.witnesses.seen(signed, now)

    def check_override(self, statement: Statement) -> Override:
        """Accept an override that the operators of this file signed."""
        return check_override(statement, self._founders(), self.origin)

    def check_vouched(self, signed: SignedCheckpoint, hour: datetime | None) -> tuple[KeyId, ...]:
        """Return the sound keys behind a checkpoint over a leaf of this hour; at least one."""
        sound = self._sound([signer.key.id for signer in signed.signers], hour)
        if not sound:
            raise Tampered("CHECKPOINT_UNTRUSTED", "its key was compromised or retired before")
        return sound

    def _founders(self) -> list[VerifyKey]:
        return [VerifyKey.from_hex(one.body.get("signing_key")) for one in self.operators]

    def _sound(self, signers: Sequence[KeyId], hour: datetime | None) -> tuple[KeyId, ...]:
        known = ((signer, self.key_of(signer)) for signer in signers)
        return tuple(signer for signer, key in known if key is not None and key.vouches(hour))


def _read_witnesses(keys: Json, quorum: Json) -> Witnesses:
    if not isinstance(keys, list) or type(quorum) is not int:
        raise BadInput("FIELD_INVALID", "witnesses")
    return Witnesses(quorum, tuple(WitnessKey.from_body(key) for key in keys))


def _check_interval(start: str, end: str | None) -> None:
    begins = read_instant(start)
    check_field(end is None or begins < read_instant(end), "valid_until")
