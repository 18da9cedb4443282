"""How is an empty room opened, over its own doors?

Operators enrol people, put policy, views, sources and organisations up for votes, and
vote, two of them; stewards bring data; a snapshot is published. Each act checks what the
room then says of itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import httpx2

from saferoom.canonical import Digest, Json
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author, countersign, utc_now
from saferoom.client.transport import Transport
from saferoom.core.admission import PartyKind
from saferoom.core.manifest import Purpose
from saferoom.core.moment import write_instant
from saferoom.core.source import SourceManifest
from saferoom.crypto.signing import Statement
from saferoom.demo import content
from saferoom.demo.cast import BANKS, FOUNDERS, OTHERS, STEWARDS, Enterprises, load_enterprises
from saferoom.demo.steps import Told, check

YEAR = timedelta(days=365)
PATIENCE = httpx2.Timeout(10.0, read=3_600.0)
BANK_NAMES = {"bank-a": "甲银行（演示）", "bank-b": "乙银行（演示）"}


@dataclass
class Stage:
    """A served room and everybody's connection to it."""

    home: Path
    url: str
    as_of: date
    codes: tuple[str, ...]  # of the enterprises that take part
    clients: dict[str, RoomClient] = field(default_factory=dict)

    @property
    def sources(self) -> Path:
        """Return where the vault looks for each connector's files."""
        return self.home / "sources"

    @property
    def people(self) -> Path:
        """Return the folder of key folders."""
        return self.home / "people"

    @cached_property
    def enterprises(self) -> Enterprises:
        """Return all enterprises' keys."""
        return load_enterprises(self.people, self.url)

    def client(self, name: str) -> RoomClient:
        """Connect as one person, once."""
        if name not in self.clients:
            self.clients[name] = self._connect(keyfolder.load(self.people / name))
        return self.clients[name]

    def enterprise_client(self, code: str) -> RoomClient:
        """Connect as one enterprise, once."""
        if code not in self.clients:
            self.clients[code] = self._connect(self.enterprises.keys(code))
        return self.clients[code]

    def _connect(self, keys: KeyFolder) -> RoomClient:
        """Wait longer than a bank would: a million firms' rows take their time."""
        transport = Transport(self.url)
        transport.client.timeout = PATIENCE
        return RoomClient(self.url, keys, transport=transport)

    def author(self, name: str) -> Author:
        """Let one person sign."""
        return self.client(name).author

    def vote(self, digest: Digest, *voters: str, step: str = "review") -> str:
        """Let people approve one after another; return the subject's state."""
        state = ""
        for voter in voters:
            statement = self.author(voter).vote(digest, step)
            state = str(self.client(voter).vote(statement)["state"])
        return state

    def close(self) -> None:
        """Give the connections back."""
        for client in self.clients.values():
            client.close()
        self.clients.clear()


CONTACT = "演示用联系人 demo contact, 010-0000-0000"
OPERATORS = tuple(person.name for person in FOUNDERS)
CLERK = "ma.li"  # an operator too: whoever submits never votes, so deciding takes two others


def vouched(stage: Stage, statements: Sequence[Statement]) -> list[Statement]:
    """Let both operators sign enrolments."""
    operators = [stage.author(name).keys for name in OPERATORS]
    return [countersign(statement, *operators) for statement in statements]


def enrol_people(stage: Stage) -> Told:
    """Enrol everybody's key: held by its owner, vouched for by two operators."""
    folders = [keyfolder.load(stage.people / person.name) for person in OTHERS]
    statements = vouched(stage, [Author(keys).enrolment() for keys in folders])
    stage.client(OPERATORS[0]).enrol(statements)
    for person in OTHERS:
        me = stage.client(person.name).me()
        check((me["holder"], me["role"]) == (person.name, person.role), f"{person.name} logs in")
    return Told(f"{len(OTHERS)} people enrolled by two operators; each logs in with its own key")


def activate_policy(stage: Stage) -> Told:
    """Activate the policy set."""
    digest = _propose(stage, content.policies().to_body())
    check(stage.vote(digest, *OPERATORS) == "approved", "the policy set is approved")
    check(stage.client(OPERATORS[0]).room()["policy"] == digest, "the policy set is active")
    return Told(f"policy set {digest[:12]} active, by two operators' votes")


def approve_views(stage: Stage) -> Told:
    """Approve the feature views, and what mock data of them is made of."""
    views = content.views()
    digest = _propose(stage, views.to_body())
    check(stage.vote(digest, *OPERATORS) == "approved", "the views are approved")
    catalogue = stage.client("li.na").catalogue()
    check(catalogue == views.to_body(), "the catalogue shows the approved views")
    mock = _propose(stage, content.mock().to_body())
    check(stage.vote(mock, *OPERATORS) == "approved", "the declarations of mock data are approved")
    return Told(f"{len(views.views)} features in the catalogue, each with mock data declared")


def approve_template(stage: Stage) -> Told:
    """Approve the words in which enterprises are asked."""
    template = content.grant_template()
    digest = _propose(stage, template.to_body())
    check(stage.vote(digest, *OPERATORS) == "approved", "the grant's text is approved")
    return Told(f"version {template.version} of the text that enterprises read and sign")


def connect_sources(stage: Stage) -> Told:
    """Admit each source and approve its connector."""
    for manifest in content.sources():
        tables = tuple(sorted(table.table for table in manifest.tables))
        _admit(stage, manifest.party, PartyKind.SOURCE, manifest.title_zh, categories=tables)
        digest = _propose(stage, manifest.to_body())
        check(stage.vote(digest, *OPERATORS) == "approved", f"{manifest.name} is approved")
    parties = {entry["party"] for entry in stage.client(OPERATORS[0]).parties()}
    check({f"source-{name}" for name in STEWARDS} <= parties, "the sources are admitted")
    return Told(f"{len(STEWARDS)} sources connected: {', '.join(sorted(STEWARDS))}")


def ingest(stage: Stage, expected: dict[str, int]) -> Told:
    """Let each steward bring its data; count what was taken and what waits outside."""
    taken = outside = 0
    for manifest in content.sources():
        rows, quarantined = _ingest_one(stage, manifest)
        written = sum(expected[table.table] for table in manifest.tables)
        check(rows + quarantined == written, f"{manifest.name}: every row is accounted for")
        check(rows > 0, f"{manifest.name} brought rows")
        taken, outside = taken + rows, outside + quarantined
    return Told(f"{taken:,} rows encrypted in the vault, {outside:,} dirty ones left outside")


def publish_snapshot(stage: Stage) -> Told:
    """Compute all views as of the day and publish them."""
    operator = stage.client(OPERATORS[0])
    order = stage.author(OPERATORS[0]).snapshot_order(str(stage.as_of))
    snapshot = operator.publish_snapshot(order)
    check(operator.room()["snapshot"] is not None, "the room shows the snapshot")
    return Told(f"features of {snapshot['enterprises']:,} enterprises as of {stage.as_of}")


def admit_banks(stage: Stage) -> Told:
    """Admit both banks and the auditor."""
    categories = tuple(sorted({view.category for view in content.views().views}))
    for bank in BANKS:
        name, purposes = BANK_NAMES[bank], tuple(Purpose)
        _admit(stage, bank, PartyKind.BANK, name, purposes=purposes, categories=categories)
    _admit(stage, "auditor", PartyKind.AUDITOR, "审计机构（演示）")
    states = {entry["party"]: entry["state"] for entry in stage.client(OPERATORS[0]).parties()}
    check(all(states[bank] == "admitted" for bank in BANKS), "the banks are admitted")
    return Told("bank-a, bank-b and the auditor admitted, two operators' votes each")


def _ingest_one(stage: Stage, manifest: SourceManifest) -> tuple[int, int]:
    steward = STEWARDS[manifest.name].name
    files = {path.name: _digest(path) for path in (stage.sources / manifest.name).iterdir()}
    order = stage.author(steward).ingest_order(manifest.name, files)
    told = stage.client(steward).ingest(manifest.party, order)
    rows, quarantined = told["rows"], told["quarantined"]
    check(isinstance(rows, int) and isinstance(quarantined, int), "the vault counts rows")
    return int(str(rows)), int(str(quarantined))


def _digest(path: Path) -> Digest:
    with path.open("rb") as file:
        return Digest(hashlib.file_digest(file, "sha256").hexdigest())


def _propose(stage: Stage, body: dict[str, Json]) -> Digest:
    author = stage.author(CLERK)
    return stage.client(CLERK).propose(author.sign(body))


def _admit(
    stage: Stage,
    party: str,
    kind: PartyKind,
    name: str,
    *,
    purposes: tuple[str, ...] = (),
    categories: tuple[str, ...] = (),
) -> None:
    now = utc_now()
    statement = stage.author(CLERK).admission(
        party,
        kind,
        name,
        contact=CONTACT,
        purposes=purposes,
        categories=categories,
        valid_from=write_instant(now - timedelta(minutes=1)),
        valid_until=write_instant(now + YEAR),
    )
    digest = stage.client(CLERK).admit(statement)
    check(stage.vote(digest, *OPERATORS) == "approved", f"{party} is admitted")
