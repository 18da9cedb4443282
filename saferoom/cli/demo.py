"""How does a newcomer see it all? By the demo's own program, which stands above this one."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from saferoom.cli.options import AsJson

CONTEXT = {"max_content_width": 100}


def demo(
    *,
    story: Annotated[
        bool, typer.Option("--run", help="Play the whole story without a browser, then stop.")
    ] = False,
    home: Annotated[Path | None, typer.Option("--home", help="Unset: .demo")] = None,
    enterprises: Annotated[
        int | None, typer.Option(min=10, max=1_000_000, help="Size of the synthetic economy.")
    ] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port to serve on.")] = None,
    as_json: AsJson = False,
) -> None:
    """Start a room with synthetic data, or play its story (--run)."""
    command = [sys.executable, "-m", "saferoom.demo"]
    command += ["--run"] if story else []
    for name, value in (("home", home), ("enterprises", enterprises), ("port", port)):
        command += [] if value is None else [f"--{name}", str(value)]
    command += ["--json"] if as_json else []
    os.execv(command[0], command)  # noqa: S606  # no shell, our own interpreter
