"""Is what the enterprise reads what it signs, word for word and field for field?"""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from saferoom.canonical import Digest
from saferoom.core.enrolment import Signatory
from saferoom.core.grant import Grant
from saferoom.core.grant_text import (
    CLAUSES,
    GrantTemplate,
    Wording,
    bits,
    check_text,
    needs_representative,
    render,
    worded,
)
from saferoom.core.manifest import Purpose
from saferoom.errors import BadInput, Refusal
from tests import factories as f

# Another value for each field of a grant; a new field needs one here.
OTHER: dict[str, object] = {
    "enterprise": "9" * 18,
    "enterprise_name": "Second Firm",
    "signatory": "Li Lei",
    "signatory_role": Signatory.AGENT,
    "bank": "bank-b",
    "bank_name": "Second Bank",
    "bank_contact": "another desk",
    "group": "group-b",
    "version": f.some_digest("other"),
    "model_name": "another model",
    "purpose": Purpose.POST_LOAN_MONITORING,
    "categories": ("registration", "utilities"),
    "outcomes": 8,
    "charge_mbit": 3000,
    "budget": f.some_digest("other"),
    "budget_mbit": 1,
    "valid_from": "2026-01-01T00:00:01Z",
    "valid_until": "2028-01-01T00:00:00Z",
    "retention_days": 1,
    "template": f.some_digest("other"),
    "text": f.some_digest("other"),
    "representative_ticked": True,
    "renews": f.some_digest("other"),
    "signed_at": "2026-01-01T00:00:01Z",
}
SILENT = {"risk_ticked", "nonce"}  # the one cannot be otherwise, the other says nothing


def test_the_text_that_was_read_is_accepted() -> None:
    check_text(f.template(), f.grant())


def test_every_field_of_a_grant_is_tried() -> None:
    assert {field.name for field in dataclasses.fields(Grant)} == OTHER.keys() | SILENT


@pytest.mark.parametrize("name", OTHER)
def test_a_grant_with_a_changed_field_is_not_what_was_read(name: str) -> None:
    changed = dataclasses.replace(f.grant(), **{name: OTHER[name]})  # type: ignore[arg-type]
    with pytest.raises(Refusal, match="AUTH_SCOPE"):
        check_text(f.template(), changed)


def test_an_unknown_wording_is_refused() -> None:
    with pytest.raises(Refusal, match=r"AUTH_SCOPE.*template"):
        check_text(None, f.grant())


def test_a_category_without_words_is_refused() -> None:
    with pytest.raises(Refusal, match="no words"):
        render(f.template(), dataclasses.replace(f.grant(), categories=("rumours",)))


@given(
    st.sampled_from(["enterprise_name", "signatory", "bank_name", "bank_contact", "model_name"]),
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=40),
)
def test_what_a_name_holds_is_never_read_as_a_place(name: str, value: str) -> None:
    for tried in (value, "{signed_at}", "{bank}" + value):
        shown = render(f.template(), dataclasses.replace(f.grant(), **{name: tried}))  # type: ignore[arg-type]
        assert tried in shown.zh
        assert tried in shown.en


@pytest.mark.parametrize("value", ["", " x", "x\ny", "x\u202ey", "x" * 201])
@pytest.mark.parametrize(
    "name", ["enterprise_name", "signatory", "bank_name", "bank_contact", "model_name"]
)
def test_a_name_is_one_line_that_shows_what_it_is(name: str, value: str) -> None:
    with pytest.raises(BadInput, match=name):
        f.grant(text=f.some_digest("text"), **{name: value})


def test_the_text_is_the_same_whoever_renders_it() -> None:
    first, again = (render(f.template(), f.grant()) for _ in range(2))
    assert first == again
    assert first.digest == f.grant().text
    assert first.zh != first.en


def test_the_representative_consents_where_the_data_is_personal_and_only_there() -> None:
    personal = f.template(personal=("registration",))
    assert needs_representative(personal, ["registration"])
    assert not needs_representative(personal, ["tax"])
    silent = worded(personal, f.grant(template=personal.digest))
    with pytest.raises(Refusal, match="representative_ticked"):
        check_text(personal, silent)
    ticked = worded(personal, dataclasses.replace(silent, representative_ticked=True))
    check_text(personal, ticked)
    assert "representative:" in render(personal, ticked).en
    assert "representative:" not in render(personal, silent).en
    bundled = worded(f.template(), dataclasses.replace(f.grant(), representative_ticked=True))
    with pytest.raises(Refusal, match="representative_ticked"):
        check_text(f.template(), bundled)


def test_a_renewal_names_what_it_renews() -> None:
    renewed = f.grant(renews=Digest("ab" * 32))
    assert "ab" * 32 in render(f.template(), renewed).zh
    assert "renewal:" not in render(f.template(), f.grant()).en


def _with_clause(name: str, **changes: str) -> tuple[Wording, ...]:
    return tuple(
        dataclasses.replace(one, **changes) if one.name == name else one
        for one in f.template().clauses
    )


@pytest.mark.parametrize("name", CLAUSES)
def test_a_template_without_a_clause_is_refused(name: str) -> None:
    left = tuple(one for one in f.template().clauses if one.name != name)
    with pytest.raises(BadInput, match="clauses"):
        f.template(clauses=left)


@pytest.mark.parametrize(
    ("name", "place"), [(name, one) for name, places in CLAUSES.items() for one in sorted(places)]
)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_clause_that_leaves_out_a_value_is_refused(name: str, place: str, language: str) -> None:
    found = next(one for one in f.template().clauses if one.name == name)
    less = getattr(found, language).replace(f"{{{place}}}", "")
    with pytest.raises(BadInput, match=name):
        f.template(clauses=_with_clause(name, **{language: less}))


@pytest.mark.parametrize("text", ["{nonce}", "{", "}", "{Bank}", "{bank.__class__}", "{0}", " "])
def test_a_clause_with_another_place_or_a_stray_brace_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="onward"):
        f.template(clauses=_with_clause("onward", en=text))


@pytest.mark.parametrize("text", ["纳税等信息", "taxes etc.", "taxes, such as VAT", "and so on"])
def test_words_that_leave_something_open_are_refused(text: str) -> None:
    with pytest.raises(BadInput, match="tax"):
        Wording(name="tax", zh="纳税", en=text)


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 0},
        {"categories": ()},
        {"categories": tuple(reversed(f.template().categories))},
        {"personal": ("rumours",)},
        {"purposes": f.template().purposes[:1]},
        {"methods": ()},
        {"signatories": f.template().signatories[:1]},
        {"methods": tuple(dataclasses.replace(o, en="{bank}") for o in f.template().methods)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_an_incomplete_template_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(BadInput, match="FIELD_INVALID"):
        f.template(**changes)


def test_a_template_reads_back_as_it_was_written() -> None:
    assert GrantTemplate.from_body(f.template().to_body()) == f.template()


@pytest.mark.parametrize(
    ("mbit", "text"), [(4000, "4"), (40_000, "40"), (4500, "4.5"), (9969, "9.969"), (1, "0.001")]
)
def test_bits_are_written_exactly(mbit: int, text: str) -> None:
    assert bits(mbit) == text


def test_all_combinations_of_shown_clauses_differ() -> None:
    texts = {
        render(
            f.template(),
            dataclasses.replace(f.grant(), representative_ticked=ticked, renews=renews),
        ).digest
        for ticked, renews in itertools.product([True, False], [None, Digest("ab" * 32)])
    }
    assert len(texts) == 4
