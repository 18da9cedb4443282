"""Does the fast reader find in any file what a reader by rows finds?"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from saferoom.core.source import Encoding
from saferoom.errors import BadInput
from saferoom.intake import csv_files, lines
from saferoom.intake.reading import Reading
from tests import factories as make
from tests.intake.by_rows import read_by_rows
from tests.intake.taking import DECLARED, Rows, source_of, take_csv
from tests.vault.room import CODES, tax_month

TABLE, SOURCE = DECLARED.tables["tax_month"], source_of("tax_month")
HEADINGS = [*SOURCE.ignore, *(one.heading for one in SOURCE.headings)]
CLEAN = {name: str(cell) for name, cell in tax_month(CODES[0], 1, "100.5").items()}
Taken = tuple[Rows, Reading] | str

DIRT = [
    *("", '"', '""', "\n", "\r", "\r\n", ",", "\0", "x" * 50, " ", "nan", "1_0", "1e5", "-0", ".5"),
    *("+1", "1.", "007", "é", "龘", "\ufffd", "2026-11-21", "2026-10-31", "=1", "\t", CODES[1]),
]
dirt = st.sampled_from(DIRT)
texts = st.text(st.characters(codec="utf-8"), max_size=6) | dirt
numbers = st.from_regex(r"\A[+-]?[0-9]{0,16}\.?[0-9]{0,16}(e[0-9]{1,3})?\Z") | st.floats().map(str)
rows = st.fixed_dictionaries(
    {},
    optional={name: texts for name in HEADINGS if name not in {"sales", "vat", "cit"}}
    | dict.fromkeys(("sales", "vat", "cit"), texts | numbers)
    | {"record_id": st.sampled_from("abc")},
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Write rows well or badly, then perhaps change bytes."""
    codec = draw(st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]))
    out = io.StringIO(newline="")
    ending = draw(st.sampled_from(["\n", "\r\n", "\r"]))
    writer = csv.writer(
        out,
        quoting=csv.QUOTE_ALL if draw(st.booleans()) else csv.QUOTE_MINIMAL,
        lineterminator=ending,
    )
    writer.writerow(HEADINGS)
    for changes in draw(st.lists(rows, max_size=8)):
        row = CLEAN | changes
        writer.writerow([row.get(name, "") for name in HEADINGS][draw(cut) :])
        if draw(st.integers(0, 9)) == 0:
            out.write(draw(texts))
    data = bytearray(out.getvalue().encode(codec))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 2))] = draw(st.binary(max_size=2) | st.just(b'"'))
    return bytes(data)


cut = st.sampled_from([0] * 12 + [1, 13])


def outcome(read: Callable[[], tuple[Rows, Reading]]) -> Taken:
    try:
        return read()
    except BadInput as error:
        return error.code


def told(taken: Taken) -> object:
    if isinstance(taken, str):
        return taken
    kept, reading = taken
    return [list(map(repr, row)) for row in kept], reading


@settings(max_examples=400, deadline=None)
@given(data=files(), encoding=st.sampled_from(Encoding), block=st.sampled_from([2_100, 2**23]))
@example(b"", Encoding.UTF_8, 2**23)
@example(",".join(HEADINGS).encode() + b"\n\x810\x810", Encoding.UTF_8, 2**23)
@example(",".join(HEADINGS).encode() + b"\n\n\r\n,\n", Encoding.UTF_8, 2**23)
def test_the_fast_reader_and_a_reader_by_rows_agree(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, encoding: Encoding, block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "tax_month.csv"
    path.write_bytes(data)

    def fast() -> tuple[Rows, Reading]:
        return take_csv(path, source=SOURCE, table=TABLE, encoding=encoding)

    def by_rows() -> tuple[Rows, Reading]:
        return read_by_rows(path, source=SOURCE, table=TABLE, encoding=encoding, now=make.NOW)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lines, "BLOCK", block)
        patch.setattr(csv_files, "SLOW_ROWS", 2)
        assert told(outcome(fast)) == told(outcome(by_rows))
