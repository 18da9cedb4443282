"""What did an auditor get opened, and does it fit the public log?

An export is lines of canonical JSON: a head `{"kind":"saferoom/openings/1","origin","size"}`,
then for each entry below that size, in order, `{"index","leaf":{field:opening},"records":
[{"record","openings"}],"statements":[…]}`. Nothing in it is believed: openings must fit the
commitments of the entry that the log itself shows, records must give its root, statements
must have the digests that were opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, SaferoomError, Tampered
from saferoom.monitor.leaves import Leaf
from saferoom.tlog import merkle
from saferoom.tlog.commitments import NONCE_BYTES, Opening, check_opening

KIND = "saferoom/openings/1"
Values = dict[str, Json]


@dataclass(frozen=True)
class Opened:
    """One entry in clear, as far as it was not shredded."""

    index: int
    kind: str
    hour: str
    artefacts: dict[str, str]
    values: Values
    records: tuple[Values, ...]
    statements: dict[str, list[Statement]]  # by digest: two people may sign the same words


@dataclass
class Export:
    """An auditor's file, read along with the log."""

    origin: str
    size: int
    _lines: Iterator[bytes] = field(repr=False)

    def open(self, index: int, data: bytes, leaf: Leaf) -> Opened | None:
        """Open the next entry, or None beyond the export; refuse what does not fit."""
        if index >= self.size:
            return None
        line = next(self._lines, None)
        if line is None:
            raise Tampered("CONTENT_CHANGED", "the export ends too early")
        try:
            return _open(index, parse_object(data), leaf, parse_object(line.removesuffix(b"\n")))
        except (BadInput, KeyError, TypeError, AttributeError) as error:
            raise Tampered("CONTENT_CHANGED", "the export's line") from error


def read_export(source: Path | bytes) -> Export:
    """Open the export; a file's lines are read while the log is."""
    lines = iter(source.splitlines(keepends=True)) if isinstance(source, bytes) else _lines(source)
    head = parse_object(next(lines, b"").removesuffix(b"\n"))
    size = head.get("size")
    if head.get("kind") != KIND or type(size) is not int:
        raise BadInput("FIELD_INVALID", "an export of openings")
    return Export(str(head.get("origin")), size, lines)


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _open(index: int, body: Mapping[str, Json], leaf: Leaf, line: Mapping[str, Json]) -> Opened:
    if line["index"] != index:
        raise Tampered("CONTENT_CHANGED", "the export's lines are out of order")
    records = [dict(one) for one in _list(line["records"]) if isinstance(one, dict)]
    lines = [canonical_bytes(one["record"]) for one in records]
    if len(lines) != leaf.records or (lines and merkle.root(lines) != leaf.records_root):
        raise Tampered("PROOF_INVALID", "the records do not give the entry's root")
    statements: dict[str, list[Statement]] = {}
    for one in map(Statement.from_json, _list(line["statements"])):
        statements.setdefault(one.digest, []).append(one)
    artefacts = body["artefacts"]
    assert isinstance(artefacts, dict)
    return Opened(
        index=index,
        kind=leaf.kind,
        hour=leaf.hour,
        artefacts={name: str(value) for name, value in artefacts.items()},
        values=_values(body["commitments"], line["leaf"]),
        records=tuple(_record(one["record"], one["openings"]) for one in records),
        statements=statements,
    )


def _record(record: Json, openings: Json) -> Values:
    assert isinstance(record, dict)
    return _values(record["commitments"], openings)


def _values(commitments: Json, openings: Json) -> Values:
    """Check the openings; a part is opened wholly, or closed wholly: its key was destroyed."""
    if not isinstance(commitments, dict) or not isinstance(openings, dict):
        raise BadInput("FIELD_INVALID", "openings")
    if openings and openings.keys() != commitments.keys():
        raise BadInput("FIELD_INVALID", "only some of a part's openings")
    values: Values = {}
    for name, said in openings.items():
        if not isinstance(said, dict) or set(said) != {"nonce", "value"}:
            raise BadInput("FIELD_INVALID", "opening")
        opening = Opening(hex_bytes(said["nonce"], NONCE_BYTES), said["value"])
        check_opening(str(commitments[name]), opening)
        values[name] = opening.value
    return values


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise BadInput("FIELD_INVALID", "a list")
    return value


def holds(statement: Statement, *keys: object) -> bool:
    """Say whether each of these keys signed the statement; no key, no signature."""
    try:
        for key in keys:
            statement.check_signed_by(key)  # type: ignore[arg-type]  # a missing key has no id
    except (SaferoomError, AttributeError):
        return False
    return True
