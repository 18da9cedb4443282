"""A reader of QR codes for tests: by the standard, and by nothing of the writer's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

_BLOCKS = {1: (1, 10), 2: (1, 16), 3: (1, 26), 5: (2, 24), 7: (4, 18), 10: (5, 26), 13: (9, 22),
           20: (16, 26)}  # fmt: skip  # level M: blocks, error correction bytes of each
_CENTRES = {1: (), 2: (6, 18), 3: (6, 22), 5: (6, 30), 7: (6, 22, 38), 10: (6, 28, 50),
            13: (6, 34, 62), 20: (6, 34, 62, 90)}  # fmt: skip
# ISO/IEC 18004, annex C: the fifteen bits of level M, by mask.
_FORMATS = (0x5412, 0x5125, 0x5E7C, 0x5B4B, 0x45F9, 0x40CE, 0x4F97, 0x4AA0)


def read(modules: Sequence[Sequence[bool]]) -> bytes:
    """Read one code of a version that the tables above know."""
    size = len(modules)
    version = (size - 17) // 4
    turns = _FORMATS.index(_format(modules))
    bits = [
        modules[i][j] ^ _turned(turns, i, j)
        for i, j in _path(size)
        if not _held(version, size, i, j)
    ]
    found = [int("".join("01"[b] for b in bits[at : at + 8]), 2) for at in range(0, len(bits), 8)]
    blocks, correction = _BLOCKS[version]
    return _message(_apart(found[: len(bits) // 8], blocks, correction), version)


def _format(modules: Sequence[Sequence[bool]]) -> int:
    """Both copies say the same, or neither counts."""
    last = len(modules) - 1
    one = [modules[i][8] for i in (0, 1, 2, 3, 4, 5, 7, 8)] + [
        modules[8][j] for j in (7, 5, 4, 3, 2, 1, 0)
    ]
    other = [modules[8][last - i] for i in range(8)] + [modules[last - 6 + i][8] for i in range(7)]
    assert one == other
    assert modules[last - 7][8]
    return sum(bit << at for at, bit in enumerate(one))


def _turned(mask: int, i: int, j: int) -> bool:
    return [
        (i + j) % 2, i % 2, j % 3, (i + j) % 3, (i // 2 + j // 3) % 2, (i * j) % 2 + (i * j) % 3,
        ((i * j) % 2 + (i * j) % 3) % 2, ((i + j) % 2 + (i * j) % 3) % 2,
    ][mask] == 0  # fmt: skip


def _path(size: int) -> Iterator[tuple[int, int]]:
    columns = [c for c in range(size - 1, 0, -1) if c != 6]
    columns += [0]
    for number in range(0, len(columns), 2):
        rows = range(size) if number // 2 % 2 else range(size - 1, -1, -1)
        for i in rows:
            yield from ((i, j) for j in columns[number : number + 2])


def _held(version: int, size: int, i: int, j: int) -> bool:
    corner = (i < 9 and (j < 9 or j >= size - 8)) or (i >= size - 8 and j < 9)
    named = version >= 7 and ((i < 6 and size - 11 <= j) or (j < 6 and size - 11 <= i))
    edge = {(6, 6), (6, size - 7), (size - 7, 6)}
    near = any(
        abs(i - a) <= 2 and abs(j - b) <= 2
        for a in _CENTRES[version]
        for b in _CENTRES[version]
        if (a, b) not in edge
    )
    return corner or named or near or 6 in {i, j}


def _apart(codewords: Sequence[int], blocks: int, correction: int) -> list[int]:
    data = len(codewords) - blocks * correction
    short, longer = divmod(data, blocks)
    lengths = [short + (number >= blocks - longer) for number in range(blocks)]
    parts: list[list[int]] = [[] for _ in range(blocks)]
    rest = iter(codewords)
    for at in range(max(lengths)):
        for number in range(blocks):
            if at < lengths[number]:
                parts[number].append(next(rest))
    for _ in range(correction):
        for part in parts:
            part.append(next(rest))
    for part in parts:
        assert _syndromes(part, correction) == [0] * correction
    return [byte for part, length in zip(parts, lengths, strict=True) for byte in part[:length]]


def _syndromes(block: Sequence[int], count: int) -> list[int]:
    """A whole block, as a polynomial, is zero at each root of the generator."""
    powers = [1]
    for _ in range(254):
        doubled = powers[-1] * 2
        powers.append(doubled ^ 0x11D if doubled > 255 else doubled)
    logs = {power: at for at, power in enumerate(powers)}
    found = []
    for root in range(count):
        value = 0
        for byte in block:
            value = (powers[(logs[value] + root) % 255] if value else 0) ^ byte
        found.append(value)
    return found


def _message(data: Sequence[int], version: int) -> bytes:
    bits = "".join(f"{byte:08b}" for byte in data)
    assert bits[:4] == "0100"  # byte mode
    width = 8 if version < 10 else 16
    count = int(bits[4 : 4 + width], 2)
    start = 4 + width
    return bytes(int(bits[start + 8 * at : start + 8 * at + 8], 2) for at in range(count))
