"""Does the filter's program decide as its table says, on both machines?

A small interpreter of classic BPF runs the very bytes that the kernel would get, so
aarch64 is tested on x86-64 too.
"""

from __future__ import annotations

import os
import struct
from types import SimpleNamespace

import pytest

from saferoom.cage import seccomp
from saferoom.cage.seccomp import MACHINES, Machine, build_filter
from saferoom.errors import Isolation
from tests.cage.twins import CALLS

ALLOW, KILL, EPERM = 0x7FFF0000, 0x80000000, 0x00050001


def decide(program: bytes, audit: int, number: int, *arguments: int) -> int:
    padded = [*arguments, 0, 0, 0, 0, 0, 0][:6]
    data = struct.pack("<iIQ6Q", number, audit, 0, *padded)
    instructions = list(struct.iter_unpack("=HBBI", program))
    at, word = 0, 0
    while True:
        code, yes, no, operand = instructions[at]
        at += 1
        match code:
            case 0x20:
                (word,) = struct.unpack_from("<I", data, operand)
            case 0x15:
                at += yes if word == operand else no
            case 0x35:
                at += yes if word >= operand else no
            case 0x45:
                at += yes if word & operand else no
            case 0x06:
                return int(operand)
            case _:
                raise AssertionError(code)


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> Machine:
    return MACHINES[request.param]


def test_every_call_is_refused_but_those_of_the_table(machine: Machine) -> None:
    program = build_filter(machine)
    allowed = {
        number for number in range(600) if decide(program, machine.audit, number, 0, 1034) == ALLOW
    }
    assert allowed == set(machine.numbers.values())
    assert decide(program, machine.audit, 500) == EPERM


def test_no_dangerous_call_is_in_the_table(machine: Machine) -> None:
    named = {"open", "openat", "read", "write", "execve", "fork", "clone", "clone3", "kill"}
    assert not named & machine.numbers.keys()
    column = list(MACHINES.values()).index(machine)
    dangerous = {numbers[column] for name, numbers in CALLS.items() if name != "mmap"}
    assert not dangerous & set(machine.numbers.values())


def test_both_machines_allow_the_same_calls() -> None:
    tables = [machine.numbers for machine in MACHINES.values()]
    assert tables[0].keys() == tables[1].keys()
    assert all(len(set(table.values())) == len(table) for table in tables)


def test_new_code_is_refused(machine: Machine) -> None:
    program = build_filter(machine)
    for name in ("mmap", "mprotect"):
        number = machine.numbers[name]
        assert decide(program, machine.audit, number, 0, 4096, 3) == ALLOW
        for protection in (4, 5, 7):
            assert decide(program, machine.audit, number, 0, 4096, protection) == EPERM


def test_fcntl_duplicates_and_reads_seals_and_no_more(machine: Machine) -> None:
    program = build_filter(machine)
    commands = {
        command
        for command in range(1100)
        if decide(program, machine.audit, machine.numbers["fcntl"], 3, command) == ALLOW
    }
    assert commands == {1030, 1034}


def test_another_architecture_is_killed(machine: Machine) -> None:
    program = build_filter(machine)
    others = [0x40000003, *(each.audit for each in MACHINES.values() if each is not machine)]
    for other in others:
        assert decide(program, other, machine.numbers["mmap"]) == KILL


def test_x32_is_killed() -> None:
    program = build_filter(MACHINES["x86_64"])
    for number in (0, 9, 45, 59):
        assert decide(program, MACHINES["x86_64"].audit, 0x40000000 | number) == KILL


def test_the_program_fits_the_kernel_s_limit(machine: Machine) -> None:
    assert len(build_filter(machine)) // 8 <= 4096


@pytest.mark.parametrize(("platform", "name"), [("darwin", "arm64"), ("linux", "riscv64")])
def test_other_platforms_are_refused(
    monkeypatch: pytest.MonkeyPatch, platform: str, name: str
) -> None:
    monkeypatch.setattr(seccomp.sys, "platform", platform)  # type: ignore[attr-defined]
    monkeypatch.setattr(os, "uname", lambda: SimpleNamespace(machine=name))
    with pytest.raises(Isolation) as caught:
        seccomp.machine()
    assert caught.value.code == "PLATFORM"


def test_a_kernel_without_seccomp_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    libc = SimpleNamespace(syscall=lambda *_: -1)
    monkeypatch.setattr(seccomp.ctypes, "CDLL", lambda *_, **__: libc)  # type: ignore[attr-defined]
    with pytest.raises(Isolation, match="seccomp"):
        seccomp.install(build_filter(MACHINES["x86_64"]))
