"""Who asks the witnesses, so that a slow one holds nobody up?

A thread for each: it looks ten times a second whether its witness is due. A thread outlives
every fault, as the loop does, and says each kind once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from saferoom.app import witnessing
from saferoom.app.context import Room
from saferoom.errors import SaferoomError
from saferoom.ports import Witness

LOOK_SECONDS = 0.1
_log = structlog.get_logger("saferoom.worker")


@contextmanager
def asking(room: Room) -> Iterator[None]:
    """Ask every witness for as long as this lasts."""
    stop = threading.Event()
    threads = [
        threading.Thread(target=ask, args=(room, witness, stop), name=f"ask {witness.name}")
        for witness in room.witnesses
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def ask(room: Room, witness: Witness, stop: threading.Event) -> None:
    """Ask one witness again and again."""
    fault = ""
    while not stop.is_set():
        fault = _ask_once(room, witness, fault)
        stop.wait(LOOK_SECONDS)


def _ask_once(room: Room, witness: Witness, fault: str) -> str:
    try:
        asked = witnessing.ask(room, witness)
    except SaferoomError as error:
        found = error.code
    except Exception as error:  # noqa: BLE001  # the thread outlives every fault; its class is told
        found = type(error).__name__
    else:
        if asked and fault:
            _log.info("recovered", part=f"witness {witness.name}")
        return "" if asked else fault
    if found != fault:
        _log.warning("failed", part=f"witness {witness.name}", fault=found)
    return found
