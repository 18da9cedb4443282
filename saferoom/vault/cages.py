"""Which cage evaluates this version, and is it warm already?

A cage holds one model, so it serves one bank. A few stay warm, the least recently used is
closed first; one request uses a cage at a time, and who would wait too long is told to come
back. One more waits started and empty, so that
the sample of a request does not wait for a start.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from saferoom.cage.host import Cage, CageFault
from saferoom.canonical import Digest
from saferoom.errors import Unavailable

MOST_WARM = 3


@dataclass(frozen=True)
class Model:
    """What is loaded into a cage: unsealed just for it."""

    version: Digest
    features: tuple[str, ...]
    grades: int
    open: Callable[[], bytes]  # unseals the artefact


@dataclass
class _Warm:
    lock: threading.Lock = field(default_factory=threading.Lock)
    cage: Cage | None = None


class Cages:
    """The few cages of this vault."""

    def __init__(self, start: Callable[[], Cage]) -> None:
        """Start the spare one now: where no cage holds, no vault starts."""
        self._start = start
        self._lock = threading.Lock()
        self._warm: OrderedDict[Digest, _Warm] = OrderedDict()
        self._spare: Cage | None = start()
        self._closed = False

    @contextmanager
    def warm(self, model: Model, seconds: float) -> Iterator[Cage]:
        """Lend the version's own cage once it is free; a fault ends it."""
        with self._lock:
            place = self._warm.setdefault(model.version, _Warm())
            self._warm.move_to_end(model.version)
            leaving = [] if len(self._warm) <= MOST_WARM else [self._warm.popitem(last=False)[1]]
        for one in leaving:
            self._empty(one)
        if not place.lock.acquire(timeout=max(0.0, seconds)):
            raise Unavailable("VAULT_BUSY", "other requests of this version")
        try:
            if place.cage is None:
                place.cage = self._loaded(model)
            yield place.cage
        except CageFault:
            _close(place.cage)
            place.cage = None
            raise
        finally:
            self._drop_if_gone(model.version, place)
            place.lock.release()

    @contextmanager
    def fresh(self, model: Model) -> Iterator[Cage]:
        """Lend a cage that has seen no row, and end it afterwards."""
        cage = self._loaded(model)
        try:
            yield cage
        finally:
            cage.close()

    @contextmanager
    def empty(self) -> Iterator[Cage]:
        """Lend a cage without a model, to read a submitted one in."""
        cage = self._take()
        try:
            yield cage
        finally:
            cage.close()

    def close(self) -> None:
        """End them all."""
        with self._lock:
            self._closed = True
            places, self._warm = list(self._warm.values()), OrderedDict()
            spare, self._spare = self._spare, None
        _close(spare)
        for place in places:
            self._empty(place)

    def _loaded(self, model: Model) -> Cage:
        cage = self._take()
        try:
            cage.load(model.open(), model.features, model.grades)
        except BaseException:
            cage.close()
            raise
        return cage

    def _take(self) -> Cage:
        with self._lock:
            cage, self._spare = self._spare, None
        if cage is None:
            return self._start()
        threading.Thread(target=self._refill, name="cage-spare", daemon=True).start()
        return cage

    def _refill(self) -> None:
        try:
            cage = self._start()
        except Exception:  # noqa: BLE001  # a worker thread: the next `_take` starts its own and says why
            return
        with self._lock:
            wanted = self._spare is None and not self._closed
            if wanted:
                self._spare = cage
        if not wanted:
            cage.close()

    def _empty(self, place: _Warm) -> None:
        with place.lock:
            _close(place.cage)
            place.cage = None

    def _drop_if_gone(self, version: Digest, place: _Warm) -> None:
        """Close the cage of a place that left the pool while it was lent."""
        with self._lock:
            here = self._warm.get(version) is place
        if not here:
            _close(place.cage)
            place.cage = None


def _close(cage: Cage | None) -> None:
    if cage is not None:
        cage.close()
