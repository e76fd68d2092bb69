"""A server is killed in the middle of mutations; sent again with the same keys, each of them was done exactly once."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import text

from domain.tenants import actions as tenants
from domain.tenants.model import Role
from tests.conftest import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins

MUTATIONS = 60
AT_ONCE = 4
ANSWERED = 15
"""After how many answers the server is killed: others are on their way then."""

CREATE = """
mutation ($name: String!) { createCustomer(input: {name: $name}) { customer { id } problems { code } } }
"""
ONCE = "SELECT display_name, count(*) FROM customers WHERE tenant_id = :tenant GROUP BY 1 ORDER BY 1"


@asynccontextmanager
async def served(environment: dict[str, str]) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server that is ready, and its address; it is killed in the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "serve", "--port", "0", env=environment, cwd=Path(__file__).parents[2],
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b"listens" not in (line := await process.stderr.readline()):
        assert line, "the server has ended"
    try:
        yield process, line.decode().split("listens on ")[1].split()[0].rstrip(".")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def created(client: httpx2.AsyncClient, address: str, number: int) -> str | None:
    """The id of a customer that is created with a key of its own; None where no answer came."""
    asked = {"query": CREATE, "variables": {"name": f"Customer {number:02}"}}
    try:
        answer = await client.post(f"{address}/graphql", json=asked, headers={"Idempotency-Key": f"key-{number}"})
    except httpx2.TransportError:
        return None
    payload = answer.json()["data"]["createCustomer"]
    assert payload["problems"] == []
    return str(payload["customer"]["id"])


async def send_until_killed(
    client: httpx2.AsyncClient, address: str, server: asyncio.subprocess.Process
) -> dict[int, str]:
    """The ids of the customers of whom the server told before it was killed, by their numbers."""
    told: dict[int, str] = {}
    numbers = iter(range(MUTATIONS))

    async def send() -> None:
        for number in numbers:
            if (id_ := await created(client, address, number)) is not None:
                told[number] = id_
            if len(told) == ANSWERED:
                with suppress(ProcessLookupError):
                    os.kill(server.pid, signal.SIGKILL)

    await asyncio.gather(*(send() for _ in range(AT_ONCE)))
    return told


async def made(database: Database, tenant: UUID) -> list[tuple[Any, ...]]:
    """The names of the tenant's customers, and how many have each."""
    async with database.reading(tenant) as reading:
        return [tuple(row) for row in await reading.rows(text(ONCE), {"tenant": tenant})]


@pytest.mark.slow
async def test_mutations_survive_the_death_of_their_server(database: Database, tenant: UUID, logins: Logins) -> None:
    async with database.unit_of_work(tenant) as work:
        principal = await tenants.create_principal(work, "A writer", Role.ADMIN)
        issued = await tenants.create_token(work, principal, "tests", ["customers:write", "customers:read"])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
    environment = clean | {"TENURE_DATABASE_URL": dsn(logins.server), "TENURE_METRICS_PORT": "0"}
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {issued.secret}"}) as client:
        async with served(environment) as (server, address):
            told = await send_until_killed(client, address, server)
        assert ANSWERED <= len(told) < ANSWERED + AT_ONCE
        kept = len(await made(database, tenant))
        assert len(told) <= kept <= len(told) + AT_ONCE
        async with served(environment) as (_, address):
            again = [await created(client, address, number) for number in range(MUTATIONS)]
    assert {number: again[number] for number in told} == told
    assert await made(database, tenant) == [(f"Customer {number:02}", 1) for number in range(MUTATIONS)]
