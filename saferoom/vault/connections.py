"""Where is a source's database, and who says so?

`HOME/vault/connections/<connector>` holds one SQLAlchemy address, with its password. Only who keeps
the vault's home writes it: no order, manifest or caller names an address, and it is in no log.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from saferoom.errors import BadInput

LONGEST = 4_096


def read_address(folder: Path, connector: str) -> str:
    """Read a connector's address from a file that nobody else can read."""
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
            address = file.read(LONGEST).strip()
        except UnicodeDecodeError as error:
            raise BadInput("CONNECTION_FILE", connector) from error
    if "://" not in address:
        raise BadInput("CONNECTION_FILE", connector)
    return address
