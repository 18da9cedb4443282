"""Does every route give every caller what the table says, and has every route a row?

A real room on both databases, real tokens, real signatures; only the vault is a twin. Each
cell gets objects of its own, so that no cell depends on another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from saferoom.adapters import cedar
from saferoom.adapters.content import content_folder
from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import open_database, reading
from saferoom.api import app as api
from saferoom.api.access import CALLERS, SEEN, TABLE, UNSEEN, Row
from saferoom.app import erasures, subjects
from saferoom.client.statements import TOKEN_REQUEST
from saferoom.core.approval import Decision
from saferoom.core.contact import Contact
from saferoom.core.dispute import Dispute, Why
from saferoom.core.enrolment import Role
from saferoom.core.manifest import Manifest
from saferoom.core.own_record import OwnRecordOrder
from saferoom.core.proposals import Exit, PolicyFile, PolicySet
from saferoom.core.record import Record
from saferoom.crypto.signing import Statement
from tests import factories as f
from tests.app.test_votes import declared_mock
from tests.app.test_witnessing import paper, trust_of
from tests.app.world import ARTEFACT, OPERATOR, World, code, ready_world, with_room

OTHER = "bank-b"
PEOPLE: dict[str, tuple[str, ...]] = {
    "stranger": ("nobody",),
    "modeller": ("bank-a.modeller",),
    "approver": ("bank-a.approver",),
    "system": ("bank-a.system",),
    "other bank": ("bank-b.modeller", "bank-b.approver", "bank-b.system"),
    "operator": ("zhao",),
    "auditor": ("wu",),
    "enterprise": (f.ENTERPRISE,),
    "other enterprise": (code(2),),
    "steward": ("tax.steward",),
    "other steward": ("power.steward",),
}
Json = Any  # bodies and answers as they travel
_numbers = itertools.count()


@dataclass
class Building:
    """A served room with everybody in it."""

    world: World
    http: TestClient
    tokens: dict[str, str] = field(default_factory=dict)

    def call(self, who: str, verb: str, path: str, body: Json = None) -> Any:
        headers = {"Idempotency-Key": f"access-{next(_numbers):020d}"}
        if who in self.tokens:
            headers["Authorization"] = f"Bearer {self.tokens[who]}"
        return self.http.request(verb, path, json=body, headers=headers)

    def log_in(self, who: str) -> Any:
        asked: dict[str, Json] = {
            "kind": TOKEN_REQUEST,
            "origin": self.world.room.origin,
            "holder": who,
            "asked_at": self.world.now_text,
            "nonce": self.world.nonce,
        }
        return self.call("", "POST", "/v1/tokens", one(f.sign(asked, who)))

    @property
    def fresh_version(self) -> Manifest:
        version = self.world.manifest()
        self.world.submit(version)
        return version

    @property
    def notice(self) -> str:
        query = sa.select(t.notice.c.entry).where(t.notice.c.recipient == f.BANK)
        with reading(self.world.room.database) as connection:
            return str(connection.scalars(query.limit(1)).one())

    @property
    def grant_receipt(self) -> str:
        self.world.settle()
        query = sa.select(t.concern.c.entry).where(
            t.concern.c.party == f.ENTERPRISE, t.concern.c.kind == "grant_signed"
        )
        with reading(self.world.room.database) as connection:
            return str(connection.scalars(query.limit(1)).one())

    @property
    def receipt(self) -> str:
        self.world.settle()
        return str(self.call("wu", "GET", "/v1/receipts").json()["receipts"][0])

    @property
    def erasure(self) -> str:
        """Have the enterprise erased, once."""
        known = self.call("wu", "GET", "/v1/erasures").json()["erasures"]
        certified = (each for each in known if each["state"] == "certified")
        found = [str(each["order"]) for each in certified if each["enterprise"] == f.ENTERPRISE]
        if not found:
            fixed = {"asked_at": self.world.now_text, "nonce": self.world.nonce}
            order = f.sign(f.erase_order(f.ENTERPRISE, **fixed), f.ENTERPRISE)
            erasures.erase(self.world.room, OPERATOR, order)
            found = [order.digest]
        return found[0]


def one(statement: Statement) -> Json:
    return {"statement": statement.to_json()}


def many(record: Record, *names: str) -> Json:
    return {"statements": [f.sign(record, *names).to_json()]}


@pytest.fixture(scope="module")
def building(
    fresh_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Building]:
    folder = tmp_path_factory.mktemp("access")
    database = open_database(fresh_database())
    world = ready_world(database, folder)
    world.enrol_enterprises([code(2), code(3)])
    world.enrol_bank(OTHER)
    world.admit(OTHER)
    world.enrol("wu", party="audit", role=Role.AUDITOR)
    for source in ("tax", "power"):
        world.enrol(f"{source}.steward", party=source, role=Role.STEWARD)
        world.admit(source, party_kind="source")
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.source(), "zhao")))
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.verifier(), "zhao")))
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(declared_mock(), "zhao")))
    world = with_room(world, trust=trust_of(world, quorum=0, names=()))
    world.score()
    world.settle()
    app = api.create(world.room, folder / "log")
    with TestClient(app, raise_server_exceptions=False, follow_redirects=True) as http:
        made = Building(world, http)
        for who in itertools.chain(*PEOPLE.values()):
            if who != "nobody":
                made.tokens[who] = made.log_in(who).json()["token"]
        yield made
    database.dispose()


Recipe = Callable[[Building, str], Any]


def _contact(b: Building, who: str) -> Any:
    paper = Contact(
        party=f.BANK, address="desk@bank.test", set_at=b.world.now_text, nonce=b.world.nonce
    )
    return b.call(who, "POST", "/v1/contacts", one(f.sign(paper, who)))


def _get(path: str) -> Recipe:
    return lambda b, who: b.call(who, "GET", path.format(b=b))


def _stamped(building: Building, who: str) -> Any:  # as every recipe
    building.world.room.log.keep_stamped(b"{}")
    return _get("/log/stamped")(building, who)


def _enrol(b: Building, who: str) -> Any:
    name = f"new-{next(_numbers)}"
    wanted = f.enrolment(name, party=OTHER, role=Role.SYSTEM)
    return b.call(who, "POST", "/v1/enrolments", many(wanted, name, who, "qian"))


def _admit(b: Building, who: str) -> Any:
    asked = f.admission(party=f"new-{next(_numbers)}", group="new", nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/admissions", one(f.sign(asked, who)))


def _suspend_party(b: Building, who: str) -> Any:
    party = f"new-{next(_numbers)}"
    b.world.admit(party)
    paper = f.suspension(party=party, suspended_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", f"/v1/parties/{party}/suspension", one(f.sign(paper, who, "qian")))


def _end_party(b: Building, who: str) -> Any:
    party = f"new-{next(_numbers)}"
    b.world.admit(party)
    b.world.suspend_party(party)
    paper = Exit(party=party, reason="left", exited_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", f"/v1/parties/{party}/exit", one(f.sign(paper, who, "qian")))


def _vote(b: Building, who: str, subject: str, step: str) -> Any:
    vote = f.vote(subject, step, decision=Decision.APPROVE, nonce=b.world.nonce)  # type: ignore[arg-type]
    return b.call(who, "POST", "/v1/votes", one(f.sign(vote, who)))


def _review(b: Building, who: str) -> Any:
    version = b.fresh_version
    b.world.approve(version.digest, "bank", ["bank-a.approver"])
    return _vote(b, who, version.digest, "review")


def _vote_on_party(b: Building, who: str) -> Any:
    asked = f.admission(party=f"new-{next(_numbers)}", group="new", nonce=b.world.nonce)
    b.call("sun", "POST", "/v1/admissions")
    b.tokens.setdefault("sun", b.log_in("sun").json()["token"])
    b.call("sun", "POST", "/v1/admissions", one(f.sign(asked, "sun")))
    return _vote(b, who, asked.digest, "review")


def _policy(b: Building, who: str) -> Any:
    files = cedar.read_policy_set(content_folder("policies")).files
    marks = {one.name: f"// {next(_numbers)}\n" for one in files if one.name.endswith(".cedar")}
    marked = [PolicyFile(name=x.name, text=marks.get(x.name, "") + x.text) for x in files]
    return b.call(who, "POST", "/v1/subjects", one(f.sign(PolicySet(files=tuple(marked)), who)))


def _source(b: Building, who: str) -> Any:
    made = f.source(title_en=f"Tax bureau {next(_numbers)}")
    return b.call(who, "POST", "/v1/subjects", one(f.sign(made, who)))


def _submit(b: Building, who: str) -> Any:
    body = {**one(f.sign(b.world.manifest(), who)), "artefact": ARTEFACT.hex()}
    return b.call(who, "POST", "/v1/versions", body)


def _suspend_version(b: Building, who: str) -> Any:
    version = b.world.manifest()
    b.world.approve_version(version)
    fixed = {"suspended_at": b.world.now_text, "nonce": b.world.nonce}
    paper = f.sign(f.version_suspension(version.digest, **fixed), who)
    return b.call(who, "POST", f"/v1/versions/{version.digest}/suspension", one(paper))


def _budget(b: Building, who: str) -> Any:
    budget = f.budget(group=f"new-{next(_numbers)}", nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/budgets", many(budget, who))


def _next_grant(b: Building) -> Any:
    version = b.world.manifest()
    b.world.approve_version(version)
    return b.world.unsent_grant(version=version)


def _grant(b: Building, who: str) -> Any:
    return b.call(who, "POST", "/v1/grants", many(_next_grant(b), who))


def _revoke(b: Building, who: str) -> Any:
    paper = f.revocation(_next_grant(b), revoked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/revocations", one(f.sign(paper, who)))


def _score(b: Building, who: str) -> Any:
    asked = f.request(b.world.version, asked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/scores", one(f.sign(asked, who)))


def _ingest(b: Building, who: str) -> Any:
    order = f.ingest_order(asked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/sources/tax/ingest", one(f.sign(order, who)))


def _publish(b: Building, who: str) -> Any:
    order = f.snapshot_order(asked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/snapshots", one(f.sign(order, who)))


def _profile(b: Building, who: str) -> Any:
    order = f.profile_order(asked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/profiles", one(f.sign(order, who)))


def _verify(b: Building, who: str) -> Any:
    fixed = {"asked_at": b.world.now_text, "nonce": b.world.nonce}
    body = {
        "statement": f.sign(f.verify_request(**fixed), who).to_json(),
        "grant": f.sign(f.verify_grant(), f.ENTERPRISE).to_json(),
    }
    return b.call(who, "POST", "/v1/verifications", body)


def _report(b: Building, who: str) -> Any:
    paper = f.self_report(asked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/self-reports", one(f.sign(paper, who)))


def _erase(b: Building, who: str) -> Any:
    fixed = {"asked_at": b.world.now_text, "nonce": b.world.nonce}
    order = f.erase_order(code(3), evidence=f.some_digest(), **fixed)
    return b.call(who, "POST", "/v1/erasures", one(f.sign(order, who, "qian")))


def _rotate(b: Building, who: str) -> Any:
    order = f.rotate_order(asked_at=b.world.now_text, nonce=b.world.nonce)
    return b.call(who, "POST", "/v1/rotations", one(f.sign(order, who, "qian")))


def _override(b: Building, who: str) -> Any:
    return b.call(who, "POST", "/v1/overrides", one(paper(b.world, who, "qian")))


def _export(b: Building, who: str) -> Any:
    return b.call(who, "POST", "/v1/audit/openings", {"first": 0, "size": 1})


def _own_record(b: Building, who: str) -> Any:
    order = OwnRecordOrder(
        enterprise=f.ENTERPRISE,
        seal_to=f.sealing_key("an app's"),
        vault=f.signing_key("vault").public.raw.hex(),
        asked_at=b.world.now_text,
        nonce=b.world.nonce,
    )
    return b.call(who, "POST", "/v1/own-records", one(f.sign(order, who)))


def _dispute(b: Building, who: str) -> Any:
    paper = Dispute(
        enterprise=f.ENTERPRISE,
        batch=1,
        row=0,
        why=Why.OUTDATED,
        asked_at=b.world.now_text,
        nonce=b.world.nonce,
    )
    return b.call(who, "POST", "/v1/disputes", one(f.sign(paper, who)))


def _disputes(b: Building, who: str) -> Any:
    """Let there be one, and list."""
    b.call(f.ENTERPRISE, "GET", "/v1/disputes")
    if not b.world.count(t.dispute):
        assert _dispute(b, f.ENTERPRISE).status_code == 200
    return b.call(who, "GET", "/v1/disputes")


def _touched(b: Building, who: str) -> Any:
    order = f.erase_order(f.ENTERPRISE, asked_at=b.world.now_text, nonce=b.world.nonce)
    row = {
        "digest": order.digest,
        "enterprise": f.ENTERPRISE,
        "statement": f.sign(order, f.ENTERPRISE).to_bytes(),
        "certificate": None,
        "state": "ordered",
        "ordered_at": b.world.now_text,
    }
    b.world.execute(sa.insert(t.erasure).values(row))
    return b.call(who, "GET", f"/v1/lineage/erasures/{order.digest}")


def _batch(b: Building, who: str) -> Any:
    """Ask where the tax source's first batch went, having it brought first."""
    if not b.world.count(t.paper, kind="batches"):
        assert _ingest(b, "tax.steward").status_code == 200
    return b.call(who, "GET", "/v1/lineage/batches/1")


RECIPES: dict[str, Recipe] = {
    "have the enterprise's own record": _own_record,
    "dispute a record of the enterprise": _dispute,
    "list a dispute of the enterprise with the source": _disputes,
    "see what a release of bank A's rests on": _get("/v1/lineage/{b.receipt}"),
    "see where the source's batch went": _batch,
    "see which models the erased enterprise touched": _touched,
    "get a token by one's own key": lambda b, who: b.log_in(who),
    "say where bank A's notices go": _contact,
    "vouch for a colleague's key, beside an operator": _enrol,
    "put an organisation up for votes": _admit,
    "stop an organisation, beside an operator": _suspend_party,
    "end a suspended organisation's place": _end_party,
    "vote for bank A's version at the bank's step": lambda b, who: _vote(
        b, who, b.fresh_version.digest, "bank"
    ),
    "vote for bank A's version at the review": _review,
    "vote for an organisation": _vote_on_party,
    "put a policy set up for votes": _policy,
    "put the source's manifest up for votes": _source,
    "submit a model version of bank A": _submit,
    "read bank A's version": _get("/v1/versions/{b.world.version.digest}"),
    "read what granting bank A's version means": _get(
        "/v1/versions/{b.world.version.digest}/terms"
    ),
    "stop bank A's version": _suspend_version,
    "sign a budget of the enterprise": _budget,
    "sign a grant of the enterprise": _grant,
    "take the enterprise's grant back": _revoke,
    "score by bank A's version": _score,
    "read a release of bank A's": _get("/v1/receipts/{b.receipt}"),
    "list the receipt of the enterprise's grant to bank A": _get("/v1/receipts?kind=grant_signed"),
    "read the receipt of that grant": _get("/v1/receipts/{b.grant_receipt}"),
    "have the source's files read": _ingest,
    "have a snapshot computed": _publish,
    "have figures of many told": _profile,
    "report the enterprise's own figures": _report,
    "read what departments may be asked": _get("/v1/questions"),
    "have a department asked about the enterprise": _verify,
    "have an enterprise erased, beside an operator": _erase,
    "read the enterprise's certificate of erasure": _get("/v1/erasures/{b.erasure}"),
    "have the vault's keys changed, beside an operator": _rotate,
    "let releases go on without witnesses": _override,
    "export openings for an audit": _export,
    "read the newest time stamps of the log": _stamped,
    "read a tile of the log": _get("/log/tile/0/000.p/{b.world.room.log.size}"),
}
# Of a list: whether what was asked about stands in its answer.
_FINDS: dict[str, Callable[[Building, Json], bool]] = {
    "list a dispute of the enterprise with the source": lambda b, told: "tax_month" in str(told),
    "read the notices of bank A": lambda b, told: b.notice in str(told),
    "read bank A's contract": lambda b, told: "'party': 'bank-a'" in str(told),
    "list bank A's version": lambda b, told: b.world.version.digest in str(told),
    "list the enterprise's grant to bank A": lambda b, told: b.world.version.digest in str(told),
    "list the enterprise's account with bank A": lambda b, told: f.ENTERPRISE in str(told),
    "list a release of bank A's": lambda b, told: b.receipt in str(told),
    "list the enterprise's order of erasure": lambda b, told: b.erasure in str(told),
    "list the receipt of the enterprise's grant to bank A": lambda b, told: (
        b.grant_receipt in str(told)
    ),
}


def _cell(building: Building, row: Row, who: str) -> int | str:
    path = row.route.split()[1]
    answer = RECIPES.get(row.act, _get(path))(building, who)
    if row.act in _FINDS and answer.status_code == 200:
        return SEEN if _FINDS[row.act](building, answer.json()) else UNSEEN
    return int(answer.status_code)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row.route} {row.act}")
def test_every_caller_gets_what_the_table_says(building: Building, row: Row) -> None:
    found = {caller: {_cell(building, row, who) for who in PEOPLE[caller]} for caller in CALLERS}
    assert found == {caller: {cell} for caller, cell in zip(CALLERS, row.cells, strict=True)}


def _routes(routes: Sequence[Any]) -> Iterator[str]:
    """Name what is served; FastAPI keeps an included router whole."""
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _routes(route.original_router.routes)
        else:
            path = route.path.replace(":path", "")
            yield from (f"{method} {path}" for method in route.methods - {"HEAD"})


def test_every_route_has_a_row_and_every_row_a_route(building: Building) -> None:
    app: Any = building.http.app
    assert {row.route for row in TABLE} == {*_routes(app.routes)}


def test_every_row_answers_every_caller_and_every_recipe_has_a_row() -> None:
    assert {len(row.cells) for row in TABLE} == {len(CALLERS)}
    assert PEOPLE.keys() == CALLERS.keys()
    acts = [row.act for row in TABLE]
    assert len(set(acts)) == len(acts)
    assert {*RECIPES, *_FINDS} <= {*acts}
    assert {row.act for row in TABLE if {SEEN, UNSEEN} & {*row.cells}} == {*_FINDS}
