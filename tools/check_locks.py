"""Do the locks hold what pyproject.toml asks for, hashed, and without an address?

Checked: no `://` anywhere, a SHA-256 for every package, every direct dependency at a
version that its range allows, the builder in each lock (the project goes in without an
index), and the same versions in room.lock and all.lock as in dev.lock, so that one
environment serves them all.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PIN = re.compile(r"^(?P<name>[a-z0-9._-]+)(\[.*\])?==(?P<version>[^\s;]+)", re.IGNORECASE)
CONTENTS = {  # lock → the extras and groups that it holds
    "room": (("room",), ("build",)),
    "all": (("room", "joint", "stores"), ("build",)),
    "dev": (("room", "joint", "stores"), ("build", "dev")),
}
Pins = dict[str, set[str]]  # a universal lock may pin one name twice, under two markers


class Lock(NamedTuple):
    """One lock as read: its pins, and the complaints of its text alone."""

    pins: Pins
    complaints: list[str]


def read_lock(text: str) -> Lock:
    """Read pins; complain of addresses and of packages without a hash."""
    pins: Pins = {}
    complaints = ["holds an address (`://`)"] if "://" in text else []
    for entry in text.replace("\\\n", " ").splitlines():
        match = PIN.match(entry)
        if match is None:
            continue
        pins.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
        if "--hash=sha256:" not in entry:
            complaints.append(f"{match['name']} has no hash")
    return Lock(pins, complaints)


def wanted(name: str, project: dict[str, object]) -> list[Requirement]:
    """List what pyproject.toml asks this lock to hold."""
    extras, groups = CONTENTS[name]
    table = project["project"]
    known = project["dependency-groups"]
    assert isinstance(table, dict)
    assert isinstance(known, dict)
    texts = list(table["dependencies"])
    for extra in extras:
        texts += table["optional-dependencies"][extra]
    for group in groups:
        texts += [item for item in known[group] if isinstance(item, str)]
    return [Requirement(text) for text in texts]


def check(name: str, lock: Lock, dev: Lock, project: dict[str, object]) -> list[str]:
    """Say what is wrong with one lock; nothing if nothing is."""
    complaints = list(lock.complaints)
    for requirement in wanted(name, project):
        versions = lock.pins.get(canonicalize_name(requirement.name), set())
        if not versions or not all(requirement.specifier.contains(v) for v in versions):
            complaints.append(f"does not hold {requirement}")
    complaints += [
        f"{package} differs from dev.lock"
        for package, versions in lock.pins.items()
        if versions != dev.pins.get(package)
    ]
    return complaints


def main() -> int:
    """Check the three locks; one line per complaint."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    locks = {name: read_lock((ROOT / f"locks/{name}.lock").read_text()) for name in CONTENTS}
    complaints = [
        f"locks/{name}.lock {complaint}"
        for name, lock in locks.items()
        for complaint in check(name, lock, locks["dev"], project)
    ]
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    if complaints:
        print("Run `make lock`, then look at the difference.", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
