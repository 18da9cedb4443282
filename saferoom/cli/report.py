"""How does an enterprise report figures of its own?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.self_reports import read_rows, self_report
from saferoom.errors import BadInput


def report(
    *,
    table: Annotated[str, typer.Argument(help="A table for own figures, such as self_month.")],
    file: Annotated[Path, typer.Argument(help="CSV: record_id, event_date, columns.")],
    key: Key,
    pledge: Annotated[
        bool, typer.Option("--pledge", help="The figures are true, and we answer for them.")
    ] = False,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report an enterprise's own figures, sealed to the vault; they replace no official ones."""
    if not pledge:
        raise BadInput("FIELD_INVALID", "--pledge")
    keys, rows = keyfolder.load(key), read_rows(file)
    with RoomClient(url or keys.url, keys) as client:
        told = client.report(self_report(client.author, table, rows))
    tell(dict(told), json.dumps(told, indent=2, ensure_ascii=False), as_json=as_json)
