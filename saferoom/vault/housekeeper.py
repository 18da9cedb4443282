"""Who does what the vault does of itself?

A thread that now and then publishes what is due by the timetable, or settles what came in. What
goes wrong is told in one word and tried again.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PAUSE_SECONDS = 20.0


@contextmanager
def keeping_house(keep: Callable[[], object], pause: float = PAUSE_SECONDS) -> Iterator[None]:
    """Keep house until the block ends."""
    stop = threading.Event()
    thread = threading.Thread(target=_run, args=(keep, stop, pause), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=pause)


def _run(keep: Callable[[], object], stop: threading.Event, pause: float) -> None:
    while not stop.wait(pause):
        try:
            keep()
        except Exception as error:  # noqa: BLE001  # the loop outlives every fault; its class is told
            os.write(2, f"vault: housekeeping: {type(error).__name__}\n".encode())
