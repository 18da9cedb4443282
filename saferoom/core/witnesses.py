"""Did enough organisations, other than the log's own, see this very tree, and when?

A witness's cosignature says: of this log this is the largest tree that I have seen, and it
only appended to what I saw before. A quorum is m different organisations, by keys of the
trust file that were sound at the time that the cosignature states. An organisation counts
once, however many keys it has; so it rotates a key by a second entry beside the first.

Two founders sign another set as a whole. No key ever leaves it: one that ends or was stolen
stays named, so that what it cosigned is judged as before. So adding, removing, rotating and
another quorum are one act, and each time has its own quorum: a checkpoint is judged by the set
that was in force when its witnesses say that they saw it.

Assumed honest: of any m organisations at least one. Not promised: that the times are true to
the second (they are the witnesses' word), nor when a change was signed (a room takes up none
that began three days ago), nor that what was logged is true.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar

from saferoom.core.moment import SKEW, read_instant
from saferoom.core.override import check_all_sign
from saferoom.core.record import Record, check_field, is_line
from saferoom.crypto.signing import Statement, VerifyKey, hex_bytes
from saferoom.errors import BadInput, Refusal
from saferoom.tlog.checkpoint import COSIGNATURE, NoteKey, SignedCheckpoint, check_name

MOST = 12  # at a time, so that their lines and the log's own fit a note (tlog/checkpoint.py)
MOST_EVER = 64
LATEST = timedelta(days=3)  # after its beginning no room takes it up
MOST_CHANGES = 64
Span = tuple[datetime | None, datetime | None]


@dataclass(frozen=True, kw_only=True)
class WitnessKey(Record):
    """One key of one witness, and when it may be believed."""

    name: str
    organisation: str
    key: str  # Ed25519, hexadecimal
    valid_from: str
    valid_until: str | None
    compromised: bool

    def __post_init__(self) -> None:
        """Check ranges."""
        check_name(self.name)
        check_field(0 < len(self.organisation) <= 100, "organisation")
        VerifyKey.from_hex(self.key)
        begins = read_instant(self.valid_from)
        ends = self.valid_until
        check_field(ends is None or begins < read_instant(ends), "valid_until")

    @property
    def lasts(self) -> bool:
        """Say whether it has no end."""
        return self.valid_until is None and not self.compromised

    @property
    def note_key(self) -> NoteKey:
        """Return the key as notes name it."""
        return NoteKey(self.name, VerifyKey.from_hex(self.key), COSIGNATURE)

    def counts(self, at: datetime) -> bool:
        """Say whether a cosignature of this time counts; a stolen key's never does."""
        begun = read_instant(self.valid_from) <= at
        ended = self.valid_until is not None and at >= read_instant(self.valid_until)
        return begun and not ended and not self.compromised


@dataclass(frozen=True)
class Seen:
    """A quorum: each organisation and when it last saw the tree, the newest first."""

    by: tuple[tuple[str, datetime], ...]
    quorum: int
    of: int  # so many organisations were there to ask

    @property
    def at(self) -> datetime:
        """Return the instant from which on a whole quorum had seen it."""
        return self.by[self.quorum - 1][1]


@dataclass(frozen=True)
class Witnesses:
    """The keys, and how many different organisations make a quorum."""

    quorum: int = 0
    keys: tuple[WitnessKey, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a quorum that could not be reached or says nothing, and a key that stands twice.

        A cosignature names no witness in what is signed (C2SP tlog-cosignature), so one key
        under two names would count for two.
        """
        organisations = {key.organisation for key in self.keys}
        if not min(1, len(self.keys)) <= self.quorum <= len(organisations):
            raise BadInput("FIELD_INVALID", "quorum")
        raw = {key.key for key in self.keys}
        check_field(len(raw) == len(self.keys) <= MOST_EVER, "witnesses")
        check_field(sum(key.lasts for key in self.keys) <= MOST, "witnesses")

    @property
    def organisations(self) -> int:
        """Count those with a key that lasts."""
        return len({key.organisation for key in self.keys if key.lasts})

    def seen(
        self, signed: SignedCheckpoint, now: datetime | None = None, span: Span = (None, None)
    ) -> Seen | None:
        """Return the quorum behind a checkpoint, or None; `now` leaves out what lies ahead."""
        newest: dict[str, datetime] = {}
        known = {key.note_key: key for key in self.keys}
        for mark in signed.cosigned:
            key, at = known.get(mark.key), _instant(mark.time)
            ahead = now is not None and at is not None and at > now + SKEW
            if at is None or ahead or not _within(at, span):
                continue
            if key is not None and key.counts(at):
                newest[key.organisation] = max(at, newest.get(key.organisation, at))
        if not self.quorum or len(newest) < self.quorum:
            return None
        by = sorted(newest.items(), key=lambda one: one[1], reverse=True)
        return Seen(tuple(by), self.quorum, len({key.organisation for key in self.keys}))


@dataclass(frozen=True, kw_only=True)
class WitnessSet(Record):
    """What two founders sign."""

    KIND: ClassVar[str] = "saferoom/witness-set/1"
    origin: str
    previous: str | None  # digest of the change before this one
    reason: str  # public, as an override's
    valid_from: str
    quorum: int
    witnesses: tuple[WitnessKey, ...]
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.origin) <= 255, "origin")
        check_field(is_line(self.reason), "reason")
        read_instant(self.valid_from)
        hex_bytes(self.nonce, 16)
        if self.previous is not None:
            hex_bytes(self.previous, 32)
        check_field(self.quorum > 0, "quorum")
        _ = self.set

    @property
    def set(self) -> Witnesses:
        """Return the keys and the quorum."""
        return Witnesses(self.quorum, self.witnesses)


@dataclass(frozen=True)
class Era:
    """A set and the time in which cosignatures are judged by it."""

    witnesses: Witnesses
    begins: datetime | None = None
    ends: datetime | None = None
    digest: str | None = None  # of the change that began it

    def seen(self, signed: SignedCheckpoint, now: datetime | None) -> Seen | None:
        """Return the quorum that saw it in this time."""
        return self.witnesses.seen(signed, now, (self.begins, self.ends))


def check_change(
    statement: Statement, before: Era, operators: Sequence[VerifyKey], origin: str
) -> Era:
    """Accept a change that all operators of the trust file signed, and that fits what was."""
    change = WitnessSet.from_body(statement.body)
    if change.origin != origin:
        raise Refusal("SIGNATURE_INVALID", "a change of another log's witnesses")
    check_all_sign(statement, operators, "a change of the witnesses")
    _check_fits(change, before)
    return Era(change.set, read_instant(change.valid_from), None, statement.digest)


def join(eras: Sequence[Era]) -> tuple[Era, ...]:
    """End each time where the next begins; what is known of a key now held for it always."""
    said = {key.key: key for key in eras[-1].witnesses.keys}
    ends = [*(era.begins for era in eras[1:]), None]
    return tuple(
        Era(
            Witnesses(era.witnesses.quorum, tuple(said[key.key] for key in era.witnesses.keys)),
            era.begins,
            end,
            era.digest,
        )
        for era, end in zip(eras, ends, strict=True)
    )


def _check_fits(change: WitnessSet, before: Era) -> None:
    """Refuse what would unsay the past, or what no quorum could come from."""
    begins, old = read_instant(change.valid_from), before.witnesses
    new = {key.key: key for key in change.witnesses}
    known = {key.key for key in old.keys}
    fits = (
        bool(old.quorum)  # else an old receipt could be made to need none
        and change.previous == before.digest
        and (before.begins is None or before.begins < begins)
        and all(key.key in new and _ended(key, new[key.key], begins) for key in old.keys)
        and all(_fresh(key, begins) for key in change.witnesses if key.key not in known)
        and change.quorum <= change.set.organisations
    )
    if not fits:
        raise Refusal("WITNESSES_UNFIT")


def _ended(old: WitnessKey, new: WitnessKey, begins: datetime) -> bool:
    """Say whether an old key is the same, or ended no earlier than now, or was stolen."""
    same = (old.name, old.organisation, old.valid_from) == (
        new.name,
        new.organisation,
        new.valid_from,
    )
    ended = old.valid_until is None and new.valid_until is not None
    later = ended and read_instant(new.valid_until) >= begins
    return (
        same
        and new.compromised >= old.compromised
        and (later or old.valid_until == new.valid_until)
    )


def _fresh(key: WitnessKey, begins: datetime) -> bool:
    return read_instant(key.valid_from) >= begins and not key.compromised


NO_WITNESSES = Witnesses()


def _within(at: datetime, span: Span) -> bool:
    begins, ends = span
    return (begins is None or begins <= at) and (ends is None or at < ends)


def _instant(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        return None
