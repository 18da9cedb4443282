"""How does somebody outside watch the log, for an hour or for years?

`monitor` needs the public log and a trust file; with an auditor's export it also checks what
left the room. `export` gets one from the room, which logs that it did. A receipt or checkpoint
that somebody was shown can be handed in: a log that showed others another past is found out.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from saferoom.canonical import Json, canonical_bytes, digest_bytes, parse_object
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell
from saferoom.client import keyfolder
from saferoom.client.bundling import make_bundle, pages
from saferoom.client.http import RoomClient
from saferoom.client.trustfile import read_trust, trust_of
from saferoom.crypto.signing import Statement, hex_bytes
from saferoom.errors import BadInput, NotFound
from saferoom.monitor.alarms import ALARMS, Alarm
from saferoom.monitor.archives import check_archive, check_places
from saferoom.monitor.auditing import Asked, Visit
from saferoom.monitor.places import newest, open_log
from saferoom.monitor.trusted import read_trusted

app = typer.Typer(help="Watch the log from outside.", no_args_is_help=True)
_FILES = "a file that was given"


@app.command("monitor")
def monitor(
    *,
    log: Annotated[str, typer.Option(help="The log's folder or the room's address.")],
    trust: Annotated[Path, typer.Option(help="The trust file, by another way than the log.")],
    memory: Annotated[
        Path | None, typer.Option(help="Where to remember what the log signed; unset: nowhere.")
    ] = None,
    openings: Annotated[
        Path | None, typer.Option(help="An auditor's export: checks what left the room.")
    ] = None,
    seen: Annotated[
        list[Path] | None, typer.Option(help="A receipt or checkpoint that somebody was shown.")
    ] = None,
    promise: Annotated[
        list[Path] | None, typer.Option(help="A promise, or an answer that holds some.")
    ] = None,
    interval: Annotated[
        int | None, typer.Option(min=1, help="Seconds between two visits; unset: one visit.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Read the whole log again and check it; exit 1 at the first visit that finds anything."""
    trusted = read_trusted(_read(trust))
    others = [_note(_read(path)) for path in seen or ()]
    promises = [one for path in promise or () for one in _promises(_read(path))]
    fetch = open_log(log)
    while True:
        visit = Visit(
            Asked(
                fetch=fetch,
                trusted=trusted,
                now=datetime.now(UTC),
                memory=memory,
                others=others,
                promises=promises,
                openings=openings,
            )
        )
        started = time.perf_counter()
        alarms = visit.run()
        _tell(visit, alarms, time.perf_counter() - started, as_json=as_json)
        if alarms:
            raise typer.Exit(1)
        if interval is None:
            return
        time.sleep(interval)


@app.command("export")
def export(
    *,
    key: Key,
    out: Annotated[Path, typer.Option(help="A new file, which holds personal data.")],
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Get an auditor's export of openings; the room logs each page."""
    keys = keyfolder.load(key)
    if out.exists():
        raise BadInput("FIELD_INVALID", "the file exists")
    out.touch(mode=0o600)
    with RoomClient(url or keys.url, keys) as client, out.open("wb") as file:
        for line in pages(client):
            file.write(canonical_bytes(line) + b"\n")
    told = {"file": str(out), "bytes": out.stat().st_size}
    tell(told, f"{out} holds what the log commits to, in clear: keep it safe.", as_json=as_json)


@app.command("bundle")
def bundle(
    *,
    key: Key,
    out: Annotated[Path, typer.Option(help="A new file, a ZIP archive.")],
    trust: Annotated[Path | None, typer.Option(help="Unset: trust.json in the key folder.")] = None,
    about: Annotated[
        str | None, typer.Option(help="One party's receipts alone; unset: the log, in clear.")
    ] = None,
    releases: Annotated[int, typer.Option(min=0, help="So many of the newest releases.")] = 100,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put evidence together for a regulator, signed: all that `verify` needs, without network."""
    keys = keyfolder.load(key)
    believed = trust_of(keys) if trust is None else read_trust(trust)
    if out.exists():
        raise BadInput("FIELD_INVALID", "the file exists")
    out.touch(mode=0o600)
    with RoomClient(url or keys.url, keys) as client:
        data = make_bundle(client, client.author, believed, about=about, releases=releases)
    out.write_bytes(data)
    told = {"file": str(out), "bytes": len(data), "sha256": digest_bytes(data)}
    text = f"{out}: {len(data)} bytes. It holds personal data. Check: saferoom verify {out}"
    tell(told, text, as_json=as_json)


@app.command("archive")
def archive(
    *,
    file: Annotated[Path, typer.Argument(help="An archive, as it lies in HOME/archive.")],
    key: Annotated[Path, typer.Option(help="Its key, as it lies in HOME/keys/archive.")],
    trust: Annotated[Path, typer.Option(help="The trust file.")],
    log: Annotated[
        str | None, typer.Option(help="The log's folder or address: each leaf at its place.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new file for what it opens: personal data.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check an archive of old openings, years later and without the room; show what it opens."""
    trusted = read_trusted(_read(trust))
    found = check_archive(_read(file), _read_key(key), trusted)
    if log is not None:
        fetch = open_log(log)
        head = trusted.check_note(newest(fetch)).checkpoint
        check_places(found, fetch, head.size)
    if out is not None:
        out.touch(mode=0o600, exist_ok=False)
        out.write_bytes(b"".join(canonical_bytes(line) + b"\n" for line in found.lines))
    told = {"month": found.month, "entries": len(found.lines), "opened": found.opened}
    text = f"{len(found.lines)} entries of {found.month}, {found.opened} of them opened: as signed"
    tell(told, text, as_json=as_json)


def _read_key(path: Path) -> bytes:
    try:
        return hex_bytes(_read(path).decode("ascii").strip(), 32)
    except UnicodeDecodeError as error:
        raise BadInput("KEY_FOLDER", "an archive's key") from error


def _tell(visit: Visit, alarms: Sequence[Alarm], seconds: float, *, as_json: bool) -> None:
    found: list[Json] = [alarm.to_json() for alarm in alarms]
    told = {
        "ok": not alarms,
        "size": visit.size,
        "opened": visit.opened,
        "milliseconds": round(seconds * 1000),
        "alarms": found,
    }
    lines = [f"{visit.size} entries read again, {visit.opened} of them opened"]
    lines += [
        f"ALARM {one.code}{'' if one.index is None else f', entry {one.index}'}:"
        f" {ALARMS[one.code]} ({one.detail})"
        for one in alarms
    ]
    tell(told, "\n".join(lines if alarms else [*lines, "nothing found"]), as_json=as_json)


def _note(data: bytes) -> str:
    """Take the note out of a receipt, or a checkpoint as it is."""
    if data.startswith(b"{"):
        return str(parse_object(data).get("checkpoint"))
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise BadInput("FIELD_INVALID", _FILES) from error


def _promises(data: bytes) -> list[Statement]:
    body = parse_object(data)
    held = body.get("promises")
    return [Statement.from_json(one) for one in (held if isinstance(held, list) else [body])]


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise NotFound("NOT_FOUND", _FILES) from error
