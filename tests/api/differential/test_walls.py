"""Two walls stand around a tenant: each is tried with the other one taken away, on every field that takes an id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from graphql import GraphQLInputObjectType, GraphQLObjectType, get_named_type

from api.engine import Ask, Engine, encode
from api.schema import core
from tests.api.conftest import identity
from tests.api.differential.coverage import reachable, relational
from tests.api.differential.faults import TENANT, rewritten
from tests.api.differential.pools import Pools

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from tests.api.differential.tables import Tables

PROBES = {
    # where an id stands: the kinds that it can be of, and an operation that gives it there
    "Query.node(id)": ("", "query ($id: ID!) { node(id: $id) { __typename id } }"),
    "Query.nodes(ids)": ("", "query ($id: ID!) { nodes(ids: [$id]) { __typename id } }"),
    **{
        f"Query.{field}(id)": (kind, f"query ($id: ID!) {{ {field}(id: $id) {{ id }} }}")
        for field, kind in (("integration", "ing"), ("syncRun", "run"), ("reconciliationReport", "rec"))
    },
    "CustomerRef.id": ("cus", "query ($id: ID!) { customer(by: {id: $id}) { id } }"),
    "OrderRef.id": ("ord", "query ($id: ID!) { order(by: {id: $id}) { id } }"),
    "InvoiceRef.id": ("inv", "query ($id: ID!) { invoice(by: {id: $id}) { id } }"),
    **{
        f"{bill}Filter.{name}": (
            kind,
            f"query ($id: ID!) {{ {of}(first: 9, filter: {{{name}: {{eq: $id}}}}) {{ nodes {{ id }} totalCount }} }}",
        )
        for bill, of in (
            ("Invoice", "invoices"), ("Payment", "payments"), ("CreditNote", "creditNotes"),
            ("Contract", "contracts"), ("Opportunity", "opportunities"),
        )
        for name, kind in (("customer", "cus"), ("integration", "ing"))
    },
    "CustomerFilter.department": (
        "dep", "query ($id: ID!) { customers(first: 9, filter: {department: {eq: $id}}) { nodes { id } totalCount } }"
    ),
    **{
        f"CostFilter.{name}": (
            kind, f"query ($id: ID!) {{ costs(first: 9, filter: {{{name}: {{eq: $id}}}}) {{ nodes {{ id }} }} }}"
        )
        for name, kind in (("customer", "cus"), ("department", "dep"), ("integration", "ing"), ("initiative", "ini"))
    },
    "CustomerFilter.segment": (
        "seg", "query ($id: ID!) { customers(first: 9, filter: {segment: {eq: $id}}) { nodes { id } totalCount } }"
    ),
    "CustomerFilter.id": (
        "cus", "query ($id: ID!) { customers(first: 9, filter: {id: {eq: $id}}) { nodes { id } totalCount } }"
    ),
    "IntegrationFilter.id": (
        "ing", "query ($id: ID!) { integrations(first: 9, filter: {id: {in: [$id]}}) { nodes { id } totalCount } }"
    ),
    "InteractionFilter.integration": (
        "ing",
        "query ($id: ID!) { interactions(first: 9, filter: {integration: {eq: $id}}) { nodes { id } totalCount } }",
    ),
    "OrderFilter.customer": (
        "cus",
        ("query ($id: ID!) { orders(first: 9, filter: {customer: {in: [$id]}}) { nodes { id } totalCount }"
        " orderTotals(filter: {customer: {eq: $id}}) { orders refunds gross { amount } } }"),
    ),
    "OrderFilter.integration": (
        "ing", "query ($id: ID!) { orders(first: 9, filter: {integration: {eq: $id}}) { nodes { id } totalCount } }"
    ),
    "RefundFilter.customer": (
        "cus", "query ($id: ID!) { refunds(first: 9, filter: {customer: {eq: $id}}) { nodes { id } totalCount } }"
    ),
    "RefundFilter.integration": (
        "ing", "query ($id: ID!) { refunds(first: 9, filter: {integration: {eq: $id}}) { nodes { id } totalCount } }"
    ),
}  # fmt: skip
NOBODY = "f" * 32


def test_every_place_that_takes_an_id_is_probed() -> None:
    places = set()
    for of in reachable(core):
        if isinstance(of, GraphQLObjectType):
            places |= {
                f"{of.name}.{name}({key})"
                for name, field in relational(of).items()
                for key, argument in field.args.items()
                if get_named_type(argument.type).name == "ID"
            }
        elif isinstance(of, GraphQLInputObjectType) and of.name not in {"IdFilter", "ExternalRef"}:
            named = {name: get_named_type(field.type).name for name, field in of.fields.items()}
            places |= {f"{of.name}.{name}" for name, type_ in named.items() if type_ in {"ID", "IdFilter"}}
    assert places == PROBES.keys()


@pytest.fixture(params=["row-level security off", "predicates off"])
def engine_behind_one_wall(
    request: pytest.FixtureRequest, standing: Database, unwalled: Database, monkeypatch: pytest.MonkeyPatch
) -> Engine:
    """An engine that only one of the walls holds back."""
    if request.param == "row-level security off":
        return Engine(unwalled, core)
    rewritten(monkeypatch, lambda sql: TENANT.sub("$1::uuid is not null", sql))
    return Engine(standing, core)


@pytest.mark.parametrize("place", PROBES)
async def test_a_foreign_id_is_answered_like_an_invented_one(
    engine_behind_one_wall: Engine, tenants: tuple[UUID, UUID], stored: tuple[Tables, Tables], place: str
) -> None:
    kind, document = PROBES[place]
    pools = Pools(*stored)
    kinds = [kind] if kind else list(pools.foreign)
    for prefix in kinds:
        foreign = pools.foreign[prefix]
        assert foreign
        invented = await _answer(engine_behind_one_wall, tenants[0], document, f"{prefix}_{NOBODY}")
        own = await _answer(engine_behind_one_wall, tenants[0], document, pools.ids[prefix][0])
        assert "errors" not in own
        for id_ in foreign[:5]:
            assert await _answer(engine_behind_one_wall, tenants[0], document, id_) == invented


async def _answer(engine: Engine, tenant: UUID, document: str, id_: str) -> Any:
    prepared = engine.prepare(Ask(document, identity(tenant), variables={"id": id_}))
    return orjson.loads(encode(await engine.answer(prepared)))
