"""How do tests get a vault that knows people, banks, sources and a model in one line?

`SmallRoom.open(folder)` makes a home, an in-process `Service` with a real cage and a clock
that tests move. People's keys come from `tests/factories.py`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from saferoom.cage.host import Cage
from saferoom.canonical import Json, canonical_bytes, digest_bytes, parse_object
from saferoom.core.admission import PartyKind
from saferoom.core.answer import Answer, check_answer
from saferoom.core.approval import SubjectKind
from saferoom.core.enrolment import Role
from saferoom.core.manifest import Manifest, artefact_aad
from saferoom.core.moment import write_instant
from saferoom.core.quality import QualityRule
from saferoom.core.record import Record
from saferoom.core.trust import Trust, VaultKeys
from saferoom.core.uscc import make_uscc
from saferoom.crypto.sealing import SealingKey, seal, unseal
from saferoom.crypto.signing import Statement
from saferoom.scoring.artefact import build_artefact
from saferoom.scoring.form import Direction, scorecard_form
from saferoom.scoring.scorecard_reader import read_scorecard
from saferoom.sdk.golden import make_golden
from saferoom.vault.declarations import Declarations, content_folder, read_declarations
from saferoom.vault.home import VaultHome, initialise
from saferoom.vault.ingestion import Counts
from saferoom.vault.service import Scored, Service
from saferoom.vault.snapshots import Snapshot
from tests import factories as make
from tests.tlog.small_log import trust

AS_OF = "2026-11-19"
CODES = tuple(make_uscc(number) for number in range(1, 9))
GRADES = ("A", "B", "C")
FEATURES = ("sales_12", "tax_grade")
SOURCES = ("registry", "tax", "power")
# Scores 100·(sales ≥ 50,000) + 10·(grade ≥ 3): thresholds 50 and 105 make three grades.
CARD: dict[str, Json] = {
    "kind": "saferoom/scorecard/1",
    "base": (0.0).hex(),
    "characteristics": [
        {
            "feature": "sales_12",
            "edges": [(50_000.0).hex()],
            "points": [(0.0).hex(), (100.0).hex()],
            "missing": (0.0).hex(),
        },
        {
            "feature": "tax_grade",
            "edges": [(3.0).hex()],
            "points": [(0.0).hex(), (10.0).hex()],
            "missing": (0.0).hex(),
        },
    ],
}


def counted_random(seed: str) -> Callable[[int], bytes]:
    """Draw different bytes each time, the same in every run."""
    number = 0

    def draw(length: int) -> bytes:
        nonlocal number
        number += 1
        return hashlib.shake_256(f"{seed} {number}".encode()).digest(length)

    return draw


def founders() -> bytes:
    """Write the factories' genesis as the file that a new vault is made on."""
    operators: list[Json] = [statement.to_json() for statement in make.genesis()]
    return canonical_bytes({"kind": "saferoom/genesis/1", "operators": operators})


def make_home(home: Path, random: Callable[[int], bytes]) -> VaultKeys:
    """Make the vault, and the version that the room would write last."""
    keys = initialise(home, founders(), random, datetime(2020, 1, 1, tzinfo=UTC))
    (home / "version").write_text("1\n", encoding="ascii")
    return keys


def artefact(card: Mapping[str, Json] = CARD, thresholds: Iterable[float] = (50, 105)) -> bytes:
    """Write a scorecard as the SDK would, unsealed."""
    return canonical_bytes(
        {
            "kind": "saferoom/artefact/1",
            "model_format": "scorecard-json",
            "model": canonical_bytes(card).decode(),
            "direction": "quality",
            "thresholds": [float(one).hex() for one in thresholds],
            "golden": golden(),
        }
    )


@cache
def golden() -> Json:
    """Make the card's golden rows, once."""
    text, cuts = canonical_bytes(CARD).decode(), (50.0, 105.0)
    form = scorecard_form(read_scorecard(text))
    rows = make_golden(form, None, cuts, Direction.QUALITY)
    return parse_object(build_artefact("scorecard-json", text, "quality", cuts, rows))["golden"]


@dataclass
class SmallRoom:
    """One home, its service, its people."""

    home: Path
    declared: Declarations
    random: Callable[[int], bytes]
    start_cage: Callable[[], Cage] = Cage.start
    now: datetime = make.NOW
    register: make.Register = field(default_factory=make.Register.founded)
    orders: int = 0  # so that each has its nonce
    rules: Sequence[QualityRule] = ()  # of quality
    service: Service = field(init=False)
    trust: Trust = field(init=False)  # what a bank holds

    @classmethod
    def open(cls, folder: Path, start_cage: Callable[[], Cage] = Cage.start) -> SmallRoom:
        """Make a home and open it; it knows its operators only."""
        home = folder / "home"
        home.mkdir()
        random = counted_random(folder.name)
        keys = make_home(home, random)
        room = cls(home, read_declarations(content_folder()), random, start_cage)
        room.trust = replace(trust(), vaults=(keys,))
        room.start()
        room.learn(*room.register.statements[2:])
        return room

    def start(self) -> None:
        """Open the service, as a start of the program does."""
        self.service = Service(
            VaultHome(self.home),
            self.declared,
            clock=lambda: self.now,
            random_bytes=self.random,
            start_cage=self.start_cage,
            rules=self.rules,
        )

    def restart(self) -> None:
        self.service.close()
        self.start()

    def learn(self, *statements: Statement) -> int:
        return self.service.learn(statements)

    def enrol(self, name: str, party: str, role: Role) -> None:
        self.register.enrol(name, party=party, role=role)
        self.learn(self.register.statements[-1])

    def put_up(self, record: Record, submitter: str = "sun") -> Statement:
        """Put a record up, and let the two others approve it."""
        statement = make.sign(record, submitter)
        self.learn(statement)
        return statement

    def approve(self, statement: Statement, kind: SubjectKind) -> None:
        self.learn(*make.votes_for(statement.digest, kind))

    def admit(self, party: str, kind: PartyKind, categories: tuple[str, ...]) -> None:
        admission = make.admission(
            party=party,
            party_kind=kind,
            group=party,
            categories=categories,
            nonce=make.nonce(party),
        )
        self.approve(self.put_up(admission), SubjectKind.ADMISSION)

    def furnish(self) -> None:
        """Admit a bank and the sources, approve the views, enrol the enterprises."""
        for role in (Role.MODELLER, Role.APPROVER, Role.SYSTEM):
            self.enrol(f"{make.BANK}.{role}", make.BANK, role)
        self.admit(make.BANK, PartyKind.BANK, ("registration", "tax", "utilities"))
        self.approve(self.put_up(self.declared.views), SubjectKind.VIEWS)
        self.approve(self.put_up(make.template()), SubjectKind.TEMPLATE)
        for name in SOURCES:
            self.connect(name)
        for code in CODES:
            self.enrol(code, code, Role.ENTERPRISE)

    def connect(self, name: str) -> None:
        source = self.declared.sources[name]
        self.enrol(f"{name}.steward", source.party, Role.STEWARD)
        self.admit(source.party, PartyKind.SOURCE, tuple(one.table for one in source.tables))
        self.approve(self.put_up(source), SubjectKind.SOURCE)

    def sealed(self, plain: bytes | None = None, bank: str = make.BANK) -> bytes:
        content = artefact() if plain is None else plain
        aad = artefact_aad(bank, make.sealing_key(f"{make.BANK} delivery"))
        return seal(content, [self.service.sealing_key], aad, self.random)

    def manifest(self, sealed: bytes, **changes: object) -> Manifest:
        fields: dict[str, object] = {
            "artefact": digest_bytes(sealed),
            "artefact_bytes": len(sealed),
            "features": FEATURES,
            "views": self.declared.views.digest,
            "grades": GRADES,
        }
        return make.manifest(**{**fields, **changes})

    def file_version(self, sealed: bytes | None = None, **changes: object) -> Manifest:
        """Submit a version, put it up and approve it."""
        sealed = sealed or self.sealed()
        manifest = self.manifest(sealed, **changes)
        statement = make.sign(manifest, f"{manifest.bank}.modeller")
        self.service.check_model(statement, sealed)
        self.learn(statement)
        self.learn(*make.votes_for(statement.digest, SubjectKind.VERSION, party=manifest.bank))
        return manifest

    def grant(self, manifest: Manifest, code: str, **changes: object) -> Statement:
        fields: dict[str, object] = {
            "enterprise": code,
            "categories": self.declared.views.categories_of(manifest.features),
            "nonce": make.nonce(("grant", code)),
        }
        return make.sign(make.grant(manifest, **{**fields, **changes}), code)

    def request(
        self, manifest: Manifest, codes: Iterable[str], number: object = 0, **changes: object
    ) -> Statement:
        fields: dict[str, object] = {
            "enterprises": tuple(codes),
            "asked_at": write_instant(self.now),
            "nonce": make.nonce(("request", number)),
        }
        asked = make.request(manifest, **{**fields, **changes})
        return make.sign(asked, f"{manifest.bank}.system")

    def score(self, manifest: Manifest, *codes: str, number: object = 0) -> Scored:
        grants = [self.grant(manifest, code) for code in codes]
        return self.service.score(self.request(manifest, codes, number), grants)

    def outcome(self, sealed: bytes, reader: str = "bank-a delivery") -> str:
        return self.opened(sealed, reader).outcome

    def opened(self, sealed: bytes, reader: str = "bank-a delivery") -> Answer:
        """Open as the bank does, and believe nobody but the vault of its trust file."""
        plain = unseal(sealed, SealingKey(make.sealing_seed(reader)), b"saferoom/answer/1")
        return check_answer(plain, self.trust, self.now)

    def outcomes(self, scored: Scored) -> dict[str, str]:
        return {code: self.outcome(sealed) for code, sealed in scored.answers.items()}

    @property
    def sources(self) -> Path:
        """Return where each connector's files lie."""
        return self.home / "sources"

    def ingest_order(self, name: str, by: str | None = None, **changes: object) -> Statement:
        self.orders += 1
        fields: dict[str, object] = {
            "party": self.declared.sources[name].party,
            "connector": name,
            "asked_at": write_instant(self.now),
            "nonce": make.nonce(("order", self.orders)),
        }
        return make.sign(make.ingest_order(**{**fields, **changes}), by or f"{name}.steward")

    def snapshot_order(self, as_of: str = AS_OF, by: str = "sun", **changes: object) -> Statement:
        self.orders += 1
        fields: dict[str, object] = {
            "as_of": as_of,
            "asked_at": write_instant(self.now),
            "nonce": make.nonce(("order", self.orders)),
        }
        return make.sign(make.snapshot_order(**{**fields, **changes}), by)

    def ingest(self, name: str, **changes: object) -> Counts:
        order = self.ingest_order(name, **changes)  # type: ignore[arg-type]
        return Counts(**self.service.ingest(order))  # type: ignore[arg-type]

    def materialise(self, as_of: str = AS_OF) -> Snapshot:
        self.service.materialise(self.snapshot_order(as_of))
        made = self.service._snapshots.current
        assert made is not None
        return made

    def load(self) -> None:
        """Ingest the small economy and publish its snapshot."""
        write_economy(self.sources)
        for name in SOURCES:
            self.ingest(name)
        self.materialise()

    def later(self, **span: int) -> None:
        self.now += timedelta(**span)


def ready_room(folder: Path, start_cage: Callable[[], Cage] = Cage.start) -> SmallRoom:
    """Open a room with everything but a version."""
    room = SmallRoom.open(folder, start_cage)
    room.furnish()
    room.load()
    return room


def write_csv(path: Path, rows: list[dict[str, object]], encoding: str = "utf-8") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def common(
    code: str, record: str, event: str, known: str, status: str = "valid"
) -> dict[str, object]:
    return {
        "uscc": code,
        "src_org": "somewhere",
        "record_id": record,
        "event_date": event,
        "known_at": known,
        "batch_id": "B1",
        "status": status,
    }


def tax_month(code: str, month: int, sales: object, **changes: object) -> dict[str, object]:
    """Write a filing of so many months before November 2026, filed in time."""
    index = 2026 * 12 + 10 - month
    year, number = divmod(index, 12)
    after_year, after = divmod(index + 1, 12)
    last = (datetime(after_year, after + 1, 1) - timedelta(days=1)).date().isoformat()  # noqa: DTZ001  # a calendar day
    due = f"{after_year}-{after + 1:02d}-15"
    row = common(code, f"T-{code}-{month}", last, f"{after_year}-{after + 1:02d}-12T01:30:00Z")
    row |= {"period": f"{year}-{number + 1:02d}", "sales": sales, "vat": "0", "cit": ""}
    row |= {"due": due, "filed_at": due, "paid_at": ""}
    return row | changes


def tax_year(code: str, grade: str, **changes: object) -> dict[str, object]:
    row = common(code, f"G-{code}", "2025-12-31", "2026-04-30T01:30:00Z")
    return row | {"year": "2025", "grade": grade} | changes


def arrears(code: str, amount: object, **changes: object) -> dict[str, object]:
    row = common(code, f"A-{code}", "2026-05-05", "2026-06-01T01:30:00Z")
    return row | {"kind": "增值税", "amount": amount, "cleared": ""} | changes


def reg_base(code: str, **changes: object) -> dict[str, object]:
    row = common(code, f"R-{code}", "2016-11-20", "2016-11-21T01:30:00Z")
    row |= {"name": "九九安平商贸", "type": "企业", "est_date": "2016-11-20", "reg_cap": "1000000"}
    row |= {"paid_cap": "", "industry": "F51", "region6": "990100", "state": "存续"}
    return row | {"legal_rep_id": "P1"} | changes


def util_month(code: str, month: int, usage: object, **changes: object) -> dict[str, object]:
    row = tax_month(code, month, 0)
    for name in ("sales", "vat", "cit", "filed_at"):
        del row[name]
    row |= {"record_id": f"U-{code}-{month}", "kind": "power", "usage": usage, "bill": "1.5"}
    return row | {"cutoff": "false"} | changes


def write_economy(folder: Path) -> None:
    """Write eight enterprises: good, bad, disputed, repaired, without taxes, unknown …"""
    one, two, three, four, five, six, _, _ = CODES
    filings = [tax_month(code, m, 10_000) for code in (one, two) for m in range(1, 25)]
    filings += [tax_month(three, m, 0) for m in range(1, 13)]
    filings += [tax_month(four, m, 9_000, status="disputed" if m == 1 else "valid") for m in (1, 2)]
    write_csv(folder / "tax/tax_month.csv", filings, "gbk")
    grades = [tax_year(one, "A"), tax_year(two, "D"), tax_year(three, "C"), tax_year(four, "B")]
    write_csv(folder / "tax/tax_year.csv", grades, "gbk")
    owed = [arrears(two, "2500.50"), arrears(one, "900", status="repaired")]
    write_csv(folder / "tax/tax_arrears.csv", owed, "gbk")
    firms = [reg_base(code) for code in (one, two, three, four, five)]
    write_csv(folder / "registry/reg_base.csv", firms)
    meters = [
        util_month(code, m, 200 if m < 4 else 100) for code in (one, six) for m in range(1, 16)
    ]
    write_csv(folder / "power/util_month.csv", meters)


def forget(statement: Statement) -> Statement:
    """Drop the signatures: what a caller without keys can say."""
    return Statement(statement.body, ())
