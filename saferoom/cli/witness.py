"""How does an organisation watch a log for others, and how does a room do without for a while?

A witness belongs to another organisation than the room. `new` draws its key and writes
`witness.json`, which the room's `init` takes; `watch` takes the room's trust file; `serve`
answers. `override` is for the day on which too few witnesses answer: two operators sign.
"""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import canonical_bytes, parse_object
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.statements import Author, countersign, utc_now
from saferoom.client.trustfile import read_trust, trust_of
from saferoom.core.moment import write_instant
from saferoom.core.witnesses import Witnesses, WitnessKey
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound
from saferoom.tlog.checkpoint import NoteKey, write_key
from saferoom.witness import home as homes

app = typer.Typer(
    help="Watch a log for others; change or override a room's witnesses.", no_args_is_help=True
)
WITNESS_FILE = "witness.json"
WITNESS_KIND = "saferoom/witness/1"
WitnessHome = Annotated[Path, typer.Option("--home", help="Folder of the witness.")]


@app.command("new")
def new(
    *,
    home: WitnessHome,
    name: Annotated[str, typer.Option(help="Its name in notes, such as witness.example/w1.")],
    organisation: Annotated[str, typer.Option(help="Who runs it: another than the room's.")],
    url: Annotated[str, typer.Option(help="Where it will answer.")],
    as_json: AsJson = False,
) -> None:
    """Make a witness's home, and the file that a room's `init` takes."""
    made = homes.create(home, name, organisation, secrets.token_bytes(32))
    told = {
        "kind": WITNESS_KIND,
        "name": name,
        "organisation": organisation,
        "key": made.key.public.raw.hex(),
        "url": url,
    }
    homes.write_synced(home / WITNESS_FILE, canonical_bytes(told))
    text = f"{write_key(made.note_key)}\nGive {home / WITNESS_FILE} to the rooms that it watches."
    tell({**told, "vkey": write_key(made.note_key)}, text, as_json=as_json)


def read_witnesses(files: Sequence[Path], quorum: int | None) -> tuple[Witnesses, dict[str, str]]:
    """Read witness.json files: keys for the trust file, and where the witnesses answer."""
    keys, addresses = [], {}
    for file in files:
        body = parse_object(file.read_bytes())
        if set(body) != {"kind", "name", "organisation", "key", "url"}:
            raise BadInput("FIELD_INVALID", "witness.json")
        addresses[str(body["name"])] = str(body["url"])
        said = {name: body[name] for name in ("name", "organisation", "key")}
        valid = {"valid_from": write_instant(utc_now()), "valid_until": None}
        keys.append(WitnessKey.from_body({**said, **valid, "compromised": False}))
    organisations = len({key.organisation for key in keys})
    most = organisations // 2 + 1 if keys else 0
    return Witnesses(most if quorum is None else quorum, tuple(keys)), addresses


@app.command("watch")
def watch(
    *,
    home: WitnessHome,
    trust: Annotated[Path, typer.Option(help="The room's trust.json, by another way.")],
    as_json: AsJson = False,
) -> None:
    """Watch a room's log from now on; a running witness takes it up at once."""
    held = read_trust(trust)
    keys = [
        NoteKey(held.origin, one.verify_key) for one in held.statement_keys if not one.compromised
    ]
    witness = homes.load(home)
    for one in held.closings:
        seen = witness.last(one.origin)
        if seen is not None:
            one.check_within(seen.checkpoint)  # who closes a log must not deny what was seen of it
    witness.watch(keys)
    told = {"origin": held.origin, "keys": len(keys), "trust": held.fingerprint}
    text = f"{held.origin} is watched. Compare the trust file's fingerprint: {held.fingerprint}"
    tell(told, text, as_json=as_json)


@app.command("serve")
def serve(
    *,
    home: WitnessHome,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 8331,
    as_json: AsJson = False,
) -> None:
    """Become the witness's own program."""
    del as_json  # it answers over HTTP
    command = [sys.executable, "-m", "saferoom.witness", "--home", str(home)]
    command += ["--host", host, "--port", str(port)]
    os.execv(command[0], command)  # noqa: S606  # no shell, our own interpreter


@app.command("override")
def override(
    *,
    file: Annotated[Path, typer.Argument(help="The statement; the first operator makes it.")],
    key: Key,
    reason: Annotated[
        str | None, typer.Option(help="Makes a new statement; stands in every receipt.")
    ] = None,
    hours: Annotated[int, typer.Option(min=1, max=72, help="How long.")] = 24,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Let releases go on without witnesses: one operator gives a reason, the other hands it in."""
    keys = keyfolder.load(key)
    if reason is not None:
        made = Author(keys).override(trust_of(keys).origin, reason, timedelta(hours=hours))
        homes.write_synced(file, made.to_bytes())
        tell({"digest": made.digest}, f"Now the other operator: {file}", as_json=as_json)
        return
    if not file.exists():
        raise NotFound("NOT_FOUND", "the statement; make it with --reason")
    statement = Statement.from_json(parse_object(file.read_bytes()))
    if keys.signing.public.id in statement.signers():
        raise BadInput("FIELD_INVALID", "another operator signs as the second")
    signed = countersign(statement, keys)
    with RoomClient(url or keys.url, keys) as client:
        digest = client.override_witnesses(signed)
    tell({"digest": digest}, f"Releases go on until {signed.body['valid_until']}.", as_json=as_json)
