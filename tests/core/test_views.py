"""Does a set of views name its features and their categories?"""

from __future__ import annotations

from dataclasses import replace

import pytest

from saferoom.errors import BadInput
from tests import factories as make


def test_names_and_categories() -> None:
    views = make.views()
    assert views.names() == make.FEATURES
    assert views.categories_of(make.FEATURES) == ("registration", "tax")
    assert views.categories_of(("tax_grade", "unknown")) == ("tax",)
    assert views.categories_of(()) == ()


def test_a_version_s_outcomes_are_its_grades_and_two_more() -> None:
    assert make.manifest().outcomes == (*make.GRADES, "missing", "refused")


def test_a_feature_that_reads_another_category_needs_both() -> None:
    (first, *others) = make.views().views
    reads_more = replace(first, category="judicial", also=("registration", "tax"))
    views = replace(make.views(), views=(reads_more, *others))
    assert views.categories_of((first.name,)) == ("judicial", "registration", "tax")


@pytest.mark.parametrize("also", [("tax", "judicial"), ("tax", "tax"), ("registration",)])
def test_other_categories_are_sorted_and_other(also: tuple[str, ...]) -> None:
    view = replace(make.views().views[0], category="registration", also=())
    with pytest.raises(BadInput, match="also"):
        replace(view, also=also)
