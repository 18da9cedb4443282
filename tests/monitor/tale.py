"""A small log that tells of one release, its export, and any number of lies in either."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from saferoom.adapters.log_files import LogFiles
from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.core.enrolment import Role
from saferoom.core.grant import Grant
from saferoom.core.log_events import Entry, build_entry
from saferoom.core.trust import LogKey, Trust
from saferoom.crypto.signing import Statement
from saferoom.monitor.alarms import Alarm
from saferoom.monitor.auditing import Asked, Visit
from saferoom.monitor.places import open_log
from saferoom.monitor.trusted import read_trusted
from saferoom.tlog.commitments import Opening
from tests import factories as f
from tests.tlog.small_log import counting

ORIGIN = "room.test/log"
LOG_KEY = f.signing_key("log")
NOW = datetime(2026, 11, 20, 10, 51, tzinfo=UTC)
VERSION = f.manifest()
SNAPSHOT = f.some_digest("snapshot")
MODELLER, APPROVER = f"{f.BANK}.modeller", f"{f.BANK}.approver"


@dataclass(frozen=True)
class Line:
    """One entry to log, and the papers behind it."""

    kind: str
    personal: dict[str, Json]
    artefacts: Mapping[str, Digest] = field(default_factory=dict)
    records: tuple[dict[str, Json], ...] = ()
    papers: tuple[Statement, ...] = ()
    at: datetime = NOW


Tale = list[Line]


def enrolled(statement: Statement) -> Line:
    body = statement.body
    names = ("holder", "party", "role", "replaces")
    said = {name: body[name] for name in names}
    key = f.enrolment("zhao", signing_key=body["signing_key"]).key_id
    return Line(
        "key_enrolled", {**said, "key": key, "statement": statement.digest}, papers=(statement,)
    )


def person(name: str, party: str, role: Role, *by: str, **changes: object) -> Line:
    made = f.enrolment(name, party=party, role=role, **changes)
    return enrolled(f.sign(made, name, *(by or f.GENESIS)))


def voted(voter: str, step: str = "review", **changes: object) -> Line:
    made = f.sign(f.vote(VERSION.digest, step, nonce=f.nonce((voter, step)), **changes), voter)
    said: dict[str, Json] = {
        "subject": VERSION.digest,
        "voter": voter,
        "decision": made.body["decision"],
        "statement": made.digest,
    }
    return Line("vote_cast", said, papers=(made,))


def budgeted(signer: str = f.ENTERPRISE, **changes: object) -> Line:
    made = f.sign(f.budget(**changes), signer)
    names = ("enterprise", "group", "limit_mbit", "ceiling_mbit")
    said = {name: made.body[name] for name in names}
    return Line("budget_signed", {**said, "statement": made.digest}, papers=(made,))


def granted(grant: Grant | None = None, signer: str = f.ENTERPRISE) -> Line:
    made = f.sign(grant or f.grant(), signer)
    said = {name: made.body[name] for name in ("enterprise", "bank", "version")}
    return Line("grant_signed", {**said, "statement": made.digest}, papers=(made,))


def revoked(**changes: object) -> Line:
    made = f.sign(f.revocation(**changes), f.ENTERPRISE)
    said = {name: made.body[name] for name in ("enterprise", "grant")}
    return Line("grant_revoked", {**said, "statement": made.digest}, papers=(made,))


def released(**changes: Json) -> Line:
    record: dict[str, Json] = {
        "enterprise": f.ENTERPRISE,
        "grant": f.grant().digest,
        "budget": f.budget().digest,
        "charge_mbit": 4000,
        "answer": f.some_digest("answer"),
        "source": "evaluated",
    }
    artefacts = {
        "version": VERSION.digest,
        "views": VERSION.views,
        "snapshot": SNAPSHOT,
        "policy_set": f.some_digest("policy"),
    }
    personal: dict[str, Json] = {
        "bank": f.BANK,
        "request": f.some_digest("request"),
        "caller": MODELLER,
        "purpose": str(VERSION.purpose),
        "loan_reference": "LN-1",
        "approvers": [],
        "override": None,
    }
    leaf = {name: changes.pop(name) for name in list(changes) if name in personal}
    return Line("release", personal | leaf, artefacts, (record | changes,))


def good() -> Tale:
    """Found, enrol, submit, approve, sign, release: nothing to complain of."""
    return [
        Line("genesis", {"origin": ORIGIN, "operators": [*f.GENESIS]}, {"trust": f.some_digest()}),
        *(enrolled(one) for one in f.genesis()),
        person(MODELLER, f.BANK, Role.MODELLER),
        person(APPROVER, f.BANK, Role.APPROVER),
        person(f.ENTERPRISE, f.ENTERPRISE, Role.ENTERPRISE),
        Line(
            "version_submitted",
            {"bank": f.BANK, "submitter": MODELLER},
            {"version": VERSION.digest},
        ),
        voted(APPROVER, "bank"),
        voted("zhao"),
        voted("qian"),
        budgeted(),
        granted(),
        released(),
    ]


@dataclass
class Told:
    """A tale in files: log, trust file and export."""

    folder: Path
    entries: list[Entry]
    trust: Trust
    bytes_of_leaves: list[bytes] = field(default_factory=list)

    def visit(self, **changes: object) -> list[str]:
        """Return the codes that a monitor raises."""
        return [alarm.code for alarm in self.visited(**changes).alarms]

    def visited(self, **changes: object) -> Result:
        asked = Asked(
            fetch=open_log(str(self.folder)),
            trusted=read_trusted(self.trust.to_bytes()),
            now=NOW,
            memory=self.folder / "memory.json",
            openings=self.folder / "openings",
        )
        visit = Visit(replace(asked, **changes))  # type: ignore[arg-type]
        return Result(visit, visit.run())

    @property
    def leaves(self) -> list[bytes]:
        return [entry.leaf for entry in self.entries]

    def change_line(self, index: int, change: Callable[[dict[str, Json]], None]) -> None:
        path = self.folder / "openings"
        lines = path.read_bytes().splitlines(keepends=True)
        body = parse_object(lines[index + 1][:-1])
        change(body)
        lines[index + 1] = canonical_bytes(body) + b"\n"
        path.write_bytes(b"".join(lines))


@dataclass
class Result:
    visit: Visit
    alarms: Sequence[Alarm]

    def __post_init__(self) -> None:
        assert json.dumps([one.to_json() for one in self.alarms])


def trust(**changes: object) -> Trust:
    key = LogKey(
        algorithm="ed25519",
        key=LOG_KEY.public.raw.hex(),
        valid_from="2020-01-01T00:00:00Z",
        valid_until=None,
        compromised=False,
    )
    made = Trust(origin=ORIGIN, log_keys=(key,), operators=tuple(f.genesis()))
    return replace(made, **changes)  # type: ignore[arg-type]


def tell(folder: Path, lines: Tale) -> Told:
    """Log it, and export it."""
    return write(folder, lines, build(lines, counting()))


def build(lines: Tale, source: Callable[[int], bytes]) -> list[Entry]:
    return [
        build_entry(one.kind, one.artefacts, one.personal, one.at, source, one.records)
        for one in lines
    ]


def write(folder: Path, lines: Tale, entries: list[Entry], origin: str = ORIGIN) -> Told:
    LogFiles(folder / "log", origin, [LOG_KEY]).extend(0, [entry.leaf for entry in entries])
    head: dict[str, Json] = {"kind": "saferoom/openings/1", "origin": origin, "size": len(lines)}
    export = [head, *(_line(n, e, lines[n]) for n, e in enumerate(entries))]
    (folder / "openings").write_bytes(b"".join(canonical_bytes(one) + b"\n" for one in export))
    return Told(folder, entries, trust())


def _line(index: int, entry: Entry, line: Line) -> dict[str, Json]:
    records: list[Json] = [
        {"record": parse_object(record), "openings": _openings(opened)}
        for record, opened in zip(entry.records, entry.record_openings, strict=True)
    ]
    statements: list[Json] = [one.to_json() for one in line.papers]
    return {
        "index": index,
        "leaf": _openings(entry.openings),
        "records": records,
        "statements": statements,
    }


def _openings(openings: dict[str, Opening]) -> dict[str, Json]:
    return {name: {"nonce": one.nonce.hex(), "value": one.value} for name, one in openings.items()}
