"""Who goes on with the story while the room dies under it, and what do they remember?

Each teller owns some enterprises, signs for them and scores them; a few are scored by all.
An intent that was not answered is sent again, the same bytes under the same key, until
the room answers. Everything acknowledged is remembered, to be held against the room.
"""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TypeVar, cast

from saferoom.canonical import Digest, Json
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.statements import Author, utc_now
from saferoom.client.transport import Transport
from saferoom.core.budget import Budget
from saferoom.core.manifest import Manifest, Purpose
from saferoom.core.moment import write_instant
from saferoom.crypto.signing import Statement
from saferoom.demo.asking import SYSTEM
from saferoom.demo.opening import OPERATORS, Stage
from saferoom.errors import Conflict, Refusal, SaferoomError, Unavailable
from tests.proofs.kills_evidence import Answered, Line
from tests.proofs.kills_room import Opened
from tests.proofs.small_room import terms_of

T = TypeVar("T")
LONGEST_SILENCE_SECONDS = 120.0  # once nobody kills any more
MOST_SNAPSHOTS = 25  # from the end of the month before last on: all in the past
SECOND = 1.1
LIMITS = (9_000, 40_000, 900_000)  # milli-bits: two scores, ten, and many


@dataclass
class Memory:
    """What all tellers were told, in the order in which they were."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    answers: list[Answered] = field(default_factory=list)
    requests: list[tuple[Statement, float]] = field(default_factory=list)
    interrupted: list[tuple[Statement, float]] = field(default_factory=list)
    signed: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    revoked: dict[str, float] = field(default_factory=dict)
    revoked_at: dict[str, str] = field(default_factory=dict)  # the first whole second after
    faults: list[str] = field(default_factory=list)


@dataclass
class Firm:
    """What one enterprise has signed."""

    code: str
    budget: Budget | None = None
    grants: dict[Digest, Digest | None] = field(default_factory=dict)  # version → live grant
    latest: dict[Digest, Digest] = field(default_factory=dict)  # version → its last, live or not
    revoked: dict[Digest, float] = field(default_factory=dict)  # version → when


class Teller(threading.Thread):
    """One who goes on."""

    def __init__(
        self, opened: Opened, memory: Memory, stop: threading.Event, seed: str, own: Sequence[str]
    ) -> None:
        super().__init__(name=seed, daemon=True)
        self.stage, self.memory, self.stop_event = opened.stage, memory, stop
        self.random = random.Random(seed)
        self.manifests = list(opened.manifests)
        self.firms = [Firm(code, None, dict.fromkeys(self._digests())) for code in own]
        self.others: Sequence[str] = ()  # another teller's, who may revoke meanwhile
        self.days = 0
        self.operator = connect(opened.stage, OPERATORS[0])
        self.system = connect(opened.stage, SYSTEM)

    def run(self) -> None:
        acts: list[tuple[float, Callable[[], None]]] = [
            (5, self.score_one),
            (3, self.score_batch),
            (2, self.ask_again),
            (1, self.sign_budget),
            (1, self.revoke),
            (1, self.sign_grants),
        ]
        weights, choices = [weight for weight, _ in acts], [act for _, act in acts]
        try:
            self.sign_all()
            while not self.stop_event.wait(self.random.uniform(0, 0.06)):
                self.random.choices(choices, weights)[0]()
        except Exception as error:  # noqa: BLE001  # a thread's faults are asserted on at the end
            self.memory.faults.append(f"{self.name}: {error!r:.500}")
        finally:
            self.close()

    def close(self) -> None:
        """Give the connections back."""
        self.operator.close()
        self.system.close()

    # --- enterprises ---

    def sign_all(self) -> None:
        """Sign a first budget and a grant for each version, all at once."""
        budgets = [self._budget(firm, revealed=0) for firm in self.firms]
        self._budgets(budgets)
        for firm, budget in zip(self.firms, budgets, strict=True):
            firm.budget = Budget.from_body(budget.body)
        wanted = [(firm, version) for firm in self.firms for version in self.manifests]
        self._grant(wanted)

    def sign_budget(self) -> None:
        """Replace a budget; what is revealed may have moved meanwhile, then it is refused."""
        firm = self.random.choice(self.firms)
        accounts = self.insist(self.operator.ledger)
        spent = {str(one["enterprise"]): int(str(one["spent_mbit"])) for one in accounts}
        try:
            budget = self._budget(firm, revealed=spent[firm.code])
            self._budgets([budget])
            firm.budget = Budget.from_body(budget.body)
        except Conflict as error:
            if error.code != "STATE":
                raise

    def sign_grants(self) -> None:
        """Grant again what was revoked, a whole second later: instants count seconds."""
        now = time.monotonic()
        wanted = [
            (firm, version)
            for firm in self.firms
            for version in self.manifests
            if firm.grants[version.digest] is None
            and now - firm.revoked.get(version.digest, 0.0) > SECOND
        ]
        if wanted:
            self._grant(wanted)

    def revoke(self) -> None:
        """Take one grant back."""
        firm = self.random.choice(self.firms)
        version = self.random.choice(self.manifests).digest
        grant = firm.grants[version]
        if grant is None:
            return
        statement = self._author(firm).revocation(grant, version)
        self.insist(lambda: self.operator.revoke(statement))
        with self.memory.lock:
            self.memory.revoked[grant] = time.monotonic()
            self.memory.revoked_at[grant] = write_instant(utc_now() + timedelta(seconds=1))
            self.memory.signed["grant_revoked"].add(grant)
        firm.grants[version], firm.revoked[version] = None, time.monotonic()

    def _author(self, firm: Firm) -> Author:
        return self.stage.enterprises.author(firm.code)

    def _budget(self, firm: Firm, revealed: int) -> Statement:
        return self._author(firm).budget(
            self.manifests[0].group,
            limit_mbit=self.random.choice(LIMITS),
            ceiling_mbit=1_000_000,
            replaces=None if firm.budget is None else firm.budget.digest,
            revealed_mbit=revealed,
        )

    def _budgets(self, statements: list[Statement]) -> None:
        digests = self.insist(lambda: self.operator.sign_budgets(statements))
        with self.memory.lock:
            self.memory.signed["budget_signed"].update(digests)

    def _grant(self, wanted: Sequence[tuple[Firm, Manifest]]) -> None:
        statements = [self._grant_statement(firm, version) for firm, version in wanted]
        digests = self.insist(lambda: self.operator.sign_grants(statements))
        with self.memory.lock:
            self.memory.signed["grant_signed"].update(digests)
        for (firm, version), digest in zip(wanted, digests, strict=True):
            firm.grants[version.digest] = firm.latest[version.digest] = digest

    def _grant_statement(self, firm: Firm, version: Manifest) -> Statement:
        now, terms = utc_now(), terms_of(version)
        assert firm.budget is not None
        return self._author(firm).grant(
            terms,
            enterprise_name="A small firm",
            signatory="Its representative",
            budget=firm.budget,
            valid_from=write_instant(now - timedelta(days=30)),
            valid_until=write_instant(now + timedelta(days=30)),
            risk_ticked=True,
            representative_ticked=terms.needs_representative,
            renews=firm.latest.get(version.digest),
        )

    # --- scores ---

    def score_one(self) -> None:
        """Score one, now and then one of another teller's while it may be revoked."""
        own = [firm.code for firm in self.firms]
        self._score([self.random.choice([*own, *self.others])])

    def score_batch(self) -> None:
        """Score several together."""
        own = [firm.code for firm in self.firms]
        count = self.random.randint(2, min(8, len(own)))
        self._score([*self.random.sample(own, count), *self.others[:2]])

    def ask_again(self) -> None:
        """Send an answered request once more: the same answer must come."""
        with self.memory.lock:
            known = list(self.memory.requests[-50:])
        if known:
            self.send(*self.random.choice(known))

    def _score(self, codes: Sequence[str]) -> None:
        version = self.random.choice(self.manifests).digest
        reference = f"LOAN-{self.random.randrange(10**6)}"
        statement = self.system.author.score_request(
            version, Purpose.CREDIT_APPROVAL, list(dict.fromkeys(codes)), reference
        )
        self.send(statement, time.monotonic())

    def send(self, statement: Statement, asked: float) -> None:
        """Send until answered, and remember the answer."""
        tries: list[None] = []

        def once() -> dict[str, Json]:
            tries.append(None)
            return self.system.score(statement)

        answer = self.insist(once)
        with self.memory.lock:
            self.memory.answers.append(read_answer(statement, asked, answer))
            self.memory.requests.append((statement, asked))
            if len(tries) > 1:
                self.memory.interrupted.append((statement, asked))

    # --- the room ---

    def insist(self, act: Callable[[], T]) -> T:
        """Try the same again until the room answers."""
        ended: float | None = None
        while True:
            try:
                return act()
            except (Unavailable, Conflict) as error:
                if isinstance(error, Conflict) and error.code != "MOVED":
                    raise
                if self.stop_event.is_set():
                    ended = ended or time.monotonic()
                    if time.monotonic() - ended > LONGEST_SILENCE_SECONDS:
                        raise
            except SaferoomError as error:
                self.memory.faults.append(f"{self.name}: {error.code} {error.trace_id}")
                raise
            time.sleep(0.05)

    def _digests(self) -> list[Digest]:
        return [manifest.digest for manifest in self.manifests]


class Publisher(Teller):
    """One who publishes the next day's features now and then: stored answers stop counting.

    Apart from the others, because a room that is killed every other second may never get
    through with it, and they should not have to wait for that.
    """

    def run(self) -> None:
        try:
            while not self.stop_event.wait(self.random.uniform(1, 15)):
                self.publish_snapshot()
        except Exception as error:  # noqa: BLE001  # as above
            self.memory.faults.append(f"{self.name}: {error!r:.500}")
        finally:
            self.close()

    def publish_snapshot(self) -> None:
        """Publish the features of the next day."""
        if self.days == MOST_SNAPSHOTS:
            return
        self.days += 1
        day = str(self.stage.as_of + timedelta(days=self.days))
        author = self.stage.author(OPERATORS[0])
        snapshot: Mapping[str, Json] | None = None
        while snapshot is None:
            snapshot = self.insist(partial(self._publish, author.snapshot_order(day)))
        with self.memory.lock:
            self.memory.signed["snapshot_published"].add(str(snapshot["digest"]))

    def _publish(self, order: Statement) -> Mapping[str, Json] | None:
        """Tell by None that the order grew too old while the room was down: sign another."""
        try:
            return self.operator.publish_snapshot(order)
        except Refusal as error:
            if error.code != "REPLAY":
                raise
            return None


def connect(stage: Stage, name: str) -> RoomClient:
    """Connect as one person, impatiently: the story has its own patience."""
    transport = Transport(stage.url, sleep=lambda seconds: time.sleep(min(seconds, 0.1)))
    return RoomClient(stage.url, keyfolder.load(stage.people / name), transport=transport)


def read_answer(statement: Statement, asked: float, answer: dict[str, Json]) -> Answered:
    """Keep what an audit needs."""
    promises = [Statement.from_json(one) for one in cast("list[Json]", answer["promises"])]
    return Answered(
        request=statement.digest,
        asked=asked,
        results=tuple(cast("list[Line]", answer["results"])),
        promised=tuple(str(one.body["entry"]) for one in promises),
    )
