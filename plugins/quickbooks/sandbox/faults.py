"""Everything that can go wrong between two systems, as switches; all are off."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HTML = b"<!DOCTYPE html><html><body><h1>We are sorry, something went wrong</h1></body></html>"


@dataclass(frozen=True)
class Call:
    """A call that was carried out, as a fault's own judge sees it."""

    method: str
    path: str
    query: str
    status: int


@dataclass
class Faults:
    """A number says how many of the next calls are hit; a probability hits calls by the sandbox's own dice."""

    only: str = "/v3/"
    """What a path must contain to be hit."""
    expire_after: int | None = None
    """An access token dies after so many calls."""
    throttled: int = 0
    """Answered with 429 before anything happens."""
    retry_after: str | None = None
    """The Retry-After header of such an answer, seconds or a date; the vendor documents none."""
    errors: int = 0
    """Answered with 500 before anything happens."""
    truncated: int = 0
    """Carried out, but half of the answer's JSON is missing."""
    html: int = 0
    """Carried out, but answered with a page of HTML."""
    html_status: int = 200
    lost: float = 0.0
    """The connection breaks before anything happens."""
    dropped: float = 0.0
    """Carried out, but the connection breaks before the answer arrives."""
    drop: Callable[[Call], bool] | None = None
    """Decides for each call that was carried out whether its answer is dropped."""
    delay: float = 0.0
    """Seconds that every answer takes."""
    duplicate_rows: int = 0
    """Pages on which the first row comes again at the end."""
    moving_rows: int = 0
    """So many rows of a page in order of change are changed once it was read, and so move behind the last page."""
    webhook_duplicates: int = 0
    """Notifications that are sent twice."""
    webhook_reorder: bool = False
    """Every change is told in a notification of its own, in any order."""
    webhook_wrong_signatures: int = 0
    """Attempts that are signed with another token."""

    def take(self, name: str) -> bool:
        """Whether the next one is hit; then one less is left to hit."""
        left: int = getattr(self, name)
        if left > 0:
            setattr(self, name, left - 1)
        return left > 0


class FaultyReplies:
    """Lets the answers of an app arrive late, mutilated or not at all.

    A broken connection is a ConnectionResetError out of the app: a server cuts the connection in the middle of the
    answer, and an in-process client sees the error itself.
    """

    def __init__(self, app: ASGIApp, faults: Faults, random: Random) -> None:
        self._app = app
        self._faults = faults
        self._random = random

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One call."""
        if scope["type"] != "http" or self._faults.only not in scope["path"]:
            await self._app(scope, receive, send)
            return
        if self._random.random() < self._faults.lost:
            await _break(send)
        reply = _Reply()
        await self._app(scope, receive, reply.keep)
        if self._faults.delay:
            await asyncio.sleep(self._faults.delay)
        call = Call(scope["method"], scope["path"], scope["query_string"].decode(), reply.status)
        if self._random.random() < self._faults.dropped or (self._faults.drop and self._faults.drop(call)):
            await _break(send)
        if self._faults.take("html"):
            reply.replace(self._faults.html_status, b"text/html", HTML)
        elif self._faults.take("truncated"):
            reply.replace(reply.status, b"application/json", reply.body[: len(reply.body) // 2])
        await reply.pass_on(send)


class _Reply:
    """An answer, held back."""

    def __init__(self) -> None:
        self.status = 500
        self.body = b""
        self._headers: list[tuple[bytes, bytes]] = []

    async def keep(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._headers = list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def replace(self, status: int, content_type: bytes, body: bytes) -> None:
        kept = [(name, value) for name, value in self._headers if name not in {b"content-type", b"content-length"}]
        self._headers = [*kept, (b"content-type", content_type), (b"content-length", str(len(body)).encode())]
        self.status, self.body = status, body

    async def pass_on(self, send: Send) -> None:
        start: dict[str, Any] = {"type": "http.response.start", "status": self.status, "headers": self._headers}
        await send(start)
        await send({"type": "http.response.body", "body": self.body})


async def _break(send: Send) -> None:
    """Begin an answer that is never finished."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000000")]})
    await send({"type": "http.response.body", "body": b"{", "more_body": True})
    raise ConnectionResetError("the sandbox dropped the connection")
