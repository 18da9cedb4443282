"""How does another program of ours stay up beside the API?

One thread starts it, waits for its end and starts it again, a little later each time it
dies young. The thread outlives every child on purpose: the leash is tied to it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence

PAUSES = (0.05, 0.2, 1.0, 5.0)  # seconds before a start again, when it dies young
GROWN_UP_SECONDS = 10.0
GRACE_SECONDS = 5.0


class Child:
    """A supervised process: `python -m MODULE ARGUMENTS`."""

    def __init__(
        self, module: str, arguments: Sequence[str], environment: Mapping[str, str] | None = None
    ) -> None:
        self._command = [
            sys.executable,
            "-m",
            "saferoom.cli.leash",
            str(os.getpid()),
            sys.executable,
            "-m",
            module,
            *arguments,
        ]
        self._environment = dict(os.environ if environment is None else environment)
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._supervise, name=module, daemon=True)
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Name the process that runs now."""
        process = self._process
        return None if process is None or process.poll() is not None else process.pid

    def start(self) -> None:
        """Start it and keep it up."""
        self._thread.start()

    def stop(self) -> None:
        """End it, kindly and then not."""
        with self._lock:
            self._stopping.set()
            process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
        if self._thread.is_alive():
            self._thread.join(GRACE_SECONDS)

    def _supervise(self) -> None:
        young = 0
        while True:
            started = time.monotonic()
            process = self._spawn()
            if process is None:
                return
            process.wait()
            young = 0 if time.monotonic() - started > GROWN_UP_SECONDS else young + 1
            if self._stopping.wait(PAUSES[min(young, len(PAUSES) - 1)]):
                return

    def _spawn(self) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopping.is_set():
                return None
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=2,  # ours is for what a command answers
                env=self._environment,
                close_fds=True,
            )
            self.starts += 1
            return self._process
