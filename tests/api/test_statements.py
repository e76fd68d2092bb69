"""How many statements a read takes: a matter of its shape, never of how many rows there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from api import ids
from api.engine import Ask, completed
from domain.stages.model import Lifecycle
from tests.api import seeding
from tests.api.conftest import identity
from tests.api.test_reads import Q1

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database

Q2 = """query Q2($stage: String!, $country: String!, $after: String) { customers(first: 50, after: $after,
  filter: {stage: {lifecycle: "buyer", key: {eq: $stage}}, country: {eq: $country}},
  orderBy: [{field: LAST_PURCHASE_AT, direction: DESC}]) {
  edges { cursor node { id displayName emails { address } stage(lifecycle: "buyer") { stage { key name } }
    timeline(first: 5) { nodes { id kind channel occurredAt summary } } } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }"""
Q3 = """query Q3($after: String) { customers(first: 500, after: $after, orderBy: [{field: ID}]) { nodes {
  id kind displayName status country firstSeenAt firstPurchaseAt lastPurchaseAt createdAt updatedAt } } }"""


class Counted:
    """A connection that counts what is fetched through it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.fetched = 0

    async def fetch(self, sql: str, *values: Any) -> Any:
        self.fetched += 1
        return await self.connection.fetch(sql, *values)


@pytest.fixture(params=[0, 40])
async def customer(request: pytest.FixtureRequest, database: Database, tenant: UUID) -> str:
    """The id of Ada in a small business, or in one with forty customers more."""
    async with database.unit_of_work(tenant) as work:
        made = await seeding.business(work)
        way = await work.one(select(Lifecycle).where(Lifecycle.tenant_id == tenant))
        for number in range(request.param):
            who = seeding.customer(work, f"Customer {number}", country="DE")
            await work.flush()
            seeding.stay(work, made, way, who.id, "discovery", 2, None)
            for day in range(3):
                seeding.interaction(work, who.id, day)
    return ids.encode("cus", made.customers["ada"])


@pytest.mark.parametrize(
    ("document", "variables", "statements"),  # the promise is at most 4, 3 and 1
    [(Q1, {"id": "customer"}, 3), (Q2, {"stage": "discovery", "country": "DE"}, 2), (Q3, {}, 1)],
    ids=["Q1", "Q2", "Q3"],
)
async def test_the_number_of_statements_does_not_grow(
    engine: Engine, tenant: UUID, customer: str, document: str, variables: dict[str, str], statements: int
) -> None:
    given = {name: customer if value == "customer" else value for name, value in variables.items()}
    prepared = engine.prepare(Ask(document, identity(tenant), variables=given))
    async with engine.database.snapshot(tenant) as connection:
        counted = Counted(connection)
        answer = await completed(prepared, counted)
    assert "errors" not in answer
    assert counted.fetched == statements
