"""The line between a connector and a remote side: it counts what passes, and it fails when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from tenure_sdk.http import httpx

if TYPE_CHECKING:
    from tenure_sdk.testing.remote import Clock

Forward: TypeAlias = Callable[[httpx.Request], Awaitable[httpx.Response]]
Fault: TypeAlias = Callable[[httpx.Request, Forward], Awaitable[httpx.Response]]
"""What happens to a request instead of being answered; it may still have it answered."""

READS = frozenset({"GET", "HEAD", "OPTIONS"})


def any_request(_request: httpx.Request) -> bool:
    """Every request."""
    return True


class Wire(httpx.AsyncBaseTransport):
    """Requests of one host on their way to one remote side."""

    def __init__(self, transport: httpx.AsyncBaseTransport, clock: Clock) -> None:
        self.calls: list[httpx.Request] = []
        self.times: list[float] = []
        """When each call was made, in seconds since 1970 by the clock."""
        self.open = 0
        """How many requests are under way: not answered, or their answers not closed."""
        self.most = 0
        """How many were under way at once."""
        self._transport = transport
        self._clock = clock
        self._faults: list[tuple[Fault, Callable[[httpx.Request], bool]]] = []

    @property
    def writes(self) -> list[httpx.Request]:
        """The calls that may change something."""
        return [call for call in self.calls if call.method not in READS]

    def arm(
        self, fault: Fault, *, times: int = 1, after: int = 0, only: Callable[[httpx.Request], bool] = any_request
    ) -> None:
        """Have a fault happen to the next calls, after so many that pass well."""
        passing: list[tuple[Fault, Callable[[httpx.Request], bool]]] = [(answered, only)] * after
        self._faults = passing + [(fault, only)] * times

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request, or not."""
        await request.aread()
        self.calls.append(request)
        self.times.append(self._clock.now().timestamp())
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await asyncio.sleep(0)
            response = await self._fault(request)(request, self._transport.handle_async_request)
            content = await response.aread()
        except BaseException:
            self.open -= 1
            raise
        headers = [pair for pair in response.headers.multi_items() if pair[0] != "content-encoding"]
        return httpx.Response(response.status_code, headers=headers, stream=_Watched(content, self._close))

    def _fault(self, request: httpx.Request) -> Fault:
        for place, (fault, only) in enumerate(self._faults):
            if only(request):
                del self._faults[place]
                return fault
        return answered

    def _close(self) -> None:
        self.open -= 1


class _Watched(httpx.AsyncByteStream):
    def __init__(self, content: bytes, closed: Callable[[], None]) -> None:
        self._content = content
        self._closed: Callable[[], None] | None = closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield self._content

    async def aclose(self) -> None:
        if self._closed is not None:
            self._closed()
            self._closed = None


async def answered(request: httpx.Request, forward: Forward) -> httpx.Response:
    """No fault: the remote side answers."""
    return await forward(request)


def status(code: int, **headers: str) -> Fault:
    """The remote side answers nothing but a status."""

    async def fault(_request: httpx.Request, _forward: Forward) -> httpx.Response:
        return httpx.Response(code, headers={name.replace("_", "-"): value for name, value in headers.items()})

    return fault


async def reset(request: httpx.Request, _forward: Forward) -> httpx.Response:
    """The line breaks before anything was answered."""
    raise httpx.ReadError("connection reset", request=request)


async def slow(request: httpx.Request, _forward: Forward) -> httpx.Response:
    """Nothing comes within the time."""
    raise httpx.ReadTimeout("no answer in time", request=request)


async def lost_reply(request: httpx.Request, forward: Forward) -> httpx.Response:
    """The remote side does what it is asked for, and nobody hears of it."""
    await forward(request)
    raise httpx.ReadError("connection reset", request=request)


async def html(_request: httpx.Request, _forward: Forward) -> httpx.Response:
    """A page for people where data was asked for."""
    return httpx.Response(200, html="<html><body>We will be back soon.</body></html>")


async def cut(_request: httpx.Request, _forward: Forward) -> httpx.Response:
    """The beginning of an answer."""
    return httpx.Response(200, headers={"content-type": "application/json"}, content=b'{"items": [{"id": "')
