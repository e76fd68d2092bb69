from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from sqlalchemy import select

from api.app import create_app
from api.schema import core
from domain.core.settings import Settings
from domain.tenants.model import RateBucket
from tests.api.transport.conftest import Token, issue, post

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from domain.core.clock import FixedClock
    from domain.core.database import Database

COUNT = "{ customers(first: 1) { totalCount } }"  # costs 22


@pytest.fixture
def settings() -> Settings:
    return Settings(budget_per_minute=100)


async def statuses(client: httpx2.AsyncClient, query: str, times: int) -> list[int]:
    return [(await post(client, query)).status_code for _ in range(times)]


async def test_a_spent_budget_says_when_to_come_back(client: httpx2.AsyncClient, clock: FixedClock) -> None:
    assert await statuses(client, COUNT, 4) == [200] * 4
    response = await post(client, COUNT)  # 12 are left, and 100 come in a minute
    assert (response.status_code, response.headers["retry-after"]) == (429, "6")
    assert response.json() == {
        "errors": [
            {
                "message": "The token has spent its budget. Try again in 6 s.",
                "extensions": {"code": "THROTTLED", "retryAfter": 6},
            }
        ]
    }
    clock.move(timedelta(seconds=5))
    assert await statuses(client, COUNT, 1) == [429]
    clock.move(timedelta(seconds=1))
    assert await statuses(client, COUNT, 2) == [200, 429]
    clock.move(timedelta(hours=1))
    assert await statuses(client, COUNT, 5) == [200] * 4 + [429]


async def test_nothing_runs_for_a_spent_budget(client: httpx2.AsyncClient, clock: FixedClock) -> None:
    await statuses(client, COUNT, 4)
    create = 'mutation { createCustomer(input: {name: "Ada"}) { customer { id } } }'
    assert await statuses(client, create, 1) == [429]
    clock.move(timedelta(minutes=1))
    assert (await post(client, COUNT)).json() == {"data": {"customers": {"totalCount": 0}}}


async def test_every_token_has_its_own_budget(
    database: Database, client: httpx2.AsyncClient, client_of: Callable[..., httpx2.AsyncClient], tenant: UUID,
    clock: FixedClock,
) -> None:  # fmt: skip
    other = await issue(database, tenant)
    assert await statuses(client, COUNT, 5) == [200] * 4 + [429]
    async with client_of(**other.headers) as second:
        assert await statuses(second, COUNT, 5) == [200] * 4 + [429]


async def test_all_processes_share_one_budget(
    database: Database, settings: Settings, token: Token, clock: FixedClock
) -> None:
    clients = [
        httpx2.AsyncClient(
            transport=httpx2.ASGITransport(create_app(settings, database, core)),
            base_url="http://tenure",
            headers=token.headers,
        )
        for _ in range(3)
    ]
    answers = await asyncio.gather(*(post(client, COUNT) for client in clients for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200] * 4 + [429] * 8


async def test_most_requests_take_no_statement_for_the_budget(
    database: Database, token: Token, clock: FixedClock
) -> None:
    app = create_app(Settings(budget_per_minute=10_000), database, core)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://tenure", headers=token.headers
    ) as client:
        left = []
        for _ in range(24):
            await post(client, COUNT)
            async with database.reading(token.tenant) as reading:
                left.append(await reading.one(select(RateBucket.remaining).where(RateBucket.tenant_id == token.tenant)))
    assert left == [9_500] * 22 + [9_000] * 2


async def test_what_is_refused_costs_a_little(client: httpx2.AsyncClient, clock: FixedClock) -> None:
    found = await statuses(client, "{", 101)
    assert found == [400] * 100 + [429]


async def test_an_operation_that_no_budget_pays_is_refused(client: httpx2.AsyncClient, clock: FixedClock) -> None:
    response = await post(client, "{ customers(first: 50) { nodes { id } } }")
    assert response.status_code == 400
    assert response.json()["errors"] == [
        {
            "message": "The operation costs 101; a token may spend 100 a minute.",
            "extensions": {"code": "MAX_COST_EXCEEDED", "measure": "cost", "cost": 101, "limit": 100},
        }
    ]


async def test_a_query_tells_the_budget(client: httpx2.AsyncClient, clock: FixedClock) -> None:
    await post(client, COUNT)
    response = await post(client, "{ rateLimit { cost limit remaining resetAt } }", headers={"X-Cost": "1"})
    reset_at = clock.at + timedelta(seconds=60) * 27 / 100
    assert response.json() == {
        "data": {"rateLimit": {"cost": 5, "limit": 100, "remaining": 73, "resetAt": reset_at.isoformat()}},
        "extensions": {"cost": {"requested": 5, "limit": 50_000}},
    }


async def test_a_burst_of_what_nobody_should_ask_is_survived(database: Database, token: Token) -> None:
    nasty = [
        "{" + " ".join(f"a{number}: __typename" for number in range(1_000)) + "}",
        "{ __typename" + " @include(if: true)" * 1_000 + "}",
        "{" + "x {" * 190 + "x" + "}" * 191,
        "{" + "x {" * 5_000,
        "{ ...f0 }" + "".join(f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(60)),
        "{ ...a } fragment a on Query { ...a ...a }",
        "{ x(a: " + "[" * 5_000 + ") }",
        ("{ customers(first: 100) { nodes { timeline(first: 100) { nodes { customer { timeline(first: 100) { nodes"
        " { id } } } } } } } }"),
        "\x00" * 10_000,
        '"' * 10_001,
    ]  # fmt: skip
    app = create_app(Settings(), database, core)
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app), base_url="http://tenure", headers=token.headers
    ) as client:
        answers = await asyncio.gather(*(post(client, query) for query in nasty for _ in range(5)))
        codes = {answer.json()["errors"][0]["extensions"]["code"] for answer in answers}
        assert codes == {"MAX_COST_EXCEEDED", "GRAPHQL_PARSE_FAILED", "GRAPHQL_VALIDATION_FAILED"}
        assert (await post(client, COUNT)).json() == {"data": {"customers": {"totalCount": 0}}}
