"""Who plays in the demo?

Named people have their own random keys in HOME/people/NAME (0600). Enterprises' keys are
derived from one demo seed, so that a million need no folder each; a few have one anyway,
to try things with. In a real room nobody could derive another's key.
"""

from __future__ import annotations

import hashlib
import itertools
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from saferoom.client import keyfolder
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author
from saferoom.client.trustfile import keep_trust
from saferoom.core.enrolment import Role
from saferoom.core.trust import Trust
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import SigningKey

SEED_FILE = "enterprises.seed"
ROOM_PARTY = "operator"


@dataclass(frozen=True)
class Person:
    """A named person or system."""

    name: str
    party: str
    role: Role
    does: str


FOUNDERS = (
    Person("wang.fang", ROOM_PARTY, Role.OPERATOR, "operates the room"),
    Person("zhao.lei", ROOM_PARTY, Role.OPERATOR, "operates the room, the second person"),
)
OTHERS = (
    Person("ma.li", ROOM_PARTY, Role.OPERATOR, "prepares what the two operators decide"),
    Person("li.na", "bank-a", Role.MODELLER, "builds bank A's models"),
    Person("chen.jie", "bank-a", Role.APPROVER, "signs for bank A"),
    Person("bank-a.system", "bank-a", Role.SYSTEM, "bank A's loan system asks for scores"),
    Person("sun.yan", "bank-b", Role.MODELLER, "builds bank B's models"),
    Person("wu.tao", "bank-b", Role.APPROVER, "signs for bank B"),
    Person("bank-b.system", "bank-b", Role.SYSTEM, "bank B's loan system asks for scores"),
    Person("zhou.min", "auditor", Role.AUDITOR, "audits"),
    Person("gao.yu", "source-registry", Role.STEWARD, "steward of the register"),
    Person("he.jun", "source-tax", Role.STEWARD, "steward of the tax data"),
    Person("lin.xi", "source-power", Role.STEWARD, "steward of the electricity data"),
)
STEWARDS = {
    person.party.removeprefix("source-"): person for person in OTHERS if person.role is Role.STEWARD
}
BANKS = ("bank-a", "bank-b")


@dataclass(frozen=True)
class Enterprises:
    """All enterprises' keys, from one seed."""

    seed: bytes
    url: str

    def keys(self, code: str) -> KeyFolder:
        """Derive one enterprise's keys."""
        draw = self._draws(code)
        return KeyFolder(
            holder=code,
            party=code,
            role=Role.ENTERPRISE,
            url=self.url,
            signing=SigningKey(draw(32)),
            sealing=SealingKey(draw(32)),
        )

    def author(self, code: str) -> Author:
        """Let one enterprise sign."""
        return Author(self.keys(code))

    def keep(self, people: Path, code: str) -> Path:
        """Write one enterprise's key folder, as if it had made it itself."""
        keyfolder.create(
            people / code,
            holder=code,
            party=code,
            role=Role.ENTERPRISE,
            url=self.url,
            random_bytes=self._draws(code),
        )
        return people / code

    def _draws(self, code: str) -> Callable[[int], bytes]:
        """Draw 32 bytes after 32 bytes from the seed and the code."""
        counter = itertools.count()

        def draw(length: int) -> bytes:
            block = b"saferoom-demo\0%d\0%s" % (next(counter), code.encode())
            return hashlib.blake2b(block, key=self.seed, digest_size=length).digest()

        return draw


def create_people(people: Path, url: str, trust: Trust) -> None:
    """Draw the keys of everybody but the founders, whom `init` has made; hand out trust files.

    All is on one machine here. In earnest a person gets the trust file by another way.
    """
    delivery = {bank: SealingKey(secrets.token_bytes(32)) for bank in BANKS}
    for person in OTHERS:
        keys = keyfolder.create(
            people / person.name,
            holder=person.name,
            party=person.party,
            role=person.role,
            url=url,
            random_bytes=secrets.token_bytes,
            delivery=delivery.get(person.party),
        )
        keep_trust(keys, trust)


def load_enterprises(people: Path, url: str) -> Enterprises:
    """Read the demo's seed, drawing it once."""
    path = people / SEED_FILE
    if not path.exists():
        path.touch(mode=0o600)
        path.write_bytes(secrets.token_bytes(32))
    return Enterprises(path.read_bytes(), url)
