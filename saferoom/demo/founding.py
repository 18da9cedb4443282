"""How does an empty folder become a home with two founders?

By `saferoom init`, in a process of its own, as anyone would type it. It waits for the first
witnesses, who watch the log as soon as they were handed the trust file.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from saferoom.demo.cast import FOUNDERS, ROOM_PARTY
from saferoom.demo.steps import NotHappened


def found(
    home: Path,
    url: str,
    witnesses: Sequence[Path] = (),
    hand_over: Callable[[Path], None] = lambda _: None,
) -> None:
    """Make the home, its keys, its vault and two founding operators."""
    command = [sys.executable, "-m", "saferoom", "init", "--home", str(home)]
    command += ["--party", ROOM_PARTY, "--url", url, "--json"]
    for founder in FOUNDERS:
        command += ["--operator", founder.name]
    for witness in witnesses:
        command += ["--witness", str(witness)]
    with subprocess.Popen(  # noqa: S603  # our own interpreter and module
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        trust = home / "trust.json"
        while process.poll() is None and not (trust.exists() and trust.stat().st_size):
            time.sleep(0.02)
        if process.poll() is None:
            hand_over(trust)
        out, error = process.communicate()
    if process.returncode != 0:
        raise NotHappened(f"`saferoom init` said: {out.strip() or error.strip()}")
