"""Is a frozen dataclass its own strict schema, both ways?"""

from __future__ import annotations

from dataclasses import dataclass, fields, is_dataclass
from enum import StrEnum
from typing import ClassVar, NewType, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.canonical import Json, canonical_bytes, parse_object
from saferoom.core.facts import COMMON
from saferoom.core.record import Record, check_field
from saferoom.errors import BadInput
from tests import factories as make

Name = NewType("Name", str)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, kw_only=True)
class Inner(Record):
    n: int


@dataclass(frozen=True, kw_only=True)
class Whole(Record):
    KIND: ClassVar[str] = "saferoom/test/1"
    text: str
    count: int
    flag: bool
    colour: Colour
    name: Name
    maybe: int | None
    perhaps: Optional[Name]  # noqa: UP045  # the older spelling is read alike
    many: tuple[str, ...]
    inner: tuple[Inner, ...]


WHOLE = Whole(
    text="t",
    count=1,
    flag=True,
    colour=Colour.RED,
    name=Name("n"),
    maybe=None,
    perhaps=Name("p"),
    many=("a", "b"),
    inner=(Inner(n=1),),
)

RECORDS: list[Record] = [
    WHOLE,
    make.admission(),
    make.budget(),
    make.enrolment("zhao"),
    make.grant(),
    make.manifest(),
    make.policy_set(),
    make.request(),
    make.revocation(),
    make.source(),
    make.suspension(),
    make.version_suspension(make.some_digest("version")),
    make.views(),
    make.vote(make.some_digest()),
]


def body_of(record: Record) -> dict[str, Json]:
    body: dict[str, Json] = record.to_body()  # type: ignore[misc]
    return body


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_records_survive_the_wire(record: Record) -> None:
    read = type(record).from_body(parse_object(canonical_bytes(body_of(record))))
    assert read == record
    assert read.digest == record.digest


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_field_is_needed_and_no_other_is_known(record: Record) -> None:
    body = body_of(record)
    for name in body:
        with pytest.raises(BadInput):
            type(record).from_body({k: v for k, v in body.items() if k != name})
    with pytest.raises(BadInput):
        type(record).from_body({**body, "unknown": 1})
    with pytest.raises(BadInput):
        type(record).from_body({**body, "kind": "saferoom/other/1"})


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_every_field_is_in_the_digest(record: Record) -> None:
    body = body_of(record)
    assert is_dataclass(record)
    assert set(body) == {"kind", *(field.name for field in fields(record))}


@pytest.mark.parametrize(
    "change",
    [
        {"text": 1},
        {"text": None},
        {"text": "\ud800"},
        {"count": "1"},
        {"count": True},
        {"count": 1.0},
        {"flag": 1},
        {"colour": "green"},
        {"colour": 1},
        {"name": 1},
        {"maybe": "1"},
        {"perhaps": 1},
        {"many": "ab"},
        {"many": ("a",)},
        {"many": ["a", 1]},
        {"many": None},
        {"inner": [1]},
        {"inner": [{"n": 1, "m": 2}]},
        {"inner": [{"n": True}]},
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(BadInput) as refusal:
        Whole.from_body({**body_of(WHOLE), **change})
    assert refusal.value.code == "FIELD_INVALID"


@pytest.mark.parametrize("body", [None, [], "x", 1, {}, {1: 2}])
def test_what_is_no_such_object_is_refused(body: object) -> None:
    with pytest.raises(BadInput):
        Whole.from_body(body)


@given(st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=3))
def test_other_objects_are_never_read(body: dict[str, str]) -> None:
    with pytest.raises(BadInput):
        Whole.from_body(body)


def test_a_record_without_a_kind_has_none_in_its_body() -> None:
    assert body_of(Inner(n=1)) == {"n": 1}
    assert Inner.from_body({"n": 1}) == Inner(n=1)


@dataclass(frozen=True)
class WithFloat(Record):
    x: float


def test_what_cannot_be_signed_is_a_programming_error() -> None:
    with pytest.raises(TypeError):
        body_of(WithFloat(1.5))
    with pytest.raises(TypeError):
        WithFloat.from_body({"x": 1})


def test_a_refused_field_is_named_and_its_value_is_not() -> None:
    with pytest.raises(BadInput, match="salary") as refusal:
        check_field(holds=False, name="salary")
    assert "FIELD_INVALID" in str(refusal.value)
    check_field(holds=True, name="salary")


# One change out of range for each rule of each record: (record, field, value).
OUT_OF_RANGE: list[tuple[Record, str, Json]] = [
    (make.admission(), "party", ""),
    (make.admission(), "party", "x" * 65),
    (make.admission(), "name", ""),
    (make.admission(), "group", ""),
    (make.admission(), "party_kind", "enterprise"),
    (make.admission(), "valid_until", make.LAST_YEAR),
    (make.admission(), "nonce", "00"),
    (make.budget(), "enterprise", "x"),
    (make.budget(), "group", ""),
    (make.budget(), "limit_mbit", 0),
    (make.budget(), "limit_mbit", 1_000_001),
    (make.budget(), "ceiling_mbit", 0),
    (make.budget(), "revealed_mbit", -1),
    (make.budget(), "replaces", "x"),
    (make.budget(), "signed_at", "now"),
    (make.budget(), "nonce", ""),
    (make.enrolment("zhao"), "holder", ""),
    (make.enrolment("zhao"), "party", ""),
    (make.enrolment("zhao"), "signing_key", "00"),
    (make.enrolment("zhao"), "signing_key", "00" * 32),
    (make.enrolment("zhao"), "sealing_key", "x"),
    (make.enrolment("zhao"), "sealing_key", "00" * 32),
    (make.enrolment("zhao"), "replaces", "x"),
    (make.enrolment("zhao"), "valid_from", "2026"),
    (make.enrolment("zhao"), "nonce", ""),
    (make.grant(), "enterprise", "x"),
    (make.grant(), "bank", ""),
    (make.grant(), "version", "x"),
    (make.grant(), "purpose", "marketing"),
    (make.grant(), "categories", []),
    (make.grant(), "outcomes", 1),
    (make.grant(), "outcomes", 1003),
    (make.grant(), "charge_mbit", 0),
    (make.grant(), "budget", "x"),
    (make.grant(), "valid_until", make.LAST_YEAR),
    (make.grant(), "text", "x"),
    (make.grant(), "risk_ticked", False),
    (make.grant(), "renews", "x"),
    (make.grant(), "nonce", ""),
    (make.revocation(), "enterprise", "x"),
    (make.revocation(), "grant", "x"),
    (make.revocation(), "version", "x"),
    (make.revocation(), "revoked_at", "x"),
    (make.revocation(), "nonce", "x"),
    (make.manifest(), "bank", ""),
    (make.manifest(), "group", ""),
    (make.manifest(), "name", "x" * 101),
    (make.manifest(), "purpose", "marketing"),
    (make.manifest(), "model_format", "pickle"),
    (make.manifest(), "artefact", "x"),
    (make.manifest(), "artefact_bytes", 0),
    (make.manifest(), "artefact_bytes", 64 * 2**20 + 1),
    (make.manifest(), "features", []),
    (make.manifest(), "features", ["a", "a"]),
    (make.manifest(), "views", "x"),
    (make.manifest(), "grades", ["A"]),
    (make.manifest(), "grades", ["A", "A"]),
    (make.manifest(), "grades", ["A", "missing"]),
    (make.manifest(), "grades", ["A", "refused"]),
    (make.manifest(), "grades", ["A", ""]),
    (make.manifest(), "grades", ["A", "x" * 17]),
    (make.manifest(), "grades", ["A", " A"]),
    (make.manifest(), "grades", ["A", "A "]),
    (make.manifest(), "grades", ["A", "A\u3000"]),
    (make.manifest(), "grades", ["A", "A\u200b"]),
    (make.manifest(), "grades", ["A", "\x01"]),
    (make.manifest(), "delivery_key", "x"),
    (make.manifest(), "delivery_key", "00" * 32),
    (make.manifest(), "created_at", "x"),
    (make.manifest(), "nonce", "x"),
    (make.request(), "version", "x"),
    (make.request(), "purpose", "marketing"),
    (make.request(), "loan_reference", ""),
    (make.request(), "loan_reference", "x" * 65),
    (make.request(), "enterprises", []),
    (make.request(), "enterprises", [make.ENTERPRISE, make.ENTERPRISE]),
    (make.request(), "enterprises", ["x"]),
    (make.request(), "enterprises", [f"{n:018d}" for n in range(1001)]),
    (make.request(), "asked_at", "x"),
    (make.request(), "nonce", "x"),
    (make.vote(make.some_digest()), "subject", "x"),
    (make.vote(make.some_digest()), "step", ""),
    (make.vote(make.some_digest()), "decision", "abstain"),
    (make.vote(make.some_digest()), "cast_at", "x"),
    (make.vote(make.some_digest()), "nonce", "x"),
    (make.views(), "views", list(reversed(body_of(make.views())["views"]))),  # type: ignore[arg-type]
    (make.views().views[0], "name", "two words"),
    (make.views().views[0], "category", ""),
    (make.views().views[0], "level", "L5"),
    (make.policy_set(), "files", []),
    (make.policy_set().files[0], "name", "../up.cedar"),
    (make.policy_set().files[0], "text", ""),
    (make.source(), "name", "Tax"),
    (make.source(), "party", ""),
    (make.source(), "encoding", "utf-7"),
    (make.source(), "tables", []),
    (make.source().tables[0], "path", "../tax.csv"),
    (make.source().tables[0], "path", "tax.pdf"),
    (make.source().tables[0], "ignore", ["grade"]),
    (make.source().tables[0], "ignore", ["a", "a"]),
    (make.source().tables[0], "headings", [{"column": "g", "heading": h} for h in "ab"]),
    (make.fact_table(), "name", "Tax"),
    (make.fact_table(), "columns", [body_of(COMMON[0])]),
    (make.fact_table(), "period", "grade"),
    (make.fact_table(), "period", "unknown"),
    (COMMON[0], "name", "uscc; --"),
    (COMMON[0], "type", "blob"),
    (COMMON[0], "longest", 0),
    (COMMON[0], "longest", 1001),
    (make.suspension(), "party", ""),
    (make.suspension(), "reason", ""),
    (make.suspension(), "suspended_at", "x"),
    (make.suspension(), "nonce", "x"),
    (make.version_suspension(make.some_digest("version")), "version", "x"),
    (make.version_suspension(make.some_digest("version")), "reason", ""),
    (make.version_suspension(make.some_digest("version")), "suspended_at", "x"),
    (make.version_suspension(make.some_digest("version")), "nonce", "x"),
]


@pytest.mark.parametrize(
    ("record", "field", "value"),
    OUT_OF_RANGE,
    ids=lambda part: type(part).__name__ if isinstance(part, Record) else str(part)[:20],
)
def test_a_value_out_of_range_is_refused(record: Record, field: str, value: Json) -> None:
    body = body_of(record)
    assert type(record).from_body(body) == record
    assert field in body
    with pytest.raises(BadInput) as refusal:
        type(record).from_body({**body, field: value})
    assert refusal.value.code == "FIELD_INVALID"
