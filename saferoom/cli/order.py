"""How do people have the vault erase an enterprise, or change and copy its keys?

`erase`, `rotate` and `copy-keys` write an order, signed by whose key it is; another operator
adds a signature with `saferoom keys countersign`; `send` hands it to the room. An order to copy
keys is not sent: `saferoom vault copy-keys` takes it where the vault runs. `list` and `show` say
what came of orders to erase.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Digest, digest_bytes, parse_object
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.statements import Author
from saferoom.core.orders import EraseOrder, RotateOrder
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound

app = typer.Typer(help="Write and send orders about what rests in the vault.", no_args_is_help=True)
Out = Annotated[Path, typer.Option(help="A new file for the order.")]


@app.command("erase")
def erase(
    *,
    key: Key,
    out: Out,
    enterprise: Annotated[str | None, typer.Option(help="Unset: one's own.")] = None,
    evidence: Annotated[
        Path | None, typer.Option(help="What it asked two operators with; its digest is signed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Order an erasure: an enterprise its own, an operator another's with evidence."""
    author = Author(keyfolder.load(key))
    digest = None if evidence is None else digest_bytes(_read(evidence))
    _write(author.erase_order(enterprise or author.keys.party, digest), out, as_json=as_json)


@app.command("rotate")
def rotate(*, key: Key, out: Out, as_json: AsJson = False) -> None:
    """Order new keys for everything that rests; another operator countersigns."""
    _write(Author(keyfolder.load(key)).rotate_order(), out, as_json=as_json)


@app.command("copy-keys")
def copy_keys(
    *,
    key: Key,
    out: Out,
    custodian: Annotated[str, typer.Option(help="The custodian's sealing key, hexadecimal.")],
    days: Annotated[int, typer.Option(min=1, max=35, help="How long the copy may be used.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Order a copy of the vault's keys; another operator countersigns."""
    order = Author(keyfolder.load(key)).key_backup_order(custodian, days)
    _write(order, out, as_json=as_json)


@app.command("send")
def send(
    *,
    file: Annotated[Path, typer.Argument(help="The signed order.")],
    key: Key,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Hand a signed order to the room, and show what came of it."""
    keys = keyfolder.load(key)
    statement = Statement.from_json(parse_object(_read(file)))
    with RoomClient(url or keys.url, keys) as client:
        match statement.kind:
            case EraseOrder.KIND:
                told = client.erase(statement)
            case RotateOrder.KIND:
                told = client.rotate(statement)
            case _:
                raise BadInput("FIELD_INVALID", "the room takes no such order")
    tell(dict(told), json.dumps(told, indent=2, ensure_ascii=False), as_json=as_json)


@app.command("list")
def list_orders(
    *,
    key: Key,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List orders of erasure and what came of each."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        found = client.erasures()
    lines = [
        "  ".join(str(one[name]) for name in ("ordered_at", "enterprise", "state", "order"))
        for one in found
    ]
    tell({"erasures": found}, "\n".join(lines) or "There are none.", as_json=as_json)


@app.command("show")
def show(
    *,
    order: Annotated[str, typer.Argument(help="The order's digest.")],
    key: Key,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show the certificate of an erasure, for `saferoom verify --erasure`."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        told = client.erasure(Digest(order))
    tell(dict(told), json.dumps(told, indent=2, ensure_ascii=False), as_json=as_json)


def _write(order: Statement, out: Path, *, as_json: bool) -> None:
    with out.open("xb") as file:
        file.write(order.to_bytes())
    told = {"file": str(out), "digest": order.digest}
    tell(told, f"The order is {out}. Digest {order.digest}", as_json=as_json)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound("NOT_FOUND", "the file") from error
