"""Does the worker's loop do its work where it can be watched: in this process, unlocked?"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from saferoom import wire
from saferoom.cage import __main__ as program
from saferoom.cage import engines, host, lockdown, native, self_test, worker
from saferoom.cage.worker import Worker
from saferoom.canonical import Json
from saferoom.errors import Isolation, Unavailable
from saferoom.scoring.artefact import LIGHTGBM_TEXT, build_artefact
from saferoom.scoring.evaluation import grade_indices
from saferoom.scoring.form import Direction
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.trees import Trees
from tests.cage.twins import ENGINES
from tests.scoring.training import FEATURES, needs_lightgbm, trained

THRESHOLDS = [0.2, 0.5, 0.8]


@pytest.fixture(params=ENGINES)
def channel(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)

    def serve() -> None:
        with theirs:
            Worker(theirs, engines.choose(request.param)).serve()

    loop = threading.Thread(target=serve)
    loop.start()
    yield ours
    ours.close()
    loop.join()


def ask(channel: socket.socket, header: dict[str, Json], *attachments: bytes) -> dict[str, Json]:
    wire.send(channel, header, attachments)
    return wire.receive(channel).header


def load(channel: socket.socket, kind: str = "missing", grades: int = 4) -> dict[str, Json]:
    data = build_artefact(LIGHTGBM_TEXT, trained(kind).text, "risk", THRESHOLDS)
    return ask(channel, {"verb": "load", "features": list(FEATURES), "grades": grades}, data)


def evaluate(channel: socket.socket, matrix: np.ndarray, rows: int) -> wire.Frame:
    descriptor = host.seal_matrix(matrix)
    wire.send(channel, {"verb": "evaluate", "rows": rows, "columns": matrix.shape[1]})
    socket.send_fds(channel, [b"\0"], [descriptor])
    os.close(descriptor)
    return wire.receive(channel)


def test_a_model_is_loaded_replaced_and_scored(channel: socket.socket) -> None:
    for kind in ("numeric", "missing"):
        assert load(channel, kind)["scorer"] == "tree ensemble"
        model = trained(kind)
        answer = evaluate(channel, model.matrix, len(model.matrix))
        scores = model.predict(model.matrix)
        expected = grade_indices(scores, tuple(THRESHOLDS), Direction.RISK)
        assert answer.attachments[0] == expected.astype("<i2").tobytes()


def test_refusals_have_a_code_and_the_loop_goes_on(channel: socket.socket) -> None:
    assert load(channel, grades=5)["error"] == "MODEL_MALFORMED"
    assert ask(channel, {"verb": "load", "features": "x", "grades": 1}, b"")["error"]
    assert evaluate(channel, np.zeros((1, 4)), 1).header["error"] == "FIELD_INVALID"
    assert "parts" in load(channel)
    assert evaluate(channel, np.zeros((1, 4)), 2).header["detail"] == "size of the matrix"
    inline: dict[str, Json] = {"verb": "evaluate", "rows": 2, "columns": 4}
    assert ask(channel, inline, bytes(32))["detail"] == "size of the matrix"
    assert ask(channel, inline, bytes(64)) == {}
    assert ask(channel, {"verb": "evaluate", "rows": 0, "columns": 1})["error"]


def test_an_unknown_verb_ends_the_loop(channel: socket.socket) -> None:
    wire.send(channel, {"verb": "sing"})


def test_a_matrix_must_come_with_its_descriptor(channel: socket.socket) -> None:
    load(channel)
    wire.send(channel, {"verb": "evaluate", "rows": 1, "columns": 4})
    channel.send(b"\0")


def test_want_of_memory_is_said_and_ends_the_loop(
    channel: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOMEM, "mmap")

    load(channel)
    monkeypatch.setattr(worker.mmap, "mmap", refuse)  # type: ignore[attr-defined]
    assert evaluate(channel, np.zeros((1, 4)), 1).header == {"fault": "memory"}


def test_a_matrix_is_sealed_against_every_change() -> None:
    descriptor = host.seal_matrix(np.ones((2, 3)))
    assert fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) == host.SEALS
    for change in (
        lambda: os.write(descriptor, b"x"),
        lambda: os.ftruncate(descriptor, 0),
        lambda: os.ftruncate(descriptor, 4096),
    ):
        with pytest.raises(PermissionError):
            change()
    assert os.pread(descriptor, 100, 0) == np.ones(6).tobytes()
    os.close(descriptor)


def test_a_matrix_that_cannot_be_sealed_leaves_no_descriptor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(host, "SEALS", 1 << 20)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(OSError, match="Invalid"):
        host.seal_matrix(np.ones((1, 1)))
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# The native library


def numeric_trees() -> Trees:
    scorer = read_lightgbm(trained("numeric").text).members[0].scorer
    assert isinstance(scorer, Trees)
    return scorer


def test_native_refusals_hold_no_text() -> None:
    fake = SimpleNamespace(
        LGBM_BoosterFree=lambda _: 0,
        LGBM_BoosterLoadModelFromString=lambda *_: -1,
        LGBM_GetLastError=lambda: b"Check failed at row 7",
    )
    model = numeric_trees()
    with pytest.raises(native.NativeFault) as caught:
        native.Booster(fake, model, 4)  # type: ignore[arg-type]
    assert str(caught.value) == ""
    fake.LGBM_GetLastError = lambda: b"std::bad_alloc"
    with pytest.raises(MemoryError):
        native.Booster(fake, model, 4)  # type: ignore[arg-type]
    fake.LGBM_BoosterLoadModelFromString = lambda *_: 0  # it read no tree at all
    with pytest.raises(native.NativeFault):
        native.Booster(fake, model, 4)  # type: ignore[arg-type]


def test_a_missing_or_broken_library_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: str) -> None:
        raise OSError("libgomp.so.1")

    monkeypatch.setattr(native.ctypes, "CDLL", refuse)  # type: ignore[attr-defined]
    with pytest.raises(Unavailable, match="C compiler"):
        engines.choose("quick")
    with pytest.raises(Unavailable, match="libgomp1"):
        engines.choose("native")
    assert engines.choose("auto").name == "portable"
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda _: None)  # type: ignore[attr-defined]
    with pytest.raises(Unavailable, match=r"saferoom\[room\]"):
        engines.choose("native")
    assert engines.choose("auto").name == "portable"


def test_a_libgomp_that_cannot_be_loaded_leaves_the_portable_engine(tmp_path: Path) -> None:
    (tmp_path / "libgomp.so.1").touch()
    code = (
        "from saferoom.cage import engines, quick\nquick.LIBRARY = '/none'\n"
        "print(engines.choose('auto').name)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"LD_LIBRARY_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "portable\n"


@needs_lightgbm
def test_the_native_copy_is_freed_with_its_model() -> None:
    freed: list[object] = []
    library = native.load_library()
    model = numeric_trees()

    def free(handle: object) -> None:
        freed.append(handle)
        library.LGBM_BoosterFree(handle)

    counting = SimpleNamespace(
        LGBM_BoosterFree=free,
        LGBM_BoosterLoadModelFromString=library.LGBM_BoosterLoadModelFromString,
        LGBM_BoosterPredictForMat=library.LGBM_BoosterPredictForMat,
    )
    sums = native.Booster(counting, model, 4).sums  # type: ignore[arg-type]
    assert len(sums(trained("numeric").matrix)) == len(trained("numeric").matrix)
    assert not freed
    del sums
    assert len(freed) == 1


# The program


def run_main(
    monkeypatch: pytest.MonkeyPatch, lock: object, engine: str = "portable"
) -> tuple[list[dict[str, Json]], int]:
    """Run `main` with the door left open, and say what it sent."""
    monkeypatch.setattr(lockdown, "lock_down", lock)
    monkeypatch.setattr(self_test, "run", lambda _: {"open": "EPERM"})
    ours, theirs = socket.socketpair()
    codes: list[int] = []
    arguments = ["worker", str(theirs.detach()), str(2**30), engine, str(os.getppid())]
    thread = threading.Thread(target=lambda: codes.append(program.main(arguments)))
    thread.start()
    frames = []
    with ours:
        while (frame := wire.receive(ours).header).get("stage") == "warm":
            frames.append(frame)
    thread.join()
    return [*frames, frame], codes[0]


def test_main_warms_up_locks_down_reports_and_serves(monkeypatch: pytest.MonkeyPatch) -> None:
    frames, code = run_main(monkeypatch, lambda *_: {"seccomp": "on"})
    assert code == 0
    assert frames == [
        {"stage": "warm"},
        {
            "stage": "locked",
            "engine": "portable",
            "effects": {"open": "EPERM"},
            "protections": {"seccomp": "on"},
        },
    ]


def test_main_says_when_it_cannot_be_locked_down(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise Isolation("CAGE_BROKEN", "seccomp is not available")

    frames, code = run_main(monkeypatch, refuse)
    assert code == Isolation.exit_code
    assert frames[-1] == {"stage": "broken", "detail": "seccomp is not available"}


def test_main_says_when_its_library_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise Unavailable("CAGE_UNAVAILABLE", "install it")

    monkeypatch.setattr(native, "load_library", refuse)
    frames, code = run_main(monkeypatch, None, "native")
    assert code == Unavailable.exit_code
    assert frames == [{"stage": "absent", "detail": "install it"}]


def test_the_program_s_self_test(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(["--self-test"]) == 0
    assert json.loads(capsys.readouterr().out)["effects"].keys() == self_test.EFFECTS.keys()

    def refuse(engine: str) -> None:
        raise Isolation("CAGE_BROKEN", "open")

    monkeypatch.setattr(host.Cage, "start", refuse)
    assert program.main(["--self-test"]) == 8
    assert json.loads(capsys.readouterr().out)["code"] == "CAGE_BROKEN"
    assert program.main(["anything"]) == 2
    assert "usage" in capsys.readouterr().err


# Lock-down and self-test, part by part


def test_every_effect_happens_where_nothing_is_locked() -> None:
    """Else a self-test that always says "failed" would go unseen."""
    code = (
        "import json, os\n"
        "from saferoom.cage import self_test\n"
        "del self_test.EFFECTS['exec'], self_test.EFFECTS['ptrace']\n"  # they would stop us
        "print(json.dumps(self_test.run(os.getppid())))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout).values()) == {self_test.SUCCEEDED}


def test_how_an_effect_failed_is_named() -> None:
    def refused(_: int) -> None:
        raise PermissionError(errno.EPERM, "x")

    def too_large(_: int) -> None:
        raise MemoryError

    assert self_test._try(refused, 0) == "EPERM"
    assert self_test._try(too_large, 0) == "MemoryError"
    assert self_test.findings({"open": "EPERM"}) == [
        name for name in self_test.EFFECTS if name != "open"
    ]


class Kernel:
    """A libc that answers as a kernel of some landlock ABI would."""

    def __init__(self, abi: int, answer: int = 0) -> None:
        self.abi = abi
        self.answer = answer
        self.calls: list[tuple[object, ...]] = []

    def syscall(self, number: int, *arguments: object) -> int:
        self.calls.append((number, *arguments))
        if number == 444:
            return self.abi if arguments[0] is None else os.open("/dev/null", os.O_RDONLY)
        return self.answer

    def unshare(self, _: int) -> int:
        return self.answer

    def capset(self, *_: object) -> int:
        return self.answer

    def prctl(self, *_: object) -> int:
        return self.answer


@pytest.mark.parametrize(
    ("abi", "expected"),
    [(-1, "not in this kernel"), (1, "on, ABI 1"), (4, "on, ABI 4"), (9, "on, ABI 6")],
)
def test_landlock_asks_for_what_the_kernel_knows(
    monkeypatch: pytest.MonkeyPatch, abi: int, expected: str
) -> None:
    monkeypatch.setattr(lockdown, "_libc", lambda: Kernel(abi))
    assert lockdown.forbid_files() == expected


def test_what_a_kernel_refuses_is_said_or_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockdown, "_libc", lambda: Kernel(3, answer=-1))
    assert lockdown.forbid_files() == "refused by this kernel"
    assert lockdown.enter_namespaces() == "not allowed by this host"
    for stop in (lockdown.drop_capabilities, lambda: lockdown.die_with(1)):
        with pytest.raises(Isolation):
            stop()


def test_a_worker_whose_parent_is_gone_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lockdown, "_libc", lambda: Kernel(6))
    lockdown.die_with(os.getppid())
    with pytest.raises(Isolation, match="gone"):
        lockdown.die_with(os.getppid() + 1)


def test_the_whole_lock_down_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(lockdown, "_libc", lambda: Kernel(6))
    monkeypatch.setattr(lockdown.os, "closerange", lambda *_: done.append("close"))  # type: ignore[attr-defined]
    monkeypatch.setattr(lockdown.resource, "setrlimit", lambda *_: done.append("limit"))  # type: ignore[attr-defined]
    monkeypatch.setattr(lockdown.seccomp, "install", lambda _: done.append("seccomp"))  # type: ignore[attr-defined]
    ours, theirs = socket.socketpair()
    with ours, theirs:
        held = lockdown.lock_down(theirs.fileno(), 2**30, os.getppid(), b"")
    assert held["landlock"] == "on, ABI 6"
    assert (done[0], done[-1]) == ("close", "seccomp")
    assert done.count("limit") == 6


def test_the_host_passes_on_plain_words_only() -> None:
    assert host._texts(None) == {}
    assert host._texts({"a": "b", "c": 7}) == {"a": "b"}
    assert host._detail({"detail": 7}) is None
