"""Who looked at me, and can I show it to somebody who believes nobody?

The list is fetched page by page and kept as one file: the room's signed pages and a receipt of
every line. Read again, with a trust file and no network, each receipt is checked as any receipt
is, and the pages must follow one another from the beginning, with these lines and no others.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.client.http import RoomClient
from saferoom.client.verifying import Place, read_trust, verify
from saferoom.core.looks import (
    LooksPage,
    check_concerns,
    check_page,
    names,
    place_name,
)
from saferoom.core.receipt import Verified
from saferoom.core.trust import Trust
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Tampered

KIND = "saferoom/looks/1"
_WHO = ("bank", "by", "auditor", "party", "holder")  # the first that an entry names
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet would run


@dataclass(frozen=True)
class Look:
    """One line: what happened, by whom, for what, under which grant, at which charge."""

    index: int
    time: str
    kind: str
    who: str | None
    caller: str | None
    purpose: str | None
    loan_reference: str | None
    version: str | None
    grant: str | None
    charge_mbit: int | None
    code: str | None
    what: str | None
    receipt: str | None


def fetch_looks(client: RoomClient, enterprise: str) -> bytes:
    """Fetch the whole list, as the file that proves it."""
    pages: list[Json] = []
    first: Json = 0
    while isinstance(first, int):
        told = client.looks(first)
        first = told.get("next")
        pages.append({"page": told["page"], "looks": told["looks"]})
    return canonical_bytes({"kind": KIND, "enterprise": enterprise, "pages": pages})


def check_looks(
    file: bytes, trust: Trust | Place, checkpoint: Place | None = None, log: Place | None = None
) -> list[Look]:
    """Check a file of it; LOOKS_INVALID, or what a receipt of it lacks."""
    believed = trust if isinstance(trust, Trust) else read_trust(None, trust)
    body = parse_object(file)
    enterprise, pages = body.get("enterprise"), body.get("pages")
    if body.get("kind") != KIND or not isinstance(enterprise, str) or not isinstance(pages, list):
        raise BadInput("FIELD_INVALID", "a list of who looked")
    checked, first = [], 0
    for told in pages:
        page, looks = _read_page(told, believed, enterprise, first)
        checked.append((page, [(one, _verify(one, believed, checkpoint, log)) for one in looks]))
        first = page.until
    own = frozenset(
        look.index for page, looks in checked for _, look in looks if names(look, enterprise)
    )
    return [look for page, looks in checked for look in _lines(page, looks, own)]


def to_csv(looks: Sequence[Look]) -> str:
    """Write the lines for a spreadsheet, which must not take a text for a formula."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([field.name for field in fields(Look)])
    for look in looks:
        writer.writerow([_cell(value) for value in asdict(look).values()])
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(FORMULA) else text


def _read_page(
    told: Json, trust: Trust, enterprise: str, first: int
) -> tuple[LooksPage, list[dict[str, Json]]]:
    match told:
        case {"page": page, "looks": list(looks)}:
            lines = [one for one in looks if isinstance(one, dict)]
            return check_page(Statement.from_json(page), trust, enterprise, first), lines
        case _:
            raise BadInput("FIELD_INVALID", "a page of who looked")


def _verify(
    line: dict[str, Json], trust: Trust, checkpoint: Place | None, log: Place | None
) -> Verified:
    return verify(canonical_bytes(line.get("proof")), checkpoint, trust, log)


def _lines(
    page: LooksPage, looks: Sequence[tuple[dict[str, Json], Verified]], own: frozenset[int]
) -> Iterator[Look]:
    """Compare what a page's lines prove with what the room signed that they are."""
    found = tuple(_place(line, look) for line, look in looks)
    if found != page.places:
        raise Tampered("LOOKS_INVALID", "a line is missing, or one too many")
    for line, look in looks:
        check_concerns(look, page, own)
        yield _look(line, look)


def _place(line: dict[str, Json], look: Verified) -> str:
    proof = line["proof"]
    position = proof.get("record_index") if isinstance(proof, dict) else None
    return place_name(look.index, position if isinstance(position, int) else None)


def _look(line: dict[str, Json], look: Verified) -> Look:
    opened = {**look.opened, **look.artefacts}
    said = {name: _text(opened.get(name)) for name in _WHO}
    charge = opened.get("charge_mbit")
    return Look(
        index=look.index,
        time=str(line.get("time")),
        kind=look.kind,
        who=next((said[name] for name in _WHO if said[name] is not None), None),
        caller=_text(opened.get("caller")),
        purpose=_text(opened.get("purpose")),
        loan_reference=_text(opened.get("loan_reference")),
        version=_text(opened.get("version")),
        grant=_text(opened.get("grant")),
        charge_mbit=charge if isinstance(charge, int) else None,
        code=_text(opened.get("code")),
        what=_text(opened.get("what")),
        receipt=_text(line.get("release")),
    )


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
