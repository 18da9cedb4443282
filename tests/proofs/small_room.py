"""How does a small room come to be served whose programs can be looked into?

As in the demo: `saferoom init`, `serve`, its vault, and the worker as a program of its own.
What the sources hold lies outside the home, and everything that the programs write besides
goes to folders that can be searched.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import cast

import httpx2
import numpy as np

from saferoom.canonical import Digest, Json
from saferoom.client.own_record import OwnRecord, fetch_own_record
from saferoom.client.statements import Author, countersign, utc_now
from saferoom.client.terms import Terms
from saferoom.client.trustfile import read_trust
from saferoom.core.budget import Budget
from saferoom.core.manifest import Manifest, Purpose
from saferoom.core.moment import local_day, write_instant
from saferoom.crypto.signing import Statement
from saferoom.demo import content, opening
from saferoom.demo.cast import STEWARDS, create_people
from saferoom.demo.economy.codes import enterprise_codes
from saferoom.demo.economy.files import write_sources
from saferoom.demo.economy.population import Plan
from saferoom.demo.founding import found
from saferoom.demo.opening import OPERATORS, Stage
from saferoom.demo.server import address, free_port, serve_command, stop
from saferoom.demo.setup import as_of_day
from saferoom.sdk.room import Room
from tests.proofs.memory import command, descendants
from tests.proofs.planted import FEATURE, GRADES, Planted

MODELLER, APPROVER, SYSTEM = "li.na", "chen.jie", "bank-a.system"
CANARIES = 50
OTHERS = 10
UNGRANTED = CANARIES  # its code's place: it signed a budget and no grant
"""The first fifty carry canaries and grant; the others are there and do not."""


@dataclass
class SmallRoom:
    """A served room of sixty enterprises, or of as many as are asked for."""

    stage: Stage
    outside: Path
    planted: Planted
    programs: list[subprocess.Popen[bytes]] = field(default_factory=list)
    version: Digest = field(default=Digest(""))
    budgets: dict[str, Statement] = field(default_factory=dict)
    grants: dict[str, Statement] = field(default_factory=dict)

    @property
    def home(self) -> Path:
        return self.stage.home

    @property
    def written(self) -> list[Path]:
        """Name every folder that the programs may write to."""
        return [self.home, self.outside / "tmp", self.outside / "logs"]

    def bank(self) -> Room:
        """Connect as bank A's system."""
        return Room(self.stage.client(SYSTEM))

    def vault(self) -> list[int]:
        """Find the vault's processes: itself, then its cages and intake."""
        below = descendants(self.programs[0].pid)
        mains = [pid for pid in below if " saferoom.vault " in command(pid)]
        return [below for main in mains for below in (main, *descendants(main))]

    def others(self) -> list[int]:
        """Find the API's process and the worker's."""
        return [program.pid for program in self.programs]


@contextmanager
def small_room(folder: Path, seed: int, canaries: int = CANARIES) -> Iterator[SmallRoom]:
    """Found, fill and serve a room up to its sources' data; no snapshot is published yet."""
    room = _prepare(folder, seed, canaries)
    try:
        _start(room, serve_command(room.home, int(room.stage.url.rpartition(":")[2])))
        _wait_until_alive(room)
        _start(room, [sys.executable, "-m", "saferoom", "worker", "--home", str(room.home)])
        _open(room.stage)
        _ingest(room)
        yield room
    finally:
        room.stage.close()
        for program in reversed(room.programs):
            stop(program)


def publish(room: SmallRoom) -> None:
    """Let the vault compute the features."""
    opening.publish_snapshot(room.stage)


def bring_model(room: SmallRoom, name: str = "canary") -> None:
    """Submit the planted scorecard, approve it, and let those with canaries grant it."""
    stage, planted = room.stage, room.planted
    bounds = [*reversed(planted.bounds), None]
    submitted = Room(stage.client(MODELLER)).submit(
        planted.model,
        name=name,
        grades=dict(zip(GRADES, bounds, strict=True)),
        direction="quality",
    )
    room.version = submitted.digest
    stage.vote(room.version, APPROVER, step="bank")
    assert stage.vote(room.version, *OPERATORS) == "approved"
    _sign(room)


def request(room: SmallRoom, codes: Sequence[str], author: Author | None = None) -> Statement:
    """Ask, as bank A's system unless somebody else signs."""
    by = author or room.stage.author(SYSTEM)
    return by.score_request(room.version, Purpose.CREDIT_APPROVAL, codes, "LOAN-1")


def score(room: SmallRoom, codes: Sequence[str]) -> list[dict[str, Json]]:
    """Score as bank A's system; return the lines with their sealed answers."""
    answer = room.stage.client(SYSTEM).score(request(room, codes))
    return cast("list[dict[str, Json]]", answer["results"])


def own_records(room: SmallRoom, codes: Sequence[str]) -> list[OwnRecord]:
    """Let enterprises have their own rows, through the API's process."""
    trust = read_trust(room.home / "trust.json")
    return [fetch_own_record(room.stage.enterprise_client(code), trust) for code in codes]


def look_after(room: SmallRoom) -> None:
    """Have figures told, keys changed and one enterprise erased, as people do later on."""
    stage, (first, second) = room.stage, OPERATORS
    operator, author = stage.client(first), stage.author(first)
    operator.profile(author.profile_order([FEATURE]))
    operator.rotate(countersign(author.rotate_order(), stage.author(second).keys))
    gone = room.planted.codes[0]
    operator.erase(stage.enterprises.author(gone).erase_order(gone))


def _prepare(folder: Path, seed: int, canaries: int) -> SmallRoom:
    home, outside = folder / "home", folder / "outside"
    codes = tuple(map(str, enterprise_codes(np.arange(canaries + OTHERS))))
    as_of = as_of_day(local_day(utc_now()))
    stage = Stage(home=home, url=address(free_port()), as_of=as_of, codes=codes)
    found(home, stage.url)
    (home / "vault" / "UNSAFE-TEST-HOME").touch()  # else SAFEROOM_UNSAFE_… opens nothing
    create_people(stage.people, stage.url, read_trust(home / "trust.json"))
    for name in ("tmp", "logs"):
        (outside / name).mkdir(parents=True)
    write_sources(Plan(len(codes), as_of), outside / "sources")
    planted = Planted(codes[:canaries], as_of, seed)
    planted.write_filings(outside / "sources" / "tax" / "tax_month.csv")
    return SmallRoom(stage, outside, planted)


def _start(room: SmallRoom, words: list[str]) -> None:
    environment = {
        **os.environ,
        "TMPDIR": str(room.outside / "tmp"),
        "SAFEROOM_WORKER_IN_PROCESS": "false",
        "SAFEROOM_SOURCES": str(room.outside / "sources"),
    }
    number = len(room.programs)
    with (
        (room.outside / "logs" / f"{number}.out").open("ab") as out,
        (room.outside / "logs" / f"{number}.err").open("ab") as err,
    ):
        room.programs.append(
            subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment
            )
        )


def _wait_until_alive(room: SmallRoom) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert room.programs[0].poll() is None, "serve ended"
        try:
            if httpx2.get(f"{room.stage.url}/v1/room", timeout=5.0).is_success:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise AssertionError("the room did not start")


def _open(stage: Stage) -> None:
    opening.enrol_people(stage)
    opening.activate_policy(stage)
    opening.approve_views(stage)
    opening.approve_template(stage)
    opening.connect_sources(stage)
    opening.admit_banks(stage)


def _ingest(room: SmallRoom) -> None:
    for source in content.sources():
        steward = STEWARDS[source.name].name
        order = room.stage.author(steward).ingest_order(source.name)
        told = room.stage.client(steward).ingest(source.party, order)
        assert int(str(told["rows"])) > 0, source.name


def _sign(room: SmallRoom) -> None:
    """Let all have a key and a budget, and those with canaries sign a grant."""
    stage, operator = room.stage, room.stage.client(OPERATORS[0])
    manifest = operator.terms(room.version).manifest
    authors = {code: stage.enterprises.author(code) for code in stage.codes}
    if not room.budgets:
        operator.enrol(opening.vouched(stage, [author.enrolment() for author in authors.values()]))
        room.budgets = {code: author.budget(manifest.group) for code, author in authors.items()}
        operator.sign_budgets(list(room.budgets.values()))
    room.grants = {
        code: grant(authors[code], manifest, room.budgets[code]) for code in room.planted.codes
    }
    operator.sign_grants(list(room.grants.values()))


def terms_of(version: Manifest) -> Terms:
    """State the terms of a version as its room does, without asking it."""
    return Terms(
        manifest=version,
        categories=content.views().categories_of(version.features),
        bank_name=opening.BANK_NAMES[version.bank],
        bank_contact=opening.CONTACT,
        template=content.grant_template(),
    )


def grant(author: Author, version: Manifest, budget: Statement) -> Statement:
    """Sign a grant for a year."""
    now, terms = utc_now(), terms_of(version)
    return author.grant(
        terms,
        enterprise_name="A small firm",
        signatory="Its representative",
        budget=Budget.from_body(budget.body),
        valid_from=write_instant(now - timedelta(days=1)),
        valid_until=write_instant(now + timedelta(days=365)),
        risk_ticked=True,
        representative_ticked=terms.needs_representative,
    )
