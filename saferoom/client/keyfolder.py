"""Where are a person's keys, and may nobody else read them?

A key folder holds `key.json` and, after a login, `token` and `origin`: which room its owner
proves to be someone to. All are 0600; a file that others could read is refused instead of
repaired, because it may have been read already.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.enrolment import Role
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import SigningKey, hex_bytes
from saferoom.errors import BadInput, Conflict

KIND = "saferoom/key-folder/1"
KEY_FILE = "key.json"
TOKEN_FILE = "token"  # noqa: S105  # a file's name
ORIGIN_FILE = "origin"
_FIELDS = frozenset(
    {
        "kind",
        "holder",
        "party",
        "role",
        "signing_seed",
        "sealing_seed",
        "delivery_seed",
        "url",
    }
)


@dataclass(frozen=True)
class KeyFolder:
    """Who someone is to the room, and the private keys that prove it."""

    holder: str
    party: str
    role: Role
    url: str
    signing: SigningKey = field(repr=False)
    sealing: SealingKey = field(repr=False)
    delivery: SealingKey | None = field(
        repr=False, default=None
    )  # the bank's, shared by its people
    token: str | None = field(repr=False, default=None)
    folder: Path | None = None
    origin: str | None = None  # the log of the room that this key is enrolled in, once known


def create(
    folder: Path,
    *,
    holder: str,
    party: str,
    role: Role,
    url: str,
    random_bytes: Callable[[int], bytes],
    delivery: SealingKey | None = None,
) -> KeyFolder:
    """Draw fresh keys into a new folder; an existing key is never overwritten."""
    keys = KeyFolder(
        holder=holder,
        party=party,
        role=role,
        url=url,
        signing=SigningKey(random_bytes(32)),
        sealing=SealingKey(random_bytes(32)),
        delivery=delivery,
        folder=folder,
    )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write_private(folder / KEY_FILE, canonical_bytes(_to_json(keys)))
    return keys


def load(folder: Path) -> KeyFolder:
    """Read a folder; refuse it when incomplete or readable by others."""
    body = parse_object(_read_private(folder / KEY_FILE))
    if set(body) != _FIELDS or body["kind"] != KIND:
        raise BadInput("KEY_FOLDER", "key.json has other fields")
    keys = _from_json(body)
    token, origin = _read_kept(folder / TOKEN_FILE), _read_kept(folder / ORIGIN_FILE)
    return replace(keys, folder=folder, token=token, origin=origin)


def keep_token(keys: KeyFolder, token: str) -> KeyFolder:
    """Remember a token beside the key, when there is a folder to remember it in."""
    _keep(keys, TOKEN_FILE, token)
    return replace(keys, token=token)


def keep_origin(keys: KeyFolder, origin: str) -> KeyFolder:
    """Remember the room's name; a folder that belongs to another room is refused."""
    if keys.origin not in {None, origin}:
        raise BadInput("KEY_FOLDER", "it belongs to another room")
    _keep(keys, ORIGIN_FILE, origin)
    return replace(keys, origin=origin)


def _keep(keys: KeyFolder, name: str, text: str) -> None:
    if keys.folder is None:
        return
    path = keys.folder / name
    fresh = path.with_suffix(f".{os.getpid()}")
    fresh.unlink(missing_ok=True)
    _write_private(fresh, text.encode())
    fresh.replace(path)


def _read_kept(path: Path) -> str | None:
    if not path.exists():
        return None
    try:
        return _read_private(path).decode("ascii").strip()
    except UnicodeDecodeError as error:
        raise BadInput("KEY_FOLDER", f"{path.name} cannot be read") from error


def _to_json(keys: KeyFolder) -> dict[str, Json]:
    return {
        "kind": KIND,
        "holder": keys.holder,
        "party": keys.party,
        "role": str(keys.role),
        "signing_seed": keys.signing.seed.hex(),
        "sealing_seed": keys.sealing.seed.hex(),
        "delivery_seed": None if keys.delivery is None else keys.delivery.seed.hex(),
        "url": keys.url,
    }


def _from_json(body: dict[str, Json]) -> KeyFolder:
    texts = [body[name] for name in ("holder", "party", "url")]
    if not all(isinstance(text, str) for text in texts) or body["role"] not in list(Role):
        raise BadInput("KEY_FOLDER", "key.json has a field of another type")
    delivery = body["delivery_seed"]
    return KeyFolder(
        holder=str(body["holder"]),
        party=str(body["party"]),
        role=Role(str(body["role"])),
        url=str(body["url"]),
        signing=SigningKey(hex_bytes(body["signing_seed"], 32)),
        sealing=SealingKey(hex_bytes(body["sealing_seed"], 32)),
        delivery=None if delivery is None else SealingKey(hex_bytes(delivery, 32)),
    )


def _write_private(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise Conflict("DUPLICATE", f"{path.name} exists in this folder") from error
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def _read_private(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise BadInput("KEY_FOLDER", f"{path.name} is readable by others: chmod 600")
            return file.read(64 * 1024)
    except OSError as error:
        raise BadInput("KEY_FOLDER", f"{path.name} cannot be read") from error
