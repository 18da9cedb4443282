"""A new environment with the built wheel and its base dependencies, and nothing else.

No index is asked: the wheel is built from this checkout, and each dependency is the one that the
tests run with, file by file as its own record lists them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

NETWORK_OFF = ("unshare", "--net") if os.geteuid() == 0 else ("unshare", "--map-root-user", "--net")


def make_venv(root: Path, folder: Path) -> Path:
    """Make it; return its folder of programs."""
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder / "venv"))
    wheel = build_wheel(root, folder / "dist")
    python = folder / "venv" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-index"]
    _run(*pip, "--no-deps", "--quiet", "--disable-pip-version-check", str(wheel))
    site = Path(_run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"))
    for name in sorted(closure("saferoom")):
        _copy(distribution(name), site)
    return python.parent


def build_wheel(root: Path, folder: Path) -> Path:
    """Build without a compiler: what runs on an auditor's laptop needs none."""
    environment = {**os.environ, "CC": "no-compiler"}
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=root, env=environment, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    return wheel


def network_can_be_cut() -> bool:
    """Say whether this machine lets us have a network of our own, with nothing in it."""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*NETWORK_OFF, "true"], capture_output=True, check=False).returncode == 0


def closure(name: str) -> set[str]:
    """Name what a distribution needs without its extras, and what that needs."""
    found: set[str] = set()
    waiting = list(_needed(name, frozenset({""})))
    while waiting:
        wanted, extras = waiting.pop()
        if wanted not in found:
            found.add(wanted)
            waiting += _needed(wanted, extras | {""})
    return found


def _needed(name: str, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in requires(name) or ():
        one = Requirement(line)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            yield canonicalize_name(one.name), frozenset(one.extras)


def _copy(dist: Distribution, site: Path) -> None:
    purelib = Path(sysconfig.get_path("purelib"))
    for file in dist.files or ():
        source = Path(str(dist.locate_file(file))).resolve()
        if source.is_relative_to(purelib) and source.suffix != ".pyc" and source.exists():
            target = site / source.relative_to(purelib)
            target.parent.mkdir(parents=True, exist_ok=True)
            _link(source, target)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def _run(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
