"""Which options do several commands share?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Home = Annotated[
    Path,
    typer.Option("--home", envvar="SAFEROOM_HOME", help="Folder of the room.", show_default=True),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
Key = Annotated[Path, typer.Option("--key", help="Folder made by `saferoom keys new`.")]
DEFAULT_HOME = Path("home")
