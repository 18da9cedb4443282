"""What is counted, so that an operator sees trouble without seeing anyone's data?

Routes as declared, status, codes, time. No party, no enterprise, no version: labels would
be a side channel and an index.
"""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0 as CONTENT_TYPE

from saferoom.api.trace import Trace
from saferoom.app.scores import Result

__all__ = ["CONTENT_TYPE", "Metrics"]


class Metrics:
    """One program's counters; a registry of its own, so that two rooms do not mix."""

    def __init__(self) -> None:
        registry = CollectorRegistry()
        self._registry = registry
        self._requests = Counter(
            "saferoom_requests", "Requests answered", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "saferoom_request_seconds", "Time to answer", ["route"], registry=registry
        )
        self._releases = Counter(
            "saferoom_releases", "Answers released", ["source"], registry=registry
        )
        self._refusals = Counter(
            "saferoom_refusals", "Refusals by code", ["code"], registry=registry
        )

    def observe(self, route: str, trace: Trace, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(route, str(trace.status)).inc()
        self._seconds.labels(route).observe(seconds)
        if trace.refused and trace.code is not None:
            self._refusals.labels(trace.code).inc()

    def count_results(self, results: Iterable[Result]) -> None:
        """Count what one score request released and refused."""
        for result in results:
            if result.code is not None:
                self._refusals.labels(result.code).inc()
            else:
                self._releases.labels("stored" if result.stored else "evaluated").inc()

    def render(self) -> bytes:
        """Write the exposition format."""
        return generate_latest(self._registry)
