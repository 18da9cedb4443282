"""How does a person get a token for tools that cannot sign?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.trustfile import keep_trust, read_trust


def login(
    *,
    key: Key,
    trust: Annotated[
        Path | None,
        typer.Option(help="The room's trust.json, got from elsewhere; kept in the folder."),
    ] = None,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Trade a signature for a token; it is kept in the key folder, mode 0600."""
    keys = keyfolder.load(key)
    if trust is not None:
        keys = keep_trust(keys, read_trust(trust))
    with RoomClient(url or keys.url, keys) as client:
        answer = client.login()
    told = {"holder": keys.holder, "expires_at": answer["expires_at"], "file": str(key / "token")}
    text = f"{keys.holder} holds a token until {answer['expires_at']}, in {key / 'token'}."
    tell(told, text, as_json=as_json)
