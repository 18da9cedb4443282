"""How is a model version stopped at a terminal?"""

from __future__ import annotations

from typing import Annotated

import typer

from saferoom.canonical import Digest
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient

app = typer.Typer(help="Look at model versions, and stop one.", no_args_is_help=True)
Url = Annotated[str | None, typer.Option(help="Unset: the key folder's.")]


@app.command("list")
def list_versions(*, key: Key, url: Url = None, as_json: AsJson = False) -> None:
    """List the versions that one may know of, with their states."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        found = [{"digest": one["digest"], "state": one["state"]} for one in client.versions()]
    text = "\n".join(f"{one['digest']}  {one['state']}" for one in found) or "none"
    tell({"versions": found}, text, as_json=as_json)


@app.command("suspend")
def suspend(
    *,
    version: Annotated[str, typer.Argument(help="The version's digest.")],
    reason: Annotated[str, typer.Option(help="Why, in a few words; it is signed.")],
    key: Key,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Stop a version at once and for good, as an operator or for its bank."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        paper = client.author.version_suspension(Digest(version), reason)
        state = client.suspend_version(Digest(version), paper)
    tell({"version": version, "state": state}, f"{version} is {state}.", as_json=as_json)
