"""What have the operator and the sources declared, in files that people edit?

Reads `policies/{catalogue,facts}.toml`, `policies/features/*.toml` and
`connectors/*/connector.toml` into records. Anything
unknown, missing or double is POLICY_INVALID, named by file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from saferoom.canonical import Digest, Json, canonical_bytes
from saferoom.core.catalogue import Catalogue, Mode, check_listed
from saferoom.core.facts import Table
from saferoom.core.record import check_field
from saferoom.core.source import SELF, SourceManifest, check_source, declared_body
from saferoom.core.verification import Question, Verifier
from saferoom.core.views import SELF_REPORTED, Level, View, ViewSet
from saferoom.errors import BadInput, NotFound, SaferoomError
from saferoom.vault.formula import Formula, Operation, aggregates, columns_of
from saferoom.vault.grammar import read_formula

_QUESTION: dict[str, Json] = {"edges": [], "most_claims": 0}
_COLUMN: dict[str, Json] = {
    "optional": False,
    "future": False,
    "longest": 200,
    "least": None,
    "one_of": [],
}


@dataclass(frozen=True)
class Declarations:
    """Everything that the vault reads from the content folder at its start."""

    catalogue: Catalogue
    tables: Mapping[str, Table]
    views: ViewSet
    formulas: Mapping[str, Formula]  # by view name
    sources: Mapping[str, SourceManifest]
    verifiers: Mapping[str, Verifier]

    def source(self, name: str) -> SourceManifest:
        """Find a connector."""
        if name not in self.sources:
            raise NotFound("NOT_FOUND", "a connector of this name")
        return self.sources[name]

    def question(self, verifier: str, digest: Digest) -> tuple[Verifier, Question]:
        """Find what may be asked of a department that verifies."""
        found = self.verifiers.get(verifier)
        for question in () if found is None else found.questions:
            if found is not None and question.digest == digest:
                return found, question
        raise NotFound("NOT_FOUND", "a question of this department")

    def tables_of(self, view: str) -> frozenset[str]:
        """Name every table that a feature reads."""
        return frozenset(one.table for one in aggregates(self.formulas[view]))


def content_folder() -> Path:
    """Find the declarations: the checkout's, else those that the package ships."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent
    return checkout if (checkout / "policies" / "facts.toml").exists() else package / "_content"


def read_declarations(content: Path) -> Declarations:
    """Read and check all of it."""
    catalogue = read_catalogue(content / "policies" / "catalogue.toml")
    tables = read_tables(content / "policies" / "facts.toml", catalogue)
    views, formulas = read_views(content / "policies" / "features", tables)
    sources = read_sources(content / "connectors", tables)
    verifiers = read_verifiers(content / "connectors", catalogue)
    return Declarations(catalogue, tables, views, formulas, sources, verifiers)


def read_catalogue(path: Path) -> Catalogue:
    """Read the sharing list."""
    document = _document(path, Catalogue.KIND, {"version", "group"})
    body = {"kind": Catalogue.KIND, "version": document["version"], "groups": document["group"]}
    try:
        return Catalogue.from_body(body)
    except BadInput as error:
        raise _invalid(path, error.detail or "") from error


def read_tables(path: Path, catalogue: Catalogue) -> dict[str, Table]:
    """Read the tables of facts; the catalogue must allow each."""
    document = _document(path, "saferoom/facts/1", {"tables"})
    tables = {name: _table(path, name, body) for name, body in _parts(path, document["tables"])}
    for table in tables.values():
        try:
            check_listed(table, catalogue)
        except BadInput as error:
            raise _invalid(path, f"{table.name}: {error.detail}") from error
    return tables


def read_views(folder: Path, tables: Mapping[str, Table]) -> tuple[ViewSet, dict[str, Formula]]:
    """Read all features; the set is sorted by name, so its digest is that of its content."""
    views: list[View] = []
    formulas: dict[str, Formula] = {}
    for path in sorted(folder.glob("*.toml")):
        document = _document(path, "saferoom/features/1", {"category", "view"})
        declared = document["view"]
        for body in declared if isinstance(declared, list) else []:
            view, formula = _view(path, document["category"], body, tables)
            views.append(view)
            formulas[view.name] = formula
    try:
        found = ViewSet(views=tuple(sorted(views, key=lambda view: view.name)))
    except BadInput as error:
        raise BadInput("POLICY_INVALID", "two views of one name") from error
    check_inputs(found, formulas, tables)
    return found, formulas


def check_inputs(
    views: ViewSet, formulas: Mapping[str, Formula], tables: Mapping[str, Table]
) -> None:
    """Refuse a view below its inputs' level, or that reads categories it does not name.

    A table's category is that of the views which read nothing else: what an enterprise is
    asked to grant must not read another category behind its back. What reads a table of own
    reports is of the category `self` or names it, and what names it reads one.
    """
    home: dict[str, set[str]] = {}
    for view in views.views:
        if not view.also:
            home.setdefault(view.table, set()).add(view.category)
    for view in views.views:
        read = list(aggregates(formulas[view.name]))
        levels = [_level(tables[one.table], name) for one in read for name in columns_of(one)]
        others = {name for one in read for name in home.get(one.table, ())}
        named = {view.category, *view.also}
        own = {tables[one.table].self_reported for one in read}
        declared = own <= {False} if SELF_REPORTED not in named else True in own
        fits = declared and others <= named and official_first(formulas[view.name], tables)
        if view.level < max(levels, default=view.level) or not fits:
            raise BadInput("POLICY_INVALID", f"view {view.name}: its level or what it reads")


def official_first(formula: Formula, tables: Mapping[str, Table]) -> bool:
    """Say whether an enterprise's own word stands in for what is missing, and never before it."""
    if not isinstance(formula, Operation):
        return True
    first = {tables[one.table].self_reported for one in aggregates(formula.operands[0])}
    fits = formula.op != "or_else" or True not in first
    return fits and all(official_first(one, tables) for one in formula.operands)


def _level(table: Table, name: str) -> str:
    column = table.column(name)
    assert column is not None  # the grammar's reader compared it
    return column.level if column in table.columns else min(Level)


def read_sources(folder: Path, tables: Mapping[str, Table]) -> dict[str, SourceManifest]:
    """Read every connector; its folder has its name."""
    sources = {}
    for path in sorted(folder.glob("*/connector.toml")):
        source = _source(path)
        if source.name != path.parent.name or source.name == SELF:
            raise _invalid(path, "name")
        check_source(source, tables)
        sources[source.name] = source
    return sources


def read_verifiers(folder: Path, catalogue: Catalogue) -> dict[str, Verifier]:
    """Read every department that verifies; its folder has its name, and no item brings rows."""
    verifiers = {}
    listed = catalogue.items()
    for path in sorted(folder.glob("*/verifier.toml")):
        document = _document(path, Verifier.KIND, {"name", "party", "service", "question"})
        questions = document.pop("question")
        full: list[Json] = [
            _QUESTION | one
            for one in (questions if isinstance(questions, list) else [])
            if isinstance(one, dict)
        ]
        try:
            found = Verifier.from_body({**document, "kind": Verifier.KIND, "questions": full})
            items = [listed.get(one.item) for one in found.questions]
            check_field(all(one and one.mode is Mode.VERIFY for one in items), "item")
            check_field(found.name == path.parent.name, "name")
        except BadInput as error:
            raise _invalid(path, error.detail or "") from error
        verifiers[found.name] = found
    return verifiers


def _table(path: Path, name: str, body: dict[str, Json]) -> Table:
    columns = body.get("columns")
    if not isinstance(columns, list):
        raise _invalid(path, name)
    full: list[Json] = [_COLUMN | column for column in columns if isinstance(column, dict)]
    try:
        return Table.from_body(
            {"period": None, "self_reported": False, **body, "name": name, "columns": full}
        )
    except BadInput as error:
        raise _invalid(path, f"{name}: {error.detail}") from error


def _view(
    path: Path, category: Json, body: Json, tables: Mapping[str, Table]
) -> tuple[View, Formula]:
    if not isinstance(body, dict):
        raise _invalid(path, "view")
    try:
        text = canonical_bytes(body.get("formula")).decode()
        view = View.from_body({"also": [], **body, "category": category, "formula": text})
        check_field(view.table in tables, "table")
        return view, read_formula(body["formula"], tables, view.table)
    except (SaferoomError, KeyError) as error:
        raise _invalid(path, f"view {body.get('name')!s:.64}") from error


def _source(path: Path) -> SourceManifest:
    names = {"name", "party", "title_zh", "title_en", "encoding", "tables"}
    document = _document(path, "saferoom/connector/1", names, {"service", "store"})
    try:
        return SourceManifest.from_body(declared_body(document))
    except BadInput as error:
        raise _invalid(path, error.detail or "") from error


def _document(
    path: Path, kind: str, names: set[str], perhaps: Collection[str] = ()
) -> dict[str, Json]:
    try:
        document: dict[str, Json] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:  # ValueError: TOML or UTF-8 that is none
        raise _invalid(path, "cannot be read") from error
    if document.pop("kind", None) != kind or set(document) - set(perhaps) != names:
        raise _invalid(path, "its kind or its parts")
    return document


def _parts(path: Path, value: Json) -> list[tuple[str, dict[str, Json]]]:
    if not isinstance(value, dict):
        raise _invalid(path, "tables")
    parts = [(name, dict(body)) for name, body in value.items() if isinstance(body, dict)]
    if len(parts) != len(value):
        raise _invalid(path, "tables")
    return parts


def _invalid(path: Path, what: str) -> BadInput:
    return BadInput("POLICY_INVALID", f"{path.parent.name}/{path.name}: {what}")
