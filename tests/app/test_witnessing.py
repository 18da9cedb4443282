"""The room asks its witnesses, releases nothing without them, and names every exception."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.witness_client import WitnessClient
from saferoom.app import health, people, receipts, trusting, witnessing
from saferoom.app.cosigning import Cosigning
from saferoom.canonical import parse_object
from saferoom.core.enrolment import Role
from saferoom.core.moment import write_instant
from saferoom.core.override import Override
from saferoom.core.papers import check_papers
from saferoom.core.receipt import Verified, check_receipt
from saferoom.core.trust import LogKey, Trust
from saferoom.core.witnesses import Witnesses, WitnessKey, WitnessSet
from saferoom.crypto.signing import SigningKey, Statement
from saferoom.errors import BadInput, NotYet, Refusal, SaferoomError, Tampered, Unavailable
from saferoom.tlog.checkpoint import NoteKey, read_note
from saferoom.witness import home as homes
from saferoom.witness.service import Witness as Service
from saferoom.worker import loop
from saferoom.worker.witnessing import asking
from tests import factories as f
from tests.app.world import AUDITOR, OPERATOR, ORIGIN, World, bank
from tests.witness.fork import body, free_port, start

NAMES = ("w1", "w2", "w3")


@dataclass
class Near:
    """A real witness behind the room's port, without the network between."""

    name: str
    service: Service
    away: bool = False
    asked: int = 0
    says: Callable[[str], str] = field(default=lambda text: text)

    def add_checkpoint(self, note: str, old_size: int, proof: Sequence[bytes]) -> str | int:
        self.asked += 1
        if self.away:
            raise Unavailable("WITNESS_UNAVAILABLE", self.name)
        answer = self.service.add_checkpoint(body(note, old_size, proof))
        if answer.status == 409:
            return int(answer.body)
        if answer.status != 200:
            raise Unavailable("WITNESS_UNAVAILABLE", f"{answer.status}")
        return self.says(answer.body)

    def checkpoint(self, origin: str) -> str | None:
        if self.away:
            raise Unavailable("WITNESS_UNAVAILABLE", self.name)
        answer = self.service.checkpoint(hashlib.sha256(origin.encode()).hexdigest())
        return answer.body if answer.status == 200 else None


def trust_of(world: World, *, quorum: int = 2, names: Sequence[str] = NAMES) -> Trust:
    keys = tuple(
        WitnessKey(
            name=name,
            organisation=f"org {name}",
            key=_key(name).public.raw.hex(),
            valid_from="2020-01-01T00:00:00Z",
            valid_until=None,
            compromised=False,
        )
        for name in names
    )
    log_key = LogKey(
        algorithm="ed25519",
        key=world.room.log_key.public.raw.hex(),
        valid_from="2020-01-01T00:00:00Z",
        valid_until=None,
        compromised=False,
    )
    return Trust(
        origin=ORIGIN,
        log_keys=(log_key,),
        operators=tuple(f.genesis()),
        witnesses=Witnesses(quorum, keys),
    )


def _key(name: str) -> SigningKey:
    return f.signing_key(f"witness {name}")


@dataclass
class Watched:
    """A room with three witnesses, of which two make a quorum."""

    world: World
    near: list[Near]

    def turn(self) -> None:
        """Sequence, and let each witness be asked if it is due."""
        self.world.settle()
        self.ask()

    def ask(self) -> list[str]:
        faults = []
        for one in self.near:
            try:
                witnessing.ask(self.world.room, one)
            except SaferoomError as error:
                faults.append(error.code)
        return faults

    def receipt(self) -> Verified:
        (line,) = self.world.score().results
        self.turn()
        return self.verify(str(line.receipt))

    def verify(self, name: str) -> Verified:
        assert self.world.room.trust is not None
        return check_receipt(
            receipts.get(self.world.room, bank(), name),
            self.world.room.trust,
            check_papers=check_papers,
        )

    def age(self, **by: float) -> None:
        self.world.later(**by)


@pytest.fixture
def watched(world: World, tmp_path: Path) -> Watched:
    near = []
    for name in NAMES:
        home = homes.create(tmp_path / name, name, f"org {name}", _key(name).seed)
        home.watch([NoteKey(ORIGIN, world.room.log_key.public)])
        near.append(Near(name, Service(home, lambda: world.now)))
    world.room = replace(world.room, trust=trust_of(world), witnesses=tuple(near))
    return Watched(world, near)


def test_a_checkpoint_is_published_once_a_quorum_has_seen_it(watched: Watched) -> None:
    room = watched.world.room
    assert room.log.cosigned() is None
    watched.world.settle()
    witnessing.ask(room, watched.near[0])
    assert room.log.cosigned() is None
    witnessing.ask(room, watched.near[1])
    text = room.log.cosigned()
    assert text is not None
    assert read_note(text).checkpoint.size == room.log.size
    assert len(read_note(text).signatures) == 3
    witnessing.ask(room, watched.near[2])
    assert len(read_note(str(room.log.cosigned())).signatures) == 4


def test_receipts_carry_the_quorum(watched: Watched) -> None:
    watched.turn()
    said = "\n".join(watched.receipt().links)
    assert "cosigned by 3 organisations, 2 of 3 witnesses needed" in said


def test_a_receipt_waits_for_the_witnesses(watched: Watched) -> None:
    watched.turn()
    (line,) = watched.world.score().results
    watched.world.settle()
    with pytest.raises(NotYet):
        receipts.get(watched.world.room, bank(), str(line.receipt))
    watched.ask()
    assert watched.verify(str(line.receipt))


def test_witnesses_are_asked_every_minute_while_nothing_happens(watched: Watched) -> None:
    watched.turn()
    for _ in range(3):
        watched.turn()
    assert [one.asked for one in watched.near] == [1, 1, 1]
    before = watched.world.room.log.cosigned()
    watched.age(seconds=60)
    watched.turn()
    assert [one.asked for one in watched.near] == [2, 2, 2]
    assert watched.world.room.log.cosigned() != before


def test_one_witness_gone_for_ever_changes_nothing(watched: Watched) -> None:
    watched.near[2].away = True
    watched.turn()
    for _ in range(30):
        watched.age(hours=3)
        watched.turn()
    assert watched.receipt().links
    assert watched.near[2].asked <= watched.near[0].asked


def test_a_dead_witness_is_asked_less_and_less_often(watched: Watched) -> None:
    watched.near[2].away = True
    for _ in range(200):
        watched.ask()
        watched.age(seconds=1)
    assert watched.near[2].asked < 10


def test_three_idle_days_change_nothing(watched: Watched) -> None:
    watched.turn()
    for _ in range(24):
        watched.age(hours=3)
        watched.turn()
    assert health.parts(watched.world.room)["witnesses"] == "ready"
    assert watched.receipt().links


def silence(watched: Watched, *, two: bool = True) -> None:
    for one in watched.near[: 2 if two else 3]:
        one.away = True


def test_a_room_that_no_witness_ever_saw_releases_nothing(watched: Watched) -> None:
    silence(watched)
    watched.turn()
    with pytest.raises(Unavailable) as caught:
        watched.world.score()
    assert caught.value.code == "WITNESSES_SILENT"
    assert watched.world.count(t.release) == 0
    assert health.parts(watched.world.room)["witnesses"] == "WITNESSES_SILENT"


def test_after_half_a_day_it_warns_and_after_a_day_it_stops(watched: Watched) -> None:
    watched.turn()
    silence(watched)
    room = watched.world.room
    watched.age(hours=12)
    assert witnessing.warn(room) == 0
    watched.age(seconds=1)
    faults: dict[str, str] = {}
    loop.turn(room, faults)
    assert faults == {"witnesses": "WITNESSES_LATE"}
    watched.age(hours=11, minutes=59, seconds=58)
    with sa_connection(room.database) as connection:
        assert witnessing.check_witnessed(connection, room) is None
    watched.age(seconds=1)
    with sa_connection(room.database) as connection, pytest.raises(Unavailable) as caught:
        witnessing.check_witnessed(connection, room)
    assert caught.value.code == "WITNESSES_SILENT"


def sa_connection(engine: sa.Engine) -> sa.Connection:
    return engine.connect()


def test_what_waits_is_released_once_the_witnesses_are_back(watched: Watched) -> None:
    watched.turn()
    silence(watched)
    watched.age(days=1)
    statement, key = watched.world.request(), watched.world.key()
    with pytest.raises(Unavailable):
        watched.world.score(statement, key)
    for one in watched.near:
        one.away = False
    watched.turn()
    assert watched.world.score(statement, key).results[0].status == "released"


# --- override ---


def paper(world: World, *signers: str, **changed: object) -> Statement:
    fixed: dict[str, object] = {
        "origin": ORIGIN,
        "reason": "two witnesses lost their disks",
        "valid_from": write_instant(world.now),
        "valid_until": write_instant(world.now + timedelta(hours=24)),
        "nonce": world.nonce,
    }
    made = Override(**{**fixed, **changed})  # type: ignore[arg-type]
    return f.sign(made, *(signers or ("zhao", "qian")))


def test_an_override_lets_releases_go_on_and_each_names_it(watched: Watched) -> None:
    silence(watched)
    world = watched.world
    digest = witnessing.override(world.room, OPERATOR, paper(world))
    shown = watched.receipt()
    assert shown.opened["override"] == digest
    said = "\n".join(shown.links)
    assert "NOT witnessed" in said
    assert "two witnesses lost their disks" in said
    watched.age(hours=24)
    with pytest.raises(Unavailable):
        world.score()


def test_a_founder_s_replaced_key_overrides_nothing(watched: Watched) -> None:
    """Not a new paper by the old key, and not an old paper that it signed before."""
    silence(watched)
    world, old = watched.world, f.signing_key("zhao").public.id
    witnessing.override(world.room, OPERATOR, paper(world))
    late = paper(world)
    new = f.enrolment(
        "zhao",
        party="room",
        role=Role.OPERATOR,
        signing_key=f.signing_key("another").public.raw.hex(),
        replaces=old,
        nonce=f.nonce("another"),
    )
    people.enrol(world.room, OPERATOR, [f.sign(new, "another", "qian", "sun")])
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        witnessing.override(world.room, OPERATOR, late)
    with pytest.raises(Unavailable, match="WITNESSES_SILENT"):
        world.score()


@pytest.mark.parametrize("left", [b"", b"not a note"])
def test_a_damaged_note_is_replaced_by_the_next(
    watched: Watched, tmp_path: Path, left: bytes
) -> None:
    watched.turn()
    (tmp_path / "log/cosigned").write_bytes(left)
    assert witnessing.newest_quorum(watched.world.room) is None
    watched.age(minutes=2)
    watched.turn()
    assert witnessing.newest_quorum(watched.world.room) is not None


def test_its_receipts_name_it_also_when_the_witnesses_are_back(watched: Watched) -> None:
    silence(watched)
    witnessing.override(watched.world.room, OPERATOR, paper(watched.world))
    (line,) = watched.world.score().results
    for one in watched.near:
        one.away = False
    watched.age(minutes=2)
    watched.turn()
    said = "\n".join(watched.verify(str(line.receipt)).links)
    assert "cosigned by 3" in said
    assert "two witnesses lost their disks" in said


def test_an_override_that_is_not_needed_is_not_named(watched: Watched) -> None:
    watched.turn()
    witnessing.override(watched.world.room, OPERATOR, paper(watched.world))
    assert watched.receipt().opened["override"] is None


def test_an_override_is_logged_once(watched: Watched) -> None:
    world = watched.world
    signed = paper(world)
    first = witnessing.override(world.room, OPERATOR, signed)
    assert witnessing.override(world.room, OPERATOR, signed) == first
    assert world.count(t.entry, kind="witnesses_overridden") == 1


def test_only_operators_bring_what_the_trust_files_operators_signed(watched: Watched) -> None:
    world, day = watched.world, timedelta(days=1)
    wrong: list[tuple[Statement, type[SaferoomError]]] = [
        (paper(world, "zhao"), Refusal),
        (paper(world, "zhao", "sun"), Refusal),
        (paper(world, origin="another"), Refusal),
        (
            paper(
                world,
                valid_from=write_instant(world.now - day),
                valid_until=write_instant(world.now),
            ),
            Refusal,
        ),
        (
            paper(
                world,
                valid_from=write_instant(world.now + day),
                valid_until=write_instant(world.now + 2 * day),
            ),
            BadInput,
        ),
    ]
    for statement, family in wrong:
        with pytest.raises(family):
            witnessing.override(world.room, OPERATOR, statement)
    for caller in (AUDITOR, bank()):
        with pytest.raises(Refusal):
            witnessing.override(world.room, caller, paper(world))
    with pytest.raises(BadInput):
        witnessing.override(replace(world.room, trust=None), OPERATOR, paper(world))
    assert world.count(t.entry, kind="witnesses_overridden") == 0


def test_an_override_that_somebody_wrote_into_the_database_counts_for_nothing(
    watched: Watched,
) -> None:
    silence(watched)
    world = watched.world
    forged = paper(world, "zhao")
    row = {
        "digest": forged.digest,
        "kind": "override",
        "party": "room",
        "submitter": forged.signers()[0],
        "state": "signed",
        "statement": forged.to_bytes(),
        "proposed_at": world.now_text,
    }
    world.execute(sa.insert(t.subject).values(row))
    with pytest.raises(Unavailable):
        world.score()


# --- hostile answers ---


def test_a_cosigned_file_that_somebody_changed_is_as_good_as_none(watched: Watched) -> None:
    watched.turn()
    room = watched.world.room
    good = str(room.log.cosigned())
    for bad in ("", good.replace("w1", "w9"), good[:-30] + "\n", room.log.checkpoint()):
        room.log.keep_cosigned(bad)
        assert witnessing.newest_quorum(room) is None
    room.log.keep_cosigned(good)
    assert witnessing.newest_quorum(room) is not None


@pytest.mark.parametrize(
    "says",
    [
        lambda text: "",
        lambda text: "hello\n",
        lambda text: text.replace("w1", "w2"),
        lambda text: text[:40] + ("B" if text[40] == "A" else "A") + text[41:],
        lambda text: text * 20,
    ],
)
def test_an_answer_that_is_no_cosignature_does_not_count(
    watched: Watched, says: Callable[[str], str]
) -> None:
    watched.world.settle()
    watched.near[0].says = says
    assert watched.ask() == ["WITNESS_UNAVAILABLE"]
    text = str(watched.world.room.log.cosigned())
    assert [line.name for line in read_note(text).signatures] == [ORIGIN, "w2", "w3"]


def test_a_second_line_beside_the_cosignature_is_dropped(watched: Watched) -> None:
    watched.world.settle()
    stranger = read_note(watched.world.room.log.checkpoint()).signatures[0].text()
    watched.near[0].says = lambda text: stranger.replace(ORIGIN, "w8") + text
    assert watched.ask() == []
    names = [line.name for line in read_note(str(watched.world.room.log.cosigned())).signatures]
    assert names == [ORIGIN, "w1", "w2", "w3"]


def test_a_rotated_witness_key_counts_beside_the_old_one(watched: Watched, tmp_path: Path) -> None:
    """The trust file gets a second entry of the organisation; the old key ends."""
    watched.turn()
    world = watched.world
    held = trust_of(world)
    old = held.witnesses.keys[0]
    new = replace(old, key=_key("new").public.raw.hex(), valid_from=write_instant(world.now))
    ended = replace(old, valid_until=write_instant(world.now + timedelta(hours=1)))
    home = homes.create(tmp_path / "new", "w1", "org w1", _key("new").seed)
    home.watch([NoteKey(ORIGIN, world.room.log_key.public)])
    watched.near[0].service = Service(home, lambda: watched.world.now)
    rotated = Witnesses(2, (ended, new, *held.witnesses.keys[1:]))
    world.room = replace(world.room, trust=replace(held, witnesses=rotated))
    watched.near[2].away = True
    watched.age(hours=2)
    assert "org w1" in "\n".join(watched.receipt().links)


def test_a_room_whose_log_forked_gets_no_cosignature(watched: Watched, tmp_path: Path) -> None:
    """The witnesses saw more than the database that somebody put back."""
    watched.turn()
    for one in watched.near:
        place = next((one.service.home.folder / "seen").iterdir())
        kept = read_note(place.read_text())
        other = replace(kept.checkpoint, root=bytes(32))
        place.write_text(place.read_text().replace(kept.checkpoint.text(), other.text()))
    watched.world.score()
    watched.world.settle()
    assert watched.ask() == ["WITNESS_UNAVAILABLE"] * 3


def test_a_room_without_witnesses_says_nothing_of_them(world: World) -> None:
    (line,) = world.score().results
    world.settle()
    data = receipts.get(world.room, bank(), str(line.receipt))
    assert parse_object(data)["override"] is None
    held = trust_of(world, quorum=0, names=())
    assert not any(
        "witness" in link for link in check_receipt(data, held, check_papers=check_papers).links
    )
    with pytest.raises(Tampered):
        check_receipt(data, trust_of(world), check_papers=check_papers)


def test_the_worker_asks_a_real_program_over_http(world: World, tmp_path: Path) -> None:
    home = homes.create(tmp_path / "w1", "w1", "org w1", _key("w1").seed)
    home.watch([NoteKey(ORIGIN, world.room.log_key.public)])
    running = start(tmp_path / "w1", free_port())
    client = WitnessClient("w1", f"http://127.0.0.1:{running.port}/")
    dead = WitnessClient("w2", f"http://127.0.0.1:{free_port()}")
    held = trust_of(world, quorum=1, names=("w1", "w2"))
    world.room = replace(world.room, trust=held, witnesses=(client, dead))
    world.now = datetime.now(UTC)  # the program's own clock
    try:
        world.settle()
        with asking(world.room):
            for _ in range(600):
                if world.room.log.cosigned() is not None:
                    break
                time.sleep(0.05)
        assert witnessing.newest_quorum(world.room) is not None
        world.later(minutes=2)
        world.room.cosigning.turns["w1"].size = 0  # as after a restart: 409, then again
        assert witnessing.ask(world.room, client)
        with pytest.raises(Unavailable):
            client.add_checkpoint("nonsense", 0, [])
    finally:
        client.close()
        dead.close()
        running.kill()


# --- another set ---


def change_of(world: World, *signers: str, **changed: object) -> Statement:
    """Rotate the key of w1: the old one ends now, the new one begins."""
    now = write_instant(world.now)
    old = trust_of(world).witnesses.keys
    new = replace(old[0], key=_key("new").public.raw.hex(), valid_from=now)
    fixed: dict[str, object] = {
        "origin": ORIGIN,
        "previous": None,
        "reason": "a new key of w1",
        "valid_from": now,
        "quorum": 2,
        "witnesses": (replace(old[0], valid_until=now), new, *old[1:]),
        "nonce": f.nonce("set"),
    }
    return f.sign(WitnessSet(**{**fixed, **changed}), *(signers or ("zhao", "qian")))  # type: ignore[arg-type]


def bring(watched: Watched, trust: Trust) -> None:
    watched.world.room = replace(watched.world.room, read_trust=lambda: trust)


def test_a_running_room_takes_another_set_and_logs_it(watched: Watched, tmp_path: Path) -> None:
    watched.turn()
    world, first = watched.world, trust_of(watched.world)
    old = watched.receipt()
    newer = first.changed(change_of(world))
    bring(watched, newer)
    assert trusting.take(world.room) == 1
    assert trusting.take(world.room) == 0
    assert world.count(t.entry, kind="witnesses_changed") == 1
    home = homes.create(tmp_path / "new", "w1", "org w1", _key("new").seed)
    home.watch([NoteKey(ORIGIN, world.room.log_key.public)])
    watched.near[0].service = Service(home, lambda: world.now)
    watched.near[2].away = True
    watched.age(hours=2)
    (line,) = world.score().results
    watched.turn()
    data = receipts.get(world.room, bank(), str(line.receipt))
    said = "\n".join(check_receipt(data, newer, check_papers=check_papers).links)
    assert "org w1" in said
    with pytest.raises(Tampered) as caught:
        check_receipt(data, first, check_papers=check_papers)
    assert caught.value.code == "TRUST_OLDER"
    assert old.links  # and by the newer file too:
    again = replace(world.room, trust=first, cosigning=Cosigning())
    with sa_connection(again.database) as connection:  # as another process, or after a restart
        assert trusting.refresh(connection, again) == newer


@pytest.mark.parametrize("late", [False, True])
def test_a_set_that_one_operator_signed_or_that_is_old_is_not_taken(
    watched: Watched, late: bool
) -> None:
    world, first = watched.world, trust_of(watched.world)
    if late:
        bring(watched, first.changed(change_of(world)))
        watched.age(days=3)
        with pytest.raises(Refusal, match="REPLAY"):
            trusting.take(world.room)
    else:
        with pytest.raises(Refusal, match="APPROVAL_MISSING"):
            first.changed(change_of(world, "zhao"))
        bring(watched, replace(first, witnesses=Witnesses(1, first.witnesses.keys)))
        with pytest.raises(Refusal, match="WITNESSES_UNFIT"):
            trusting.take(world.room)
    assert trusting.current(world.room) == first
    assert world.count(t.entry, kind="witnesses_changed") == 0


def test_a_founders_replaced_key_changes_no_set(watched: Watched) -> None:
    world, old = watched.world, f.signing_key("zhao").public.id
    bring(watched, trust_of(world).changed(change_of(world)))
    new = f.enrolment(
        "zhao",
        party="room",
        role=Role.OPERATOR,
        signing_key=f.signing_key("another").public.raw.hex(),
        replaces=old,
        nonce=f.nonce("another"),
    )
    people.enrol(world.room, OPERATOR, [f.sign(new, "another", "qian", "sun")])
    with pytest.raises(Refusal, match="APPROVAL_MISSING"):
        trusting.take(world.room)


@pytest.mark.parametrize("twin", ["edited", "forged"])
def test_a_set_that_somebody_wrote_into_the_database_stops_releases(
    watched: Watched, twin: str
) -> None:
    watched.turn()
    world, first = watched.world, trust_of(watched.world)
    bring(watched, first.changed(change_of(world)))
    forged = change_of(world, "zhao", reason="nobody else knows")
    if twin == "edited":
        trusting.take(world.room)
        edit = {"statement": forged.to_bytes()}
        world.execute(sa.update(t.subject).where(t.subject.c.kind == "witness_set").values(edit))
    else:
        row = {
            "digest": forged.digest,
            "kind": "witness_set",
            "party": "",
            "submitter": forged.signers()[0],
            "state": "signed",
            "statement": forged.to_bytes(),
            "proposed_at": world.now_text,
        }
        world.execute(sa.insert(t.subject).values(row))
    with pytest.raises(Tampered, match="CONTENT_CHANGED"):
        world.score()
    assert world.count(t.release) == 0
    assert {key.key for key in (trusting.current(world.room) or first).watchers.keys} >= {
        key.key for key in first.witnesses.keys
    }


def test_a_room_without_a_trust_file_has_no_set_to_change(world: World) -> None:
    assert trusting.take(replace(world.room, trust=None)) == 0
