"""Which batches was a snapshot made of, and which of an enterprise's records did it use?

A batch is one file that a source brought, or one objection; the vault numbers them without gaps
and takes none back, so the first so many are all that a snapshot could have read. It signs a line
of each, and of a snapshot how many there were and the Merkle root over their lines. The log holds
both papers' digests. Nothing of it is about a row: what a batch holds is committed to under a
nonce that its source, operators and auditors are given.

Which records counted is the as-of rule once more, for whoever has their own rows in hand: of the
versions known by the end of the day the latest, never one that was repaired or erased, and only
events before the day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, ClassVar, TypeVar

from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.core.moment import end_of_local_day, read_day, read_instant
from saferoom.core.record import Record, check_field
from saferoom.core.views import View, ViewSet
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.tlog import merkle

if TYPE_CHECKING:  # how a trust file is read is not this module's affair
    from saferoom.core.manifest import Manifest
    from saferoom.core.trust import Trust

GONE = frozenset({"repaired", "erased"})
P = TypeVar("P", bound=Record)


@dataclass(frozen=True, kw_only=True)
class BatchLine(Record):
    """One batch, as far as everybody may know it whose score it went into."""

    number: int
    connector: str
    table: str
    taken_at: str
    order: Digest | None  # whose steward's, or enterprise's; None: before orders were kept
    content: Digest | None  # a commitment to the file's digest and its counts

    @property
    def leaf(self) -> bytes:
        """Write it as it stands under the root."""
        return canonical_bytes(self.to_body())


@dataclass(frozen=True, kw_only=True)
class BatchList(Record):
    """The vault's word for these batches, one after the other."""

    KIND: ClassVar[str] = "saferoom/batches/1"
    lines: tuple[BatchLine, ...]

    def __post_init__(self) -> None:
        """Check that none is left out between them."""
        check_field(bool(self.lines), "lines")
        numbers = [line.number for line in self.lines]
        check_field(numbers == [*range(numbers[0], numbers[0] + len(numbers))], "lines")


@dataclass(frozen=True, kw_only=True)
class SnapshotPaper(Record):
    """The vault's word for what a snapshot was made of: batches 1 … `batches`."""

    KIND: ClassVar[str] = "saferoom/snapshot-paper/1"
    snapshot: Digest
    as_of: str
    views: Digest
    published_at: str
    batches: int
    root: str  # over their lines

    def __post_init__(self) -> None:
        """Check ranges."""
        read_day(self.as_of)
        read_instant(self.published_at)
        check_field(self.batches >= 0, "batches")
        hex_bytes(self.root, 32)


@dataclass(frozen=True)
class Version:
    """One version of a record, as an enterprise's own record shows it."""

    source: str
    record_id: str
    event_date: date
    known_at: datetime
    status: str
    batch: int
    row: int


def root_of(lines: Iterable[BatchLine]) -> str:
    """Bind lines in their order."""
    return merkle.root([line.leaf for line in lines]).hex()


def root_of_leaves(hashes: Sequence[bytes]) -> str:
    """Do the same for whoever is shown some lines and the hashes of the others."""
    return merkle.root_of_hashes(hashes).hex()


def check_signed(kind: type[P], statement: Statement, trust: Trust, at: datetime) -> P:
    """Read a paper of the vault; refuse what no vault signed that was to be believed then."""
    try:
        vaults = {vault.verify_key.id: vault for vault in trust.vaults_at(at)}
        (signer,) = statement.signers()
        statement.check_signed_by(vaults[signer].verify_key)
        return kind.from_body(statement.body)
    except (BadInput, Refusal, KeyError, ValueError) as error:  # ValueError: not one signature
        raise Tampered("LINEAGE_INVALID", "no trusted vault signed a paper") from error


def tables_of(view: View) -> frozenset[str]:
    """Name every table that a feature reads, from its declaration as it was approved."""
    return frozenset({view.table, *_named({"formula": parse_object(_wrapped(view.formula))})})


def tables_read(version: Manifest, views: ViewSet) -> set[str]:
    """Name every table that a version's features read."""
    chosen = [view for view in views.views if view.name in version.features]
    return {table for view in chosen for table in tables_of(view)}


def _wrapped(formula: str) -> bytes:
    """Make an object of it: a formula may be a whole number."""
    return b'{"of":' + formula.encode() + b"}"


def _named(body: Json) -> Iterator[str]:
    match body:
        case dict():
            for name, value in body.items():
                if name == "table" and isinstance(value, str):
                    yield value
                yield from _named(value)
        case list():
            for value in body:
                yield from _named(value)
        case _:
            return


def used(versions: Iterable[Version], as_of: date, batches: int) -> set[tuple[int, int]]:
    """Name, by batch and row, the versions that a snapshot of this day counted."""
    known: defaultdict[tuple[str, str], list[Version]] = defaultdict(list)
    until = end_of_local_day(as_of)
    for one in versions:
        if one.batch <= batches and one.known_at <= until:
            known[one.source, one.record_id].append(one)
    latest = (_counts(several) for several in known.values())
    return {(one.batch, one.row) for one in latest if one is not None and one.event_date < as_of}


def _counts(versions: Sequence[Version]) -> Version | None:
    """Choose the latest, unless any of them was taken back."""
    if any(one.status in GONE for one in versions):
        return None
    return max(versions, key=lambda one: (one.known_at, one.batch, one.row))
