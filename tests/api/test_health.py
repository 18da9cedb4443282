"""Are questions of health answered while other routes hold every thread?"""

from __future__ import annotations

import threading

import anyio
import httpx2
import pytest
from fastapi import FastAPI

from saferoom.app import health


def test_health_is_answered_while_no_other_thread_is_free(
    app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    freed = threading.Event()
    monkeypatch.setattr(health, "describe", lambda _: {"held": freed.wait(30)})
    monkeypatch.setattr(health, "parts", lambda _: {"vault": "ready"})

    async def ask() -> list[int]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 1
        transport = httpx2.ASGITransport(app)
        found = []
        async with (
            httpx2.AsyncClient(transport=transport, base_url="http://room") as http,
            anyio.create_task_group() as others,
        ):
            others.start_soon(http.get, "/v1/room")  # takes the only thread there is
            await anyio.sleep(0.05)
            with anyio.move_on_after(10):
                found = [(await http.get(path)).status_code for path in ("/healthz", "/readyz")]
            freed.set()
        return found

    assert anyio.run(ask) == [200, 200]
