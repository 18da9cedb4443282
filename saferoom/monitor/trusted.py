"""Whose word does the monitor take? The trust file's, read by itself.

Only what it needs: the log's keys, the founders' keys, and the witnesses with their quorum.
"""

from __future__ import annotations

from dataclasses import dataclass

from saferoom.canonical import Json, parse_object
from saferoom.crypto.signing import Statement, VerifyKey
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.checkpoint import COSIGNATURE, NoteKey, SignedCheckpoint, check_note, read_note


@dataclass(frozen=True)
class Trusted:
    """What the trust file says, as far as a monitor asks."""

    origin: str
    log_keys: tuple[VerifyKey, ...]  # the sound ones
    founders: tuple[Statement, ...]
    witnesses: dict[NoteKey, str]  # key → organisation
    quorum: int

    def check_note(self, text: str) -> SignedCheckpoint:
        """Refuse a note that no sound key of this log signed."""
        keys = [NoteKey(self.origin, key) for key in self.log_keys]
        signed = check_note(read_note(text), [*keys, *self.witnesses], only_known=False)
        if signed.checkpoint.origin != self.origin:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a checkpoint of another log")
        return signed

    def quorum_time(self, signed: SignedCheckpoint) -> int | None:
        """Return since when a quorum of organisations had seen it; None without one."""
        newest: dict[str, int] = {}
        for mark in signed.cosigned:
            organisation = self.witnesses[mark.key]
            newest[organisation] = max(mark.time, newest.get(organisation, 0))
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
    return Trusted(
        origin=str(body["origin"]),
        log_keys=tuple(
            VerifyKey.from_hex(one["key"])
            for one in _objects(body["log_keys"])
            if not one["compromised"]
        ),
        founders=tuple(Statement.from_json(one) for one in _objects(body["operators"])),
        witnesses={key: str(one["organisation"]) for key, one in witnesses.items()},
        quorum=int(str(body["quorum"])),
    )


def _objects(value: Json) -> list[dict[str, Json]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise BadInput("FIELD_INVALID", "trust file")
    return [one for one in value if isinstance(one, dict)]
