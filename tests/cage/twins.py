"""Which broken twins of the worker must the host see through?

A twin is our own worker with one wall taken out on purpose, started by `Cage.start`
like the real one.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import pytest

from saferoom.cage import engines, quick
from saferoom.cage.host import Cage
from saferoom.cage.limits import Limits
from tests.scoring.training import needs_lightgbm

needs_kernel = pytest.mark.skipif(
    not quick.LIBRARY.exists(), reason="the kernel was not built: no C compiler was found"
)
ENGINES = [
    pytest.param(engines.QUICK, marks=needs_kernel),
    pytest.param(engines.NATIVE, marks=needs_lightgbm),
    engines.PORTABLE,
]

NO_OTHER_WALL = """
lockdown.forbid_files = lambda: "off"
lockdown.enter_namespaces = lambda: "off"
lockdown.drop_capabilities = lambda: None
"""
NO_LIMITS = "lockdown.set_limits = lambda memory_bytes: None\n"

# Numbers of system calls on x86-64 and aarch64.
CALLS = {
    "openat": (257, 56),
    "socket": (41, 198),
    "clone": (56, 220),
    "ptrace": (101, 117),
    "kill": (62, 129),
    "mmap": (9, 222),
    "execve": (59, 221),
}


def twin(changes: str, allowed: Sequence[int] = ()) -> tuple[str, ...]:
    """Write the command of a worker that was changed before it began."""
    code = (
        "import sys, time, os\n"
        "from saferoom import wire\n"
        "from saferoom.cage import engines, lockdown, native, quick, seccomp, self_test, worker\n"
        f"{changes}\n"
        f"sys.exit(worker.main(sys.argv[1:], {tuple(allowed)!r}))\n"
    )
    return (sys.executable, "-I", "-B", "-c", code)


def serving(body: str, limits: Limits | None = None) -> Cage:
    """Start a cage that is locked down as ever, but whose loop is this body."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    changes = f"def serve(self):\n    channel = self._channel\n{lines}worker.Worker.serve = serve"
    return Cage.start(limits, twin(changes))
