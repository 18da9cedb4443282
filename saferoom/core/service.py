"""How is a source's service asked for a table, and where may it lie?

Declared in `connectors/<name>/connector.toml`, so that two operators vote on whom intake may
call and how. By which credentials it lets us in stands in no manifest: a `Connection` is a file
of the vault's own, and reaches nobody but the process that calls.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from saferoom.core.record import Record, check_field
from saferoom.errors import BadInput

_HOST = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_ADDRESS = re.compile(
    r"https://([a-z0-9.-]{1,253})(?::([0-9]{1,5}))?((?:/[A-Za-z0-9._~-]{1,64}){0,8})"
)
_PATH = re.compile(
    r"(?:/[A-Za-z0-9._~-]{1,64}){1,12}(?:\?[A-Za-z0-9._~-]{1,64}=[A-Za-z0-9._~,:-]{0,64}"
    r"(?:&[A-Za-z0-9._~-]{1,64}=[A-Za-z0-9._~,:-]{0,64}){0,15})?"
)
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,63}")
_SECRET = re.compile(r"[\x21-\x7e]{1,500}")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}(?: [\x21\x23-\x5b\x5d-\x7e]{1,100}){0,15}")
# They hold an IPv4 address that may be anyone's: NAT64, 6to4, Teredo.
_WRAPPED = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "2002::/16", "2001::/32")))
MOST_CALLS_PER_MINUTE = 6_000
LONGEST_PEM = 20_000

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


class Paging(StrEnum):
    """How a service gives more rows than go into one reply."""

    NONE = "none"  # it does not
    PAGE = "page"  # a parameter takes 0, 1, 2 … or 1, 2, 3 …; a page without rows is the end
    CURSOR = "cursor"  # a member of a reply is what a parameter takes next; null is the end
    LINK = "link"  # RFC 8288: the header Link, rel="next"; a reply without is the end


class Format(StrEnum):
    """What a reply's body is."""

    JSON = "json"
    CSV = "csv"


# Which fields of a resource a style of paging needs; it may have no others of them.
PAGING_FIELDS = {
    Paging.NONE: frozenset[str](),
    Paging.PAGE: frozenset({"parameter", "first"}),
    Paging.CURSOR: frozenset({"parameter", "next"}),
    Paging.LINK: frozenset[str](),
}


@dataclass(frozen=True, kw_only=True)
class Resource(Record):
    """Where a service has one table."""

    path: str  # after the service's address, perhaps with fixed parameters
    format: Format
    rows: str | None  # the member of a JSON reply that lists them; None: the reply is the list
    paging: Paging
    parameter: str | None
    first: int | None
    next: str | None
    since: str | None  # takes the first part of the watermark: rows from there on, it included

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(_PATH.fullmatch(self.path) is not None, "path")
        check_field(not {".", ".."} & set(self.path.partition("?")[0].split("/")), "path")
        given = {name for name in ("parameter", "first", "next") if getattr(self, name) is not None}
        check_field(given == PAGING_FIELDS[self.paging], "paging")
        check_field(self.first in {None, 0, 1}, "first")
        for name in (self.rows, self.parameter, self.next, self.since):
            check_field(name is None or _PARAMETER.fullmatch(name) is not None, "parameter")
        inside = self.rows is not None or self.paging is Paging.CURSOR
        check_field(self.format is Format.JSON or not inside, "format")
        check_field(self.paging is not Paging.CURSOR or self.rows is not None, "rows")
        asked = [name for name in (self.parameter, self.since) if name is not None]
        check_field(len(set(asked)) == len(asked), "since")


@dataclass(frozen=True, kw_only=True)
class Service(Record):
    """Whom intake may call for a source, and how often."""

    hosts: tuple[str, ...]
    networks: tuple[str, ...]  # that are not the internet's, and may be called nevertheless
    calls_per_minute: int

    def __post_init__(self) -> None:
        """Check ranges."""
        check_field(0 < len(self.hosts) <= 10, "hosts")
        check_field(all(_HOST.fullmatch(host) for host in self.hosts), "hosts")
        check_field(len(self.networks) <= 10 and all(map(_is_network, self.networks)), "networks")
        check_field(0 < self.calls_per_minute <= MOST_CALLS_PER_MINUTE, "calls_per_minute")

    def allows(self, address: str) -> bool:
        """Say whether what a host's name was resolved to may be called."""
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return False
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        if any(found in ipaddress.ip_network(one) for one in self.networks):
            return True
        return found.is_global and not found.is_multicast and not _is_wrapped(found)


@dataclass(frozen=True)
class Origin:
    """Where an address leads."""

    host: str
    port: int
    path: str


def read_origin(address: str) -> Origin:
    """Read an address of ours: https, a name, perhaps a port and a path; nothing else."""
    found = _ADDRESS.fullmatch(address)
    check_field(found is not None, "address")
    assert found is not None
    port = int(found[2] or 443)
    check_field(0 < port < 2**16, "address")
    check_field(not {".", ".."} & set(found[3].split("/")), "address")
    return Origin(found[1], port, found[3])


@dataclass(frozen=True, kw_only=True)
class TokenClient(Record):
    """Who we are where OAuth2 tokens are given (RFC 6749 §4.4)."""

    address: str
    client_id: str
    client_secret: str
    scope: str | None

    def __post_init__(self) -> None:
        """Check ranges."""
        read_origin(self.address)
        for one in (self.client_id, self.client_secret):
            check_field(_SECRET.fullmatch(one) is not None, "token")
        check_field(self.scope is None or _SCOPE.fullmatch(self.scope) is not None, "scope")


@dataclass(frozen=True, kw_only=True)
class Connection(Record):
    """Where a service is, and how it knows us; the vault's own affair."""

    KIND: ClassVar[str] = "saferoom/connection/1"
    address: str
    authority: str | None  # PEM of who vouches for the service; None: whom this machine trusts
    certificate: str | None  # PEM by which the service knows us, and its key
    key: str | None
    token: TokenClient | None

    def __post_init__(self) -> None:
        """Check ranges."""
        read_origin(self.address)
        check_field((self.certificate is None) == (self.key is None), "certificate")
        for pem in (self.authority, self.certificate, self.key):
            check_field(pem is None or _is_pem(pem), "certificate")


def check_called(connection: Connection, service: Service) -> None:
    """Refuse an address, also of tokens, on a host that the approved manifest does not name."""
    token = connection.token
    for address in (connection.address, *([token.address] if token else [])):
        if read_origin(address).host not in service.hosts:
            raise BadInput("SOURCE_ADDRESS", "a host that connector.toml does not name")


def _is_network(text: str) -> bool:
    try:
        return ipaddress.ip_network(text).prefixlen > 0
    except ValueError:
        return False


def _is_pem(text: str) -> bool:
    return len(text) <= LONGEST_PEM and "-----BEGIN " in text


def _is_wrapped(found: IpAddress) -> bool:
    return any(found in network for network in _WRAPPED)
