"""How long an open connection may stay: until its client leaves, its token ends, or the server does."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from api.auth import Authenticator
from api.problems import Unauthenticated
from api.transport.asgi import Disconnected, Receive

RECHECKED_EVERY = 15.0
"""Seconds between two looks at the token of an open connection; with what is believed meanwhile less than 30."""


class Draining(Exception):
    """The server takes no more requests and ends what has no end of its own."""


async def first_of(*endings: Coroutine[Any, Any, Exception]) -> Exception:
    """The reason of the first ending that comes."""
    tasks = [asyncio.create_task(ending) for ending in endings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()


async def token_refused(authenticator: Authenticator, authorization: bytes) -> Unauthenticated:
    """Comes when a token is refused that was good."""
    while True:
        await asyncio.sleep(RECHECKED_EVERY)
        try:
            await authenticator.identify(authorization)
        except Unauthenticated as refused:
            return refused


async def server_drained(draining: asyncio.Event) -> Draining:
    """Comes when the server takes no more requests."""
    await draining.wait()
    return Draining()


async def client_left(receive: Receive) -> Disconnected:
    """Comes when the client of a response closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return Disconnected()
