"""What can somebody do who stands where the API stands, and has no one's key but his own?

He has the vault's socket and a copy of the whole database. Each method makes what he would
send; whatever a real person signs here was signed for something else, or alone.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from saferoom.adapters.vault_client import VaultClient
from saferoom.canonical import Json
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author
from saferoom.core.enrolment import Role
from saferoom.core.manifest import Manifest
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import KeyId, Signature, SigningKey, Statement
from saferoom.errors import SaferoomError
from tests.proofs.small_room import SmallRoom


@dataclass(frozen=True)
class Attacker:
    """One of them."""

    room: SmallRoom
    vault: VaultClient
    database: Path

    def rows(self, query: str) -> list[Statement]:
        """Read statements from the database."""
        with closing(sqlite3.connect(self.database)) as database:
            return [Statement.from_bytes(row[0]) for row in database.execute(query)]

    @property
    def grants(self) -> list[Statement]:
        return self._of_the_version("SELECT statement FROM permission")

    @property
    def requests(self) -> list[Statement]:
        return self._of_the_version("SELECT statement FROM request")

    @property
    def votes(self) -> list[Statement]:
        query = "SELECT statement FROM vote WHERE subject = '{}' ORDER BY number"
        return self.rows(query.format(self.room.version))

    @property
    def version(self) -> Manifest:
        (statement,) = self.rows(
            f"SELECT statement FROM subject WHERE digest = '{self.room.version}'"
        )
        return Manifest.from_body(statement.body)

    def _of_the_version(self, query: str) -> list[Statement]:
        return [one for one in self.rows(query) if one.body["version"] == self.room.version]

    def enrolment(self, holder: str) -> Statement:
        """Find somebody's enrolment."""
        query = "SELECT statement FROM enrolment WHERE holder = '{}'"
        return self.rows(query.format(holder))[-1]

    def grants_of(self, request: Statement) -> list[Statement]:
        """Find the grants for everyone whom a request names."""
        asked = request.body["enterprises"]
        assert isinstance(asked, list)
        return [grant for grant in self.grants if grant.body["enterprise"] in asked]

    def ask(
        self, request: Statement, grants: Sequence[Statement], lessons: Sequence[Statement] = ()
    ) -> list[bytes]:
        """Teach the vault what it takes, then ask; return the sealed answers that came."""
        for lesson in lessons:
            with suppress(SaferoomError):
                self.vault.learn([lesson])
        try:
            return [one.sealed for one in self.vault.score(request, grants).answers]
        except SaferoomError:
            return []


def stranger(holder: str, party: str, role: Role) -> Author:
    """Draw a key that nobody vouched for, in anybody's name."""
    signing, sealing = SigningKey(secrets.token_bytes(32)), SealingKey(secrets.token_bytes(32))
    return Author(KeyFolder(holder, party, role, "", signing, sealing, delivery=sealing))


def edited(statement: Statement, **changes: Json) -> Statement:
    """Change what was signed and keep the signatures."""
    return Statement({**statement.body, **changes}, statement.signatures)


def edits(statement: Statement) -> Iterator[Statement]:
    """Change each field of what was signed, one at a time, to something plausible."""
    for name, value in statement.body.items():
        match value:
            case bool():
                yield edited(statement, **{name: not value})
            case int():
                yield edited(statement, **{name: value + 1})
            case str() if len(value) == 64:
                yield edited(statement, **{name: secrets.token_hex(32)})
            case str() if value.endswith("Z"):
                yield edited(statement, **{name: f"2099{value[4:]}"})
            case str():
                yield edited(statement, **{name: f"{value}2"})
            case None:
                yield edited(statement, **{name: secrets.token_hex(32)})
            case _:
                yield edited(statement, **{name: None})


def claimed(statement: Statement, key: KeyId) -> Statement:
    """Say that another key made the signature."""
    marks = tuple(Signature(key, mark.value) for mark in statement.signatures)
    return Statement(statement.body, marks)


def signed_by(body: dict[str, Json], *signers: Author) -> Statement:
    """Let others sign a body."""
    marks = [Signature(s.keys.signing.public.id, s.keys.signing.sign(body)) for s in signers]
    return Statement(body, tuple(marks))


def resealed(version: Manifest, to: SealingKey) -> Manifest:
    """Have grades sealed to somebody else."""
    return replace(version, delivery_key=to.public.raw.hex())
