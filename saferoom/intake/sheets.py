"""What stands in the cells of a sheet of Excel's?

Each reader sees a part's elements as they come and keeps no more than a row. Nothing is
evaluated: of a formula the result that was saved with it counts, and one without is no cell; nor is
an error. Phonetic readings are no text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from saferoom.errors import BadInput
from saferoom.intake.lines import LONGEST_CELL
from saferoom.intake.sql_cells import NO_CELL

MOST_TEXTS = 4_000_000  # shared by cells
MOST_ROWS = 1_048_576
MOST_COLUMNS = 16_384
_EXACT = 10.0**15
_PLACE = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6})")

Cell = str | int | float | bool | None
Row = tuple[int, list[Cell]]


class ElementReader(Protocol):
    """Sees one part of a workbook go by."""

    def start(self, name: str, told: dict[str, str]) -> None:
        """See an element begin."""

    def end(self, name: str) -> None:
        """See it end."""

    def text(self, text: str) -> None:
        """See characters."""


class _Text:
    """Gathers the characters of some elements, so many and no more."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length, self._open = 0, False

    def clear(self) -> None:
        self._parts, self._length, self._open = [], 0, False

    def set_open(self, *, is_open: bool) -> None:
        self._open = is_open

    def add(self, text: str) -> None:
        if not self._open:
            return
        self._length += len(text)
        if self._length > LONGEST_CELL:
            raise BadInput("SOURCE_MALFORMED", "a long cell of a workbook")
        self._parts.append(text)

    def whole(self) -> str:
        return "".join(self._parts)


class Shared:
    """Reads sharedStrings.xml: `si` elements whose `t` are one text, but for `rPh`."""

    def __init__(self) -> None:
        self._said, self._text, self._phonetic, self._count = list[str](), _Text(), False, 0

    def start(self, name: str, _told: dict[str, str]) -> None:
        """See an element begin."""
        match name:
            case "si":
                self._text.clear()
            case "rPh":
                self._phonetic = True
            case "t":
                self._text.set_open(is_open=not self._phonetic)

    def end(self, name: str) -> None:
        """See it end."""
        match name:
            case "si":
                self._said.append(self._text.whole())
                self._count += 1
                if self._count > MOST_TEXTS:
                    raise BadInput(
                        "SOURCE_MALFORMED", f"more than {MOST_TEXTS} texts in a workbook"
                    )
            case "rPh":
                self._phonetic = False
            case "t":
                self._text.set_open(is_open=False)

    def text(self, text: str) -> None:
        """See characters."""
        self._text.add(text)

    def take(self) -> list[str]:
        """Hand over the texts that came to their end."""
        said, self._said = self._said, []
        return said


class Sheet:
    """Reads a sheet: rows of cells, in order, each at its place."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts, self._said, self._text = texts, list[Row](), _Text()
        self._number = self._column = 0
        self._cells: list[Cell] = []
        self._kind, self._formula, self._valued, self._phonetic = "n", False, False, False

    def start(self, name: str, told: dict[str, str]) -> None:
        """See an element begin."""
        match name:
            case "row":
                number = int(told.get("r", self._number + 1))
                if not self._number < number <= MOST_ROWS:
                    raise no_workbook()
                self._number, self._column, self._cells = number, 0, []
            case "c":
                column = _column(told["r"], self._number) if "r" in told else self._column + 1
                if not self._column < column <= MOST_COLUMNS:
                    raise no_workbook()
                self._cells += [None] * (column - self._column - 1)
                self._column, self._kind = column, told.get("t", "n")
                self._formula = self._valued = False
                self._text.clear()
            case "f":
                self._formula = True
            case "rPh":
                self._phonetic = True
            case "v" | "t":
                self._valued = True
                self._text.set_open(is_open=not self._phonetic)

    def end(self, name: str) -> None:
        """See it end."""
        match name:
            case "row" if any(one is not None for one in self._cells):
                self._said.append((self._number, self._cells))
            case "c":
                self._cells.append(self._value())
            case "rPh":
                self._phonetic = False
            case "v" | "t":
                self._text.set_open(is_open=False)

    def text(self, text: str) -> None:
        """See characters."""
        self._text.add(text)

    def take(self) -> list[Row]:
        """Hand over the rows that came to their end."""
        said, self._said = self._said, []
        return said

    def _value(self) -> Cell:
        if not self._valued:
            return NO_CELL if self._formula else None
        text = self._text.whole()
        match self._kind:
            case "s":
                place = int(text)
                if place < 0:
                    raise no_workbook()
                return self._texts[place]
            case "str" | "inlineStr" | "d":
                return text
            case "b":
                return text == "1"
            case "n":
                return _number(text)
        return NO_CELL  # an error, or what we do not know


def no_workbook() -> BadInput:
    """Say that this is no file of Excel's."""
    return BadInput("SOURCE_MALFORMED", "cannot be read as Excel")


def _number(text: str) -> Cell:
    if not text:
        return None
    number = float(text)
    return int(number) if number.is_integer() and abs(number) < _EXACT else number


def _column(place: str, row: int) -> int:
    """Read a cell's place, such as BC17."""
    found = _PLACE.fullmatch(place)
    if found is None or int(found[2]) != row:
        raise no_workbook()
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return column
