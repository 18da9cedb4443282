"""How does the room write its log lines? One JSON object each, to standard error.

Only names and numbers that our own code chose: no body, no path as typed, no token. What
libraries say about single requests is left out, because it could hold any of those.
"""

from __future__ import annotations

import logging
import sys

import structlog


def configure() -> None:
    """Set up this process's log; called by the programs' mains."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            structlog.processors.JSONRenderer(),
        ],
        # Standard error as it is when the line is written: a kept one may be closed by then.
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, force=True)
