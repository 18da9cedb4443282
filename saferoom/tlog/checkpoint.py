"""What did the log promise to have been, and who signed it?

A checkpoint is a C2SP tlog-checkpoint inside a C2SP signed-note: origin, size and root, a
blank line, then signature lines. One checkpoint has one text: no extension lines, decimal
sizes without leading zeros, strict base64. A signature line names its key by a name and a
four-byte hash; the hash only finds the key, the signature is what counts. Signature type
0x01 is Ed25519; another algorithm is another type byte, so neither passes for the other.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from saferoom.crypto.signing import SigningKey, VerifyKey
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.tlog.merkle import HASH_BYTES

ED25519 = 0x01  # C2SP signed-note, "Signature types"
LARGEST_NOTE = 64 * 1024
MOST_SIGNATURES = 16
LARGEST_SIZE = 2**53 - 1  # sizes stand in canonical JSON too
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")  # C2SP signed-note: no spaces, no plus
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_MARK = "\u2014 "  # an em dash and a space open each signature line


@dataclass(frozen=True)
class Checkpoint:
    """One state of one log."""

    origin: str
    size: int
    root: bytes

    def text(self) -> str:
        """Write what is signed: C2SP tlog-checkpoint's three lines."""
        return f"{self.origin}\n{self.size}\n{_base64(self.root)}\n"


@dataclass(frozen=True)
class NoteKey:
    """A key that may sign notes under a name; a log's name is its origin."""

    name: str
    key: VerifyKey

    @property
    def hint(self) -> bytes:
        """Four bytes to find the key by: SHA-256(name, newline, type, key), cut."""
        data = self.name.encode() + b"\n" + bytes([ED25519]) + self.key.raw
        return hashlib.sha256(data).digest()[:4]


@dataclass(frozen=True)
class SignatureLine:
    """One signature line as read; nothing is said of its validity."""

    name: str
    hint: bytes
    signature: bytes

    def text(self) -> str:
        """Write the line."""
        return f"{_MARK}{self.name} {_base64(self.hint + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """A checkpoint and its signature lines, as read."""

    checkpoint: Checkpoint
    signatures: tuple[SignatureLine, ...]

    def text(self) -> str:
        """Write the whole note: exactly the bytes that were read."""
        return self.checkpoint.text() + "\n" + "".join(line.text() for line in self.signatures)


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint whose signatures were checked, and whose they are."""

    checkpoint: Checkpoint
    signers: tuple[NoteKey, ...]


def check_name(name: str) -> None:
    """Refuse a name that a note could not carry."""
    if not _NAME.fullmatch(name):
        raise BadInput("FIELD_INVALID", "the name of a log or of its key")


def sign_checkpoint(checkpoint: Checkpoint, *keys: SigningKey) -> str:
    """Write a note that the log's own keys signed."""
    check_name(checkpoint.origin)
    text = checkpoint.text()
    lines = tuple(
        SignatureLine(
            checkpoint.origin,
            NoteKey(checkpoint.origin, key.public).hint,
            key.sign_raw(text.encode()),
        )
        for key in keys
    )
    return Note(checkpoint, lines).text()


def read_note(text: str) -> Note:
    """Read a note strictly; what is read writes the same bytes."""
    if len(text) > LARGEST_NOTE:
        raise BadInput("TOO_LARGE", "a checkpoint")
    body, blank, tail = text.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) != 3 or not tail.endswith("\n"):
        raise BadInput("FIELD_INVALID", "a checkpoint has three lines, a blank, signatures")
    marks = tail[:-1].split("\n")
    if len(marks) > MOST_SIGNATURES:
        raise BadInput("TOO_LARGE", "a checkpoint's signatures")
    return Note(_read_checkpoint(*lines), tuple(_read_line(mark) for mark in marks))


def check_note(note: Note, keys: Sequence[NoteKey], *, only_known: bool) -> SignedCheckpoint:
    """Check every line by a known key; return who signed, at least one.

    C2SP signed-note ignores lines by unknown keys, so that cosigners can be added.
    Inside a receipt no byte may stand unchecked: there `only_known` refuses them.
    """
    message = note.checkpoint.text().encode()
    signers = []
    for line in note.signatures:
        known = [key for key in keys if key.name == line.name and key.hint == line.hint]
        if not known and only_known:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a signature by an unknown key")
        if known:
            signers.append(_check_line(line, known, message))
    if not signers:
        raise Tampered("CHECKPOINT_UNTRUSTED")
    if len(set(signers)) != len(signers):
        raise Tampered("CHECKPOINT_UNTRUSTED", "a key signs once")
    return SignedCheckpoint(note.checkpoint, tuple(signers))


def _check_line(line: SignatureLine, known: Sequence[NoteKey], message: bytes) -> NoteKey:
    for key in known:  # four bytes may collide; the signature decides
        try:
            key.key.check_raw(line.signature, message)
        except Refusal:
            continue
        return key
    raise Tampered("CHECKPOINT_UNTRUSTED", "a known key's signature does not fit")


def _read_checkpoint(origin: str, size: str, root: str) -> Checkpoint:
    check_name(origin)
    if not _SIZE.fullmatch(size) or int(size) > LARGEST_SIZE:
        raise BadInput("FIELD_INVALID", "a checkpoint's size")
    return Checkpoint(origin, int(size), _unbase64(root, HASH_BYTES))


def _read_line(line: str) -> SignatureLine:
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space:
        raise BadInput("FIELD_INVALID", "a checkpoint's signature line")
    check_name(name)
    hint, signature = struct.unpack("4s64s", _unbase64(encoded, 4 + 64))
    return SignatureLine(name, hint, signature)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str, length: int) -> bytes:
    """Decode standard base64 that encodes back to itself: one text per value."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadInput("FIELD_INVALID", "base64 in a checkpoint") from error
    if len(data) != length or _base64(data) != text:  # stray bits behind the last byte
        raise BadInput("FIELD_INVALID", "base64 in a checkpoint")
    return data
