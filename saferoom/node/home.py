"""What does a node keep? Its key, and the list of what its department offers."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.crypto.signing import SigningKey, Statement, hex_bytes, sign_statement
from saferoom.errors import BadInput, Conflict, NotFound

KEY_KIND = "saferoom/node-key/1"
LARGEST_OFFER = 256 * 2**10


@dataclass(frozen=True)
class NodeHome:
    """The folder, and who the node is."""

    folder: Path
    name: str
    key: SigningKey

    def health(self, nonce: str, now: datetime) -> Statement:
        """Say to one asker that the node is there."""
        body: dict[str, Json] = {
            "kind": "saferoom/node-health/1",
            "node": self.name,
            "nonce": hex_bytes(nonce, 16).hex(),
            "said_at": f"{now.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z",
        }
        return sign_statement(body, [self.key])

    def offer(self) -> Statement:
        """Sign what offer.json says now; read anew each time, so it can be changed."""
        try:
            data = (self.folder / "offer.json").read_bytes()
        except FileNotFoundError as error:
            raise NotFound("NOT_FOUND", "offer.json") from error
        if len(data) > LARGEST_OFFER:
            raise BadInput("FIELD_INVALID", "offer.json")
        said = parse_object(data)
        if set(said) != {"items"}:
            raise BadInput("FIELD_INVALID", "offer.json")
        body: dict[str, Json] = {
            "kind": "saferoom/node-offer/1",
            "node": self.name,
            "items": said["items"],
        }
        return sign_statement(body, [self.key])


def write_whole(path: Path, data: bytes) -> None:
    """Put a file in place as a whole."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(data)
    beside.replace(path)


def create(folder: Path, name: str, seed: bytes, offer: Mapping[str, Json]) -> NodeHome:
    """Make a node's home in a new folder."""
    try:
        folder.mkdir(parents=True, mode=0o700)
    except FileExistsError as error:
        raise Conflict("DUPLICATE", "this folder has a node") from error
    (folder / "offer.json").write_bytes(canonical_bytes(dict(offer)))
    body: dict[str, Json] = {"kind": KEY_KIND, "name": name, "seed": seed.hex()}
    made = os.open(folder / "key.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(made, "wb") as file:
        file.write(canonical_bytes(body))
        file.flush()
        os.fsync(file.fileno())
    return load(folder)


def load(folder: Path) -> NodeHome:
    """Open a node's home; refuse a key that others may read."""
    path = folder / "key.json"
    try:
        if path.stat().st_mode & 0o077:
            raise BadInput("KEY_FOLDER", "key.json is readable by others")
        body = parse_object(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound("NOT_FOUND", "the node's home") from error
    if set(body) != {"kind", "name", "seed"} or body["kind"] != KEY_KIND:
        raise BadInput("KEY_FOLDER", "key.json")
    return NodeHome(folder, str(body["name"]), SigningKey(hex_bytes(body["seed"], 32)))
