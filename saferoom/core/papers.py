"""Who signed what a receipt rests on, and who vouched for their keys?

An entry commits to the digests of signed papers: a grant, a vote, an order. A receipt may carry
the papers themselves, and the enrolments that lead from the trust file's founders to whoever
signed them. Here both are held together: a paper must have a digest that the receipt opens, say
what the entry says, and be signed by whom the table below asks for; each enrolment must have
been signed by its key and two operators, and be needed. No paper and no enrolment goes unread,
so no byte of them changes unseen.

Proven: these people signed these words, with keys that two operators vouched for. Not proven:
that a key was still in force then, or that the papers are all that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from saferoom.canonical import Digest, Json
from saferoom.core.enrolment import (
    Enrolment,
    Lookup,
    Role,
    check_enrolment,
    check_enterprise,
    check_operators,
    check_signer,
)
from saferoom.core.erasure import ErasureCertificate, check_certificate
from saferoom.core.vouching import Vouched
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Conflict, Refusal, Tampered

if TYPE_CHECKING:  # how receipts and trust files are read is not this module's affair
    from saferoom.core.receipt import Verified
    from saferoom.core.trust import Trust

CONNECTED = ("saferoom/source/1", "saferoom/verifier/1", "saferoom/node/1")
Said = Mapping[str, Json]  # what the entry says: opened fields, and digests in clear


class Papers(NamedTuple):
    """The papers of one receipt, what its entry says, and whose keys are vouched for."""

    kind: str
    said: Said
    all: tuple[Statement, ...]
    trust: Trust
    vouched: Vouched

    @property
    def lookup(self) -> Lookup:
        """Find who a key is or was."""
        return self.vouched.lookup


def _by_enterprise(paper: Statement, papers: Papers) -> str:
    check_enterprise(paper, str(papers.said["enterprise"]), papers.lookup)
    return "the enterprise itself"


def _by_operators(paper: Statement, papers: Papers) -> str:
    both = check_operators(paper, papers.lookup, 2)
    return " and ".join(f"{one.holder} (operator)" for one in both)


def _by_one_operator(paper: Statement, papers: Papers) -> str:
    return _named(check_signer(paper, papers.lookup, Role.OPERATOR, Role.STEWARD))


def _by_bank(paper: Statement, papers: Papers) -> str:
    signer = check_signer(paper, papers.lookup, Role.MODELLER, Role.APPROVER, Role.SYSTEM)
    return _of_party(signer, paper.body.get("bank"))


def _by_voter(paper: Statement, papers: Papers) -> str:
    return _by(papers.said["voter"], check_signer(paper, papers.lookup, *_VOTERS))


def _by_who_stopped(paper: Statement, papers: Papers) -> str:
    return _by(papers.said["by"], check_signer(paper, papers.lookup, *_VOTERS, Role.MODELLER))


def _by_who_orders(paper: Statement, papers: Papers) -> str:
    one = len(paper.signatures) == 1
    return _by_enterprise(paper, papers) if one else _by_operators(paper, papers)


def _by_holder(paper: Statement, papers: Papers) -> str:
    new = Enrolment.from_body(paper.body)
    if papers.said["key"] != new.key_id:
        raise BadInput("FIELD_INVALID", "another key")
    if paper in papers.trust.operators:
        return "both founders of the room"
    check_enrolment(paper, papers.lookup)
    vouched = [papers.lookup(key) for key in paper.signers() if key != new.key_id]
    return "its holder, " + " and ".join(_named(one) for one in vouched if one)


def _by_vault(paper: Statement, papers: Papers) -> str:
    orders = [one for one in papers.all if one.digest == papers.said["statement"]]
    if not orders:
        raise BadInput("FIELD_INVALID", "a certificate without its order")
    said = check_certificate(paper, papers.trust, orders[0])
    here, everywhere = said.unreadable_here_at, said.unreadable_everywhere_from
    return f"the vault; unreadable here at {here}, everywhere from {everywhere}"


class Paper(NamedTuple):
    """One paper of one kind of entry: what it is, what it must repeat, and who signs it."""

    kinds: tuple[str, ...]
    agrees: tuple[str, ...]  # fields that the paper and the entry state alike
    signed: Callable[[Statement, Papers], str]


_VOTERS = (Role.OPERATOR, Role.APPROVER)
_GRANT = ("saferoom/grant/1",)
# Kind of entry → field that names a paper by digest → the paper.
PAPERS: Mapping[str, Mapping[str, Paper]] = {
    "key_enrolled": {
        "statement": Paper(
            (Enrolment.KIND,), ("holder", "party", "role", "replaces"), _by_holder
        ),
    },
    "party_admitted": {
        "statement": Paper(("saferoom/admission/1",), ("party",), _by_one_operator),
    },
    "party_suspended": {
        "statement": Paper(
            ("saferoom/suspension/1", "saferoom/exit/1"), ("party",), _by_operators
        ),
    },
    "source_connected": {
        "manifest": Paper(CONNECTED, ("party",), _by_one_operator),
    },
    "views_approved": {"views": Paper(("saferoom/views/1",), (), _by_one_operator)},
    "mock_approved": {"mock": Paper(("saferoom/mock/1",), (), _by_one_operator)},
    "policy_activated": {
        "policy_set": Paper(("saferoom/policy-set/1",), (), _by_one_operator),
    },
    "template_approved": {
        "template": Paper(("saferoom/grant-template/1",), (), _by_one_operator),
    },
    "version_submitted": {"version": Paper(("saferoom/version/1",), ("bank",), _by_bank)},
    "vote_cast": {
        "statement": Paper(("saferoom/vote/1",), ("subject", "decision"), _by_voter),
    },
    "version_approved": {"version": Paper(("saferoom/version/1",), (), _by_bank)},
    "version_suspended": {
        "statement": Paper(("saferoom/version-suspension/1",), ("version",), _by_who_stopped),
    },
    "budget_signed": {
        "statement": Paper(
            ("saferoom/budget/1",),
            ("enterprise", "group", "limit_mbit", "ceiling_mbit"),
            _by_enterprise,
        ),
    },
    "grant_signed": {
        "statement": Paper(_GRANT, ("enterprise", "bank", "version"), _by_enterprise),
    },
    "grant_revoked": {
        "statement": Paper(("saferoom/revocation/1",), ("enterprise", "grant"), _by_enterprise),
    },
    "release": {
        "grant": Paper(_GRANT, ("enterprise", "bank", "version", "purpose"), _by_enterprise),
        "version": Paper(("saferoom/version/1",), ("bank",), _by_bank),
    },
    "erased": {
        "statement": Paper(("saferoom/erase-order/1",), ("enterprise",), _by_who_orders),
        "certificate": Paper((ErasureCertificate.KIND,), (), _by_vault),
    },
}  # fmt: skip  # one line for each paper
# Kind of entry → the field that names what its `voters` voted for.
VOTED: Mapping[str, str] = {
    "party_admitted": "statement",
    "source_connected": "manifest",
    "views_approved": "views",
    "mock_approved": "mock",
    "policy_activated": "policy_set",
    "template_approved": "template",
    "version_approved": "version",
}
_VOTE = "saferoom/vote/1"


def check_papers(verified: Verified, trust: Trust) -> tuple[str, ...]:
    """Check every paper and every enrolment of a receipt; tell each link in words."""
    if not (verified.papers or verified.enrolments):
        return tuple(_absent(verified, frozenset()))
    try:
        return tuple(_check(verified, _gather(verified, trust)))
    except (BadInput, Conflict, KeyError, Refusal) as error:  # KeyError: a field is not opened
        raise Tampered("RECEIPT_INVALID", "a paper in it does not hold") from error


def _gather(verified: Verified, trust: Trust) -> Papers:
    said = {**verified.artefacts, **verified.opened}
    vouched = Vouched(trust.operators, verified.enrolments)
    vouched.check_needed(verified.papers)
    return Papers(verified.kind, said, verified.papers, trust, vouched)


def _check(verified: Verified, papers: Papers) -> Iterator[str]:
    digests = frozenset(paper.digest for paper in papers.all)
    votes = []
    for paper in papers.all:
        fields = _fields(papers, paper.digest)
        if not fields:
            votes.append(paper)
        for field in fields:
            yield _check_one(PAPERS[papers.kind][field], field, paper, papers)
    if votes:
        yield _check_votes(votes, papers)
    if verified.enrolments:
        count = len(verified.enrolments)
        yield f"two operators vouched for each key, from the founders on: {count} enrolments"
    yield from _absent(verified, digests)


def _fields(papers: Papers, digest: Digest) -> list[str]:
    table = PAPERS.get(papers.kind, {})
    return [field for field in table if papers.said.get(field) == digest]


def _check_one(rule: Paper, field: str, paper: Statement, papers: Papers) -> str:
    told = [name for name in rule.agrees if name in papers.said]  # an archived field says nothing
    alike = all(paper.body.get(name) == papers.said[name] for name in told)
    if paper.kind not in rule.kinds or not alike:
        raise BadInput("FIELD_INVALID", "a paper that says something else")
    return f"{field}: the paper itself, signed by {rule.signed(paper, papers)}"


def _check_votes(votes: Sequence[Statement], papers: Papers) -> str:
    """Each of the entry's voters signed for just this, once; nobody else's vote stands here."""
    subject, voters = papers.said.get(VOTED.get(papers.kind, "")), papers.said.get("voters")
    signers = [check_signer(vote, papers.lookup, *_VOTERS) for vote in votes]
    wanted = {"kind": _VOTE, "subject": subject, "decision": "approve"}
    alike = all(vote.body.get(name) == wanted[name] for vote in votes for name in wanted)
    named = isinstance(voters, list) and sorted(one.holder for one in signers) == sorted(
        str(voter) for voter in voters
    )
    if subject is None or not alike or not named:
        raise BadInput("FIELD_INVALID", "votes of others, or for something else")
    return "voters: each signed for it: " + ", ".join(sorted(map(_named, signers)))


def _absent(verified: Verified, digests: frozenset[Digest]) -> Iterator[str]:
    said: Said = {**verified.artefacts, **verified.opened}
    for field in PAPERS.get(verified.kind, {}):
        if said.get(field) is not None and said[field] not in digests:
            yield f"{field}: the signed paper is not in this receipt, only its digest is proven"


def _by(name: Json, signer: Enrolment) -> str:
    if signer.holder != name:
        raise BadInput("FIELD_INVALID", "signed by somebody else")
    return _named(signer)


def _of_party(signer: Enrolment, party: Json) -> str:
    if signer.party != party:
        raise BadInput("FIELD_INVALID", "signed by somebody else")
    return _named(signer)


def _named(one: Enrolment) -> str:
    return f"{one.holder} ({one.role} of {one.party})"
