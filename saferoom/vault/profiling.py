"""What may a steward or a reviewer know of how features are distributed?

Figures of the current snapshot, each through the aggregate gate: an operator of all features,
a steward of those of its own tables. What was told to a party is kept (`told.py`) before the
answer leaves, and every new cohort is compared with it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime

import numpy as np

from saferoom.canonical import Json
from saferoom.core import aggregates
from saferoom.core.admission import check_active
from saferoom.core.differencing import Fingerprint, Marks, check_apart, fingerprint
from saferoom.core.enrolment import Enrolment, Role
from saferoom.core.orders import ProfileOrder, check_profile_order
from saferoom.crypto.signing import Statement
from saferoom.errors import NotFound, Refusal
from saferoom.vault.declarations import Declarations
from saferoom.vault.roster import Roster
from saferoom.vault.segments import Floats
from saferoom.vault.snapshots import Snapshot
from saferoom.vault.told import Told

AT_ONCE = 16  # features held in memory, of a million enterprises 128 MB


def check_profile(
    roster: Roster, statement: Statement, declared: Declarations, now: datetime
) -> tuple[ProfileOrder, Enrolment]:
    """Refuse whoever may not ask, and a steward's look at another source's features."""
    order, signer = check_profile_order(statement, roster.lookup, now)
    if not set(order.views) <= set(declared.views.names()):
        raise NotFound("NOT_FOUND", "a feature of this name")
    if signer.role is Role.STEWARD:
        admission = roster.admission(signer.party)
        check_active(admission, now)
        assert admission is not None  # check_active refused
        read = {table for name in order.views for table in declared.tables_of(name)}
        if not read <= set(admission.categories):
            raise Refusal("CONTRACT_SCOPE", "tables")
    return order, signer


class Profiling:
    """How more is told beside what was told before."""

    def __init__(self, told: Told, mark_of: Callable[[str], bytes]) -> None:
        """Mark an enterprise by a key that never changes."""
        self._told, self._mark_of = told, mark_of

    def tell(self, party: str, snapshot: Snapshot, views: Sequence[str]) -> dict[str, Json]:
        """Tell a party all that may be told; what was told is durable when this returns."""
        whole = snapshot.manifest.enterprises
        records: list[tuple[str, Fingerprint]] = []
        features: list[Json] = []
        for start in range(0, len(views), AT_ONCE):
            names = views[start : start + AT_ONCE]
            marks, matrix = self._columns(snapshot, names)
            for name, values in zip(names, matrix, strict=True):
                if name in snapshot.manifest.closed:
                    features.append({"view": name, "refused": "QUALITY_GATE"})
                    continue
                features.append(self._feature(party, name, marks, values, records))
        told: dict[str, Json] = {
            "snapshot": snapshot.digest,
            "views": snapshot.manifest.views,
            "enterprises": aggregates.count(whole),
            "features": features,
        }
        self._told.remember(party, records)
        return told

    def _feature(
        self,
        party: str,
        name: str,
        marks: Marks,
        values: Floats,
        records: list[tuple[str, Fingerprint]],
    ) -> Json:
        try:
            present = values[~np.isnan(values)]
            figures = _figures(present, len(values))
            cohort = fingerprint(marks, values)
            if check_apart(cohort, self._told.of(party, name)):
                records.append((name, cohort))
        except Refusal as error:
            return {"view": name, "refused": error.code}
        return {"view": name, "refused": None, **figures}

    def _columns(self, snapshot: Snapshot, names: Sequence[str]) -> tuple[Marks, Floats]:
        order = [snapshot.manifest.columns.index(name) for name in names]
        marks: list[int] = []
        parts = []
        for rows in snapshot.scan():
            marks += [secret_number(self._mark_of(code)) for code in rows.codes]
            parts.append(rows.matrix[:, order].T)
        return np.array(marks, np.uint64), np.ascontiguousarray(np.concatenate(parts, axis=1))


def secret_number(mark: bytes) -> int:
    """Return the number by which an enterprise contributes to fingerprints."""
    return int.from_bytes(hashlib.blake2b(mark, digest_size=8).digest(), "little")


def _figures(present: Floats, whole: int) -> dict[str, Json]:
    """Compute what is told of one feature; a mean may be withheld alone."""
    told: dict[str, Json] = {
        "present": aggregates.count(len(present)),
        "missing": aggregates.part(whole - len(present), whole),
        "quantiles": [one.to_body() for one in aggregates.quantiles(present)],
        "histogram": [one.to_body() for one in aggregates.histogram(present)],
        "mean": None,
        "mean_refused": None,
    }
    try:
        told["mean"] = aggregates.mean(present)
    except Refusal as error:
        told["mean_refused"] = error.code
    return told
