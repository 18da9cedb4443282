"""What does the room hold of one's own enterprise, who used it, and what if it is wrong?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell, tell_rows
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.own_record import OwnRecord, fetch_own_record, open_note
from saferoom.client.trustfile import trust_of
from saferoom.client.uses import find_uses
from saferoom.core.dispute import Why

app = typer.Typer(help="See, trace and dispute one's own enterprise's data.", no_args_is_help=True)
Url = Annotated[str | None, typer.Option(help="Unset: the key folder's.")]
_PROVENANCE = ("status", "known_at", "source", "batch", "row")
_COMMON = frozenset({"uscc", "record_id", *_PROVENANCE})


@app.command("show")
def show(*, key: Key, url: Url = None, as_json: AsJson = False) -> None:
    """Fetch all that is held of one's own enterprise, and open it here."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        own = fetch_own_record(client, trust_of(keys))
    if as_json:
        tables = {name: [dict(row) for row in rows] for name, rows in own.tables.items()}
        batches = [line.to_body() for line in own.batches.values()]
        told = {"enterprise": own.enterprise, "made_at": own.made_at}
        tell({**told, "tables": tables, "batches": batches}, "", as_json=True)
        return
    for name in own.tables:
        _show_table(own, name)
    if not own.tables:
        tell({}, "Nothing is held of you.", as_json=False)


@app.command("dispute")
def dispute(
    *,
    batch: Annotated[int, typer.Option(min=1, help="As the record shows it.")],
    row: Annotated[int, typer.Option(min=0, help="As the record shows it.")],
    why: Annotated[Why, typer.Option(help="What is wrong with it.")],
    key: Key,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Say that a row is wrong: it counts as disputed from the next snapshot, and stays."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        digest = client.dispute(client.author.dispute(batch, row, why))
    tell({"dispute": digest}, f"Disputed. {digest}", as_json=as_json)


@app.command("disputes")
def disputes(*, key: Key, url: Url = None, as_json: AsJson = False) -> None:
    """List one's own disputes; a steward reads which records of its source they are about."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        found = client.disputes()
    for one in found:
        note = one.pop("note", None)
        one["record"] = None if not note else open_note(str(note), keys.sealing)
    if as_json:
        tell({"disputes": found}, "", as_json=True)
        return
    rows = [[str(one["stored_at"]), str(one["table"]), str(one["record"] or "")] for one in found]
    tell_rows("Disputes", ["time", "table", "record"], rows)


@app.command("used")
def used(
    *,
    key: Key,
    table: Annotated[str | None, typer.Option(help="Of this table. Unset: of all.")] = None,
    day: Annotated[str, typer.Option(help="Events of this day, month or year: 2026-03.")] = "",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Find who used which of one's own records; the room learns of neither."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        found = find_uses(client, trust_of(keys), table=table, day=day)
    if as_json:
        tell({"uses": [asdict(one) for one in found]}, "", as_json=True)
        return
    names = ("table", "event_date", "record_id", "hour", "bank", "purpose", "receipt")
    rows = [[str(getattr(one, name)) for name in names] for one in found]
    tell_rows("Uses", names, rows)


def _show_table(own: OwnRecord, name: str) -> None:
    rows = own.tables[name]
    columns = [column for column in rows[0] if column not in _COMMON]
    shown = [*columns, *_PROVENANCE]
    lines = [["" if row[one] is None else str(row[one]) for one in shown] for row in rows]
    tell_rows(name, shown, lines)
