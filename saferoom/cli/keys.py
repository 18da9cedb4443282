"""How does a person get keys, and how do two operators vouch for them?

`new` draws keys that never leave the folder and writes `enrolment.json`, signed by the new
key; two operators `countersign` that file; whoever holds a token hands it in with `enrol`.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import parse_object
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author, countersign
from saferoom.client.trustfile import TRUST_FILE, keep_trust, read_trust, trust_of
from saferoom.core.enrolment import Role
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound

app = typer.Typer(help="Make a key folder, and have it enrolled.", no_args_is_help=True)
ENROLMENT = "enrolment.json"
_BANK = frozenset({Role.MODELLER, Role.APPROVER, Role.SYSTEM})
File = Annotated[Path, typer.Argument(help="The statement's file.")]


@app.command("new")
def new(
    *,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    holder: Annotated[str, typer.Option(help="The person or system, or the enterprise's code.")],
    party: Annotated[str, typer.Option(help="The organisation, or the enterprise's code.")],
    role: Annotated[Role, typer.Option(help="What they do in the room.")],
    url: Annotated[str, typer.Option(help="The room's address.")] = "http://127.0.0.1:8321",
    delivery_of: Annotated[
        Path | None,
        typer.Option(help="A colleague's folder: a bank's people share one delivery key."),
    ] = None,
    trust: Annotated[
        Path | None,
        typer.Option(help="The room's trust.json, got by another way than its address."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Draw keys into a new folder, and sign the request to enrol them."""
    believed = None if trust is None else read_trust(trust)
    keys = keyfolder.create(
        folder,
        holder=holder,
        party=party,
        role=role,
        url=url,
        random_bytes=secrets.token_bytes,
        delivery=_delivery(role, delivery_of),
    )
    if believed is not None:
        keep_trust(keys, believed)
    (folder / ENROLMENT).write_bytes(Author(keys).enrolment().to_bytes())
    public = keys.signing.public
    tell(
        {"folder": str(folder), "key": public.id, "signing_key": public.raw.hex()},
        f"Keys of {holder} are in {folder}. Key {public.id}\n"
        f"Now two operators countersign {folder / ENROLMENT}.",
        as_json=as_json,
    )


@app.command("show")
def show(*, folder: Annotated[Path, typer.Argument()], as_json: AsJson = False) -> None:
    """Show who a folder belongs to and its public keys."""
    keys = keyfolder.load(folder)
    told = {
        "holder": keys.holder,
        "party": keys.party,
        "role": str(keys.role),
        "url": keys.url,
        "key": str(keys.signing.public.id),
        "signing_key": keys.signing.public.raw.hex(),
        "sealing_key": keys.sealing.public.raw.hex(),
        "delivery_key": None if keys.delivery is None else keys.delivery.public.raw.hex(),
    }
    if (folder / TRUST_FILE).exists():
        told["trust"] = trust_of(keys).fingerprint
    text = "\n".join(f"{name:13}{value}" for name, value in told.items())
    tell(told, text, as_json=as_json)


@app.command("countersign")
def countersign_file(*, file: File, key: Key, as_json: AsJson = False) -> None:
    """Add one's signature to a statement, after reading what it says."""
    statement = _read(file)
    signed = countersign(statement, keyfolder.load(key))
    file.write_bytes(Statement.from_json(signed.to_json()).to_bytes())
    told = {"digest": statement.digest, "signatures": len(signed.signatures)}
    text = f"{file} carries {len(signed.signatures)} signatures. Digest {statement.digest}"
    tell(told, text, as_json=as_json)


@app.command("enrol")
def enrol(
    *,
    file: File,
    key: Key,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Hand a fully signed enrolment to the room."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        (digest,) = client.enrol([_read(file)])
    tell({"digest": digest}, f"Enrolled. Digest {digest}", as_json=as_json)


def _delivery(role: Role, shared: Path | None) -> SealingKey | None:
    if role not in _BANK:
        return None
    if shared is None:
        return SealingKey(secrets.token_bytes(32))
    colleague: KeyFolder = keyfolder.load(shared)
    if colleague.delivery is None:
        raise BadInput("KEY_FOLDER", "the colleague's folder has no delivery key")
    return colleague.delivery


def _read(file: Path) -> Statement:
    try:
        return Statement.from_json(parse_object(file.read_bytes()))
    except OSError as error:
        raise NotFound("NOT_FOUND", "the statement's file") from error
