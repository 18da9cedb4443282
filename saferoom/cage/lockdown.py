"""How does the worker give up everything but its channel?

Mandatory, else the cage is broken: closed descriptors, rlimits, no_new_privs, no
capabilities, not dumpable, seccomp. Added where the kernel offers them: user, network,
IPC, UTS and mount namespaces, and landlock with no rules. What each is worth is not
believed here but shown by `self_test`.

Intake shuts itself in by the same walls, around files that it opened before.

Order matters: namespaces before no_new_privs, the death signal after the namespaces
(a change of credentials clears it), seccomp last.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal

from saferoom.cage import seccomp
from saferoom.errors import Isolation

_LARGEST_DESCRIPTOR = 16  # the channel, the matrix, and room for duplicates

_CLONE_NEWNS = 0x00020000
_CLONE_NEWUTS = 0x04000000
_CLONE_NEWIPC = 0x08000000
_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_NAMESPACES = _CLONE_NEWUSER | _CLONE_NEWNS | _CLONE_NEWUTS | _CLONE_NEWIPC | _CLONE_NEWNET

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITY_VERSION_3 = 0x20080522

_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446  # the same numbers on both machines
# Rights known to each ABI: file system bits, network bits, scope bits, size of the struct.
_LANDLOCK_ABIS = (
    (6, 16, 2, 2, 24),
    (5, 16, 2, 0, 16),
    (4, 15, 2, 0, 16),
    (3, 15, 0, 0, 8),
    (2, 14, 0, 0, 8),
    (1, 13, 0, 0, 8),
)


def lock_down(channel: int, memory_bytes: int, parent: int, program: bytes) -> dict[str, str]:
    """Lock this process for good; return which protections hold."""
    keep_only(channel)
    return give_up(memory_bytes, parent, program)


def give_up(memory_bytes: int, parent: int, program: bytes) -> dict[str, str]:
    """Give up everything but what is open; return which protections hold."""
    set_limits(memory_bytes)
    held = {"namespaces": enter_namespaces()}
    drop_capabilities()
    die_with(parent)
    gain_nothing()
    held["landlock"] = forbid_files()
    seccomp.install(program)
    return held | dict.fromkeys(("rlimits", "no_new_privs", "capabilities", "seccomp"), "on")


def keep_only(channel: int) -> None:
    """Close every descriptor but the standard three (on /dev/null) and the channel."""
    os.set_inheritable(channel, False)  # noqa: FBT003  # the signature is Python's
    most = os.sysconf("SC_OPEN_MAX")
    os.closerange(3, channel)
    os.closerange(channel + 1, most)


def set_limits(memory_bytes: int) -> None:
    """No files, no cores, no new tasks, bounded memory."""
    for limit, value in (
        (resource.RLIMIT_AS, memory_bytes),
        (resource.RLIMIT_NPROC, 0),  # means nothing to root; seccomp refuses clone anyway
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_NOFILE, _LARGEST_DESCRIPTOR),
    ):
        resource.setrlimit(limit, (value, value))


def enter_namespaces() -> str:
    """Leave the network and the rest behind where the host allows it."""
    allowed = _libc().unshare(_NAMESPACES) == 0
    return "on" if allowed else "not allowed by this host"


def drop_capabilities() -> None:
    """Empty all three sets: root in the cage is nobody."""
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()
    if _libc().capset(header, nothing) != 0:
        raise Isolation("CAGE_BROKEN", "capabilities cannot be dropped")


def die_with(parent: int) -> None:
    """Be killed when the starting thread ends; leave if it ended before this line."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, "death signal")
    _prctl(_PR_SET_DUMPABLE, 0, "dumpable")
    if os.getppid() != parent:
        raise Isolation("CAGE_BROKEN", "the starting process is gone")


def forbid_files() -> str:
    """Landlock without a single rule: no file, no TCP port, no signal outside."""
    libc = _libc()
    abi = libc.syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)
    for known, files, network, scopes, size in _LANDLOCK_ABIS:
        if abi >= known:
            rights = (ctypes.c_uint64 * 3)((1 << files) - 1, (1 << network) - 1, (1 << scopes) - 1)
            rules = libc.syscall(_LANDLOCK_CREATE, rights, ctypes.c_size_t(size), 0)
            held = rules >= 0 and libc.syscall(_LANDLOCK_RESTRICT, rules, 0) == 0
            if rules >= 0:
                os.close(rules)
            return f"on, ABI {known}" if held else "refused by this kernel"
    return "not in this kernel"


def gain_nothing() -> None:
    """No program that is started from here has more rights than this one."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1, "no_new_privs")


def _prctl(option: int, value: int, name: str) -> None:
    if _libc().prctl(option, value, 0, 0, 0) != 0:
        raise Isolation("CAGE_BROKEN", name)


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
