from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from cli import serving
from cli.rights import RefusedToStart

if TYPE_CHECKING:
    from collections.abc import Callable


class SlowApp:
    """An ASGI application that answers after a while, and counts how often it was begun and ended."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.lives: list[str] = []
        self.asked = asyncio.Event()

    def drain(self) -> None:
        self.lives.append("drain")

    async def __call__(self, scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        if scope["type"] == "lifespan":
            for _ in range(2):
                message = (await receive())["type"]
                self.lives.append(message)
                await send({"type": f"{message}.complete"})
            return
        self.asked.set()
        await asyncio.sleep(self.seconds)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


async def test_a_request_under_way_is_answered_before_the_end() -> None:
    app, stopping, listens = SlowApp(0.5), asyncio.Event(), asyncio.Event()
    listening = serving.bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks, httpx2.AsyncClient() as client:
        served = tasks.create_task(serving.answer(serving.Server(app, listens.set), listening, stopping))
        await listens.wait()
        request = tasks.create_task(client.get(f"http://127.0.0.1:{port}/"))
        await app.asked.wait()
        stopping.set()
        assert (await request).text == "done"
        await served
        with pytest.raises(httpx2.ConnectError):
            await client.get(f"http://127.0.0.1:{port}/")
    assert app.lives == ["lifespan.startup", "drain", "lifespan.shutdown"]


async def test_a_request_that_does_not_end_cannot_hold_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "DRAIN", 1)
    app, stopping, listens = SlowApp(3600), asyncio.Event(), asyncio.Event()
    listening = serving.bound("127.0.0.1", 0)
    port = listening.getsockname()[1]
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks, httpx2.AsyncClient(timeout=None) as client:
        served = tasks.create_task(serving.answer(serving.Server(app, listens.set), listening, stopping))
        await listens.wait()
        request = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/"))
        await app.asked.wait()
        began = time.monotonic()
        stopping.set()
        await served
        assert time.monotonic() - began < 10
        assert (await request).status_code == 500


def test_a_port_that_is_taken_is_refused() -> None:
    with serving.bound("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(RefusedToStart, match=rf"Cannot listen on 127.0.0.1:{port}: .* Choose another with --port."):
            serving.bound("127.0.0.1", port)
