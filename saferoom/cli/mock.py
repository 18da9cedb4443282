"""How does a modeller get practice rows without a notebook?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.errors import BadInput


def mock(
    *,
    out: Annotated[Path, typer.Argument(help="The CSV file to write.")],
    key: Key,
    view: Annotated[
        list[str] | None,
        typer.Option("--view", help="A feature; give one for each column. Unset: all."),
    ] = None,
    rows: Annotated[int, typer.Option(help="How many rows.")] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed gives the same file.")] = 0,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make practice rows on this machine, from what stewards declared; no row is looked at."""
    from saferoom.client import keyfolder  # noqa: PLC0415  # pandas, only when asked
    from saferoom.sdk.room import connect  # noqa: PLC0415  # as above

    keys = keyfolder.load(key)
    with connect(url or keys.url, keys) as room:
        table = room.mock(view or None, rows, seed=seed)
    try:
        table.to_csv(out, index=False, lineterminator="\n")
    except OSError as error:
        raise BadInput("FIELD_INVALID", "the file cannot be written") from error
    told = {"file": str(out), "rows": len(table), "columns": len(table.columns), "seed": seed}
    tell(
        told,
        f"{len(table):,} mock rows of {len(table.columns)} features in {out}.",
        as_json=as_json,
    )
