"""What happened to one's own party since one last looked, and where is it told?"""

from __future__ import annotations

from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell, tell_rows
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient


def notices(
    *,
    key: Key,
    after: Annotated[int, typer.Option(min=0, help="Only what came after this number.")] = 0,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List uses, refusals, keys, budgets, grants and stops that concern one's own party."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        found = client.notices(after)
    if as_json:
        tell({"notices": found}, "", as_json=True)
        return
    rows = [
        [str(one.get(name, "")) for name in ("number", "time", "kind", "bank", "charge_mbit")]
        for one in found
    ]
    tell_rows("Notices", ["number", "time", "what", "bank", "milli-bits"], rows)


def contact(
    *,
    address: Annotated[str, typer.Argument(help="A mail address.")],
    key: Key,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say where one's own party is told of notices; the old address is told of it as well."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        client.set_contact(client.author.contact(address))
    tell({"party": keys.party}, f"{keys.party} is told at {address}.", as_json=as_json)
