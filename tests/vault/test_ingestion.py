"""What if intake stands still, drips, or says what no intake says?"""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from saferoom.errors import BadInput
from saferoom.vault import ingestion
from saferoom.vault.declarations import content_folder, read_declarations
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Ingestion
from saferoom.vault.keys import Keys, create_keys
from tests import factories as make

SOURCE = read_declarations(content_folder())
HEAR = "import socket, struct, sys, time; s = socket.socket(fileno=0)\n"


@pytest.fixture
def run(tmp_path: Path) -> Ingestion:
    sealing = create_keys(tmp_path / "keys", os.urandom)
    (tmp_path / "facts").mkdir()
    store = FactStore(tmp_path / "facts", Keys(tmp_path / "keys", os.urandom))
    return Ingestion(store, SOURCE.tables, sealing, make.NOW + timedelta(0))


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
    monkeypatch.setattr(ingestion, "GRACE_SECONDS", 0.1)
    with pytest.raises(BadInput, match=words):
        run.run(SOURCE.sources["tax"], tmp_path)
