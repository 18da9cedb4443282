"""What can intake still reach while it reads a stranger's file, and what if the walls are thin?"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from saferoom.cage import self_test
from saferoom.errors import BadInput, Isolation
from saferoom.vault import ingestion
from saferoom.vault.facts import FactStore
from saferoom.vault.ingestion import Ingestion
from saferoom.vault.keys import Keys, create_keys
from tests import factories as make
from tests.intake.taking import DECLARED
from tests.vault.room import CODES, tax_month, write_csv

BEGIN = (
    "import os, socket, sys, threading\n"
    "from saferoom.cage import lockdown, seccomp\n"
    "from saferoom.errors import BadInput\n"
    "from saferoom.intake import __main__ as intake, files, walls\n"
)
TRY = """
def attack(file, **_):
    def succeeds(effect):
        try:
            effect()
        except (OSError, MemoryError, RuntimeError):
            return False
        return True
    effects = dict(
        read=lambda: open("{outside}"),
        again=lambda: open("{inside}"),
        listing=lambda: os.listdir("/"),
        write=lambda: open("{outside}.new", "w"),
        over=lambda: os.write(file.fileno(), b"x"),
        network=lambda: socket.socket(socket.AF_INET),
        local=lambda: socket.socket(socket.AF_UNIX),
        thread=lambda: threading.Thread(target=print).start(),
        start=lambda: os.posix_spawn("/bin/true", ["true"], {{}}),
        execute=lambda: os.execv("/bin/true", ["true"]),
    )
    done = [name for name, effect in effects.items() if succeeds(effect)]
    raise BadInput("SOURCE_MALFORMED", f"done: {{done}}")
files.read_csv = attack
sys.exit(intake.main())
"""


@pytest.fixture
def run(tmp_path: Path) -> Ingestion:
    sealing = create_keys(tmp_path / "keys", os.urandom)
    (tmp_path / "facts").mkdir()
    store = FactStore(tmp_path / "facts", Keys(tmp_path / "keys", os.urandom))
    rows = [tax_month(code, 1, "5") for code in CODES]
    write_csv(tmp_path / "in" / "tax_month.csv", rows)
    return Ingestion(store, DECLARED.tables, sealing, make.NOW)


def twin(monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    monkeypatch.setattr(ingestion, "PROGRAM", (sys.executable, "-I", "-c", BEGIN + body))


def test_whoever_took_intake_over_reaches_nothing(
    run: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.write_text("another source's", encoding="utf-8")
    body = TRY.format(outside=outside, inside=tmp_path / "in" / "tax_month.csv")
    twin(monkeypatch, body)
    monkeypatch.setattr(ingestion, "_DETAIL", re.compile("done: .*"))  # else it is not told
    with pytest.raises(BadInput, match=r"done: \[\]"):
        run.run(DECLARED.sources["tax"], tmp_path / "in")
    assert not Path(f"{outside}.new").exists()


@pytest.mark.parametrize(
    "thin",
    [
        # (a process that its parent may trace would only stand still)
        "seccomp.install = print; walls.self_test.EFFECTS['ptrace'] = lambda _: os.close(-1)",
        "lockdown.set_limits = lambda memory: None",
        "seccomp.build_filter = lambda m, also, build=seccomp.build_filter: build(m, (41, 198))",
        "walls.self_test.run = lambda parent: {}",
        "lockdown.drop_capabilities = lambda: seccomp.machine.missing",
        "lockdown._prctl = lambda *_: (_ for _ in ()).throw(seccomp.Isolation('CAGE_BROKEN'))",
    ],
)
def test_nothing_is_read_behind_thin_walls(
    run: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thin: str
) -> None:
    twin(monkeypatch, f"lockdown.forbid_files = lambda: 'off'\n{thin}\nsys.exit(intake.main())")
    with pytest.raises((Isolation, BadInput), match=r"CAGE_BROKEN|ended before"):
        run.run(DECLARED.sources["tax"], tmp_path / "in")
    assert run._store.manifest.batches == ()


def test_an_intake_that_only_says_so_is_not_believed(
    run: Ingestion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    effects = dict.fromkeys(self_test.EFFECTS, "EPERM") | {"socket": self_test.SUCCEEDED}
    twin(monkeypatch, f"sys.exit(intake.main(lambda parent: {effects}))")
    with pytest.raises(Isolation, match="CAGE_BROKEN"):
        run.run(DECLARED.sources["tax"], tmp_path / "in")
