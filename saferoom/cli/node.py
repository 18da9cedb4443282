"""How does a department run a node, and how does a room's operator look after it?

`new` and `serve` are the department's; `ask` is the operator's, run by a timer. It keeps each
node's state in HOME/nodes, where `saferoom doctor` shows it. Whatever is silent, wrongly signed,
replayed or offers another list than was approved is down, and since when.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home
from saferoom.cli.say import tell
from saferoom.client.statements import utc_now
from saferoom.core.catalogue import Catalogue
from saferoom.core.moment import write_instant
from saferoom.core.remote import RemoteNode, check_health, check_offer, check_offered
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, SaferoomError, Unavailable
from saferoom.node import home as homes

app = typer.Typer(help="A department's own node: run one, ask one.", no_args_is_help=True)
NodeFolder = Annotated[Path, typer.Option("--home", help="Folder of the node.")]
Declared = Annotated[Path, typer.Argument(help="The node's node.toml.")]
ASK_SECONDS = 150.0  # two calls, each with its own deadline


@app.command("new")
def new(
    *,
    home: NodeFolder,
    name: Annotated[str, typer.Option(help="As its connector's folder is named.")],
    offer: Annotated[Path, typer.Option(help="TOML with [[item]]: what it offers.")],
    as_json: AsJson = False,
) -> None:
    """Draw a node's key and take its list; the printed key stands in node.toml."""
    items: Json = _toml(offer).get("item", [])
    made = homes.create(home, name, secrets.token_bytes(32), {"items": items})
    told = {"name": name, "key": made.key.public.raw.hex()}
    tell(told, f'key = "{told["key"]}"', as_json=as_json)


@app.command("serve")
def serve(
    *,
    home: NodeFolder,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: any, printed.")] = 8341,
    certificate: Annotated[
        Path | None, typer.Option(help="PEM, key included; unset: a proxy has TLS.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Become the node's own program."""
    del as_json  # it answers over HTTP
    command = [sys.executable, "-m", "saferoom.node", "--home", str(home)]
    command += ["--host", host, "--port", str(port)]
    command += [] if certificate is None else ["--certificate", str(certificate)]
    os.execv(command[0], command)  # noqa: S606  # no shell, our own interpreter


@app.command("ask")
def ask(
    *,
    declared: Declared,
    home: Home = DEFAULT_HOME,
    authority: Annotated[
        Path | None, typer.Option(help="PEM of who vouches for its TLS; unset: this machine's.")
    ] = None,
    catalogue: Annotated[Path, typer.Option(help="The room's sharing list.")] = Path(
        "policies/catalogue.toml"
    ),
    as_json: AsJson = False,
) -> None:
    """Ask a node whether it is there and offers what was approved; remember since when it is so."""
    node = read_node(declared, catalogue)
    pem = None if authority is None else authority.read_text(encoding="ascii")
    code = None
    try:
        _check(node, pem)
    except SaferoomError as error:
        code = error.code
    told = _remember(home / "nodes", node, code)
    tell(told, f"{node.name}: {told['state']} since {told['since']}", as_json=as_json)
    if code is not None:
        raise Unavailable("NODE_DOWN", code)


def read_node(path: Path, catalogue: Path) -> RemoteNode:
    """Read a node.toml strictly; refuse what the room's catalogue does not list."""
    document = _toml(path)
    items, groups = document.pop("item", []), _toml(catalogue)
    groups["groups"] = groups.pop("group", [])
    node = RemoteNode.from_body({**document, "items": items})
    check_offered(node, Catalogue.from_body(groups).items())
    return node


def down(folder: Path) -> dict[str, str]:
    """Name the nodes that were down when they were asked last, and since when."""
    states = {path.stem: parse_object(path.read_bytes()) for path in sorted(folder.glob("*.json"))}
    return {name: str(one["since"]) for name, one in states.items() if one["state"] != "up"}


def _check(node: RemoteNode, authority: str | None) -> None:
    nonce = secrets.token_hex(16)
    job = canonical_bytes({"node": node.to_body(), "authority": authority, "nonce": nonce})
    command = [sys.executable, "-m", "saferoom.intake.nodes"]
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            command, input=job, capture_output=True, timeout=ASK_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise Unavailable("SOURCE_UNAVAILABLE") from error
    told = parse_object(done.stdout)
    if set(told) != {"health", "offer"}:
        raise Unavailable("NODE_DOWN", str(told.get("code")))
    check_health(Statement.from_json(told["health"]), node, nonce, utc_now())
    check_offer(Statement.from_json(told["offer"]), node)


def _remember(folder: Path, node: RemoteNode, code: str | None) -> dict[str, Json]:
    state = "up" if code is None else "down"
    path, since = folder / f"{node.name}.json", write_instant(utc_now())
    if path.exists():
        before = parse_object(path.read_bytes())
        since = str(before["since"]) if before["state"] == state else since
    told: dict[str, Json] = {
        "state": state,
        "since": since,
        "code": code,
        "digest": node.digest,
        "items": [item.id for item in node.items],
    }
    folder.mkdir(parents=True, exist_ok=True)
    homes.write_whole(path, canonical_bytes(told))
    return told


def _toml(path: Path) -> dict[str, Json]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput("FIELD_INVALID", path.name) from error
