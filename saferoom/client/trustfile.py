"""Which vault and which log does this person believe, and who told them?

`trust.json` in the key folder, brought there by another way than the room's own address: a
room that named its keys itself could name anybody's. Compare its fingerprint with what the
operator reads out, or with the digest in the log's first entry.
"""

from __future__ import annotations

import os
from pathlib import Path

from saferoom.client.keyfolder import KeyFolder, keep_origin
from saferoom.core.trust import Trust
from saferoom.errors import BadInput, Conflict

TRUST_FILE = "trust.json"


def read_trust(path: Path) -> Trust:
    """Read a trust file; one that others could have changed is refused."""
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o022:
                raise BadInput("KEY_FOLDER", f"{path.name} can be changed by others: chmod 644")
            data = file.read()
    except OSError as error:
        raise BadInput("TRUST_MISSING") from error
    return Trust.from_bytes(data)


def trust_of(keys: KeyFolder) -> Trust:
    """Read the trust file that stands beside somebody's keys."""
    if keys.folder is None:
        raise BadInput("TRUST_MISSING", "these keys have no folder")
    trust = read_trust(keys.folder / TRUST_FILE)
    if not _follows(trust, keys):
        raise BadInput("KEY_FOLDER", f"{TRUST_FILE} is of another room than its keys")
    return trust


def _follows(trust: Trust, keys: KeyFolder) -> bool:
    """Say whether it is of the room that these keys are for, also after its log was closed."""
    earlier = {one.origin for one in trust.closings}
    return keys.origin in {None, trust.origin, *earlier}


def trusted_origin(keys: KeyFolder) -> str | None:
    """Say which room the trust file names, where somebody put one beside the keys."""
    if keys.folder is None or not (keys.folder / TRUST_FILE).exists():
        return None
    return trust_of(keys).origin


def take_trust(path: Path, newer: Trust) -> Trust:
    """Put a newer trust file in the place of an older one, from which it must follow."""
    held = read_trust(path)
    if not newer.follows(held):
        raise Conflict("TRUST_UNRELATED")
    beside = path.with_name(f".{path.name}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
    with os.fdopen(os.open(beside, flags, path.stat().st_mode & 0o777), "wb") as file:
        file.write(newer.to_bytes())
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    return held


def keep_trust(keys: KeyFolder, trust: Trust) -> KeyFolder:
    """Put a trust file beside somebody's keys, which are for its room from then on.

    The same one twice is no harm; a newer one its owner puts there by hand.
    """
    if keys.folder is None:
        raise BadInput("TRUST_MISSING", "these keys have no folder")
    path = keys.folder / TRUST_FILE
    if path.exists() and read_trust(path) != trust:
        raise Conflict("DUPLICATE", "another trust file stands in this folder")
    held = keep_origin(keys, trust.origin)
    if not path.exists():
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
            file.write(trust.to_bytes())
    return held
