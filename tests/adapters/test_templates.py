"""Is the text of a grant read strictly, and does ours say all that it must?"""

from __future__ import annotations

import dataclasses
import shutil
import tomllib
from pathlib import Path

import pytest

from saferoom.adapters.content import content_folder
from saferoom.adapters.templates import FILE, read_grant_template
from saferoom.core.grant_text import render, worded
from saferoom.errors import BadInput
from tests import factories as f

POLICIES = content_folder("policies")


def test_ours_is_read_and_renders_in_both_languages() -> None:
    template = read_grant_template(POLICIES)
    grant = dataclasses.replace(f.grant(), template=template.digest, representative_ticked=True)
    shown = render(template, worded(template, grant))
    for text in (shown.zh, shown.en):
        for value in (f.ENTERPRISE, "First Bank", grant.version, "16", "40", "365", "Wang Wei"):
            assert value in text
    assert "统一社会信用代码" in shown.zh
    assert "unified social credit code" in shown.en


def test_ours_has_words_for_every_category_of_the_catalogue_and_of_the_features() -> None:
    words = {one.name for one in read_grant_template(POLICIES).categories}
    features = (POLICIES / "features").glob("*.toml")
    read = {tomllib.loads(path.read_text(encoding="utf-8"))["category"] for path in features}
    assert read <= words
    catalogue = tomllib.loads((POLICIES / "catalogue.toml").read_text(encoding="utf-8"))
    assert {group["id"] for group in catalogue["group"]} - words <= {"other"}


def _edited(folder: Path, old: str, new: str) -> Path:
    shutil.copytree(POLICIES / "templates", folder / "templates")
    path = folder / FILE
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[clause.onward]", "[clause.backward]"),
        ("[clause.onward]", "[[clause.onward]]"),
        ("[clause.onward]", "[clause.onward"),
        ("version = 1", "version = 0"),
        ("version = 1", 'version = 1\nmood = "good"'),
        ("{bank_name}", "the bank"),
        ("农业经营主体：家庭农场、合作社、补贴", "农业经营主体：家庭农场、合作社、补贴等"),
        ('kind = "saferoom/grant-template/1"', ""),
    ],
)
def test_a_file_that_is_not_whole_is_refused_by_name(tmp_path: Path, old: str, new: str) -> None:
    with pytest.raises(BadInput, match=FILE) as error:
        read_grant_template(_edited(tmp_path, old, new))
    assert error.value.code == "POLICY_INVALID"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="POLICY_INVALID"):
        read_grant_template(tmp_path)


def test_another_wording_is_another_version_with_another_digest(tmp_path: Path) -> None:
    edited = read_grant_template(_edited(tmp_path, "version = 1", "version = 2"))
    assert edited.digest != read_grant_template(POLICIES).digest
