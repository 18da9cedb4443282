"""How is the worker's loop run alone, beside an API that does not run it?"""

from __future__ import annotations

import signal
import threading

from saferoom.cli.home import only_one
from saferoom.cli.options import DEFAULT_HOME, AsJson, Home


def worker(*, home: Home = DEFAULT_HOME, as_json: AsJson = False) -> None:
    """Sequence the log and deliver entries until told to stop."""
    from saferoom import wiring  # noqa: PLC0415  # the room's packages, only when asked
    from saferoom.api.logs import configure  # noqa: PLC0415  # as above
    from saferoom.settings import read_settings  # noqa: PLC0415  # as above
    from saferoom.worker.loop import run  # noqa: PLC0415  # as above

    del as_json  # its log lines are JSON anyway
    configure()
    wiring.check_version(home)
    settings = read_settings(home=home)
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with only_one(home, "worker"), wiring.open_room(settings, "worker") as room:
        run(room, stop, settings.worker_interval_ms / 1000)
