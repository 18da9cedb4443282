"""How is the text of a grant read from the file that people edit?"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from saferoom.canonical import Json
from saferoom.core.enrolment import Signatory
from saferoom.core.grant_text import CLAUSES, GrantTemplate
from saferoom.core.manifest import Purpose
from saferoom.errors import BadInput

FILE = "templates/grant.toml"
_ORDER: dict[str, Sequence[str]] = {
    "clause": list(CLAUSES),
    "purpose": list(Purpose),
    "method": list(Purpose),
    "signatory": list(Signatory),
}
_PLURAL = {
    "clause": "clauses",
    "category": "categories",
    "purpose": "purposes",
    "method": "methods",
    "signatory": "signatories",
}


def read_grant_template(policies: Path) -> GrantTemplate:
    """Read `templates/grant.toml` of a policies folder; POLICY_INVALID names what is wrong."""
    try:
        document: dict[str, Json] = tomllib.loads((policies / FILE).read_text(encoding="utf-8"))
        words = {plural: _words(document, name) for name, plural in _PLURAL.items()}
        rest = {name: value for name, value in document.items() if name not in _PLURAL}
        return GrantTemplate.from_body({**rest, **words})
    except BadInput as error:
        raise BadInput("POLICY_INVALID", f"{FILE}: {error.detail}") from error
    except (OSError, ValueError) as error:  # ValueError: TOML or UTF-8 that is none
        raise BadInput("POLICY_INVALID", f"{FILE} cannot be read") from error


def _words(document: dict[str, Json], name: str) -> list[Json]:
    """List a table's entries in the order that the rules ask for, unknown ones last."""
    table = document.get(name)
    if not isinstance(table, dict) or not all(isinstance(one, dict) for one in table.values()):
        raise BadInput("FIELD_INVALID", name)
    order = _ORDER.get(name, sorted(table))
    names = [*(one for one in order if one in table), *sorted(table.keys() - {*order})]
    return [{**cast("dict[str, Json]", table[one]), "name": str(one)} for one in names]
