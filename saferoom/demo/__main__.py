"""What does `saferoom demo` do?

Without `--run`: sets up a room with synthetic data where there is none yet, prints who is
there and what to try, and serves it. With `--run`: plays the whole story in a fresh home
and stops. It exits 0 only if each step really happened.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from saferoom.cli.listening import check_port
from saferoom.cli.say import tell_error
from saferoom.demo import guide, story, watching
from saferoom.demo.server import HOST, become_server, free_port, served
from saferoom.demo.setup import prepare
from saferoom.demo.steps import NotHappened, Play
from saferoom.demo.submitting import Versions
from saferoom.errors import Conflict, SaferoomError

DEFAULT_HOME = Path(".demo")
DEFAULT_PORT = 8321
DEFAULT_ENTERPRISES = 2_000
NOT_HAPPENED = 1


def main(arguments: list[str] | None = None) -> int:
    """Play or serve; answer with the process's exit code."""
    options = _parser().parse_args(arguments)
    try:
        return _play(options) if options.run else _serve(options)
    except SaferoomError as error:
        tell_error(error, as_json=options.json)
        return error.exit_code
    except NotHappened as broken:
        _tell_broken(broken, as_json=options.json)
        return NOT_HAPPENED


def _play(options: argparse.Namespace) -> int:
    started = time.perf_counter()
    home = options.home or Path(tempfile.mkdtemp(prefix="saferoom-story-"))
    if home.exists() and any(home.iterdir()):
        raise Conflict("DUPLICATE", "the story needs an empty --home")
    port = options.port or free_port()
    check_port(HOST, port)
    play = story.tell(home, port, options.enterprises, quiet=options.json)
    if options.json:
        print(json.dumps(story.summary(play, started), ensure_ascii=False))  # noqa: T201  # its output
        return 0
    Console().print(play.table())
    print(guide.after_story(home, time.perf_counter() - started))  # noqa: T201  # lines to copy
    return 0


def _serve(options: argparse.Namespace) -> int:
    home, port = options.home or DEFAULT_HOME, options.port or DEFAULT_PORT
    ready = home / "demo.json"
    check_port(HOST, port)
    if not ready.exists():
        _set_up(home, port, options.enterprises)
    told = guide.read(ready)
    if options.json:
        print(json.dumps(told, ensure_ascii=False), flush=True)  # noqa: T201  # its output
    else:
        print(guide.what_to_try(home, port, told), flush=True)  # noqa: T201  # lines to copy, unwrapped
    watching.resume(home)
    become_server(home, port)
    return 0


def _set_up(home: Path, port: int, enterprises: int) -> None:
    """Open the room once; whatever was left half done is named and not repaired."""
    if home.exists() and any(home.iterdir()):
        raise Conflict("STATE", f"{home} holds something else than a finished demo; remove it")
    play, versions = Play(), Versions()
    with watching.staying_witnesses(home) as watchers:
        ready = prepare(home, port, enterprises, watchers)
        with served(home, port):
            try:
                story.open_room(play, ready)
                story.bring_models(play, ready, versions)
                story.let_enterprises_sign(play, ready, versions)
            finally:
                ready.stage.close()
    guide.write(home / "demo.json", ready.stage, versions)


def _tell_broken(broken: NotHappened, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"ok": False, "broken": str(broken)}, ensure_ascii=False))  # noqa: T201
    else:
        Console(stderr=True).print(f"The story broke: {broken}", style="red", markup=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="saferoom demo")
    parser.add_argument("--run", action="store_true", help="play the whole story, then stop")
    parser.add_argument("--home", type=Path, help="unset: .demo, or a new folder for --run")
    parser.add_argument("--enterprises", type=int, default=DEFAULT_ENTERPRISES)
    parser.add_argument("--port", type=int, help=f"unset: {DEFAULT_PORT}, or a free one for --run")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


if __name__ == "__main__":
    sys.exit(main())
