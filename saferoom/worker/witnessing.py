"""Who asks the witnesses, so that a slow one holds nobody up?

A thread for each, who comes and goes with the trust file: it looks ten times a second whether
its witness is due. A thread outlives every fault, as the loop does, and says each kind once.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from saferoom.app import trusting, witnessing
from saferoom.app.context import Room
from saferoom.errors import SaferoomError
from saferoom.ports import Witness

LOOK_SECONDS = 0.1
_log = structlog.get_logger("saferoom.worker")


@contextmanager
def asking(room: Room) -> Iterator[None]:
    """Ask every witness for as long as this lasts, also those that come meanwhile."""
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_asking, args=(room, stop), name="ask witnesses")
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _keep_asking(room: Room, stop: threading.Event) -> None:
    """Start a thread for whoever is a witness now, and end those of who is none."""
    running: dict[int, tuple[threading.Thread, threading.Event]] = {}
    asked: tuple[Witness, ...] = room.witnesses
    while True:
        asked = () if stop.is_set() else _wanted(room, asked)
        for witness in asked:
            if id(witness) not in running:
                end = threading.Event()
                thread = threading.Thread(target=ask, args=(room, witness, end))
                running[id(witness)] = (thread, end)
                thread.start()
        wanted = {id(witness) for witness in asked}
        gone = [running.pop(one) for one in tuple(running) if one not in wanted]
        for _, end in gone:
            end.set()
        for thread, _ in gone:
            thread.join()
        if stop.wait(LOOK_SECONDS) and not running:
            return


def _wanted(room: Room, before: tuple[Witness, ...]) -> tuple[Witness, ...]:
    """Say who is asked now; where that cannot be read, whoever was asked before."""
    trust = trusting.current(room)
    if room.find_witnesses is None or trust is None:
        return room.witnesses
    try:
        return tuple(room.find_witnesses(trust))
    except (SaferoomError, OSError):  # the file of addresses is being changed
        return before


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
