"""Is this entry of a known kind, with exactly its fields and nothing in clear?

A table of the monitor's own: it shares no code with the room's, and a test compares the two.
Each kind has one canonical layout, so one pattern over the raw bytes says both that the
fields are the right ones and that the bytes are canonical, at some microseconds an entry.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_HASH = rb'"[0-9a-f]{64}"'
_HOUR = rb'"([0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]Z)"'
_RECORDS = rb'\{"count":([1-9][0-9]{0,8}),"root":"([0-9a-f]{64})"\}'
_KIND = b'"kind":"'

# kind: (digests in clear, committed fields, fields of each enterprise's record)
TABLE: dict[str, tuple[str, str, str]] = {
    "genesis": ("trust", "origin operators", ""),
    "key_enrolled": ("", "holder party role key replaces statement", ""),
    "contact_set": ("", "party statement", ""),
    "party_admitted": ("", "party statement voters", ""),
    "party_suspended": ("", "party statement voters", ""),
    "source_connected": ("manifest", "party voters", ""),
    "ingested": ("", "source rows quarantined", ""),
    "self_reported": ("", "enterprise table statement rows quarantined", ""),
    "views_approved": ("views", "voters", ""),
    "mock_approved": ("mock", "voters", ""),
    "profiled": ("snapshot views", "party by order figures", ""),
    "quality_ticket": ("", "source tickets closed", ""),
    "snapshot_published": ("snapshot views", "as_of", ""),
    "policy_activated": ("policy_set", "voters", ""),
    "template_approved": ("template", "voters", ""),
    "version_submitted": ("version", "bank submitter", ""),
    "vote_cast": ("", "subject voter decision statement", ""),
    "version_approved": ("version", "voters", ""),
    "version_suspended": ("version", "by statement", ""),
    "budget_signed": ("", "enterprise group limit_mbit ceiling_mbit statement", ""),
    "grant_signed": ("", "enterprise bank version statement", ""),
    "grant_revoked": ("", "enterprise grant statement", ""),
    "release": (
        "version views snapshot policy_set",
        "bank request caller purpose loan_reference approvers override",
        "enterprise grant budget charge_mbit answer source",
    ),
    "verified": (
        "question",
        "bank request caller purpose loan_reference enterprise grant charge_mbit answer",
        "",
    ),
    "refusal": ("", "bank request", "enterprise code"),
    "erased": ("", "enterprise statement certificate", ""),
    "keys_rotated": ("", "statement voters", ""),
    "token_issued": ("", "holder", ""),
    "witnesses_overridden": ("", "reason valid_until by statement", ""),
    "witnesses_changed": ("", "reason valid_from by statement", ""),
    "archived": ("archive", "name entries", ""),
    "archive_closed": ("archive", "name", ""),
    "restored": ("", "entries unreadable", ""),
    "log_closed": ("trust closing", "origin successor lost by reason statement", ""),
    "openings_exported": ("", "auditor entries", ""),
    "own_record_given": ("", "enterprise order", ""),
    "record_disputed": ("", "enterprise source statement", ""),
    "batches_taken": ("paper", "", ""),
    "snapshot_made": ("snapshot paper", "", ""),
    "looked_up": ("", "by role what enterprise", ""),
}


@dataclass(frozen=True)
class Leaf:
    """What an entry says in clear."""

    kind: str
    hour: str
    records: int
    records_root: bytes


def read_leaf(data: bytes) -> Leaf | None:
    """Read an entry by its kind's one layout; None for any other bytes."""
    start = data.rfind(_KIND) + len(_KIND)
    pattern = _PATTERNS.get(data[start : data.find(b'"', start)])
    found = None if pattern is None else pattern.fullmatch(data)
    if found is None:
        return None
    kind, parts = data[start : data.find(b'"', start)].decode(), found.groups()
    if len(parts) == 1:
        return Leaf(kind, parts[0].decode(), 0, b"")
    return Leaf(kind, parts[2].decode(), int(parts[0]), bytes.fromhex(parts[1].decode()))


def _object(names: Sequence[str]) -> bytes:
    fields = (b'"' + name.encode() + b'":' + _HASH for name in sorted(names))
    return rb"\{" + b",".join(fields) + rb"\}"


def _pattern(kind: str) -> re.Pattern[bytes]:
    artefacts, committed, record = (names.split() for names in TABLE[kind])
    records = _RECORDS if record else b"null"
    return re.compile(
        rb'\{"artefacts":' + _object(artefacts) + rb',"commitments":' + _object(committed)
        + rb',"kind":"' + kind.encode() + rb'","records":' + records
        + rb',"time":' + _HOUR + rb',"v":1\}'
    )  # fmt: skip  # the layout reads as one


_PATTERNS = {kind.encode(): _pattern(kind) for kind in TABLE}
