"""What may stand in a leaf: the table's names, commitments, and nothing else."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from saferoom.canonical import Json, canonical_bytes, digest, parse_object
from saferoom.core.log_events import KINDS, Entry, build_entry, read_leaf, read_record
from saferoom.errors import BadInput
from saferoom.tlog import merkle
from saferoom.tlog.commitments import check_opening

NOW = datetime(2026, 11, 20, 10, 51, 7, tzinfo=UTC)


def entry(kind: str = "release", records: int = 2, **changed: Json) -> Entry:
    names = KINDS[kind]
    return build_entry(
        kind,
        {name: digest(name) for name in names.artefacts},
        {name: f"{name}'s value" for name in names.committed} | changed,
        NOW,
        os.urandom,
        [
            {name: f"{name} {row}" for name in names.record}
            for row in range(records if names.record else 0)
        ],
    )


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_builds_reads_back_and_opens(kind: str) -> None:
    built = entry(kind)
    leaf = read_leaf(parse_object(built.leaf))
    assert leaf.kind == kind
    assert leaf.time == "2026-11-20T10Z"
    assert leaf.hour == NOW.replace(minute=0, second=0)
    assert set(leaf.artefacts) == set(KINDS[kind].artefacts)
    assert set(leaf.commitments) == set(built.openings) == set(KINDS[kind].committed)
    for name, opening in built.openings.items():
        check_opening(leaf.commitments[name], opening)


def test_release_binds_its_records() -> None:
    built = entry(records=3)
    leaf = read_leaf(parse_object(built.leaf))
    assert (leaf.records, leaf.records_root) == (3, merkle.root(built.records))
    for line, openings in zip(built.records, built.record_openings, strict=True):
        commitments = read_record(parse_object(line), "release")
        assert set(commitments) == set(openings) == set(KINDS["release"].record)
        for name, opening in openings.items():
            check_opening(commitments[name], opening)


def test_no_field_of_leaf_and_record_share_a_name() -> None:
    for names in KINDS.values():
        every = [*names.artefacts, *names.committed, *names.record]
        assert len(every) == len(set(every))


def test_table_is_the_documented_one() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/formats.md").read_text()
    for kind, names in KINDS.items():
        assert f"`{kind}`" in page
        for name in (*names.artefacts, *names.committed, *names.record):
            assert name in page


def test_time_is_coarse_and_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    built = build_entry("token_issued", {}, {"holder": "x"}, NOW.astimezone(shanghai), os.urandom)
    assert parse_object(built.leaf)["time"] == "2026-11-20T10Z"
    assert b"51" not in json.dumps(parse_object(built.leaf)["time"]).encode()


def test_same_value_never_looks_the_same() -> None:
    first, second = entry("token_issued"), entry("token_issued")
    assert first.leaf != second.leaf
    nonces = [opening.nonce for built in (first, second) for opening in built.openings.values()]
    assert len(set(nonces)) == len(nonces)


def build(kind: str = "token_issued", **parts: object) -> Entry:
    given: dict[str, object] = {"artefacts": {}, "personal": {"holder": "x"}, "records": ()}
    given |= parts
    return build_entry(kind=kind, now=NOW, random_bytes=os.urandom, **given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"kind": "rumour"}, "FIELD_INVALID"),
        ({"personal": {}}, "FIELD_INVALID"),
        ({"personal": {"holder": "x", "uscc": "y"}}, "FIELD_INVALID"),
        ({"artefacts": {"version": digest(1)}}, "FIELD_INVALID"),
        ({"records": [{}]}, "FIELD_INVALID"),
        ({"kind": "version_approved", "personal": {"voters": []}}, "FIELD_INVALID"),
        (
            {
                "kind": "version_approved",
                "personal": {"voters": []},
                "artefacts": {"version": "91310000MA1FL00000"},
            },
            "FIELD_INVALID",
        ),
        ({"personal": {"holder": 0.5}}, "NOT_CANONICAL"),
    ],
)
def test_what_the_table_does_not_name_is_refused(parts: dict[str, object], code: str) -> None:
    with pytest.raises(BadInput) as caught:
        build(**parts)  # type: ignore[arg-type]
    assert caught.value.code == code


def test_release_without_records_is_refused() -> None:
    with pytest.raises(BadInput):
        entry(records=0)


def test_leaf_has_a_largest_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("saferoom.core.log_events.LARGEST_LEAF", 100)
    with pytest.raises(BadInput) as caught:
        entry("token_issued")
    assert caught.value.code == "TOO_LARGE"


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"kind": "rumour"},
        {"kind": None},
        {"time": "2026-11-20T10:51:07Z"},
        {"time": "2026-13-20T10Z"},
        {"time": 10},
        {"records": None},
        {"records": {"count": 0, "root": "00" * 32}},
        {"records": {"count": True, "root": "00" * 32}},
        {"records": {"count": 1, "root": "00"}},
        {"records": {"count": 1}},
        {"artefacts": {}},
        {"artefacts": None},
        {"commitments": {}},
        {"extra": 1},
    ],
)
def test_leaf_is_read_strictly(change: dict[str, Json]) -> None:
    leaf = parse_object(entry().leaf) | change
    with pytest.raises(BadInput):
        read_leaf(leaf)


def test_leaf_of_another_kind_carries_no_records() -> None:
    leaf = parse_object(entry("token_issued").leaf)
    with pytest.raises(BadInput):
        read_leaf(leaf | {"records": {"count": 1, "root": "00" * 32}})


@pytest.mark.parametrize("change", [{"v": 2}, {"v": True}, {"commitments": {}}, {"x": 1}])
def test_record_is_read_strictly(change: dict[str, Json]) -> None:
    record = parse_object(entry().records[0])
    with pytest.raises(BadInput):
        read_record(record | change, "release")


def test_entry_is_canonical() -> None:
    built = entry()
    assert canonical_bytes(parse_object(built.leaf)) == built.leaf
