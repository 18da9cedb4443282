"""Where does the vault keep what, and is this home ours to open?

`initialise` makes a new one; `open_home` takes the lock, so that one vault serves one home.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from saferoom.canonical import parse_object
from saferoom.core.enrolment import Enrolment, check_genesis
from saferoom.core.moment import write_instant
from saferoom.core.trust import VaultKeys
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Conflict, NotFound
from saferoom.vault.durable import write_file
from saferoom.vault.keys import Keys, RandomBytes, create_keys

VERSION = 1
GENESIS = "saferoom/genesis/1"
_FOLDERS = ("facts", "segments", "journal", "models")


@dataclass(frozen=True)
class VaultHome:
    """The paths of one home."""

    home: Path

    @property
    def vault(self) -> Path:
        """Return what only the vault reads."""
        return self.home / "vault"

    @property
    def keys(self) -> Path:
        """Return the folder of keys."""
        return self.vault / "keys"

    @property
    def facts(self) -> Path:
        """Return the folder of raw facts."""
        return self.vault / "facts"

    @property
    def segments(self) -> Path:
        """Return the folder of materialised matrices."""
        return self.vault / "segments"

    @property
    def journal(self) -> Path:
        """Return the folder of statements and tickets."""
        return self.vault / "journal"

    @property
    def models(self) -> Path:
        """Return the folder of sealed artefacts."""
        return self.vault / "models"

    @property
    def genesis(self) -> Path:
        """Return the file of the two founding enrolments, on which all else rests."""
        return self.vault / "genesis.json"

    @property
    def connections(self) -> Path:
        """Return the folder of files that say where sources' databases are, and let us in."""
        return self.vault / "connections"

    @property
    def run(self) -> Path:
        """Return the folder of the socket."""
        return self.home / "run"


def initialise(home: Path, genesis: bytes, random_bytes: RandomBytes, now: datetime) -> VaultKeys:
    """Make the vault of a new home on its founders; return what the trust file says of it.

    It is the first to be made and leaves `HOME/version` to whoever makes the rest.
    """
    paths = VaultHome(home)
    read_genesis(genesis)
    if (paths.keys / "sealing").exists():
        raise Conflict("DUPLICATE", "this home has a vault")
    for name in _FOLDERS:
        (paths.vault / name).mkdir(mode=0o700, parents=True, exist_ok=True)
    paths.vault.chmod(0o700)
    paths.run.mkdir(mode=0o700, exist_ok=True)
    write_file(paths.genesis, genesis)
    create_keys(paths.keys, random_bytes)
    keys = Keys(paths.keys, random_bytes)
    return VaultKeys(
        answer_key=keys.answer.public.raw.hex(),
        sealing_key=keys.sealing.public.raw.hex(),
        valid_from=write_instant(now),
        valid_until=None,
    )


def read_genesis(genesis: bytes) -> tuple[Enrolment, ...]:
    """Read and check the two founding operators."""
    body = parse_object(genesis)
    operators = body.get("operators")
    if set(body) != {"kind", "operators"} or body["kind"] != GENESIS:
        raise BadInput("FIELD_INVALID", "genesis")
    if not isinstance(operators, list):
        raise BadInput("FIELD_INVALID", "operators")
    return check_genesis([Statement.from_json(one) for one in operators])


def check_version(home: Path) -> None:
    """Refuse no home, and one that a newer program wrote."""
    try:
        text = (home / "version").read_text(encoding="ascii").strip()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise NotFound("HOME_MISSING") from error
    if not text.isdigit() or int(text) > VERSION:
        raise Conflict("HOME_NEWER")


def open_home(home: Path) -> tuple[VaultHome, int]:
    """Check the version and take the lock; the descriptor holds it until it closes."""
    check_version(home)
    paths = VaultHome(home)
    if not (paths.keys / "sealing").exists():
        raise NotFound("HOME_MISSING", "the vault's keys")
    paths.run.mkdir(mode=0o700, exist_ok=True)
    lock = os.open(paths.vault / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise Conflict("HOME_BUSY", "a vault") from error
    return paths, lock
