"""What does a modeller practise on, before a model meets one real row?

A table made on this machine from what stewards declared: the columns, the order and the one
dtype that a model meets in the room, NaN where something is missing, the same bytes for the
same seed anywhere. No row of the room has been looked at for it, by us or by anyone.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from saferoom.core.mock import MockSet
from saferoom.core.mock_rows import draw
from saferoom.core.views import ViewSet
from saferoom.errors import BadInput


def mock_table(
    catalogue: ViewSet, mock: MockSet, views: Iterable[str] | None, rows: int, seed: int
) -> pd.DataFrame:
    """Draw a table of these views, in this order; without names, of the whole catalogue."""
    known = catalogue.names()
    names = list(known) if views is None else [str(name) for name in views]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BadInput("MOCK_UNDECLARED", unknown[0][:64])
    return pd.DataFrame(draw(mock, names, rows, seed), columns=names)
