"""Did enough organisations, other than the log's own, see this very tree, and when?

A witness's cosignature says: of this log this is the largest tree that I have seen, and it
only appended to what I saw before. A quorum is m different organisations, by keys of the
trust file that were sound at the time that the cosignature states. An organisation counts
once, however many keys it has; so it rotates a key by a second entry beside the first.

Assumed honest: of any m organisations at least one. Not promised: that the times are true to
the second (they are the witnesses' word), nor that what was logged is true.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from saferoom.core.moment import SKEW, read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import VerifyKey
from saferoom.errors import BadInput
from saferoom.tlog.checkpoint import COSIGNATURE, NoteKey, SignedCheckpoint, check_name

MOST = 12  # so that all their lines and the log's own fit a note (tlog/checkpoint.py)


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
        check_field(len(raw) == len(self.keys) <= MOST, "witnesses")

    @property
    def organisations(self) -> int:
        """Count them."""
        return len({key.organisation for key in self.keys})

    def seen(self, signed: SignedCheckpoint, now: datetime | None = None) -> Seen | None:
        """Return the quorum behind a checkpoint, or None; `now` leaves out what lies ahead."""
        newest: dict[str, datetime] = {}
        known = {key.note_key: key for key in self.keys}
        for mark in signed.cosigned:
            key, at = known.get(mark.key), _instant(mark.time)
            ahead = now is not None and at is not None and at > now + SKEW
            if key is not None and at is not None and not ahead and key.counts(at):
                newest[key.organisation] = max(at, newest.get(key.organisation, at))
        if not self.quorum or len(newest) < self.quorum:
            return None
        by = sorted(newest.items(), key=lambda one: one[1], reverse=True)
        return Seen(tuple(by), self.quorum)


NO_WITNESSES = Witnesses()


def _instant(seconds: int) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # beyond the year 9999
        return None
