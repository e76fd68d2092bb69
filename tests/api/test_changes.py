from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sqlalchemy import func, select

from api import changes
from api.engine import Engine
from api.schema import core
from domain.core.audit import AuditEntry
from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.customers.model import Customer
from domain.stages.model import Lifecycle
from domain.tenants.actions import forget_expired_answers
from domain.tenants.model import IdempotencyKey
from tests.api.business import Caller, found
from tests.api.conftest import identity
from tests.conftest import KEY

if TYPE_CHECKING:
    from uuid import UUID

    import pytest

    from tests.conftest import Logins
    from tests.snapshots import Snapshots

ADA = {"name": "Ada", "emails": ["ada@example.com"]}
MADE = "customer { id displayName emails { address } }"


async def count(database: Database, tenant: UUID, model: Any) -> int:
    async with database.reading(tenant) as reading:
        return int(await reading.one(select(func.count()).where(model.tenant_id == tenant)) or 0)


async def test_a_payload_shows_what_was_made(caller: Caller) -> None:
    payload = await caller.do("createCustomer", ADA, "made: customer { displayName emails { address } }")
    assert payload == {"made": {"displayName": "Ada", "emails": [{"address": "ada@example.com"}]}, "problems": []}


async def test_a_problem_undoes_all_of_it(caller: Caller, tables: Snapshots) -> None:
    async with tables.nothing_changes():
        problem = await caller.refused("createCustomer", {**ADA, "organisationId": "cus_" + "0" * 32})
    assert problem == {
        "__typename": "NotFound",
        "code": "NOT_FOUND",
        "message": "Nothing with this id exists here. Check the id; one of another tenant gets the same answer.",
        "path": ["organisationId"],
    }


async def test_what_fails_unexpectedly_undoes_its_field_and_no_other(
    caller: Caller, database: Database, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr("domain.customers.queries.customer", fail)
    response = await caller.answer(
        """mutation {
          defineAttribute(input: {key: "tier", type: TEXT, label: "Tier"}) { attribute { key } }
          createCustomer(input: {name: "Ada"}) { customer { id } } }"""
    )
    assert response["data"] == {"defineAttribute": {"attribute": {"key": "tier"}}, "createCustomer": None}
    assert response["errors"] == [
        {
            "message": "Something went wrong; quote the request id None.",
            "path": ["createCustomer"],
            "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": None},
        }
    ]
    assert await count(database, tenant, Customer) == 0


async def test_the_same_key_and_input_is_done_once(caller: Caller, database: Database, tenant: UUID) -> None:
    first = await caller.do("createCustomer", ADA, MADE, key="key-1")
    again = await caller.do("createCustomer", ADA, MADE, key="key-1")
    assert again == first
    assert await count(database, tenant, Customer) == 1
    async with database.reading(tenant) as reading:
        deeds = await reading.all(select(AuditEntry.action).where(AuditEntry.tenant_id == tenant))
    assert list(deeds).count("customers.create") == 1


async def test_an_input_is_the_same_by_literals_and_by_variables(caller: Caller) -> None:
    first = await caller.do("createCustomer", {"name": "Ada"}, MADE, key="key-1")
    document = 'mutation { createCustomer(input: {name: "Ada"}) { customer { id } problems { code } } }'
    again = await caller.answer(document, key="key-1")
    assert again["data"]["createCustomer"] == {"customer": {"id": first["customer"]["id"]}, "problems": []}


async def test_two_at_once_with_one_key_are_done_once(caller: Caller, database: Database, tenant: UUID) -> None:
    answers = await asyncio.gather(*(caller.do("createCustomer", ADA, MADE, key="key-1") for _ in range(4)))
    assert all(answer == answers[0] for answer in answers)
    assert await count(database, tenant, Customer) == 1


async def test_the_same_key_with_other_input_is_refused(caller: Caller, tables: Snapshots) -> None:
    await caller.do("createCustomer", {"name": "Ada"}, key="key-1")
    async with tables.nothing_changes():
        problem = await caller.refused("createCustomer", {"name": "Bea"}, key="key-1")
    assert problem == {
        "__typename": "Conflict",
        "code": "KEY_REUSED",
        "message": "This idempotency key was used with another input. Use a new key for a new request.",
        "path": None,
    }


async def test_a_key_belongs_to_its_token_and_its_field(caller: Caller, database: Database, tenant: UUID) -> None:
    other = replace(caller, identity=replace(caller.identity, token_id=uuid4()))
    await caller.do("createCustomer", {"name": "Ada"}, key="key-1")
    await other.do("createCustomer", {"name": "Bea"}, key="key-1")
    await caller.do("defineAttribute", {"key": "tier", "type": "TEXT", "label": "Tier"}, key="key-1")
    twice = """mutation { one: createCustomer(input: {name: "Cora"}) { problems { code } }
      two: createCustomer(input: {name: "Dora"}) { problems { code } } }"""
    response = await caller.answer(twice, key="key-1")
    assert response == {"data": {"one": {"problems": []}, "two": {"problems": []}}}
    assert await count(database, tenant, Customer) == 4
    assert await count(database, tenant, IdempotencyKey) == 5


async def test_a_key_is_forgotten_after_a_day(logins: Logins, database: Database, tenant: UUID) -> None:
    clock = FixedClock(database.clock.now())
    async with Database(str(logins.server), clock=clock, key=KEY) as opened:
        caller = Caller(Engine(opened, core), identity(tenant))
        await caller.do("createCustomer", {"name": "Ada"}, key="key-1")
        clock.move(timedelta(hours=24) - timedelta(seconds=1))
        await caller.refused("createCustomer", {"name": "Bea"}, key="key-1")
        clock.move(timedelta(seconds=1))
        await caller.do("createCustomer", {"name": "Bea"}, key="key-1")
        assert await count(opened, tenant, IdempotencyKey) == 1
        clock.move(timedelta(hours=24))
        async with opened.unit_of_work(tenant) as work:
            assert await forget_expired_answers(work, "") is None
        assert await count(opened, tenant, IdempotencyKey) == 0


async def test_a_refused_request_may_come_again_with_its_key(caller: Caller, database: Database, tenant: UUID) -> None:
    asked = {"key": "tier", "type": "TEXT", "label": "Tier"}
    await caller.refused("createCustomer", {"attributes": [{"key": "tier", "value": {"text": "gold"}}]}, key="key-1")
    assert await count(database, tenant, IdempotencyKey) == 0
    await caller.do("defineAttribute", asked)
    await caller.do("createCustomer", {"attributes": [{"key": "tier", "value": {"text": "gold"}}]}, key="key-1")


async def test_what_is_stored_with_a_key_names_a_thing_and_nothing_personal(
    caller: Caller, database: Database, tenant: UUID
) -> None:
    made = await caller.do("createCustomer", ADA, MADE, key="key-1")
    async with database.reading(tenant) as reading:
        stored = await reading.one(select(IdempotencyKey).where(IdempotencyKey.tenant_id == tenant))
    assert stored is not None
    assert stored.answer == {
        "reference": ["Customer", made["customer"]["id"].removeprefix("cus_")], "fields": {}, "secret": False,
    }  # fmt: skip
    assert len(stored.input_digest) == 32


async def test_a_secret_is_shown_once_and_never_stored(engine: Engine, database: Database, tenant: UUID) -> None:
    caller = (await found(engine, database, tenant)).caller
    asked = {"name": "web", "scopes": ["customers:read"], "expiresInSeconds": 900}
    wanted = "token { name scopes principal { name } } secret"
    first = await caller.do("createApiToken", asked, wanted, key="key-1")
    assert first["token"] == {"name": "web", "scopes": ["customers:read"], "principal": {"name": "Grace"}}
    assert first["secret"].startswith("tnr_")
    again = await caller.refused("createApiToken", asked, wanted, key="key-1")
    assert again["code"] == "SECRET_ALREADY_SHOWN"
    async with database.reading(tenant) as reading:
        stored = await reading.one(select(IdempotencyKey.answer).where(IdempotencyKey.tenant_id == tenant))
    assert stored is not None
    assert stored["secret"] is True
    assert first["secret"].split("_", 2)[2] not in str(stored)


async def test_who_loses_a_race_is_told_what_the_winner_did(caller: Caller, database: Database, tenant: UUID) -> None:
    asked = {"template": "buyer"}
    answers = await asyncio.gather(*(caller.payload("createLifecycle", asked, "lifecycle { key }") for _ in range(3)))
    assert sorted(str(answer["lifecycle"]) for answer in answers) == ["None", "None", "{'key': 'buyer'}"]
    refused = {problem["code"] for answer in answers for problem in answer["problems"]}
    assert refused == {"LIFECYCLE_EXISTS"}
    assert await count(database, tenant, Lifecycle) == 1


async def test_a_value_that_no_index_takes_is_a_problem(caller: Caller, tables: Snapshots) -> None:
    longest = "".join(uuid4().hex for _ in range(1000))
    async with tables.nothing_changes():
        problem = await caller.refused("createLifecycle", {"template": "buyer", "key": f"a{longest}"})
    assert (problem["__typename"], problem["code"]) == ("InvalidInput", "UNSTORABLE")


async def test_a_race_that_is_lost_again_and_again_is_a_conflict(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, tables: Snapshots
) -> None:
    monkeypatch.setattr(changes, "MOST_ATTEMPTS", 0)
    async with tables.nothing_changes():
        problem = await caller.refused("createCustomer", ADA)
    assert (problem["__typename"], problem["code"]) == ("Conflict", "CHANGED_AT_ONCE")


async def test_a_whole_life_by_mutations(caller: Caller) -> None:
    begun = await caller.answer(
        """mutation {
          createLifecycle(input: {template: "buyer"}) { lifecycle { key stages { key } } problems { code } }
          createCustomer(input: {name: "Ada"}) { customer { id version } problems { code } }
          recordExchangeRate(input: {day: "2026-01-01", base: "USD", quote: "EUR", rate: "0.9"}) {
            tenant { baseCurrency } problems { code } } }"""
    )
    assert "errors" not in begun
    assert begun["data"]["recordExchangeRate"] == {"tenant": {"baseCurrency": "EUR"}, "problems": []}
    lived = await caller.answer(
        """mutation ($ada: ID!, $at: DateTime!, $later: DateTime!) {
          recordOrder(input: {customer: $ada, occurredAt: $at, currency: "USD", number: "A-1",
              lines: [{sku: "X1", quantity: "3", unitPrice: "1.005"}]}) {
            order { number total { amount currency } baseTotal { amount currency }
              lines(first: 5) { nodes { amount { amount } product { sku } } } }
            problems { code message } }
          recordInteraction(input: {
              customer: $ada, kind: CALL, occurredAt: $later, payload: {durationSeconds: 60}}) {
            interaction { kind ... on CallInteraction { durationSeconds } } problems { code message } }
          moveCustomer(input: {customer: $ada, toStage: "education", occurredAt: $later, reason: "asked"}) {
            transition { direction toStage { key } customer { displayName } } problems { code message } } }""",
        ada=begun["data"]["createCustomer"]["customer"]["id"],
        at="2026-01-02T10:00:00+00:00",
        later="2026-01-03T10:00:00+00:00",
    )
    assert "errors" not in lived, lived
    assert lived["data"]["recordOrder"] == {
        "order": {
            "number": "A-1",
            "total": {"amount": "3.02", "currency": "USD"},
            "baseTotal": {"amount": "2.72", "currency": "EUR"},
            "lines": {"nodes": [{"amount": {"amount": "3.02"}, "product": {"sku": "X1"}}]},
        },
        "problems": [],
    }
    assert lived["data"]["recordInteraction"] == {
        "interaction": {"kind": "CALL", "durationSeconds": 60}, "problems": [],
    }  # fmt: skip
    moved = lived["data"]["moveCustomer"]
    assert moved["problems"] == []
    assert moved["transition"]["toStage"] == {"key": "education"}
    assert moved["transition"]["customer"] == {"displayName": "Ada"}


async def test_what_somebody_does_by_hand_is_audited(engine: Engine, database: Database, tenant: UUID) -> None:
    of = await found(engine, database, tenant)
    note = {"customer": of.ada, "stage": "education", "kind": "NEED", "text": "A demo."}
    await of.caller.do("addStageNote", note)
    await of.caller.do("importRecords", {"source": "shop", "customers": [{"id": "1", "name": "Fay"}]})
    async with database.reading(tenant) as reading:
        deeds = select(AuditEntry.action).where(AuditEntry.tenant_id == tenant).order_by(AuditEntry.position)
        told = list(await reading.all(deeds))
    assert told.count("stages.move") == 1
    assert told[-2:] == ["stages.add_note", "integrations.import_records"]
    assert [action for action in told if action != action.lower()] == []


CONDITIONS = """{all: [
  {any: [{occasions: {gte: 2}}, {daysSinceLastPurchase: 30}, {daysInStage: 7}]},
  {not: {attribute: {key: "tier", eq: "gold"}}},
  {interactions: {kinds: [CALL, MEETING], gte: 2, withinDays: 30}}, {event: "customers.CustomerCreated"}]}"""


async def test_rules_ask_every_kind_of_condition(caller: Caller, database: Database, tenant: UUID) -> None:
    response = await caller.answer(
        f"""mutation {{ createLifecycle(input: {{key: "own", name: {{en: "Own", fa: "خودی"}}, isDefault: true,
          stages: [{{key: "new", name: {{en: "New"}}, step: AWARE, rottingDays: 30, needs: {{en: "A call"}}}},
            {{key: "loyal", name: {{en: "Loyal"}}, step: ADVOCATE, kind: WON}}],
          rules: [{{fromStage: "new", toStage: "loyal", trigger: EVENT, condition: {CONDITIONS}}},
            {{fromStage: "loyal", toStage: "new", trigger: MANUAL, requiresReason: true}}]}}) {{
          lifecycle {{ key isDefault stages {{ key kind rottingDays }} rules {{ fromStage trigger requiresReason }} }}
          problems {{ code message }} }} }}"""
    )
    assert response["data"]["createLifecycle"] == {
        "lifecycle": {
            "key": "own",
            "isDefault": True,
            "stages": [
                {"key": "new", "kind": "OPEN", "rottingDays": 30},
                {"key": "loyal", "kind": "WON", "rottingDays": None},
            ],
            "rules": [
                {"fromStage": "new", "trigger": "EVENT", "requiresReason": False},
                {"fromStage": "loyal", "trigger": "MANUAL", "requiresReason": True},
            ],
        },
        "problems": [],
    }


async def test_a_condition_that_cannot_be_is_refused_with_its_place(caller: Caller, tables: Snapshots) -> None:
    rule = {"fromStage": "new", "toStage": "loyal", "trigger": "TIME", "condition": {"daysInStage": 2_000_000_000}}
    stages = [{"key": key, "name": {"en": key}, "step": "AWARE"} for key in ("new", "loyal")]
    async with tables.nothing_changes():
        problem = await caller.refused("createLifecycle", {"key": "own", "stages": stages, "rules": [rule]})
    assert problem["code"] == "INVALID_CONDITION"
    assert problem["message"] == "A rule's condition is not understood: days must be at most 36525"
