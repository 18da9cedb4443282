"""Is there one encoding for each value, and does reading refuse every other?"""

from __future__ import annotations

import enum
import json

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from saferoom.canonical import (
    DEEPEST,
    LARGEST,
    canonical_bytes,
    digest,
    digest_bytes,
    parse_canonical,
    parse_object,
)
from saferoom.errors import BadInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = st.none() | st.booleans() | st.integers(-LARGEST, LARGEST) | TEXT
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_reads_back(value: object) -> None:
    assert parse_canonical(canonical_bytes(value)) == value


@given(VALUES)
@example({"\U0001f600": 1, "\ufb33": 2, "é": 3})  # UTF-16 order is not code point order
@example({"a": '\u2028\x7f\x00\x1f\b\t\n\f\r"\\/'})
def test_it_is_the_reference_encoding(value: object) -> None:
    assert canonical_bytes(value) == rfc8785.dumps(value)  # type: ignore[arg-type]


@given(VALUES, st.data())
def test_a_changed_byte_is_refused_or_means_another_value(
    value: object, data: st.DataObject
) -> None:
    written = canonical_bytes(value)
    place = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(st.integers(1, 255))
    changed = bytearray(written)
    changed[place] ^= other
    try:
        read = parse_canonical(bytes(changed))
    except BadInput:
        return
    assert canonical_bytes(read) == changed
    assert canonical_bytes(value) == written != changed


@given(st.binary(max_size=40))
def test_bytes_that_are_read_are_the_only_ones_for_their_value(data: bytes) -> None:
    try:
        value = parse_canonical(data)
    except BadInput:
        return
    assert canonical_bytes(value) == data


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b" 1",
        b"1 ",
        b"1.0",
        b"1e3",
        b"-0",
        b"01",
        b"NaN",
        b"Infinity",
        b"-Infinity",
        b"9007199254740992",
        b"-9007199254740992",
        b"9" * 5000,
        b'{"a":1,"a":1}',
        b'{"a":1,"a":2}',
        b'{"b":1,"a":2}',
        b'{"a": 1}',
        b"[1,]",
        b'"\\u0061"',
        b'"\\/"',
        b'"\\u000A"',
        b'"\\ud800"',
        b'"\xed\xa0\x80"',
        b'"\xff"',
        b"\xef\xbb\xbf1",
        b"'a'",
        b'"a',
        b"nul",
        b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1),
        b"[" * 100_000,
        '"\U0001f600"'.encode("utf-16"),
        b'{"\xef\xac\xb3":2,"\xf0\x9f\x98\x80":1}',
    ],
)
def test_other_spellings_are_refused(data: bytes) -> None:
    with pytest.raises(BadInput) as refusal:
        parse_canonical(data)
    assert refusal.value.code == "NOT_CANONICAL"


class _Number(float):
    pass


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        float("nan"),
        _Number(1),
        LARGEST + 1,
        -LARGEST - 1,
        b"bytes",
        {1: "a"},
        {None: "a"},
        {True: "a"},
        {"a": {2: 1}},
        {"a": 0.5},
        [object()],
        {1, 2},
        "\ud800",
        {"\udfff": 1},
    ],
)
def test_what_is_not_json_without_floats_is_refused(value: object) -> None:
    with pytest.raises(BadInput) as refusal:
        canonical_bytes(value)
    assert refusal.value.code == "NOT_CANONICAL"


def test_depth_is_bounded_alike_on_both_ways() -> None:
    deepest: object = "x"
    for _ in range(DEEPEST):
        deepest = [deepest]
    assert parse_canonical(canonical_bytes(deepest)) == deepest
    with pytest.raises(BadInput):
        canonical_bytes([deepest])
    with pytest.raises(BadInput):
        canonical_bytes({"a": deepest})


def test_a_circle_is_refused_and_does_not_recurse_for_ever() -> None:
    circle: list[object] = []
    circle.append(circle)
    with pytest.raises(BadInput):
        canonical_bytes(circle)


def test_tuples_and_text_enumerations_are_what_they_stand_for() -> None:
    kind = enum.StrEnum("kind", ["ONE"])
    assert canonical_bytes({kind.ONE: (kind.ONE, 1)}) == b'{"one":["one",1]}'


def test_an_object_is_expected_where_one_is() -> None:
    assert parse_object(b'{"a":1}') == {"a": 1}
    with pytest.raises(BadInput):
        parse_object(b"[1]")


def test_digests_are_sha256_over_the_canonical_bytes() -> None:
    assert digest({}) == digest_bytes(b"{}")
    assert digest({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_published_vectors_of_rfc_8785_that_hold_no_float() -> None:
    # RFC 8785 §3.2.3, keys sorted by UTF-16 units, with its own example object.
    source = {
        "\u20ac": "Euro Sign",
        "\r": "Carriage Return",
        "\ufb33": "Hebrew Letter Dalet With Dagesh",
        "1": "One",
        "\U0001f600": "Emoji: Grinning Face",
        "\u0080": "Control",
        "\u00f6": "Latin Small Letter O With Diaeresis",
    }
    assert list(json.loads(canonical_bytes(source)).values()) == [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ]
