"""Can the tutorial be followed, line by line, by somebody who only has the page?"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from saferoom.demo.server import address, free_port, stop

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/tutorial.md").read_text()
PATIENCE_SECONDS = 180.0
SHOWN = "\nprint(answer.to_json())\nprint(version.state, *room.score(version, [code])['code'])\n"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """Start what `make demo` starts, smaller, in a folder of one's own."""
    folder = tmp_path_factory.mktemp("newcomer")
    (folder / "models").symlink_to(ROOT / "models")
    port = free_port()
    command = [sys.executable, "-m", "saferoom", "demo", "--enterprises", "60", "--port", str(port)]
    with (folder / "told").open("wb") as told:
        room = subprocess.Popen(command, cwd=folder, stdout=told, stderr=told)
    try:
        wait_until_served(room, folder, address(port))
        yield folder, address(port)
    finally:
        stop(room)


def wait_until_served(room: subprocess.Popen[bytes], folder: Path, url: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and room.poll() is None:
        try:
            ready = httpx2.get(f"{url}/readyz", timeout=5.0).is_success
        except httpx2.HTTPError:
            ready = False
        if ready and (folder / ".demo/demo.json").exists():
            return
        time.sleep(0.2)
    pytest.fail((folder / "told").read_text())


def run(folder: Path, *command: str) -> str:
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_the_tutorial_ends_with_a_verified_receipt(newcomer: tuple[Path, str]) -> None:
    folder, url = newcomer
    code = "\n".join(blocks("python")).replace("http://127.0.0.1:8321", url)
    shown = run(folder, sys.executable, "-c", code + SHOWN)
    assert '"released"' in shown
    assert "approved AUTH_REVOKED" in shown

    (line,) = [text for text in blocks("sh") if "saferoom verify" in text]
    arguments = shlex.split(line)[1:]
    assert run(folder, sys.executable, "-m", "saferoom", *arguments).startswith("verified")
