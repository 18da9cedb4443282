"""Does a real, locked-down cage score as the form says, and fail as it should?"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from saferoom.cage import engines, host, self_test
from saferoom.cage.host import Cage, CageFault, Shape
from saferoom.cage.limits import Limits
from saferoom.canonical import canonical_bytes, parse_object
from saferoom.errors import BadInput, Isolation, Unavailable
from saferoom.scoring.artefact import (
    FORM_JSON,
    LIGHTGBM_TEXT,
    SCORECARD_JSON,
    build_artefact,
    read_artefact,
    read_model,
)
from saferoom.scoring.evaluation import grade_indices
from saferoom.scoring.form import Characteristic, Direction, Scorecard
from saferoom.scoring.form_json import write_form
from saferoom.scoring.functions import Floats
from saferoom.scoring.lightgbm_reader import read_lightgbm
from saferoom.scoring.scorecard_reader import write_scorecard
from tests.cage.twins import CALLS, ENGINES, NO_LIMITS, NO_OTHER_WALL, serving, twin
from tests.scoring import oracle
from tests.scoring.mutants import json_mutant, mutants
from tests.scoring.test_artefact import CARD_TEXT
from tests.scoring.test_scorecard import CARD
from tests.scoring.training import FEATURES, KINDS, hostile_rows, trained

MACHINE = ["x86_64", "aarch64"].index(os.uname().machine)
QUICK = Limits(load_seconds=0.5, evaluate_seconds=0.5)
NO_LIBRARY = "native.importlib.util.find_spec = lambda name: None; quick.LIBRARY = '/none'"
PERCENT = [percent / 100 for percent in range(1, 100)]


@pytest.fixture(scope="module", params=ENGINES)
def cage(request: pytest.FixtureRequest) -> Iterator[Cage]:
    with Cage.start(engine=request.param) as started:
        assert started.engine == request.param
        yield started


def artefact(kind: str = "numeric", direction: str = "risk") -> bytes:
    return build_artefact(LIGHTGBM_TEXT, trained(kind).text, direction, PERCENT)


def load(cage: Cage, data: bytes, grades: int = 100) -> Shape:
    return cage.load(data, FEATURES, grades)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid: int) -> None:
    for _ in range(200):
        if gone(pid):
            return
        time.sleep(0.05)
    raise AssertionError("the worker lives on")


def test_every_effect_failed_and_is_reported(cage: Cage) -> None:
    assert cage.report.keys() == self_test.EFFECTS.keys()
    assert self_test.SUCCEEDED not in cage.report.values()
    assert cage.protections["seccomp"] == "on"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("direction", Direction)
def test_grades_are_lightgbm_s_own(cage: Cage, kind: str, direction: str) -> None:
    data = artefact(kind, direction)
    shape = load(cage, data)
    form = read_model(read_artefact(data))
    assert shape == Shape(FEATURES, "tree ensemble", form.parts, form.leaves, 100, form.depth)
    for matrix in (trained(kind).matrix, hostile_rows()):
        scores = trained(kind).predict(matrix)
        expected = grade_indices(scores, tuple(PERCENT), Direction(direction))
        assert np.array_equal(cage.evaluate(matrix), expected)


def test_a_scorecard_is_scored(cage: Cage) -> None:
    data = build_artefact("scorecard-json", CARD_TEXT, "quality", [490.0, 510.0])
    assert cage.load(data, CARD.features, 3) == Shape(CARD.features, "scorecard", 2, 6, 3, 1)
    grades = cage.evaluate(np.array([[0.0, 1.0], [20.0, 1.0], [70.0, np.nan]]))
    assert grades.tolist() == [2, 1, 0]
    assert grades.dtype == np.int16


def test_rows_are_scored_in_chunks_and_alone(cage: Cage, monkeypatch: pytest.MonkeyPatch) -> None:
    load(cage, artefact())
    matrix = trained("numeric").matrix
    at_once = cage.evaluate(matrix)
    monkeypatch.setattr(host, "INLINE_BYTES", 0)  # shared, not sent with the call
    assert np.array_equal(cage.evaluate(matrix), at_once)
    monkeypatch.setattr(host, "CHUNK_BYTES", 8 * len(FEATURES) * 7)
    assert np.array_equal(cage.evaluate(matrix), at_once)
    monkeypatch.setattr(host, "CHUNK_PARTS", 1)  # less than one row's: then one row
    assert np.array_equal(cage.evaluate(matrix[:20]), at_once[:20])
    assert np.array_equal(cage.evaluate(np.asfortranarray(matrix[::-1])), at_once[::-1])
    assert cage.evaluate(matrix[:0]).shape == (0,)


def test_a_matrix_of_other_columns_is_a_caller_s_mistake(cage: Cage) -> None:
    load(cage, artefact())
    for shape in ((1, len(FEATURES) + 1), (len(FEATURES),)):
        with pytest.raises(ValueError, match="column"):
            cage.evaluate(np.zeros(shape))


REFUSED = {
    "not an artefact": (b"\x80\x04pickle", FEATURES, 100, "MODEL_MALFORMED"),
    "other features": (artefact(), FEATURES[::-1], 100, "MODEL_MALFORMED"),
    "other grades": (artefact(), FEATURES, 99, "MODEL_MALFORMED"),
    "a pickle as text": (
        canonical_bytes({**parse_object(artefact()), "model": "\x80\x04."}),
        FEATURES,
        100,
        "MODEL_FORMAT",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_model_has_its_code_and_leaves_the_cage_alive(cage: Cage, case: str) -> None:
    data, features, grades, code = REFUSED[case]
    with pytest.raises(BadInput) as caught:
        cage.load(data, features, grades)
    assert caught.value.code == code
    with pytest.raises(ValueError, match="load a model first"):
        cage.evaluate(np.zeros((1, len(FEATURES))))
    assert load(cage, artefact()).grades == 100


def check_mutant(cage: Cage, mutant: str, matrix: Floats, model_format: str) -> bool:
    """Load it; when it loads, every grade is the oracle's."""
    fields = parse_object(artefact("regression"))
    data = canonical_bytes({**fields, "model": mutant, "model_format": model_format})
    try:
        load(cage, data)
    except BadInput as error:
        if error.code in {"MODEL_MALFORMED", "MODEL_FORMAT"}:
            return False
        raise
    form = read_model(read_artefact(data))
    expected = [oracle.grade(oracle.score(form, row), PERCENT, "risk") for row in matrix]
    assert cage.evaluate(matrix).tolist() == expected
    return True


def fuzz(cage: Cage, count: int, seed: int) -> int:
    """A crash or a hang is a CageFault and fails the test."""
    matrix = np.concatenate([trained("categories").matrix[:10], hostile_rows()[:20]])
    kinds = ("categories", "missing", "regression", "zero is missing", "steep")
    loaded = 0
    for number, kind in enumerate(kinds):
        text = trained(kind, trees=3).text
        for mutant in mutants(text, count // len(kinds), seed + number):
            loaded += check_mutant(cage, mutant, matrix, LIGHTGBM_TEXT)
    return loaded


def fuzz_json(cage: Cage, count: int, seed: int) -> dict[str, int]:
    """Do the same to forms and scorecards, whose bytes have one way only of being right."""
    chance = random.Random(seed)
    matrix = np.concatenate([trained("categories").matrix[:10], hostile_rows()[:20]])
    kinds = ("categories", "missing", "lines", "forest")
    forms = [(write_form(read_lightgbm(trained(kind, trees=3).text)), FORM_JSON) for kind in kinds]
    loaded = {FORM_JSON: 0, SCORECARD_JSON: 0}
    for text, model_format in (*forms, (write_scorecard(FOUR), SCORECARD_JSON)):
        for _ in range(count // (len(forms) if model_format == FORM_JSON else 1)):
            mutant = json_mutant(text, chance)
            loaded[model_format] += check_mutant(cage, mutant, matrix, model_format)
    return loaded


FOUR = Scorecard(
    1.5, tuple(Characteristic(name, (0.0, 33.5), (-1.0, 2.0, 4.0), 0.5) for name in FEATURES)
)


def test_mutants_are_refused_or_scored_as_the_form_says(cage: Cage) -> None:
    assert 20 < fuzz(cage, 200, seed=1) < 180


def test_json_mutants_are_refused_or_scored_as_the_form_says(cage: Cage) -> None:
    loaded = fuzz_json(cage, 100, seed=1)
    assert all(0 < number < 90 for number in loaded.values())


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_ten_thousand_mutants(engine: str) -> None:
    with Cage.start(engine=engine) as cage:
        assert fuzz(cage, 10_000, seed=1000) > 1000


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES)
def test_ten_thousand_mutants_of_forms_and_of_scorecards(engine: str) -> None:
    with Cage.start(engine=engine) as cage:
        assert min(fuzz_json(cage, 10_000, seed=1000).values()) > 500


# Twins: one wall is missing, and the self-test sees it.

BROKEN = {
    "open": (NO_OTHER_WALL, "openat"),
    "other_process": (NO_OTHER_WALL, "openat"),
    "socket": (NO_OTHER_WALL, "socket"),
    "fork": (NO_OTHER_WALL + NO_LIMITS, "clone"),
    "ptrace": (NO_OTHER_WALL, "ptrace"),
    "kill": (NO_OTHER_WALL, "kill"),
    "new_code": (NO_OTHER_WALL, "mmap"),
    "allocate_4_gib": (NO_LIMITS, ""),
    "not tried": ("del self_test.EFFECTS['socket']", ""),
    "died in its self-test": (NO_OTHER_WALL + NO_LIMITS, "execve"),
}


@pytest.mark.parametrize("effect", BROKEN)
def test_a_twin_with_a_hole_is_caught(effect: str) -> None:
    changes, call = BROKEN[effect]
    allowed = [CALLS[call][MACHINE]] if call else []
    with pytest.raises(Isolation) as caught:
        Cage.start(program=twin(changes, allowed))
    assert caught.value.code == "CAGE_BROKEN"
    assert ("socket" if effect == "not tried" else effect) in caught.value.sentence


def test_seccomp_alone_would_do() -> None:
    with Cage.start(program=twin(NO_OTHER_WALL)) as cage:
        assert not self_test.findings(cage.report)


@pytest.mark.parametrize(
    "missing",
    ["lockdown.drop_capabilities", "lockdown.die_with", "lockdown._prctl", "seccomp.install"],
)
def test_a_protection_that_cannot_be_had_stops_the_start(missing: str) -> None:
    changes = (
        "from saferoom.errors import Isolation\n"
        "def refuse(*_): raise Isolation('CAGE_BROKEN', 'not on this host')\n"
        f"{missing} = refuse"
    )
    with pytest.raises(Isolation, match="not on this host"):
        Cage.start(program=twin(changes))


@pytest.mark.parametrize(
    "program",
    [
        ("/nonexistent/python",),
        (sys.executable, "-c", "pass"),
        (sys.executable, "-c", "import os, sys; os.write(int(sys.argv[1]), b'nonsense')"),
        twin(NO_LIBRARY),
    ],
)
def test_a_worker_that_does_not_start_is_unavailable(program: tuple[str, ...]) -> None:
    with pytest.raises(Unavailable) as caught:
        Cage.start(program=program, engine=engines.NATIVE)
    assert caught.value.code == "CAGE_UNAVAILABLE"


def test_where_no_library_can_be_loaded_the_portable_engine_scores() -> None:
    with Cage.start(program=twin(NO_LIBRARY)) as cage:
        assert cage.engine == engines.PORTABLE
        assert load(cage, artefact()).grades == 100


def test_an_engine_that_nobody_knows_is_refused_or_not_believed() -> None:
    with pytest.raises(BadInput, match="auto, quick, native or portable"):
        Cage.start(engine="steam")
    steam = "engines.choose = lambda wish: engines.Engine('steam', None)"
    with pytest.raises(Isolation):
        Cage.start(program=twin(steam))


def test_a_worker_that_hangs_at_start_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        Cage.start(Limits(start_seconds=0.2), twin("time.sleep(60)"))


# Faults: the cage is dead, and says of what.


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        (
            "channel.send(b'\\0\\0\\x40\\0')\n"
            "while True:\n    channel.send(b' '); [None for _ in range(100000)]"
        ),
    ],
)
def test_a_hang_or_a_trickle_is_a_timeout(body: str) -> None:
    cage = serving(body, QUICK)
    with pytest.raises(CageFault) as caught:
        load(cage, artefact())
    assert caught.value.reason == "timeout"
    assert gone(cage.pid)


def test_memory_beyond_the_limit_is_a_fault() -> None:
    changes = "worker.Worker._load = lambda self, frame: bytearray(600 * 2**20)"
    cage = Cage.start(Limits(memory_bytes=512 * 2**20), twin(changes))
    with pytest.raises(CageFault) as caught:
        load(cage, artefact())
    assert caught.value.reason == "memory"
    assert gone(cage.pid)


def test_a_killed_worker_is_a_fault_then_and_later() -> None:
    cage = Cage.start()
    load(cage, artefact())
    os.kill(cage.pid, signal.SIGKILL)
    for _ in range(2):
        with pytest.raises(CageFault) as caught:
            cage.evaluate(trained("numeric").matrix)
        assert caught.value.reason == "death"
    cage.close()


HOSTILE_LOADS = {
    "an unknown scorer": {"scorer": "poem", "parts": 1, "leaves": 2, "depth": 1},
    "no counts": {"scorer": "scorecard"},
    "counts of nothing": {"scorer": "scorecard", "parts": 0, "leaves": 2, "depth": 1},
    "no depth": {"scorer": "scorecard", "parts": 1, "leaves": 2},
    "a depth that no model has": {"scorer": "scorecard", "parts": 1, "leaves": 2, "depth": 65},
    "a refusal that is not its own": {"error": "BUDGET_FULL", "detail": None},
    "a refusal that is no text": {"error": 7},
    "too many words": {"scorer": "x" * 70_000, "parts": 1, "leaves": 2},
}


@pytest.mark.parametrize("case", HOSTILE_LOADS)
def test_a_hostile_answer_to_load_is_a_death(case: str) -> None:
    answer = HOSTILE_LOADS[case]
    cage = serving(f"wire.receive(channel)\nwire.send(channel, {answer!r}, [b''])\ntime.sleep(9)")
    with pytest.raises(CageFault) as caught:
        load(cage, artefact())
    assert caught.value.reason == "death"
    assert gone(cage.pid)


def test_hostile_words_are_not_passed_on() -> None:
    answer = {"error": "MODEL_MALFORMED", "detail": "secret: \n<b>" + "x" * 200}
    cage = serving(f"wire.receive(channel)\nwire.send(channel, {answer!r})\ntime.sleep(9)")
    with cage, pytest.raises(BadInput) as caught:
        load(cage, artefact())
    assert caught.value.detail is None


@pytest.mark.parametrize(
    ("header", "attachments"),
    [
        ({}, [b"\0\0"]),
        ({}, []),
        ({}, [b"\0\0\0\0", b""]),
        ({}, [b"\x64\0\0\0"]),
        ({}, [b"\xfe\xff\0\0"]),
        ({}, [b"\0" * 5]),
        ({"rows": 2}, [b"\0\0\0\0"]),
        ({"error": "MODEL_MALFORMED"}, []),
    ],
)
def test_grades_that_cannot_be_are_a_death(
    header: dict[str, object], attachments: list[bytes]
) -> None:
    shape = {"scorer": "scorecard", "parts": 1, "leaves": 2, "depth": 1}
    cage = serving(
        f"wire.receive(channel)\nwire.send(channel, {shape!r})\nwire.receive(channel)\n"
        f"wire.send(channel, {header!r}, {attachments!r})"
    )
    load(cage, artefact())
    with pytest.raises(CageFault) as caught:
        cage.evaluate(np.zeros((2, len(FEATURES))))
    assert caught.value.reason == "death"


# How it is started.


def test_the_worker_holds_nothing_but_its_channel_and_an_empty_environment() -> None:
    secret = os.open("/etc/hostname", os.O_RDONLY)
    os.set_inheritable(secret, True)
    found = (
        "engines.choose = lambda wish: (_ for _ in ()).throw(worker.Unavailable("
        "'CAGE_UNAVAILABLE', ','.join(sorted(os.listdir('/proc/self/fd'))) + ' '"
        " + ','.join(sorted(os.environ))))"
    )
    try:
        with pytest.raises(Unavailable) as caught:
            Cage.start(program=twin(found))
    finally:
        os.close(secret)
    assert caught.value.detail is not None
    descriptors, _, names = caught.value.detail.partition(" ")
    assert len(descriptors.split(",")) == 5  # three on /dev/null, the channel, and the listing
    assert str(secret) not in descriptors.split(",")[3:] or secret < 3
    assert names == "LC_ALL,OMP_NUM_THREADS,OPENBLAS_NUM_THREADS"


def test_a_cage_outlives_the_thread_that_asked_for_it() -> None:
    started: list[Cage] = []
    thread = threading.Thread(target=lambda: started.append(Cage.start()))
    thread.start()
    thread.join()
    with started[0] as cage:
        assert load(cage, artefact()).grades == 100
        assert not gone(cage.pid)
    assert gone(cage.pid)
    cage.close()


def test_the_worker_dies_with_its_parent_even_when_busy() -> None:
    code = (
        "import os, signal\n"
        "from tests.cage.twins import serving\n"
        "cage = serving('while True: pass')\n"
        "print(cage.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    wait_until_gone(int(done.stdout))


@pytest.mark.parametrize("engine", ENGINES)
def test_the_self_test_prints_its_report(engine: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-m", "saferoom.cage", "--self-test", engine],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f'"engine": "{engine}"' in done.stdout
    assert '"exec": "EPERM"' in done.stdout
    assert '"ok": true' in done.stdout


@pytest.mark.parametrize(
    "limits",
    [
        {"memory_bytes": 4 * 2**30},
        {"memory_bytes": 2**20},
        {"start_seconds": 0.0},
        {"evaluate_seconds": -1.0},
    ],
)
def test_limits_beyond_what_the_self_test_proves_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(BadInput) as caught:
        Limits(**limits)  # type: ignore[arg-type]
    assert caught.value.code == "SETTING_INVALID"
