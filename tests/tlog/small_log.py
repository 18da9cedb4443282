"""A small log of real entries, as the room writes it, for whoever tests receipts."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from saferoom.canonical import Json, digest
from saferoom.core.log_events import KINDS, Entry, build_entry
from saferoom.core.receipt import build_receipt, record_part
from saferoom.core.trust import LogKey, Trust
from saferoom.crypto.signing import NoteSigner, SigningKey
from saferoom.crypto.sm2 import SEED_BYTES, Sm2SigningKey
from saferoom.tlog.checkpoint import Checkpoint, sign_checkpoint
from saferoom.tlog.merkle import MemoryReader, consistency_proof, inclusion_proof, root

ORIGIN = "room.example/log"
NOW = datetime(2026, 11, 20, 10, 51, tzinfo=UTC)
LOG_KEY, NEXT_KEY, FOREIGN_KEY = (SigningKey(bytes([n]) * 32) for n in (7, 8, 9))
SM2_KEY = Sm2SigningKey.from_seed(bytes([7]) * SEED_BYTES)
ANSWER = b"SRSEAL1\n" + bytes(range(200))
ENTERPRISES = ("9999000100000000AA", "9999000200000000BB", "9999000300000000CC")


def counting() -> Callable[[int], bytes]:
    """Bytes that look random, never repeat, and are the same in every run."""
    calls = iter(range(1_000_000_000))

    def random_bytes(length: int) -> bytes:
        return hashlib.shake_256(b"test %d" % next(calls)).digest(length)

    return random_bytes


def release(
    random_bytes: Callable[[int], bytes],
    enterprises: tuple[str, ...] = ENTERPRISES,
    override: str | None = None,
) -> Entry:
    names = KINDS["release"]
    record: dict[str, Json] = {
        "grant": digest("grant"),
        "budget": digest("budget"),
        "charge_mbit": 4000,
        "answer": hashlib.sha256(ANSWER).hexdigest(),
        "source": "evaluated",
    }
    return build_entry(
        "release",
        {name: digest(name) for name in names.artefacts},
        {
            "bank": "bank-a",
            "request": digest("request"),
            "caller": "li.na",
            "purpose": "inclusive_loan",
            "loan_reference": "LOAN-2026-1",
            "approvers": ["operator-a", "operator-b"],
            "override": override,
        },
        NOW,
        random_bytes,
        [{"enterprise": code, **record} for code in enterprises],
    )


def log_key(key: SigningKey = LOG_KEY, **changed: object) -> LogKey:
    body: dict[str, object] = {
        "algorithm": "ed25519",
        "key": key.public.raw.hex(),
        "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": None,
        "compromised": False,
    }
    return LogKey.from_body(body | changed)


def sm2_key(key: Sm2SigningKey = SM2_KEY, **changed: object) -> LogKey:
    body: dict[str, object] = {"algorithm": "sm2", "key": key.public.raw.hex()}
    return LogKey.from_body(log_key().to_body() | body | changed)


def trust(*keys: LogKey) -> Trust:
    return Trust(origin=ORIGIN, log_keys=keys or (log_key(),))


@dataclass
class SmallLog:
    """Five entries; the third is a release of three records."""

    entries: list[Entry] = field(default_factory=list)

    @classmethod
    def make(cls, count: int = 5, place: int = 2) -> SmallLog:
        source = counting()
        entries = [
            build_entry("token_issued", {}, {"holder": f"person {n}"}, NOW, source)
            for n in range(count)
        ]
        entries[place] = release(source)
        return cls(entries)

    @property
    def leaves(self) -> list[bytes]:
        return [entry.leaf for entry in self.entries]

    def note(self, size: int | None = None, *keys: NoteSigner) -> str:
        size = len(self.entries) if size is None else size
        head = Checkpoint(ORIGIN, size, root(self.leaves[:size]))
        return sign_checkpoint(head, *(keys or (LOG_KEY,)))

    def consistency(self, old: int, new: int) -> list[bytes]:
        return consistency_proof(MemoryReader(self.leaves), old, new)

    def receipt(
        self,
        index: int = 2,
        size: int | None = None,
        *,
        row: int | None = 1,
        shred: tuple[str, ...] = (),
        answer: bytes | None = ANSWER,
        note: str | None = None,
    ) -> bytes:
        entry = self.entries[index]
        size = len(self.entries) if size is None else size
        part = None
        if row is not None:
            opened = entry.record_openings[row]
            part = record_part(
                entry.records, row, {name: opened[name] for name in opened if name not in shred}
            )
        return build_receipt(
            checkpoint=note or self.note(size),
            leaf=entry.leaf,
            leaf_index=index,
            leaf_proof=inclusion_proof(MemoryReader(self.leaves), index, size),
            openings={name: entry.openings[name] for name in entry.openings if name not in shred},
            record=part,
            answer=answer if row is not None else None,
        )
