"""A broken twin: a witness that answers first and stores a moment later."""

from __future__ import annotations

import sys
import threading
import time

from saferoom.tlog.checkpoint import Note
from saferoom.witness.__main__ import main
from saferoom.witness.home import WitnessHome

_keep = WitnessHome.keep


def keep_later(self: WitnessHome, note: Note) -> None:
    def later() -> None:
        time.sleep(30)  # longer than any machine is slow
        _keep(self, note)

    threading.Thread(target=later, daemon=True).start()


WitnessHome.keep = keep_later  # type: ignore[method-assign]
sys.exit(main())
