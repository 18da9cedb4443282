"""Does a department that verifies say one word, to whom the enterprise let ask, and so often?

The department is a real HTTPS server of this machine.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from saferoom.core.admission import PartyKind
from saferoom.core.approval import SubjectKind
from saferoom.core.enrolment import Role
from saferoom.core.grant import Revocation
from saferoom.core.moment import write_instant
from saferoom.core.verification import Question, Verifier, VerifyAnswer, VerifyGrant, VerifyRequest
from saferoom.crypto.sealing import SealingKey, unseal
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound, Refusal, SaferoomError, Tampered, Unavailable
from saferoom.vault.declarations import content_folder, read_catalogue, read_verifiers
from saferoom.vault.verifying import AAD
from tests import factories as make
from tests.intake.service import HOST, NETWORKS, Answer, Request, Server, papers, reply, serving
from tests.vault.conftest import copied
from tests.vault.room import CODES, SmallRoom

ONE = CODES[0]
TRUE = "C-117"  # the certificate that is the enterprise's


def bureau(request: Request) -> bytes:
    """Behave: compare, or name a band."""
    if request.path == "/verify/owner":
        same = request.query["claim"] == TRUE
        return reply(json.dumps({"answer": "match" if same else "mismatch"}).encode())
    return reply(b'{"band": 2}')


@dataclass
class Desk:
    """A room with a department that verifies, and a bank that asks."""

    room: SmallRoom
    server: Server

    def question(self, name: str) -> Question:
        listed = self.room.declared.verifiers["property"].questions
        return next(one for one in listed if one.id == name)

    def grant(self, name: str = "owns_certificate", by: str = ONE, **changes: Any) -> Statement:
        question = self.question(name)
        fields: dict[str, Any] = {
            "enterprise": ONE,
            "bank": make.BANK,
            "question": question.digest,
            "purpose": "credit_approval",
            "charge_mbit": question.charge_mbit,
            "valid_from": make.LAST_YEAR,
            "valid_until": "2027-11-20T00:00:00Z",
            "risk_ticked": True,
            "signed_at": make.NOW_TEXT,
            "nonce": make.nonce("verify-grant"),
        }
        return make.sign(VerifyGrant(**{**fields, **changes}), by)

    def request(self, claim: str | None, name: str, by: str) -> Statement:
        self.room.orders += 1
        asked = VerifyRequest(
            bank=make.BANK,
            enterprise=ONE,
            verifier="property",
            question=self.question(name).digest,
            claim=claim,
            purpose="credit_approval",
            loan_reference="L-1",
            asked_at=write_instant(self.room.now),
            nonce=make.nonce(("verify", self.room.orders)),
        )
        return make.sign(asked, by)

    def ask(
        self,
        claim: str | None = TRUE,
        name: str = "owns_certificate",
        by: str = "bank-a.system",
        **changes: Any,
    ) -> VerifyAnswer:
        """Ask as the bank's system, and open the answer as it does."""
        request = self.request(claim, name, by)
        told = self.room.service.verify(request, self.grant(name, **changes))
        assert told["charge_mbit"] == self.question(name).charge_mbit
        return self.opened(str(told["answer"]), by)

    def opened(self, sealed: str, by: str) -> VerifyAnswer:
        plain = unseal(bytes.fromhex(sealed), SealingKey(make.sealing_seed(by)), AAD)
        length = int.from_bytes(plain[:2], "big")
        statement = Statement.from_bytes(plain[2 : 2 + length])
        statement.check_signed_by(self.room.trust.vaults[0].verify_key)
        return VerifyAnswer.from_body(statement.body)


@contextmanager
def desk_of(room: SmallRoom, folder: Path, answer: Answer) -> Iterator[Desk]:
    """Let a department of this machine answer for the declared one."""
    listed = room.declared.verifiers["property"]
    local = replace(listed.service, hosts=(HOST,), networks=NETWORKS, calls_per_minute=6_000)
    verifier = replace(listed, service=local)
    room.declared = replace(room.declared, verifiers={"property": verifier})
    room.restart()
    with serving(folder, answer) as server:
        connections = room.home / "vault" / "connections"
        connections.mkdir(exist_ok=True)
        authority = papers().authority
        path = connections / "property"
        path.write_text(
            f'kind = "saferoom/connection/1"\naddress = "{server.address}"\n'
            f'authority = """{authority}"""\n',
            encoding="utf-8",
        )
        path.chmod(0o600)
        yield Desk(room, server)


def furnish(room: SmallRoom, categories: tuple[str, ...] = ("registration", "property")) -> None:
    """Let the bank's contract cover the item, and approve the department's questions."""
    room.enrol("property.steward", "source-property", Role.STEWARD)
    room.admit("source-property", PartyKind.SOURCE, ("property.ownership",))
    again = make.admission(
        party=make.BANK,
        party_kind=PartyKind.BANK,
        group=make.BANK,
        categories=categories,
        nonce=make.nonce("again"),
    )
    room.approve(room.put_up(again), SubjectKind.ADMISSION)


def approve(room: SmallRoom) -> None:
    room.approve(room.put_up(room.declared.verifiers["property"]), SubjectKind.SOURCE)


@pytest.fixture
def room(furnished_once: SmallRoom, tmp_path: Path) -> Iterator[SmallRoom]:
    made = copied(furnished_once, tmp_path)
    yield made
    made.service.close()


@pytest.fixture
def desk(room: SmallRoom, tmp_path: Path) -> Iterator[Desk]:
    furnish(room)
    with desk_of(room, tmp_path, bureau) as made:
        approve(room)
        yield made


def refused(desk: Desk, **changes: Any) -> str:
    with pytest.raises(SaferoomError) as caught:
        desk.ask(**changes)
    return caught.value.code


def test_a_claim_matches_or_does_not(desk: Desk) -> None:
    assert desk.ask().answer == "match"
    assert desk.ask("C-118").answer == "mismatch"
    assert [one.query["uscc"] for one in desk.server.heard] == [ONE, ONE]


def test_a_figure_is_told_as_a_declared_band(desk: Desk) -> None:
    answer = desk.ask(None, "area_band")
    assert (answer.answer, answer.enterprise) == ("band 2", ONE)
    (heard,) = desk.server.heard
    assert heard.query == {"uscc": ONE}


def test_only_bank_and_enterprise_read_it(desk: Desk) -> None:
    request = desk.request(TRUE, "owns_certificate", "bank-a.system")
    sealed = str(desk.room.service.verify(request, desk.grant())["answer"])
    assert desk.opened(sealed, "bank-a.system") == desk.opened(sealed, ONE)
    with pytest.raises(Tampered, match="SEAL_INVALID"):
        desk.opened(sealed, "sun")


def test_while_an_answer_lasts_the_department_is_not_asked_again(desk: Desk) -> None:
    first = desk.ask(None, "area_band")
    desk.room.later(days=29)
    second = desk.ask(None, "area_band")
    assert (second.answer, second.asked_at) == (first.answer, first.asked_at)
    assert len(desk.server.heard) == 1
    desk.room.later(days=1)
    assert desk.ask(None, "area_band").asked_at == write_instant(desk.room.now)
    assert len(desk.server.heard) == 2


def test_the_bisection_rule_holds_for_all_that_ask_together_and_after_a_restart(
    desk: Desk,
) -> None:
    """Three different claims while an answer lasts, whoever tries; what was tried is answered."""
    for claim in ("1", "2"):
        assert desk.ask(claim).answer == "mismatch"
    desk.room.restart()
    assert desk.ask("3", by="bank-a.modeller").answer == "mismatch"
    assert refused(desk, claim="4") == "CLAIM_CAP"
    assert desk.ask("1").answer == "mismatch"
    assert len(desk.server.heard) == 3
    desk.room.later(days=30)
    assert desk.ask("4").answer == "mismatch"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"by": ONE}, "ROLE"),
        ({"bank": "bank-b"}, "AUTH_SCOPE"),
        ({"purpose": "post_loan_monitoring"}, "AUTH_SCOPE"),
        ({"valid_until": make.NOW_TEXT}, "AUTH_EXPIRED"),
    ],
)
def test_nobody_asks_without_a_live_grant_for_exactly_this(
    desk: Desk, changes: Mapping[str, object], code: str
) -> None:
    assert refused(desk, **changes) == code
    assert desk.server.heard == []


def test_a_missing_or_forged_grant_asks_nothing(desk: Desk) -> None:
    request = desk.request(TRUE, "owns_certificate", "bank-a.system")
    for grant, code in ((None, "AUTH_MISSING"), (desk.grant(by=CODES[1]), "SIGNATURE_INVALID")):
        with pytest.raises(Refusal, match=code):
            desk.room.service.verify(request, grant)
    assert desk.server.heard == []


def test_a_revoked_grant_asks_nothing(desk: Desk) -> None:
    grant = VerifyGrant.from_body(desk.grant().body)
    revocation = Revocation(
        enterprise=ONE,
        grant=grant.digest,
        version=grant.question,
        revoked_at=make.NOW_TEXT,
        nonce=make.nonce("back"),
    )
    desk.room.learn(make.sign(revocation, ONE))
    assert refused(desk) == "AUTH_REVOKED"
    assert desk.server.heard == []


def test_a_contract_without_the_category_and_unapproved_questions_refuse(
    room: SmallRoom, tmp_path: Path
) -> None:
    furnish(room, ("registration",))
    with desk_of(room, tmp_path, bureau) as desk:
        assert refused(desk) == "CONTRACT_SCOPE"
        furnish_again = make.admission(
            party=make.BANK,
            party_kind=PartyKind.BANK,
            group=make.BANK,
            categories=("property",),
            nonce=make.nonce("third"),
        )
        room.approve(room.put_up(furnish_again), SubjectKind.ADMISSION)
        assert refused(desk) == "APPROVAL_MISSING"
        approve(room)
        assert desk.ask().answer == "match"


@pytest.mark.parametrize(
    "body",
    [
        b'{"answer": "match", "owner": "canary"}',
        b'{"area": 117.5}',
        b'{"answer": "canary"}',
        b'"match"',
        b"x" * 2_000,
        b"",
    ],
)
def test_a_department_that_says_more_than_one_word_is_not_believed(
    room: SmallRoom, tmp_path: Path, body: bytes
) -> None:
    furnish(room)
    with desk_of(room, tmp_path, lambda _: reply(body)) as desk:
        approve(room)
        with pytest.raises((BadInput, Unavailable)) as caught:
            desk.ask()
        assert "canary" not in str(caught.value)
        book = (room.home / "vault/journal/verified.json").read_bytes()
        assert b"canary" not in book
        assert ONE.encode() not in book


def test_an_answer_that_was_lost_has_been_tried(room: SmallRoom, tmp_path: Path) -> None:
    """Else whoever breaks the way back could try claims without end."""
    furnish(room)
    with desk_of(room, tmp_path, lambda _: reply(b"{}")) as desk:
        approve(room)
        codes = [refused(desk, claim=str(number)) for number in range(4)]
        assert codes == ["SOURCE_MALFORMED"] * 3 + ["CLAIM_CAP"]


def test_a_redirect_leads_nowhere(room: SmallRoom, tmp_path: Path) -> None:
    furnish(room)
    with desk_of(room, tmp_path, lambda _: reply(b"", status=302, Location="/else")) as desk:
        approve(room)
        assert refused(desk) == "SOURCE_MALFORMED"
        assert len(desk.server.heard) == 1


def test_a_place_that_was_not_approved_is_not_called(desk: Desk) -> None:
    path = desk.room.home / "vault/connections/property"
    path.write_text(path.read_text(encoding="utf-8").replace(HOST, "127.0.0.1"), encoding="utf-8")
    assert refused(desk) in {"SOURCE_ADDRESS", "SOURCE_MALFORMED"}
    assert desk.server.heard == []


def test_what_was_answered_goes_with_the_enterprise(desk: Desk) -> None:
    desk.ask()
    book = desk.room.home / "vault/journal/verified.json"
    assert b"match" in book.read_bytes()
    asked_at = write_instant(desk.room.now)
    order = make.erase_order(ONE, asked_at=asked_at, nonce=make.nonce("erase"))
    desk.room.service.erase(make.sign(order, ONE))
    assert b"match" not in book.read_bytes()
    desk.room.restart()
    desk.ask()
    assert len(desk.server.heard) == 2


def test_a_book_that_is_none_stops_the_vault(desk: Desk) -> None:
    desk.ask()
    path = desk.room.home / "vault/journal/verified.json"
    path.write_bytes(b'{"answers":[[1]],"kind":"saferoom/verified/1"}')
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        desk.room.restart()
    path.unlink()
    desk.room.start()


def test_a_question_nobody_declared_is_not_there(desk: Desk) -> None:
    request = desk.request(TRUE, "owns_certificate", "bank-a.system")
    other = VerifyRequest.from_body({**request.body, "question": "00" * 32})
    with pytest.raises(NotFound):
        desk.room.service.verify(make.sign(other, "bank-a.system"), desk.grant())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('item = "property.ownership"', 'item = "property.encumbrance"'),
        ('name = "property"', 'name = "other"'),
        ('kind = "match"', 'kind = "value"'),
        ("edges = [100, 500, 2000]", "edges = []"),
    ],
)
def test_what_may_be_asked_is_declared_strictly(tmp_path: Path, old: str, new: str) -> None:
    text = (content_folder() / "connectors/property/verifier.toml").read_text(encoding="utf-8")
    catalogue = read_catalogue(content_folder() / "policies/catalogue.toml")
    (tmp_path / "property").mkdir()
    path = tmp_path / "property/verifier.toml"
    path.write_text(text, encoding="utf-8")
    assert isinstance(read_verifiers(tmp_path, catalogue)["property"], Verifier)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        read_verifiers(tmp_path, catalogue)
