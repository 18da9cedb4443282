"""Does the schema accept what the reader accepts, and is the page the schema?"""

from __future__ import annotations

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from saferoom.canonical import Json, parse_object
from saferoom.scoring.form import Form, scorecard_form
from saferoom.scoring.form_json import write_form
from saferoom.scoring.form_schema import schema
from saferoom.scoring.lightgbm_reader import read_lightgbm
from tests.scoring.test_form_json import WIDE
from tests.scoring.test_scorecard import CARD
from tests.scoring.training import trained


def fits(value: Json) -> bool:
    return bool(Draft202012Validator(schema()).is_valid(value))


FORMS = {
    "every function": WIDE,
    "scorecard": scorecard_form(CARD),
    "categories": read_lightgbm(trained("categories").text),
    "lines": read_lightgbm(trained("lines").text),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_fits_the_schema(name: str) -> None:
    form: Form = FORMS[name]
    value: dict[str, Json] = parse_object(write_form(form).encode())
    assert fits(value)
    assert not fits({**value, "more": 1})
    assert not fits({**value, "source": "a stranger"})
    assert not fits({**value, "members": 7})
