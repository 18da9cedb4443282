"""How does a test get a whole room with a bank, people and grants in a few lines?

Everything is real but the vault: `Evaluator` stands in for it, in memory, behind the same
port. The policy set, the sink's file, the tiles and both databases are the real ones.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from saferoom.adapters import cedar
from saferoom.adapters.content import content_folder
from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import reading, writing
from saferoom.adapters.log_files import LogFiles
from saferoom.adapters.sinks import FileSink
from saferoom.app import grants, log, parties, people, scores, sources, subjects, versions, votes
from saferoom.app.context import Caller, Room
from saferoom.canonical import Digest, Json, digest, digest_bytes
from saferoom.core.approval import Decision
from saferoom.core.budget import Budget
from saferoom.core.enrolment import Role, check_genesis
from saferoom.core.erasure import ErasureCertificate
from saferoom.core.grant import Grant
from saferoom.core.learnt import Chain
from saferoom.core.lineage import BatchLine, BatchList, SnapshotPaper, root_of
from saferoom.core.manifest import Manifest
from saferoom.core.moment import read_instant, write_instant
from saferoom.core.own_record import OwnRecordOrder, aad_of, pad
from saferoom.core.papers import check_papers
from saferoom.core.proposals import PolicySet
from saferoom.core.receipt import Verified, check_own_checkpoint, check_receipt
from saferoom.core.record import Record
from saferoom.core.request import ScoreRequest
from saferoom.core.trust import LogKey, Trust
from saferoom.core.uscc import make_uscc
from saferoom.crypto.sealing import SealingPublicKey, seal
from saferoom.crypto.signing import Statement
from saferoom.errors import Refusal, Unavailable
from saferoom.ports import Disputed, Evaluation, ModelFindings, Recalled, SealedAnswer, Snapshot
from tests import factories as f

ORIGIN = "room.test/log"
ARTEFACT = b"sealed artefact"
NOTE = b"sealed note"  # to the stewards of a disputed record's source
GENESIS = ("zhao", "qian")


class Evaluator:
    """A vault in memory: it answers each ticket once per snapshot and counts."""

    def __init__(self) -> None:
        self.learnt: list[Statement] = []
        self.away = False
        self.views = f.views().digest
        self.days = 0
        self.answers: dict[tuple[str, str, str], bytes] = {}
        self.evaluated = 0
        self.refuses: dict[str, str] = {}
        self.refuses_lessons: set[str] = set()
        self.refuses_orders: str | None = None
        self.erased = 0
        self.disputed: list[Digest] = []
        self.lines: list[BatchLine] = []
        self.certified_at = f.NOW_TEXT
        self.verified = 0

    @property
    def snapshot(self) -> Snapshot:
        named = digest_bytes(f"snapshot {self.days}".encode())
        return Snapshot(named, "2026-11-19", self.views, 10, f.NOW_TEXT)

    def learn(self, statements: Sequence[Statement]) -> None:
        self._check_here()
        for one in statements:
            if one.digest in self.refuses_lessons:
                raise Refusal("KEY_UNKNOWN")
            if one not in self.learnt:
                self.learnt.append(one)

    def recall(self, count: int) -> Recalled:
        self._check_here()
        chain = Chain()
        for one in self.learnt:
            chain.extend(one.to_bytes())
        return Recalled(chain.latest, chain.head(count))

    def check_model(self, manifest: Statement, artefact: bytes) -> ModelFindings:
        self._check_here()
        version = Manifest.from_body(manifest.body)
        return ModelFindings(version.features, "scorecard", 3, 9, len(version.grades), 1)

    def score(self, request: Statement, grants: Sequence[Statement]) -> Evaluation:
        self._check_here()
        revoked = {str(one.body.get("grant")) for one in self.learnt}
        refusals = dict(self.refuses)
        for grant in grants:
            if grant.digest in revoked:
                refusals[str(grant.body["enterprise"])] = "AUTH_REVOKED"
        names = [str(grant.body["enterprise"]) for grant in grants]
        snapshot = self.snapshot.digest
        answered = [name for name in names if name not in refusals]
        for name in answered:
            ticket = (request.digest, name, snapshot)
            if ticket not in self.answers:
                self.evaluated += 1
                self.answers[ticket] = hashlib.sha256(repr(ticket).encode()).digest()
        return Evaluation(
            snapshot,
            tuple(SealedAnswer(n, self.answers[request.digest, n, snapshot]) for n in answered),
            {name: code for name, code in refusals.items() if name in names},
        )

    def verify(self, request: Statement, grant: Statement | None) -> bytes:
        self._check_here()
        self.verified += 1
        return b"sealed word"

    def describe(self) -> Mapping[str, Json]:
        self._check_here()
        return {"sealing_key": "00" * 32, "cage": "ready", "views": None}

    def ingest(self, order: Statement) -> Mapping[str, Json]:
        self._check_here()
        self.take("tax", "tax_month", order.digest)
        return {"rows": 10, "quarantined": 1, "tables": []}

    def report(self, statement: Statement) -> Mapping[str, Json]:
        self._check_here()
        return {"rows": 2, "quarantined": 1, "tables": []}

    def materialise(self, order: Statement) -> Snapshot:
        self._check_here()
        self.days += 1
        return self.snapshot

    def erase(self, order: Statement) -> Statement:
        self._check_here()
        if self.refuses_orders is not None:
            raise Refusal(self.refuses_orders)
        self.erased += 1
        certificate = ErasureCertificate(
            order=order.digest,
            unreadable_here_at=self.certified_at,
            unreadable_everywhere_from=self.certified_at,
            tables=("tax_month",),
            snapshots=(),
            models=(),
        )
        return f.sign(certificate, "vault")

    def own_record(self, order: Statement) -> bytes:
        """Seal one filing of March, as a vault would."""
        self._check_here()
        asked = OwnRecordOrder.from_body(order.body)
        filing: dict[str, Json] = {
            "uscc": asked.enterprise,
            "record_id": "T-2026-03",
            "event_date": "2026-03-31",
            "known_at": "2026-04-12T01:30:00Z",
            "status": "valid",
            "period": "2026-03",
            "sales": "481920374652871.0",
            "batch": 1,
            "row": 0,
            "source": "tax",
        }
        body: dict[str, Json] = {
            "kind": "saferoom/own-record/1",
            "enterprise": asked.enterprise,
            "order": order.digest,
            "made_at": f.NOW_TEXT,
            "tables": {"tax_month": [filing]},
            "batches": [line.to_body() for line in self.lines[:1]],
        }
        to = [SealingPublicKey.from_hex(asked.seal_to)]
        return seal(pad(f.sign(body, "vault")), to, aad_of(order), lambda n: b"\5" * n)

    def dispute(self, statement: Statement) -> Disputed:
        self._check_here()
        if statement.digest not in self.disputed:
            self.disputed.append(statement.digest)
            self.take("tax", "tax_month", statement.digest)
        return Disputed("tax", "tax_month", NOTE)

    def take(self, connector: str, table: str, order: Digest) -> None:
        line = BatchLine(
            number=len(self.lines) + 1,
            connector=connector,
            table=table,
            taken_at=f.NOW_TEXT,
            order=order,
            content=f.some_digest(("content", len(self.lines))),
        )
        self.lines.append(line)

    def batches(self, after: int) -> Statement | None:
        self._check_here()
        lines = tuple(self.lines[after:])
        return f.sign(BatchList(lines=lines), "vault") if lines else None

    def snapshot_paper(self) -> Statement | None:
        self._check_here()
        made = self.snapshot
        return f.sign(
            SnapshotPaper(
                snapshot=made.digest,
                as_of=made.as_of,
                views=made.views,
                published_at=made.published_at,
                batches=len(self.lines),
                root=root_of(self.lines),
            ),
            "vault",
        )

    def rotate(self, order: Statement) -> Mapping[str, Json]:
        self._check_here()
        return {"rotated_at": f.NOW_TEXT, "backups_until": f.NOW_TEXT}

    def profile(self, order: Statement) -> Mapping[str, Json]:
        self._check_here()
        lines: list[Json] = [{"view": "tax_grade", "refused": "K_ANON"}]
        named: dict[str, Json] = {"snapshot": self.snapshot.digest, "views": self.views}
        return {**named, "enterprises": 10, "features": lines}

    def _check_here(self) -> None:
        if self.away:
            raise Unavailable("VAULT_UNAVAILABLE")


class Switch:
    """A mandatory sink that can be away."""

    name = "switch"

    def __init__(self) -> None:
        self.away = False
        self.held: list[str] = []

    def append(self, entries: Sequence[tuple[str, bytes]]) -> None:
        if self.away:
            raise Unavailable("SINK_UNAVAILABLE")
        self.held += [entry for entry, _ in entries]


@dataclass
class World:
    """A room and the people who use it."""

    room: Room
    vault: Evaluator
    sink: Switch
    now: datetime = f.NOW
    version: Manifest = field(default_factory=f.manifest)
    budgets: dict[tuple[str, str], Budget] = field(default_factory=dict)
    signed: dict[tuple[str, Digest], tuple[Digest, datetime]] = field(default_factory=dict)
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def nonce(self) -> str:
        return f.nonce(("world", next(self._numbers)))

    @property
    def now_text(self) -> str:
        return write_instant(self.now)

    def sign(self, record: Record | dict[str, Json], *names: str) -> Statement:
        return f.sign(record, *names)

    def enrol(self, name: str, /, **changes: object) -> None:
        statement = f.sign(f.enrolment(name, **changes), name, *GENESIS)
        people.enrol(self.room, OPERATOR, [statement])

    def enrol_enterprises(self, codes: Sequence[str]) -> None:
        found = [f.sign(f.enrolment(c, party=c, role=Role.ENTERPRISE), c, *GENESIS) for c in codes]
        people.enrol(self.room, OPERATOR, found)

    def approve(self, subject: Digest, step: str = "review", names: Sequence[str] = ()) -> str:
        state = ""
        for name in names or ("qian", "sun"):
            vote = f.vote(subject, step, nonce=self.nonce, cast_at=self.now_text)
            _, state = votes.cast(self.room, OPERATOR, f.sign(vote, name))
        return state

    def refuse(self, subject: Digest, name: str, step: str = "review") -> str:
        vote = f.vote(subject, step, decision=Decision.REFUSE, nonce=self.nonce)
        return votes.cast(self.room, OPERATOR, f.sign(vote, name))[1]

    def admit(self, party: str = f.BANK, **changes: object) -> Digest:
        admission = f.admission(party=party, nonce=self.nonce, **{"group": party, **changes})
        digest_ = parties.apply(self.room, OPERATOR, f.sign(admission, "zhao"))
        self.approve(digest_)
        return digest_

    def enrol_bank(self, party: str = f.BANK) -> None:
        for role in (Role.MODELLER, Role.APPROVER, Role.SYSTEM):
            self.enrol(f"{party}.{role}", party=party, role=role)

    def activate(self, policy_set: PolicySet) -> Digest:
        digest_ = subjects.propose(self.room, OPERATOR, f.sign(policy_set, "zhao"))
        self.approve(digest_)
        return digest_

    def submit(self, version: Manifest) -> Digest:
        statement = f.sign(version, f"{version.bank}.modeller")
        return versions.submit(self.room, bank(version.bank), statement, ARTEFACT).digest

    def publish(self) -> Snapshot:
        return sources.materialise(self.room, OPERATOR, self.snapshot_order())

    def snapshot_order(self, by: str = "zhao") -> Statement:
        return f.sign(f.snapshot_order(asked_at=self.now_text, nonce=self.nonce), by)

    def manifest(self, **changes: object) -> Manifest:
        sealed = {"artefact": digest_bytes(ARTEFACT), "artefact_bytes": len(ARTEFACT)}
        return f.manifest(**{**sealed, "nonce": self.nonce, **changes})

    def approve_version(self, version: Manifest) -> None:
        self.approve(self.submit(version), "bank", [f"{version.bank}.approver"])
        self.approve(version.digest, "review", ["zhao", "qian"])

    def budget(self, code: str = f.ENTERPRISE, group: str = f.BANK, **changes: object) -> Budget:
        budget = f.budget(enterprise=code, group=group, nonce=self.nonce, **changes)
        grants.sign_budgets(self.room, OPERATOR, [f.sign(budget, code)])
        self.budgets[code, group] = budget
        return budget

    def unsent_grant(
        self, code: str = f.ENTERPRISE, version: Manifest | None = None, **changes: object
    ) -> Grant:
        """Make the next grant of the chain, which the enterprise signs and nobody brings."""
        version = version or self.version
        drawn = self.budgets[code, version.group]
        latest, at = self.signed.get((code, version.digest), (None, None))
        if at is not None:  # the next of its chain, also within one second of our clock
            at = max(self.now, at + timedelta(seconds=1))
        fixed = {
            "enterprise": code,
            "budget": drawn.digest,
            "budget_mbit": drawn.limit_mbit,
            "renews": latest,
            "signed_at": write_instant(at or self.now),
            "nonce": self.nonce,
        }
        return f.grant(version, **{**fixed, **changes})

    def grant(
        self, code: str = f.ENTERPRISE, version: Manifest | None = None, **changes: object
    ) -> Grant:
        return self.bring(self.unsent_grant(code, version, **changes))

    def bring(self, grant: Grant) -> Grant:
        grants.sign_grants(self.room, OPERATOR, [f.sign(grant, grant.enterprise)])
        self.signed[grant.enterprise, grant.version] = (grant.digest, read_instant(grant.signed_at))
        return grant

    def revoke(self, grant: Grant) -> Digest:
        latest, signed_at = self.signed[grant.enterprise, grant.version]
        by = max(self.now, signed_at)
        self.signed[grant.enterprise, grant.version] = (latest, by)
        revocation = f.revocation(grant, revoked_at=write_instant(by), nonce=self.nonce)
        return grants.revoke(self.room, OPERATOR, f.sign(revocation, grant.enterprise))

    def suspend_version(self, caller: Caller | None = None, /, **changes: object) -> str:
        caller = caller or OPERATOR
        fixed = {"suspended_at": self.now_text, "nonce": self.nonce}
        paper = f.version_suspension(self.version.digest, **{**fixed, **changes})
        signed = f.sign(paper, caller.holder)
        return versions.suspend(self.room, caller, self.version.digest, signed)

    def suspend_party(self, party: str = f.BANK, **changes: object) -> str:
        fixed = {"suspended_at": self.now_text, "nonce": self.nonce}
        paper = f.suspension(party=party, **{**fixed, **changes})
        return parties.suspend(self.room, OPERATOR, party, f.sign(paper, *GENESIS))

    def request(self, *codes: str, version: Manifest | None = None, **changes: object) -> Statement:
        version = version or self.version
        fixed = {
            "enterprises": codes or (f.ENTERPRISE,),
            "asked_at": self.now_text,
            "nonce": self.nonce,
        }
        asked: ScoreRequest = f.request(version, **{**fixed, **changes})
        return f.sign(asked, f"{version.bank}.modeller")

    def score(
        self, statement: Statement | None = None, key: str | None = None, party: str = f.BANK
    ) -> scores.ScoreAnswer:
        return scores.score(self.room, bank(party), statement or self.request(), key or self.key())

    def key(self) -> str:
        return f"key-{next(self._numbers):020d}"

    def later(self, **by: float) -> None:
        self.now += timedelta(**by)

    def spent(self, code: str = f.ENTERPRISE, group: str = f.BANK) -> int:
        query = sa.select(t.account.c.spent_mbit).where(
            t.account.c.enterprise == code, t.account.c.bank_group == group
        )
        with reading(self.room.database) as connection:
            return int(connection.scalars(query).one())

    def count(self, table: sa.Table, **equal: object) -> int:
        query = sa.select(sa.func.count()).select_from(table)
        for name, value in equal.items():
            query = query.where(table.c[name] == value)
        with reading(self.room.database) as connection:
            return int(connection.scalars(query).one())

    @property
    def trust(self) -> Trust:
        """What somebody outside holds of this room."""
        log_key = LogKey(
            algorithm="ed25519",
            key=self.room.log_key.public.raw.hex(),
            valid_from=f.LAST_YEAR,
            valid_until=None,
            compromised=False,
        )
        return Trust(
            origin=ORIGIN,
            log_keys=(log_key,),
            operators=tuple(f.genesis()),
            vaults=(f.vault_keys(),),
        )

    def verify(self, receipt: bytes, trust: Trust | None = None) -> Verified:
        """Judge a receipt as somebody outside does, by the newest checkpoint."""
        kept = self.room.log.checkpoint()
        own = check_own_checkpoint(receipt, trust or self.trust)
        proof = self.room.log.consistency(own.size, self.room.log.size)
        return check_receipt(receipt, trust or self.trust, kept, proof, check_papers)

    def execute(self, statement: sa.Executable) -> None:
        """Do what an operator with all rights on the database could do."""
        with writing(self.room.database) as connection:
            connection.execute(statement)

    def settle_log(self) -> None:
        """Run the sequencer only."""
        log.sequence(self.room)

    def settle(self) -> None:
        """Run the worker's turn."""
        log.deliver(self.room)
        log.sequence(self.room)


OPERATOR = Caller("zhao", "room", Role.OPERATOR, f.signing_key("zhao").public.id)
AUDITOR = Caller("wu", "audit", Role.AUDITOR, f.signing_key("wu").public.id)


def bank(party: str = f.BANK, role: Role = Role.MODELLER) -> Caller:
    holder = f"{party}.{role}"
    return Caller(holder, party, role, f.signing_key(holder).public.id)


def enterprise(code: str = f.ENTERPRISE) -> Caller:
    return Caller(code, code, Role.ENTERPRISE, f.signing_key(code).public.id)


def code(number: int) -> str:
    return make_uscc(number)


def empty_world(database: sa.Engine, folder: Path, owner: str = "one") -> World:
    """Open a room of two operators and nothing else."""
    world: list[World] = []
    stream = itertools.count()

    def random_bytes(length: int) -> bytes:
        data = b"".join(
            hashlib.sha256(f"{owner} {next(stream)}".encode()).digest()
            for _ in range(-(-length // 32))
        )
        return data[:length]

    vault, sink = Evaluator(), Switch()
    log_key = f.signing_key("log")
    room = Room(
        database=database,
        clock=lambda: world[0].now,
        random_bytes=random_bytes,
        vault=vault,
        steward=vault,
        load_policy=cedar.load_policy,
        sinks=(FileSink(folder / "sink" / "entries.log"), sink),
        log_key=log_key,
        subject_key=b"\7" * 32,
        origin=ORIGIN,
        log=LogFiles(folder / "log", ORIGIN, [log_key]),
        owner=owner,
        founders=check_genesis(f.genesis()),
    )
    world.append(World(room, vault, sink))
    return world[0]


def founded_world(database: sa.Engine, folder: Path) -> World:
    """Open with three operators, views, policies and a snapshot."""
    world = empty_world(database, folder)
    people.genesis(world.room, f.genesis(), f.some_digest("trust"))
    world.enrol("sun")
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.views(), "zhao")))
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.template(), "zhao")))
    world.activate(cedar.read_policy_set(content_folder("policies")))
    world.publish()
    return world


def ready_world(database: sa.Engine, folder: Path, enterprises: int = 1) -> World:
    """Open with an approved version of bank-a and enterprises that granted it."""
    world = founded_world(database, folder)
    world.enrol_bank()
    world.admit()
    world.version = world.manifest()
    world.approve_version(world.version)
    codes = [code(number + 1) for number in range(enterprises)]
    world.enrol_enterprises(codes)
    for one in codes:
        world.budget(one)
        world.grant(one)
    return world


def with_room(world: World, **changes: object) -> World:
    """Use the same world through another room object."""
    return replace(world, room=replace(world.room, **changes))  # type: ignore[arg-type]


PERMIT_ALL = PolicySet(
    files=tuple(
        replace(file, text='@id("all") permit (principal, action, resource);')
        if file.name.endswith(".cedar")
        else file
        for file in cedar.read_policy_set(content_folder("policies")).files
    )
)
assert digest(PERMIT_ALL.to_body())
