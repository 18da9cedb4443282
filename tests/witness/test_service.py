"""A witness cosigns what only grew, after it has stored it; the answers are C2SP's."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.crypto.signing import SigningKey
from saferoom.errors import BadInput, Conflict, NotFound, Tampered
from saferoom.tlog.checkpoint import (
    Checkpoint,
    Note,
    NoteKey,
    check_note,
    cosign_checkpoint,
    read_lines,
    read_note,
    sign_checkpoint,
    write_key,
)
from saferoom.tlog.merkle import MemoryReader, consistency_proof
from saferoom.witness import home as homes
from saferoom.witness.home import WitnessHome
from saferoom.witness.requests import Answer, read_request
from saferoom.witness.service import Witness
from tests.witness.fork import (
    LOG_KEY,
    NAME,
    ORIGIN,
    body,
    free_port,
    leaves,
    make_home,
    note,
    request,
    start,
)

NOW = datetime(2026, 11, 20, 10, 51, tzinfo=UTC)


@pytest.fixture
def witness(tmp_path: Path) -> Witness:
    return Witness(make_home(tmp_path / "w"), lambda: NOW)


def signed(witness: Witness, text: str, answer: Answer) -> bool:
    """Say whether the answer is this witness's cosignature of this note, of now."""
    own = read_note(text)
    both = Note(own.checkpoint, (*own.signatures, *read_lines(answer.body)))
    keys = [NoteKey(ORIGIN, LOG_KEY.public), witness.home.note_key]
    checked = check_note(both, keys, only_known=True)
    return [one.time for one in checked.cosigned] == [int(NOW.timestamp())]


def grow(witness: Witness, *sizes: int) -> None:
    old = 0
    for size in sizes:
        assert witness.add_checkpoint(request(leaves(size), old)).status == 200
        old = size


def test_a_first_checkpoint_is_cosigned(witness: Witness) -> None:
    answer = witness.add_checkpoint(request(leaves(5), 0))
    assert answer.status == 200
    assert signed(witness, note(leaves(5)), answer)


def test_a_log_that_grew_is_cosigned_and_an_equal_one_afresh(witness: Witness) -> None:
    grow(witness, 5, 9)
    answer = witness.add_checkpoint(request(leaves(9), 9))
    assert answer.status == 200
    assert signed(witness, note(leaves(9)), answer)


def test_an_empty_log_is_cosigned(witness: Witness) -> None:
    assert witness.add_checkpoint(request([], 0)).status == 200
    other = body(sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), LOG_KEY), 0)
    assert witness.add_checkpoint(other).status == 409


def test_an_empty_log_with_a_root_is_refused(witness: Witness) -> None:
    wrong = body(sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), LOG_KEY), 0)
    assert witness.add_checkpoint(wrong).status == 422


def test_whoever_does_not_know_the_size_is_told(witness: Witness) -> None:
    grow(witness, 5)
    for data in (request(leaves(9), 0), request(leaves(9), 7), request(leaves(3), 3)):
        answer = witness.add_checkpoint(data)
        assert (answer.status, answer.body, answer.kind) == (409, "5\n", "text/x.tlog.size")


def test_a_smaller_tree_is_never_cosigned(witness: Witness) -> None:
    grow(witness, 9)
    assert witness.add_checkpoint(request(leaves(5), 5)).status == 409
    assert witness.add_checkpoint(body(note(leaves(5)), 9)).status == 400


def evidence(witness: Witness) -> list[str]:
    folder = witness.home.folder / "evidence"
    return [path.read_text() for path in folder.iterdir()] if folder.exists() else []


def test_another_root_of_the_same_size_is_refused_and_kept_as_evidence(witness: Witness) -> None:
    grow(witness, 5)
    fork = leaves(5, "another")
    answer = witness.add_checkpoint(body(note(fork), 5))
    assert (answer.status, answer.body) == (409, "5\n")
    assert evidence(witness) == [note(fork)]
    assert witness.add_checkpoint(request(leaves(5), 5)).status == 200


def test_a_branch_is_refused_and_kept_as_evidence(witness: Witness) -> None:
    grow(witness, 5)
    fork = [*leaves(5, "another"), b"six"]
    proof = consistency_proof(MemoryReader(fork), 5, 6)
    answer = witness.add_checkpoint(body(note(fork), 5, proof))
    assert answer.status == 422
    assert evidence(witness) == [note(fork)]


@pytest.mark.parametrize("proof", [[], [bytes(32)], [bytes(32)] * 63])
def test_a_proof_that_does_not_lead_there_is_refused(witness: Witness, proof: list[bytes]) -> None:
    grow(witness, 5)
    assert witness.add_checkpoint(body(note(leaves(9)), 5, proof)).status == 422


def test_a_first_checkpoint_takes_no_proof(witness: Witness) -> None:
    assert witness.add_checkpoint(body(note(leaves(5)), 0, [bytes(32)])).status == 422


def test_strangers_are_not_cosigned(witness: Witness) -> None:
    eve = SigningKey(bytes([3]) * 32)
    other = witness.add_checkpoint(request(leaves(5), 0, origin="another.example/log"))
    assert other.status == 404
    assert witness.add_checkpoint(request(leaves(5), 0, key=eve)).status == 403
    assert witness.home.last(ORIGIN) is None


def test_unknown_signatures_beside_the_logs_own_are_ignored(witness: Witness) -> None:
    own = read_note(note(leaves(5)))
    line = cosign_checkpoint(own.checkpoint, "w2", SigningKey(bytes([3]) * 32), 1)
    text = Note(own.checkpoint, (line, *own.signatures)).text()
    assert witness.add_checkpoint(body(text, 0)).status == 200


def test_a_log_that_is_watched_later_is_taken_up_at_once(witness: Witness) -> None:
    eve = SigningKey(bytes([3]) * 32)
    witness.home.watch([NoteKey("two.example", eve.public)])
    data = request(leaves(5), 0, key=eve, origin="two.example")
    assert witness.add_checkpoint(data).status == 200
    assert len(witness.home.logs()) == 2
    with pytest.raises(BadInput):
        witness.home.watch([witness.home.note_key])


def test_a_log_may_change_its_key(witness: Witness) -> None:
    grow(witness, 5)
    new = SigningKey(bytes([4]) * 32)
    assert witness.add_checkpoint(request(leaves(9), 5, key=new)).status == 403
    witness.home.watch([NoteKey(ORIGIN, new.public)])
    assert witness.add_checkpoint(request(leaves(9), 5, key=new)).status == 200


GOOD = request(leaves(9), 5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff" + GOOD,
        GOOD.replace(b"old 5", b"old 05"),
        GOOD.replace(b"old 5", b"old -1"),
        GOOD.replace(b"old 5", b"new 5"),
        GOOD.replace(b"old 5\n", b"old 5\nAAAA\n"),
        GOOD.replace(b"old 5\n", b"old 5\n!\n"),
        GOOD.replace(b"old 5\n", b"old 5\n" + b"A" * 43 + b"B\n"),
        body(note(leaves(9)), 5, [bytes(32)] * 64),
        b"old 5\n\nnothing",
    ],
)
def test_what_cannot_be_read_is_refused(witness: Witness, data: bytes) -> None:
    assert witness.add_checkpoint(data).status == 400


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_order_of_requests_gets_two_roots_of_one_size(data: st.DataObject) -> None:
    """Every answer of every order is of one growing log."""
    roots: dict[int, bytes] = {}
    kept: list[Note] = []

    class Memory(WitnessHome):
        def last(self, origin: str) -> Note | None:
            return kept[-1] if kept else None

        def keep(self, note: Note) -> None:
            kept.append(note)

        def accuse(self, note: Note) -> None:
            pass

        def logs(self) -> dict[str, list[NoteKey]]:
            return {ORIGIN: [NoteKey(ORIGIN, LOG_KEY.public)]}

    memory = Memory(Path("nowhere"), NAME, "o", SigningKey(bytes([9]) * 32))
    witness = Witness(memory, lambda: NOW)
    seen = 0
    for _ in range(data.draw(st.integers(1, 12))):
        size, branch = data.draw(st.integers(1, 12)), data.draw(st.sampled_from(["", "b"]))
        old = data.draw(st.sampled_from([seen, 0, size]))
        entries = leaves(size, branch)
        asked = request(entries, min(old, size))
        if witness.add_checkpoint(asked).status == 200:
            head = read_request(asked).note.checkpoint
            assert head.size >= seen
            assert roots.setdefault(head.size, head.root) == head.root
            seen = head.size


# --- the home ---


def test_what_was_seen_is_shown_to_monitors(witness: Witness) -> None:
    name = hashlib.sha256(ORIGIN.encode()).hexdigest()
    assert witness.checkpoint(name).status == 404
    grow(witness, 5)
    shown = witness.checkpoint(name)
    keys = [NoteKey(ORIGIN, LOG_KEY.public), witness.home.note_key]
    assert check_note(read_note(shown.body), keys, only_known=True).cosigned
    assert witness.checkpoint("0" * 64).status == 404


def test_what_is_shown_is_a_note_whatever_lines_the_log_brought(witness: Witness) -> None:
    """Sixteen lines came in, and one is added: a seventeenth could be read by nobody."""
    own = read_note(note(leaves(5)))
    keys = [SigningKey(bytes([n]) * 32) for n in range(30, 45)]
    lines = [cosign_checkpoint(own.checkpoint, f"w{n}", key, 1) for n, key in enumerate(keys)]
    full = Note(own.checkpoint, (*own.signatures, *lines)).text()
    assert witness.add_checkpoint(body(full, 0)).status == 200
    shown = read_note(witness.checkpoint(hashlib.sha256(ORIGIN.encode()).hexdigest()).body)
    keys_known = [NoteKey(ORIGIN, LOG_KEY.public), witness.home.note_key]
    assert check_note(shown, keys_known, only_known=True).cosigned  # no strangers' lines


def test_nothing_is_signed_that_could_not_be_stored(
    witness: Witness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(homes, "write_synced", full)
    with pytest.raises(OSError):
        witness.add_checkpoint(request(leaves(5), 0))


def test_a_witness_that_cannot_read_its_memory_signs_nothing(witness: Witness) -> None:
    grow(witness, 5)
    (place,) = (witness.home.folder / "seen").iterdir()
    for damage in (b"", b"\xff", place.read_bytes()[:-9]):
        place.write_bytes(damage)
        with pytest.raises(Tampered):
            witness.add_checkpoint(request(leaves(9), 5))


def test_a_home_is_made_once_and_its_key_is_private(tmp_path: Path) -> None:
    made = make_home(tmp_path / "w")
    assert homes.load(tmp_path / "w").note_key == made.note_key
    assert write_key(made.note_key).startswith(f"{NAME}+")
    with pytest.raises(Conflict):
        make_home(tmp_path / "w")
    (tmp_path / "w/key.json").chmod(0o644)
    with pytest.raises(BadInput):
        homes.load(tmp_path / "w")
    with pytest.raises(NotFound):
        homes.load(tmp_path / "nobody")


@pytest.mark.parametrize(
    "damage",
    [
        lambda t: t.replace(b"witness-key/1", b"witness-key/2"),
        lambda t: t.replace(b"name", b"nome"),
    ],
)
def test_a_key_file_of_another_kind_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    make_home(tmp_path / "w")
    path = tmp_path / "w/key.json"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(BadInput):
        homes.load(tmp_path / "w")


@pytest.mark.parametrize(("name", "organisation"), [("a b", "o"), ("a", "")])
def test_names_that_a_note_cannot_carry_are_refused(
    tmp_path: Path, name: str, organisation: str
) -> None:
    with pytest.raises(BadInput):
        homes.create(tmp_path / "w", name, organisation, bytes(32))


def test_one_program_at_a_time_holds_a_home(witness: Witness) -> None:
    with witness.home.alone(), pytest.raises(Conflict), witness.home.alone():
        raise AssertionError
    with witness.home.alone():
        pass


# --- the program ---


def test_the_program_answers_as_the_protocol_says(tmp_path: Path) -> None:
    made = make_home(tmp_path / "w")
    port = free_port()
    running = start(tmp_path / "w", port)
    try:
        assert running.post(request(leaves(5), 0))[0] == 200
        assert running.post(request(leaves(9), 0)) == (409, "5\n", "text/x.tlog.size")
        assert running.post(request(leaves(9), 5))[0] == 200
        assert running.post(b"x" * 100_000)[0] == 400
        url = f"http://127.0.0.1:{port}"
        name = hashlib.sha256(ORIGIN.encode()).hexdigest()
        shown = httpx2.get(f"{url}/{name}/checkpoint", trust_env=False)
        assert read_note(shown.text).checkpoint.size == 9
        assert httpx2.get(f"{url}/elsewhere", trust_env=False).status_code == 404
        assert httpx2.post(f"{url}/elsewhere", content=b"", trust_env=False).status_code == 404
        (place,) = (made.folder / "seen").iterdir()
        place.write_bytes(b"damaged")
        assert running.post(request(leaves(9), 9))[0] == 503
        assert httpx2.get(f"{url}/{name}/checkpoint", trust_env=False).status_code == 503
        second = subprocess.run(
            [sys.executable, "-m", "saferoom.witness", "--home", made.folder, "--port", "1"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert (second.returncode, "HOME_BUSY" in second.stderr) == (7, True)
    finally:
        running.process.terminate()
        assert running.process.wait(10) == 0


def test_a_witness_loads_nothing_of_the_room() -> None:
    code = "import sys, saferoom.witness.__main__; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    ours = {name for name in loaded if name.startswith("saferoom.")}
    parts = ("witness", "tlog", "crypto", "canonical", "errors")
    assert {name.split(".")[1] for name in ours} == set(parts)
    assert loaded.isdisjoint({"numpy", "pandas", "httpx2", "typer", "rich", "sqlalchemy"})
