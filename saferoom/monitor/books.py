"""Did anything leave that should not have, by what the log itself says?

The monitor keeps books of its own along the log: keys, votes, grants, revocations, budgets,
and what each enterprise's bits were spent on. Every release is held against them as they stood
when it was logged. The rules are written down here once more, on purpose: whoever breaks the
room's does not break these.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from saferoom.canonical import Json
from saferoom.crypto.signing import Statement
from saferoom.monitor.alarms import Alarm
from saferoom.monitor.openings import Opened, Values
from saferoom.monitor.past import Closing, unconfirmed
from saferoom.monitor.people import People, Person

Body = Mapping[str, Json]
BANK_VOTES, REVIEW_VOTES = 1, 2


@dataclass
class Version:
    """Who brought it, and who voted how."""

    bank: str
    submitter: str
    votes: list[tuple[Person, str, bool]] = field(default_factory=list)  # voter, step, approves
    suspended: bool = False

    def approved(self) -> bool:
        """Say whether the chain is complete: its bank's approver, two operators, no refusal."""
        if self.suspended or not all(approves for *_, approves in self.votes):
            return False
        others = [
            (one, step) for one, step, _ in self.votes
            if (one.party, one.holder) != (self.bank, self.submitter)
        ]  # fmt: skip  # one condition
        bank = {
            one.holder for one, step in others
            if (step, one.role, one.party) == ("bank", "approver", self.bank)
        }  # fmt: skip  # one condition
        review = {
            (one.party, one.holder) for one, step in others
            if (step, one.role) == ("review", "operator")
        }  # fmt: skip  # one condition
        return len(bank) >= BANK_VOTES and len(review) >= REVIEW_VOTES


@dataclass
class Books:
    """Everything that decides, as the log tells it so far."""

    people: People
    closings: Sequence[Closing] = ()
    versions: dict[str, Version] = field(default_factory=dict)
    grants: dict[str, Body] = field(default_factory=dict)
    revocations: defaultdict[str, list[Body]] = field(default_factory=lambda: defaultdict(list))
    budgets: dict[tuple[str, str], tuple[str, Body]] = field(default_factory=dict)
    ceilings: dict[str, int] = field(default_factory=dict)
    spent: defaultdict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))
    in_force: dict[str, tuple[str, str]] = field(default_factory=dict)  # by digest
    total: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    answered: set[tuple[str, str, str]] = field(default_factory=set)

    def enter(self, entry: Opened) -> Iterator[Alarm]:
        """Take one entry into the books."""
        if entry.kind == "release":
            for record in entry.records:
                if record:
                    yield from self._release(entry, record)
                else:
                    yield Alarm("OPENING_WITHHELD", "a release's record", entry.index)
        elif entry.kind == "version_submitted" and "bank" in entry.values:
            bank, submitter = str(entry.values["bank"]), str(entry.values["submitter"])
            self.versions[entry.artefacts["version"]] = Version(bank, submitter)
        elif entry.kind == "version_suspended":
            self._version(entry.artefacts["version"]).suspended = True
        elif entry.kind in _PAPERS:
            if entry.values:
                yield from self._paper(entry)
            else:
                yield Alarm("OPENING_WITHHELD", entry.kind, entry.index)

    def _paper(self, entry: Opened) -> Iterator[Alarm]:
        found = entry.statements.get(str(entry.values["statement"]))
        if not found:
            yield Alarm("STATEMENT_MISSING", entry.kind, entry.index)
            return
        statement = found[0]
        if entry.kind == "key_enrolled":
            yield from self.people.enrol(entry, statement)
            return
        signers = [(one, self.people.signer(one)) for one in found]
        statement, signer = next(((s, p) for s, p in signers if p is not None), (statement, None))
        own = signer is not None and _PAPERS[entry.kind](statement.body, signer, entry.values)
        if signer is None or not own:
            yield Alarm("PAPER_UNSIGNED", entry.kind, entry.index)
            return
        yield from self._take(entry, statement, signer)

    def _take(self, entry: Opened, statement: Statement, signer: Person) -> Iterator[Alarm]:
        body, enterprise = statement.body, signer.party
        match entry.kind:
            case "vote_cast":
                version = self._version(str(body["subject"]))
                version.votes.append((signer, str(body["step"]), body["decision"] == "approve"))
            case "grant_signed":
                self.grants[statement.digest] = body
            case "grant_revoked":
                self.revocations[enterprise].append(body)
            case "budget_signed":
                yield from self._budget(entry, statement, enterprise)

    def _budget(self, entry: Opened, statement: Statement, enterprise: str) -> Iterator[Alarm]:
        body, place = statement.body, (enterprise, str(statement.body["group"]))
        current = self.budgets.get(place)
        replaces = None if current is None else current[0]
        if _number(body["revealed_mbit"]) < self.spent[place] or body["replaces"] != replaces:
            yield Alarm("BUDGET_REFILLED", "revealed before, or the budget replaced", entry.index)
        if replaces is not None:
            del self.in_force[replaces]
        self.in_force[statement.digest] = place
        self.budgets[place] = (statement.digest, body)
        self.ceilings[enterprise] = _number(body["ceiling_mbit"])

    def _release(self, entry: Opened, record: Values) -> Iterator[Alarm]:
        enterprise, version = str(record["enterprise"]), entry.artefacts["version"]
        grant = self.grants.get(str(record["grant"]))
        if grant is None or not _covers(grant, entry, enterprise):
            yield Alarm("RELEASE_UNGRANTED", "no live grant covers it", entry.index)
        elif self._revoked(enterprise, str(record["grant"]), grant):
            yield Alarm("RELEASE_AFTER_REVOCATION", "the grant had ended", entry.index)
        elif unconfirmed(self.closings, entry.index, grant["signed_at"]):
            yield Alarm("RELEASE_UNCONFIRMED", "the grant is suspended", entry.index)
        if not self._version(version).approved():
            yield Alarm("RELEASE_UNAPPROVED", "votes are missing", entry.index)
        yield from self._charge(entry, record, grant)

    def _charge(self, entry: Opened, record: Values, grant: Body | None) -> Iterator[Alarm]:
        enterprise, charge = str(record["enterprise"]), _number(record["charge_mbit"])
        asked = (enterprise, entry.artefacts["version"], entry.artefacts["snapshot"])
        full = 0 if grant is None else _number(grant["charge_mbit"])
        stored = record["source"] == "stored"
        if charge != (0 if stored else full) or (stored and asked not in self.answered):
            yield Alarm("RELEASE_UNCHARGED", "another charge than the grant's", entry.index)
        self.answered.add(asked)
        if not charge:
            return  # a stored answer draws on nothing
        place = self.in_force.get(str(record["budget"]), ("", ""))
        self.spent[place] += charge
        self.total[enterprise] += charge
        limit = self.budgets[place][1]["limit_mbit"] if place in self.budgets else 0
        within = place[0] == enterprise and self.spent[place] <= _number(limit)
        if not within or self.total[enterprise] > self.ceilings.get(enterprise, 0):
            yield Alarm("RELEASE_OVERDRAWN", "no budget in force bears it", entry.index)

    def _revoked(self, enterprise: str, digest: str, grant: Body) -> bool:
        return any(
            one["grant"] == digest
            or (one["version"], True)
            == (grant["version"], str(grant["signed_at"]) <= str(one["revoked_at"]))
            for one in self.revocations[enterprise]
        )

    def _version(self, digest: str) -> Version:
        return self.versions.setdefault(digest, Version("", ""))


def _covers(grant: Body, entry: Opened, enterprise: str) -> bool:
    """Compare what was signed; an entry tells its hour only, so the hour must touch the period."""
    hour = entry.hour.removesuffix("Z")
    live = f"{hour}:59:59Z" >= str(grant["valid_from"])
    live = live and f"{hour}:00:00Z" < str(grant["valid_until"])
    same = (grant["enterprise"], grant["version"]) == (enterprise, entry.artefacts["version"])
    said = entry.values
    asked = all(name not in said or said[name] == grant[name] for name in ("bank", "purpose"))
    return live and same and asked


def _of_enterprise(body: Body, signer: Person, values: Values) -> bool:
    own = signer.role == "enterprise" and body.get("enterprise") == signer.party
    return own and values.get("enterprise") == signer.party


_PAPERS: dict[str, Callable[[Body, Person, Values], bool]] = {
    "key_enrolled": lambda *_: True,  # the book of people judges
    "vote_cast": lambda body, signer, values: (
        (values["subject"], values["voter"]) == (body.get("subject"), signer.holder)
    ),
    "grant_signed": _of_enterprise,
    "grant_revoked": _of_enterprise,
    "budget_signed": _of_enterprise,
}


def _number(value: Json) -> int:
    return value if isinstance(value, int) else 0
