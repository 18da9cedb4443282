"""How do many files become one, so that anyone can open it and nobody can hide a byte in it?

A ZIP archive of a single form (PKWARE APPNOTE 6.3.10, §4.3): stored, never compressed, files in
the order of their names, one fixed time, no comments, no extra fields. The same files give the
same bytes on any machine. It is read by this form alone: what is read is written again and must
be the very bytes that came, so padding, a second directory, links, or two files of one name have
no place to stand, and there is nothing to unpack that would be larger than what was sent.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping

from saferoom.errors import BadInput, Tampered

LARGEST = 2**30
MOST_FILES = 60_000
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*(/[A-Za-z0-9_-][A-Za-z0-9._-]*)*")
_LONGEST_NAME = 200
_VERSION = 20  # §4.4.3: stored files in folders
_DATE = 0x21  # §4.4.6: the first of January 1980, midnight
# §4.3.7 and §4.3.12: what stands alike before each file and in the directory.
_SHARED = struct.Struct("<HHHHHIIIHH")
_LOCAL, _ENTRY, _END = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_MORE = struct.Struct("<HHHII")  # comment, disk, attributes, and where the file begins
_LAST = struct.Struct("<HHHHIIH")  # §4.3.16


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """Write the one archive of these files."""
    if len(files) > MOST_FILES or sum(map(len, files.values())) > LARGEST:
        raise BadInput("TOO_LARGE", "an archive")
    body, directory = bytearray(), bytearray()
    for name in sorted(files):
        shared = _shared(name, files[name])
        more = _MORE.pack(0, 0, 0, 0, len(body))
        directory += _ENTRY + struct.pack("<H", _VERSION) + shared + more + name.encode()
        body += _LOCAL + shared + name.encode() + files[name]
    end = _LAST.pack(0, 0, len(files), len(files), len(directory), len(body), 0)
    return bytes(body + directory + _END + end)


def read_archive(data: bytes) -> dict[str, bytes]:
    """Read what `write_archive` wrote; refuse every other byte."""
    if len(data) > 2 * LARGEST:
        raise BadInput("TOO_LARGE", "an archive")
    try:
        files = _read_files(data)
        same = write_archive(files) == data
    except (BadInput, struct.error, UnicodeDecodeError) as error:
        raise Tampered("BUNDLE_INVALID", "not an archive of the one form") from error
    if not same:
        raise Tampered("BUNDLE_INVALID", "not an archive of the one form")
    return files


def _read_files(data: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    at = 0
    while data.startswith(_LOCAL, at) and len(files) <= MOST_FILES:
        *_, size, _, name_length, _ = _SHARED.unpack_from(data, at + len(_LOCAL))
        start = at + len(_LOCAL) + _SHARED.size
        at = start + name_length + size
        files[data[start : start + name_length].decode("ascii")] = data[start + name_length : at]
    return files


def _shared(name: str, data: bytes) -> bytes:
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        raise BadInput("FIELD_INVALID", "a file's name in an archive")
    fields = (_VERSION, 0, 0, 0, _DATE, zlib.crc32(data), len(data), len(data), len(name), 0)
    return _SHARED.pack(*fields)
