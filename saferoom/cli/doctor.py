"""Would a room run here, and if not, what is missing?

Each look is a row: what was looked at, whether it is well, and what to do. The exit code
is that of the first thing that would stop a room.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated

import typer

from saferoom import __version__
from saferoom.cli.listening import check_port
from saferoom.cli.node import down
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home
from saferoom.cli.say import tell, tell_rows
from saferoom.errors import Isolation, NotFound, SaferoomError, Unavailable

LEAST_FREE_BYTES = 2**30
SELF_TEST_SECONDS = 60
_PACKAGES = ("cryptography", "fastapi", "sqlalchemy", "cedarpy", "lightgbm", "duckdb")


@dataclass(frozen=True)
class Look:
    """One thing that was looked at."""

    name: str
    well: bool
    found: str
    remedy: str
    exit_code: int


def doctor(
    *,
    home: Home = DEFAULT_HOME,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to serve on.")] = 8321,
    as_json: AsJson = False,
) -> None:
    """Look at platform, cage, packages, home, disk and port; exit 0 when a room would run."""
    looks = list(_look(home, port))
    if as_json:
        tell(
            {"well": all(o.well for o in looks), "looks": [asdict(o) for o in looks]},
            "",
            as_json=True,
        )
    else:
        rows = [[o.name, "ok" if o.well else "NOT WELL", o.found, o.remedy] for o in looks]
        tell_rows("Doctor", ["what", "", "found", "remedy"], rows)
    for look in looks:
        if not look.well:
            raise typer.Exit(look.exit_code)


def _look(home: Path, port: int) -> Iterator[Look]:
    yield _ask("platform", _platform)
    yield _ask("packages", _packages)
    yield _ask("cage", _cage)
    yield _ask("home", lambda: _home(home))
    yield _ask("database", lambda: _database(home))
    yield _ask("nodes", lambda: _nodes(home))
    yield _ask("disk", lambda: _disk(home))
    yield _ask("port", lambda: _port(port))


def _ask(name: str, look: Callable[[], str]) -> Look:
    try:
        found = look()
    except SaferoomError as error:
        return Look(name, False, f"{error.code}: {error.sentence}", error.remedy, error.exit_code)  # noqa: FBT003  # a record's field
    return Look(name, True, found, "", 0)  # noqa: FBT003  # a record's field


def _platform() -> str:
    if sys.platform != "linux":
        raise Isolation("PLATFORM")
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"{system}, Python {platform.python_version()}"


def _packages() -> str:
    try:
        versions = [f"{name} {metadata.version(name)}" for name in _PACKAGES]
    except metadata.PackageNotFoundError as error:
        raise Unavailable("NOT_INSTALLED") from error
    return ", ".join([f"saferoom {__version__}", *versions])


def _cage() -> str:
    """Start the cage's own program; its exit code is the finding."""
    from saferoom.settings import read_settings  # noqa: PLC0415  # the room's packages, only when asked

    engine = read_settings().cage_engine
    command = [sys.executable, "-m", "saferoom.cage", "--self-test", engine]
    try:
        done = subprocess.run(  # noqa: S603  # our own interpreter and module
            command, capture_output=True, timeout=SELF_TEST_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable("CAGE_UNAVAILABLE") from error
    if done.returncode != 0:
        raise Isolation("CAGE_BROKEN")
    report = json.loads(done.stdout)
    absent = [name for name, state in report["protections"].items() if not state.startswith("on")]
    without = f"; without {', '.join(absent)}" if absent else ""
    return f"{report['engine']} engine; {len(report['effects'])} forbidden effects fail{without}"


def _home(home: Path) -> str:
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked

    try:
        wiring.check_version(home)
    except NotFound:
        return "no room here yet; `saferoom init` makes one"
    return str(home)


def _database(home: Path) -> str:
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked

    if not (home / "version").exists():
        return "none yet"
    return wiring.check_database(home)


def _nodes(home: Path) -> str:
    """Show what the last `saferoom node ask` of each node found."""
    silent = [f"{name} since {since}" for name, since in down(home / "nodes").items()]
    if silent:
        raise Unavailable("NODE_DOWN", ", ".join(silent))
    return f"{sum(1 for _ in (home / 'nodes').glob('*.json'))} asked, none down"


def _disk(home: Path) -> str:
    folder = next(path for path in (home, *home.absolute().parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE_BYTES:
        raise Unavailable("DATABASE_UNAVAILABLE", "less than 1 GiB of disk is free")
    return f"{free // 2**30} GiB free"


def _port(port: int) -> str:
    check_port("127.0.0.1", port)
    return f"127.0.0.1:{port} is free"
