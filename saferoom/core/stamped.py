"""Which checkpoint of the log existed before which time, by whose word?

`stamped` is canonical JSON: a checkpoint's note, and what time stamping authorities answered over
the checkpoint's text (without its signature lines, which witnesses may add to). Authorities are
pinned by name and certificate in a file of their own, got like the trust file by another way.

Proven: the tree of that size existed before the time, by the authority's word. Not proven: that
it did not exist long before, nor anything about entries beyond that size.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.core.record import Record, check_field, is_line
from saferoom.crypto.timestamps import check_response, read_certificate
from saferoom.errors import BadInput, Tampered
from saferoom.tlog.checkpoint import Note, read_note

_KIND = "saferoom/authorities/1"
MOST = 8


@dataclass(frozen=True, kw_only=True)
class Authority(Record):
    """One time stamping authority: its name, where it answers, and its own certificate."""

    name: str
    url: str
    certificate: str  # DER, hexadecimal

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(is_line(self.name), "name")
        check_field(self.url.startswith(("https://", "http://")) and is_line(self.url), "url")
        read_certificate(self.der)

    @property
    def der(self) -> bytes:
        """Return the certificate's bytes."""
        try:
            return bytes.fromhex(self.certificate)
        except ValueError as error:
            raise BadInput("FIELD_INVALID", "certificate") from error


@dataclass(frozen=True, kw_only=True)
class AuthorityStamp(Record):
    """What one authority answered."""

    authority: str
    response: str  # RFC 3161 TimeStampResp, hexadecimal


@dataclass(frozen=True, kw_only=True)
class Stamped(Record):
    """A checkpoint and its stamps."""

    KIND: ClassVar[str] = "saferoom/stamped/1"
    checkpoint: str
    stamps: tuple[AuthorityStamp, ...]

    def __post_init__(self) -> None:
        """Check ranges; an authority stamps once."""
        names = {stamp.authority for stamp in self.stamps}
        check_field(0 < len(names) == len(self.stamps) <= MOST, "stamps")

    @property
    def note(self) -> Note:
        """Read the note."""
        return read_note(self.checkpoint)


def read_authorities(data: bytes) -> tuple[Authority, ...]:
    """Read the file of pinned authorities strictly; each name once."""
    body = parse_object(data)
    listed = body.get("authorities")
    check_field(set(body) == {"kind", "authorities"} and body["kind"] == _KIND, "authorities")
    if not isinstance(listed, list):
        raise BadInput("FIELD_INVALID", "authorities")
    found = tuple(Authority.from_body(one) for one in listed)
    check_field(len({one.name for one in found}) == len(found) <= MOST, "authorities")
    return found


def write_authorities(authorities: tuple[Authority, ...]) -> bytes:
    """Write that file."""
    return canonical_bytes(
        {"kind": _KIND, "authorities": [authority.to_body() for authority in authorities]}
    )


def check_stamped(
    data: bytes, authorities: tuple[Authority, ...]
) -> tuple[Note, tuple[tuple[str, datetime], ...]]:
    """Return the checkpoint, not yet believed, and by when each authority says that it existed."""
    try:
        stamped = Stamped.from_body(parse_object(data))
        note = stamped.note
    except BadInput as error:
        raise Tampered("TIMESTAMP_INVALID", "it cannot be read strictly") from error
    pinned = {authority.name: authority for authority in authorities}
    if not all(stamp.authority in pinned for stamp in stamped.stamps):
        raise Tampered("TIMESTAMP_INVALID", "an authority that is not pinned")
    return note, tuple(
        (stamp.authority, _by(stamp, pinned[stamp.authority], note)) for stamp in stamped.stamps
    )


def _by(stamp: AuthorityStamp, authority: Authority, note: Note) -> datetime:
    try:
        response = bytes.fromhex(stamp.response)
    except ValueError as error:
        raise Tampered("TIMESTAMP_INVALID", "it cannot be read strictly") from error
    if response.hex() != stamp.response:
        raise Tampered("TIMESTAMP_INVALID", "it cannot be read strictly")
    message = note.checkpoint.text().encode()
    return check_response(response, message, read_certificate(authority.der)).by
