"""How does the vault start a cage, feed it, and survive it?

The worker is exec'd clean: an empty environment, no descriptor but one socket, a
session of its own. Everything it sends is bounded and checked as if an attacker had
written it. It dies with this process: a thread of its own starts it and waits for it,
because the kernel ties the death signal to the starting *thread*.

After a fault the cage is dead; the caller starts another. A cage holds one model at
a time: give it to one bank only.
"""

from __future__ import annotations

import fcntl
import math
import os
import queue
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NoReturn, Self

import numpy as np

from saferoom import wire
from saferoom.cage import engines, seccomp, self_test
from saferoom.cage.limits import Limits
from saferoom.canonical import Json
from saferoom.errors import BadInput, Isolation, Unavailable
from saferoom.scoring.evaluation import REFUSED, Grades
from saferoom.scoring.form import SCORERS
from saferoom.scoring.functions import Floats
from saferoom.scoring.trees import MOST_DEPTH

CHUNK_BYTES = 8 * 2**20  # of matrix per call, so memory does not grow with a portfolio
CHUNK_PARTS = 10**7  # rows × trees per call, so its deadline does not tighten with a model
INLINE_BYTES = 2**15  # a smaller matrix travels in the call; sharing it would take longer
PROGRAM = (sys.executable, "-I", "-B", "-m", "saferoom.cage", "worker")
ENVIRONMENT = {"LC_ALL": "C.UTF-8", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE

_LARGEST_HEADER = 64 * 2**10
_ENGINES = (engines.QUICK, engines.NATIVE, engines.PORTABLE)
_REFUSALS = frozenset(
    {
        *("MODEL_FORMAT", "MODEL_MALFORMED", "TOO_LARGE"),
        *("GOLDEN_MISSING", "GOLDEN_UNVISITED", "GOLDEN_DIFFERS"),
    }
)
_DETAIL = re.compile(r"[A-Za-z0-9_ ,.:;'\[\]-]{1,120}")

Reason = Literal["timeout", "memory", "death"]


class CageFault(Exception):
    """The cage is dead; the vault turns it into the outcome "refused"."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True)
class Shape:
    """What operators may see of a model."""

    features: tuple[str, ...]
    scorer: str
    parts: int
    leaves: int
    grades: int
    depth: int


class Cage:
    """One exec'd, locked-down worker."""

    def __init__(self, channel: wire.TimedSocket, keeper: _Keeper, limits: Limits) -> None:
        self._channel = channel
        self._keeper = keeper
        self._limits = limits
        self._lock = threading.Lock()
        self._shape: Shape | None = None
        self.engine = ""  # which one scores trees: native or portable
        self.report: dict[str, str] = {}
        self.protections: dict[str, str] = {}

    @classmethod
    def start(
        cls,
        limits: Limits | None = None,
        program: Sequence[str] = PROGRAM,
        *,
        engine: str = engines.AUTO,
    ) -> Cage:
        """Start a worker and check its self-test; `program` is for tests' broken twins."""
        seccomp.machine()
        if engine not in engines.CHOICES:
            raise BadInput(
                "SETTING_INVALID", "the cage's engine is auto, quick, native or portable"
            )
        limits = limits or Limits()
        ours, theirs = socket.socketpair()
        with theirs:
            channel = wire.TimedSocket(fileno=ours.detach())
            try:
                keeper = _Keeper(
                    [*program, str(theirs.fileno()), str(limits.memory_bytes), engine],
                    theirs.fileno(),
                )
            except OSError as error:
                channel.close()
                raise Unavailable("CAGE_UNAVAILABLE") from error
        cage = cls(channel, keeper, limits)
        try:
            cage._greet()
        except BaseException:
            cage.close()
            raise
        return cage

    @property
    def pid(self) -> int:
        """Name the worker's process."""
        return self._keeper.pid

    def load(
        self, artefact: bytes, features: tuple[str, ...], grades: int, *, golden: bool = False
    ) -> Shape:
        """Read an unsealed artefact strictly; its features and grades must be as declared.

        With `golden`, at submission, its golden rows must reach all of it and score as said.
        """
        names: list[Json] = list(features)
        header: dict[str, Json] = {"verb": "load", "features": names, "grades": grades}
        header |= {"golden": golden}
        with self._lock:
            self._shape = None
            self._begin(self._limits.load_seconds)
            try:
                wire.send(self._channel, header, [artefact])
                answer = self._receive(0).header
            except (OSError, BadInput) as error:
                self._fail_from(error)
            if "error" in answer:
                raise self._refusal(answer)
            self._shape = self._read_shape(answer, features, grades)
            return self._shape

    def evaluate(self, matrix: Floats, seconds: float = math.inf) -> Grades:
        """Grade each row of (n, features) within so many seconds in all; NaN is missing.

        `REFUSED` is the grade of a row that the model's own rules refuse.
        """
        ends = time.monotonic() + seconds
        with self._lock:
            shape = self._shape
            if shape is None:
                raise ValueError("load a model first")
            if matrix.ndim != 2 or matrix.shape[1] != len(shape.features):
                raise ValueError("the matrix has one column per feature of the model")
            rows = CHUNK_BYTES // (8 * len(shape.features))
            rows = max(1, min(rows, CHUNK_PARTS // shape.parts))
            chunks = [
                self._evaluate_chunk(matrix[start : start + rows], shape.grades, ends)
                for start in range(0, len(matrix), rows)
            ]
        return np.concatenate(chunks) if chunks else np.empty(0, np.int16)

    def close(self) -> None:
        """Kill the worker and wait for its end; allowed twice."""
        self._channel.close()
        self._keeper.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _evaluate_chunk(self, matrix: Floats, grades: int, ends: float) -> Grades:
        rows = len(matrix)
        left = ends - time.monotonic()
        if left <= 0:
            self._fail("timeout")
        self._begin(min(self._limits.evaluate_seconds, left))
        try:
            self._send_matrix(matrix)
            answer = self._receive(2 * rows)
        except (OSError, BadInput) as error:
            self._fail_from(error)
        if answer.header or len(answer.attachments) != 1 or len(answer.attachments[0]) != 2 * rows:
            self._fail("death")
        indices = np.frombuffer(answer.attachments[0], "<i2").astype(np.int16)
        if indices.min() < REFUSED or indices.max() >= grades:
            self._fail("death")
        return indices

    def _send_matrix(self, matrix: Floats) -> None:
        rows, columns = matrix.shape
        header: dict[str, Json] = {"verb": "evaluate", "rows": rows, "columns": columns}
        if rows * columns * 8 <= INLINE_BYTES:
            wire.send(self._channel, header, [np.asarray(matrix, np.float64).tobytes()])
            return
        descriptor = seal_matrix(matrix)
        try:
            wire.send(self._channel, header)
            socket.send_fds(self._channel, [b"\0"], [descriptor])
        finally:
            os.close(descriptor)

    def _greet(self) -> None:
        """Wait for the worker's self-test; believe only a complete report."""
        self._channel.arm(self._limits.start_seconds)
        warm = False
        try:
            first = self._receive(0).header
            warm = first.get("stage") == "warm"
            if not warm:
                raise Unavailable("CAGE_UNAVAILABLE", _detail(first))
            report = self._receive(0).header
        except (OSError, BadInput, CageFault) as error:
            if warm:
                raise Isolation("CAGE_BROKEN", "it died in its self-test") from error
            raise Unavailable("CAGE_UNAVAILABLE", "the worker did not start") from error
        engine = report.get("engine")
        if report.get("stage") != "locked" or engine not in _ENGINES:
            raise Isolation("CAGE_BROKEN", _detail(report))
        self.engine = str(engine)
        self.report = _texts(report.get("effects"))
        self.protections = _texts(report.get("protections"))
        if found := self_test.findings(self.report):
            raise Isolation("CAGE_BROKEN", ", ".join(found))

    def _begin(self, seconds: float) -> None:
        if self._channel.fileno() < 0:
            raise CageFault("death")
        self._channel.arm(seconds)

    def _receive(self, largest: int) -> wire.Frame:
        answer = wire.receive(self._channel, _LARGEST_HEADER, largest)
        if answer.header.get("fault") == "memory":
            self._fail("memory")
        return answer

    def _read_shape(self, answer: dict[str, Json], features: tuple[str, ...], grades: int) -> Shape:
        match answer:
            case {"scorer": str(scorer), "parts": int(parts), "leaves": int(leaves)} if (
                scorer in SCORERS and 0 < parts <= leaves
            ):
                depth = answer.get("depth")
            case _:
                self._fail("death")
        if not isinstance(depth, int) or not 0 <= depth <= MOST_DEPTH:
            self._fail("death")
        return Shape(features, scorer, parts, leaves, grades, depth)

    def _refusal(self, answer: dict[str, Json]) -> BadInput:
        code = answer["error"]
        if not isinstance(code, str) or code not in _REFUSALS:
            self._fail("death")
        return BadInput(code, _detail(answer))

    def _fail_from(self, error: Exception) -> NoReturn:
        self._fail("timeout" if isinstance(error, TimeoutError) else "death")

    def _fail(self, reason: Reason) -> NoReturn:
        self.close()
        raise CageFault(reason) from None


def seal_matrix(matrix: Floats) -> int:
    """Copy rows into a memfd that nobody can change any more."""
    data = np.ascontiguousarray(matrix, np.float64)
    descriptor = os.memfd_create("matrix", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        rest = data.data.cast("B")
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, SEALS)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


class _Keeper:
    """The thread that starts a worker, outlives it, and reaps it."""

    def __init__(self, command: Sequence[str], channel: int) -> None:
        started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError] = queue.SimpleQueue()
        self._thread = threading.Thread(
            target=_keep, args=(command, channel, started), name="cage-keeper", daemon=True
        )
        self._thread.start()
        outcome = started.get()
        if isinstance(outcome, OSError):
            raise outcome
        self._process = outcome
        self.pid = outcome.pid

    def kill(self) -> None:
        """End the worker and wait until it is gone."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._thread.join()


def _keep(
    command: Sequence[str],
    channel: int,
    started: queue.SimpleQueue[subprocess.Popen[bytes] | OSError],
) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603  # our own program, no shell
            [*command, str(os.getpid())],
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(channel,),
            start_new_session=True,
        )
    except OSError as error:
        started.put(error)
        return
    started.put(process)
    process.wait()


def _detail(answer: dict[str, Json]) -> str | None:
    """Pass on a worker's words only if they are few and plain."""
    detail = answer.get("detail")
    return detail if isinstance(detail, str) and _DETAIL.fullmatch(detail) else None


def _texts(value: Json) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: text for key, text in value.items() if isinstance(text, str)}
