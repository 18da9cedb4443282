"""Is what a steward types read strictly, and does the house's own typing fit its views?"""

from __future__ import annotations

from pathlib import Path

import pytest

from saferoom.adapters.content import content_folder
from saferoom.adapters.mock_files import read_mock_set
from saferoom.core.mock_rows import draw
from saferoom.errors import BadInput
from saferoom.vault.declarations import read_declarations

HEAD = 'kind = "saferoom/mock/1"\n'
COLUMN = '{ name = "sales", with = "tax", missing = 10, stops = [[0, 0], [1000, 12.50]] }'
OTHER = '{ name = "grade", with = "tax", shares = [[400, 1], [600, 2]] }'


def write(folder: Path, text: str, name: str = "tax.toml") -> Path:
    (folder / name).write_text(HEAD + text, "utf-8")
    return folder


def test_files_become_one_sorted_set(tmp_path: Path) -> None:
    write(tmp_path, f'columns = [{COLUMN}]\ncorrelations = [["sales", "grade", -20]]')
    found = read_mock_set(write(tmp_path, f"columns = [{OTHER}]\ncorrelations = []", "b.toml"))
    assert [column.name for column in found.columns] == ["grade", "sales"]
    assert found.columns[1].stops[1].value == "12.5"
    assert found.columns[0].missing_permille == 0
    assert (found.correlations[0].first, found.correlations[0].hundredths) == ("grade", -20)


def test_every_view_of_the_house_has_a_fitting_declaration() -> None:
    """Add a view, and this asks for its line in policies/mock."""
    content = content_folder("policies").parent
    views = read_declarations(content).views
    mock = read_mock_set(content / "policies" / "mock").of(views)
    matrix = draw(mock, views.names(), 500, 1)
    assert matrix.shape == (500, len(views.views))


@pytest.mark.parametrize(
    "text",
    [
        "columns = [",
        "columns = []",
        "columns = []\ncorrelations = []\nmore = 1",
        "columns = 1\ncorrelations = []",
        'columns = ["sales"]\ncorrelations = []',
        'columns = [{ name = "sales" }]\ncorrelations = []',
        f"columns = [{COLUMN[:-1]}, odd = 1 }}]\ncorrelations = []",
        f"columns = [{COLUMN}, {COLUMN}]\ncorrelations = []",
        f'columns = [{COLUMN}]\ncorrelations = [["sales", "profit", 10]]',
        f'columns = [{COLUMN}]\ncorrelations = [["sales", 10]]',
        f"columns = [{COLUMN.replace('12.50', 'inf')}]\ncorrelations = []",
        f"columns = [{COLUMN.replace('12.50', '1e400000')}]\ncorrelations = []",
        f"columns = [{COLUMN.replace('12.50', 'true')}]\ncorrelations = []",
        f"columns = [{COLUMN.replace('12.50', '1, 2')}]\ncorrelations = []",
    ],
)
def test_what_is_typed_wrongly_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_mock_set(write(tmp_path, text))
    assert caught.value.code == "MOCK_INVALID"


def test_another_kind_of_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "tax.toml").write_text('kind = "saferoom/features/1"\n', "utf-8")
    with pytest.raises(BadInput, match=r"tax\.toml"):
        read_mock_set(tmp_path)
