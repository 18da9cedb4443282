"""Where is a source's database or service, and who says so?

`HOME/vault/connections/<connector>` holds one SQLAlchemy address, with its password, or a service's
address and credentials. Only who keeps the vault's home writes it: no order, manifest or caller
names an address, and it is in no log.
"""

from __future__ import annotations

import os
import stat
import tomllib
from pathlib import Path

from saferoom.canonical import Json
from saferoom.core.record import check_field
from saferoom.core.service import Connection
from saferoom.core.source import Reached, SourceManifest
from saferoom.core.store import Store
from saferoom.errors import BadInput

# A database's address, a service's, a store's, or a folder's, which we know.
Place = str | Connection | Store | None

LONGEST = 65_536
_UNSAID: dict[str, Json] = dict.fromkeys(("authority", "certificate", "key", "token"))


def find_place(folder: Path, source: SourceManifest) -> Place:
    """Say where a source is that lies in no folder."""
    match source.reached:
        case Reached.FILES:
            return None
        case Reached.DATABASE:
            return read_address(folder, source.name)
        case Reached.SERVICE:
            return read_connection(folder, source.name)
        case Reached.STORE:
            return read_store(folder, source.name)


def read_address(folder: Path, connector: str) -> str:
    """Read a connector's address of a database."""
    address = _read_private(folder, connector).strip()
    if "://" not in address:
        raise BadInput("CONNECTION_FILE", connector)
    return address


def read_connection(folder: Path, connector: str) -> Connection:
    """Read a connector's address of a service, and how it lets us in."""
    try:
        said: dict[str, Json] = tomllib.loads(_read_private(folder, connector))
        if isinstance(token := said.get("token"), dict):
            said["token"] = {"scope": None, **token}
        return Connection.from_body(_UNSAID | said)
    except (BadInput, tomllib.TOMLDecodeError) as error:
        raise BadInput("CONNECTION_FILE", connector) from error


def read_store(folder: Path, connector: str) -> Store:
    """Read where a connector's files lie, and what opens that."""
    try:
        said: dict[str, Json] = tomllib.loads(_read_private(folder, connector))
        options = said.get("options", {})
        check_field(isinstance(options, dict), "options")
        assert isinstance(options, dict)
        named: list[Json] = [{"name": name, "value": one} for name, one in options.items()]
        return Store.from_body({**said, "options": named})
    except (BadInput, tomllib.TOMLDecodeError) as error:
        raise BadInput("CONNECTION_FILE", connector) from error


def _read_private(folder: Path, connector: str) -> str:
    """Read a file that nobody else can read."""
    try:
        held = os.open(folder / connector, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise BadInput("CONNECTION_FILE", connector) from error
    with os.fdopen(held, encoding="utf-8") as file:
        status = os.fstat(held)
        private = stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == os.geteuid()
        if not (private and stat.S_ISREG(status.st_mode)):
            raise BadInput("CONNECTION_FILE", connector)
        try:
            return file.read(LONGEST)
        except UnicodeDecodeError as error:
            raise BadInput("CONNECTION_FILE", connector) from error
