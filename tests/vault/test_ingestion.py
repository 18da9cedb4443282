"""What if intake stands still, drips, or says what no intake says?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.errors import BadInput
from saferoom.intake import cells
from saferoom.vault import ingestion, intake_process
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Ingestion
from saferoom.vault.keys import Keys, create_keys
from saferoom.wire import Frame, TimedSocket
from tests import factories as make

SOURCE = read_declarations(content_folder())
HEAR = "import socket, struct, sys, time; s = socket.socket(fileno=0)\n"


@pytest.fixture
def run(tmp_path: Path) -> Ingestion:
    sealing = create_keys(tmp_path / "keys", os.urandom)
    (tmp_path / "facts").mkdir()
    store = FactStore(tmp_path / "facts", Keys(tmp_path / "keys", os.urandom))
    return Ingestion(store, SOURCE.tables, sealing, make.NOW + timedelta(0))


END = {"say": "end", "rows": 0, "quarantined": 0, "reasons": {}, "findings": []}


@pytest.mark.parametrize(
    "lie",
    [
        {"table": "reg_base"},  # declared, and another source's
        {"quarantined": -1},
        {"rows": -1},
        {"reasons": {"sales were 481920374652871": 1}},
        {"reasons": {"empty": -1}},
        {"findings": [[1, "sales", "481920374652871"]]},
        {"findings": [[1, "a row's value", "empty"]]},
        {"findings": [["1", "sales", "empty"]]},
        {"findings": [[1, "sales", "empty"]] * 1_001},
    ],
    ids=str,
)
def test_what_no_intake_says_passes_no_wall(
    run: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: dict[str, object]
) -> None:
    """Intake reads what strangers wrote: taken over, it may say no more than counts and reasons."""
    table = lie.pop("table", "tax_month")
    file = {"say": "file", "table": table, "name": "x.csv", "digest": "0" * 64}
    says = [file, {**END, **lie}]
    program = (
        "import json\nfrom saferoom.wire import receive, send\nreceive(s)\n"
        f"for one in json.loads({json.dumps(json.dumps(says))}): send(s, one)\ntime.sleep(60)"
    )
    monkeypatch.setattr(ingestion, "PROGRAM", (sys.executable, "-c", HEAR + program))
    monkeypatch.setattr(ingestion, "_check_shut", lambda _: None)
    monkeypatch.setattr(Ingestion, "_hear", _deaf_to_walls(Ingestion._hear))
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        run.run(SOURCE.sources["tax"], tmp_path)


def _deaf_to_walls(hear: Callable[..., Frame]) -> Callable[..., Frame]:
    """Pass over the report of the walls: these tests are about what is said behind them."""

    def heard(self: Ingestion, channel: TimedSocket, seconds: float | None = None) -> Frame:
        return Frame({}) if seconds is not None else hear(self, channel)

    return heard


def test_the_reasons_are_those_of_intake() -> None:
    assert {*cells.REASONS, "ragged", "period", "duplicate"} == ingestion.WHY_OUTSIDE


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("headings of tax_month: 2 differ", "headings of tax_month: 2 differ"),
        ("the sales were 481920374652871", None),
        (7, None),
    ],
)
def test_of_a_file_only_listed_words_are_told(said: object, shown: str | None) -> None:
    with pytest.raises(BadInput) as error:
        ingestion._check_not_refused(
            {"say": "refused", "code": "SOURCE_MALFORMED", "detail": said}  # type: ignore[dict-item]
        )
    assert error.value.detail == shown


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("time.sleep(60)", "stood still"),
        (
            "s.send(b'\\0\\0\\1\\0'); [(time.sleep(0.1), s.send(b' ')) for _ in range(600)]",
            "stood still",
        ),
        ("s.send(struct.pack('>I', 2**21)); time.sleep(60)", "TOO_LARGE"),
        ("sys.exit()", "ended before"),
    ],
)
def test_intake_that_does_not_go_on_is_ended(
    run: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, words: str
) -> None:
    monkeypatch.setattr(ingestion, "PROGRAM", (sys.executable, "-c", HEAR + program))
    monkeypatch.setattr(ingestion, "START_SECONDS", 1.0)
    monkeypatch.setattr(intake_process, "GRACE_SECONDS", 0.1)
    with pytest.raises(BadInput, match=words):
        run.run(SOURCE.sources["tax"], tmp_path)
