"""A receipt's papers are the ones that were logged, signed by whom they need, and none is idle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from saferoom.canonical import Json
from saferoom.core.enrolment import Role
from saferoom.core.log_events import KINDS
from saferoom.core.papers import PAPERS, VOTED, check_papers
from saferoom.core.receipt import check_receipt
from saferoom.crypto.signing import Statement
from saferoom.errors import Tampered
from tests import factories as f
from tests.core.receipt_kinds import (
    APPROVER,
    BANK,
    CASES,
    CERTIFICATE,
    ENROLMENTS,
    FIRM,
    GRANT,
    MANIFEST,
    MODELLER,
    ORDER,
    SYSTEM,
    TRUST,
    Case,
    votes,
)


def refused(case: Case) -> str:
    with pytest.raises(Tampered) as caught:
        case.verify()
    return caught.value.code


@pytest.mark.parametrize("name", CASES)
def test_every_kind_is_proven_with_its_papers(name: str) -> None:
    case = CASES[name]
    shown = case.verify()
    assert shown.kind == case.kind
    assert len(shown.papers) == len(case.papers)
    said = "\n".join(shown.links)
    assert said.count("the paper itself") + said.count("each signed for it") >= bool(case.papers)
    assert "not in this receipt" not in said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a grant", "statement: the paper itself, signed by the enterprise itself"),
        ("a release", f"version: the paper itself, signed by {MODELLER} (modeller of {BANK})"),
        ("an approval", f"voters: each signed for it: {APPROVER} (approver of {BANK}), qian"),
        ("an erasure", "signed by the vault; unreadable here at 2026-11-20T10:51:00Z"),
        ("an erasure by paper", "signed by zhao (operator) and qian (operator)"),
        ("a founder's key", "both founders"),
        ("another key", "its holder, sun (operator of room) and qian (operator of room)"),
        ("another key", "from the founders on: 2 enrolments"),
    ],
)
def test_each_link_is_told_in_words(name: str, words: str) -> None:
    assert words in "\n".join(CASES[name].verify().links)


def test_whoever_judges_no_papers_takes_no_receipt_that_has_some() -> None:
    with pytest.raises(Tampered, match="not judged"):
        check_receipt(CASES["a grant"].receipt(), TRUST)
    check_receipt(CASES["a refusal"].receipt(), TRUST)


def test_a_paper_that_is_absent_is_told() -> None:
    bare = replace(CASES["a grant"], papers=(), enrolled=())
    assert "statement: the signed paper is not in this receipt" in "\n".join(bare.verify().links)
    both = CASES["an erasure"]
    half = replace(both, papers=both.papers[:1])
    assert "certificate: the signed paper is not in" in "\n".join(half.verify().links)


def test_a_shredded_field_names_no_paper() -> None:
    grant = replace(CASES["a grant"], papers=(), enrolled=())
    data = grant.receipt(shred=["statement"])
    said = "\n".join(check_receipt(data, TRUST, check_papers=check_papers).links)
    assert "not in this receipt" not in said
    with pytest.raises(Tampered):
        check_receipt(
            CASES["a grant"].receipt(shred=["statement"]), TRUST, check_papers=check_papers
        )


def resigned(name: str, *by: str) -> Case:
    """Let others sign the first paper."""
    case = CASES[name]
    paper = f.sign(dict(case.papers[0].body), *by)
    return replace(case, papers=[paper, *case.papers[1:]])


@pytest.mark.parametrize(
    "case",
    [
        replace(resigned("a grant", "zhao"), enrolled=()),
        resigned("a grant", "nobody"),
        replace(resigned("a grant", APPROVER), enrolled=[APPROVER]),
        replace(resigned("a suspension", "zhao")),
        replace(resigned("a vote", "zhao"), enrolled=()),
        replace(resigned("a submission", APPROVER), enrolled=[APPROVER], personal={
            "bank": "bank-b", "submitter": MODELLER}),
        replace(resigned("a stopped version", "qian")),
        replace(resigned("an erasure", "zhao", "qian"), papers=[CASES["an erasure"].papers[1]]),
        replace(resigned("views", FIRM), enrolled=[FIRM]),
        replace(resigned("an approval", "bank-b.modeller"), enrolled=["bank-b.modeller", APPROVER]),
    ],
)  # fmt: skip
def test_what_others_signed_is_no_paper(case: Case) -> None:
    if case.kind == "erased":  # a certificate whose order is not there
        case = replace(case, enrolled=())
    assert refused(case) == "RECEIPT_INVALID"


def test_a_vault_that_the_trust_file_does_not_name_certifies_nothing() -> None:
    other = f.sign(CERTIFICATE, "another vault")
    case = replace(CASES["an erasure"], papers=[ORDER, other])
    with pytest.raises(Tampered) as caught:
        case.verify()
    assert caught.value.code == "CERTIFICATE_INVALID"


def changed(name: str, **said: Json) -> Case:
    case = CASES[name]
    return replace(case, personal={**case.personal, **said})


@pytest.mark.parametrize(
    "case",
    [
        changed("a grant", bank="bank-b"),
        changed("a grant", version=f.some_digest("another")),
        changed("a budget", limit_mbit=1),
        changed("a vote", decision="refuse"),
        changed("a vote", voter="zhao"),
        changed("a key", role="operator"),
        changed("a key", key=f.some_digest("key")),
        changed("a release", purpose="monitoring"),
        changed("an approval", voters=[APPROVER, "zhao", "sun"]),
        changed("an approval", voters=[APPROVER, "zhao"]),
        changed("an approval", voters="zhao"),
    ],
)
def test_an_entry_that_says_something_else_is_refused(case: Case) -> None:
    assert refused(case) == "RECEIPT_INVALID"


def test_a_paper_of_another_kind_does_not_pass() -> None:
    fake: Statement = f.sign({**GRANT.to_body(), "kind": "saferoom/grant/2"}, FIRM)
    case = changed("a grant", statement=fake.digest)
    assert refused(replace(case, papers=[fake])) == "RECEIPT_INVALID"


@pytest.mark.parametrize(
    "papers",
    [
        votes(f.some_digest("else"), APPROVER, "zhao", "qian"),
        votes(MANIFEST.digest, APPROVER, "zhao"),
        [f.sign(f.vote(MANIFEST.digest, decision="refuse"), n) for n in (APPROVER, "zhao", "qian")],
    ],
)
def test_votes_are_for_this_and_of_all_who_are_named(papers: Sequence[Statement]) -> None:
    case = replace(CASES["an approval"], papers=papers, enrolled=[APPROVER])
    assert refused(case) == "RECEIPT_INVALID"


def test_an_entry_that_nobody_votes_on_takes_no_votes() -> None:
    grant = CASES["a grant"]
    stray = replace(grant, papers=[*grant.papers, *votes(GRANT.digest, "zhao")])
    assert refused(stray) == "RECEIPT_INVALID"


@pytest.mark.parametrize(
    ("name", "enrolled"),
    [
        ("a grant", []),  # nobody vouched for the enterprise
        ("a grant", [FIRM, MODELLER]),  # one that leads nowhere
        ("another key", ["sun"]),  # the key that it replaces
        ("another key", [SYSTEM]),  # who vouched for that
        ("a founder's key", ["sun"]),
        ("a refusal", ["sun"]),
    ],
)
def test_enrolments_are_just_those_that_are_needed(name: str, enrolled: list[str]) -> None:
    assert refused(replace(CASES[name], enrolled=enrolled)) == "RECEIPT_INVALID"


def test_two_operators_vouch_for_every_key(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = f.sign(f.enrolment(FIRM, party=FIRM, role=Role.ENTERPRISE), FIRM, "zhao")
    monkeypatch.setitem(ENROLMENTS, FIRM, alone)
    assert refused(CASES["a grant"]) == "RECEIPT_INVALID"


def test_another_rooms_founders_vouch_for_nobody() -> None:
    strangers = replace(TRUST, operators=(f.sign(f.enrolment("li"), "li", "wu"),) * 2)
    for trust in (replace(TRUST, operators=()), strangers):
        with pytest.raises(Tampered):
            check_receipt(CASES["a grant"].receipt(), trust, check_papers=check_papers)


def test_the_tables_name_kinds_and_fields_that_exist() -> None:
    for kind, fields in PAPERS.items():
        names = {*KINDS[kind].artefacts, *KINDS[kind].committed, *KINDS[kind].record}
        assert set(fields) <= names
    for kind, field in VOTED.items():
        assert field in PAPERS[kind]
        assert "voters" in KINDS[kind].committed
    assert {case.kind for case in CASES.values()} >= PAPERS.keys() - {"mock_approved"}


def test_no_field_of_a_kind_stands_twice() -> None:
    """What an entry says is looked up by name, whether it is clear, in the leaf or in a record."""
    for names in KINDS.values():
        everything = [*names.artefacts, *names.committed, *names.record]
        assert len(set(everything)) == len(everything)
