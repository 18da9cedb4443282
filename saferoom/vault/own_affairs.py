"""What may an enterprise do with its own facts: have them, and say that one is wrong.

Both by its own signature, checked here; neither needs anybody's leave.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime

from saferoom.canonical import Json
from saferoom.core.dispute import check_dispute
from saferoom.core.enrolment import Role
from saferoom.core.own_record import aad_of, check_own_record_order, pad
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.crypto.signing import Statement, sign_statement
from saferoom.errors import Refusal
from saferoom.vault.custody import Custody
from saferoom.vault.declarations import Declarations
from saferoom.vault.disputing import add_dispute, find_table, note_for
from saferoom.vault.facts import FactStore
from saferoom.vault.keys import Keys
from saferoom.vault.memory import Memory
from saferoom.vault.own_records import OwnRecords, own_body, own_tables


class OwnAffairs:
    """One vault's part in it."""

    def __init__(  # noqa: PLR0917  # the parts of one home
        self,
        keys: Keys,
        facts: FactStore,
        memory: Memory,
        custody: Custody,
        declared: Declarations,
        asked: OwnRecords,
    ) -> None:
        self._keys, self._facts, self._memory = keys, facts, memory
        self._custody, self._declared, self._asked = custody, declared, asked

    def record(
        self, statement: Statement, now: datetime, turn: Callable[[], AbstractContextManager[None]]
    ) -> bytes:
        """Seal to the enterprise's key of this order what is held of it."""
        with self._memory.roster() as roster:
            order = check_own_record_order(statement, roster.lookup, now)
        if order.vault != self._keys.answer.public.raw.hex():
            raise Refusal("KEY_UNKNOWN", "the order names another vault")
        code = order.enterprise
        with turn():
            self._asked.take_turn(statement.digest, self._keys.mark_of(code), now)
            found = own_tables(self._facts, self._declared.tables.values(), code)
            if not found and self._custody.is_erased(code):
                raise Refusal("ERASED")
            body = own_body(statement, code, found, self._facts, now)
        signed = sign_statement(body, [self._keys.answer])
        to = [SealingPublicKey.from_hex(order.seal_to)]
        return seal(pad(signed), to, aad_of(statement), self._keys.random)

    def dispute(self, statement: Statement, now: datetime) -> dict[str, Json]:
        """Let a record count as disputed; the caller keeps the turn and remembers the order."""
        with self._memory.roster() as roster:
            dispute = check_dispute(statement, roster.lookup, now)
            batch, table = find_table(self._facts, dict(self._declared.tables), dispute)
            party = self._declared.source(batch.source).party
            stewards = roster.sealing_keys(party, Role.STEWARD)
        record = add_dispute(self._facts, batch, table, dispute, statement, now)
        note = note_for(stewards, dispute, table, record, self._keys.random)
        return {"party": party, "table": table.name, "note": None if note is None else note.hex()}
