"""How does a home that was put back from a backup become the room that it was?

Put the backup's database, keys, log and vault in place, then run this before `serve`: it takes
what the backup does not have from every surviving sink, from the log's tiles, and asks the
witnesses whether that is all. If the rest exists nowhere, two operators close the log (`--close`)
and a new one begins.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from saferoom.cli.home import only_one
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home
from saferoom.cli.say import tell
from saferoom.errors import BadInput

if TYPE_CHECKING:
    from saferoom.core.closing import Closing
    from saferoom.settings import Settings

_LOST = "no sink kept the rows that they led to, or their day's key was destroyed."


def restore(
    *,
    home: Home = DEFAULT_HOME,
    sink: Annotated[
        list[str] | None,
        typer.Option(help="A further sink, as in SAFEROOM_SINKS (file:///…, folder:///…)."),
    ] = None,
    close: Annotated[
        Path | None,
        typer.Option(help="Close the log: a statement that one operator makes, another signs."),
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="With --close: the operator's key folder.")
    ] = None,
    origin: Annotated[str | None, typer.Option(help="With --close: the new log's name.")] = None,
    reason: Annotated[
        str | None, typer.Option(help="With --close: why; it stands in the trust file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay what sinks, tiles and witnesses have and the database lacks; or close the log."""
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked
    from saferoom.settings import read_settings  # noqa: PLC0415  # as above

    settings = read_settings(home=home)
    wiring.check_version(home)
    with ExitStack() as stack:
        for program in ("serve", "worker"):
            stack.enter_context(only_one(home, program))
        if close is not None:
            _close(settings, _Closing(close, key, origin, reason), sink or [], as_json=as_json)
            return
        done = wiring.restore(settings, sink or [])
        lines = [f"{count} × {kind}" for kind, count in sorted(done.kinds.items())]
        lines += [f"{done.entries} entries came back; the log has {done.size} with them."]
        if done.unreadable:
            lines += [f"{done.unreadable} of them as leaves alone: {_LOST}"]
        lines += ["Logged-in people log in again; an answer that was asked for comes by a retry."]
        tell(done.to_json(), "\n".join(lines), as_json=as_json)


@dataclass(frozen=True)
class _Closing:
    file: Path
    key: Path | None
    origin: str | None
    reason: str | None


def _close(settings: Settings, asked: _Closing, sinks: list[str], *, as_json: bool) -> None:
    """Make the statement, or sign it as the second and carry it out."""
    from saferoom import wiring  # noqa: PLC0415  # as above
    from saferoom.canonical import parse_object  # noqa: PLC0415  # as above
    from saferoom.client import keyfolder  # noqa: PLC0415  # as above
    from saferoom.client.statements import Author, countersign  # noqa: PLC0415  # as above
    from saferoom.core.closing import Closing as Signed  # noqa: PLC0415  # as above
    from saferoom.crypto.signing import Statement  # noqa: PLC0415  # as above

    if asked.key is None:
        raise BadInput("FIELD_INVALID", "--close needs the operator's --key")
    keys = keyfolder.load(asked.key)
    if not asked.file.exists():
        if asked.origin is None or asked.reason is None:
            raise BadInput("FIELD_INVALID", "--close needs --origin and --reason at first")
        closing = wiring.propose_closing(settings, sinks, asked.origin, asked.reason)
        signed = Author(keys).sign(closing.to_body())
        asked.file.write_bytes(signed.to_bytes())
        text = f"{_told(closing)}\nNow the other operator: {asked.file}"
        tell({"digest": signed.digest, "lost": closing.lost}, text, as_json=as_json)
        return
    signed = Statement.from_json(parse_object(asked.file.read_bytes()))
    closing = Signed.from_body(signed.body)
    if keys.signing.public.id not in signed.signers():
        signed = countersign(signed, keys)
        asked.file.write_bytes(signed.to_bytes())
    trust = wiring.close(settings, signed)
    lines = [
        _told(closing),
        f"{trust.origin} begins. Its trust file: {settings.home / 'trust.json'}",
        f"fingerprint {trust.fingerprint}",
        "Give it to every witness (`saferoom witness watch`), bank, enterprise and monitor.",
        "Every grant is suspended until its enterprise signs the next one.",
    ]
    told = {"origin": trust.origin, "trust": trust.fingerprint, "lost": closing.lost}
    tell(told, "\n".join(lines), as_json=as_json)


def _told(closing: Closing) -> str:
    return (
        f"{closing.origin} ends: witnesses saw {closing.seen_size} entries, {closing.placed} are"
        f" left in their places and {closing.size - closing.placed} without; {closing.lost} lost."
    )
