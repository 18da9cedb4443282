"""What happened to one's own party since one last looked?"""

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
