"""What leaves when a bank's system asks, and what does not?

Signed requests through the HTTP door; grades are opened on the bank's side with its own
key. Charges are compared with the ledger that the room shows.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import cast

from saferoom.canonical import Digest, Json
from saferoom.core.ledger import charge_mbit
from saferoom.core.manifest import Purpose
from saferoom.demo.granting import Parts
from saferoom.demo.opening import Stage
from saferoom.demo.steps import Told, check, refused_with
from saferoom.demo.submitting import CARD, TREES, Versions
from saferoom.sdk.room import Room

SYSTEM = "bank-a.system"
FEW = 20  # so few firms may share one grade
Line = Mapping[str, Json]


def score_one(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Score one enterprise as a bank's loan system would."""
    before = _spent(stage)
    frame = Room(stage.client(SYSTEM)).score(
        versions.digests[TREES], [parts.single], loan_reference="LOAN-0001"
    )
    row = frame.iloc[0]
    check(row["status"] == "released" and isinstance(row["grade"], str), "one grade was released")
    once = _charge(stage, versions, TREES)
    check(round(row["charge_bits"] * 1000) == once, "the charge is log2 of the outcomes")
    check(_spent(stage) - before == once, "the ledger bears the charge")
    return Told(f"grade {row['grade']}, opened with the bank's own key", 1, 0, once)


def score_again(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Ask the same again: the stored answer, its own log entry, no charge."""
    before = _spent(stage)
    line = _lines(stage, versions.digests[TREES], [parts.single])[0]
    check(line["status"] == "released" and line["stored"] is True, "the stored answer came")
    check(line["charge_mbit"] == 0 and _spent(stage) == before, "nothing was charged")
    return Told("the stored answer of the same snapshot, charged nothing", 1)


def score_portfolio(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Score many at once."""
    before = _spent(stage)
    frame = Room(stage.client(SYSTEM)).score(versions.digests[TREES], parts.portfolio)
    check(bool((frame["status"] == "released").all()), "all of the portfolio was released")
    check(len(frame) == len(parts.portfolio), "one line for each")
    charged = round(frame["charge_bits"].sum() * 1000)
    check(_spent(stage) - before == charged, "the ledger bears the charges")
    kinds = frame["grade"].nunique()
    check(kinds > 1 or len(frame) < FEW, "the grades differ")
    return Told(f"{len(frame)} firms, {kinds} different outcomes", len(frame), 0, charged)


def ask_expired(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Ask for an enterprise whose grant has run out."""
    return _refused(stage, versions.digests[TREES], parts.expired[0], "AUTH_EXPIRED", "ran out")


def ask_revoked(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Ask for an enterprise that took its grant back."""
    return _refused(stage, versions.digests[TREES], parts.revoked[0], "AUTH_REVOKED", "taken back")


def ask_ungranted(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Ask with another version than was granted."""
    return _refused(stage, versions.digests[CARD], parts.single, "AUTH_MISSING", "another version")


def fill_budget(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Score an enterprise until its budget bears no more."""
    once = _charge(stage, versions, TREES)
    first = _lines(stage, versions.digests[TREES], [parts.thrifty])[0]
    check(first["status"] == "released", "the budget bears one score")
    before = _spent(stage)
    line = _lines(stage, versions.digests[CARD], [parts.thrifty])[0]
    check((line["status"], line["code"]) == ("refused", "BUDGET_FULL"), "the second is refused")
    check(line["answer"] is None and _spent(stage) == before, "nothing left, nothing charged")
    return Told("its budget bears one score and no second", 1, 1, once, "BUDGET_FULL")


def replay(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Send a signed request twice: a retry is answered alike, a replay is refused."""
    request = stage.author(SYSTEM).score_request(
        versions.digests[TREES], Purpose.CREDIT_APPROVAL, [parts.single], "LOAN-0002"
    )
    client, key = stage.client(SYSTEM), secrets.token_hex(16)
    first = client.score(request, idempotency_key=key)
    check(client.score(request, idempotency_key=key) == first, "a retry gets the same answer")
    with refused_with("REPLAY") as codes:
        client.score(request, idempotency_key=secrets.token_hex(16))
    return Told("a retry is answered alike; the same paper used again is not", 1, 1, 0, codes[0])


def obey(stage: Stage, versions: Versions, parts: Parts) -> Told:
    """Score, let the enterprise revoke, and ask again at once."""
    once = _charge(stage, versions, TREES)
    code, enterprise = parts.fickle, stage.enterprises.author(parts.fickle)
    first = _lines(stage, versions.digests[TREES], [code])[0]
    check(first["status"] == "released", "scored while the grant lives")
    client = stage.enterprise_client(code)
    (grant,) = client.grants()
    client.revoke(enterprise.revocation(Digest(str(grant["digest"])), versions.digests[TREES]))
    after = _lines(stage, versions.digests[TREES], [code])[0]
    check((after["status"], after["code"]) == ("refused", "AUTH_REVOKED"), "obeyed at once")
    check(after["answer"] is None, "not even the stored answer leaves")
    return Told("scored, revoked by the enterprise, refused at once", 1, 1, once, "AUTH_REVOKED")


def _refused(stage: Stage, version: Digest, code: str, expected: str, why: str) -> Told:
    before = _spent(stage)
    line = _lines(stage, version, [code])[0]
    check((line["status"], line["code"]) == ("refused", expected), f"refused with {expected}")
    check(line["answer"] is None and _spent(stage) == before, "nothing left, nothing charged")
    return Told(f"the grant: {why}", refused=1, code=expected)


def _lines(stage: Stage, version: Digest, codes: Sequence[str]) -> list[Line]:
    request = stage.author(SYSTEM).score_request(
        version, Purpose.CREDIT_APPROVAL, codes, "LOAN-0003"
    )
    return cast("list[Line]", stage.client(SYSTEM).score(request)["results"])


def _charge(stage: Stage, versions: Versions, name: str) -> int:
    return charge_mbit(len(versions.manifest(stage, name).outcomes))


def _spent(stage: Stage) -> int:
    """Sum what bank A's group has learnt, by the room's ledger."""
    return sum(int(str(account["spent_mbit"])) for account in stage.client(SYSTEM).ledger())
