"""A log that is as it should be raises nothing; each lie raises its own alarm."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any  # changes of a budget

import pytest

from saferoom.adapters.log_files import LogFiles
from saferoom.canonical import Json
from saferoom.core.approval import Decision
from saferoom.core.enrolment import Role
from saferoom.core.log_events import KINDS, build_entry
from saferoom.core.moment import write_instant
from saferoom.core.promise import Promise
from saferoom.core.trust import LogKey
from saferoom.core.uscc import make_uscc
from saferoom.core.witnesses import Witnesses
from saferoom.crypto.signing import Statement
from saferoom.monitor.alarms import ALARMS
from saferoom.monitor.leaves import TABLE, read_leaf
from saferoom.monitor.places import open_log
from saferoom.tlog.checkpoint import Checkpoint, sign_checkpoint
from saferoom.tlog.merkle import leaf_hash, root
from tests import factories as f
from tests.core.test_witnesses import KEYS, cosigned, witness
from tests.monitor import tale
from tests.monitor.tale import (
    APPROVER,
    LOG_KEY,
    MODELLER,
    NOW,
    ORIGIN,
    Line,
    Tale,
    Told,
    budgeted,
    good,
    granted,
    person,
    released,
    revoked,
    tell,
    voted,
)
from tests.tlog.small_log import SM2_KEY, counting, sm2_key


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return tell(tmp_path, good())


def test_a_good_log_raises_nothing(told: Told) -> None:
    shown = told.visited()
    assert shown.alarms == []
    assert shown.visit.size == shown.visit.opened == len(good())
    assert told.visit() == []  # and again, with what it remembers


# --- lies about what left, each by its own twin ---

BUDGET, GRANT, RELEASE = 10, 11, 12
STRANGER = make_uscc(2)


def without(at: int) -> Callable[[Tale], None]:
    return lambda lines: lines.__delitem__(at)


def put(at: int, line: Line) -> Callable[[Tale], None]:
    return lambda lines: lines.__setitem__(at, line)


def add(at: int, *more: Line) -> Callable[[Tale], None]:
    return lambda lines: lines.__setitem__(slice(at, at), more)


def then(*steps: Callable[[Tale], None]) -> Callable[[Tale], None]:
    def act(lines: Tale) -> None:
        for step in steps:
            step(lines)

    return act


SMALL = f.budget(limit_mbit=7_999)
LOW = f.budget(ceiling_mbit=7_999)
AGAIN: dict[str, Any] = {
    "replaces": f.budget().digest,
    "revealed_mbit": 4_000,
    "nonce": f.nonce("next"),
}
LATE = f.grant(valid_until="2026-11-20T10:00:00Z")
OTHER = f.grant(version=f.some_digest("another"))
TWINS: dict[str, tuple[Callable[[Tale], None], list[str]]] = {
    "no grant": (without(GRANT), ["RELEASE_UNGRANTED", "RELEASE_UNCHARGED"]),
    "grant after release": (
        then(without(GRANT), add(RELEASE, granted())),
        ["RELEASE_UNGRANTED", "RELEASE_UNCHARGED"],
    ),
    "another version's grant": (
        then(put(GRANT, granted(OTHER)), put(RELEASE, released(grant=OTHER.digest))),
        ["RELEASE_UNGRANTED"],
    ),
    "an ended grant": (
        then(put(GRANT, granted(LATE)), put(RELEASE, released(grant=LATE.digest))),
        ["RELEASE_UNGRANTED"],
    ),
    "another bank": (put(RELEASE, released(bank="bank-b")), ["RELEASE_UNGRANTED"]),
    "another purpose": (put(RELEASE, released(purpose="other")), ["RELEASE_UNGRANTED"]),
    "another enterprise": (
        put(RELEASE, released(enterprise=STRANGER)),
        ["RELEASE_UNGRANTED", "RELEASE_OVERDRAWN"],
    ),
    "a forged grant": (
        put(GRANT, granted(signer="zhao")),
        ["PAPER_UNSIGNED", "RELEASE_UNGRANTED", "RELEASE_UNCHARGED"],
    ),
    "a revoked grant": (add(RELEASE, revoked()), ["RELEASE_AFTER_REVOCATION"]),
    "revoked with its version": (
        add(RELEASE, revoked(grant=f.some_digest("older"))),
        ["RELEASE_AFTER_REVOCATION"],
    ),
    "no bank's vote": (without(7), ["RELEASE_UNAPPROVED"]),
    "one operator": (without(8), ["RELEASE_UNAPPROVED"]),
    "one operator twice": (put(9, voted("zhao")), ["RELEASE_UNAPPROVED"]),
    "a refusal": (put(9, voted("qian", decision=Decision.REFUSE)), ["RELEASE_UNAPPROVED"]),
    "a bank's vote at review": (put(9, voted(APPROVER)), ["RELEASE_UNAPPROVED"]),
    "a stranger's vote": (put(9, voted("nobody")), ["PAPER_UNSIGNED", "RELEASE_UNAPPROVED"]),
    "a suspended version": (
        add(
            RELEASE,
            Line(
                "version_suspended",
                {"by": "zhao", "statement": f.some_digest()},
                {"version": tale.VERSION.digest},
            ),
        ),
        ["RELEASE_UNAPPROVED"],
    ),
    "own submission": (
        then(
            put(7, voted(MODELLER, "bank")),
            put(3, person(MODELLER, f.BANK, Role.APPROVER)),
        ),
        ["RELEASE_UNAPPROVED"],
    ),
    "too little charged": (put(RELEASE, released(charge_mbit=1)), ["RELEASE_UNCHARGED"]),
    "stored, never evaluated": (
        put(RELEASE, released(source="stored", charge_mbit=0)),
        ["RELEASE_UNCHARGED"],
    ),
    "stored and charged": (
        add(13, released(source="stored")),
        ["RELEASE_UNCHARGED"],
    ),
    "no budget": (without(BUDGET), ["RELEASE_OVERDRAWN"]),
    "over the limit": (
        then(
            put(BUDGET, budgeted(limit_mbit=7_999)),
            put(RELEASE, released(budget=SMALL.digest)),
            add(13, released(budget=SMALL.digest)),
        ),
        ["RELEASE_OVERDRAWN"],
    ),
    "over the ceiling": (
        then(
            put(BUDGET, budgeted(ceiling_mbit=7_999)),
            put(RELEASE, released(budget=LOW.digest)),
            add(13, released(budget=LOW.digest)),
        ),
        ["RELEASE_OVERDRAWN"],
    ),
    "a replaced budget": (
        add(13, budgeted(**AGAIN), released()),
        ["RELEASE_OVERDRAWN"],
    ),
    "a refilled budget": (
        add(13, budgeted(replaces=f.budget().digest, revealed_mbit=3_999)),
        ["BUDGET_REFILLED"],
    ),
    "a second first budget": (
        add(13, budgeted(revealed_mbit=4_000, nonce=f.nonce("again"))),
        ["BUDGET_REFILLED"],
    ),
    "an unvouched key": (
        add(3, person("eve", "room", Role.OPERATOR, "zhao")),
        ["KEY_UNVOUCHED"],
    ),
    "a key that an unknown operator vouched for": (
        add(3, person("eve", "room", Role.OPERATOR, "zhao", "mallory")),
        ["KEY_UNVOUCHED"],
    ),
    "no paper": (
        put(GRANT, replace(granted(), papers=())),
        ["STATEMENT_MISSING", "RELEASE_UNGRANTED", "RELEASE_UNCHARGED"],
    ),
    "a replaced key signs": (
        add(
            10,
            person(
                f.ENTERPRISE, f.ENTERPRISE, Role.ENTERPRISE, "new", *f.GENESIS,
                signing_key=f.signing_key("new").public.raw.hex(),
                replaces=f.signing_key(f.ENTERPRISE).public.id,
            ),
        ),
        ["PAPER_UNSIGNED", "PAPER_UNSIGNED", "RELEASE_UNGRANTED",
         "RELEASE_UNCHARGED", "RELEASE_OVERDRAWN"],
    ),
    "time runs back": (
        add(13, replace(released(), at=NOW - timedelta(hours=2))),
        ["TIME_BACKWARDS"],
    ),
}  # fmt: skip  # a table


@pytest.mark.parametrize("name", TWINS)
def test_each_lie_raises_its_alarm(tmp_path: Path, name: str) -> None:
    lie, codes = TWINS[name]
    lines = good()
    lie(lines)
    assert tell(tmp_path, lines).visit() == codes


@pytest.mark.parametrize(
    "more",
    [
        (released(source="stored", charge_mbit=0),),
        (budgeted(**AGAIN), released(budget=f.budget(**AGAIN).digest)),
        (revoked(),),
        (replace(released(), at=NOW + timedelta(hours=5)),
         replace(released(), at=NOW + timedelta(hours=4))),
    ],
)  # fmt: skip  # a table
def test_what_may_happen_raises_nothing(tmp_path: Path, more: tuple[Line, ...]) -> None:
    assert tell(tmp_path, [*good(), *more]).visit() == []


# --- the export ---


def change_value(body: dict[str, Json]) -> None:
    body["leaf"]["bank"]["value"] = "bank-b"  # type: ignore[index,call-overload]


def drop_record(body: dict[str, Json]) -> None:
    body["records"] = []


def change_record(body: dict[str, Json]) -> None:
    body["records"][0]["openings"]["charge_mbit"]["value"] = 1  # type: ignore[index,call-overload]


def swap(body: dict[str, Json]) -> None:
    body["index"] = 3


def cripple(body: dict[str, Json]) -> None:
    del body["records"]


@pytest.mark.parametrize("change", [change_value, drop_record, change_record, swap, cripple])
def test_an_export_that_does_not_fit_the_log_is_told(
    told: Told, change: Callable[[dict[str, Json]], None]
) -> None:
    told.change_line(RELEASE, change)
    assert told.visit() == ["OPENING_WRONG"]


def test_an_export_that_ends_early_is_told(told: Told) -> None:
    path = told.folder / "openings"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    assert told.visit() == ["OPENING_WRONG"]


def shred(body: dict[str, Json]) -> None:
    body["leaf"] = {}
    for record in body["records"]:  # type: ignore[union-attr]
        record["openings"] = {}  # type: ignore[index,call-overload]


def test_what_is_not_opened_is_told(told: Told) -> None:
    """The room writes the export itself: to leave out what decides must not silence an alarm."""
    told.change_line(RELEASE, shred)
    assert told.visit() == ["OPENING_WITHHELD"]


def test_entries_beyond_the_export_are_read_all_the_same(told: Told) -> None:
    LogFiles(told.folder / "log", ORIGIN, [LOG_KEY]).extend(len(told.leaves), [b"not a leaf"])
    assert told.visit() == ["LEAF_INVALID"]


# --- the tree ---


def test_a_changed_byte_of_any_file_is_found(told: Told) -> None:
    paths = [path for path in (told.folder / "log").rglob("*") if path.is_file()]
    for path in paths:
        data = path.read_bytes()
        for at in range(0, len(data), max(1, len(data) // 60)):
            path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
            assert told.visit(memory=None), f"{path.name} at {at}"
        path.write_bytes(data)
    assert told.visit() == []


@pytest.mark.parametrize(
    ("path", "codes"),
    [
        ("tile/entries/000.p/13", {"LOG_UNREADABLE"}),
        ("tile/0/000.p/13", {"LOG_UNREADABLE"}),
        ("checkpoint", {"LOG_UNREADABLE"}),
    ],
)
def test_a_missing_file_is_found(told: Told, path: str, codes: set[str]) -> None:
    (told.folder / "log" / path).unlink()
    assert set(told.visit()) == codes


def leaves(count: int, branch: bytes = b"") -> list[bytes]:
    source = counting()
    return [
        build_entry("token_issued", {}, {"holder": f"{n}{branch.decode()}"}, NOW, source).leaf
        for n in range(count)
    ]


@pytest.mark.parametrize("size", [1, 255, 256, 257, 600, 70_000])
def test_logs_of_every_shape_are_read(tmp_path: Path, size: int) -> None:
    told = Told(tmp_path, [], tale.trust())
    entries = leaves(min(size, 600))
    entries = [*entries, *(b"%d" % n for n in range(len(entries), size))]
    files = LogFiles(tmp_path / "log", ORIGIN, [LOG_KEY])
    files.extend(0, entries)
    found = {code for code in told.visit(openings=None) if code != "LEAF_INVALID"}
    assert found == set()
    others = [
        sign_checkpoint(Checkpoint(ORIGIN, at, root(entries[:at])), LOG_KEY)
        for at in {0, 1, size // 2, size - 1, size} | {256 for _ in "x" if size > 256}
    ]
    assert told.visit(openings=None, others=others).count("FORKED") == 0


def visited(tmp_path: Path, entries: list[bytes], **changes: object) -> list[str]:
    """Serve these entries in a folder of their own; the memory stays."""
    folder = tmp_path / str(len(list(tmp_path.iterdir())))
    LogFiles(folder / "log", ORIGIN, [LOG_KEY]).extend(0, entries)
    told = Told(folder, [], tale.trust())
    return told.visit(openings=None, memory=tmp_path / "memory.json", **changes)


def test_reorder_delete_duplicate_truncate_and_rewrite_are_found(tmp_path: Path) -> None:
    entries = leaves(20)
    assert visited(tmp_path, entries) == []
    assert visited(tmp_path, [*entries, *leaves(22)[20:]]) == []
    swapped = [entries[1], entries[0], *entries[2:]]
    assert "FORKED" in visited(tmp_path, swapped + leaves(25)[20:])
    assert "FORKED" in visited(tmp_path, [*entries[1:], *leaves(23)[20:]])
    assert set(visited(tmp_path, [*leaves(22), entries[3]])) == {"LEAF_TWICE"}
    assert visited(tmp_path, entries) == ["LOG_SHRANK"]
    assert "FORKED" in visited(tmp_path, [*entries[:-1], *leaves(30)[25:30]])
    assert visited(tmp_path, [*leaves(22), *leaves(30)[25:]]) == []


def test_a_signed_root_that_the_entries_do_not_give_is_found(told: Told) -> None:
    forged = sign_checkpoint(Checkpoint(ORIGIN, len(told.leaves), bytes(32)), LOG_KEY)
    (told.folder / "log/checkpoint").write_text(forged)
    assert told.visit() == ["ROOT_WRONG"]


def test_a_receipt_of_another_past_is_a_fork(told: Told) -> None:
    other = sign_checkpoint(Checkpoint(ORIGIN, 5, root(leaves(5))), LOG_KEY)
    assert told.visit(others=[other]) == ["FORKED"]
    mine = sign_checkpoint(Checkpoint(ORIGIN, 5, root(told.leaves[:5])), LOG_KEY)
    assert told.visit(others=[mine]) == []
    assert told.visit(others=[mine, other]) == ["FORKED"]
    longer = sign_checkpoint(Checkpoint(ORIGIN, 500, root(leaves(500))), LOG_KEY)
    assert told.visit(others=[longer]) == ["LOG_SHRANK"]


def test_an_empty_log_has_one_root(told: Told) -> None:
    wrong = sign_checkpoint(Checkpoint(ORIGIN, 0, bytes(32)), LOG_KEY)
    assert told.visit(others=[wrong]) == ["FORKED"]


@pytest.mark.parametrize("compromised", [True, False])
def test_a_checkpoint_of_another_key_is_found(told: Told, compromised: bool) -> None:
    key = told.trust.log_keys[0]
    changed = (
        replace(key, compromised=True)
        if compromised
        else replace(key, key=f.signing_key("eve").public.raw.hex())
    )
    told.trust = tale.trust(log_keys=(changed,))
    assert told.visit() == ["CHECKPOINT_UNSIGNED"]


@pytest.mark.parametrize(
    ("period", "codes"),
    [
        ({"valid_until": "2026-11-20T09:59:59Z"}, ["CHECKPOINT_UNSIGNED"]),
        ({"valid_until": "2026-11-20T10:00:00Z"}, ["CHECKPOINT_UNSIGNED"]),
        ({"valid_until": "2026-11-20T10:00:01Z"}, []),
        ({"valid_from": "2026-11-20T10:56:01Z"}, ["CHECKPOINT_UNSIGNED"]),
        ({"valid_from": "2026-11-20T10:56:00Z"}, []),  # clocks may differ; older entries count
    ],
)
def test_a_log_key_out_of_its_time_vouches_for_nothing(
    told: Told, period: dict[str, str], codes: list[str]
) -> None:
    """The entries are of the hour that begins at 10:00; the monitor looks at 10:51."""
    key = LogKey.from_body(told.trust.log_keys[0].to_body() | period)
    told.trust = tale.trust(log_keys=(key,))
    assert told.visit() == codes


def test_where_the_trust_file_asks_for_sm2_a_checkpoint_without_it_is_found(told: Told) -> None:
    own, both = told.trust.log_keys[0], (told.trust.log_keys[0], sm2_key())
    told.trust = tale.trust(log_keys=both)
    assert told.visit() == ["CHECKPOINT_UNSIGNED"]
    head = Checkpoint(ORIGIN, len(told.leaves), root(told.leaves))
    (told.folder / "log/checkpoint").write_text(sign_checkpoint(head, LOG_KEY, SM2_KEY))
    assert told.visit() == []
    told.trust = tale.trust(log_keys=(own, sm2_key(compromised=True)))
    assert told.visit(memory=None) == ["CHECKPOINT_UNSIGNED"]


def test_a_log_that_changed_its_key_is_well_and_an_old_note_keeps_its_worth(
    tmp_path: Path,
) -> None:
    new = f.signing_key("new log")
    late = replace(released(source="stored", charge_mbit=0), at=NOW + timedelta(hours=2))
    told = tell(tmp_path, [*good(), late])
    old_key = replace(told.trust.log_keys[0], valid_until="2026-11-20T12:00:00Z")
    new_key = replace(
        told.trust.log_keys[0], key=new.public.raw.hex(), valid_from="2026-11-20T12:00:00Z"
    )
    told.trust = tale.trust(log_keys=(old_key, new_key))
    after = {"now": NOW + timedelta(hours=3), "memory": None}
    assert told.visit(**after) == ["CHECKPOINT_UNSIGNED"]
    size = len(told.leaves)
    (told.folder / "log/checkpoint").write_text(
        sign_checkpoint(Checkpoint(ORIGIN, size, root(told.leaves)), new)
    )
    assert told.visit(**after) == []
    before = sign_checkpoint(Checkpoint(ORIGIN, size - 1, root(told.leaves[:-1])), LOG_KEY)
    beyond = sign_checkpoint(Checkpoint(ORIGIN, size, root(told.leaves)), LOG_KEY)
    assert told.visit(**after, others=[before]) == []
    assert told.visit(**after, others=[beyond]) == ["CHECKPOINT_UNSIGNED"]


def test_witnesses_are_asked_for(told: Told) -> None:
    told.trust = tale.trust(witnesses=Witnesses(2, (witness("w1"), witness("w2"), witness("w3"))))
    assert told.visit() == ["CHECKPOINT_UNWITNESSED"]
    note = (told.folder / "log/checkpoint").read_text()
    (told.folder / "log/cosigned").write_text(cosigned({"w1": NOW, "w2": NOW}, note))
    assert told.visit() == []
    assert told.visit(now=NOW + timedelta(hours=24, seconds=1)) == ["WITNESSES_SILENT"]
    assert set(KEYS) >= {"w1", "w2"}


def test_a_fork_that_two_witnesses_saw_each_a_half_of_is_found(tmp_path: Path) -> None:
    """Each cosigned one branch, honestly; two of three never cosign both."""
    entries = leaves(20)
    told = Told(tmp_path, [], tale.trust(witnesses=Witnesses(1, (witness("w1"), witness("w2")))))
    LogFiles(tmp_path / "log", ORIGIN, [LOG_KEY]).extend(0, entries)
    mine = (tmp_path / "log/checkpoint").read_text()
    branch = [*entries[:-1], *leaves(30)[25:26]]
    other = sign_checkpoint(Checkpoint(ORIGIN, 20, root(branch)), LOG_KEY)
    (tmp_path / "log/cosigned").write_text(cosigned({"w1": NOW}, mine))
    assert told.visit(openings=None, others=[cosigned({"w2": NOW}, mine)]) == []
    assert "FORKED" in told.visit(openings=None, others=[cosigned({"w2": NOW}, other)])
    told.trust = tale.trust(witnesses=Witnesses(2, (witness("w1"), witness("w2"), witness("w3"))))
    assert told.visit(openings=None, memory=None) == ["CHECKPOINT_UNWITNESSED"]


def test_a_log_that_was_rolled_back_and_signed_anew_is_found(tmp_path: Path) -> None:
    """The tail is cut, other entries take its places, and the log's own key signs it all."""
    entries = leaves(20)
    assert visited(tmp_path, entries) == []
    anew = leaves(40)[30:]
    for size in (19, 20, 25):
        found = visited(tmp_path, [*entries[:15], *anew][:size])
        assert set(found) & {"LOG_SHRANK", "FORKED"}, size


def test_a_retired_key_and_a_time_ahead_vouch_for_nothing(told: Told) -> None:
    note = (told.folder / "log/checkpoint").read_text()
    keys = (witness("w1"), witness("w2"))
    told.trust = tale.trust(witnesses=Witnesses(2, keys))
    ahead = cosigned({"w1": NOW, "w2": NOW + timedelta(days=3650)}, note)
    (told.folder / "log/cosigned").write_text(ahead)
    assert told.visit() == ["CHECKPOINT_UNWITNESSED"]
    (told.folder / "log/cosigned").write_text(cosigned({"w1": NOW, "w2": NOW}, note))
    assert told.visit() == []
    retired = replace(keys[1], valid_until=write_instant(NOW - timedelta(days=1)))
    told.trust = tale.trust(witnesses=Witnesses(2, (keys[0], retired)))
    assert told.visit() == ["CHECKPOINT_UNWITNESSED"]


# --- promises ---


def promise(entry: str, signer: str = "log", **by: float) -> Statement:
    made = Promise(origin=ORIGIN, entry=entry, deadline=write_instant(NOW + timedelta(**by)))
    return f.sign(made, signer)


def test_a_broken_promise_is_found(told: Told) -> None:
    kept, broken = leaf_hash(told.leaves[4]).hex(), leaf_hash(b"never").hex()
    assert told.visit(promises=[promise(kept, seconds=-1)]) == []
    assert told.visit(promises=[promise(broken, seconds=1)]) == []
    assert told.visit(promises=[promise(broken, seconds=-1)]) == ["PROMISE_BROKEN"]
    assert told.visit(promises=[promise(broken, "eve", seconds=-1)]) == ["LOG_UNREADABLE"]


def test_a_promise_by_a_retired_key_accuses_nobody(told: Told) -> None:
    ended = replace(told.trust.log_keys[0], valid_until="2026-11-20T10:45:00Z")
    broken = leaf_hash(b"never").hex()
    told.trust = tale.trust(log_keys=(ended,))
    assert told.visit(promises=[promise(broken, minutes=-1)]) == ["LOG_UNREADABLE"]
    assert told.visit(promises=[promise(broken, minutes=-6)]) == ["PROMISE_BROKEN"]


# --- the table of its own ---


def test_the_monitors_table_is_the_rooms() -> None:
    rooms = {
        kind: tuple(set(names) for names in (one.artefacts, one.committed, one.record))
        for kind, one in KINDS.items()
    }
    mine = {kind: tuple(set(names.split()) for names in one) for kind, one in TABLE.items()}
    assert mine == rooms


@pytest.mark.parametrize(
    "change",
    [
        lambda leaf: leaf.replace(b'"v":1', b'"v":2'),
        lambda leaf: leaf.replace(b'"v":1', b'"v": 1'),
        lambda leaf: leaf.replace(b"release", b"releese"),
        lambda leaf: leaf.replace(b'"bank":', b'"benk":'),
        lambda leaf: leaf.replace(b'"bank":"', b'"bank":"X'),
        lambda leaf: leaf.replace(b'{"artefacts"', b'{"a":1,"artefacts"'),
        lambda leaf: leaf + b" ",
        lambda leaf: b"",
        lambda leaf: b"{}",
    ],
)
def test_another_layout_is_no_leaf(told: Told, change: Callable[[bytes], bytes]) -> None:
    leaf = told.leaves[RELEASE]
    found = read_leaf(leaf)
    assert found is not None
    assert (found.kind, found.records, found.hour) == ("release", 1, "2026-11-20T10Z")
    assert read_leaf(change(leaf)) is None


def test_every_alarm_is_documented() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/monitor.md").read_text()
    assert [code for code in ALARMS if f"`{code}`" not in page] == []


# --- over HTTP ---


class Served(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def test_a_served_log_is_read_too(told: Told) -> None:
    handler = partial(Served, directory=str(told.folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}"
            assert told.visit(fetch=open_log(url)) == []
            (told.folder / "log/tile/0/000.p/13").unlink()
            assert told.visit(fetch=open_log(url)) == ["LOG_UNREADABLE"]
        finally:
            server.shutdown()
            thread.join()
    assert told.visit(fetch=open_log(url)) == ["LOG_UNREADABLE"]
