"""How does a page of paper carry what a program must compare?

A QR code (ISO/IEC 18004): byte mode, error correction level M, the smallest of versions 1 to 20
that holds the bytes, and the mask that the standard's penalties prefer. Modules only; how they
are drawn is the page's affair.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

from saferoom.errors import BadInput

Modules = list[list[bool]]  # rows of dark and light

_LARGEST_VERSION = 20
# ISO/IEC 18004, table 9, level M: error correction bytes in each block, and how many blocks.
_CORRECTION = (10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26)
_BLOCKS = (1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16)
_FORMAT, _FORMAT_MASK = 0x537, 0x5412  # section 7.9.1
_VERSION = 0x1F25  # section 7.10
_FIELD = 0x11D  # x^8 + x^4 + x^3 + x^2 + 1
_FINDER_LIKE = ([1, 0, 1, 1, 1, 0, 1, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1])
_MASKS: tuple[Callable[[int, int], bool], ...] = (  # table 10; row, column
    lambda i, j: (i + j) % 2 == 0,
    lambda i, _: i % 2 == 0,
    lambda _, j: j % 3 == 0,
    lambda i, j: (i + j) % 3 == 0,
    lambda i, j: (i // 2 + j // 3) % 2 == 0,
    lambda i, j: i * j % 2 + i * j % 3 == 0,
    lambda i, j: (i * j % 2 + i * j % 3) % 2 == 0,
    lambda i, j: ((i + j) % 2 + i * j % 3) % 2 == 0,
)


def encode(data: bytes) -> Modules:
    """Draw these bytes; BadInput when they are too many."""
    version = _smallest(len(data))
    drawn = _Drawing(version)
    drawn.place(_with_correction(_codewords(data, version), version))
    return min((drawn.masked(mask) for mask in range(len(_MASKS))), key=penalty)


def _smallest(count: int) -> int:
    for version in range(1, _LARGEST_VERSION + 1):
        if count <= _data_codewords(version) - (2 if version < 10 else 3):
            return version
    raise BadInput("TOO_LARGE", "a QR code")


def _data_codewords(version: int) -> int:
    return _codeword_count(version) - _CORRECTION[version - 1] * _BLOCKS[version - 1]


def _codeword_count(version: int) -> int:
    """Count what is left beside the patterns of section 6.3, in bytes."""
    size = 17 + 4 * version
    aligned = len(_alignments(version))
    used = 3 * 64 + 2 * 15 + 1 + 2 * (size - 16)
    if aligned:
        used += (aligned * aligned - 3) * 25 - 2 * (aligned - 2) * 5
    return (size * size - used - (36 if version >= 7 else 0)) // 8


def _alignments(version: int) -> list[int]:
    """Annex E: evenly spread between 6 and the far edge, by even steps."""
    if version == 1:
        return []
    count, last = version // 7 + 2, 10 + 4 * version
    step = -(-(last - 6) // (2 * (count - 1))) * 2
    return [6, *(last - step * at for at in reversed(range(count - 1)))]


def _codewords(data: bytes, version: int) -> bytes:
    """Section 7.4: mode, count, bytes, terminator, then 0xEC and 0x11 in turn."""
    count_bits = 8 if version < 10 else 16
    bits = f"0100{len(data):0{count_bits}b}" + "".join(f"{byte:08b}" for byte in data)
    room = _data_codewords(version)
    bits += "0" * min(4, 8 * room - len(bits))
    bits += "0" * (-len(bits) % 8)
    filled = bytes(int(bits[at : at + 8], 2) for at in range(0, len(bits), 8))
    return filled + (b"\xec\x11" * room)[: room - len(filled)]


def _with_correction(data: bytes, version: int) -> bytes:
    """Section 7.6: blocks, the shorter ones first, taken in turn."""
    blocks, correction = _BLOCKS[version - 1], _CORRECTION[version - 1]
    short, longer = divmod(len(data), blocks)
    parts, at = [], 0
    for number in range(blocks):
        end = at + short + (number >= blocks - longer)
        parts.append(data[at:end])
        at = end
    checks = [remainder(part, correction) for part in parts]
    return bytes(_in_turn(parts)) + bytes(_in_turn(checks))


def _in_turn(parts: Sequence[bytes]) -> Iterator[int]:
    for at in range(max(map(len, parts))):
        yield from (part[at] for part in parts if at < len(part))


def remainder(data: bytes, count: int) -> bytes:
    """Annex A: what is left of the data times x^count, divided by (x - a^0)...(x - a^(count-1))."""
    divisor, root = [1], 1
    for _ in range(count):
        divisor = [
            left ^ _multiply(right, root)
            for left, right in zip([*divisor, 0], [0, *divisor], strict=True)
        ]
        root = _multiply(root, 2)
    left = [*data, *bytes(count)]
    for at in range(len(data)):
        factor = left[at]
        for offset, term in enumerate(divisor):
            left[at + offset] ^= _multiply(term, factor)
    return bytes(left[len(data) :])


def _multiply(one: int, other: int) -> int:
    product = 0
    while other:
        product ^= one * (other & 1)
        one = one << 1 ^ (_FIELD if one & 0x80 else 0)
        other >>= 1
    return product


class _Drawing:
    """The modules of one version: patterns first, then the bits around them."""

    def __init__(self, version: int) -> None:
        self.version = version
        self.size = 17 + 4 * version
        self.dark = [[False] * self.size for _ in range(self.size)]
        self.fixed = [[False] * self.size for _ in range(self.size)]
        self._timing()
        for row, column in ((3, 3), (3, self.size - 4), (self.size - 4, 3)):
            self._square(row, column, 4, lambda ring: ring not in {2, 4})
        self._aligned()
        self._format(0)
        self._name_version()

    def place(self, codewords: bytes) -> None:
        """Section 7.7.3: columns of two from the right, up and down in turn, around the timing."""
        bits = (byte >> shift & 1 for byte in codewords for shift in range(7, -1, -1))
        upward = True
        for right in [*range(self.size - 1, 6, -2), 5, 3, 1]:
            for row in range(self.size - 1, -1, -1) if upward else range(self.size):
                for column in (right, right - 1):
                    if not self.fixed[row][column]:
                        self.dark[row][column] = bool(next(bits, 0))
            upward = not upward

    def masked(self, mask: int) -> Modules:
        """Turn over every module that the mask names and no pattern holds."""
        self._format(mask)
        turns = _MASKS[mask]
        return [
            [dark ^ (not held and turns(i, j)) for j, (dark, held) in enumerate(zip(*rows))]  # noqa: B905  # of one size
            for i, rows in enumerate(zip(self.dark, self.fixed, strict=True))
        ]

    def _set(self, row: int, column: int, dark: bool) -> None:  # noqa: FBT001  # dark or light
        self.dark[row][column], self.fixed[row][column] = dark, True

    def _timing(self) -> None:
        for at in range(self.size):
            self._set(6, at, at % 2 == 0)
            self._set(at, 6, at % 2 == 0)

    def _square(self, row: int, column: int, reach: int, dark: Callable[[int], bool]) -> None:
        for i in range(max(0, row - reach), min(self.size, row + reach + 1)):
            for j in range(max(0, column - reach), min(self.size, column + reach + 1)):
                self._set(i, j, dark(max(abs(i - row), abs(j - column))))

    def _aligned(self) -> None:
        places = _alignments(self.version)
        corners = {(6, 6), (6, self.size - 7), (self.size - 7, 6)}
        for row, column in ((i, j) for i in places for j in places if (i, j) not in corners):
            self._square(row, column, 2, lambda ring: ring != 1)

    def _format(self, mask: int) -> None:
        """Level M is 00; the two copies of fifteen bits stand about the corners (figure 25)."""
        bits = mask << 10 | _modulo(mask << 10, _FORMAT)
        bits ^= _FORMAT_MASK
        last = self.size - 1
        around = [
            *((i, 8) for i in range(6)),
            (7, 8),
            (8, 8),
            (8, 7),
            *((8, 5 - i) for i in range(6)),
        ]
        apart = [*((8, last - i) for i in range(8)), *((last - 6 + i, 8) for i in range(7))]
        for at in range(15):
            dark = bool(bits >> at & 1)
            self._set(*around[at], dark)
            self._set(*apart[at], dark)
        self._set(last - 7, 8, True)  # noqa: FBT003  # the module that is always dark

    def _name_version(self) -> None:
        if self.version < 7:
            return
        bits = self.version << 12 | _modulo(self.version << 12, _VERSION)
        for at in range(18):
            near, far = at // 3, self.size - 11 + at % 3
            self._set(near, far, bool(bits >> at & 1))
            self._set(far, near, bool(bits >> at & 1))


def _modulo(bits: int, divisor: int) -> int:
    """Divide as polynomials over one bit."""
    while bits.bit_length() >= divisor.bit_length():
        bits ^= divisor << bits.bit_length() - divisor.bit_length()
    return bits


def penalty(modules: Modules) -> int:
    """Table 11: runs, squares, what looks like a finder, and how far from half is dark."""
    lines = [*modules, *map(list, zip(*modules, strict=True))]
    dark = sum(map(sum, modules))
    off = abs(20 * dark - 10 * len(modules) ** 2) // len(modules) ** 2
    return sum(map(_of_line, lines)) + _squares(modules) + 10 * off


def _of_line(line: Sequence[bool]) -> int:
    found, run = 0, 1
    for at in range(1, len(line) + 1):
        if at < len(line) and line[at] == line[at - 1]:
            run += 1
            continue
        found += run - 2 if run >= 5 else 0
        run = 1
    starts = range(len(line) - 10)
    return found + 40 * sum(list(line[at : at + 11]) in _FINDER_LIKE for at in starts)


def _squares(modules: Modules) -> int:
    pairs = itertools.pairwise(modules)
    return 3 * sum(
        len({upper[at], upper[at + 1], lower[at], lower[at + 1]}) == 1
        for upper, lower in pairs
        for at in range(len(upper) - 1)
    )
