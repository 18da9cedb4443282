"""What can the locked-down worker still bring about?

Each effect is tried for real; it must fail. A worker that forks or execs here shows
itself: the child leaves at once and the parent says so, an exec'd program never reports.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import socket
import sys
from collections.abc import Callable

SUCCEEDED = "succeeded"
FOUR_GIB = 4 * 2**30

_PTRACE_TRACEME = 0
_MAP_NORESERVE = 0x4000  # the host's overcommit rules shall not help; only our limit may


def _open(_: int) -> None:
    os.close(os.open("/", os.O_RDONLY))


def _socket(_: int) -> None:
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()


def _fork(_: int) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)


def _exec(_: int) -> None:
    os.execv(sys.executable, [sys.executable, "-I", "-c", ""])  # noqa: S606  # it must fail


def _ptrace(_: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(_PTRACE_TRACEME, 0, None, None) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def _other_process(parent: int) -> None:
    os.close(os.open(f"/proc/{parent}/status", os.O_RDONLY))


def _memory(_: int) -> None:
    mmap.mmap(-1, FOUR_GIB, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | _MAP_NORESERVE).close()


def _kill(parent: int) -> None:
    os.kill(parent, 0)


def _code(_: int) -> None:
    mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).close()


# `exec` is last: if it works, nothing after it would be tried.
EFFECTS: dict[str, Callable[[int], None]] = {
    "open": _open,
    "socket": _socket,
    "fork": _fork,
    "ptrace": _ptrace,
    "other_process": _other_process,
    "allocate_4_gib": _memory,
    "kill": _kill,
    "new_code": _code,
    "exec": _exec,
}


def run(parent: int) -> dict[str, str]:
    """Try every effect against the parent's pid; effect → how it failed."""
    return {name: _try(effect, parent) for name, effect in EFFECTS.items()}


def findings(report: dict[str, str]) -> list[str]:
    """List effects that succeeded or were not tried."""
    return [name for name in EFFECTS if report.get(name, SUCCEEDED) == SUCCEEDED]


def _try(effect: Callable[[int], None], parent: int) -> str:
    try:
        effect(parent)
    except MemoryError:
        return "MemoryError"
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, "OSError")
    return SUCCEEDED
