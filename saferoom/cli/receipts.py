"""Which receipts concern me, and where do I keep them?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.http import RoomClient
from saferoom.client.trustfile import TRUST_FILE


def receipts(
    *,
    key: Key,
    kind: Annotated[
        str, typer.Option(help="Kind of log entry: release, grant_signed, refusal, erased …")
    ] = "release",
    since: Annotated[str | None, typer.Option(help="Only from this instant on.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="A folder to keep them in, beside the trust file.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """List the receipts of one kind that concern one's own party, or fetch them all."""
    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        names = client.receipts(since=since, kind=kind)
        text = "\n".join(names) if out is None else _keep(client, keys.folder, names, out)
    tell({"receipts": [*names]}, text, as_json=as_json)


def _keep(client: RoomClient, held: Path | None, names: Sequence[str], out: Path) -> str:
    out.mkdir(parents=True, exist_ok=True)
    for name in names:
        (out / f"{name}.json").write_bytes(client.receipt(name))
    trust = out / TRUST_FILE
    if held is not None and (held / TRUST_FILE).exists():
        trust.write_bytes((held / TRUST_FILE).read_bytes())
    return f"{len(names)} in {out}; each: saferoom verify FILE --trust {trust}"
