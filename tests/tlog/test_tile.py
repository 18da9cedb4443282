"""Tiles: the published paths, the same bytes however the log grew, proofs from them alone."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.errors import BadInput, Tampered
from saferoom.tlog import merkle
from saferoom.tlog.merkle import Node, consistency_proof, inclusion_proof, leaf_hash
from saferoom.tlog.proof import check_consistency, check_inclusion
from saferoom.tlog.tile import (
    Edge,
    TileReader,
    entries_path,
    load_edge,
    read_bundle,
    read_entries,
    read_tile,
    tile_path,
    width_at,
    write_bundle,
)


def leaves(count: int) -> list[bytes]:
    return [b"%d" % number for number in range(count)]


def grown(*sizes: int) -> tuple[Edge, dict[str, bytes]]:
    edge, files = Edge(), dict[str, bytes]()
    every = leaves(sizes[-1])
    for old, new in itertools.pairwise((0, *sizes)):
        edge, added = edge.grow(every[old:new])
        files |= added
    return edge, files


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (tile_path(0, 0), "tile/0/000"),
        (tile_path(1, 0, 7), "tile/1/000.p/7"),
        (tile_path(0, 1234067), "tile/0/x001/x234/067"),
        (tile_path(0, 1000, 255), "tile/0/x001/000.p/255"),
        (entries_path(999), "tile/entries/999"),
        (entries_path(1001, 1), "tile/entries/x001/001.p/1"),
    ],
)
def test_paths_are_the_published_ones(path: str, expected: str) -> None:
    assert path == expected


def test_widths_follow_the_size() -> None:
    # The example of C2SP tlog-tiles: 70,000 leaves.
    assert [width_at(70_000, 0, index) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [width_at(70_000, 1, index) for index in (0, 1, 2)] == [256, 17, 0]
    assert [width_at(70_000, 2, index) for index in (0, 1)] == [1, 0]


def test_files_of_a_log_of_300() -> None:
    _, files = grown(300)
    assert set(files) == {
        "tile/entries/000",
        "tile/entries/001.p/44",
        "tile/0/000",
        "tile/0/001.p/44",
        "tile/1/000.p/1",
    }
    assert files["tile/1/000.p/1"] == merkle.root(leaves(256))
    assert files["tile/0/000"][:32] == leaf_hash(b"0")


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 1200), min_size=1, max_size=6).map(sorted))
def test_log_is_the_same_however_it_grew(sizes: list[int]) -> None:
    edge, files = grown(*sizes)
    at_once, expected = grown(sizes[-1])
    assert edge == at_once == load_edge(files.get, sizes[-1])
    assert {path: files[path] for path in expected} == expected
    for size in sizes:
        assert load_edge(files.get, size) == grown(size)[0]


def test_third_level_grows() -> None:
    size = 256 * 256 + 300
    edge, files = grown(256 * 256 - 1, size)
    assert len(edge.hashes) == 3
    assert files["tile/2/000.p/1"] == merkle.root(leaves(256 * 256))
    reader = TileReader(files.get, size)
    assert merkle.frontier(reader, size).root() == merkle.root(leaves(size))
    for index in (0, 255, 256, 65_535, 65_536, size - 1):
        check_inclusion(
            index=index,
            size=size,
            leaf_hash=leaf_hash(b"%d" % index),
            proof=inclusion_proof(reader, index, size),
            root=merkle.root(leaves(size)),
        )


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_proofs_come_from_tiles_alone(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 1500))
    old, index = data.draw(st.integers(0, new)), data.draw(st.integers(0, new - 1))
    reader = TileReader(grown(new)[1].get, new)
    roots = [merkle.root(leaves(size)) for size in (old, new)]
    check_inclusion(
        index=index,
        size=new,
        leaf_hash=leaf_hash(b"%d" % index),
        proof=inclusion_proof(reader, index, new),
        root=roots[1],
    )
    check_consistency(
        old_size=old,
        new_size=new,
        old_root=roots[0],
        new_root=roots[1],
        proof=consistency_proof(reader, old, new),
    )


def test_full_tile_stands_in_for_a_dropped_partial_one() -> None:
    _, files = grown(256)
    assert load_edge(files.get, 200) == grown(200)[0]
    assert read_entries(files.get, 200, 0) == leaves(200)


def test_nothing_added_writes_nothing() -> None:
    edge, _ = grown(3)
    assert edge.grow([]) == (edge, {})


def test_node_beyond_the_tree_is_refused() -> None:
    _, files = grown(300)
    with pytest.raises(IndexError):
        TileReader(files.get, 300).read_hashes([Node(0, 300)])


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("tile/0/000.p/3", None),
        ("tile/0/000.p/3", b""),
        ("tile/0/000.p/3", bytes(64)),
        ("tile/0/000.p/3", bytes(97)),
    ],
)
def test_cut_or_missing_tile_is_noticed(path: str, content: bytes | None) -> None:
    files: dict[str, bytes | None] = {**grown(3)[1], path: content}
    with pytest.raises(Tampered) as caught:
        read_tile(files.get, 3, 0, 0)
    assert caught.value.code == "CONTENT_CHANGED"


@pytest.mark.parametrize("content", [b"", b"\0", b"\0\5abc", b"\0\0\0\0", b"\0\0\0\0\0\0\0"])
def test_cut_bundle_is_noticed(content: bytes) -> None:
    with pytest.raises(Tampered):
        read_entries({"tile/entries/000.p/3": content}.get, 3, 0)


@settings(max_examples=30)
@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundle_reads_back(items: list[bytes]) -> None:
    assert read_bundle(write_bundle(items)) == items


def test_leaf_fits_its_length_field() -> None:
    assert read_bundle(write_bundle([bytes(65_535)])) == [bytes(65_535)]
    with pytest.raises(BadInput) as caught:
        write_bundle([bytes(65_536)])
    assert caught.value.code == "TOO_LARGE"
