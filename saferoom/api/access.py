"""Who gets what at each route?

One literal table, which is also the page `docs/reference/access.md`. A test calls every route
as every caller below and compares; a route without a row fails it. What a caller may not know
of is "not found", so that nobody learns which models, receipts or contracts others have.

The objects asked about are bank A's and one enterprise's. Whoever calls also signs, in its own
name: a statement that somebody else signed counts the same whoever brings it. An answer is a
status of HTTP, or for a list whether the object stands in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

SEEN, UNSEEN = "seen", "unseen"
CALLERS: Mapping[str, str] = {
    "stranger": "shows no token, and signs with a key that nobody enrolled",
    "modeller": "of bank A",
    "approver": "of bank A",
    "system": "of bank A",
    "other bank": "modeller, approver and system of bank B, each alike",
    "operator": "one of three",
    "auditor": "of an organisation of its own",
    "enterprise": "the one that was asked about",
    "other enterprise": "enrolled, and has granted nothing to bank A",
    "steward": "of the source",
    "other steward": "of another source",
}


class Row(NamedTuple):
    """One route, what is done there, and what each caller gets, in the order of CALLERS."""

    route: str
    act: str
    cells: tuple[int | str, ...]


def _row(route: str, act: str, cells: str) -> Row:
    return Row(route, act, tuple(int(c) if c.isdigit() else c for c in cells.split()))


_OPEN = "200 200 200 200 200 200 200 200 200 200 200"
_KNOWN = "401 200 200 200 200 200 200 200 200 200 200"
_OPERATORS = "401 403 403 403 403 200 403 403 403 403 403"
_ENTERPRISE = "401 403 403 403 403 403 403 200 403 403 403"
_ENTERPRISE_OWN = "401 403 403 403 403 403 403 200 200 403 403"  # each its own
_VERSION = "401 200 200 200 404 200 200 200 404 404 404"
_LISTED = "401 seen seen seen unseen seen seen seen unseen unseen unseen"

# fmt: off
TABLE: tuple[Row, ...] = (
    _row("GET /", "be led to the documentation", _OPEN),
    _row("GET /docs", "read how the API is used", _OPEN),
    _row("GET /openapi.json", "read the same as a program", _OPEN),
    _row("GET /healthz", "ask whether the program answers", _OPEN),
    _row("GET /readyz", "ask whether each part is there", _OPEN),
    _row("GET /metrics", "read the counts", _OPEN),
    _row("GET /log/checkpoint", "read the log's checkpoint", _OPEN),
    _row("GET /log/stamped", "read the newest time stamps of the log", _OPEN),
    _row("GET /log/tile/{path}", "read a tile of the log", _OPEN),
    _row("GET /v1/room", "read public keys and digests", _OPEN),
    _row("POST /v1/tokens", "get a token by one's own key",
         "403 200 200 200 200 200 200 200 200 200 200"),
    _row("GET /v1/me", "ask who one is", _KNOWN),
    _row("GET /v1/catalogue", "read the approved features", _KNOWN),
    _row("GET /v1/mock", "read the declarations of mock data", _KNOWN),
    _row("GET /v1/notices", "read the notices of bank A",
         "401 seen seen seen unseen unseen unseen unseen unseen unseen unseen"),
    _row("GET /v1/looks", "read who looked at the enterprise", _ENTERPRISE_OWN),
    _row("POST /v1/own-records", "have the enterprise's own record", _ENTERPRISE),
    _row("POST /v1/disputes", "dispute a record of the enterprise", _ENTERPRISE),
    _row("GET /v1/disputes", "list a dispute of the enterprise with the source",
         "401 unseen unseen unseen unseen seen seen seen unseen seen unseen"),
    _row("GET /v1/lineage/{receipt_id}", "see what a release of bank A's rests on", _VERSION),
    _row("GET /v1/lineage/batches/{number}", "see where the source's batch went",
         "401 404 404 404 404 200 200 404 404 200 404"),
    _row("GET /v1/lineage/erasures/{digest}", "see which models the erased enterprise touched",
         "401 404 404 404 404 200 200 200 404 404 404"),
    _row("POST /v1/contacts", "say where bank A's notices go",
         "401 403 200 403 403 403 403 403 403 403 403"),
    _row("POST /v1/enrolments", "vouch for a colleague's key, beside an operator", _OPERATORS),
    _row("POST /v1/admissions", "put an organisation up for votes", _OPERATORS),
    _row("GET /v1/parties", "read bank A's contract",
         "401 seen seen seen unseen seen seen unseen unseen unseen unseen"),
    _row("POST /v1/parties/{party}/suspension", "stop an organisation, beside an operator",
         _OPERATORS),
    _row("POST /v1/parties/{party}/exit", "end a suspended organisation's place", _OPERATORS),
    _row("POST /v1/votes", "vote for bank A's version at the bank's step",
         "401 403 200 403 403 403 403 403 403 403 403"),
    _row("POST /v1/votes", "vote for bank A's version at the review", _OPERATORS),
    _row("POST /v1/votes", "vote for an organisation", _OPERATORS),
    _row("POST /v1/subjects", "put a policy set up for votes", _OPERATORS),
    _row("POST /v1/subjects", "put the source's manifest up for votes",
         "401 403 403 403 403 200 403 403 403 200 403"),
    _row("POST /v1/versions", "submit a model version of bank A",
         "401 200 403 403 403 403 403 403 403 403 403"),
    _row("GET /v1/versions", "list bank A's version", _LISTED),
    _row("GET /v1/versions/{digest}", "read bank A's version", _VERSION),
    _row("GET /v1/versions/{digest}/terms", "read what granting bank A's version means",
         "401 200 200 200 404 200 200 200 200 404 404"),
    _row("POST /v1/versions/{digest}/suspension", "stop bank A's version",
         "401 200 200 403 404 200 403 404 404 404 404"),
    _row("POST /v1/budgets", "sign a budget of the enterprise", _ENTERPRISE),
    _row("POST /v1/grants", "sign a grant of the enterprise", _ENTERPRISE),
    _row("GET /v1/grants", "list the enterprise's grant to bank A", _LISTED),
    _row("GET /v1/ledger", "list the enterprise's account with bank A", _LISTED),
    _row("POST /v1/revocations", "take the enterprise's grant back", _ENTERPRISE),
    _row("POST /v1/scores", "score by bank A's version",
         "401 200 403 200 404 404 404 404 404 404 404"),
    _row("GET /v1/questions", "read what departments may be asked", _KNOWN),
    _row("POST /v1/verifications", "have a department asked about the enterprise",
         "401 200 403 200 403 403 403 403 403 403 403"),
    _row("GET /v1/receipts", "list a release of bank A's", _LISTED),
    _row("GET /v1/receipts/{receipt_id}", "read a release of bank A's", _VERSION),
    _row("GET /v1/receipts", "list the receipt of the enterprise's grant to bank A", _LISTED),
    _row("GET /v1/receipts/{receipt_id}", "read the receipt of that grant", _VERSION),
    _row("POST /v1/sources/{party}/ingest", "have the source's files read",
         "401 403 403 403 403 403 403 403 403 200 403"),
    _row("POST /v1/self-reports", "report the enterprise's own figures", _ENTERPRISE),
    _row("POST /v1/snapshots", "have a snapshot computed", _OPERATORS),
    _row("POST /v1/profiles", "have figures of many told",
         "401 403 403 403 403 200 403 403 403 200 200"),
    _row("GET /v1/quality", "read which tables are closed", _KNOWN),
    _row("POST /v1/erasures", "have an enterprise erased, beside an operator", _OPERATORS),
    _row("GET /v1/erasures", "list the enterprise's order of erasure",
         "401 unseen unseen unseen unseen seen seen seen unseen unseen unseen"),
    _row("GET /v1/erasures/{digest}", "read the enterprise's certificate of erasure",
         "401 404 404 404 404 200 200 200 404 404 404"),
    _row("POST /v1/rotations", "have the vault's keys changed, beside an operator", _OPERATORS),
    _row("POST /v1/overrides", "let releases go on without witnesses", _OPERATORS),
    _row("POST /v1/audit/openings", "export openings for an audit",
         "401 403 403 403 403 403 200 403 403 403 403"),
)
# fmt: on
