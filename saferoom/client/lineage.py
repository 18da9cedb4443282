"""Does what a score is said to rest on hold together, link by link?

From the receipt to the snapshot, from there to the features and the tables that they read, and to
the batches of these tables: each paper is signed by a trusted vault, each stands in the log, and
the snapshot's root holds every batch up to it, shown or not. Where the enterprise was erased
since, the answer is no longer reproducible; a certificate says so, and no value does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from saferoom.canonical import Json, canonical_bytes
from saferoom.client.verifying import Place, check_erased, read_trust, verify
from saferoom.core.lineage import (
    BatchLine,
    BatchList,
    SnapshotPaper,
    check_signed,
    root_of_leaves,
    tables_of,
)
from saferoom.core.manifest import Manifest
from saferoom.core.moment import read_instant
from saferoom.core.receipt import Verified
from saferoom.core.trust import Trust
from saferoom.core.views import ViewSet
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.merkle import leaf_hash


@dataclass(frozen=True)
class Source:
    """One batch that a score's tables came by, and the log's entry that tells of it."""

    line: BatchLine
    entry: int


@dataclass(frozen=True)
class Lineage:
    """What one release rests on, all of it checked."""

    release: Verified
    version: Manifest
    snapshot: SnapshotPaper
    features: dict[str, tuple[str, ...]]  # feature → the tables that it reads
    batches: tuple[Source, ...]
    erased: tuple[str, ...]  # not empty: no longer reproducible, and since when

    @property
    def tables(self) -> frozenset[str]:
        """Name every table that the score could read."""
        return frozenset(table for tables in self.features.values() for table in tables)


def check_lineage(
    told: dict[str, Json],
    trust: Trust | Place,
    checkpoint: Place | None = None,
    log: Place | None = None,
) -> Lineage:
    """Check every link, or refuse with LINEAGE_INVALID or what a receipt lacks."""
    believed = trust if isinstance(trust, Trust) else read_trust(None, trust)
    check = _Check(believed, checkpoint, log)
    try:
        return check.lineage(told)
    except (BadInput, KeyError, TypeError) as error:
        raise Tampered("LINEAGE_INVALID", "its form") from error


@dataclass(frozen=True)
class _Check:
    trust: Trust
    checkpoint: Place | None
    log: Place | None

    def lineage(self, told: dict[str, Json]) -> Lineage:
        """Follow the links in their order."""
        release = self._entry(told["proof"], "release")
        version = Manifest.from_body(told["manifest"])
        views = ViewSet.from_body(told["views"])
        named = (release.artefacts["version"], release.artefacts["views"])
        _need((version.digest, views.digest) == named, "the version or its features")
        snapshot = self._snapshot(told["snapshot"], release)
        features = {
            view.name: tuple(sorted(tables_of(view)))
            for view in views.views
            if view.name in version.features
        }
        tables = {table for several in features.values() for table in several}
        batches = self._batches(told["batches"], snapshot, tables)
        return Lineage(release, version, snapshot, features, batches, self._erased(told, release))

    def _snapshot(self, told: Json, release: Verified) -> SnapshotPaper:
        paper, proof = self._paper(told, "snapshot_made")
        at = read_instant(paper.body.get("published_at"))
        said = check_signed(SnapshotPaper, paper, self.trust, at)
        of = (release.artefacts["snapshot"], release.artefacts["views"])
        _need((said.snapshot, said.views) == of, "the snapshot")
        _need(proof.artefacts["snapshot"] == said.snapshot, "the snapshot's entry")
        return said

    def _batches(self, told: Json, snapshot: SnapshotPaper, tables: set[str]) -> tuple[Source, ...]:
        """Rebuild the root over all batches; keep those of the score's tables."""
        hashes: list[bytes] = []
        shown: list[Source] = []
        for part in _list(told):
            if "hashes" in _object(part):
                hashes += [hex_bytes(one, 32) for one in _list(_object(part)["hashes"])]
                continue
            for source in self._sources(part, snapshot):
                _need(source.line.number == len(hashes) + 1, "the order of batches")
                hashes.append(leaf_hash(source.line.leaf))
                shown.append(source)
        counted = hashes[: snapshot.batches]
        _need(len(counted) == snapshot.batches, "a batch is missing")
        _need(root_of_leaves(counted) == snapshot.root, "the root over its batches")
        return tuple(
            one for one in shown if one.line.number <= snapshot.batches and one.line.table in tables
        )

    def _sources(self, part: Json, snapshot: SnapshotPaper) -> Iterator[Source]:
        paper, proof = self._paper(part, "batches_taken")
        at = read_instant(snapshot.published_at)
        for line in check_signed(BatchList, paper, self.trust, at).lines:
            yield Source(line, proof.index)

    def _paper(self, told: Json, kind: str) -> tuple[Statement, Verified]:
        """Read a paper that the log's entry names."""
        fields = _object(told)
        paper, proof = Statement.from_json(fields["paper"]), self._entry(fields["proof"], kind)
        _need(proof.artefacts["paper"] == paper.digest, "a paper that the log does not name")
        return paper, proof

    def _entry(self, proof: Json, kind: str) -> Verified:
        found = verify(canonical_bytes(proof), self.checkpoint, self.trust, self.log)
        _need(found.kind == kind, "an entry of another kind")
        return found

    def _erased(self, told: dict[str, Json], release: Verified) -> tuple[str, ...]:
        papers = (canonical_bytes(one) for one in _list(told["erasures"]))
        return tuple(check_erased(paper, release, self.trust) for paper in papers)


def _need(holds: bool, what: str) -> None:  # noqa: FBT001  # reads as: need that it holds
    if not holds:
        raise Tampered("LINEAGE_INVALID", what)


def _list(value: Json) -> Sequence[Json]:
    if not isinstance(value, list):
        raise BadInput("FIELD_INVALID", "lineage")
    return value


def _object(value: Json) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise BadInput("FIELD_INVALID", "lineage")
    return value
