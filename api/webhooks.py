"""Where other sides call: webhooks, and browsers that come back from an authorization."""

from html import escape
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from domain.core.database import Database
from domain.core.problems import DomainError, NotFound
from sync.inbox import Doors, NotGenuine, UnknownHook
from sync.registry import UnknownConnector
from sync.switchboard import Switchboard
from tenure_sdk import Delivery, Reply

LARGEST_CALL = 1 << 20
"""Bytes of a call; vendors send less, and what is more is not read."""

_SAFE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class TooLarge(DomainError):
    """This call is larger than any that is expected."""


def routes(database: Database, board: Switchboard) -> list[Route]:
    """The routes of webhooks and of the authorization's callback."""
    doors = Doors(database, board)

    async def of_app(request: Request) -> Response:
        places = request.path_params
        return await _answered(request, lambda call: doors.of_app(places["connector"], places["path"], call))

    async def of_integration(request: Request) -> Response:
        places = request.path_params
        return await _answered(
            request,
            lambda call: doors.of_integration(places["token"], places["path"], call),
            lambda: doors.too_large(places["token"]),
        )

    async def callback(request: Request) -> Response:
        return await _came_back(request, board)

    return [
        Route("/hooks/app/{connector}/{path}", of_app, methods=["POST"]),
        Route("/hooks/{token}/{path}", of_integration, methods=["POST"]),
        Route("/oauth/callback", callback, methods=["GET"]),
    ]


async def _answered(request: Request, keep: Any, tell_too_large: Any = None) -> Response:
    """Keep the call and answer; who may not call learns nothing but that."""
    try:
        try:
            reply: Reply = await keep(await _delivery(request))
        except TooLarge:
            if tell_too_large is not None:
                await tell_too_large()
            return PlainTextResponse("too large", 413)
    except NotGenuine:
        return PlainTextResponse("not genuine", 401)
    except (UnknownHook, UnknownConnector, NotFound):
        return PlainTextResponse("nobody is called here", 404)
    return Response(reply.body, reply.status, {**reply.headers, "Content-Type": reply.content_type})


async def _delivery(request: Request) -> Delivery:
    """The call as it came, its raw body first. Raises TooLarge before the body is read whole."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_CALL:
            raise TooLarge
        parts.append(part)
    database: Database = request.app.engine.database
    return Delivery(
        body=b"".join(parts), headers=dict(request.headers), query=dict(request.query_params), url=str(request.url),
        received_at=database.clock.now(),
    )  # fmt: skip


async def _came_back(request: Request, board: Switchboard) -> Response:
    """Park what the browser brought; who began goes on by `confirmAuthorization`, whoever sits before this browser."""
    brought = dict(request.query_params)
    try:
        parked = await board.authorizations.park(brought.pop("state", ""), brought)
    except DomainError as problem:
        return _page("This did not work", problem.message, 400)
    if not parked.granted:
        return _page("Not authorised", f"Nothing was connected with {parked.label}. Begin again in Tenure.", 200)
    return _page(
        "Almost done",
        f"The authorisation for {parked.label} has arrived. Go back to Tenure, look at the account that it shows, "
        "and confirm it there. You can close this window.",
        200,
    )


def _page(title: str, words: str, status: int) -> HTMLResponse:
    style = "body{font:1.1rem/1.5 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1rem;color:#222}"
    return HTMLResponse(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)} · Tenure</title>'
        f"<style>{style}</style><h1>{escape(title)}</h1><p>{escape(words)}</p></html>",
        status,
        _SAFE,
    )
