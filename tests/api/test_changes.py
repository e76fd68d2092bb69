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


WHOLE_LIFE = """mutation {
  createLifecycle(input: {template: "buyer"}) { lifecycle { key stages { key } } problems { code message } }
  createCustomer(input: {name: "Ada", emails: ["ada@example.com"]}) { customer { id version } problems { code } }
  recordExchangeRate(input: {day: "2026-01-01", base: "USD", quote: "EUR", rate: "0.9"}) { tenant { slug } problems { code } }
}"""


async def run(engine: Engine, asking: Any, document: str, **variables: Any) -> Any:
    prepared = engine.prepare(Ask(document, asking, variables=variables))
    return orjson.loads(encode(await engine.answer(prepared)))


async def test_a_whole_life_by_mutations(engine: Engine, tenant: UUID) -> None:
    asking = identity(tenant)
    at, later = "2026-01-02T10:00:00+00:00", "2026-01-03T10:00:00+00:00"
    begun = await run(engine, asking, WHOLE_LIFE)
    assert "errors" not in begun
    ada = begun["data"]["createCustomer"]["customer"]["id"]
    lived = await run(
        engine,
        asking,
        """mutation ($ada: ID!, $at: DateTime!, $later: DateTime!) {
        recordOrder(input: {customer: $ada, occurredAt: $at, currency: "USD", number: "A-1",
            lines: [{sku: "X1", quantity: "3", unitPrice: "1.005"}]}) {
          order { number total { amount currency } baseTotal { amount currency } lines(first: 5) { nodes { amount { amount } product { sku } } } }
          problems { code message } }
        recordInteraction(input: {customer: $ada, kind: CALL, occurredAt: $later, payload: {durationSeconds: 60}}) {
          interaction { kind ... on CallInteraction { durationSeconds } } problems { code message } }
        moveCustomer(input: {customer: $ada, toStage: "education", occurredAt: $later, reason: "asked"}) {
          transition { direction toStage { key } customer { displayName } } problems { code message } }
        }""",
        ada=ada, at=at, later=later,
    )  # fmt: skip
    assert "errors" not in lived, lived
    order = lived["data"]["recordOrder"]["order"]
    assert order["total"] == {"amount": "3.02", "currency": "USD"}
    assert order["baseTotal"] == {"amount": "2.72", "currency": "EUR"}
    assert order["lines"]["nodes"] == [{"amount": {"amount": "3.02"}, "product": {"sku": "X1"}}]
    assert lived["data"]["recordInteraction"]["interaction"] == {"kind": "CALL", "durationSeconds": 60}
    assert lived["data"]["moveCustomer"]["problems"] == []
    assert lived["data"]["moveCustomer"]["transition"]["toStage"] == {"key": "education"}


async def test_a_secret_is_shown_once(engine: Engine, database: Database, tenant: UUID) -> None:
    from domain.tenants import actions
    from domain.tenants.model import Role

    async with database.unit_of_work(tenant) as work:
        admin = await actions.create_principal(work, "admin", Role.ADMIN)
        issued = await actions.create_token(work, admin, "root", sorted(ALL_SCOPES))
    asking = type(identity(tenant))(tenant, admin.id, issued.token.id, ALL_SCOPES, None)
    document = """mutation { createApiToken(input: {name: "web", scopes: ["customers:read"], expiresInSeconds: 900}) {
      token { name scopes principal { name } } secret problems { code } } }"""
    first = engine.prepare(Ask(document, asking, idempotency_key="k"))
    shown = orjson.loads(encode(await engine.answer(first)))["data"]["createApiToken"]
    assert shown["token"] == {"name": "web", "scopes": ["customers:read"], "principal": {"name": "admin"}}
    assert shown["secret"].startswith("tnr_")
    again = orjson.loads(encode(await engine.answer(first)))["data"]["createApiToken"]
    assert again == {"token": None, "secret": None, "problems": [{"code": "SECRET_ALREADY_SHOWN"}]}
