"""What does a witness keep, so that no crash makes it forget what it cosigned?

A folder of its own: its key, the keys of the logs that it watches, and for each log the last
note that it cosigned. A note is synced beside, renamed, and its folder synced, before anyone
is answered. A note that cannot be read stops the witness for that log: whoever has forgotten
must not cosign again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.signing import SigningKey, hex_bytes
from saferoom.errors import BadInput, Conflict, NotFound, Tampered
from saferoom.tlog.checkpoint import (
    COSIGNATURE,
    ED25519,
    Note,
    NoteKey,
    check_name,
    read_key,
    read_note,
    write_key,
)

KEY_KIND = "saferoom/witness-key/1"
MOST_EVIDENCE = 1_000  # notes; whoever forks a thousand times is known


@dataclass(frozen=True)
class WitnessHome:
    """The folder, and who the witness is."""

    folder: Path
    name: str
    organisation: str
    key: SigningKey

    @property
    def note_key(self) -> NoteKey:
        """Return the public key as notes name it."""
        return NoteKey(self.name, self.key.public, COSIGNATURE)

    def logs(self) -> dict[str, list[NoteKey]]:
        """Read which logs are watched, by origin; read anew each time, so it can grow."""
        found: dict[str, list[NoteKey]] = {}
        path = self.folder / "logs"
        for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
            key = read_key(line)
            found.setdefault(key.name, []).append(key)
        return found

    def watch(self, keys: Sequence[NoteKey]) -> None:
        """Watch a log under these keys too."""
        for key in keys:
            if key.kind != ED25519:
                raise BadInput("FIELD_INVALID", "a log's key")
        known = {write_key(key) for held in self.logs().values() for key in held}
        lines = sorted(known | {write_key(key) for key in keys})
        write_synced(self.folder / "logs", "".join(f"{line}\n" for line in lines).encode())

    def last(self, origin: str) -> Note | None:
        """Return what was cosigned last of this log; None: nothing ever."""
        try:
            text = self._place(origin).read_text(encoding="utf-8")
            return read_note(text)
        except FileNotFoundError:
            return None
        except (BadInput, UnicodeDecodeError) as error:
            raise Tampered("CONTENT_CHANGED", "what the witness remembers") from error

    def keep(self, note: Note) -> None:
        """Remember, durably, before anything is signed."""
        write_synced(self._place(note.checkpoint.origin), note.text().encode())

    def accuse(self, note: Note) -> None:
        """Keep a note that its log signed and that does not fit: evidence against the log."""
        folder = self.folder / "evidence"
        folder.mkdir(exist_ok=True)
        data = note.text().encode()
        if sum(1 for _ in folder.iterdir()) < MOST_EVIDENCE:
            write_synced(folder / hashlib.sha256(data).hexdigest(), data)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the home: two programs on one memory could each cosign another root."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("HOME_BUSY", "witness") from error
            yield
        finally:
            os.close(lock)

    def _place(self, origin: str) -> Path:
        return self.folder / "seen" / hashlib.sha256(origin.encode()).hexdigest()


def create(folder: Path, name: str, organisation: str, seed: bytes) -> WitnessHome:
    """Make a witness's home in a new folder."""
    check_name(name)
    if not 0 < len(organisation) <= 100:
        raise BadInput("FIELD_INVALID", "organisation")
    try:
        (folder / "seen").mkdir(parents=True)
    except FileExistsError as error:
        raise Conflict("DUPLICATE", "this folder has a witness") from error
    folder.chmod(0o700)
    body: dict[str, Json] = {
        "kind": KEY_KIND,
        "name": name,
        "organisation": organisation,
        "seed": seed.hex(),
    }
    write_synced(folder / "key.json", canonical_bytes(body), 0o600)
    return load(folder)


def load(folder: Path) -> WitnessHome:
    """Open a witness's home; refuse a key that others may read."""
    path = folder / "key.json"
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput("KEY_FOLDER", "key.json is readable by others")
        body = parse_object(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound("NOT_FOUND", "the witness's home") from error
    if set(body) != {"kind", "name", "organisation", "seed"} or body["kind"] != KEY_KIND:
        raise BadInput("KEY_FOLDER", "key.json")
    name, organisation = str(body["name"]), str(body["organisation"])
    return WitnessHome(folder, name, organisation, SigningKey(hex_bytes(body["seed"], 32)))


def write_synced(path: Path, data: bytes, mode: int = 0o644) -> None:
    """Put a file in place as a whole, durably."""
    beside = path.with_name(f".{path.name}.new")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
