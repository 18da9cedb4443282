"""A room that was set back releases nothing until what it lost was replayed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from saferoom.adapters.database import tables as t
from saferoom.adapters.database.engine import open_database, reading
from saferoom.adapters.log_files import LogFiles
from saferoom.adapters.sinks import FileSink
from saferoom.adapters.tail_keys import TailKeyFile, write_seed
from saferoom.adapters.write_once import WriteOnceSink
from saferoom.app import (
    behind,
    contacts,
    disputes,
    erasures,
    log,
    receipts,
    subjects,
    tailing,
    verifying,
    witnessing,
)
from saferoom.app.context import Room
from saferoom.app.images import NOT_KEPT, tables_kept
from saferoom.app.restoring import restore
from saferoom.core.contact import Contact
from saferoom.core.enrolment import Role
from saferoom.core.grant import Grant
from saferoom.core.papers import check_papers
from saferoom.core.receipt import check_receipt
from saferoom.crypto.ratchet import Ratchet
from saferoom.crypto.signing import Statement
from saferoom.errors import Isolation, Tampered
from saferoom.ports import Tail
from saferoom.tlog.checkpoint import NoteKey
from saferoom.witness import home as homes
from saferoom.witness.service import Witness as Service
from tests import factories as f
from tests.app.test_own_records import disputed
from tests.app.test_witnessing import NAMES, Near, _key, trust_of
from tests.app.world import OPERATOR, ORIGIN, World, bank, code, enterprise, ready_world

DAY = f.NOW.toordinal()


@dataclass
class Copied:
    """A running room, and a copy of its home from some time ago."""

    world: World
    folder: Path
    url: str
    copies: list[sa.Engine]

    def turn(self) -> None:
        """Deliver, sequence, tell the tails the places, ask the witnesses."""
        self.world.settle()
        tailing.keep_places(self.world.room)
        for one in self.world.room.witnesses:
            witnessing.ask(self.world.room, one)

    def back_up(self) -> Room:
        """Copy database, log and keys as they are now; return the room on the copy."""
        shutil.copytree(self.folder / "log", self.folder / "copy" / "log")
        shutil.copytree(self.folder / "keys", self.folder / "copy" / "keys")
        copy = open_database(_copy_database(self.world.room.database, self.url, self.folder))
        self.copies.append(copy)
        return self.on(copy)

    def on(self, engine: sa.Engine) -> Room:
        """Open the room again, as another program would, on a copy of its home."""
        room = self.world.room
        fresh = type(room.cosigning)()
        return replace(
            room,
            database=engine,
            log=LogFiles(self.folder / "copy" / "log", ORIGIN, [room.log_key]),
            tail_keys=TailKeyFile(self.folder / "copy" / "keys" / "tail.key"),
            cosigning=fresh,
            placed={},
            proofs=type(room.proofs)(),
            group=type(room.group)(),
        )


def _copy_database(engine: sa.Engine, url: str, folder: Path) -> str:
    engine.dispose()
    if url.startswith("sqlite"):
        path = url.removeprefix("sqlite:///")
        for suffix in ("", "-wal"):
            if Path(path + suffix).exists():
                shutil.copyfile(path + suffix, folder / f"copy.db{suffix}")
        return f"sqlite:///{folder / 'copy.db'}"
    named = sa.make_url(url)
    admin = sa.create_engine(named.set(database="postgres"), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        name = f"{named.database}_back"
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE {named.database}")
    admin.dispose()
    return named.set(database=name).render_as_string(hide_password=False)


@pytest.fixture(params=["file", "folder"])
def copied(
    database: sa.Engine, database_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Copied]:
    world = ready_world(database, tmp_path, enterprises=3)
    near = []
    for name in NAMES:
        home = homes.create(tmp_path / name, name, f"org {name}", _key(name).seed)
        home.watch([NoteKey(ORIGIN, world.room.log_key.public)])
        near.append(Near(name, Service(home, lambda: world.now)))
    (tmp_path / "keys").mkdir()
    write_seed(tmp_path / "keys" / "tail.key", Ratchet(DAY, b"\5" * 32))
    other = tmp_path / "another disk"
    other.mkdir()
    sink = FileSink(other / "entries.log") if request.param == "file" else WriteOnceSink(other)
    world.room = replace(
        world.room,
        sinks=(sink, world.sink),
        tails=(sink,),
        tail_keys=TailKeyFile(tmp_path / "keys" / "tail.key"),
        trust=trust_of(world),
        witnesses=tuple(near),
    )
    made = Copied(world, tmp_path, database_url, [])
    made.turn()
    yield made
    for engine in made.copies:
        engine.dispose()


_TOLD_ANEW = {
    "entry": {"number", "acknowledged"},
    "vote": {"number"},
    "notice": {"number"},
    "concern": {"number"},
    "lesson": {"number", "state"},  # the vault is taught them again
    "erasure": {"state", "certificate"},  # ordered again
    "release": {"state", "delivered_at"},  # a retry delivers it
}


def rows(engine: sa.Engine) -> dict[str, set[tuple[object, ...]]]:
    """Read every kept table, but for numbers that the database gives and what is told anew."""
    found = {}
    with reading(engine) as connection:
        for name in sorted(tables_kept()):
            table = t.metadata.tables[name]
            columns = [
                column for column in table.columns
                if column.name not in _TOLD_ANEW.get(name, ())
            ]  # fmt: skip  # one list
            found[name] = {tuple(row) for row in connection.execute(sa.select(*columns))}
    return found


def live(copied: Copied) -> dict[str, object]:
    """Let happen what must not be undone: uses, a revocation, a suspension, a new key."""
    world = copied.world
    first = world.score(world.request(code(1), code(2))).results
    copied.turn()
    revoked = next(grant for (who, _), (grant, _) in world.signed.items() if who == code(2))
    world.revoke(_grant(world, revoked))
    world.enrol_enterprises([code(7)])
    world.budget(code(7))
    world.grant(code(7))
    world.score(world.request(code(7)))
    world.later(hours=30)
    copied.turn()
    world.publish()
    world.score(world.request(code(1)))
    others(world)
    copied.turn()
    return {"receipt": str(first[0].receipt)}


def others(world: World) -> None:
    """Let happen what else leaves rows, so that each kept table has some that were lost."""
    world.enrol("tax.steward", party="tax", role=Role.STEWARD)
    world.admit("tax", party_kind="source")
    world.approve(subjects.propose(world.room, OPERATOR, f.sign(f.verifier(), "zhao")))
    request = f.verify_request(asked_at=world.now_text, nonce=world.nonce)
    leave = f.verify_grant(valid_until="2027-11-20T00:00:00Z", signed_at=world.now_text)
    asked, left = f.sign(request, "bank-a.system"), f.sign(leave, f.ENTERPRISE)
    verifying.verify(world.room, bank(), asked, left)
    disputes.dispute(world.room, enterprise(f.ENTERPRISE), disputed(world))
    order = f.sign(f.erase_order(code(3), asked_at=world.now_text, nonce=world.nonce), code(3))
    erasures.erase(world.room, enterprise(code(3)), order)
    world.suspend_party("tax", suspended_at=world.now_text)
    contact = Contact(
        party=f.ENTERPRISE, address="a@firm.example", set_at=world.now_text, nonce=world.nonce
    )
    contacts.set_contact(world.room, enterprise(f.ENTERPRISE), f.sign(contact, f.ENTERPRISE))
    world.score(world.request(code(2)))  # refused
    world.submit(world.manifest(name="another"))


def _grant(world: World, digest: str) -> Grant:
    query = sa.select(t.permission.c.statement).where(t.permission.c.digest == digest)
    with reading(world.room.database) as connection:
        return Grant.from_body(Statement.from_bytes(connection.scalars(query).one()).body)


def behind_code(room: Room) -> str:
    with pytest.raises(Isolation) as caught:
        behind.check_whole(room)
    assert caught.value.code == "LOG_BEHIND"
    return str(caught.value.detail)


def test_every_table_is_kept_or_said_to_be_lost() -> None:
    assert tables_kept().isdisjoint(NOT_KEPT)
    assert tables_kept() | set(NOT_KEPT) == set(t.metadata.tables)


def test_a_room_that_was_not_set_back_starts(copied: Copied) -> None:
    live(copied)
    behind.check_whole(copied.world.room)
    done = restore(copied.world.room, copied.world.room.tails)
    assert (done.entries, done.unreadable) == (0, 0)


def test_a_copy_is_noticed_by_what_others_hold(copied: Copied) -> None:
    old = copied.back_up()
    live(copied)
    assert "sink" in behind_code(old)
    assert "saw" in behind_code(replace(old, tails=()))
    newer = LogFiles(copied.folder / "log", ORIGIN, [old.log_key])
    fresh = replace(old, tails=(), witnesses=(), log=newer)
    with reading(old.database) as connection, pytest.raises(Isolation):
        behind.check_not_found(connection)  # the witness's proof is remembered
    with old.database.begin() as connection:
        behind.forget(connection)
    assert "tiles" in behind_code(fresh)


def test_the_replay_brings_back_every_row_and_the_same_log(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    then = rows(old.database)
    told = live(copied)
    size = world.room.log.size
    before = rows(world.room.database)
    assert [name for name in before if before[name] <= then[name]] == []  # each lost some
    done = restore(old, old.tails)
    assert done.unreadable == 0
    assert done.size == size
    assert done.kinds["grant_revoked"] == 1
    assert done.kinds["release"] >= 2
    after = rows(old.database)
    for name, had in before.items():
        assert had <= after[name], name
    behind.check_whole(old)
    world.room = old
    world.settle()
    leaves = [*LogFiles(copied.folder / "log", ORIGIN, [old.log_key]).entries(0)]
    assert [*old.log.entries(0)][:size] == leaves
    assert old.log.size == size + 1  # that it was restored is an entry of its own
    copied.turn()
    assert witnessing.newest_quorum(old) is not None
    assert old.trust is not None
    data = receipts.get(old, bank(), str(told["receipt"]))
    verified = check_receipt(data, old.trust, check_papers=check_papers)
    assert verified.links


def test_what_was_revoked_and_spent_stays_so(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    live(copied)
    spent = {who: world.spent(who) for who in (code(1), code(2), code(7))}
    restore(old, old.tails)
    world.room = old
    copied.turn()
    assert {who: world.spent(who) for who in spent} == spent
    (line,) = world.score(world.request(code(2))).results
    assert (line.status, line.code) == ("refused", "AUTH_REVOKED")
    (line,) = world.score(world.request(code(7))).results
    assert line.status == "released"


def test_an_erasure_is_ordered_again(copied: Copied) -> None:
    """The vault's folder may be as old as the copy: it must erase once more."""
    world = copied.world
    world.score(world.request(code(3)))
    copied.turn()
    old = copied.back_up()
    order = f.sign(f.erase_order(code(3), asked_at=world.now_text, nonce=world.nonce), code(3))
    erasures.erase(world.room, enterprise(code(3)), order)
    copied.turn()
    assert world.vault.erased == 1
    restore(old, old.tails)
    world.room = old
    assert world.count(t.release, enterprise=code(3), answer=b"") == 1
    assert world.count(t.erasure, state="ordered") == 1
    erasures.carry_out_waiting(old)
    assert world.vault.erased == 2
    assert world.count(t.erasure, state="certified") == 1


def test_what_was_recorded_and_had_no_place_gets_one(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    world.score()
    log.deliver(world.room)  # the sinks have it, the sequencer not yet
    done = restore(old, old.tails)
    assert done.entries == 1
    world.room = old
    copied.turn()
    assert world.count(t.entry, kind="release") == 1


def test_a_witness_that_answers_late_stops_a_running_room(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    world.score()
    copied.turn()
    for one in world.room.witnesses:
        one.away = True  # type: ignore[attr-defined]  # a Near
    alone = replace(old, tails=(), sinks=(world.sink,))
    behind.check_whole(alone)
    world.room = alone
    world.score()
    for one in world.room.witnesses:
        one.away = False  # type: ignore[attr-defined]  # a Near
    with pytest.raises(Isolation):
        witnessing.ask(alone, alone.witnesses[0])
    for refused in (world.score, world.settle_log):
        with pytest.raises(Isolation) as caught:
            refused()
        assert caught.value.code == "LOG_BEHIND"


def test_a_tail_that_ends_before_what_a_witness_saw_is_not_enough(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    world.score()
    copied.turn()
    shutil.copytree(copied.folder / "another disk", copied.folder / "older sink")
    live(copied)
    kind = type(old.tails[0])
    place = copied.folder / "older sink"
    tail: Tail = WriteOnceSink(place) if kind is WriteOnceSink else FileSink(place / "entries.log")
    before = rows(old.database)
    with pytest.raises(Isolation) as caught:
        restore(old, [tail])
    assert "nowhere" in str(caught.value.detail)
    assert rows(old.database) == before
    assert restore(old, [tail, *old.tails]).entries > 1  # both together have it all


def test_without_places_the_order_is_what_gives_the_root(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    live(copied)

    class Unplaced:
        """A tail whose words about places were lost."""

        def __init__(self, inner: Tail) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> object:
            return getattr(self.inner, name)

        def kept(self, kind: str) -> Iterator[bytes]:
            return iter(()) if kind == "places" else self.inner.kept(kind)

    assert restore(old, [Unplaced(world.room.tails[0])]).size == world.room.log.size  # type: ignore[list-item]


def test_a_destroyed_day_stays_closed_and_is_counted(copied: Copied) -> None:
    old, world = copied.back_up(), copied.world
    live(copied)
    assert old.tail_keys is not None
    old.tail_keys.forget_before(DAY + 1)
    done = restore(old, old.tails)
    assert 0 < done.unreadable < done.entries
    assert done.size == world.room.log.size


def test_the_tail_says_nothing_without_its_key(copied: Copied) -> None:
    live(copied)
    for path in (copied.folder / "another disk").rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert code(7).encode() not in data
            assert b"li.na" not in data
    line, *_ = copied.world.room.tails[0].kept("tail")
    write_seed(copied.folder / "keys" / "other.key", Ratchet(DAY, b"\6" * 32))
    other = TailKeyFile(copied.folder / "keys" / "other.key")
    with pytest.raises(Tampered):
        tailing.open_rows(replace(copied.world.room, tail_keys=other), tailing.read_tail(line))
