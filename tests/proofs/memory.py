"""What lies in another process's memory, and can it be held still meanwhile?

Everything that a process may have written: heap, stacks, anonymous and shared mappings,
writable parts of files. Read page by page where a page is really there, since allocators
reserve gigabytes and touch little of them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np

from tests.proofs.canaries import Finder, Needle

PAGE = os.sysconf("SC_PAGE_SIZE")
THERE = np.uint64(0b11 << 62)  # present or swapped (Documentation/admin-guide/mm/pagemap.rst)
LARGEST_READ = 64 * 2**20


def readable(pid: int) -> bool:
    """Say whether we may look."""
    try:
        os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def find_in_memory(finder: Finder, pid: int) -> set[Needle]:
    """Seek in one process; one that is gone holds nothing."""
    found: set[Needle] = set()
    with suppress(FileNotFoundError, ProcessLookupError):
        for data in _memory(pid, finder.longest):
            found |= finder.find(data)
    return found


def command(pid: int) -> str:
    """Read how a process was started."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
    except OSError:
        return ""


def descendants(pid: int) -> list[int]:
    """List the children of a process, each followed by its own."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                children.setdefault(int(stat[1]), []).append(int(entry.name))
    return _below(children, pid)


def _below(children: dict[int, list[int]], pid: int) -> list[int]:
    found = children.get(pid, [])
    return [one for child in found for one in (child, *_below(children, child))]


def cpu_seconds(pid: int) -> float:
    """Count how long all threads of a process have run (proc_pid_schedstat, nanoseconds)."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        with suppress(OSError, ValueError):
            spent += int(task.read_text().split()[0])
    return spent / 1e9


@contextmanager
def held_still(pids: Sequence[int]) -> Iterator[None]:
    """Stop processes for a moment."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _memory(pid: int, overlap: int) -> Iterator[bytes]:
    memory = os.open(f"/proc/{pid}/mem", os.O_RDONLY | os.O_CLOEXEC)
    pages = os.open(f"/proc/{pid}/pagemap", os.O_RDONLY | os.O_CLOEXEC)
    try:
        for start, end in _mappings(pid):
            for first, last in _present(pages, start, end):
                yield from _read(memory, first, last, overlap)
    finally:
        os.close(memory)
        os.close(pages)


def _mappings(pid: int) -> Iterator[tuple[int, int]]:
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, mode, _, _, _, *name = line.split(maxsplit=5)
        from_disk = bool(name) and name[0].startswith("/") and "memfd:" not in name[0]
        kernels = bool(name) and name[0] in {"[vvar]", "[vvar_vclock]", "[vdso]", "[vsyscall]"}
        if mode[0] == "r" and not kernels and (mode[1] == "w" or not from_disk):
            start, end = span.split("-")
            yield int(start, 16), int(end, 16)


def _present(pages: int, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Find the runs of pages that are there."""
    entries = os.pread(pages, (end - start) // PAGE * 8, start // PAGE * 8)
    there = (np.frombuffer(entries, "<u8") & THERE) != 0
    edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(np.int8)))
    for first, last in edges.reshape(-1, 2).tolist():
        yield start + first * PAGE, start + last * PAGE


def _read(memory: int, first: int, last: int, overlap: int) -> Iterator[bytes]:
    at = first
    while at < last:
        with suppress(OSError):  # unmapped since: not there
            data = os.pread(memory, min(last - at, LARGEST_READ + overlap), at)
            if len(data) >= 4:
                yield data
        at += LARGEST_READ
