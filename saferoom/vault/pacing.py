"""What does the time of an evaluation tell?

A grade is charged in bits; how long it took is not. So a form is shallow
(`scoring/form.py`), and an evaluation ends only on a whole number of quanta after its start,
whether it gave grades or failed. One enterprise's evaluation fits in the first quantum or
two, so what is left to see is how often a request needs one more.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

# A single row through the largest form takes about 2 ms: most requests of one enterprise end
# with the first quantum, and nobody who asks for a grade waits noticeably longer.
QUANTUM_SECONDS = 0.005


@contextmanager
def paced(
    clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> Iterator[None]:
    """Let the block end at a multiple of the quantum after its start."""
    started = clock()
    try:
        yield
    finally:
        sleep(rest(clock() - started))


def rest(spent_seconds: float) -> float:
    """Return how long until the next multiple."""
    return -spent_seconds % QUANTUM_SECONDS
