"""How does a whole room start with one command, and stop without leaving a part behind?

The port and the home are taken first, so nothing has to be undone. The vault runs as a
program of its own, started again when it dies; the worker's loop is a thread; the API has
the main thread. When the API stops, the loop ends its turn and the vault is ended.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from saferoom.cli.child import Child
from saferoom.cli.home import only_one
from saferoom.cli.listening import listen
from saferoom.cli.options import AsJson
from saferoom.cli.say import tell

if TYPE_CHECKING:
    from saferoom.app.context import Room
    from saferoom.settings import Settings

SHUTDOWN_SECONDS = 5


def serve(
    *,
    home: Annotated[
        Path | None, typer.Option("--home", help="Folder of the room; unset: SAFEROOM_HOME.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Unset: SAFEROOM_HOST or 127.0.0.1.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Unset: SAFEROOM_PORT or 8321.")
    ] = None,
    vault: Annotated[
        bool, typer.Option("--vault/--no-vault", help="Run the vault beside, or elsewhere.")
    ] = True,
    as_json: AsJson = False,
) -> None:
    """Serve a room: API, worker and vault."""
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked
    from saferoom.api.logs import configure  # noqa: PLC0415  # as above
    from saferoom.settings import read_settings  # noqa: PLC0415  # as above

    configure()
    settings = read_settings(home=home, host=host, port=port)
    wiring.check_version(settings.home)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    with ExitStack() as stack:
        stack.enter_context(only_one(settings.home, "serve"))
        listener = stack.enter_context(listen(settings.host, settings.port))
        if vault:
            stack.enter_context(_vault(settings))
        url = f"http://{settings.host}:{settings.port}"
        tell(
            {"url": url, "home": str(settings.home)}, f"The room answers on {url}", as_json=as_json
        )
        _serve(settings, listener, stack)


def _serve(settings: Settings, listener: socket.socket, stack: ExitStack) -> None:
    import uvicorn  # noqa: PLC0415  # the room's packages, only when asked

    from saferoom import wiring  # noqa: PLC0415  # as above
    from saferoom.api.app import create  # noqa: PLC0415  # as above
    from saferoom.api.throttle import Quotas, score_quota, submission_quota  # noqa: PLC0415  # as above

    room = stack.enter_context(wiring.open_room(settings, "serve"))
    if settings.worker_in_process:
        stack.enter_context(_worker(room, settings))
    quotas = Quotas(
        score_quota(settings.scores_per_minute), submission_quota(settings.submissions_per_day)
    )
    config = uvicorn.Config(
        create(room, settings.home / "log", quotas),
        access_log=False,  # it would write paths as typed
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )
    uvicorn.Server(config).run(sockets=[listener])


@contextmanager
def _vault(settings: Settings) -> Iterator[Child]:
    content = [] if settings.content is None else ["--content", str(settings.content)]
    engine = ["--cage-engine", settings.cage_engine]
    limits = ["--score-seconds", str(settings.vault_score_seconds)]
    sources = [] if settings.sources is None else ["--sources", str(settings.sources)]
    times = ["--snapshot-times", settings.snapshot_times]
    words = ["--home", str(settings.home), *content, *sources, *engine, *limits, *times]
    child = Child("saferoom.vault", words)
    child.start()
    try:
        yield child
    finally:
        child.stop()


@contextmanager
def _worker(room: Room, settings: Settings) -> Iterator[None]:
    from saferoom.worker.loop import run  # noqa: PLC0415  # the room's packages, only when asked

    stop = threading.Event()
    pause = settings.worker_interval_ms / 1000
    thread = threading.Thread(target=run, args=(room, stop, pause), name="worker")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _leave(*_: object) -> NoReturn:
    """End by unwinding: uvicorn raises the signal again once it has stopped."""
    raise SystemExit(0)
