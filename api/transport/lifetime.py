"""How long an open connection may stay: until its client leaves, its token ends, or the server does."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from api.auth import Authenticator
from api.problems import Unauthenticated
from api.transport.asgi import Disconnected, Receive

log = structlog.get_logger()

RECHECKED_EVERY = 15.0
"""Seconds between two looks at the token of an open connection; with what is believed meanwhile less than 30."""


class GoElsewhere(Exception):
    """This server cannot go on with a connection; its client opens another one."""


async def first_of(*endings: Coroutine[Any, Any, Exception]) -> Exception:
    """The reason of the first ending that comes."""
    tasks = [asyncio.create_task(ending) for ending in endings]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        for task in tasks:
            task.cancel()


async def token_refused(authenticator: Authenticator, authorization: bytes) -> Unauthenticated | GoElsewhere:
    """Comes when a token is refused that was good, or cannot be checked any more."""
    while True:
        await asyncio.sleep(RECHECKED_EVERY)
        try:
            await authenticator.identify(authorization)
        except Unauthenticated as refused:
            return refused
        except (SQLAlchemyError, OSError) as failed:
            log.warning("tokens.not_checked", error=type(failed).__name__)
            return GoElsewhere()


async def server_drained(draining: asyncio.Event) -> GoElsewhere:
    """Comes when the server takes no more requests."""
    await draining.wait()
    return GoElsewhere()


async def client_left(receive: Receive) -> Disconnected:
    """Comes when the client of a response closes the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass
    return Disconnected()
