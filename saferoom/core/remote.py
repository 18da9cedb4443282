"""Is this the node that two operators approved, is it there now, and does it offer what was agreed?

A department's node keeps its rows itself. `connectors/<name>/node.toml` names its key, its address
and what it offers; the digest of all that is voted for like a connector's. So a node that offers
anything else counts as down until the new list is approved. No rows are fetched here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from saferoom.core.catalogue import Item, Mode
from saferoom.core.moment import FRESH, read_instant
from saferoom.core.record import Record, check_field
from saferoom.core.service import Service, read_origin
from saferoom.crypto.signing import Statement, VerifyKey, hex_bytes
from saferoom.errors import Refusal

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
MOST_ITEMS = 100


@dataclass(frozen=True, kw_only=True)
class RemoteNode(Record):
    """A department's node as two operators approved it."""

    KIND: ClassVar[str] = "saferoom/node/1"
    name: str
    party: str
    address: str
    key: str  # Ed25519, of the node alone
    service: Service
    items: tuple[Item, ...]

    def __post_init__(self) -> None:
        """Check ranges; what is offered is by call."""
        check_field(_NAME.fullmatch(self.name) is not None, "name")
        check_field(0 < len(self.party) <= 64, "party")
        check_field(read_origin(self.address).host in self.service.hosts, "address")
        VerifyKey.from_hex(self.key)
        check_field(0 < len(self.items) <= MOST_ITEMS, "items")
        check_field(len({item.id for item in self.items}) == len(self.items), "items")
        check_field(all(item.mode is Mode.CALL for item in self.items), "mode")


@dataclass(frozen=True, kw_only=True)
class NodeOffer(Record):
    """What a node says that it offers."""

    KIND: ClassVar[str] = "saferoom/node-offer/1"
    node: str
    items: tuple[Item, ...]


@dataclass(frozen=True, kw_only=True)
class NodeHealth(Record):
    """A node's word that it is there, said to one asker."""

    KIND: ClassVar[str] = "saferoom/node-health/1"
    node: str
    nonce: str
    said_at: str

    def __post_init__(self) -> None:
        """Check ranges."""
        hex_bytes(self.nonce, 16)
        read_instant(self.said_at)


def check_offered(node: RemoteNode, listed: Mapping[str, Item]) -> None:
    """Refuse an item that the room's catalogue does not list in just these words."""
    check_field(all(listed.get(item.id) == item for item in node.items), "items")


def check_health(statement: Statement, node: RemoteNode, nonce: str, now: datetime) -> None:
    """Refuse another's word, an old one, and one said to somebody else."""
    statement.check_signed_by(VerifyKey.from_hex(node.key))
    said = NodeHealth.from_body(statement.body)
    check_field(said.node == node.name, "node")
    if said.nonce != nonce or abs(read_instant(said.said_at) - now) > FRESH:
        raise Refusal("REPLAY")


def check_offer(statement: Statement, node: RemoteNode) -> None:
    """Refuse another's list, and one that is not what was approved."""
    statement.check_signed_by(VerifyKey.from_hex(node.key))
    offer = NodeOffer.from_body(statement.body)
    if (offer.node, offer.items) != (node.name, node.items):
        raise Refusal("NODE_CHANGED")
