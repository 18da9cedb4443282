"""Did each step of the story really happen, and what left the room by it?

A step is a function that acts through the room's doors and checks the effect; what it
cannot show did not happen. A refusal that the story expects must come with its code.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.table import Table

from saferoom.canonical import Json
from saferoom.errors import SaferoomError


class NotHappened(Exception):
    """A step of the story had no effect, or another than it should have."""


@dataclass
class Told:
    """What a step has to tell."""

    text: str
    released: int = 0
    refused: int = 0
    charged_mbit: int = 0
    code: str = ""


@dataclass(frozen=True)
class Done:
    """One step that happened."""

    number: int
    title: str
    told: Told
    seconds: float

    def to_json(self) -> dict[str, Json]:
        """Render for programs; seconds in whole milliseconds."""
        return {
            "step": self.number,
            "title": self.title,
            "ok": True,
            "told": self.told.text,
            "released": self.told.released,
            "refused": self.told.refused,
            "code": self.told.code,
            "charged_mbit": self.told.charged_mbit,
            "milliseconds": round(self.seconds * 1000),
        }


@dataclass
class Play:
    """Runs steps in order and remembers them."""

    quiet: bool = False
    done: list[Done] = field(default_factory=list)

    def step(self, title: str, act: Callable[[], Told]) -> None:
        """Do one step; anything but its success ends the story."""
        started = time.perf_counter()
        try:
            told = act()
        except SaferoomError as error:
            raise NotHappened(f"{title}: {error}") from error
        except NotHappened as error:
            raise NotHappened(f"{title}: {error}") from error
        self.done.append(Done(len(self.done) + 1, title, told, time.perf_counter() - started))
        if not self.quiet:
            Console(stderr=True).print(f"  {len(self.done):2d}. {title}", highlight=False)

    def table(self) -> Table:
        """Show what happened, and what was released, refused and charged."""
        table = Table(title="What happened", title_justify="left", expand=False)
        table.add_column("#", justify="right")
        table.add_column("step")
        table.add_column("what the room did")
        for name in ("released", "refused", "bits", "s"):
            table.add_column(name, justify="right")
        for done in self.done:
            told = done.told
            table.add_row(
                str(done.number),
                done.title,
                f"{told.code}: {told.text}" if told.code else told.text,
                str(told.released or ""),
                str(told.refused or ""),
                f"{told.charged_mbit / 1000:g}" if told.charged_mbit else "",
                f"{done.seconds:.1f}",
            )
        return table


def check(holds: bool, what: str) -> None:  # noqa: FBT001  # reads as: check that it holds
    """End the story where something did not happen."""
    if not holds:
        raise NotHappened(what)


@contextmanager
def refused_with(*codes: str) -> Iterator[list[str]]:
    """Expect a refusal; the codes that came are put into the list."""
    came: list[str] = []
    try:
        yield came
    except SaferoomError as error:
        check(error.code in codes, f"refused with {error.code}, not {' or '.join(codes)}")
        came.append(error.code)
        return
    raise NotHappened(f"was not refused with {' or '.join(codes)}")
