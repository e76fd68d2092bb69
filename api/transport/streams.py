"""Operations over server-sent events: the protocol graphql-sse, one connection for each operation."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from api.engine import encode
from api.problems import RequestRefused
from api.transport.asgi import Disconnected, Headers, Send
from api.transport.intake import masked
from api.transport.negotiation import STREAM

ALIVE_EVERY = 12.0
"""Seconds after which a comment tells proxies that a quiet stream still lives."""

_HEADERS: Headers = [
    (b"content-type", f"{STREAM}; charset=utf-8".encode()),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]

Documents = AsyncGenerator[dict[str, Any]]


async def stream(
    send: Send, headers: Headers, documents: Documents, ended: "asyncio.Task[Exception]", request_id: str
) -> None:
    """Send every document as it comes, until the last one or until the connection ends for another reason."""
    await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, *headers]})
    async with aclosing(_guarded(documents, request_id)) as guarded:
        reason = await _pass_on(send, guarded, ended)
    if isinstance(reason, Disconnected):
        return
    if isinstance(reason, RequestRefused):
        await _write(send, _next({"errors": reason.errors()}))
    if reason is None or isinstance(reason, RequestRefused):
        await _write(send, b"event: complete\ndata:\n\n")
    await send({"type": "http.response.body", "body": b""})


async def only(document: dict[str, Any]) -> Documents:
    """A stream of one document."""
    yield document


async def _pass_on(send: Send, documents: Documents, ended: "asyncio.Task[Exception]") -> Exception | None:
    """Send documents; returns why the connection ended before the last one, or None."""
    upcoming = asyncio.create_task(_upcoming(documents))
    try:
        while True:
            await asyncio.wait({upcoming, ended}, timeout=ALIVE_EVERY, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                return ended.result()
            if not upcoming.done():
                await _write(send, b":\n\n")
                continue
            document = upcoming.result()
            if document is None:
                return None
            await _write(send, _next(document))
            upcoming = asyncio.create_task(_upcoming(documents))
    finally:
        upcoming.cancel()
        await asyncio.wait({upcoming})


async def _guarded(documents: Documents, request_id: str) -> Documents:
    """The same documents, and one that tells of a failure instead of the failure."""
    try:
        async with aclosing(documents):
            async for document in documents:
                yield document
    except RequestRefused as refused:
        yield {"errors": refused.errors()}
    except Exception as failed:  # noqa: BLE001 - whatever it is, the client learns a number and nothing else
        yield masked(failed, request_id)


async def _upcoming(documents: Documents) -> dict[str, Any] | None:
    return await anext(documents, None)


def _next(document: dict[str, Any]) -> bytes:
    return b"event: next\ndata: " + encode(document) + b"\n\n"


async def _write(send: Send, event: bytes) -> None:
    await send({"type": "http.response.body", "body": event, "more_body": True})
