from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2
import orjson
import pytest

from api import auth
from api.limits import MOST_COST
from api.transport import lifetime, streams
from domain.tenants import actions as tenants
from tests.api.transport.ticking import SECRET, Ticking

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from graphql import GraphQLSchema

    from api.app import Server
    from domain.core.database import Database
    from tests.api.transport.conftest import Token

COMPLETE = ("complete", None)


@pytest.fixture
def ticking() -> Ticking:
    return Ticking()


@pytest.fixture
def schema(ticking: Ticking) -> GraphQLSchema:
    return ticking.schema


@pytest.fixture
async def browser(address: str, token: Token) -> AsyncIterator[httpx2.AsyncClient]:
    headers = {**token.headers, "Accept": "text/event-stream"}
    async with httpx2.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=5) as opened:
        yield opened


def events(text: str) -> list[tuple[str, Any]]:
    """What a whole stream said, comments left out."""
    found = []
    for block in text.removesuffix("\n\n").split("\n\n"):
        if not block.startswith(":"):
            name, data = block.split("\n")
            content = data.removeprefix("data:").strip()
            found.append((name.removeprefix("event: "), orjson.loads(content) if content else None))
    return found


async def asked(browser: httpx2.AsyncClient, query: str, **more: Any) -> httpx2.Response:
    return await browser.post("/graphql", json={"query": query, **more})


async def test_events_come_until_the_last(browser: httpx2.AsyncClient, ticking: Ticking) -> None:
    response = await asked(browser, "subscription { ticks(to: 2) }")
    assert (response.status_code, response.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert response.headers["cache-control"] == "no-store"
    assert events(response.text) == [("next", {"data": {"ticks": 1}}), ("next", {"data": {"ticks": 2}}), COMPLETE]
    assert ticking.under_way == 0


async def test_operations_come_by_get_and_queries_are_answered_too(browser: httpx2.AsyncClient) -> None:
    response = await browser.get("/graphql", params={"query": "subscription { ticks(to: 1) }"})
    assert events(response.text) == [("next", {"data": {"ticks": 1}}), COMPLETE]
    response = await asked(browser, "{ customers(first: 1) { totalCount } }")
    assert events(response.text) == [("next", {"data": {"customers": {"totalCount": 0}}}), COMPLETE]
    response = await browser.post("/graphql", json={"query": "{ __typename }"}, headers={"X-Cost": "1"})
    costs = {"data": {"__typename": "Query"}, "extensions": {"cost": {"requested": 1, "limit": MOST_COST}}}
    assert events(response.text) == [("next", costs), COMPLETE]


async def test_what_graphql_refuses_is_told_in_the_stream(browser: httpx2.AsyncClient) -> None:
    for query, code in (("{", "GRAPHQL_PARSE_FAILED"), ("{ nothing }", "GRAPHQL_VALIDATION_FAILED")):
        response = await asked(browser, query)
        (first, document), last = events(response.text)
        assert (response.status_code, first, last) == (200, "next", COMPLETE)
        assert [error["extensions"]["code"] for error in document["errors"]] == [code]


async def test_what_is_no_request_is_refused_as_ever(browser: httpx2.AsyncClient) -> None:
    response = await browser.post("/graphql", json=[])
    assert (response.status_code, response.headers["content-type"]) == (400, "application/json; charset=utf-8")
    response = await browser.post("/graphql", json={"query": "{ __typename }"}, headers={"Authorization": "Bearer x"})
    assert response.status_code == 401


async def test_what_fails_unexpectedly_is_masked(browser: httpx2.AsyncClient) -> None:
    response = await asked(browser, "subscription { ticks(to: -1) }")
    (first, document), last = events(response.text)
    assert (first, last) == ("next", COMPLETE)
    assert document["errors"][0]["extensions"] == {
        "code": "INTERNAL_SERVER_ERROR",
        "requestId": response.headers["x-request-id"],
    }
    assert SECRET not in response.text


async def test_a_quiet_stream_shows_that_it_lives(
    browser: httpx2.AsyncClient, ticking: Ticking, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "ALIVE_EVERY", 0.01)
    async with browser.stream("POST", "/graphql", json={"query": "subscription { ticks(to: 0) }"}) as response:
        assert await anext(response.aiter_raw()) == b":\n\n"
        assert ticking.under_way == 1
    await ticking.until(0)


async def test_a_token_that_ends_ends_its_stream(
    database: Database, browser: httpx2.AsyncClient, token: Token, ticking: Ticking, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(lifetime, "RECHECKED_EVERY", 0.02)
    monkeypatch.setattr(auth, "BELIEVED", timedelta(0))
    async with browser.stream("POST", "/graphql", json={"query": "subscription { ticks(to: 0) }"}) as response:
        await ticking.until(1)
        async with database.unit_of_work(token.tenant) as work:
            await tenants.revoke_token(work, token.id)
        (first, document), last = events((await response.aread()).decode())
    assert (first, document["errors"][0]["extensions"]["code"], last) == ("next", "UNAUTHENTICATED", COMPLETE)
    assert ticking.under_way == 0


async def test_a_server_that_stops_ends_its_streams(browser: httpx2.AsyncClient, ticking: Ticking, app: Server) -> None:
    async with browser.stream("POST", "/graphql", json={"query": "subscription { ticks(to: 0) }"}) as response:
        await ticking.until(1)
        app.drain()
        assert await response.aread() == b""  # and no `complete`: a client asks another server to go on
    await ticking.until(0)
