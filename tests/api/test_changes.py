from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from sqlalchemy import func, select

from api.engine import Ask, encode
from api.problems import Forbidden
from domain.core.audit import AuditEntry
from domain.customers.model import Customer
from domain.tenants.model import IdempotencyKey
from tests.api.conftest import ALL_SCOPES, identity

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database

CREATE = """mutation ($input: CreateCustomerInput!) { createCustomer(input: $input) {
  made: customer { id displayName emails { address } } problems { __typename code message path } } }"""


async def customers_of(database: Database, tenant: UUID) -> int:
    async with database.reading(tenant) as reading:
        return int(await reading.one(select(func.count()).where(Customer.tenant_id == tenant)) or 0)


async def send(engine: Engine, asking: Any, key: str | None = None, **variables: Any) -> Any:
    prepared = engine.prepare(Ask(CREATE, asking, variables=variables, idempotency_key=key))
    return orjson.loads(encode(await engine.answer(prepared)))


async def test_a_mutation_reads_its_payload_in_its_own_transaction(engine: Engine, tenant: UUID) -> None:
    answer = await send(engine, identity(tenant), input={"name": "Ada", "emails": ["ada@example.com"]})
    payload = answer["data"]["createCustomer"]
    assert payload["problems"] == []
    assert payload["made"]["displayName"] == "Ada"
    assert payload["made"]["emails"] == [{"address": "ada@example.com"}]


async def test_a_problem_says_why_and_nothing_changes(engine: Engine, database: Database, tenant: UUID) -> None:
    answer = await send(engine, identity(tenant), input={"name": "Ada", "organisationId": "cus_" + "0" * 32})
    assert answer["data"]["createCustomer"]["made"] is None
    [problem] = answer["data"]["createCustomer"]["problems"]
    assert problem["__typename"] == "NotFound"
    assert problem["code"] == "NOT_FOUND"
    assert await customers_of(database, tenant) == 0


async def test_without_its_scope_a_mutation_is_refused_before_it_runs(
    engine: Engine, database: Database, tenant: UUID
) -> None:
    with pytest.raises(Forbidden):
        await send(engine, identity(tenant, ALL_SCOPES - {"customers:write"}), input={"name": "Ada"})
    assert await customers_of(database, tenant) == 0


async def test_the_same_key_and_input_is_done_once(engine: Engine, database: Database, tenant: UUID) -> None:
    asking = identity(tenant)
    first = await send(engine, asking, "key-1", input={"name": "Ada"})
    again = await send(engine, asking, "key-1", input={"name": "Ada"})
    assert again == first
    assert await customers_of(database, tenant) == 1
    async with database.reading(tenant) as reading:
        assert await reading.one(select(func.count()).where(IdempotencyKey.tenant_id == tenant)) == 1
        deeds = await reading.all(select(AuditEntry.action).where(AuditEntry.tenant_id == tenant))
    assert list(deeds).count("customers.create") == 1


async def test_the_same_key_with_other_input_is_a_problem(engine: Engine, database: Database, tenant: UUID) -> None:
    asking = identity(tenant)
    await send(engine, asking, "key-1", input={"name": "Ada"})
    answer = await send(engine, asking, "key-1", input={"name": "Bea"})
    [problem] = answer["data"]["createCustomer"]["problems"]
    assert problem["code"] == "KEY_REUSED"
    assert await customers_of(database, tenant) == 1
