"""Which side of the door is this?

`worker …` is what the host starts; `--self-test [ENGINE]` starts a cage and prints what
it proved.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Choose; each side imports only its own half."""
    match arguments:
        case ["worker", *rest]:
            from saferoom.cage import worker  # noqa: PLC0415  # the host's half stays out

            return worker.main(rest)
        case ["--self-test", *engine] if len(engine) <= 1:
            return _self_test(*engine)
        case _:
            print("usage: python -m saferoom.cage --self-test [ENGINE]", file=sys.stderr)  # noqa: T201
            return 2


def _self_test(engine: str = "auto") -> int:
    """Print each effect and how it failed; exit 0 only for a sound cage."""
    from saferoom.cage.host import Cage  # noqa: PLC0415  # the worker's half stays out
    from saferoom.errors import SaferoomError  # noqa: PLC0415

    try:
        with Cage.start(engine=engine) as cage:
            answer = {
                "ok": True,
                "engine": cage.engine,
                "effects": cage.report,
                "protections": cage.protections,
            }
    except SaferoomError as error:
        answer = {"ok": False, "code": error.code, "sentence": error.sentence}
    print(json.dumps(answer, indent=2))  # noqa: T201  # it is a report
    return 0 if answer["ok"] else 8


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
