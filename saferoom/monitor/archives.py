"""Is this archive the log's own, and does it open the very entries that the log has?

Read by an auditor with the archive's key, years later, with nothing but the trust file and the
log: who signed it, that its content is what was signed, that each opening fits the commitment
in its leaf, and that each leaf stands at its place. Rules of its own, like all of the monitor.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from saferoom.canonical import Json, digest_bytes, parse_object
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, SaferoomError, Tampered
from saferoom.monitor.trusted import Trusted
from saferoom.tlog.commitments import NONCE_BYTES, Opening, check_opening
from saferoom.tlog.merkle import root
from saferoom.tlog.tile import WIDTH, Fetch, read_entries

KIND = "saferoom/archive/1"
LARGEST = 1 << 30
_NONCE = 12
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, AssertionError)
_Lines = list[dict[str, Json]]


@dataclass(frozen=True)
class Archive:
    """What was checked: which entries, and what opens them."""

    month: str
    lines: _Lines

    @property
    def opened(self) -> int:
        """Count the entries of which something is open; the others' subjects were shredded."""
        return sum(bool(line["openings"]) for line in self.lines)


def check_archive(data: bytes, key: bytes, trusted: Trusted) -> Archive:
    """Open an archive; Tampered for any byte that is not what the log's key signed."""
    try:
        return _check(data, key, trusted)
    except (*_MALFORMED, InvalidTag, zlib.error) as error:
        raise Tampered("CONTENT_CHANGED", "an archive") from error


def check_places(archive: Archive, fetch: Fetch, size: int) -> None:
    """Refuse a line whose leaf does not stand at its place in a log of this size."""
    bundles: dict[int, list[bytes]] = {}
    for line in archive.lines:
        index = line["index"]
        assert type(index) is int
        if not 0 <= index < size:
            raise Tampered("CONTENT_CHANGED", "an archived entry lies beyond the log")
        number = index // WIDTH
        if number not in bundles:
            bundles[number] = read_entries(fetch, size, number)
        if bundles[number][index % WIDTH] != bytes.fromhex(str(line["leaf"])):
            raise Tampered("CONTENT_CHANGED", "an archived entry is not the log's")


def _check(data: bytes, key: bytes, trusted: Trusted) -> Archive:
    whole = parse_object(data)
    if set(whole) != {"statement", "sealed"}:
        raise BadInput("FIELD_INVALID", "an archive")
    statement = Statement.from_json(whole["statement"])
    said, sealed = statement.body, bytes.fromhex(str(whole["sealed"]))
    if said["kind"] != KIND or said["origin"] != trusted.origin:
        raise Tampered("CHECKPOINT_UNTRUSTED", "an archive of another log")
    if not any(_signed(statement, one.key) for one in trusted.statement_keys):
        raise Tampered("CHECKPOINT_UNTRUSTED", "no key of the log signed the archive")
    if digest_bytes(sealed) != said["sealed"]:
        raise Tampered("CONTENT_CHANGED", "an archive's content")
    month, first, last = said["month"], said["first"], said["last"]
    if type(first) is not int or type(last) is not int:
        raise BadInput("FIELD_INVALID", "an archive")
    name = f"{KIND} {trusted.origin} {month}-{first:012d}".encode()
    plain = AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], name)
    unpacked = zlib.decompressobj().decompress(plain, LARGEST)
    lines = parse_object(unpacked)["lines"]
    found = [line for line in lines if isinstance(line, dict)] if isinstance(lines, list) else []
    if [line["index"] for line in found] != [*range(first, last + 1)]:
        raise Tampered("CONTENT_CHANGED", "an archive's entries")
    for line in found:
        _check_line(line)
    return Archive(str(month), found)


def _signed(statement: Statement, key: object) -> bool:
    try:
        statement.check_signed_by(key)  # type: ignore[arg-type]  # a log key
    except SaferoomError:
        return False
    return True


def _check_line(line: Mapping[str, Json]) -> None:
    leaf = parse_object(bytes.fromhex(str(line["leaf"])))
    records = line["records"]
    assert isinstance(records, list)
    raw = [bytes.fromhex(str(one)) for one in records]
    summary = leaf["records"]
    said = None if not isinstance(summary, dict) else (summary["count"], summary["root"])
    if said != ((len(raw), root(raw).hex()) if raw else None):
        raise Tampered("CONTENT_CHANGED", "an archive's records")
    for position, commitments, opened in _parts(line, leaf, raw):
        if opened.keys() != commitments.keys():
            raise Tampered("CONTENT_CHANGED", f"openings at {position}")
        for name, one in opened.items():
            assert isinstance(one, dict)
            opening = Opening(hex_bytes(one["nonce"], NONCE_BYTES), one["value"])
            check_opening(str(commitments[name]), opening)


def _parts(
    line: Mapping[str, Json], leaf: Mapping[str, Json], records: list[bytes]
) -> Iterator[tuple[int, dict[str, Json], dict[str, Json]]]:
    openings = line["openings"]
    assert isinstance(openings, dict)
    for place, opened in openings.items():
        position = int(place)
        part = leaf if position < 0 else parse_object(records[position])
        commitments = part["commitments"]
        assert isinstance(opened, dict)
        assert isinstance(commitments, dict)
        yield position, commitments, opened
