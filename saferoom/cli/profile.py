"""How does a steward or an operator see how features are distributed?"""

from __future__ import annotations

from typing import Annotated, cast

import typer

from saferoom.canonical import Json
from saferoom.cli.options import AsJson, Key
from saferoom.cli.say import tell, tell_rows

COLUMNS = ("feature", "present", "missing", "mean", "5 %", "25 %", "50 %", "75 %", "95 %", "")
_PERCENTS = (5, 25, 50, 75, 95)


def profile(
    *,
    key: Key,
    view: Annotated[
        list[str] | None, typer.Option("--view", help="A feature; may be repeated. Unset: all.")
    ] = None,
    url: Annotated[str | None, typer.Option(help="Unset: the key folder's.")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask, as a steward or an operator, for figures of twenty enterprises or more."""
    from saferoom.client import keyfolder  # noqa: PLC0415  # only when asked
    from saferoom.client.http import RoomClient  # noqa: PLC0415  # as above
    from saferoom.core.views import ViewSet  # noqa: PLC0415  # as above

    keys = keyfolder.load(key)
    with RoomClient(url or keys.url, keys) as client:
        names = view or ViewSet.from_body(client.catalogue()).names()
        told = client.profile(client.author.profile_order(names))
    if as_json:
        tell(told, "", as_json=True)
        return
    lines = cast("list[dict[str, Json]]", told["features"])
    title = f"Features of about {told['enterprises']} enterprises"
    tell_rows(title, COLUMNS, [_row(line) for line in lines])


def _row(line: dict[str, Json]) -> list[str]:
    told = cast("list[dict[str, Json]]", line.get("quantiles", []))
    values = {one["percent"]: str(one["value"]) for one in told}
    shown = [_text(line.get(name)) for name in ("present", "missing", "mean")]
    why = line["refused"] or line.get("mean_refused")
    quantiles = [values.get(percent, "–") for percent in _PERCENTS]
    return [str(line["view"]), *shown, *quantiles, "" if why is None else str(why)]


def _text(value: Json) -> str:
    return "–" if value is None else str(value)
