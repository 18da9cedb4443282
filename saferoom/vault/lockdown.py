"""What does the vault's process give up before it opens a key?

No core dumps, no reading of its memory by others of the same user, no pickle. Root can
still read its memory: only a hardware enclave would change that, and SECURITY.md says so.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path

UNSAFE_TEST_DUMPABLE = "SAFEROOM_UNSAFE_TEST_DUMPABLE"
UNSAFE_TEST_HOME = "UNSAFE-TEST-HOME"  # a file of HOME/vault that no program of ours makes
_PR_SET_DUMPABLE = 4


def lock_down(environment: Mapping[str, str], home: Path) -> None:
    """Apply it all; only a home that tests marked leaves memory readable, and says so."""
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    sys.addaudithook(_refuse_pickle)
    if environment.get(UNSAFE_TEST_DUMPABLE) == "1":
        if (home / "vault" / UNSAFE_TEST_HOME).is_file():
            sys.stderr.write(f"WARNING: {UNSAFE_TEST_DUMPABLE}=1: others can read this memory\n")
            return
        sys.stderr.write(f"WARNING: {UNSAFE_TEST_DUMPABLE} is ignored: no home of a test\n")
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def _refuse_pickle(event: str, _: tuple[object, ...]) -> None:
    if event == "pickle.find_class":
        os.write(2, b"pickle in the vault: aborting\n")
        os.abort()
