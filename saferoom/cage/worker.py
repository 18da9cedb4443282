"""What does the caged process do, before and after the door is shut?

`python -I -m saferoom.cage worker CHANNEL MEMORY ENGINE PARENT`: import, warm up, lock
down, prove it, then answer `load` and `evaluate` on one socket until the other end closes.
It holds one model and one chunk of rows at a time, and no key, file or network.

Frames: `{"stage":"warm"}`, then `{"stage":"locked","effects":…,"engine":…,
"protections":…}` or `{"stage":"broken","detail":…}`; after that one answer per call. A
matrix comes with its call, a large one as a sealed memfd; grades go back as little-endian int16.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import socket
from collections.abc import Sequence

import numpy as np

from saferoom import wire
from saferoom.cage import engines, lockdown, seccomp, self_test
from saferoom.cage.engines import Engine
from saferoom.canonical import Json
from saferoom.errors import BadInput, Isolation, Unavailable
from saferoom.scoring import artefact as artefacts
from saferoom.scoring.artefact import Artefact
from saferoom.scoring.evaluation import Evaluator, Grades, grade_indices, taken
from saferoom.scoring.form import Form
from saferoom.scoring.functions import Floats
from saferoom.scoring.golden import check_golden, same_scores


class Worker:
    """The loop behind the locked door; also run without the door, by tests."""

    def __init__(self, channel: socket.socket, engine: Engine) -> None:
        self._channel = channel
        self._engine = engine
        self._artefact: Artefact | None = None
        self._evaluator: Evaluator | None = None

    def serve(self) -> None:
        """Answer until the other end closes or memory runs out."""
        with contextlib.suppress(ConnectionError):  # ChannelClosed is one
            while self._answer(wire.receive(self._channel)):
                pass

    def _answer(self, frame: wire.Frame) -> bool:
        """Answer one call; false when this process should not go on."""
        try:
            match frame.header.get("verb"):
                case "load":
                    header, data = self._load(frame), b""
                case "evaluate":
                    header, data = self._evaluate(frame)
                case _:
                    return False
        except BadInput as error:
            header, data = {"error": error.code, "detail": error.detail}, b""
        except MemoryError:  # what is left half done is not trusted again
            wire.send(self._channel, {"fault": "memory"})
            return False
        wire.send(self._channel, header, [data] if data else [])
        return True

    def _load(self, frame: wire.Frame) -> dict[str, Json]:
        self._forget()
        (data,) = frame.attachments
        features, grades = frame.header["features"], frame.header["grades"]
        if not isinstance(features, list) or type(grades) is not int:
            raise BadInput("FIELD_INVALID", "load")
        model = artefacts.read_artefact(data)
        form = artefacts.read_model(model)
        artefacts.check_declared(model, form, tuple(map(str, features)), grades)
        evaluator = Evaluator(form, self._engine.load)
        if frame.header.get("golden") is True:
            _check_golden(model, form, evaluator)
        self._evaluator, self._artefact = evaluator, model
        return {
            "scorer": form.scorer,
            "parts": form.parts,
            "leaves": form.leaves,
            "depth": form.depth,
        }

    def _evaluate(self, frame: wire.Frame) -> tuple[dict[str, Json], bytes]:
        rows, columns = frame.header["rows"], frame.header["columns"]
        if type(rows) is not int or type(columns) is not int or rows < 1 or columns < 1:
            raise BadInput("FIELD_INVALID", "evaluate")
        if frame.attachments:
            grades = self._grade_inline(frame.attachments[0], rows, columns)
        else:
            grades = self._grade_shared(receive_descriptor(self._channel), rows, columns)
        return {}, grades.astype("<i2").tobytes()

    def _grade_inline(self, data: bytes, rows: int, columns: int) -> Grades:
        if len(data) != rows * columns * 8:
            raise BadInput("FIELD_INVALID", "size of the matrix")
        return self._grade(np.frombuffer(data, np.float64).reshape(rows, columns))

    def _grade_shared(self, descriptor: int, rows: int, columns: int) -> Grades:
        size = rows * columns * 8
        try:
            if os.lseek(descriptor, 0, os.SEEK_END) != size:  # else reading on would be SIGBUS
                raise BadInput("FIELD_INVALID", "size of the matrix")
            shared = map_read_only(descriptor, size)
        finally:
            os.close(descriptor)
        matrix = np.frombuffer(shared, np.float64).reshape(rows, columns)
        try:
            return self._grade(matrix)
        finally:
            del matrix  # the map cannot close while an array points into it
            with contextlib.suppress(BufferError):
                shared.close()

    def _grade(self, matrix: Floats) -> Grades:
        if self._evaluator is None or self._artefact is None:
            raise BadInput("FIELD_INVALID", "no model is loaded")
        return _grades(self._artefact, self._evaluator.scores(matrix))

    def _forget(self) -> None:
        """Drop the model before, whatever becomes of the next."""
        self._artefact = self._evaluator = None


def _grades(model: Artefact, scores: Floats) -> Grades:
    return grade_indices(scores, model.thresholds, model.direction)


def _check_golden(model: Artefact, form: Form, evaluator: Evaluator) -> None:
    """Refuse rows that leave something out, and a model that scores otherwise here."""
    golden = artefacts.read_golden(model)
    if golden is None:
        raise BadInput("GOLDEN_MISSING")
    check_golden(form, golden.rows, lambda rows: taken(evaluator, rows))
    scores = evaluator.scores(golden.rows)
    same = same_scores(form, golden.scores, scores)
    if not (same & (_grades(model, scores) == _grades(model, golden.scores))).all():
        raise BadInput("GOLDEN_DIFFERS")


def receive_descriptor(channel: socket.socket) -> int:
    """Take exactly one descriptor from the channel."""
    data, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
    if not data or len(descriptors) != 1:
        raise wire.ChannelClosed
    return descriptors[0]


def map_read_only(descriptor: int, size: int) -> mmap.mmap:
    """Map a sealed memfd; no room for it in the address space is a MemoryError."""
    try:
        return mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ)
    except OSError as error:
        raise MemoryError from error


def main(arguments: Sequence[str], also_allowed: Sequence[int] = ()) -> int:
    """Run the worker; `also_allowed` is for twins that a test breaks on purpose."""
    wish = arguments[2]
    number, memory_bytes, parent = (int(arguments[at]) for at in (0, 1, 3))
    with socket.socket(fileno=number) as channel:
        try:
            engine = engines.choose(wish)
            program = seccomp.build_filter(seccomp.machine(), also_allowed)
        except (Unavailable, Isolation) as error:
            wire.send(channel, {"stage": "absent", "detail": error.detail})
            return error.exit_code
        wire.send(channel, {"stage": "warm"})
        try:
            protections = lockdown.lock_down(number, memory_bytes, parent, program)
        except Isolation as error:
            wire.send(channel, {"stage": "broken", "detail": error.detail})
            return error.exit_code
        report: dict[str, Json] = {
            "stage": "locked",
            "engine": engine.name,
            "effects": {**self_test.run(parent)},
            "protections": {**protections},
        }
        wire.send(channel, report)
        Worker(channel, engine).serve()
    return 0
