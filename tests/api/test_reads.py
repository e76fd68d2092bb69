from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from api import ids
from domain.customers.model import Customer
from domain.stages.model import Lifecycle
from tests.api import seeding

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from domain.core.database import Database

    Asking = Callable[..., Awaitable[dict[str, Any]]]

Q1 = """query Q1($id: ID!) { customer(by: {id: $id}) { id kind displayName status emails { address } phones { number }
  addresses { city country } organisation { id displayName }
  stage(lifecycle: "buyer") { enteredAt visit stage { key name position } }
  stageHistory(lifecycle: "buyer", first: 50) { nodes { visit enteredAt exitedAt cause { kind } stage { key name } } }
  timeline(first: 20) { edges { cursor node { id kind channel direction occurredAt summary } }
    pageInfo { hasNextPage endCursor } }
  orderTotals { orders gross { amount currency } net { amount currency } average { amount currency }
    firstAt lastAt } } }"""


@pytest.fixture
async def business(database: Database, tenant: UUID) -> seeding.Business:
    async with database.unit_of_work(tenant) as work:
        return await seeding.business(work)


async def test_the_360_degree_view_of_a_merged_customer(ask: Asking, business: seeding.Business) -> None:
    answer = await ask(Q1, id=ids.encode("cus", business.customers["twin"]))
    customer = answer["data"]["customer"]
    assert customer["id"] == ids.encode("cus", business.customers["ada"])
    assert customer["organisation"]["displayName"] == "Analytica"
    assert customer["emails"] == [{"address": "ada@example.com"}]
    assert customer["stage"]["stage"] == {"key": "purchase", "name": "Purchase", "position": 2}
    assert [node["stage"]["key"] for node in customer["stageHistory"]["nodes"]] == ["discovery", "purchase"]
    assert [edge["node"]["summary"] for edge in customer["timeline"]["edges"]] == [
        f"Note of day {day}" for day in range(7, 0, -1)
    ]
    assert customer["orderTotals"] == {
        "orders": 2,
        "gross": {"amount": "35.50", "currency": "EUR"},
        "net": {"amount": "30.00", "currency": "EUR"},
        "average": {"amount": "17.75", "currency": "EUR"},
        "firstAt": "2026-01-02T09:00:00.123456+00:00",
        "lastAt": "2026-01-10T09:00:00.123456+00:00",
    }


async def test_pages_join_without_a_hole(ask: Asking, business: seeding.Business) -> None:
    page = """query ($after: String) { customers(first: 1, after: $after,
      orderBy: [{field: LAST_PURCHASE_AT, direction: DESC}]) { nodes { displayName } totalCount
      pageInfo { hasNextPage hasPreviousPage endCursor } } }"""
    seen, after = [], None
    while True:
        found = (await ask(page, after=after))["data"]["customers"]
        seen += [node["displayName"] for node in found["nodes"]]
        assert found["totalCount"] == 3
        after = found["pageInfo"]["endCursor"]
        if not found["pageInfo"]["hasNextPage"]:
            break
    assert seen == ["Ada Byron", "Bea Curie", "Analytica"]


async def test_the_last_rows_come_in_the_same_order(ask: Asking, business: seeding.Business) -> None:
    answer = await ask("{ customers(last: 2) { nodes { displayName } pageInfo { hasPreviousPage hasNextPage } } }")
    assert answer["data"]["customers"] == {
        "nodes": [{"displayName": "Ada Byron"}, {"displayName": "Bea Curie"}],
        "pageInfo": {"hasPreviousPage": True, "hasNextPage": False},
    }


async def test_an_organisation_shows_what_its_people_did(ask: Asking, business: seeding.Business) -> None:
    answer = await ask(
        """{ customers(first: 10, filter: {kind: {eq: ORGANISATION}}) { nodes {
        people(first: 5) { nodes { displayName } }
        timeline(first: 3) { totalCount nodes { __typename kind ... on EmailInteraction { subject }
        ... on NoteInteraction { text } } } } } }"""
    )
    assert answer["data"]["customers"]["nodes"] == [
        {
            "people": {"nodes": [{"displayName": "Ada Byron"}]},
            "timeline": {
                "totalCount": 8,
                "nodes": [
                    {"__typename": "EmailInteraction", "kind": "EMAIL_SENT", "subject": "Offer"},
                    {"__typename": "NoteInteraction", "kind": "NOTE", "text": "Day 7"},
                    {"__typename": "NoteInteraction", "kind": "NOTE", "text": "Day 6"},
                ],
            },
        }
    ]


async def test_nodes_answer_in_the_order_asked_whatever_their_types(ask: Asking, business: seeding.Business) -> None:
    asked = [
        ids.encode("ord", business.orders[0]),
        ids.encode("cus", business.customers["twin"]),
        ids.encode("cus", seeding.new_id()),
        ids.encode("int", business.interactions[-1]),
    ]
    answer = await ask(
        """query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on Order { total { amount } }
        ... on Customer { displayName } ... on EmailInteraction { subject } } }""",
        ids=asked,
    )
    assert answer["data"]["nodes"] == [
        {"__typename": "Order", "id": asked[0], "total": {"amount": "10.00"}},
        {"__typename": "Customer", "id": ids.encode("cus", business.customers["ada"]), "displayName": "Ada Byron"},
        None,
        {"__typename": "EmailInteraction", "id": asked[3], "subject": "Offer"},
    ]


async def test_filters_reach_relations(ask: Asking, business: seeding.Business) -> None:
    filtered = "query ($f: CustomerFilter) { customers(first: 9, filter: $f) { nodes { displayName } } }"

    async def names(**given: Any) -> list[str]:
        return [node["displayName"] for node in (await ask(filtered, f=given))["data"]["customers"]["nodes"]]

    assert await names(stage={"lifecycle": "buyer", "key": {"eq": "discovery"}}) == ["Bea Curie"]
    assert await names(organisation={"displayName": {"eq": "Analytica"}}) == ["Ada Byron"]
    assert await names(interactions={"atLeast": 7}) == ["Ada Byron"]
    assert await names(orders={"kind": {"eq": "SALE"}}) == ["Ada Byron"]
    assert await names(**{"not": {"lastPurchaseAt": {"isNull": True}}}) == ["Ada Byron"]
    assert await names(**{"or": [{"kind": {"eq": "ORGANISATION"}}, {"displayName": {"startsWith": "Bea"}}]}) == [
        "Analytica",
        "Bea Curie",
    ]


async def test_search_finds_by_beginnings_of_words(ask: Asking, business: seeding.Business) -> None:
    search = "query ($s: String) { customers(first: 9, search: $s) { nodes { displayName } } }"
    assert (await ask(search, s="by ad"))["data"]["customers"]["nodes"] == [{"displayName": "Ada Byron"}]
    assert (await ask(search, s="by bea"))["data"]["customers"]["nodes"] == []


@pytest.mark.parametrize("search", ["-", "", " ?! ", None])
async def test_a_search_without_letters_leaves_nobody_out(
    ask: Asking, database: Database, tenant: UUID, search: str | None
) -> None:
    async with database.unit_of_work(tenant) as work:
        seeding.customer(work, "Ada Byron")
        seeding.customer(work, "")  # who has no words
    answer = await ask("query ($s: String) { customers(first: 9, search: $s) { totalCount } }", s=search)
    assert answer["data"]["customers"]["totalCount"] == 2


async def test_orders_without_a_customer_are_listed(ask: Asking, business: seeding.Business) -> None:
    answer = await ask("{ orders(first: 9, filter: {hasCustomer: false}) { nodes { number customer { id } } } }")
    assert answer["data"]["orders"]["nodes"] == [{"number": "N3", "customer": None}]


async def test_totals_of_the_tenant(ask: Asking, business: seeding.Business) -> None:
    answer = await ask("{ orderTotals { orders refunds net { amount } missing } }")
    assert answer["data"]["orderTotals"] == {"orders": 3, "refunds": 1, "net": {"amount": "37.00"}, "missing": None}


async def test_labels_come_in_the_readers_language(ask: Asking, business: seeding.Business) -> None:
    answer = await ask('{ lifecycle(key: "buyer") { name stages { name } } }', language="fa")
    assert answer["data"]["lifecycle"] == {
        "name": "خریدار",
        "stages": [{"name": "کشف"}, {"name": "خرید"}, {"name": "وفاداری"}],
    }


async def test_who_asks_is_told(database: Database, ask: Asking, tenant: UUID) -> None:
    answer = await ask("{ lifecycleTemplates { key name stages { key } } }", language="fa")
    templates = {template["key"]: template for template in answer["data"]["lifecycleTemplates"]}
    assert len(templates) == 7
    assert [stage["key"] for stage in templates["prospect"]["stages"]] == ["prospect", "lead", "customer"]


async def test_stages_are_measured(ask: Asking, business: seeding.Business) -> None:
    answer = await ask(
        """{ lifecycle(key: "buyer") { version funnel { stage { key } entered reached continued of conversion }
        conversions(window: {start: "2020-01-01"}) { fromStage { key } toStage { key } of converted rate }
        timeInStage(window: {start: "2020-01-01"}) { stage { key } customers visits medianSeconds } } }"""
    )
    lifecycle = answer["data"]["lifecycle"]
    assert [tuple(step.values())[1:] for step in lifecycle["funnel"]] == [
        (2, 2, None, None, None),
        (1, 1, 1, 2, "0.5"),
        (0, 0, 0, 1, "0"),
    ]
    first, second, third = (step["stage"]["key"] for step in lifecycle["funnel"])
    assert [
        (each["fromStage"]["key"], each["toStage"]["key"], each["of"], each["converted"], each["rate"])
        for each in lifecycle["conversions"]
    ] == [
        (first, second, 2, 1, "0.5"), (first, third, 2, 0, "0"),
        (second, first, 1, 0, "0"), (second, third, 1, 0, "0"),
        (third, first, 0, 0, None), (third, second, 0, 0, None),
    ]  # fmt: skip
    assert [(stage["customers"], stage["visits"]) for stage in lifecycle["timeInStage"]] == [(2, 2), (1, 1), (0, 0)]
    assert lifecycle["timeInStage"][0]["medianSeconds"] == 86400


async def test_nothing_was_believed_before_it_was_recorded(ask: Asking, business: seeding.Business) -> None:
    answer = await ask(
        """{ customers(first: 1, search: "ada") { nodes { stage(asOf: "2020-01-01T00:00:00Z") { visit }
        stageHistory(first: 5, asOf: "2020-01-01T00:00:00Z") { totalCount nodes { visit } } } } }"""
    )
    assert answer["data"]["customers"]["nodes"] == [{"stage": None, "stageHistory": {"totalCount": 0, "nodes": []}}]


async def test_a_filter_by_customer_reaches_all_who_became_one(ask: Asking, business: seeding.Business) -> None:
    filtered = """query ($who: ID!) { orders(first: 9, filter: {customer: {eq: $who}}) { nodes { number } }
      customers(first: 9, filter: {id: {in: [$who]}}) { nodes { displayName } } }"""
    for name in ("ada", "twin"):
        answer = await ask(filtered, who=ids.encode("cus", business.customers[name]))
        assert [node["number"] for node in answer["data"]["orders"]["nodes"]] == ["N9", "N1"]
        assert answer["data"]["customers"]["nodes"] == [{"displayName": "Ada Byron"}]


async def test_a_field_that_fails_unexpectedly_is_masked_and_the_others_are_answered(
    ask: Asking, business: seeding.Business, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> None:
        raise RuntimeError("ada@example.com")

    monkeypatch.setattr("api.engine.run", fails)
    document = '{ lifecycleTemplates { key } found: customer(by: {email: "ada@example.com"}) { id } }'
    answer = await ask(document)
    assert len(answer["data"]["lifecycleTemplates"]) == 7
    assert answer["data"]["found"] is None
    assert [(error["path"], error["extensions"]["code"]) for error in answer["errors"]] == [
        (["found"], "INTERNAL_SERVER_ERROR")
    ]
    assert "ada@example.com" not in str(answer["errors"])


@pytest.mark.parametrize("shown", [True, False])
async def test_the_stage_alone_is_told_like_the_whole_stay(
    database: Database, ask: Asking, tenant: UUID, business: seeding.Business, *, shown: bool
) -> None:
    if not shown:  # the customers' own rows show the stages of another lifecycle
        async with database.unit_of_work(tenant) as work:
            await work.execute(
                update(Customer)
                .where(Customer.tenant_id == tenant, Customer.default_stage.is_not(None))
                .values(default_stage="way:lead", default_stage_id=business.stages["loyalty"])
            )
    document = """{ customers(first: 9, orderBy: [{field: DISPLAY_NAME}]) { nodes {
      stage(lifecycle: "buyer") { __typename stage { key } } whole: stage(lifecycle: "buyer") { visit stage { key } }
      elsewhere: stage(lifecycle: "none") { stage { key } } default: stage { stage { key } } } } }"""
    nodes = (await ask(document))["data"]["customers"]["nodes"]
    assert [node["stage"] and node["stage"]["stage"]["key"] for node in nodes] == [
        node["whole"] and node["whole"]["stage"]["key"] for node in nodes
    ]
    assert {node["stage"] and node["stage"]["stage"]["key"] for node in nodes} == {"discovery", "purchase", None}
    assert {node["stage"] and node["stage"]["__typename"] for node in nodes} == {"StageInterval", None}
    assert [node["elsewhere"] for node in nodes] == [None] * len(nodes)
    told = {node["default"] and node["default"]["stage"]["key"] for node in nodes}
    assert told == ({"discovery", "purchase", None} if shown else {"loyalty", None})


@pytest.mark.parametrize("default", [True, False])
async def test_customers_in_a_stage_are_found_in_any_lifecycle(
    database: Database, ask: Asking, tenant: UUID, business: seeding.Business, *, default: bool
) -> None:
    async with database.unit_of_work(tenant) as work:
        if not default:  # what is not shown by the customers' own rows is asked of the stays
            await work.execute(update(Customer).where(Customer.tenant_id == tenant).values(default_stage=None))
            await work.execute(update(Lifecycle).where(Lifecycle.tenant_id == tenant).values(is_default=False))
    document = """query ($stage: String!) { customers(first: 9, filter: {kind: {eq: PERSON},
      stage: {lifecycle: "buyer", key: {eq: $stage}}}) { nodes { displayName } totalCount } }"""
    found = {
        stage: (await ask(document, stage=stage))["data"]["customers"] for stage in ("discovery", "purchase", "loyalty")
    }
    assert found == {
        "discovery": {"nodes": [{"displayName": "Bea Curie"}], "totalCount": 1},
        "purchase": {"nodes": [{"displayName": "Ada Byron"}], "totalCount": 1},
        "loyalty": {"nodes": [], "totalCount": 0},
    }
