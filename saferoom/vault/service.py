"""What does each verb do?

One object holds the vault's parts; each verb verifies, works and answers. It trusts no
caller: what a verb needs to believe is a signed statement that it checks itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path

from saferoom.cage.host import Cage, Shape
from saferoom.canonical import Digest, Json, digest_bytes
from saferoom.core.admission import check_active
from saferoom.core.facts import Table
from saferoom.core.manifest import Manifest
from saferoom.core.moment import local_day, read_day, read_instant, write_instant
from saferoom.core.orders import (
    EraseOrder,
    IngestOrder,
    check_erase_order,
    check_key_backup_order,
    check_rotate_order,
    check_snapshot_order,
)
from saferoom.core.quality import QualityRule, check_served
from saferoom.core.self_report import SelfReport, check_reportable, check_self_report
from saferoom.core.source import SourceManifest
from saferoom.crypto.sealing import SealingPublicKey
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Conflict, Refusal, SaferoomError, Unavailable
from saferoom.vault.answers import answer_for, readers, seal_answer
from saferoom.vault.authority import Permit, check_ingestion, check_score, check_submission
from saferoom.vault.cages import Cages
from saferoom.vault.checking import check_home
from saferoom.vault.connections import find_place, read_connection
from saferoom.vault.custody import Custody
from saferoom.vault.declarations import Declarations
from saferoom.vault.erasures import Erasures
from saferoom.vault.evaluating import Evaluator
from saferoom.vault.facts import FactStore
from saferoom.vault.home import VaultHome, read_genesis
from saferoom.vault.ingestion import Ingestion
from saferoom.vault.keys import BUCKETS, Keys, RandomBytes
from saferoom.vault.lineage import batch_paper, lines_of, snapshot_paper
from saferoom.vault.materialising import computing
from saferoom.vault.memory import Memory
from saferoom.vault.models import Models
from saferoom.vault.obeying import Act, Obedience
from saferoom.vault.orders import Orders
from saferoom.vault.own_affairs import OwnAffairs
from saferoom.vault.own_records import OwnRecords
from saferoom.vault.pacing import paced
from saferoom.vault.places import Places
from saferoom.vault.profiling import Profiling, check_profile
from saferoom.vault.publication import SnapshotStore
from saferoom.vault.quality import Quality, blank, closed_views
from saferoom.vault.self_reports import take_report
from saferoom.vault.snapshots import Snapshot
from saferoom.vault.tickets import Tickets
from saferoom.vault.timetable import BY_ORDER, Timetable
from saferoom.vault.told import Told
from saferoom.vault.tombstones import Tombstones
from saferoom.vault.verifications import Verifications
from saferoom.vault.verifying import check_not_revoked, check_verify

Clock = Callable[[], datetime]
SCORE_SECONDS = 60.0  # of evaluation, for one request


@dataclass(frozen=True)
class Scored:
    """What goes back for one request."""

    snapshot: Digest
    answers: dict[str, bytes]  # in the request's order
    refusals: dict[str, str]


class Service:
    """The vault of one home."""

    def __init__(
        self,
        paths: VaultHome,
        declared: Declarations,
        *,
        clock: Clock,
        random_bytes: RandomBytes,
        start_cage: Callable[[], Cage],
        sources: Path | None = None,
        score_seconds: float = SCORE_SECONDS,
        timetable: Timetable = BY_ORDER,
        rules: Sequence[QualityRule] = (),
    ) -> None:
        """Open everything; a cage that does not hold stops this first."""
        self._declared, self._clock, self._random = declared, clock, random_bytes
        founders = read_genesis(paths.genesis.read_bytes())
        self._sources = sources or paths.home / "sources"  # a folder for each connector
        self._connections = paths.connections
        self._score_seconds, self._places = score_seconds, Places()
        self._paths, self._timetable = paths, timetable
        with ExitStack() as opened:
            self._cages = Cages(start_cage)
            opened.callback(self._cages.close)
            self._keys = Keys(paths.keys, random_bytes)
            self._keys.clear()
            erasures = Erasures(paths.journal / "erasures.log")
            opened.callback(erasures.close)
            stones = Tombstones(self._keys, erasures.marks)
            self._facts = FactStore(paths.facts, self._keys, stones)
            self._quality = Quality(paths.journal / "quality.json", rules, declared.tables)
            self._snapshots = SnapshotStore(paths.segments, self._keys)
            self._models = Models(paths.models, self._keys.sealing)
            self._memory = Memory(
                paths.journal / "statements.log", founders, self._keys.answer.public
            )
            opened.callback(self._memory.close)
            self._tickets = Tickets(paths.journal, clock())
            opened.callback(self._tickets.close)
            self._orders = Orders(paths.journal / "orders.log", clock())
            opened.callback(self._orders.close)
            told = Told(paths.journal / "told.log", self._keys)
            opened.callback(told.close)
            self._profiling = Profiling(told, self._keys.mark_of)
            self._custody = Custody(
                self._keys,
                self._facts,
                self._snapshots,
                self._tickets,
                erasures,
                stones,
                told,
                tuple(declared.tables),
            )
            book = paths.journal / "verified.json"
            self._verifications = Verifications(book, self._keys.mark_of, erasures.marks)
            asked = OwnRecords(paths.journal / "own-records.log", clock())
            opened.callback(asked.close)
            self._own = OwnAffairs(
                self._keys, self._facts, self._memory, self._custody, declared, asked
            )
            self._obedience = Obedience(
                self._orders, clock, lambda: self._custody.settle(self._clock())
            )
            self._take_back()
            self._opened = opened.pop_all()

    @property
    def sealing_key(self) -> SealingPublicKey:
        """Return what models are sealed to."""
        return self._keys.sealing.public

    def close(self) -> None:
        """Let go of cages and journals."""
        self._opened.close()

    def describe(self) -> dict[str, Json]:
        """State what is public."""
        snapshot = self._snapshots.current
        sources = {name: source.to_body() for name, source in self._declared.sources.items()}
        return {
            "sealing_key": self.sealing_key.raw.hex(),
            "answer_key": self._keys.answer.public.raw.hex(),
            "views": self._declared.views.to_body(),
            "sources": {**sources},
            "quality": self._quality.describe(),
            "snapshot": describe_snapshot(snapshot) if snapshot else None,
            "enterprises": snapshot.manifest.enterprises if snapshot else 0,
            "cage": "ready",
            "version": "1",
        }

    def learn(self, statements: Sequence[Statement]) -> int:
        """Verify and keep statements, and erase whom they say was erased; how many were new."""
        try:
            return self._memory.learn(statements)
        finally:  # also where the last of them was refused
            self._take_back()

    def recall(self, count: int) -> dict[str, Json]:
        """Name the last place of the chain of lessons, and the head after so many."""
        latest, head = self._memory.recall(count)
        return {"latest": latest.to_body(), "head": head}

    def check_submission(self, manifest: Statement) -> Manifest:
        """Verify who submits what, before any byte of it is looked at."""
        with self._memory.roster() as roster:
            return check_submission(roster, manifest, self._declared.views, self._clock())

    def check_model(self, manifest: Statement, artefact: bytes) -> Shape:
        """Read a submitted model in a cage and keep it sealed."""
        checked = self.check_submission(manifest)
        return self._models.check(checked, artefact, self._cages)

    def ingest(self, statement: Statement) -> dict[str, Json]:
        """Take in, by its steward's order, what a source's approved connector declares."""

        def prepare(now: datetime) -> Act:
            source = self._declared.source(IngestOrder.from_body(statement.body).connector)
            with self._memory.roster() as roster:
                order = check_ingestion(roster, statement, source, now)
            return lambda: self._ingest(source, order, statement.digest, now)

        return self._obedience.once(statement, prepare)

    def verify(self, statement: Statement, permission: Statement | None) -> dict[str, Json]:
        """Ask a department, by an enterprise's grant, what it verifies; never the value."""
        erased, now = self._custody.erased, self._clock()
        with self._memory.roster() as roster:
            permit = check_verify(roster, statement, permission, self._declared, now)
        place = read_connection(self._connections, permit.verifier.name)
        found = self._verifications.answer(
            permit.request, permit.question, now, lambda: permit.ask(place)
        )
        with self._memory.roster() as roster:
            check_not_revoked(roster, permit.grant)
        enterprise = permit.request.enterprise
        try:
            with self._custody.unmoved(erased):
                sealed = permit.seal(found, self._keys.answer, self._random)
        except Conflict:
            self._verifications.forget(enterprise, self._clock())
            raise
        return {"answer": sealed.hex(), "charge_mbit": permit.question.charge_mbit}

    def report(self, statement: Statement) -> dict[str, Json]:
        """Take in what an enterprise says of itself, over its own signature."""

        def prepare(now: datetime) -> Act:
            with self._memory.roster() as roster:
                report = check_self_report(statement, roster.lookup, now)
            table = check_reportable(self._declared.tables.get(report.table))
            return lambda: self._take_report(report, table, statement.digest, now)

        return self._obedience.once(statement, prepare)

    def materialise(self, statement: Statement) -> dict[str, Json]:
        """Compute, by an operator's order, the approved views, and publish."""

        def prepare(now: datetime) -> Act:
            with self._memory.roster() as roster:
                as_of = check_snapshot_order(statement, roster.lookup, now).as_of
            day = read_day(as_of)
            if day > local_day(now):
                raise BadInput("FIELD_INVALID", "as_of lies in the future")
            self._check_views()
            return lambda: describe_snapshot(self._publish(day, now))

        return self._obedience.once(statement, prepare)

    def erase(self, statement: Statement) -> dict[str, Json]:
        """Make an enterprise unreadable; the same order gets the same certificate for ever."""
        certificate = self._custody.certificate(statement.digest)
        if certificate is None:
            now = self._clock()
            order = EraseOrder.from_body(statement.body)
            if not self._custody.promised(statement.digest):  # it was verified then
                with self._memory.roster() as roster:
                    check_erase_order(statement, roster.lookup, now)
            with self._obedience.turn():
                certificate = self._custody.erase(statement, order.enterprise, now)
                self._verifications.forget(order.enterprise, now)
        return {"certificate": certificate.to_json()}

    def rotate(self, statement: Statement) -> dict[str, Json]:
        """Change every key of what rests, by two operators' order, while scores go on."""

        def prepare(now: datetime) -> Act:
            with self._memory.roster() as roster:
                check_rotate_order(statement, roster.lookup, now)
            return lambda: self._custody.rotate(now)

        return self._obedience.once(statement, prepare)

    def back_up_keys(self, statement: Statement) -> dict[str, Json]:
        """Seal a copy of the keys to a custodian, by two operators' order."""
        now = self._clock()
        with self._memory.roster() as roster:
            order = check_key_backup_order(statement, roster.lookup, now)
        with self._obedience.turn():
            if self._orders.done(statement.digest) is not None:
                raise Refusal("REPLAY", "the copy went out once, and is kept nowhere here")
            backup = self._custody.back_up(order, now)
            self._orders.finish(statement, {"made": digest_bytes(backup)}, now)
        return {"backup": backup.hex()}

    def own_record(self, statement: Statement) -> bytes:
        """Seal to an enterprise what is held of it, by its own order, once.

        It is short, like the vault's own work: whoever comes meanwhile waits and is not sent away.
        """
        turn = partial(self._obedience.turn, tidying=True)
        return self._own.record(statement, self._clock(), turn)

    def dispute(self, statement: Statement) -> dict[str, Json]:
        """Let a record count as disputed, by its enterprise's own statement, once."""
        return self._obedience.once(
            statement, lambda now: partial(self._own.dispute, statement, now)
        )

    def batches(self, after: int) -> Statement | None:
        """Sign the lines of the batches that follow this number."""
        return batch_paper(self._facts.manifest, after, self._keys.answer)

    def snapshot_paper(self) -> Statement | None:
        """Give the paper of the current snapshot; None where it was published without one."""
        snapshot = self._snapshots.current
        return None if snapshot is None else self._snapshots.paper(snapshot)

    def check(self) -> dict[str, Json]:
        """Read everything that rests, and name the files that are not well."""
        with self._obedience.turn(settling=False):
            return check_home(self._paths, self._declared.tables)

    def keep_house(self) -> None:
        """Publish what is due by the timetable; else settle what came in."""
        now = self._clock()
        with suppress(SaferoomError), self._obedience.turn(tidying=True):
            last = self._snapshots.current
            before = None if last is None else read_instant(last.manifest.published_at)
            day = self._timetable.due(now, before)
            if day is None:
                self._custody.tidy()
                return
            self._check_views()
            self._publish(day, now)

    def _check_views(self) -> None:
        with self._memory.roster() as roster:
            if not roster.approved(self._declared.views.digest):
                raise Refusal("VIEW_UNAPPROVED")

    def _publish(self, day: date, now: datetime) -> Snapshot:
        views = self._declared.views
        self._quality.assess(self._facts)
        closed = closed_views(self._declared, self._quality.closed)
        lines = lines_of(self._facts.manifest)  # nothing comes in while it is this order's turn
        with computing(self._facts, self._declared, day, BUCKETS) as compute:
            return self._snapshots.publish(
                day.isoformat(),
                views.digest,
                views.names(),
                lambda bucket: blank(compute(bucket), views.names(), closed),
                now,
                lambda made, manifest: snapshot_paper(made, manifest, lines, self._keys.answer),
                closed=closed,
            )

    def profile(self, statement: Statement) -> dict[str, Json]:
        """Tell, by a steward's or an operator's order, figures of many enterprises."""

        def prepare(now: datetime) -> Act:
            with self._memory.roster() as roster:
                order, signer = check_profile(roster, statement, self._declared, now)
            return lambda: self._profiling.tell(signer.party, self._snapshot(), order.views)

        return self._obedience.once(statement, prepare)

    def _snapshot(self) -> Snapshot:
        """Return the current snapshot, of the views that count."""
        snapshot = self._snapshots.current
        if snapshot is None:
            raise Unavailable("NOT_READY", "no snapshot")
        if snapshot.manifest.views != self._declared.views.digest:
            raise Refusal("VIEW_UNAPPROVED", "the snapshot is of other views")
        return snapshot

    def _ingest(
        self, source: SourceManifest, order: IngestOrder, paper: Digest, now: datetime
    ) -> dict[str, Json]:
        run = Ingestion(self._facts, self._declared.tables, self._keys.sealing, now, paper)
        place = find_place(self._connections, source)
        return run.run(source, self._sources / source.name, order.files, place).to_body()

    def _take_report(
        self, report: SelfReport, table: Table, paper: Digest, now: datetime
    ) -> dict[str, Json]:
        key = self._keys.sealing
        run = Ingestion(self._facts, self._declared.tables, key, now, paper)
        return take_report(run, report, table, key, write_instant(now)).to_body()

    def _take_back(self) -> None:
        """Erase once more what a restored vault has again; until then nobody is scored."""
        with self._memory.roster() as roster:
            self._custody.owe(roster.erasures.certified)
        if self._custody.owes:
            with suppress(SaferoomError), self._obedience.turn():  # else a score says what is wrong
                pass

    def score(self, request: Statement, grants: Sequence[Statement]) -> Scored:
        """Verify, evaluate once, and seal."""
        if self._custody.owes:
            with self._obedience.turn():  # which begins with what is owed
                pass
        with self._tickets.turn(request.digest):
            with self._memory.roster() as roster:
                permit = check_score(roster, request, grants, self._declared.views, self._clock())
            with self._places.take(permit.manifest.bank):
                return self._score(permit)

    def _score(self, permit: Permit) -> Scored:
        erased, snapshot = self._custody.erased, self._snapshots.current
        if snapshot is None:
            raise Unavailable("NOT_READY", "no snapshot")
        if snapshot.manifest.views != permit.manifest.views:
            raise Refusal("VIEW_UNAPPROVED", "the snapshot is of other views")
        check_served(permit.manifest.features, snapshot.manifest.closed)
        known = self._tickets.answered(permit.ticket, snapshot.digest)
        new = [code for code in permit.granted if code not in known]
        refusals = dict(permit.refusals)
        if new:
            self._tickets.check_evaluations(permit.ticket)
            full = self._tickets.reserve(new, self._clock())
            refusals.update(dict.fromkeys(full, "RATE_CAP"))
            asked = [code for code in new if code not in full]
            known |= self._evaluate(permit, snapshot, asked, erased)
        answers = {code: known[code] for code in permit.granted if code not in refusals}
        return Scored(snapshot.digest, answers, refusals)

    def _evaluate(
        self, permit: Permit, snapshot: Snapshot, asked: list[str], erased: int
    ) -> dict[str, bytes]:
        """Evaluate and journal; nothing is returned that is not durable."""
        if not asked:
            return {}
        model = self._models.model(permit.manifest)
        evaluator = Evaluator(self._cages, model, self._random, self._score_seconds)
        try:
            found = snapshot.rows(asked, permit.manifest.features)
            with paced():
                outcomes = evaluator.outcomes(permit.manifest, found)
            answers = {
                code: seal_answer(
                    answer_for(permit, snapshot.digest, code, outcome),
                    self._keys.answer,
                    readers(permit, code),
                    self._random,
                )
                for code, outcome in zip(asked, outcomes, strict=True)
            }
            self._recheck(permit)
            with self._custody.unmoved(erased):
                self._tickets.record(permit.ticket, snapshot.digest, answers, self._clock())
        except BaseException:
            if not evaluator.saw_rows:
                self._tickets.release(asked)
            raise
        return answers

    def _recheck(self, permit: Permit) -> None:
        """Refuse what was suspended while it was evaluated."""
        with self._memory.roster() as roster:
            check_active(roster.admission(permit.manifest.bank), self._clock())
            if roster.version(permit.request.version) is None:
                raise Conflict("MOVED")


def describe_snapshot(snapshot: Snapshot) -> dict[str, Json]:
    """State what is public of a snapshot."""
    manifest = snapshot.manifest
    return {
        "digest": snapshot.digest,
        "as_of": manifest.as_of,
        "views": manifest.views,
        "enterprises": manifest.enterprises,
        "published_at": manifest.published_at,
    }
