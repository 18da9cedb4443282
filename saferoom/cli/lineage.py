"""Where did a score come from, and where did a batch go?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Digest, Json, canonical_bytes, parse_object
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.lineage import Lineage, check_lineage
from saferoom.client.trustfile import trust_of
from saferoom.errors import BadInput, Conflict, NotFound

app = typer.Typer(help="Follow scores to batches, and batches to scores.", no_args_is_help=True)
Url = Annotated[str | None, typer.Option(help="Unset: the key folder's.")]


@app.command("score")
def score(
    *,
    receipt: Annotated[str, typer.Argument(help="The receipt's id.")],
    key: Key,
    out: Annotated[Path | None, typer.Option(help="A new file to keep the proofs in.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Follow one score to its snapshot, features, tables and batches, each link checked."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        told = client.lineage(receipt)
    found = check_lineage(told, trust_of(keys))
    if out is not None:
        with out.open("xb") as kept:
            kept.write(canonical_bytes(told))
    _show(found, as_json=as_json)


@app.command("check")
def check(
    *,
    file: Annotated[Path, typer.Argument(help="Proofs that were kept.")],
    trust: Annotated[Path, typer.Option(help="Keys that you trust.")],
    checkpoint: Annotated[Path | None, typer.Option(help="The checkpoint that you kept.")] = None,
    log: Annotated[str | None, typer.Option(help="The log's folder or the room's address.")] = None,
    as_json: AsJson = False,
) -> None:
    """Check kept proofs, without a network; exit 0 only when every link holds."""
    _show(check_lineage(_read(file), trust, checkpoint, log), as_json=as_json)


@app.command("draw")
def draw(
    *,
    receipt: Annotated[str, typer.Argument(help="The receipt's id; with --trust, kept proofs.")],
    out: Annotated[Path, typer.Option(help="A new file for the picture (SVG).")],
    key: Annotated[
        Path | None, typer.Option("--key", help="Folder made by `saferoom keys new`.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Draw from a file of kept proofs, by these keys.")
    ] = None,
    checkpoint: Annotated[Path | None, typer.Option(help="The checkpoint that you kept.")] = None,
    log: Annotated[str | None, typer.Option(help="The log's folder or the room's address.")] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Draw one score's lineage on one sheet, in Chinese and English, after checking each link."""
    from saferoom.client.lineage_drawing import draw as drawn  # noqa: PLC0415  # only when asked

    if trust is not None:
        found = check_lineage(_read(Path(receipt)), trust, checkpoint, log)
    elif key is not None:
        keys = keyfolder.load(key)
        with RoomClient(url or keys.url, keys) as client:
            found = check_lineage(client.lineage(receipt), trust_of(keys), checkpoint, log)
    else:
        raise BadInput("FIELD_INVALID", "--key to ask the room, or --trust for kept proofs")
    try:
        with out.open("x", encoding="utf-8", newline="\n") as file:
            file.write(drawn(found))
    except FileExistsError as error:
        raise Conflict("DUPLICATE", "the picture's file") from error
    told: dict[str, Json] = {"picture": str(out), "reproducible": not found.erased}
    tell(told, f"{out}: drawn from proofs that hold", as_json=as_json)


@app.command("batch")
def batch(
    *,
    number: Annotated[int, typer.Argument(min=1, help="The batch's number.")],
    key: Key,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show, to its source, an operator or an auditor, where a batch went."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        _say(client.batch(number), as_json=as_json)


@app.command("erasure")
def erasure(
    *,
    order: Annotated[str, typer.Argument(help="The digest of the order.")],
    key: Key,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the models that an erased enterprise touched, for people to decide."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        _say(client.touched(Digest(order)), as_json=as_json)


def _read(file: Path) -> dict[str, Json]:
    try:
        return parse_object(file.read_bytes())
    except OSError as error:
        raise NotFound("NOT_FOUND", "the file") from error


def _say(told: dict[str, Json], *, as_json: bool) -> None:
    lines = [f"{name}: {value}" for name, value in told.items()]
    tell(told, "\n".join(lines), as_json=as_json)


def _show(found: Lineage, *, as_json: bool) -> None:
    batches: list[Json] = [{**one.line.to_body(), "entry": one.entry} for one in found.batches]
    told: dict[str, Json] = {
        "version": found.version.digest,
        "name": found.version.name,
        "snapshot": found.snapshot.snapshot,
        "as_of": found.snapshot.as_of,
        "features": {name: [*tables] for name, tables in found.features.items()},
        "batches": batches,
        "reproducible": not found.erased,
        "erased": [*found.erased],
    }
    lines = [
        f"score of version {found.version.name} ({found.version.digest})",
        f"snapshot as of {found.snapshot.as_of} ({found.snapshot.snapshot})",
        *(f"  {name} reads {', '.join(tables)}" for name, tables in found.features.items()),
        *(
            f"  batch {one.line.number}: {one.line.connector}.{one.line.table}, taken"
            f" {one.line.taken_at}, log entry {one.entry}"
            for one in found.batches
        ),
        *found.erased,
    ]
    tell(told, "\n".join(lines), as_json=as_json)
