"""What does an auditor hand to a regulator, so that everything can be checked again without us?

The manifest lists every file of the archive but itself, by size and digest, and an auditor's key
signs it: who put it together, when, of which state of the log. That signature says who answers
for the choice of what is in it. What the files prove, they prove by themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from saferoom.canonical import Digest, digest_bytes
from saferoom.core.enrolment import Enrolment, Lookup, Role, check_signer
from saferoom.core.moment import read_instant
from saferoom.core.record import Record, check_field
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, Refusal, Tampered

MANIFEST = "manifest.json"


@dataclass(frozen=True, kw_only=True)
class BundleFile(Record):
    """One file."""

    name: str
    size: int
    sha256: Digest


@dataclass(frozen=True, kw_only=True)
class Bundle(Record):
    """What the auditor signs."""

    KIND: ClassVar[str] = "saferoom/bundle/1"
    origin: str
    size: int  # of the log
    made_at: str
    about: str | None  # one party's receipts alone; null: the whole log with its openings
    files: tuple[BundleFile, ...]
    nonce: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(self.size > 0, "size")
        read_instant(self.made_at)
        hex_bytes(self.nonce, 16)


def list_files(files: Mapping[str, bytes]) -> tuple[BundleFile, ...]:
    """List files as the manifest does, by name."""
    return tuple(
        BundleFile(name=name, size=len(files[name]), sha256=digest_bytes(files[name]))
        for name in sorted(files)
    )


def read_manifest(files: Mapping[str, bytes]) -> tuple[Statement, Bundle]:
    """Read the manifest, and hold it to the files that lie beside it; not yet who signed it."""
    try:
        statement = Statement.from_bytes(files.get(MANIFEST, b""))
        bundle = Bundle.from_body(statement.body)
    except BadInput as error:
        raise Tampered("BUNDLE_INVALID", "it has no manifest that can be read") from error
    listed = list_files({name: data for name, data in files.items() if name != MANIFEST})
    if bundle.files != listed:
        raise Tampered("BUNDLE_INVALID", "its files are not those of its manifest")
    return statement, bundle


def check_bundle_signer(statement: Statement, lookup: Lookup) -> Enrolment:
    """Return the auditor who signed; refuse a manifest that nobody answers for."""
    try:
        return check_signer(statement, lookup, Role.AUDITOR)
    except Refusal as error:
        raise Tampered("BUNDLE_INVALID", "no auditor of this room signed its manifest") from error
