"""How does an empty folder become a home with two founders?

By `saferoom init`, in a process of its own, as anyone would type it.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from saferoom.demo.cast import FOUNDERS, ROOM_PARTY
from saferoom.demo.steps import NotHappened


def found(home: Path, url: str) -> None:
    """Make the home, its keys, its vault and two founding operators."""
    command = [sys.executable, "-m", "saferoom", "init", "--home", str(home)]
    command += ["--party", ROOM_PARTY, "--url", url, "--json"]
    for founder in FOUNDERS:
        command += ["--operator", founder.name]
    done = subprocess.run(  # noqa: S603  # our own interpreter and module
        command, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise NotHappened(f"`saferoom init` said: {done.stdout.strip() or done.stderr.strip()}")
