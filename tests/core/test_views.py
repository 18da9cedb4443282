"""Does a set of views name its features and their categories?"""

from __future__ import annotations

from tests import factories as make


def test_names_and_categories() -> None:
    views = make.views()
    assert views.names() == make.FEATURES
    assert views.categories_of(make.FEATURES) == ("registration", "tax")
    assert views.categories_of(("tax_grade", "unknown")) == ("tax",)
    assert views.categories_of(()) == ()


def test_a_version_s_outcomes_are_its_grades_and_two_more() -> None:
    assert make.manifest().outcomes == (*make.GRADES, "missing", "refused")
