"""Who starts the vault, and on which home?

    python -m saferoom.vault --home DIR [--content DIR] [--cage-engine auto|quick|native|portable]
    python -m saferoom.vault --home DIR --initialise GENESIS_FILE
    python -m saferoom.vault --home DIR --check
    python -m saferoom.vault --home DIR --restore-keys FILE --custodian KEY_FOLDER_FILE

It gives up what it must not have, opens the home, proves that a cage holds, and serves its
socket until SIGTERM. The last two commands are for a vault that does not run. An error prints its
code, why and what to do, and is the exit code.
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
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.crypto.sealing import SealingKey
from saferoom.crypto.signing import hex_bytes
from saferoom.errors import BadInput, NotFound, SaferoomError, Tampered
from saferoom.vault.checking import check_home
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.home import VaultHome, initialise, open_home
from saferoom.vault.housekeeper import keeping_house
from saferoom.vault.key_backups import restore_keys
from saferoom.vault.lockdown import lock_down
from saferoom.vault.quality import read_rules
from saferoom.vault.server import Server
from saferoom.vault.service import SCORE_SECONDS, Service
from saferoom.vault.timetable import read_timetable


def main(arguments: Sequence[str]) -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m saferoom.vault", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="the room's home folder")
    parser.add_argument("--content", type=Path, help="folder of policies/ and connectors/")
    parser.add_argument("--cage-engine", choices=engines.CHOICES, default=engines.AUTO)
    parser.add_argument("--sources", type=Path, help="a folder for each connector's files")
    parser.add_argument("--score-seconds", type=float, default=SCORE_SECONDS)
    parser.add_argument("--snapshot-times", default="", help="local times, 02:00,14:00")
    parser.add_argument("--check", action="store_true", help="read every file, and say which fail")
    parser.add_argument("--restore-keys", type=Path, metavar="FILE", help="from a key backup")
    parser.add_argument("--custodian", type=Path, help="whose sealing key opens it: key.json")
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
        if options.restore_keys is not None:
            return restore(options.home, options.restore_keys, options.custodian)
        if options.check:
            return check(options.home, content)
        return run(
            options.home.resolve(),
            content,
            sources=options.sources,
            engine=options.cage_engine,
            score_seconds=options.score_seconds,
            snapshot_times=options.snapshot_times,
        )
    except SaferoomError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a program's last words
        return error.exit_code


def run(
    home: Path,
    content: Path,
    *,
    sources: Path | None,
    engine: str,
    score_seconds: float,
    snapshot_times: str,
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
            timetable=read_timetable(snapshot_times, datetime.now(UTC)),
            rules=read_rules(content / "policies" / "quality", declared.tables),
        )
        try:
            server = Server(service, paths.run)
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: server.stop())
            print("ready", flush=True)  # noqa: T201  # whoever started us waits for it
            with keeping_house(service.keep_house):
                server.serve()
        finally:
            service.close()
        (paths.run / "vault.sock").unlink(missing_ok=True)
    finally:
        os.close(lock)
    return 0


def check(home: Path, content: Path) -> int:
    """Read every file of a vault that does not run; 1 when one is not well."""
    paths, lock = open_home(home.resolve())
    try:
        found = check_home(paths, read_declarations(content).tables)
    finally:
        os.close(lock)
    print(canonical_bytes(found).decode())  # noqa: T201  # this command's answer
    return 0 if found["well"] else Tampered.exit_code


def restore(home: Path, backup: Path, custodian: Path | None) -> int:
    """Put keys back from a copy in its time; the clock is this machine's."""
    if custodian is None:
        raise BadInput("FIELD_INVALID", "whose key opens the copy: --custodian")
    try:
        data, folder = backup.read_bytes(), parse_object(custodian.read_bytes())
    except OSError as error:
        raise NotFound("NOT_FOUND", "the copy, or the custodian's key") from error
    key = SealingKey(hex_bytes(folder.get("sealing_seed"), 32))
    keys = VaultHome(home.resolve()).keys
    copy = restore_keys(keys, data, key, datetime.now(UTC), os.urandom)
    print(canonical_bytes(copy.to_body()).decode())  # noqa: T201  # this command's answer
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
