"""How does someone who waits see that it goes on? Only once it has taken a second."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rich.console import Console
from rich.progress import Progress

T = TypeVar("T")
PATIENCE_SECONDS = 1.0


def track(items: Sequence[T], title: str) -> Iterator[T]:
    """Yield the items; from the first second on, with a bar on standard error."""
    started = time.monotonic()
    bar: Progress | None = None
    try:
        for done, item in enumerate(items):
            if bar is None and time.monotonic() - started > PATIENCE_SECONDS:
                bar = Progress(console=Console(stderr=True), transient=True)
                bar.start()
                bar.add_task(title, total=len(items))
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)
            yield item
    finally:
        if bar is not None:
            bar.stop()
