"""Is the drawing of a lineage whole, inert, legible, and the same each time?"""

from __future__ import annotations

import dataclasses
import itertools
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.canonical import Json
from saferoom.client.lineage import Lineage, Source
from saferoom.client.lineage_drawing import MOST, WIDTH, Box, draw, fitted, lay_out, width_of
from saferoom.core.lineage import BatchLine, SnapshotPaper
from saferoom.core.receipt import Verified
from tests import factories as f

SVG = "{http://www.w3.org/2000/svg}"
OPENED: dict[str, Json] = {"grant": f.some_digest("grant")}
GONE = "no longer reproducible: erased at 2026-11-20T10:00:00Z, everywhere from 2026-12-25"
VERIFIED = Verified(
    kind="release",
    hour="2026-11-20T10Z",
    origin="room.example/log",
    index=41,
    size=60,
    root="ab" * 32,
    entry="cd" * 32,
    record=0,
    keys=(),
    artefacts={},
    opened=OPENED,
    shredded=(),
    answer=None,
    links=(),
)


def source(number: int, table: str = "tax_month", connector: str = "tax") -> Source:
    line = BatchLine(
        number=number,
        connector=connector,
        table=table,
        taken_at="2026-11-19T02:00:00Z",
        order=None,
        content=None,
    )
    return Source(line, number * 3)


def lineage(
    features: dict[str, tuple[str, ...]] | None = None,
    batches: tuple[Source, ...] | None = None,
    erased: tuple[str, ...] = (),
    release: Verified = VERIFIED,
) -> Lineage:
    sources = (source(1), source(2, "power_month", "power")) if batches is None else batches
    snapshot = SnapshotPaper(
        snapshot=f.some_digest("snapshot"),
        as_of="2026-11-19",
        views=f.some_digest("views"),
        published_at="2026-11-19T03:00:00Z",
        batches=max([one.line.number for one in sources], default=0),
        root="00" * 32,
    )
    read = features or {"vat_sales_12m": ("tax_month",), "power_use": ("power_month", "tax_month")}
    return Lineage(release, f.manifest(), snapshot, read, sources, erased)


def many(views: int, batches: int, sources: int = 1) -> Lineage:
    features: dict[str, tuple[str, ...]] = {
        f"view_{n:03}": (f"table_{n:03}",) for n in range(views)
    }
    told = [source(n + 1, f"table_{n % views:03}", f"source_{n % sources}") for n in range(batches)]
    return lineage(features, tuple(told))


def apart(one: Box, other: Box) -> bool:
    across = one.x + one.width <= other.x or other.x + other.width <= one.x
    return across or one.y + one.height <= other.y or other.y + other.height <= one.y


def words(picture: str) -> str:
    return "\n".join(ET.fromstring(picture).itertext())  # drawn just now


def test_every_link_of_the_chain_stands_there_in_both_languages() -> None:
    found = lineage()
    said = words(draw(found))
    for text in (
        "room.example/log", "cd" * 32, found.version.name, found.version.digest[:32],
        found.version.digest[32:], str(OPENED["grant"])[:32], "2026-11-19", "vat_sales_12m",
        "power_month", "批次 / batch 2", "日志序号 / log entry 6", "企业授权 / Grant",
        "数据快照 / Snapshot",
        "特征 / features: 2", "来源 / sources: 2",
    ):  # fmt: skip
        assert text in said
    assert "复现" not in said


def test_boxes_are_joined_to_what_they_came_by() -> None:
    joined = {(one.lines[0], other.lines[0]) for one, other in lay_out(lineage()).joined}
    score = {("评分 / Score", name) for name in ("模型版本 / Model version", "企业授权 / Grant")}
    assert joined == {
        *score,
        ("评分 / Score", "数据快照 / Snapshot"),
        ("vat_sales_12m", "tax_month"),
        ("power_use", "tax_month"),
        ("power_use", "power_month"),
        ("tax_month", "批次 / batch 1"),
        ("power_month", "批次 / batch 2"),
        ("批次 / batch 1", "tax"),
        ("批次 / batch 2", "power"),
    }


def test_what_was_erased_says_that_it_cannot_be_done_again() -> None:
    said = words(draw(lineage(erased=(GONE,))))
    assert "NO LONGER REPRODUCIBLE" in said
    assert "不可再复现" in said
    assert GONE in said


def test_a_grant_that_was_shredded_says_so() -> None:
    assert "已销毁 / shredded" in words(
        draw(lineage(release=dataclasses.replace(VERIFIED, opened={})))
    )


def test_long_lists_are_folded_and_no_joint_is_lost() -> None:
    found = many(views=MOST + 1, batches=MOST + 37, sources=2)
    picture = lay_out(found)
    said = words(draw(found))
    assert "and 37 more batches" in said
    assert "另有 37 个批次" in said
    assert "and 1 more features" in said
    assert sum(box.folded for box in picture.boxes) == 3
    ends = {box for pair in picture.joined for box in pair}
    assert ends == set(picture.boxes)
    assert len(picture.joined) == len(set(picture.joined))


@given(
    views=st.integers(1, 40),
    batches=st.integers(0, 60),
    sources=st.integers(1, 20),
    erased=st.booleans(),
)
def test_no_box_touches_another_or_leaves_the_sheet(
    views: int, batches: int, sources: int, erased: bool
) -> None:
    found = dataclasses.replace(many(views, batches, sources), erased=(GONE,) if erased else ())
    picture = lay_out(found)
    every = (*picture.headings, *picture.boxes)
    assert all(apart(one, other) for one, other in itertools.combinations(every, 2))
    for box in every:
        assert 0 <= box.x <= box.x + box.width <= WIDTH
        assert 0 <= box.y <= box.y + box.height <= picture.height
    assert draw(found) == draw(found)


@given(st.text(max_size=60), st.integers(10, 300))
def test_every_text_fits_into_its_box(text: str, width: int) -> None:
    shown = fitted(text, width, 10)
    assert width_of(shown, 10) <= width or shown == "…"
    assert all(sign.isprintable() for sign in shown)


@given(st.text(min_size=1, max_size=40))
def test_whatever_a_paper_says_is_text_and_nothing_else(name: str) -> None:
    drawn = draw(lineage({name: (name,)}, (source(1, name, name),)))
    plain = draw(lineage({"a": ("a",)}, (source(1, "a", "a"),)))
    tags = [part.tag for part in ET.fromstring(drawn).iter()]  # drawn just now
    assert tags == [part.tag for part in ET.fromstring(plain).iter()]  # as above


@pytest.mark.parametrize("name", ["<script>x</script>", '"><image href="http://x.example/"/>'])
def test_the_picture_is_inert_and_fetches_nothing(name: str) -> None:
    drawn = draw(lineage({name: (name,)}, (source(1, name, name),)))
    tree = ET.fromstring(drawn)  # drawn just now
    names = {part.tag.removeprefix(SVG) for part in tree.iter()}
    assert names == {"svg", "title", "rect", "path", "text"}
    given_names = {key for part in tree.iter() for key in part.attrib}
    assert not [key for key in given_names if "href" in key or key.startswith("on")]
    assert "url(" not in drawn
