"""Trees and proofs against the published vectors and a naive reading of RFC 6962."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from saferoom.errors import Tampered
from saferoom.tlog import merkle
from saferoom.tlog.merkle import (
    EMPTY_ROOT,
    Frontier,
    MemoryReader,
    Node,
    consistency_proof,
    frontier,
    inclusion_proof,
    leaf_hash,
)
from saferoom.tlog.proof import check_consistency, check_inclusion

# The leaves and roots that certificate-transparency's own test data has used since 2012.
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
# (leaf, size) → path, from the same data (leaves counted from 0).
CT_PATHS = {
    (0, 1): (),
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 3): ("fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",),
    (1, 5): (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
# (old, new) → proof, from the same data.
CT_PROOFS = {
    (1, 1): (),
    (1, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
    (2, 5): (
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    ),
}
LARGEST = 70
LEAVES = tuple(b"leaf %d" % number for number in range(LARGEST))


# --- RFC 6962 §2.1 read aloud, without sharing a line with the code under test ---


def sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def largest_power_below(count: int) -> int:
    return max(1 << bit for bit in range(count.bit_length()) if 1 << bit < count)


@cache
def naive_root(leaves: tuple[bytes, ...]) -> bytes:
    if not leaves:
        return sha(b"")
    if len(leaves) == 1:
        return sha(b"\0" + leaves[0])
    k = largest_power_below(len(leaves))
    return sha(b"\1" + naive_root(leaves[:k]) + naive_root(leaves[k:]))


def naive_path(m: int, leaves: tuple[bytes, ...]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    k = largest_power_below(len(leaves))
    if m < k:
        return [*naive_path(m, leaves[:k]), naive_root(leaves[k:])]
    return [*naive_path(m - k, leaves[k:]), naive_root(leaves[:k])]


def naive_proof(m: int, leaves: tuple[bytes, ...], whole: bool = True) -> list[bytes]:
    if m == len(leaves):
        return [] if whole else [naive_root(leaves)]
    k = largest_power_below(len(leaves))
    if m <= k:
        return [*naive_proof(m, leaves[:k], whole), naive_root(leaves[k:])]
    return [*naive_proof(m - k, leaves[k:], False), naive_root(leaves[:k])]


# --- published ---


def test_published_roots() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    roots = [merkle.root(CT_LEAVES[:size]).hex() for size in range(1, 9)]
    assert roots == CT_ROOTS


@pytest.mark.parametrize(("index", "size"), CT_PATHS)
def test_published_paths(index: int, size: int) -> None:
    path = inclusion_proof(MemoryReader(CT_LEAVES), index, size)
    assert tuple(step.hex() for step in path) == CT_PATHS[index, size]


@pytest.mark.parametrize(("old", "new"), CT_PROOFS)
def test_published_consistency_proofs(old: int, new: int) -> None:
    proof = consistency_proof(MemoryReader(CT_LEAVES), old, new)
    assert tuple(step.hex() for step in proof) == CT_PROOFS[old, new]


# --- every place at every size ---


@pytest.mark.parametrize("size", range(1, LARGEST + 1))
def test_every_leaf_is_provable_at_every_size(size: int) -> None:
    leaves, reader = LEAVES[:size], MemoryReader(LEAVES)
    root = merkle.root(leaves)
    assert root == naive_root(leaves)
    for index, leaf in enumerate(leaves):
        path = inclusion_proof(reader, index, size)
        assert path == naive_path(index, leaves)
        check_inclusion(index=index, size=size, leaf_hash=leaf_hash(leaf), proof=path, root=root)


@pytest.mark.parametrize("new", range(LARGEST + 1))
def test_every_size_is_consistent_with_every_later_one(new: int) -> None:
    reader = MemoryReader(LEAVES)
    for old in range(new + 1):
        proof = consistency_proof(reader, old, new)
        assert proof == (naive_proof(old, LEAVES[:new]) if old else [])
        check_consistency(
            old_size=old,
            new_size=new,
            old_root=naive_root(LEAVES[:old]),
            new_root=naive_root(LEAVES[:new]),
            proof=proof,
        )


def test_frontier_grows_like_the_tree() -> None:
    grown, reader = Frontier(), MemoryReader(LEAVES)
    for size in range(LARGEST + 1):
        assert grown.root() == naive_root(LEAVES[:size])
        assert frontier(reader, size) == grown
        assert len(grown.hashes) == size.bit_count()
        if size < LARGEST:
            grown = grown.extend([leaf_hash(LEAVES[size])])
    assert Frontier().extend(leaf_hash(leaf) for leaf in LEAVES) == grown


def test_appending_one_reads_no_stored_hash() -> None:
    frontier_of_many = Frontier(2**40 - 1, tuple(bytes([bit]) * 32 for bit in range(40)))
    assert len(frontier_of_many.extend([bytes(32)]).hashes) == 1


def test_what_is_not_in_the_tree_has_no_proof() -> None:
    reader = MemoryReader(LEAVES)
    for index, size in ((-1, 3), (3, 3), (0, 0)):
        with pytest.raises(IndexError):
            inclusion_proof(reader, index, size)
    for old, new in ((4, 3), (-1, 3)):
        with pytest.raises(IndexError):
            consistency_proof(reader, old, new)


def test_leaf_never_passes_for_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != merkle.node_hash(left, right)
    assert MemoryReader([b"a", b"b"]).read_hashes([Node(1, 0)]) == [merkle.node_hash(left, right)]
    assert MemoryReader([b"a", b"b"]).size == 2


# --- every change ---


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_inclusion_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, LARGEST))
    index = data.draw(st.integers(0, size - 1))
    leaf, root = leaf_hash(LEAVES[index]), naive_root(LEAVES[:size])
    proof = naive_path(index, LEAVES[:size])
    parts = [leaf, root, *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    at, mask = data.draw(st.integers(0, 31)), data.draw(st.integers(1, 255))
    changed = bytearray(parts[which])
    changed[at] ^= mask
    parts[which] = bytes(changed)
    with pytest.raises(Tampered) as caught:
        check_inclusion(index=index, size=size, leaf_hash=parts[0], proof=parts[2:], root=parts[1])
    assert caught.value.code == "PROOF_INVALID"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 13])
def test_proof_holds_at_its_own_place_only(size: int) -> None:
    root = naive_root(LEAVES[:size])
    for index in range(size):
        for claimed in {*range(-1, size + 1)} - {index}:
            with pytest.raises(Tampered):
                check_inclusion(
                    index=claimed,
                    size=size,
                    leaf_hash=leaf_hash(LEAVES[index]),
                    proof=naive_path(index, LEAVES[:size]),
                    root=root,
                )


@pytest.mark.parametrize("index", range(6))
def test_path_of_another_length_is_refused(index: int) -> None:
    path, root = naive_path(index, LEAVES[:6]), naive_root(LEAVES[:6])
    leaf = leaf_hash(LEAVES[index])
    for wrong in (path[:-1], [*path, bytes(32)], [*path[:-1], path[-1][:31]], [bytes(32)] * 65):
        with pytest.raises(Tampered):
            check_inclusion(index=index, size=6, leaf_hash=leaf, proof=wrong, root=root)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_changed_consistency_is_refused(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, LARGEST))
    old = data.draw(st.integers(1, new))
    proof = naive_proof(old, LEAVES[:new])
    parts = [naive_root(LEAVES[:old]), naive_root(LEAVES[:new]), *proof]
    which = data.draw(st.integers(0, len(parts) - 1))
    changed = bytearray(parts[which])
    changed[data.draw(st.integers(0, 31))] ^= data.draw(st.integers(1, 255))
    parts[which] = bytes(changed)
    with pytest.raises(Tampered) as caught:
        check_consistency(
            old_size=old, new_size=new, old_root=parts[0], new_root=parts[1], proof=parts[2:]
        )
    assert caught.value.code == "CONSISTENCY"


@pytest.mark.parametrize(("old", "new"), [(3, 7), (4, 7), (4, 8), (6, 8), (1, 2), (5, 70)])
def test_consistency_of_another_length_or_size_is_refused(old: int, new: int) -> None:
    roots = {size: naive_root(LEAVES[:size]) for size in range(LARGEST + 1)}
    proof = naive_proof(old, LEAVES[:new])
    for wrong in ([], proof[:-1], [*proof, bytes(32)], [*proof, proof[-1]]):
        with pytest.raises(Tampered):
            check_consistency(
                old_size=old, new_size=new, old_root=roots[old], new_root=roots[new], proof=wrong
            )
    # Which of several sizes of one shape it is, the checkpoint's signature says, not the path.
    for a, b in ((new, old), (-1, new)):
        with pytest.raises(Tampered):
            check_consistency(
                old_size=a, new_size=b, old_root=roots[old], new_root=roots[new], proof=proof
            )


def test_empty_and_equal_logs_take_no_proof() -> None:
    root = naive_root(LEAVES[:5])
    for old_size, old_root in ((0, EMPTY_ROOT), (5, root)):
        same = {"old_size": old_size, "new_size": 5, "old_root": old_root, "new_root": root}
        check_consistency(**same, proof=[])  # type: ignore[arg-type]
        with pytest.raises(Tampered):
            check_consistency(**same, proof=[bytes(32)])  # type: ignore[arg-type]
        with pytest.raises(Tampered):
            check_consistency(**same | {"old_root": bytes(32)}, proof=[])  # type: ignore[arg-type]
