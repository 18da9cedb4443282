"""How does anyone check a receipt, with nothing but files?

Exit 0 when every link holds, and 1 for whatever else: a script that asks "is this
verified?" must not have to know the ways in which it is not.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson
from saferoom.cli.say import tell, tell_error
from saferoom.client import keyfolder, verifying
from saferoom.client.bundles import verify_bundle
from saferoom.client.grades import open_grade
from saferoom.client.receipt_page import Page, render
from saferoom.client.trustfile import read_trust
from saferoom.core.archive import LARGEST
from saferoom.core.receipt import Verified
from saferoom.core.trust import Trust
from saferoom.errors import BadInput, SaferoomError
from saferoom.monitor.alarms import ALARMS


def verify(
    *,
    receipt: Annotated[
        Path, typer.Argument(help="The receipt's file, or an auditor's bundle (ZIP).")
    ],
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="The checkpoint that you kept.")
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option("--trust", help="Keys that you trust; unset: trust.json beside it."),
    ] = None,
    log: Annotated[
        str | None, typer.Option("--log", help="The log's folder or the room's address.")
    ] = None,
    erasure: Annotated[
        Path | None, typer.Option("--erasure", help="What the room answered to an erasure.")
    ] = None,
    stamped: Annotated[
        Path | None,
        typer.Option("--stamped", help="The room's /log/stamped, instead of a checkpoint."),
    ] = None,
    authorities: Annotated[
        Path | None, typer.Option("--authorities", help="Whose time stamps you believe.")
    ] = None,
    page: Annotated[
        Path | None, typer.Option("--page", help="Write a page for a loan file here (HTML).")
    ] = None,
    key: Annotated[
        Path | None, typer.Option("--key", help="A key folder: its key opens the page's grade.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check a receipt against a checkpoint, or a bundle; exit 0 only when all of it holds."""
    try:
        if is_bundle(receipt):
            _verify_bundle(receipt, trust, authorities, as_json=as_json)
            return
        verified = verifying.verify(
            receipt, checkpoint, trust, log, erasure, stamped=stamped, authorities=authorities
        )
        if page is not None:
            _write_page(page, verified, verifying.read_trust(stamped or checkpoint, trust), key)
    except SaferoomError as error:
        tell_error(error, as_json=as_json)
        raise typer.Exit(1) from error
    tell(_to_json(verified), _to_text(verified), as_json=as_json)


def is_bundle(path: Path) -> bool:
    """Say whether this is an archive; a receipt opens with a brace."""
    try:
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    except OSError:  # whoever reads it will say so
        return False


def _write_page(path: Path, verified: Verified, trust: Trust, key: Path | None) -> None:
    keys = None if key is None else keyfolder.load(key)
    grade = None if keys is None else open_grade(verified, keys, trust)
    by = None if keys is None else f"{keys.holder}, {keys.party}"
    made = Page(verified=verified, fingerprint=trust.fingerprint, grade=grade, opened_by=by)
    path.write_text(render(made), "utf-8")


def _verify_bundle(
    path: Path, trust: Path | None, authorities: Path | None, *, as_json: bool
) -> None:
    if path.stat().st_size > 2 * LARGEST:
        raise BadInput("TOO_LARGE", "a bundle")
    believed = None if trust is None else read_trust(trust)
    pinned = () if authorities is None else verifying.read_pinned(authorities)
    found = verify_bundle(path.read_bytes(), believed, pinned)
    told = {
        "verified": not found.alarms,
        "origin": found.origin,
        "size": found.size,
        "made_at": found.made_at,
        "about": found.about,
        "signed_by": found.signed_by,
        "trust": found.fingerprint,
        "receipts": {name: one.kind for name, one in found.receipts.items()},
        "alarms": [alarm.to_json() for alarm in found.alarms],
        "links": list(found.links),
    }
    lines = [f"bundle of {found.origin}, log of size {found.size}", f"  trust {found.fingerprint}"]
    lines += [f"  ok  {link}" for link in found.links]
    lines += [f"  ALARM {one.code}: {ALARMS[one.code]} ({one.detail})" for one in found.alarms]
    lines.append("the monitor found something in the log" if found.alarms else "verified")
    tell(told, "\n".join(lines), as_json=as_json)
    if found.alarms:
        raise typer.Exit(1)


def _to_json(verified: Verified) -> dict[str, object]:
    answer = None if verified.answer is None else verified.answer.hex()
    papers = {
        "papers": [paper.to_json() for paper in verified.papers],
        "enrolments": [paper.to_json() for paper in verified.enrolments],
    }
    bare = replace(verified, papers=(), enrolments=())
    return {"verified": True, **asdict(bare), **papers, "answer": answer}


def _to_text(verified: Verified) -> str:
    lines = [f"  ok  {link}" for link in verified.links]
    lines += [f"  {name}: {value}" for name, value in sorted(verified.opened.items())]
    lines += [f"  {name}: shredded" for name in verified.shredded]
    lines += [f"  trusted log key {key}" for key in verified.keys]
    return "\n".join([f"verified: {verified.kind}, entry {verified.index}", *lines])
