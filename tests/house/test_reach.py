"""How much of us must be understood before one rule makes sense?

Reach is counted as Python counts it: import the module in a fresh program and see which
modules of ours came along. Packages do not count, because their `__init__` is empty (a
test below), nor does the module itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LARGEST_REACH = 9  # fewer than ten others: style.md, "Reach before length"
# What a trust file says has three parts now (witnesses, overrides, closings): it waits to be split.
TOO_FAR = {"saferoom.core.trust": 10}
RULES = ("errors", "canonical", "crypto", "tlog", "core", "scoring")

# Third-party modules stay loaded from one count to the next; ours are forgotten.
COUNT = """
import importlib, json, sys
reach = {}
for name in sys.argv[1:]:
    for known in [m for m in sys.modules if m.split(".")[0] == "saferoom"]:
        del sys.modules[known]
    importlib.import_module(name)
    ours = {m for m, v in sys.modules.items()
            if m.startswith("saferoom.") and not hasattr(v, "__path__")}
    reach[name] = sorted(ours - {name})
print(json.dumps(reach))
"""


def run(code: str, *arguments: str) -> object:
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True
    )
    return json.loads(result.stdout)


def rules(root: Path) -> list[str]:
    files = [
        path
        for name in RULES
        for path in [root / "saferoom" / f"{name}.py", *(root / "saferoom" / name).rglob("*.py")]
        if path.exists() and path.name != "__init__.py"
    ]
    return [".".join(path.relative_to(root).with_suffix("").parts) for path in files]


def test_a_rule_pulls_in_fewer_than_ten_of_ours(root: Path) -> None:
    reach = run(COUNT, *rules(root))
    assert isinstance(reach, dict)
    assert reach
    most = {name: TOO_FAR.get(name, LARGEST_REACH) for name in reach}
    assert {name: ours for name, ours in reach.items() if len(ours) > most[name]} == {}


def test_errors_and_the_package_itself_load_nothing_else_of_ours() -> None:
    seen = "import json, sys; print(json.dumps(sorted(m for m in sys.modules if 'saferoom' in m)))"
    assert run(f"import saferoom; {seen}") == ["saferoom"]
    assert run(f"import saferoom.errors; {seen}") == ["saferoom", "saferoom.errors"]


def test_the_rules_load_no_server_and_no_native_reader(root: Path) -> None:
    foreign = "fastapi sqlalchemy duckdb pyarrow lightgbm pydantic cedarpy pandas phe"
    code = (
        "import importlib, json, sys\n"
        "for name in sys.argv[2:]: importlib.import_module(name)\n"
        "print(json.dumps([m for m in sys.argv[1].split() if m in sys.modules]))"
    )
    assert run(code, foreign, *rules(root)) == []


def test_packages_are_empty_but_the_one_that_exports(root: Path) -> None:
    files = {*(root / "saferoom").rglob("__init__.py")} - {root / "saferoom" / "__init__.py"}
    assert [str(path) for path in files if path.read_text().strip()] == []


def test_every_public_name_is_there() -> None:
    code = (
        "import json, saferoom\n"
        "print(json.dumps([n for n in saferoom.__all__ if getattr(saferoom, n, None) is None]))"
    )
    assert run(code) == []
