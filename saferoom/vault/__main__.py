"""Who starts the vault, and on which home?

    python -m saferoom.vault --home DIR [--content DIR] [--cage-engine auto|quick|native|portable]
    python -m saferoom.vault --home DIR --initialise GENESIS_FILE

It gives up what it must not have, opens the home, proves that a cage holds, and serves its
socket until SIGTERM. An error prints its code, why and what to do, and is the exit code.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from saferoom.cage import engines
from saferoom.cage.host import Cage
from saferoom.canonical import canonical_bytes
from saferoom.errors import SaferoomError
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.home import initialise, open_home
from saferoom.vault.lockdown import lock_down
from saferoom.vault.server import Server
from saferoom.vault.service import SCORE_SECONDS, Service


def main(arguments: Sequence[str]) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m saferoom.vault", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the room's home folder")
    parser.add_argument("--content", type=Path, help="folder of policies/ and connectors/")
    parser.add_argument("--cage-engine", choices=engines.CHOICES, default=engines.AUTO)
    parser.add_argument("--sources", type=Path, help="a folder for each connector's files")
    parser.add_argument("--score-seconds", type=float, default=SCORE_SECONDS)
    parser.add_argument("--initialise", type=Path, metavar="GENESIS_FILE", help="make a new vault")
    options = parser.parse_args(arguments)
    if options.initialise is not None and not options.initialise.is_file():
        parser.error("the founders' file cannot be read")
    lock_down(os.environ, options.home)
    try:
        if options.initialise is not None:
            founders, now = options.initialise.read_bytes(), datetime.now(UTC)
            keys = initialise(options.home, founders, os.urandom, now)
            print(canonical_bytes(keys.to_body()).decode())  # noqa: T201  # this command's answer
            return 0
        content = options.content or content_folder()
        return run(
            options.home.resolve(),
            content,
            sources=options.sources,
            engine=options.cage_engine,
            score_seconds=options.score_seconds,
        )
    except SaferoomError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a program's last words
        return error.exit_code


def run(
    home: Path, content: Path, *, sources: Path | None, engine: str, score_seconds: float
) -> int:
    """Serve one home until told to stop; its cages score trees with this engine."""
    paths, lock = open_home(home)
    try:
        declared = read_declarations(content)
        service = Service(
            paths,
            declared,
            clock=lambda: datetime.now(UTC),
            random_bytes=os.urandom,
            start_cage=partial(Cage.start, engine=engine),
            sources=sources,
            score_seconds=score_seconds,
        )
        try:
            server = Server(service, paths.run)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.stop())
            print("ready", flush=True)  # noqa: T201  # whoever started us waits for it
            server.serve()
        finally:
            service.close()
        (paths.run / "vault.sock").unlink(missing_ok=True)
    finally:
        os.close(lock)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
