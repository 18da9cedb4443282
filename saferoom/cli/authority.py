"""Whose time stamps does this room ask for, and whose does a verifier believe?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.serialization import Encoding

from saferoom.cli.options import AsJson
from saferoom.cli.say import tell
from saferoom.core.stamped import Authority, read_authorities, write_authorities
from saferoom.crypto.timestamps import read_certificate
from saferoom.errors import NotFound

app = typer.Typer(help="Pin time stamping authorities (RFC 3161).", no_args_is_help=True)


@app.command("add")
def add(
    *,
    file: Annotated[
        Path, typer.Option(help="HOME/authorities.json for a room; anywhere for a verifier.")
    ],
    name: Annotated[str, typer.Option(help="What it is called.")],
    url: Annotated[str, typer.Option(help="Where it answers.")],
    certificate: Annotated[Path, typer.Option(help="Its own signing certificate, PEM or DER.")],
    as_json: AsJson = False,
) -> None:
    """Pin one authority, or renew the certificate of one that is pinned; then restart the room."""
    try:
        found = read_certificate(certificate.read_bytes())
    except OSError as error:
        raise NotFound("NOT_FOUND", "the certificate") from error
    new = Authority(name=name, url=url, certificate=found.public_bytes(Encoding.DER).hex())
    known = read_authorities(file.read_bytes()) if file.exists() else ()
    kept = (*(one for one in known if one.name != name), new)
    file.write_bytes(write_authorities(kept))
    text = f"{file} pins {len(kept)}; {name} until {found.not_valid_after_utc:%Y-%m-%d}."
    tell({"file": str(file), "names": [one.name for one in kept]}, text, as_json=as_json)
