"""Is a secret number met only where it may be?

The positive control comes first: the same search finds every canary in the vault while it
works. Not shown here: what the operating system, root, or a changed program could see.
"""

from __future__ import annotations

import os
import secrets
import struct
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from tests.proofs.canaries import Finder, Needle, find_in_files, number_needles
from tests.proofs.conftest import FIRST, watch_through
from tests.proofs.memory import find_in_memory, readable
from tests.proofs.planted import GRADES, KINDS, Planted
from tests.proofs.small_room import look_after, small_room
from tests.proofs.watching import Watcher

NUMBERS = [481920374652871.0, 4839201746523712.0, 1234.5678901234567]
PLANT = """
import struct, sys
kept = [float.fromhex(word) for word in sys.argv[1:]]
one = bytearray(struct.pack("<d", kept[0]))
two = bytearray(repr(kept[1]).encode())
three = bytearray(struct.pack("<2f", kept[0], kept[2]))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize("kind", KINDS)
def test_the_vault_holds_each_canary_while_it_works(sighted: Watcher, kind: str) -> None:
    assert sighted.seen.missing(kind) == set()


@pytest.mark.parametrize("kind", KINDS)
def test_neither_api_nor_worker_nor_any_file_holds_one(sighted: Watcher, kind: str) -> None:
    where = {
        place: {needle for needle in found if needle.kind == kind}
        for place, found in sighted.seen.elsewhere.items()
    }
    assert {place: found for place, found in where.items() if found} == {}


def test_they_were_looked_at_in_the_middle_of_the_work_and_after(sighted: Watcher) -> None:
    assert sighted.seen.looks_at_others >= 3


def test_there_are_fifty_of_each_and_several_grades(sighted: Watcher) -> None:
    planted = sighted.room.planted
    assert len(set(planted.raw)) == len(set(planted.features)) == 50
    assert not set(planted.raw) & set(planted.features)
    assert len(set(planted.weights)) >= 50
    assert len(planted.codes) == 50
    assert len(set(planted.indices.tolist())) > 1


@pytest.mark.long
def test_a_thousand_of_each_are_found_nowhere_else(tmp_path: Path) -> None:
    """The same, and what comes later: figures are told, keys changed, one is erased."""
    with small_room(tmp_path, seed=secrets.randbits(64), canaries=1_000) as room:
        watcher = watch_through(room)
        if not watcher.possible:
            pytest.skip("reading another's memory needs root")
        assert watcher.seen.missing("raw") == set()  # all thousand; of the others the first fifty
        assert all(watcher.seen.complete(kind, FIRST) for kind in KINDS)
        look_after(room)
        watcher.look_at_others()
        watcher.look_at_files()
        seen, planted = watcher.seen, room.planted
        print(
            f"{len(planted.raw)} raw values, {len(planted.features)} features, "
            f"{len(planted.weights)} weights, {len(planted.codes)} grades; the vault was looked "
            f"into {seen.looks} times, the others {seen.looks_at_others}"
        )
        assert dict(seen.elsewhere) == {}


def test_what_the_room_answered_is_what_was_sought(sighted: Watcher) -> None:
    """The grades that were sought are those that the bank opened."""
    planted, bank = sighted.room.planted, sighted.room.bank()
    frame = bank.score(sighted.room.version, planted.codes)
    assert frame["grade"].tolist() == [GRADES[index] for index in planted.indices]


def test_enterprises_opened_their_own_canaries_and_no_others(sighted: Watcher) -> None:
    """What passed through the API sealed was the real thing; the tests above found none of it."""
    planted = sighted.room.planted
    assert len(sighted.own) == 10
    for own, (code, sales) in zip(sighted.own, planted.sales.items(), strict=False):
        filed = {row["sales"] for row in own.tables["tax_month"]}
        assert own.enterprise == code
        assert {str(float(one)) for one in sales} <= filed
        assert {row["uscc"] for _, row in own.rows()} == {code}


@pytest.mark.parametrize(
    ("data", "forms"),
    [
        pytest.param(b"x481920374652871x", {"text"}, id="whole number"),
        pytest.param(b"[1234.5678901234567]", {"text"}, id="decimal"),
        pytest.param(b'"' + NUMBERS[2].hex().encode() + b'"', {"text"}, id="hexadecimal"),
        pytest.param(b"xyz" + struct.pack("<d", NUMBERS[1]), {"float64"}, id="float64"),
        pytest.param(struct.pack("<3f", *NUMBERS), {"float32"}, id="float32 in a row"),
        pytest.param(b"x" + struct.pack("<f", NUMBERS[0]), set(), id="one float32 is chance"),
        pytest.param(struct.pack(">d", NUMBERS[0]) + b"48192037465287", set(), id="other"),
    ],
)
def test_the_search_knows_every_form(data: bytes, forms: set[str]) -> None:
    finder = Finder(number_needles("raw", NUMBERS))
    assert {needle.form for needle in finder.find(data + bytes(9))} == forms


def test_an_answer_in_the_clear_would_be_found(tmp_path: Path) -> None:
    planted = Planted(("91990000000000027W", "91990000000000035P"), date(2026, 9, 30), seed=1)
    answer = next(p for p, needle in planted.needles().items() if needle.form == "answer")
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "leak.bin").write_bytes(os.urandom(999) + answer + os.urandom(999))
    found = find_in_files(Finder(planted.needles()), [tmp_path])
    assert found == {tmp_path / "below" / "leak.bin": {Needle("grade", 0, "answer")}}


def test_the_search_reads_another_process() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PLANT, *(number.hex() for number in NUMBERS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        if not readable(process.pid):
            pytest.skip("this system lets nobody read a child's memory")
        found = find_in_memory(Finder(number_needles("raw", NUMBERS)), process.pid)
        process.kill()
    assert {Needle("raw", 0, "float64"), Needle("raw", 1, "text")} <= found
    assert {Needle("raw", 0, "float32"), Needle("raw", 2, "float32")} <= found
