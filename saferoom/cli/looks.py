"""Who looked at one's own enterprise, and does a kept list still prove it?"""

from __future__ import annotations

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell, tell_rows
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.looks import Look, check_looks, fetch_looks, to_csv
from saferoom.client.trustfile import trust_of
from saferoom.errors import NotFound

app = typer.Typer(help="See who looked at one's own enterprise.", no_args_is_help=True)


class Form(StrEnum):
    """What a kept list is written as."""

    JSON = "json"  # with every proof
    CSV = "csv"  # lines alone


@app.command("list")
def list_(
    *,
    key: Key,
    out: Annotated[Path | None, typer.Option(help="A new file to keep the list in.")] = None,
    form: Annotated[Form, typer.Option(help="json holds the proofs, csv the lines.")] = Form.JSON,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List all that the log holds about one's own enterprise, checked line by line."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        file = fetch_looks(client, keys.party)
    looks = check_looks(file, trust_of(keys))
    if out is not None:
        with out.open("xb") as kept:
            kept.write(file if form is Form.JSON else to_csv(looks).encode())
    _show(looks, as_json=as_json)


@app.command("check")
def check(
    *,
    file: Annotated[Path, typer.Argument(help="A list that was kept, as json.")],
    trust: Annotated[Path, typer.Option(help="Keys that you trust.")],
    checkpoint: Annotated[Path | None, typer.Option(help="The checkpoint that you kept.")] = None,
    log: Annotated[str | None, typer.Option(help="The log's folder or the room's address.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check a kept list, without a network; exit 0 only when all of it holds."""
    try:
        data = file.read_bytes()
    except OSError as error:
        raise NotFound("NOT_FOUND", "the list") from error
    _show(check_looks(data, trust, checkpoint, log), as_json=as_json)


def _show(looks: list[Look], *, as_json: bool) -> None:
    if as_json:
        tell({"looks": [asdict(one) for one in looks]}, "", as_json=True)
        return
    names = ("index", "time", "kind", "who", "purpose", "charge_mbit", "receipt")
    rows = [[_text(getattr(one, name)) for name in names] for one in looks]
    tell_rows("Who looked", ["entry", "time", "what", "who", "for", "milli-bits", "receipt"], rows)


def _text(value: object) -> str:
    return "" if value is None else str(value)
