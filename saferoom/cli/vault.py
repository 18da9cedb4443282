"""How is the vault run alone, looked over, and its keys kept elsewhere?

The vault is its own program and nobody imports it: these commands start it, or speak to the one
that runs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Json, parse_object
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home
from saferoom.cli.say import tell
from saferoom.crypto.signing import Statement
from saferoom.errors import CODES, NotFound, Tampered, Unavailable

app = typer.Typer(help="Run the vault alone, check it, keep its keys.", no_args_is_help=False)


@app.callback(invoke_without_command=True)
def vault(*, context: typer.Context, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Become the vault's own program, unless a command follows."""
    del as_json  # its log lines are JSON anyway
    if context.invoked_subcommand is not None:
        return
    from saferoom.settings import read_settings  # noqa: PLC0415  # the room's packages, only when asked

    settings = read_settings()
    words = ["--cage-engine", settings.cage_engine, "--snapshot-times", settings.snapshot_times]
    command = _command(home, words)
    os.execv(command[0], command)  # noqa: S606  # no shell, our own interpreter


@app.command("check")
def check(*, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Read every file that rests; exit 1 and name those that are not well."""
    try:
        found = _ask_running(home)
    except Unavailable:
        found = _ask_stopped(home)
    damaged = found.get("damaged")
    names = [str(name) for name in damaged] if isinstance(damaged, list) else []
    text = "\n".join([f"{found.get('files')} files read, {len(names)} not well", *names])
    tell(dict(found), text, as_json=as_json)
    if not found.get("well"):
        raise typer.Exit(Tampered.exit_code)


@app.command("copy-keys")
def copy_keys(
    *,
    order: Annotated[Path, typer.Argument(help="A key-backup order that two operators signed.")],
    out: Annotated[Path, typer.Option(help="A new file for the sealed copy.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Have the running vault seal a copy of its keys to a custodian."""
    from saferoom.adapters.vault_client import VaultClient  # noqa: PLC0415  # as above

    try:
        statement = Statement.from_json(parse_object(order.read_bytes()))
    except OSError as error:
        raise NotFound("NOT_FOUND", "the order's file") from error
    client = VaultClient(home / "run" / "vault.sock")
    try:
        data = client.back_up_keys(statement)
    finally:
        client.close()
    with out.open("xb") as file:
        file.write(data)
    tell({"file": str(out), "bytes": len(data)}, f"The sealed copy is {out}.", as_json=as_json)


@app.command("restore-keys")
def restore_keys(
    *,
    backup: Annotated[Path, typer.Argument(help="The sealed copy.")],
    key: Annotated[Path, typer.Option(help="The custodian's key folder.")],
    home: Home = DEFAULT_HOME,
    as_json: AsJson = False,
) -> None:
    """Put keys back into a home that lost them; an expired copy is refused."""
    words = ["--restore-keys", str(backup), "--custodian", str(key / "key.json")]
    told = _run(home, words, good=(0,))
    tell(dict(told), f"Restored the copy of {told.get('made_at')}.", as_json=as_json)


def _ask_running(home: Path) -> dict[str, Json]:
    from saferoom.adapters.vault_client import VaultClient  # noqa: PLC0415  # as above

    client = VaultClient(home / "run" / "vault.sock")
    try:
        return dict(client.check())
    finally:
        client.close()


def _ask_stopped(home: Path) -> dict[str, Json]:
    return _run(home, ["--check"], good=(0, Tampered.exit_code))


def _run(home: Path, words: Sequence[str], good: Sequence[int]) -> dict[str, Json]:
    """Run the vault's program to its end; its last words are an error of ours."""
    done = subprocess.run(  # noqa: S603  # our own interpreter and module
        _command(home, words), capture_output=True, text=True, check=False
    )
    if done.returncode in good and done.stdout.strip():
        return parse_object(done.stdout.strip().encode())
    code = done.stderr.strip().split(":", 1)[0].split(" ", 1)[0]
    if code not in CODES:
        raise Unavailable("VAULT_UNAVAILABLE")
    raise CODES[code].family(code)


def _command(home: Path, words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "saferoom.vault", "--home", str(home), *words]
