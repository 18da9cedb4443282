"""How does a home that was put back from a backup become the room that it was?

Put the backup's database, keys, log and vault in place, then run this before `serve`: it takes
what the backup does not have from every surviving sink, from the log's tiles, and asks the
witnesses whether that is all.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import Annotated

import typer

from saferoom.cli.home import only_one
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home
from saferoom.cli.say import tell

_LOST = "no sink kept the rows that they led to, or their day's key was destroyed."


def restore(
    *,
    home: Home = DEFAULT_HOME,
    sink: Annotated[
        list[str] | None,
        typer.Option(help="A further sink, as in SAFEROOM_SINKS (file:///…, folder:///…)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Replay what sinks, tiles and witnesses have and the database lacks."""
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked
    from saferoom.settings import read_settings  # noqa: PLC0415  # as above

    settings = read_settings(home=home)
    wiring.check_version(home)
    with ExitStack() as stack:
        for program in ("serve", "worker"):
            stack.enter_context(only_one(home, program))
        done = wiring.restore(settings, sink or [])
        lines = [f"{count} × {kind}" for kind, count in sorted(done.kinds.items())]
        lines += [f"{done.entries} entries came back; the log has {done.size} with them."]
        if done.unreadable:
            lines += [f"{done.unreadable} of them as leaves alone: {_LOST}"]
        lines += ["Logged-in people log in again; an answer that was asked for comes by a retry."]
        tell(done.to_json(), "\n".join(lines), as_json=as_json)
