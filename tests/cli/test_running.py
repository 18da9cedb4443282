"""Are port and home taken once, and does a supervised program stay up and go down with us?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from saferoom.cli.child import Child
from saferoom.cli.home import only_one
from saferoom.cli.listening import check_port, listen
from saferoom.errors import Conflict, Unavailable
from tests.cli.conftest import Command

SLEEPER = "import time\ntime.sleep(60)\n"
STUBBORN = "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n"


def _until(holds: Callable[[], bool]) -> None:
    for _ in range(500):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to be")


def _module(folder: Path, text: str) -> dict[str, str]:
    (folder / "twin_program.py").write_text(text)
    return {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{Path.cwd()}"}


def _gone(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return True
    return state == "Z"


def test_a_busy_port_is_named() -> None:
    with listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(Unavailable, match="PORT_BUSY"):
            check_port("127.0.0.1", port)
    check_port("127.0.0.1", port)


def test_an_address_that_is_not_ours_cannot_be_taken() -> None:
    with pytest.raises(Unavailable, match="cannot be taken"):
        check_port("203.0.113.1", 8321)


def test_a_home_runs_once(tmp_path: Path) -> None:
    with only_one(tmp_path, "serve"):
        with pytest.raises(Conflict, match="HOME_BUSY"), only_one(tmp_path, "serve"):
            pass
        with only_one(tmp_path, "worker"):
            pass
    with only_one(tmp_path, "serve"):
        pass


@pytest.mark.parametrize("program", ["serve", "worker"])
def test_no_program_runs_on_an_empty_folder(command: Command, tmp_path: Path, program: str) -> None:
    done = command(program, "--home", tmp_path)
    assert (done.code, done.err[:12]) == (5, "HOME_MISSING")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("program", ["serve", "worker"])
def test_a_home_of_a_newer_version_is_left_alone(
    command: Command, tmp_path: Path, program: str
) -> None:
    (tmp_path / "version").write_text("2\n")
    done = command(program, "--home", tmp_path)
    assert (done.code, done.err[:10]) == (7, "HOME_NEWER")
    assert [path.name for path in tmp_path.iterdir()] == ["version"]


def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    child = Child("twin_program", [], _module(tmp_path, SLEEPER))
    child.start()
    _until(lambda: child.pid is not None)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    _until(lambda: child.starts == 2 and child.pid not in {None, first})
    second = child.pid
    child.stop()
    assert second is not None
    _until(lambda: _gone(second))
    assert child.starts == 2


def test_a_stubborn_child_is_ended_anyway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saferoom.cli.child.GRACE_SECONDS", 0.3)
    child = Child("twin_program", [], _module(tmp_path, STUBBORN))
    child.start()
    _until(lambda: child.pid is not None)
    time.sleep(0.5)  # until it has said that it ignores the signal
    pid = child.pid
    child.stop()
    assert pid is not None
    _until(lambda: _gone(pid))


def test_stopping_before_starting_starts_nothing(tmp_path: Path) -> None:
    child = Child("twin_program", [], _module(tmp_path, SLEEPER))
    child.stop()
    child.start()
    time.sleep(0.1)
    assert child.starts == 0


@pytest.mark.parametrize("program", [SLEEPER, STUBBORN])
def test_a_killed_parent_takes_its_child_along(program: str, tmp_path: Path) -> None:
    parent = (
        "import time\nfrom saferoom.cli.child import Child\n"
        "child = Child('twin_program', [])\nchild.start()\n"
        "while child.pid is None: time.sleep(0.01)\n"
        "print(child.pid, flush=True)\ntime.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        env=_module(tmp_path, program),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    pid = int(process.stdout.readline())
    time.sleep(0.5)  # until the leash is on
    process.kill()
    process.wait()
    process.stdout.close()
    _until(lambda: _gone(pid))
