"""Which system calls may the locked-down worker still make?

A BPF program written as raw bytes for x86-64 and aarch64, so nothing is installed.
It checks the architecture first (another one, or x32: the process is killed), then
allows what a scoring loop on one socket needs, some only with harmless arguments.
Everything else fails with EPERM, so that the self-test can show each effect failing.

Left out on purpose: `read` and `write` (the channel uses recvfrom and sendto), every
`open`, `stat` and `clone`: there are no files, and one thread does the work.
`mmap` and `mprotect` refuse PROT_EXEC: no new code appears after the lock-down.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from saferoom.errors import Isolation

_ALLOW = 0x7FFF0000
_KILL_PROCESS = 0x80000000
_EPERM = 0x00050000 | 1

_LOAD_WORD = 0x20  # BPF_LD | BPF_W | BPF_ABS
_JUMP_EQUAL = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_JUMP_AT_LEAST = 0x35  # BPF_JMP | BPF_JGE | BPF_K
_JUMP_ANY_BIT = 0x45  # BPF_JMP | BPF_JSET | BPF_K
_RETURN = 0x06  # BPF_RET | BPF_K

# struct seccomp_data: int nr; u32 arch; u64 instruction_pointer; u64 args[6]
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000

_PROT_EXEC = 4
_F_DUPFD_CLOEXEC = 1030  # Python's mmap keeps a duplicate of the descriptor
_F_GET_SEALS = 1034


@dataclass(frozen=True)
class Machine:
    """One architecture: its audit number and its numbers of system calls."""

    audit: int
    has_x32: bool
    seccomp: int  # the number of the call that puts the filter in place
    numbers: Mapping[str, int]


# From the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
MACHINES: Mapping[str, Machine] = {
    "x86_64": Machine(
        audit=0xC000003E,
        has_x32=True,
        seccomp=317,
        numbers={
            "recvfrom": 45,
            "sendto": 44,
            "recvmsg": 47,
            "futex": 202,
            "close": 3,
            "lseek": 8,
            "fcntl": 72,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "mremap": 25,
            "madvise": 28,
            "brk": 12,
            "clock_gettime": 228,
            "getrandom": 318,
            "getpid": 39,
            "gettid": 186,
            "sched_yield": 24,
            "sched_getaffinity": 204,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "restart_syscall": 219,
            "exit": 60,
            "exit_group": 231,
        },
    ),
    "aarch64": Machine(
        audit=0xC00000B7,
        has_x32=False,
        seccomp=277,
        numbers={
            "recvfrom": 207,
            "sendto": 206,
            "recvmsg": 212,
            "futex": 98,
            "close": 57,
            "lseek": 62,
            "fcntl": 25,
            "mmap": 222,
            "mprotect": 226,
            "munmap": 215,
            "mremap": 216,
            "madvise": 233,
            "brk": 214,
            "clock_gettime": 113,
            "getrandom": 278,
            "getpid": 172,
            "gettid": 178,
            "sched_yield": 124,
            "sched_getaffinity": 123,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "restart_syscall": 128,
            "exit": 93,
            "exit_group": 94,
        },
    ),
}


def machine() -> Machine:
    """Return this computer's architecture, or refuse the platform."""
    name = os.uname().machine if sys.platform == "linux" else ""
    if name not in MACHINES or struct.calcsize("P") != 8:
        raise Isolation("PLATFORM", "the cage needs Linux on 64-bit x86-64 or aarch64")
    return MACHINES[name]


def build_filter(target: Machine, also_allowed: Sequence[int] = ()) -> bytes:
    """Write the program; `also_allowed` adds calls with any arguments."""
    program = [
        _instruction(_LOAD_WORD, _ARCHITECTURE),
        _instruction(_JUMP_EQUAL, target.audit, yes=1),
        _instruction(_RETURN, _KILL_PROCESS),
        _instruction(_LOAD_WORD, _NUMBER),
    ]
    if target.has_x32:
        program += [
            _instruction(_JUMP_AT_LEAST, _X32_BIT, no=1),
            _instruction(_RETURN, _KILL_PROCESS),
        ]
    for number in also_allowed:
        program += _allow(number, [])
    for name, number in target.numbers.items():
        program += _allow(number, _argument_rule(name))
    return b"".join([*program, _instruction(_RETURN, _EPERM)])


def install(program: bytes) -> None:
    """Bind every thread of this process to the program; `no_new_privs` must be set before."""
    libc = ctypes.CDLL(None, use_errno=True)
    buffer = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        """`struct sock_fprog`."""

        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    fprog = Program(len(program) // 8, ctypes.addressof(buffer))
    set_filter, all_threads = 1, 1  # a library's own thread must not stay outside
    # Not 0: refused, or the number of a thread that could not be bound.
    if libc.syscall(machine().seccomp, set_filter, all_threads, ctypes.byref(fprog)) != 0:
        raise Isolation("CAGE_BROKEN", "seccomp is not available")


def _argument_rule(name: str) -> list[bytes]:
    """Return instructions that end in EPERM for arguments that we do not need."""
    if name in {"mmap", "mprotect"}:  # third argument: protection
        return [
            _instruction(_LOAD_WORD, _ARGUMENTS + 8 * 2),
            _instruction(_JUMP_ANY_BIT, _PROT_EXEC, no=1),
            _instruction(_RETURN, _EPERM),
        ]
    if name == "fcntl":  # second argument: command
        return [
            _instruction(_LOAD_WORD, _ARGUMENTS + 8 * 1),
            _instruction(_JUMP_EQUAL, _F_DUPFD_CLOEXEC, yes=2),
            _instruction(_JUMP_EQUAL, _F_GET_SEALS, yes=1),
            _instruction(_RETURN, _EPERM),
        ]
    return []


def _allow(number: int, rule: list[bytes]) -> list[bytes]:
    """If it is this call: apply its rule, then allow; else go on."""
    skip = len(rule) + 1
    return [
        _instruction(_JUMP_EQUAL, number, no=skip),
        *rule,
        _instruction(_RETURN, _ALLOW),
    ]


def _instruction(code: int, operand: int, *, yes: int = 0, no: int = 0) -> bytes:
    """`struct sock_filter`, with jumps counted in instructions."""
    return struct.pack("=HBBI", code, yes, no, operand)
