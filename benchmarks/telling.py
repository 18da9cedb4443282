"""How is a figure written, for people and by the contract (`--json`)?"""

from __future__ import annotations

import json
import os
import platform


def figure(
    name: str, value: float | None, unit: str, target: float | None = None, *, more: bool = False
) -> dict[str, object]:
    """Write one figure; lower is better where there is a target, unless `more` is."""
    met = None
    if value is not None and target is not None:
        met = value >= target if more else value <= target
    return {
        "figure": name,
        "value": None if value is None else round(value, 3),
        "unit": unit,
        "target": target,
        "ok": met,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python"
        f" {platform.python_version()}",
    }


def tell(one: dict[str, object], *, as_json: bool) -> None:
    """Print it."""
    target = "" if one["target"] is None else f"(target {one['target']}, ok: {one['ok']})"
    line = f"{one['figure']:<64} {one['value']!s:>12} {one['unit']} {target}"
    print(json.dumps(one) if as_json else line, flush=True)
