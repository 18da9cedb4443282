"""How does an empty folder become a room with two founding operators?

Witnesses are other organisations' programs: hand them `trust.json` as soon as it is there
(`saferoom witness watch`), and they cosign the log's first entry while `init` waits.
Each founder signs both enrolments: from the first entry on nobody acts alone. Their key
folders are written to HOME/people; move them to the founders' own machines afterwards.
"""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home
from saferoom.cli.say import tell
from saferoom.cli.witness import read_witnesses
from saferoom.client import keyfolder
from saferoom.client.keyfolder import KeyFolder
from saferoom.client.statements import Author, countersign
from saferoom.client.trustfile import keep_trust, read_trust
from saferoom.core.enrolment import Role
from saferoom.core.trust import VaultKeys
from saferoom.crypto.signing import Statement
from saferoom.errors import BadInput, Conflict, Unavailable

FOUNDERS = 2


def init(
    *,
    home: Home = DEFAULT_HOME,
    operator: Annotated[
        list[str] | None,
        typer.Option(help="A founder's name; twice. Unset: operator-1 and operator-2."),
    ] = None,
    party: Annotated[str, typer.Option(help="The operators' organisation.")] = "operator",
    url: Annotated[str, typer.Option(help="Where it will be served.")] = "http://127.0.0.1:8321",
    origin: Annotated[
        str | None, typer.Option(help="Name of the log in every checkpoint; never changes.")
    ] = None,
    witness: Annotated[
        list[Path] | None,
        typer.Option(help="A witness.json of another organisation; several times."),
    ] = None,
    quorum: Annotated[
        int | None, typer.Option(help="How many witnesses must have seen; unset: most of them.")
    ] = None,
    sm2: Annotated[
        bool, typer.Option("--sm2", help="Let the log sign each checkpoint with SM2 as well.")
    ] = False,
    witness_seconds: Annotated[
        int, typer.Option(min=0, help="How long to wait for them to cosign the first entry.")
    ] = 60,
    as_json: AsJson = False,
) -> None:
    """Make a new room: home, keys, log, vault, and two founders."""
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked
    from saferoom.adapters.witness_client import write_addresses  # noqa: PLC0415  # as above
    from saferoom.settings import read_settings  # noqa: PLC0415  # as above

    names = list(dict.fromkeys(operator or ["operator-1", "operator-2"]))
    if len(names) != FOUNDERS:
        raise BadInput("FIELD_INVALID", "two different operators found a room")
    settings = read_settings(home=home, origin=origin)
    witnesses, addresses = read_witnesses(witness or [], quorum)
    _check_empty(home)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    founders = [_create(home, name, party, url) for name in names]
    genesis = _genesis(founders)
    write_addresses(home, addresses)
    vault = _initialise_vault(home, genesis)
    wiring.found(settings, genesis, vault, witnesses=witnesses, sm2=sm2)
    witnessed = wiring.witness_genesis(settings, witness_seconds)
    trust = read_trust(home / "trust.json")
    founders = [keep_trust(founder, trust) for founder in founders]
    people = [str(founder.folder) for founder in founders]
    told: dict[str, object] = {"home": str(home), "origin": settings.origin, "people": people}
    text = (
        f"A room stands in {home}; its founders' keys are in {home / 'people'}.\n"
        f"Give everybody {home / 'trust.json'} by another way than the room's address, and read\n"
        f"its fingerprint out to them: {trust.fingerprint}\n"
    )
    if not witnessed:
        text += "Too few witnesses cosigned the first entry: nothing is released until they do.\n"
    told = {**told, "trust": trust.fingerprint, "witnessed": witnessed}
    tell(told, f"{text}Now `saferoom serve --home {home}`.", as_json=as_json)


def _check_empty(home: Path) -> None:
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise Conflict("DUPLICATE", "the home is not empty")


def _create(home: Path, name: str, party: str, url: str) -> KeyFolder:
    return keyfolder.create(
        home / "people" / name,
        holder=name,
        party=party,
        role=Role.OPERATOR,
        url=url,
        random_bytes=secrets.token_bytes,
    )


def _genesis(founders: Sequence[KeyFolder]) -> list[Statement]:
    """Let each founder sign every enrolment, the own one first."""
    return [
        countersign(Author(one).enrolment(), *(other for other in founders if other is not one))
        for one in founders
    ]


def _initialise_vault(home: Path, genesis: Sequence[Statement]) -> VaultKeys:
    """Have the vault's own program draw its keys; only the public halves come back."""
    operators: list[Json] = [statement.to_json() for statement in genesis]
    file = home / "genesis.json"
    file.write_bytes(canonical_bytes({"kind": "saferoom/genesis/1", "operators": operators}))
    command = [sys.executable, "-m", "saferoom.vault", "--home", str(home)]
    command += ["--initialise", str(file)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=False)  # noqa: S603  # ours
    if done.returncode != 0:
        raise Unavailable("VAULT_UNAVAILABLE", "it could not be initialised")
    file.unlink()
    return VaultKeys.from_body(parse_object(done.stdout.strip()))
