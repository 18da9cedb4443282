"""Whose word does the monitor take? The trust file's, read by itself.

Only what it needs: the log's keys, the founders' keys, and the witnesses with their quorum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from saferoom.canonical import Json, parse_object
from saferoom.crypto.signing import Statement, VerifyKey
from saferoom.errors import BadInput, Tampered
from saferoom.monitor.past import Closing, read_closings
from saferoom.tlog.checkpoint import COSIGNATURE, NoteKey, SignedCheckpoint, check_note, read_note

AHEAD_SECONDS = 300  # how far clocks may differ


@dataclass(frozen=True)
class LogKey:
    """One sound key of the log, and for when it vouches."""

    key: VerifyKey
    begins: float
    ends: float

    def vouches(self, newest: float | None, now: float) -> bool:
        """Say whether it may have signed over an entry of this hour; None: over none.

        It signed no earlier than the newest entry was written, so one that had ended by then
        vouches for nothing. A later key does vouch for older entries: that is what rotation is.
        """
        return self.begins <= now + AHEAD_SECONDS and (newest is None or newest < self.ends)


@dataclass(frozen=True)
class Witness:
    """Whose key it is, and for when it vouches."""

    organisation: str
    begins: float
    ends: float

    def vouches(self, at: int, now: float) -> bool:
        """Say whether a cosignature of this time counts: in the key's period, and not ahead."""
        return self.begins <= at < self.ends and at <= now + AHEAD_SECONDS


@dataclass(frozen=True)
class Trusted:
    """What the trust file says, as far as a monitor asks."""

    origin: str
    log_keys: tuple[LogKey, ...]  # the sound ones
    founders: tuple[Statement, ...]
    witnesses: dict[NoteKey, Witness]
    quorum: int
    closings: tuple[Closing, ...] = ()  # of the logs before this one, the oldest first

    def check_note(self, text: str) -> SignedCheckpoint:
        """Refuse a note that no sound key of this log signed."""
        keys = [NoteKey(self.origin, one.key) for one in self.log_keys]
        signed = check_note(read_note(text), [*keys, *self.witnesses], only_known=False)
        if signed.checkpoint.origin != self.origin:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint of another log")
        return signed

    def vouched(self, signed: SignedCheckpoint, newest: float | None, now: float) -> bool:
        """Say whether a key in its time stands behind a checkpoint over an entry of this hour."""
        signers = {signer.key for signer in signed.signers}
        return any(one.vouches(newest, now) for one in self.log_keys if one.key in signers)

    def quorum_time(self, signed: SignedCheckpoint, now: float) -> int | None:
        """Return since when a quorum of organisations had seen it; None without one."""
        newest: dict[str, int] = {}
        for mark in signed.cosigned:
            witness = self.witnesses[mark.key]
            if witness.vouches(mark.time, now):
                before = newest.get(witness.organisation, 0)
                newest[witness.organisation] = max(mark.time, before)
        if not self.quorum or len(newest) < self.quorum:
            return None
        return sorted(newest.values(), reverse=True)[self.quorum - 1]


def read_trusted(data: bytes) -> Trusted:
    """Read `trust.json`; what is not there is refused."""
    try:
        return _read(parse_object(data))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput("FIELD_INVALID", "trust file") from error


def _read(body: dict[str, Json]) -> Trusted:
    witnesses = {
        NoteKey(str(one["name"]), VerifyKey.from_hex(one["key"]), COSIGNATURE): one
        for one in _objects(body["witnesses"])
        if not one["compromised"]
    }
    founders = tuple(Statement.from_json(one) for one in _objects(body["operators"]))
    return Trusted(
        origin=str(body["origin"]),
        log_keys=tuple(
            LogKey(VerifyKey.from_hex(one["key"]), *_period(one))
            for one in _objects(body["log_keys"])
            if not one["compromised"]
        ),
        founders=founders,
        witnesses={key: _witness(one) for key, one in witnesses.items()},
        quorum=int(str(body["quorum"])),
        closings=tuple(read_closings(_objects(body.get("closed", [])), founders)),
    )


def _witness(body: dict[str, Json]) -> Witness:
    return Witness(str(body["organisation"]), *_period(body))


def _period(body: dict[str, Json]) -> tuple[float, float]:
    ends = body["valid_until"]
    return _seconds(body["valid_from"]), math.inf if ends is None else _seconds(ends)


def _seconds(instant: Json) -> float:
    return datetime.fromisoformat(str(instant)).timestamp()


def _objects(value: Json) -> list[dict[str, Json]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BadInput("FIELD_INVALID", "trust file")
    return [one for one in value if isinstance(one, dict)]
