"""How do two operators change who watches the log, and how does everybody learn of it?

`change` by the first operator makes a statement from the trust file in the key folder; `change`
by the second signs it and writes the newer trust file. `take` puts that file in the place of
an older one: in the room's home (which logs it within a second, without a restart), at every
bank's, verifier's and monitor's. It comes by any way, for only what the founders signed counts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import parse_object
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.cli.witness import app as app  # noqa: PLC0414  # main adds it from here
from saferoom.cli.witness import read_witnesses
from saferoom.client import keyfolder
from saferoom.client.statements import Author, countersign, utc_now
from saferoom.client.trustfile import read_trust, take_trust, trust_of
from saferoom.core.moment import write_instant
from saferoom.core.witnesses import Witnesses, WitnessKey
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, NotFound
from saferoom.witness.home import write_synced

Files = Annotated[
    list[Path] | None,
    typer.Option(help="A witness.json, as often as needed; of a known name: its next key."),
]
Names = Annotated[list[str] | None, typer.Option(help="Name of a witness that ends, such as w/1.")]


@app.command("change")
def change(
    *,
    file: Annotated[Path, typer.Argument(help="The statement; the first operator makes it.")],
    key: Key,
    reason: Annotated[
        str | None, typer.Option(help="Makes a new statement; stands in the trust file.")
    ] = None,
    add: Files = None,
    remove: Names = None,
    stolen: Names = None,
    quorum: Annotated[int | None, typer.Option(help="Unset: as before.")] = None,
    minutes: Annotated[int, typer.Option(min=0, help="From now until it begins.")] = 60,
    out: Annotated[
        Path | None, typer.Option(help="Where the second operator gets the newer trust file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Add, remove or rotate witnesses, or change the quorum: two operators sign."""
    keys = keyfolder.load(key)
    held = trust_of(keys)
    if reason is not None:
        begins = utc_now().replace(microsecond=0) + timedelta(minutes=minutes)
        new = _changed(held.watchers, read_witnesses(add or [], None)[0].keys, begins)
        new = _ended(new, remove or (), begins, {})
        new = _ended(new, stolen or (), begins, {"compromised": True})
        wanted = held.watchers.quorum if quorum is None else quorum
        made = Author(keys).witness_set(held, reason, new, wanted, begins)
        write_synced(file, made.to_bytes())
        tell({"digest": made.digest}, f"Now the other operator: {file}", as_json=as_json)
        return
    if not file.exists():
        raise NotFound("NOT_FOUND", "the statement; make it with --reason")
    statement = Statement.from_json(parse_object(file.read_bytes()))
    if keys.signing.public.id in statement.signers() or out is None:
        raise BadInput("FIELD_INVALID", "another operator signs as the second, with --out")
    newer = held.changed(countersign(statement, keys))
    write_synced(out, newer.to_bytes())
    told = {"digest": statement.digest, "trust": newer.fingerprint}
    tell(told, f"Give {out} to everybody, who takes it; {newer.fingerprint}", as_json=as_json)


@app.command("take")
def take(
    *,
    newer: Annotated[Path, typer.Argument(help="The newer trust file, from anybody.")],
    trust: Annotated[Path, typer.Option(help="The trust file in whose place it goes.")],
    address: Annotated[
        list[Path] | None,
        typer.Option(help="In the room's home: a witness.json that says where one answers."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take a newer trust file, if the founders of the one you hold signed what is new in it."""
    found = read_trust(newer)
    if address:
        from saferoom.adapters.witness_client import read_addresses, write_addresses  # noqa: PLC0415  # the room's packages, only when asked

        known = read_addresses(trust.parent)
        write_addresses(trust.parent, {**known, **read_witnesses(address, None)[1]})
    before = take_trust(trust, found)
    told = {"changes": len(found.changes), "new": len(found.changes) - len(before.changes)}
    text = f"{told['new']} changes of the witnesses are new; {found.fingerprint}"
    tell({**told, "trust": found.fingerprint}, text, as_json=as_json)


def _changed(
    old: Witnesses, added: Sequence[WitnessKey], begins: datetime
) -> tuple[WitnessKey, ...]:
    """Add keys; one of a known name takes the older one's place."""
    names = [key.name for key in added]
    kept = _ended(old.keys, [key.name for key in old.keys if key.name in names], begins, {})
    return (*kept, *(replace(key, valid_from=write_instant(begins)) for key in added))


def _ended(
    keys: Sequence[WitnessKey], names: Sequence[str], begins: datetime, said: Mapping[str, bool]
) -> tuple[WitnessKey, ...]:
    """End the lasting keys of these names."""
    if not {*names} <= {key.name for key in keys}:
        raise NotFound("NOT_FOUND", "a witness of this name")
    end = {"valid_until": write_instant(begins), **said}
    return tuple(
        replace(key, **end) if key.name in names and key.lasts else key  # type: ignore[arg-type]
        for key in keys
    )
