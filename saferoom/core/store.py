"""Where do a source's files lie, if not in its folder?

A connector names the protocol, so that two operators vote on it; the address and what opens it are
the vault's own affair, like a database's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.core.record import Record, check_field
from saferoom.errors import BadInput

_ADDRESS = re.compile(r"([a-z0-9]{1,16})://([^\s?#*\[\]]{0,1000})")
_OPTION = re.compile(r"[a-z_]{1,40}")


class Protocol(StrEnum):
    """What intake can read files by; all but the first two need a library of theirs beside."""

    FILE = "file"
    MEMORY = "memory"
    S3 = "s3"
    GS = "gs"
    ABFS = "abfs"
    OSS = "oss"
    SFTP = "sftp"


@dataclass(frozen=True, kw_only=True)
class Option(Record):
    """One word to a protocol's library, such as a key."""

    name: str
    value: str

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(_OPTION.fullmatch(self.name) is not None, "options")
        check_field(len(self.value) <= 10_000, "options")


@dataclass(frozen=True, kw_only=True)
class Store(Record):
    """A folder somewhere else, and what opens it."""

    KIND: ClassVar[str] = "saferoom/store/1"
    address: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        """Check ranges."""
        found = _ADDRESS.fullmatch(self.address)
        check_field(found is not None and found[1] in set(Protocol), "address")
        check_field(".." not in self.address.split("/"), "address")
        names = [one.name for one in self.options]
        check_field(len(set(names)) == len(names) <= 20, "options")

    @property
    def protocol(self) -> Protocol:
        """Name how it is read."""
        return Protocol(self.address.partition("://")[0])


def check_stored(store: Store, protocol: Protocol | None) -> None:
    """Refuse a protocol that the approved manifest does not name."""
    if store.protocol is not protocol:
        raise BadInput("SOURCE_ADDRESS", "a protocol that connector.toml does not name")
