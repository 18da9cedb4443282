"""How does a command speak: to a person, to a program, and when it fails?

An error is one line: `CODE: sentence → remedy`; with `--json` it is the API's own shape.
The exit code says which family of `errors.py` it was.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import typer
from rich.console import Console
from rich.table import Table

from saferoom.errors import SaferoomError


def tell(value: Mapping[str, object], text: str, *, as_json: bool) -> None:
    """Print what was done."""
    typer.echo(json.dumps(value, ensure_ascii=False) if as_json else text)


def tell_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table for a person."""
    table = Table(*columns, title=title, title_justify="left")
    for row in rows:
        table.add_row(*row)
    Console().print(table)


def tell_error(error: SaferoomError, *, as_json: bool) -> None:
    """Print why not, and what would change it."""
    told = {"code": error.code, "sentence": error.sentence, "remedy": error.remedy}
    if error.trace_id:
        told["trace_id"] = error.trace_id
    if as_json:
        typer.echo(json.dumps({"error": told}, ensure_ascii=False))
        return
    trace = f" (trace {error.trace_id})" if error.trace_id else ""
    typer.echo(f"{error.code}: {error.sentence} → {error.remedy}{trace}", err=True)
