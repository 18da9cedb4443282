"""How does a child end when its parent is killed and cannot say so?

Linux kills it (prctl, PR_SET_PDEATHSIG; it survives the exec that follows). Not SIGTERM: a
child that ends in its own time still holds the home when the next room asks for it, and what
it worked on has nobody left to answer.
Run as `python -m saferoom.cli.leash PARENT PROGRAM …`; a parent that is gone already is
noticed by its id.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Tie this process to its parent, then become the program."""
    parent, *program = arguments
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit(0)
    os.execv(program[0], program)  # noqa: S606  # no shell, our own interpreter


if __name__ == "__main__":
    main(sys.argv[1:])
