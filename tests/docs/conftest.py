"""A small business, made over the API itself, and a client that asks about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from api.app import create_app
from cli import serving
from domain.core.settings import Settings
from tests.api.transport.conftest import issue

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database

SEED = """
mutation ($ada: CreateCustomerInput!, $zoe: CreateCustomerInput!) {
  createLifecycle(input: { template: "buyer", isDefault: true }) { problems { code } }
  ada: createCustomer(input: $ada) { customer { id } problems { code } }
  zoe: createCustomer(input: $zoe) { customer { id } problems { code } }
}"""
BUY = """
mutation ($id: ID!) {
  recordOrder(input: { customer: $id, number: "A-1", occurredAt: "2026-01-05T12:00:00Z", currency: "EUR",
    lines: [{ sku: "TEA", quantity: "2", unitPrice: "4.50" }] }) { problems { code } }
}"""


class Business:
    """Whom the examples are about, and how they are asked."""

    def __init__(self, client: httpx2.AsyncClient) -> None:
        self._client = client
        self.id = ""

    async def ask(self, document: str, **variables: Any) -> dict[str, Any]:
        response = await self._client.post("/graphql", json={"query": document, "variables": variables})
        return dict(response.json())

    async def changed(self, document: str, **variables: Any) -> Any:
        answer = await self.ask(document, **variables)
        assert "errors" not in answer, answer
        assert not any(payload["problems"] for payload in answer["data"].values()), answer
        return answer["data"]


@pytest.fixture
async def address(database: Database) -> AsyncIterator[str]:
    """Where the server listens, as `tenure serve` runs it."""
    listens, stopping = asyncio.Event(), asyncio.Event()
    with serving.bound("127.0.0.1", 0) as listening:
        async with asyncio.TaskGroup() as tasks:
            server = serving.Server(create_app(Settings(), database), listens.set)
            tasks.create_task(serving.answer(server, listening, stopping))
            await listens.wait()
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
            stopping.set()


@pytest.fixture
async def business(database: Database, tenant: UUID, address: str) -> AsyncIterator[Business]:
    token = await issue(database, tenant)
    headers = {**token.headers, "Accept": "application/graphql-response+json"}
    async with httpx2.AsyncClient(base_url=address, headers=headers) as client:
        made = Business(client)
        people = await made.changed(
            SEED,
            ada={"kind": "PERSON", "name": "Ada Lovelace", "emails": ["ada@example.com"], "country": "GB"},
            zoe={"kind": "PERSON", "name": "Zoë Kiosk", "country": "DE"},
        )
        made.id = people["ada"]["customer"]["id"]
        await made.changed(BUY, id=made.id)
        yield made
