"""How does anyone check a receipt, with nothing but files?

Exit 0 when every link holds, and 1 for whatever else: a script that asks "is this
verified?" must not have to know the ways in which it is not.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson
from saferoom.cli.say import tell, tell_error
from saferoom.client import verifying
from saferoom.core.receipt import Verified
from saferoom.errors import SaferoomError


def verify(
    *,
    receipt: Annotated[Path, typer.Argument(help="The receipt's file.")],
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
    as_json: AsJson = False,
) -> None:
    """Check a receipt against a checkpoint; exit 0 only when all of it holds."""
    try:
        verified = verifying.verify(receipt, checkpoint, trust, log, erasure)
    except SaferoomError as error:
        tell_error(error, as_json=as_json)
        raise typer.Exit(1) from error
    tell(_to_json(verified), _to_text(verified), as_json=as_json)


def _to_json(verified: Verified) -> dict[str, object]:
    answer = None if verified.answer is None else verified.answer.hex()
    return {"verified": True, **asdict(verified), "answer": answer}


def _to_text(verified: Verified) -> str:
    lines = [f"  ok  {link}" for link in verified.links]
    lines += [f"  {name}: {value}" for name, value in sorted(verified.opened.items())]
    lines += [f"  {name}: shredded" for name in verified.shredded]
    lines += [f"  trusted log key {key}" for key in verified.keys]
    return "\n".join([f"verified: {verified.kind}, entry {verified.index}", *lines])
