"""What was told to whom, and what is left of it when an enterprise goes?

Of every cohort that figures were told of a fingerprint is kept (`core/differencing.py`), durable
before the answer leaves, so no restart forgets. Each record is encrypted under a key of the ring,
and bound to the key by which enterprises are marked: under another, every cohort would look new.
The first record names the key. An erasure writes the journal again under a new key, without the
sums in which the enterprise took part, and the old key is destroyed: what was copied before opens
no more than the facts do. A journal that is gone although it has a key is noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from saferoom.canonical import Json, canonical_bytes, digest_bytes, parse_object
from saferoom.core.differencing import PLACES, Cohort, Fingerprint, without
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import Tampered
from saferoom.vault.durable import AppendLog, sync
from saferoom.vault.keys import Keys, unwrap, wrap

KEYS = "told/"  # what the names of its keys begin with
KIND = "saferoom/told/2"
Record = tuple[str, str, Cohort]  # to which party, of which feature


class Told:
    """The journal."""

    def __init__(self, path: Path, keys: Keys) -> None:
        """Read it, or begin it."""
        self._path, self._keys = path, keys
        self._use = f"told {digest_bytes(keys.mark_of(''))}"
        self._told: dict[tuple[str, str], list[Cohort]] = {}
        self._log = AppendLog(path)
        try:
            self._name = self._open()
        except BaseException:
            self._log.close()
            raise

    def of(self, party: str, view: str) -> Sequence[Cohort]:
        """Return what this party was told of this feature."""
        return self._told.get((party, view), [])

    def remember(self, party: str, cohorts: Sequence[tuple[str, Fingerprint]]) -> None:
        """Keep of which cohorts figures are told; durable when this returns."""
        records = [(party, view, Cohort.of(sums)) for view, sums in cohorts]
        if records:
            self._log.append([self._seal(self._name, one) for one in records])
            self._take(records)

    def renew(self) -> None:
        """Write it again under a new key."""
        self._exchange(self._records())

    def erase(self, mark: int) -> None:
        """Write it again without what an enterprise contributed to, under a new key."""
        self._exchange([(party, view, without(one, mark)) for party, view, one in self._records()])

    def close(self) -> None:
        """Let go of the journal."""
        self._log.close()

    def _open(self) -> str:
        head, *records = list(self._log.records()) or [b""]
        if not head and self._keys.names(KEYS):
            raise _changed()  # there was one
        name = _read_head(head) if head else f"{KEYS}0"
        if not head:
            self._log.append([_head(name)])
        if not records:  # else it has its key, or is another's
            self._keys.add([name])
        self._take([self._unseal(name, record) for record in records])
        self._keys.keep_only(KEYS, {name})
        return name

    def _records(self) -> list[Record]:
        return [(*place, cohort) for place, some in self._told.items() for cohort in some]

    def _take(self, records: Sequence[Record]) -> None:
        for party, view, cohort in records:
            self._told.setdefault((party, view), []).append(cohort)

    def _exchange(self, records: Sequence[Record]) -> None:
        """Let another file take its place: the key first, then the file, then the old key goes."""
        name = f"{KEYS}{int(self._name.removeprefix(KEYS)) + 1}"
        self._keys.add([name])
        draft = self._path.with_name(self._path.name + ".new")
        draft.unlink(missing_ok=True)
        log = AppendLog(draft)
        try:
            log.append([_head(name), *(self._seal(name, one) for one in records)])
            draft.rename(self._path)
        except BaseException:
            log.close()
            raise
        before, self._log, self._name, self._told = self._log, log, name, {}
        self._take(records)
        before.close()
        sync(self._path.parent)
        self._keys.keep_only(KEYS, {name})

    def _seal(self, name: str, record: Record) -> bytes:
        party, view, cohort = record
        body: dict[str, Json] = {
            "party": party,
            "view": view,
            "sums": cohort.sums.tobytes().hex(),
            "hidden": np.packbits(cohort.hidden).tobytes().hex(),
        }
        return wrap(self._keys.key(name), canonical_bytes(body), self._use, self._keys.random)

    def _unseal(self, name: str, record: bytes) -> Record:
        match parse_object(unwrap(self._keys.key(name), record, self._use)):
            case {"party": str(party), "view": str(view), "sums": sums, "hidden": hidden}:
                found = np.frombuffer(hex_bytes(sums, 8 * PLACES), np.uint64)
                bits = np.frombuffer(hex_bytes(hidden, PLACES // 8), np.uint8)
                return party, view, Cohort(found, np.unpackbits(bits).astype(np.bool_))
            case _:
                raise _changed()


def _head(name: str) -> bytes:
    return canonical_bytes({"kind": KIND, "key": name})


def _read_head(record: bytes) -> str:
    match parse_object(record):
        case {"kind": str(kind), "key": str(name)} if kind == KIND:
            if name.startswith(KEYS) and name.removeprefix(KEYS).isdecimal():
                return name
    raise _changed()


def _changed() -> Tampered:
    return Tampered("CONTENT_CHANGED", "the vault's journal of what was told")
