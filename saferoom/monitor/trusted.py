"""Whose word does the monitor take? The trust file's, read by itself.

Only what it needs: the log's keys, the founders' keys, and the witnesses with their quorum, as
both founders changed them. Each cosignature is judged by the set that was in force at its time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from saferoom.canonical import Json, parse_object
from saferoom.crypto.signing import NoteVerifier, Statement, VerifyKey
from saferoom.crypto.sm2 import Sm2Key
from saferoom.errors import BadInput, Tampered
from saferoom.monitor.past import Closing, read_closings
from saferoom.tlog.checkpoint import COSIGNATURE, NoteKey, SignedCheckpoint, check_note, read_note

_ALGORITHMS: dict[str, type[VerifyKey | Sm2Key]] = {"ed25519": VerifyKey, "sm2": Sm2Key}
WITNESS_SET = "saferoom/witness-set/1"
AHEAD_SECONDS = 300  # how far clocks may differ


@dataclass(frozen=True)
class LogKey:
    """One sound key of the log, and for when it vouches."""

    key: NoteVerifier
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
class Era:
    """Whose cosignatures count in a time, and how many of them."""

    keys: frozenset[NoteKey]
    quorum: int
    begins: float
    ends: float


@dataclass(frozen=True)
class Trusted:
    """What the trust file says, as far as a monitor asks."""

    origin: str
    log_keys: tuple[LogKey, ...]  # the sound ones
    algorithms: frozenset[str]  # that all must stand behind a checkpoint
    founders: tuple[Statement, ...]
    witnesses: dict[NoteKey, Witness]  # all that ever were
    quorum: int  # of now
    eras: tuple[Era, ...]  # the newest first
    closings: tuple[Closing, ...] = ()  # of the logs before this one, the oldest first

    @property
    def statement_keys(self) -> tuple[LogKey, ...]:
        """Return the keys of promises and archives, which are signed with Ed25519 alone."""
        return tuple(one for one in self.log_keys if one.key.ALGORITHM == "ed25519")

    def check_note(self, text: str) -> SignedCheckpoint:
        """Refuse a note that no sound key of this log signed."""
        keys = [NoteKey.of_log(self.origin, one.key) for one in self.log_keys]
        signed = check_note(read_note(text), [*keys, *self.witnesses], only_known=False)
        if signed.checkpoint.origin != self.origin:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint of another log")
        return signed

    def vouched(self, signed: SignedCheckpoint, newest: float | None, now: float) -> bool:
        """Say whether a key in its time stands behind a checkpoint over an entry of this hour.

        One of each algorithm that the trust file names.
        """
        signers = {signer.key for signer in signed.signers}
        standing = [one for one in self.log_keys if one.key in signers]
        found = {one.key.ALGORITHM for one in standing if one.vouches(newest, now)}
        return found == self.algorithms

    def quorum_time(self, signed: SignedCheckpoint, now: float) -> int | None:
        """Return since when a quorum of organisations had seen it; None without one."""
        times = (self._quorum_time(era, signed, now) for era in self.eras)
        return next((time for time in times if time is not None), None)

    def _quorum_time(self, era: Era, signed: SignedCheckpoint, now: float) -> int | None:
        newest: dict[str, int] = {}
        for mark in signed.cosigned:
            witness = self.witnesses[mark.key]
            asked = mark.key in era.keys and era.begins <= mark.time < era.ends
            if asked and witness.vouches(mark.time, now):
                before = newest.get(witness.organisation, 0)
                newest[witness.organisation] = max(mark.time, before)
        if not era.quorum or len(newest) < era.quorum:
            return None
        return sorted(newest.values(), reverse=True)[era.quorum - 1]


def read_trusted(data: bytes) -> Trusted:
    """Read `trust.json`; what is not there is refused."""
    try:
        return _read(parse_object(data))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadInput("FIELD_INVALID", "trust file") from error


def _read(body: dict[str, Json]) -> Trusted:
    sets = [body, *_changes(body)]
    witnesses = {
        key: one for key, one in _named(sets[-1]["witnesses"]).items() if not one["compromised"]
    }
    begins = [-math.inf, *(_seconds(one["valid_from"]) for one in sets[1:]), math.inf]
    eras = [
        Era(frozenset(_named(one["witnesses"])), int(str(one["quorum"])), begins[n], begins[n + 1])
        for n, one in enumerate(sets)
    ]
    founders = tuple(Statement.from_json(one) for one in _objects(body["operators"]))
    return Trusted(
        origin=str(body["origin"]),
        log_keys=tuple(
            LogKey(_note_key(one), *_period(one))
            for one in _objects(body["log_keys"])
            if not one["compromised"]
        ),
        algorithms=frozenset(str(one["algorithm"]) for one in _objects(body["log_keys"])),
        founders=founders,
        witnesses={key: _witness(one) for key, one in witnesses.items()},
        quorum=eras[-1].quorum,
        eras=(*reversed(eras),),
        closings=tuple(read_closings(_objects(body.get("closed", [])), founders)),
    )


def _note_key(body: dict[str, Json]) -> NoteVerifier:
    return _ALGORITHMS[str(body["algorithm"])].from_hex(body["key"])


def _changes(body: dict[str, Json]) -> list[dict[str, Json]]:
    """Return each change of the witnesses that both founders signed, in its place."""
    found: list[dict[str, Json]] = []
    previous: str | None = None
    named = set(_named(body["witnesses"]))
    for statement in (Statement.from_json(one) for one in _objects(body.get("changes", []))):
        said = statement.body
        keys = [
            VerifyKey.from_hex(Statement.from_json(one).body["signing_key"])
            for one in _objects(body["operators"])
        ]
        fits = said["kind"] == WITNESS_SET and said["origin"] == body["origin"]
        follows = said["previous"] == previous and named <= set(_named(said["witnesses"]))
        if not fits or not follows or len(set(statement.signers())) < max(2, len(keys)):
            raise BadInput("FIELD_INVALID", "a change of the witnesses")
        for key in keys:
            statement.check_signed_by(key)
        previous, named = statement.digest, set(_named(said["witnesses"]))
        found.append(said)
    return found


def _named(witnesses: Json) -> dict[NoteKey, dict[str, Json]]:
    return {
        NoteKey(str(one["name"]), VerifyKey.from_hex(one["key"]), COSIGNATURE): one
        for one in _objects(witnesses)
    }


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
