"""What runs beside the requests, again and again?

One turn: offer waiting entries to the sinks, give them places in the log and publish a
checkpoint, teach the vault what it missed, and have it erase what waits for that. Witnesses are
asked beside it, each by a thread. Each part stands alone, so a vault that is away does not hold
up the log. A turn reads its state anew and may be repeated at any time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

from saferoom.app import (
    archiving,
    erasures,
    idempotency,
    log,
    people,
    posting,
    stamping,
    tailing,
    teaching,
    trusting,
    witnessing,
)
from saferoom.app.context import Room
from saferoom.errors import SaferoomError
from saferoom.worker.witnessing import asking

_log = structlog.get_logger("saferoom.worker")
_SECONDS_BETWEEN_POSTS = 1.0
_TURNS_BETWEEN_SWEEPS = 5_000
GATHER_SECONDS = 0.2  # so long entries gather once one waits: a checkpoint costs several syncs

PARTS: tuple[tuple[str, Callable[[Room], int]], ...] = (
    ("trust", trusting.take),
    ("deliver", log.deliver),
    ("sequence", log.sequence),
    ("tail", tailing.keep_places),
    ("teach", teaching.teach),
    ("erase", erasures.carry_out_waiting),
    ("witnesses", witnessing.warn),
)
# Each with a thread of its own: a mail system, a time stamping authority.
APART: tuple[tuple[str, Callable[[Room], int]], ...] = (
    ("post", posting.post),
    ("stamp", stamping.stamp),
)
SWEEPS: tuple[tuple[str, Callable[[Room], int]], ...] = (
    ("sweep tokens", people.forget_expired_tokens),
    ("sweep retries", idempotency.forget_old),
    ("retention", archiving.keep),
)


def run(room: Room, stop: threading.Event, pause_seconds: float) -> None:
    """Take turns until told to stop, then one last turn so that nothing waits behind."""
    faults: dict[str, str] = {}
    turns = 0
    apart = [
        threading.Thread(target=_keep_doing, args=(room, stop, name, part), name=name)
        for name, part in APART
    ]
    for thread in apart:
        thread.start()
    with asking(room):
        while not stop.is_set():
            turn(room, faults)
            if turns % _TURNS_BETWEEN_SWEEPS == 0:
                sweep(room, faults)
            turns += 1
            if room.wake.wait(pause_seconds):
                stop.wait(GATHER_SECONDS)
            room.wake.clear()
        turn(room, faults)
    for thread in apart:
        thread.join()


def _keep_doing(room: Room, stop: threading.Event, name: str, part: Callable[[Room], int]) -> None:
    """Do one part again and again: whoever hangs outside must not hold up the log."""
    faults: dict[str, str] = {}
    while not stop.is_set():
        _guarded(room, name, part, faults)
        stop.wait(_SECONDS_BETWEEN_POSTS)


def turn(room: Room, faults: dict[str, str]) -> None:
    """Do each part once; `faults` remembers what was said, so that it is said once."""
    for name, part in PARTS:
        _guarded(room, name, part, faults)


def sweep(room: Room, faults: dict[str, str]) -> None:
    """Forget what has ended, now and then."""
    for name, part in SWEEPS:
        _guarded(room, name, part, faults)


def _guarded(room: Room, name: str, part: Callable[[Room], int], faults: dict[str, str]) -> None:
    try:
        part(room)
    except SaferoomError as error:
        _tell(name, error.code, faults)
    except Exception as error:  # noqa: BLE001  # the loop outlives every fault; its class is told
        _tell(name, type(error).__name__, faults)
    else:
        if faults.pop(name, None) is not None:
            _log.info("recovered", part=name)


def _tell(name: str, fault: str, faults: dict[str, str]) -> None:
    if faults.get(name) != fault:
        faults[name] = fault
        _log.warning("failed", part=name, fault=fault)
