"""What did the log promise to have been, and who signed it?

A checkpoint is a C2SP tlog-checkpoint inside a C2SP signed-note: origin, size and root,
extension lines (read, never written by us), a blank line, then signature lines. One
checkpoint has one text: decimal sizes without leading zeros, strict base64. A signature line
names its key by a name and a four-byte hash; the hash only finds the key, the signature is
what counts. Signature type 0x01 is Ed25519 over the text, a log's; 0x04 is a witness's
cosignature, over a time and the text; 0xff and a name is ours, SM2 over the text. The type is
part of the hash and, for a cosignature, of what is signed, so none passes for another.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from saferoom.crypto.signing import NoteSigner, NoteVerifier, SigningKey, VerifyKey
from saferoom.errors import BadInput, Refusal, Tampered
from saferoom.tlog.merkle import HASH_BYTES

ED25519 = 0x01  # C2SP signed-note, "Signature types"
COSIGNATURE = 0x04  # C2SP tlog-cosignature: Ed25519 with a time
SM2 = 0xFF  # C2SP signed-note: of a type without a byte of its own, which a name follows
_SM2_NAME = b"saferoom/sm2-sm3/1"
_KINDS = {"ed25519": ED25519, "sm2": SM2}
_TIME = struct.Struct(">Q")
LATEST_TIME = 2**53 - 1  # C2SP tlog-cosignature allows 2^63 - 1; ours also stand in JSON
LONGEST_SIGNATURE = 5_000  # C2SP signed-note: post-quantum ones are nearly that long
LARGEST_NOTE = 64 * 1024
MOST_SIGNATURES = 16
LARGEST_SIZE = 2**53 - 1  # sizes stand in canonical JSON too
_NAME = re.compile(r"[^\s+\x00-\x1f\x7f]{1,255}")  # C2SP signed-note: no spaces, no plus
_SIZE = re.compile(r"0|[1-9][0-9]{0,15}")
_EXTENSION = re.compile(r"[^\x00-\x1f\x7f]+")  # C2SP signed-note: no controls; never empty
_MARK = "\u2014 "  # an em dash and a space open each signature line


@dataclass(frozen=True)
class Checkpoint:
    """One state of one log."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        """Write what is signed: C2SP tlog-checkpoint's three lines, and extensions."""
        lines = (self.origin, str(self.size), _base64(self.root), *self.extensions)
        return "".join(f"{line}\n" for line in lines)


@dataclass(frozen=True)
class NoteKey:
    """A key that may sign notes under a name; a log's name is its origin."""

    name: str
    key: NoteVerifier
    kind: int = ED25519

    @classmethod
    def of_log(cls, origin: str, key: NoteVerifier) -> NoteKey:
        """Return the note's key for a log's key of either algorithm."""
        return cls(origin, key, _KINDS[key.ALGORITHM])

    @property
    def hint(self) -> bytes:
        """Four bytes to find the key by: SHA-256(name, newline, type, key), cut."""
        kind = bytes([self.kind]) + (_SM2_NAME if self.kind == SM2 else b"")
        data = self.name.encode() + b"\n" + kind + self.key.raw
        return hashlib.sha256(data).digest()[:4]

    def check(self, signature: bytes, text: str) -> int:
        """Refuse a signature that does not fit; return the time of a cosignature, else 0."""
        if self.kind != COSIGNATURE:
            self.key.check_raw(signature, text.encode())
            return 0
        if len(signature) != _TIME.size + 64:
            raise Refusal("SIGNATURE_INVALID", "a cosignature is a time and 64 bytes")
        (time,) = _TIME.unpack(signature[: _TIME.size])
        if time > LATEST_TIME:
            raise Refusal("SIGNATURE_INVALID", "a cosignature's time")
        self.key.check_raw(signature[_TIME.size :], _cosigned(text, time))
        return int(time)


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
class Cosigned:
    """A cosignature that was checked: whose, and of when."""

    key: NoteKey
    time: int  # seconds since 1970, the witness's word


@dataclass(frozen=True)
class SignedCheckpoint:
    """A checkpoint whose signatures were checked: the log's own, and witnesses'."""

    checkpoint: Checkpoint
    signers: tuple[NoteKey, ...]
    cosigned: tuple[Cosigned, ...] = ()


def check_name(name: str) -> None:
    """Refuse a name that a note could not carry."""
    if not _NAME.fullmatch(name):
        raise BadInput("FIELD_INVALID", "the name of a log or of its key")


def sign_checkpoint(checkpoint: Checkpoint, *keys: NoteSigner) -> str:
    """Write a note that the log's own keys signed."""
    check_name(checkpoint.origin)
    text = checkpoint.text()
    lines = tuple(
        SignatureLine(
            checkpoint.origin,
            NoteKey.of_log(checkpoint.origin, key.public).hint,
            key.sign_raw(text.encode()),
        )
        for key in keys
    )
    return Note(checkpoint, lines).text()


def cosign_checkpoint(
    checkpoint: Checkpoint, name: str, key: SigningKey, time: int
) -> SignatureLine:
    """State that this is the largest tree of its log that the witness has seen as of then."""
    signature = _TIME.pack(time) + key.sign_raw(_cosigned(checkpoint.text(), time))
    return SignatureLine(name, NoteKey(name, key.public, COSIGNATURE).hint, signature)


def read_note(text: str) -> Note:
    """Read a note strictly; what is read writes the same bytes."""
    if len(text) > LARGEST_NOTE:
        raise BadInput("TOO_LARGE", "a checkpoint")
    body, blank, tail = text.partition("\n\n")
    lines = body.split("\n")
    if not blank or len(lines) < 3:
        raise BadInput("FIELD_INVALID", "a checkpoint has three lines, a blank, signatures")
    return Note(_read_checkpoint(*lines), read_lines(tail))


def read_lines(text: str) -> tuple[SignatureLine, ...]:
    """Read signature lines, such as a witness answers with."""
    marks = text.split("\n", MOST_SIGNATURES + 1)
    if len(marks) > MOST_SIGNATURES + 1:
        raise BadInput("TOO_LARGE", "a checkpoint's signatures")
    if marks.pop() or not marks:
        raise BadInput("FIELD_INVALID", "a checkpoint's signature lines")
    return tuple(_read_line(mark) for mark in marks)


def write_key(key: NoteKey) -> str:
    """Write a key as programs of C2SP's family are given it: `name+hint+base64`."""
    return f"{key.name}+{key.hint.hex()}+{_base64(bytes([key.kind]) + key.key.raw)}"


def read_key(text: str) -> NoteKey:
    """Read what `write_key` writes; the hint must be the key's own."""
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    check_name(name)
    data = _unbase64(encoded, 1 + 32)
    if data[0] not in {ED25519, COSIGNATURE}:
        raise BadInput("FIELD_INVALID", "the type of a note's key")
    key = NoteKey(name, VerifyKey.from_hex(data[1:].hex()), data[0])
    if write_key(key) != text:
        raise BadInput("FIELD_INVALID", "the hash of a note's key")
    return key


def check_note(note: Note, keys: Sequence[NoteKey], *, only_known: bool) -> SignedCheckpoint:
    """Check every line by a known key; return who signed, at least one.

    C2SP signed-note ignores lines by unknown keys, so that cosigners can be added.
    Inside a receipt no byte may stand unchecked: there `only_known` refuses them.
    """
    text = note.checkpoint.text()
    found: list[Cosigned] = []
    for line in note.signatures:
        known = [key for key in keys if key.name == line.name and key.hint == line.hint]
        if not known and only_known:
            raise Tampered("CHECKPOINT_UNTRUSTED", "a signature by an unknown key")
        if known:
            found.append(_check_line(line, known, text))
    signers = tuple(one.key for one in found if one.key.kind != COSIGNATURE)
    if not signers:
        raise Tampered("CHECKPOINT_UNTRUSTED")
    if len({one.key for one in found}) != len(found):
        raise Tampered("CHECKPOINT_UNTRUSTED", "a key signs once")
    cosigned = tuple(one for one in found if one.key.kind == COSIGNATURE)
    return SignedCheckpoint(note.checkpoint, signers, cosigned)


def _check_line(line: SignatureLine, known: Sequence[NoteKey], text: str) -> Cosigned:
    for key in known:  # four bytes may collide; the signature decides
        try:
            return Cosigned(key, key.check(line.signature, text))
        except Refusal:
            continue
    raise Tampered("CHECKPOINT_UNTRUSTED", "a known key's signature does not fit")


def _cosigned(text: str, time: int) -> bytes:
    """C2SP tlog-cosignature, "Ed25519 signed message": a header, the time, the whole text."""
    return f"cosignature/v1\ntime {time}\n{text}".encode()


def _read_checkpoint(origin: str, size: str, root: str, *extensions: str) -> Checkpoint:
    check_name(origin)
    if not _SIZE.fullmatch(size) or int(size) > LARGEST_SIZE:
        raise BadInput("FIELD_INVALID", "a checkpoint's size")
    if not all(map(_EXTENSION.fullmatch, extensions)):
        raise BadInput("FIELD_INVALID", "a checkpoint's extension line")
    return Checkpoint(origin, int(size), _unbase64(root, HASH_BYTES), extensions)


def _read_line(line: str) -> SignatureLine:
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space:
        raise BadInput("FIELD_INVALID", "a checkpoint's signature line")
    check_name(name)
    data = _unbase64(encoded)
    if not 4 < len(data) <= LONGEST_SIGNATURE:  # of another type: any length
        raise BadInput("FIELD_INVALID", "a checkpoint's signature line")
    return SignatureLine(name, data[:4], data[4:])


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _unbase64(text: str, length: int | None = None) -> bytes:
    """Decode standard base64 that encodes back to itself: one text per value."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadInput("FIELD_INVALID", "base64 in a checkpoint") from error
    fits = length is None or len(data) == length
    if not fits or _base64(data) != text:  # stray bits behind the last byte
        raise BadInput("FIELD_INVALID", "base64 in a checkpoint")
    return data
