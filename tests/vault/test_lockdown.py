"""Is the vault's memory closed, and open in a marked home of a test alone?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from saferoom.vault.lockdown import UNSAFE_TEST_DUMPABLE, UNSAFE_TEST_HOME

LOCK_DOWN = (
    "import ctypes, os, pathlib, pickle, resource, sys\n"
    "from saferoom.vault.lockdown import lock_down\n"
    "lock_down(os.environ, pathlib.Path(sys.argv[1]))\n"
    "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)\n"
)


def locked_down(home: Path, more: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", LOCK_DOWN + more, str(home)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, UNSAFE_TEST_DUMPABLE: "", **environment},
    )


@pytest.mark.parametrize(
    ("value", "marked", "dumpable"),
    [("1", False, 0), ("0", True, 0), ("", True, 0), ("1", True, 1)],
)
def test_only_the_loud_name_in_a_marked_home_leaves_memory_readable(
    tmp_path: Path, value: str, marked: bool, dumpable: int
) -> None:
    (tmp_path / "vault").mkdir()
    if marked:
        (tmp_path / "vault" / UNSAFE_TEST_HOME).touch()
    done = locked_down(tmp_path, **{UNSAFE_TEST_DUMPABLE: value})
    assert int(done.stdout) == dumpable
    assert (UNSAFE_TEST_DUMPABLE in done.stderr) == (value == "1")


def test_there_is_no_core_dump_and_a_pickle_aborts(tmp_path: Path) -> None:
    more = (
        "assert resource.getrlimit(resource.RLIMIT_CORE) == (0, 0)\n"
        "pickle.loads(b'cos\\nsystem\\n.')\n"
        "print('loaded')\n"
    )
    done = locked_down(tmp_path, more)
    assert (done.stdout, done.returncode) == ("0\n", -6)
