"""Sending an operation to the API, and what it answers."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import orjson

from cli import terminal
from domain.core.problems import Invalid, NotAllowed, NotFound

if TYPE_CHECKING:
    from domain.core.settings import Settings

DEMO_TOKEN = Path("var/demo/token")


class NoToken(NotAllowed):
    """A token is needed. Give --token or TENURE_TOKEN; `tenure tokens create` issues one."""


class BadVariables(Invalid):
    """The variables are no JSON object. Write them as '{"first": 10}'."""


class NoAnswer(NotFound):
    """No server answers there."""


def operation(text: str | None, file: Path | None) -> str:
    """The operation from the argument, a file or, without both or with `-`, from stdin. Raises Invalid."""
    if text is not None and text != "-":
        return text
    if file is None:
        return sys.stdin.read()
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as unreadable:
        raise Invalid(f"{file} cannot be read: {unreadable}.") from unreadable


def variables(text: str | None) -> dict[str, Any]:
    """Variables from JSON. Raises BadVariables."""
    try:
        read = orjson.loads(text or "{}")
    except orjson.JSONDecodeError as wrong:
        raise BadVariables from wrong
    if not isinstance(read, dict):
        raise BadVariables
    return read


def token(given: str | None) -> str:
    """The token that was given, or the demo's. Raises NoToken."""
    if given:
        return given
    if DEMO_TOKEN.exists():
        return DEMO_TOKEN.read_text(encoding="ascii").strip()
    raise NoToken


async def ask(settings: Settings, url: str | None, bearer: str, request: dict[str, Any]) -> dict[str, Any]:
    """The answer of a running server or, without its address, of the API in this process. Raises NoAnswer."""
    if url is not None:
        return await _post(httpx2.AsyncHTTPTransport(), url.rstrip("/"), bearer, request)
    from api.app import create_app

    async with terminal.opened(settings) as database:
        app = create_app(settings, database)
        async with app.router.lifespan_context(app):
            return await _post(httpx2.ASGITransport(app), "http://localhost", bearer, request)


async def _post(transport: httpx2.AsyncBaseTransport, url: str, bearer: str, request: dict[str, Any]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/graphql-response+json"}
    try:
        async with httpx2.AsyncClient(transport=transport, headers=headers, timeout=60) as client:
            response = await client.post(f"{url}/graphql", json=request)
            answer = orjson.loads(response.content)
    except (httpx2.HTTPError, httpx2.InvalidURL) as failed:
        raise NoAnswer(f"No server answers at {url}: {failed or type(failed).__name__}.") from failed
    except orjson.JSONDecodeError as wrong:
        raise NoAnswer(f"{url}/graphql answers {response.status_code}, and no JSON.") from wrong
    return dict(answer)
