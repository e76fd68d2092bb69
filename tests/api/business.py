"""A small business that came about by mutations, and a way to send more of them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import orjson

from api.engine import Ask, encode
from api.schema import core
from domain.tenants import actions as tenants
from domain.tenants.model import Role
from domain.tenants.queries import Identity
from tests.api.conftest import ALL_SCOPES

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database

MORNING, NOON, EVENING = "2026-03-01T08:00:00+00:00", "2026-03-01T12:00:00+00:00", "2026-03-01T18:00:00+00:00"
COST = {
    "category": "SERVICE", "money": {"amount": "12", "currency": "EUR"},
    "period": {"start": "2026-03-01", "end": "2026-04-01"},
}  # fmt: skip
KPI = {"metric": "repeat_purchase_rate", "direction": "AT_LEAST", "target": "40"}
PROBLEMS = "problems { __typename code message path }"


@dataclass(frozen=True)
class Caller:
    """Somebody who sends mutations."""

    engine: Engine
    identity: Identity

    def with_scopes(self, scopes: frozenset[str]) -> Caller:
        """The same with another token's scopes."""
        return replace(self, identity=replace(self.identity, scopes=scopes))

    async def answer(self, document: str, *, language: str = "en", key: str | None = None, **variables: Any) -> Any:
        """The whole response document."""
        asked = Ask(document, self.identity, language, variables=variables, idempotency_key=key)
        return orjson.loads(encode(await self.engine.answer(self.engine.prepare(asked))))

    async def respond(self, name: str, asked: dict[str, Any], wanted: str = "", **options: Any) -> Any:
        """The response document of one mutation."""
        type_name = core.mutation_type.fields[name].args["input"].type
        document = f"mutation ($input: {type_name}) {{ {name}(input: $input) {{ {wanted} {PROBLEMS} }} }}"
        return await self.answer(document, input=asked, **options)

    async def payload(self, name: str, asked: dict[str, Any], wanted: str = "", **options: Any) -> Any:
        """The payload of one mutation, which has no top-level error."""
        response = await self.respond(name, asked, wanted, **options)
        assert "errors" not in response, response["errors"]
        return response["data"][name]

    async def do(self, name: str, asked: dict[str, Any], wanted: str = "", **options: Any) -> Any:
        """The payload of one mutation that nothing is wrong with."""
        payload = await self.payload(name, asked, wanted, **options)
        assert payload["problems"] == []
        return payload

    async def refused(self, name: str, asked: dict[str, Any], wanted: str = "", **options: Any) -> Any:
        """The one problem of a mutation."""
        payload = await self.payload(name, asked, wanted, **options)
        (problem,) = payload.pop("problems")
        assert set(payload.values()) <= {None}
        return problem


@dataclass(frozen=True)
class Business:
    """A tenant with an admin and a few things, by their global ids."""

    caller: Caller
    acme: str
    ada: str
    bea: str
    bea_version: int
    cora: str
    dora: str
    merge: str
    veto: str
    candidate: str
    order: str
    move: str
    principal: str
    token: str
    lifecycle: str
    segment: str
    department: str
    cost: str
    objective: str
    connected: dict[str, str] = field(default_factory=dict)
    """Its integrations by their states, and what waits there, where it is connected."""


async def found(engine: Engine, database: Database, tenant: UUID, lifecycle: str = "buyer") -> Business:
    """Found a business: Acme employs Ada; Cora is Dora, Bea is neither Ada nor Dora; Ada bought and moved."""
    async with database.unit_of_work(tenant) as work:
        admin = await tenants.create_principal(work, "Grace", Role.ADMIN)
        token = (await tenants.create_token(work, admin, "root", sorted(ALL_SCOPES))).token
    caller = Caller(engine, Identity(tenant, admin.id, token.id, ALL_SCOPES, None))
    await caller.do("createLifecycle", {"template": "buyer", "key": lifecycle})
    acme = await _customer(caller, name="Acme", kind="ORGANISATION")
    ada = await _customer(caller, name="Ada Lovelace", emails=["ada@example.com"], organisationId=acme)
    bea, cora, dora = [await _customer(caller, name=name) for name in ("Bea", "Cora", "Dora")]
    for name in ("Eve", "Eva"):
        await _customer(caller, name=name, identities=[{"scheme": "device", "value": "tablet-1"}])
    merged = await caller.do("mergeCustomers", {"into": cora, "customers": [dora]}, "edges")
    vetoed = await caller.do("vetoMerge", {"customer": ada, "other": bea, "reason": "They met."}, "edges")
    document = "{ mergeCandidates(first: 1) { nodes { id } } }"
    candidates = (await caller.answer(document))["data"]["mergeCandidates"]["nodes"]
    order = await caller.do(
        "recordOrder",
        {"customer": ada, "occurredAt": MORNING, "currency": "EUR", "total": "12.50", "number": "A-1"},
        "order { id }",
    )
    moved = await caller.do(
        "moveCustomer", {"customer": ada, "lifecycle": lifecycle, "toStage": "education", "occurredAt": NOON},
        "transition { id }",
    )  # fmt: skip
    repeat = await caller.do("createSegment", {"template": "repeat_purchasers"}, "segment { id }")
    south = await caller.do("defineDepartment", {"key": "south", "name": "South"}, "department { id }")
    spent = await caller.do("recordCost", {**COST, "customer": ada}, "cost { id }")
    aim = await caller.do("createObjective", {"statement": "Sell more.", "kpis": [KPI]}, "objective { id }")
    document = "query ($id: ID!) { customer(by: {id: $id}) { version } }"
    version = (await caller.answer(document, id=bea))["data"]["customer"]["version"]
    return Business(
        caller, acme, ada, bea, version, cora, dora, merged["edges"][0], vetoed["edges"][0], candidates[0]["id"],
        order["order"]["id"], moved["transition"]["id"], f"pri_{admin.id.hex}", f"tok_{token.id.hex}", lifecycle,
        repeat["segment"]["id"], south["department"]["id"], spent["cost"]["id"], aim["objective"]["id"],
    )  # fmt: skip


async def _customer(caller: Caller, **asked: Any) -> str:
    made = await caller.do("createCustomer", asked, "customer { id }")
    return str(made["customer"]["id"])
