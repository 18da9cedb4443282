"""Whose key signed, and who vouched for it, by the log's own entries?

Keys enter the book by `key_enrolled` entries: with their own signature and those of two
operators who stand in it already, but for the founders, whom the trust file names. A key that
replaces another strikes it out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from saferoom.crypto.signing import KeyId, Statement, VerifyKey
from saferoom.errors import BadInput
from saferoom.monitor.alarms import Alarm
from saferoom.monitor.openings import Opened, holds


@dataclass(frozen=True)
class Person:
    """Who holds a key, in which role."""

    party: str
    holder: str
    role: str
    key: VerifyKey


@dataclass
class People:
    """All keys in force, as the log tells."""

    founders: Sequence[Statement]
    known: dict[KeyId, Person] = field(default_factory=dict)

    def enrol(self, entry: Opened, statement: Statement) -> Iterator[Alarm]:
        """Take a key into the book; say if nobody vouched for it."""
        try:
            key = VerifyKey.from_hex(statement.body.get("signing_key"))
        except BadInput:
            yield Alarm("KEY_UNVOUCHED", "no key", entry.index)
            return
        body = statement.body
        new = Person(str(body["party"]), str(body["holder"]), str(body["role"]), key)
        if not self._is_founder(statement) and not self._vouched(statement, new):
            yield Alarm("KEY_UNVOUCHED", "its own and two operators' signatures", entry.index)
        self.known.pop(KeyId(str(body["replaces"])), None)
        self.known[key.id] = new

    def signer(self, statement: Statement) -> Person | None:
        """Return who signed, if exactly one known key did and its signature holds."""
        if len(statement.signatures) != 1:
            return None
        person = self.known.get(statement.signatures[0].key)
        return person if person is not None and holds(statement, person.key) else None

    def _is_founder(self, statement: Statement) -> bool:
        return any(statement.to_bytes() == one.to_bytes() for one in self.founders)

    def _vouched(self, statement: Statement, new: Person) -> bool:
        by = [self.known[key] for key in statement.signers() if key in self.known]
        operators = {
            (one.party, one.holder): one.key
            for one in by
            if one.role == "operator" and one.holder != new.holder
        }
        return len(operators) >= 2 and holds(statement, new.key, *operators.values())
