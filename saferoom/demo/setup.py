"""What must stand before the demo's room can be served?

A home with two founding operators, everybody's keys, and the synthetic economy's files,
each source's in its own folder. Nothing of it passes through the API.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from saferoom.client import keyfolder
from saferoom.client.statements import utc_now
from saferoom.client.trustfile import keep_trust, read_trust
from saferoom.core.moment import local_day
from saferoom.demo.cast import create_people, load_enterprises
from saferoom.demo.economy.codes import enterprise_codes
from saferoom.demo.economy.files import write_books, write_sources
from saferoom.demo.economy.population import Plan
from saferoom.demo.founding import found
from saferoom.demo.granting import Parts
from saferoom.demo.opening import Stage
from saferoom.demo.server import address
from saferoom.demo.watching import Watchers

MOST_SIGNERS = 2_000


@dataclass(frozen=True)
class Prepared:
    """A home that can be served, and what its sources will bring."""

    stage: Stage
    rows: dict[str, int]
    port: int


def as_of_day(today: date) -> date:
    """Choose the end of the month before last: what came late is known by today."""
    last_month_end = today.replace(day=1) - timedelta(days=1)
    return last_month_end.replace(day=1) - timedelta(days=1)


def stage_for(home: Path, port: int, enterprises: int) -> Stage:
    """Say who takes part in a home."""
    codes = enterprise_codes(np.arange(min(enterprises, MOST_SIGNERS)))
    as_of = as_of_day(local_day(utc_now()))
    return Stage(home=home, url=address(port), as_of=as_of, codes=tuple(map(str, codes)))


def prepare(home: Path, port: int, enterprises: int, witnesses: Watchers | None = None) -> Prepared:
    """Make the home, the keys and the data; where there are witnesses, they see the first entry."""
    stage = stage_for(home, port, enterprises)
    if witnesses is None:
        found(home, stage.url)
    else:
        found(home, stage.url, witnesses.files, witnesses.watch)
    trust = read_trust(home / "trust.json")
    create_people(stage.people, stage.url, trust)
    for code in keep_some_enterprises(stage):
        keep_trust(keyfolder.load(stage.people / code), trust)
    plan = Plan(enterprises, stage.as_of)
    rows = write_sources(plan, stage.sources)
    write_books(plan, home / "banks", ("bank-a", "bank-b"))
    return Prepared(stage, rows, port)


def keep_some_enterprises(stage: Stage) -> tuple[str, ...]:
    """Write key folders of a few enterprises, to try things with."""
    parts, enterprises = Parts.cast(stage.codes), load_enterprises(stage.people, stage.url)
    some = dict.fromkeys(
        [parts.single, parts.thrifty, parts.fickle, parts.expired[0], parts.revoked[0]]
    )
    for code in some:
        enterprises.keep(stage.people, code)
    return tuple(some)
