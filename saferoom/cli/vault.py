"""How is the vault run alone, by a supervisor of the operator's own?"""

from __future__ import annotations

import os
import sys

from saferoom.cli.options import DEFAULT_HOME, AsJson, Home


def vault(*, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Become the vault's own program; nobody imports it."""
    from saferoom.settings import read_settings  # noqa: PLC0415  # the room's packages, only when asked

    del as_json  # its log lines are JSON anyway
    engine = ["--cage-engine", read_settings().cage_engine]
    command = [sys.executable, "-m", "saferoom.vault", "--home", str(home), *engine]
    os.execv(command[0], command)  # noqa: S606  # no shell, our own interpreter
