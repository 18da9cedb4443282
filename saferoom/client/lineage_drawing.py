"""How does what a score rests on look on one sheet of paper?

One SVG of a lineage that was checked a moment ago, in Chinese and English: the score, what was
granted, the version and the snapshot; below, the features and the tables, batches and sources
behind them, each joined to what it came by. No script, nothing fetched, everything that a paper
says escaped and cut off at its box. The same lineage gives the same bytes. It proves nothing by
itself: the proofs that it was drawn from do.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from saferoom.client.lineage import Lineage

WIDTH = 1120
MOST = 12  # boxes in a column; the others are folded into one more
_MARGIN, _GAP = 20, 40
_LINE, _PAD = 15, 7  # pixels of a line of text, and of air around the text of a box
_LARGE, _SMALL = 13, 10
_FONT = "'Noto Sans Mono CJK SC','Source Han Mono SC',Consolas,Menlo,monospace"
_COLUMNS = (
    ("特征", "features"),
    ("数据表", "tables"),
    ("批次", "batches"),
    ("来源", "sources"),
)


@dataclass(frozen=True)
class Box:
    """A rectangle and the lines in it, the first one large; dashed where it stands for many."""

    x: int
    y: int
    width: int
    lines: tuple[str, ...]
    folded: bool = False

    @property
    def height(self) -> int:
        """Count the pixels from its top to its bottom."""
        return 2 * _PAD + _LINE * len(self.lines)


@dataclass(frozen=True)
class Picture:
    """Where everything stands."""

    height: int
    headings: tuple[Box, ...]  # text without a frame
    boxes: tuple[Box, ...]
    joined: tuple[tuple[Box, Box], ...]


@dataclass(frozen=True)
class _Column:
    """Boxes one below the other, and which of them shows what."""

    boxes: tuple[Box, ...]
    at: dict[str, Box]


def draw(found: Lineage) -> str:
    """Write the picture as a file of its own."""
    picture = lay_out(found)
    parts = [
        *(_joint(upper, lower) for upper, lower in picture.joined),
        *(_drawn(box, framed=True) for box in picture.boxes),
        *(_drawn(box, framed=False) for box in picture.headings),
    ]
    size = f'width="{WIDTH}" height="{picture.height}" viewBox="0 0 {WIDTH} {picture.height}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}" role="img">\n'
        "<title>评分溯源 / Lineage of a score</title>\n"
        f'<rect width="{WIDTH}" height="{picture.height}" fill="#fff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def lay_out(found: Lineage) -> Picture:
    """Give every box its place: three rows of papers, then four columns."""
    whole = WIDTH - 2 * _MARGIN
    title = Box(_MARGIN, _MARGIN, whole, ("评分溯源 / Lineage of a score", *_state(found)))
    score = Box(_MARGIN, _below(title), whole, _score(found))
    third = (whole - 2 * _GAP) // 3
    papers = tuple(
        Box(_MARGIN + place * (third + _GAP), _below(score) + _GAP // 2, third, lines)
        for place, lines in enumerate(_papers(found))
    )
    columns, headings = _columns(found, _below(*papers))
    views, tables, batches, sources = columns
    lines = [one.line for one in found.batches]
    reads = [(name, table) for name, several in found.features.items() for table in several]
    joints = [
        *((views.at[name], tables.at[table]) for name, table in reads),
        *((tables.at[line.table], batches.at[f"{line.number}"]) for line in lines),
        *((batches.at[f"{line.number}"], sources.at[line.connector]) for line in lines),
    ]
    boxes = (score, *papers, *(box for column in columns for box in column.boxes))
    joined = (*((score, paper) for paper in papers), *dict.fromkeys(joints))
    return Picture(_below(*boxes), (title, *headings), boxes, joined)


def width_of(text: str, size: int) -> float:
    """Bound how wide a text becomes: narrow letters are three fifths of an em at most."""
    ems = (0.6 if sign.isascii() else 1.0 for sign in text)
    return size * sum(ems)


def _columns(found: Lineage, top: int) -> tuple[list[_Column], list[Box]]:
    width = (WIDTH - 2 * _MARGIN - 3 * _GAP) // 4
    tables = sorted(found.tables)
    sources = sorted({one.line.connector for one in found.batches})
    shown: tuple[dict[str, tuple[str, ...]], ...] = (
        {name: (name,) for name in sorted(found.features)},
        {name: (name,) for name in tables},
        {
            f"{one.line.number}": (
                f"批次 / batch {one.line.number}",
                one.line.taken_at,
                f"日志序号 / log entry {one.entry}",
            )
            for one in found.batches
        },
        {name: (name,) for name in sources},
    )
    columns, headings = [], []
    for place, (items, (zh, en)) in enumerate(zip(shown, _COLUMNS, strict=True)):
        x = _MARGIN + place * (width + _GAP)
        heading = Box(x, top, width, (f"{zh} / {en}: {len(items)}",))
        headings.append(heading)
        columns.append(_column(items, x, _below(heading), width, (zh, en)))
    return columns, headings


def _column(
    items: dict[str, tuple[str, ...]], x: int, y: int, width: int, named: tuple[str, str]
) -> _Column:
    """Stack boxes; of more than fit, the last ones share one that says how many they are."""
    names = [*items]
    kept = names if len(names) <= MOST else names[:MOST]
    boxes: list[Box] = []
    for name in kept:
        boxes.append(Box(x, y, width, items[name]))
        y = _below(boxes[-1])
    at = dict(zip(kept, boxes, strict=True))
    rest = names[len(kept) :]
    if rest:
        zh, en = named
        lines = (f"另有 {len(rest)} 个{zh}", f"and {len(rest)} more {en}")
        boxes.append(Box(x, y, width, lines, folded=True))
        at |= dict.fromkeys(rest, boxes[-1])
    return _Column(tuple(boxes), at)


def _state(found: Lineage) -> Iterator[str]:
    if found.erased:
        yield "不可再复现（数据已删除） / NO LONGER REPRODUCIBLE (erased)"
    yield from found.erased


def _score(found: Lineage) -> tuple[str, ...]:
    seen = found.release
    return (
        "评分 / Score",
        f"记录时间 / recorded {seen.hour}, 日志 / log {seen.origin}, 序号 / entry {seen.index}",
        f"条目 / entry {seen.entry}",
        f"检查点 / checkpoint {seen.size}: {seen.root}",
    )


def _papers(found: Lineage) -> tuple[tuple[str, ...], ...]:
    grant = found.release.opened.get("grant")
    return (
        ("模型版本 / Model version", found.version.name, *_halves(found.version.digest)),
        (
            "企业授权 / Grant",
            *(("已销毁 / shredded",) if grant is None else ("摘要 / digest", *_halves(str(grant)))),
        ),
        (
            "数据快照 / Snapshot",
            f"{found.snapshot.as_of}, 批次 / batches 1 – {found.snapshot.batches}",
            *_halves(found.snapshot.snapshot),
        ),
    )


def _halves(digest: str) -> tuple[str, str]:
    return digest[:32], digest[32:]


def _below(*boxes: Box) -> int:
    return max(box.y + box.height for box in boxes) + _PAD


def _joint(one: Box, other: Box) -> str:
    """Lead from bottom to top, or from one column's right edge to the next one's left."""
    if one.x + one.width <= other.x:
        ends = (one.x + one.width, one.y + one.height // 2, other.x, other.y + other.height // 2)
    else:
        middle = other.x + other.width // 2
        ends = (middle, one.y + one.height, middle, other.y)
    x1, y1, x2, y2 = ends
    return f'<path d="M{x1},{y1}L{x2},{y2}" stroke="#555" stroke-width="1" fill="none"/>'


def _drawn(box: Box, *, framed: bool) -> str:
    """Draw a box as a picture within the picture, so that whatever is too wide is cut off."""
    dashes = ' stroke-dasharray="5 3"' if box.folded else ""
    frame = (
        f'<rect x=".5" y=".5" width="{box.width - 1}" height="{box.height - 1}" rx="4"'
        f' fill="#fff" stroke="#000"{dashes}/>'
    )
    lines = "".join(_text(line, place, box.width) for place, line in enumerate(box.lines))
    return (
        f'<svg x="{box.x}" y="{box.y}" width="{box.width}" height="{box.height}"'
        f' overflow="hidden">{frame if framed else ""}{lines}</svg>'
    )


def _text(line: str, place: int, width: int) -> str:
    size, weight = (_SMALL, "") if place else (_LARGE, ' font-weight="700"')
    y = _PAD + place * _LINE + 11
    shown = escape(fitted(line, width - 2 * _PAD, size))
    return f'<text x="{_PAD}" y="{y}" font-size="{size}"{weight}>{shown}</text>'


def fitted(line: str, width: int, size: int) -> str:
    """Cut a line to a width; what cannot be printed, or turns the writing around, is a mark."""
    whole = unicodedata.normalize("NFC", line)
    text = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in whole)
    if width_of(text, size) <= width:
        return text
    while text and width_of(f"{text}…", size) > width:
        text = text[:-1]
    return f"{text}…"
