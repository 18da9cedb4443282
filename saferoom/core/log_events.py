"""What may stand in the public log, and what is only committed to?

The table below is literal: for each kind the artefacts named by digest (never personal),
the fields that are committed to in the leaf, and the fields committed to in each
enterprise's record of a chunk of releases or refusals. A name that is not in the table is
refused, and so is one that is missing: no one adds a clear-text field to a leaf by passing
one more key.
Openings leave here beside the leaf, to be kept outside the tree under the subject's key.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import NamedTuple

from saferoom.canonical import Digest, Json, canonical_bytes
from saferoom.core.moment import coarse
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import BadInput
from saferoom.tlog import merkle
from saferoom.tlog.commitments import Opening, commit

VERSION = 1
LARGEST_LEAF = 65_535  # an entry bundle's lengths are 16 bits (C2SP tlog-tiles)
_HOUR = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}Z")


class EventKind(NamedTuple):
    """The names that one kind of entry carries: all of them, and no others."""

    artefacts: tuple[str, ...] = ()
    committed: tuple[str, ...] = ()
    record: tuple[str, ...] = ()


KINDS: dict[str, EventKind] = {
    "genesis": EventKind(("trust",), ("origin", "operators")),
    "key_enrolled": EventKind((), ("holder", "party", "role", "key", "replaces", "statement")),
    "contact_set": EventKind((), ("party", "statement")),
    "party_admitted": EventKind((), ("party", "statement", "voters")),
    "party_suspended": EventKind((), ("party", "statement", "voters")),
    "source_connected": EventKind(("manifest",), ("party", "voters")),
    "ingested": EventKind((), ("source", "rows", "quarantined")),
    "self_reported": EventKind((), ("enterprise", "table", "statement", "rows", "quarantined")),
    "views_approved": EventKind(("views",), ("voters",)),
    "mock_approved": EventKind(("mock",), ("voters",)),
    "profiled": EventKind(("snapshot", "views"), ("party", "by", "order", "figures")),
    "quality_ticket": EventKind((), ("source", "tickets", "closed")),
    "snapshot_published": EventKind(("snapshot", "views"), ("as_of",)),
    "policy_activated": EventKind(("policy_set",), ("voters",)),
    "template_approved": EventKind(("template",), ("voters",)),
    "version_submitted": EventKind(("version",), ("bank", "submitter")),
    "vote_cast": EventKind((), ("subject", "voter", "decision", "statement")),
    "version_approved": EventKind(("version",), ("voters",)),
    "version_suspended": EventKind(("version",), ("by", "statement")),
    "budget_signed": EventKind(
        (), ("enterprise", "group", "limit_mbit", "ceiling_mbit", "statement")
    ),
    "grant_signed": EventKind((), ("enterprise", "bank", "version", "statement")),
    "grant_revoked": EventKind((), ("enterprise", "grant", "statement")),
    "release": EventKind(
        ("version", "views", "snapshot", "policy_set"),
        ("bank", "request", "caller", "purpose", "loan_reference", "approvers", "override"),
        ("enterprise", "grant", "budget", "charge_mbit", "answer", "source"),
    ),
    "verified": EventKind(
        ("question",),
        (
            *("bank", "request", "caller", "purpose", "loan_reference"),
            *("enterprise", "grant", "charge_mbit", "answer"),
        ),
    ),
    "refusal": EventKind((), ("bank", "request"), ("enterprise", "code")),
    "erased": EventKind((), ("enterprise", "statement", "certificate")),
    "keys_rotated": EventKind((), ("statement", "voters")),
    "token_issued": EventKind((), ("holder",)),
    "witnesses_overridden": EventKind((), ("reason", "valid_until", "by", "statement")),
    "witnesses_changed": EventKind((), ("reason", "valid_from", "by", "statement")),
    "archived": EventKind(("archive",), ("name", "entries")),
    "archive_closed": EventKind(("archive",), ("name",)),
    "restored": EventKind((), ("entries", "unreadable")),
    "log_closed": EventKind(
        ("trust", "closing"), ("origin", "successor", "lost", "by", "reason", "statement")
    ),
    "openings_exported": EventKind((), ("auditor", "entries")),
    "own_record_given": EventKind((), ("enterprise", "order")),
    "record_disputed": EventKind((), ("enterprise", "source", "statement")),
    "batches_taken": EventKind(("paper",)),
    "snapshot_made": EventKind(("snapshot", "paper")),
    "looked_up": EventKind((), ("by", "role", "what", "enterprise")),
}


@dataclass(frozen=True)
class Entry:
    """One entry to sequence: public bytes, and the openings that are not public."""

    leaf: bytes
    openings: dict[str, Opening]
    records: tuple[bytes, ...]
    record_openings: tuple[dict[str, Opening], ...]


def build_entry(  # noqa: PLR0917  # the seam fixes the order; callers name what they pass
    kind: str,
    artefacts: Mapping[str, Digest],
    personal: Mapping[str, Json],
    now: datetime,
    random_bytes: Callable[[int], bytes],
    records: Sequence[Mapping[str, Json]] = (),
) -> Entry:
    """Build one leaf, its records and all openings; every commitment has a fresh nonce."""
    names = _names(kind)
    _check_names(artefacts, names.artefacts, "artefacts")
    for name in names.artefacts:
        hex_bytes(artefacts[name], 32)
    commitments, openings = _commit_all(personal, names.committed, random_bytes)
    built = [_build_record(record, names.record, random_bytes) for record in records]
    lines = tuple(line for line, _ in built)
    leaf: dict[str, Json] = {
        "artefacts": dict(artefacts),
        "commitments": commitments,
        "kind": kind,
        "records": _summary(lines, names),
        "time": coarse(now),
        "v": VERSION,
    }
    return Entry(_bounded(leaf), openings, lines, tuple(opened for _, opened in built))


@dataclass(frozen=True)
class Leaf:
    """A leaf as read back, checked against the table."""

    kind: str
    time: str
    artefacts: dict[str, str]
    commitments: dict[str, str]
    records: int | None
    records_root: bytes | None

    @property
    def hour(self) -> datetime:
        """Return the start of the hour in which the room wrote it."""
        return read_hour(self.time)


def read_leaf(value: object) -> Leaf:
    """Read a leaf strictly: the table's names, hexadecimal of the right length, an hour."""
    fields = _object(value, {"artefacts", "commitments", "kind", "records", "time", "v"}, "leaf")
    kind, time = fields["kind"], fields["time"]
    names = _names(kind)
    _check(type(fields["v"]) is int and fields["v"] == VERSION, "v")
    read_hour(time)
    count, records_root = _read_summary(fields["records"], names)
    return Leaf(
        kind=str(kind),
        time=str(time),
        artefacts=_hex_fields(fields["artefacts"], names.artefacts, "artefacts"),
        commitments=_hex_fields(fields["commitments"], names.committed, "commitments"),
        records=count,
        records_root=records_root,
    )


def read_record(value: object, kind: str) -> dict[str, str]:
    """Read one enterprise's record strictly; return its commitments."""
    fields = _object(value, {"commitments", "v"}, "record")
    _check(type(fields["v"]) is int and fields["v"] == VERSION, "v")
    return _hex_fields(fields["commitments"], _names(kind).record, "commitments")


def _names(kind: object) -> EventKind:
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadInput("FIELD_INVALID", "kind of log entry")
    return KINDS[kind]


def _commit_all(
    values: Mapping[str, Json], names: Iterable[str], random_bytes: Callable[[int], bytes]
) -> tuple[dict[str, Json], dict[str, Opening]]:
    _check_names(values, names, "committed fields")
    commitments: dict[str, Json] = {}
    openings: dict[str, Opening] = {}
    for name in names:
        commitments[name], openings[name] = commit(values[name], random_bytes)
    return commitments, openings


def _build_record(
    values: Mapping[str, Json], names: Sequence[str], random_bytes: Callable[[int], bytes]
) -> tuple[bytes, dict[str, Opening]]:
    commitments, openings = _commit_all(values, names, random_bytes)
    return _bounded({"commitments": commitments, "v": VERSION}), openings


def _summary(lines: Sequence[bytes], names: EventKind) -> dict[str, Json] | None:
    _check(bool(lines) == bool(names.record), "records")
    return {"count": len(lines), "root": merkle.root(lines).hex()} if lines else None


def _read_summary(value: object, names: EventKind) -> tuple[int | None, bytes | None]:
    _check((value is not None) == bool(names.record), "records")
    if value is None:
        return None, None
    fields = _object(value, {"count", "root"}, "records")
    count = fields["count"]
    if type(count) is not int or count < 1:
        raise BadInput("FIELD_INVALID", "records")
    return count, hex_bytes(fields["root"], 32)


def _bounded(value: Mapping[str, Json]) -> bytes:
    data = canonical_bytes(value)
    if len(data) > LARGEST_LEAF:
        raise BadInput("TOO_LARGE", "a log entry")
    return data


def _check_names(given: Iterable[object], expected: Iterable[str], what: str) -> None:
    _check(set(given) == set(expected), what)


def _hex_fields(value: object, names: Iterable[str], what: str) -> dict[str, str]:
    fields = _object(value, set(names), what)
    return {name: hex_bytes(text, 32).hex() for name, text in fields.items()}


def _object(value: object, names: set[str], what: str) -> dict[str, object]:
    if not isinstance(value, dict) or set(value) != names:
        raise BadInput("FIELD_INVALID", what)
    return value


def _check(holds: bool, what: str) -> None:  # noqa: FBT001  # reads as: check that it holds
    if not holds:
        raise BadInput("FIELD_INVALID", what)


def read_hour(text: object) -> datetime:
    """Read the hour that a leaf tells."""
    if not isinstance(text, str) or not _HOUR.fullmatch(text):
        raise BadInput("FIELD_INVALID", "time")
    try:
        return datetime.strptime(text, "%Y-%m-%dT%HZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise BadInput("FIELD_INVALID", "time") from error
