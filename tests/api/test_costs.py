"""What was spent, who bears it and who looks after whom, as people say it and as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.business import COST, KPI, Business, found

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database


@pytest.fixture
async def business(engine: Engine, database: Database, tenant: UUID) -> Business:
    return await found(engine, database, tenant)


async def asked(business: Business, document: str, **variables: Any) -> Any:
    answer = await business.caller.answer(document, **variables)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


SHOWN = """cost { id version category startsOn endsOn rule total { amount currency } allocated { amount }
  unallocated { amount } deletedAt customer { id } department { key }
  shares(first: 9) { nodes { day endsOn amount { amount currency } customer { id } } } }"""


async def test_a_cost_is_shown_with_who_bears_it(business: Business) -> None:
    spent = {**COST, "customer": business.ada, "department": business.department, "rule": "BY_TIME"}
    spent |= {"money": {"amount": "-0.05", "currency": "EUR"}, "period": {"start": "2026-03-01", "end": "2026-03-03"}}
    made = (await business.caller.do("recordCost", spent, SHOWN))["cost"]
    assert made == {
        "id": made["id"], "version": 1, "category": "SERVICE", "startsOn": "2026-03-01", "endsOn": "2026-03-03",
        "rule": "BY_TIME", "total": {"amount": "-0.05", "currency": "EUR"}, "allocated": {"amount": "-0.05"},
        "unallocated": {"amount": "0.00"}, "deletedAt": None, "customer": {"id": business.ada},
        "department": {"key": "south"},
        "shares": {"nodes": [
            {
                "day": "2026-03-01", "endsOn": "2026-03-03", "amount": {"amount": "-0.05", "currency": "EUR"},
                "customer": {"id": business.ada},
            }
        ]},
    }  # fmt: skip


async def test_a_corrected_and_a_deleted_cost_count_as_what_they_are_now(business: Business) -> None:
    changed = {"id": business.cost, "version": 1, "cost": {**COST, "customer": business.acme}}
    assert (await business.caller.do("changeCost", changed, "cost { version }"))["cost"] == {"version": 2}
    page = "query ($of: ID!) { customer(by: {id: $of}) { costs(first: 9) { nodes { cost { id } } } } }"
    totals = "{ costTotals { category spent { amount } allocated { amount } missing } costs(first: 9) { totalCount } }"
    assert (await asked(business, page, of=business.ada))["customer"]["costs"]["nodes"] == []
    nodes = (await asked(business, page, of=business.acme))["customer"]["costs"]["nodes"]
    assert nodes == [{"cost": {"id": business.cost}}]
    assert await asked(business, totals) == {
        "costTotals": [
            {"category": "SERVICE", "spent": {"amount": "12.00"}, "allocated": {"amount": "12.00"}, "missing": None}
        ],
        "costs": {"totalCount": 1},
    }
    wanted = "cost { deletedAt shares(first: 9) { totalCount } }"
    gone = await business.caller.do("deleteCost", {"id": business.cost, "version": 2}, wanted)
    assert gone["cost"]["deletedAt"] is not None
    assert gone["cost"]["shares"] == {"totalCount": 0}
    assert await asked(business, totals) == {"costTotals": [], "costs": {"totalCount": 0}}


async def test_a_cost_without_a_rate_is_refused_in_the_readers_language(business: Business) -> None:
    spent = {**COST, "money": {"amount": "1", "currency": "USD"}}
    refused = await business.caller.refused("recordCost", spent, "cost { id }", language="fa")
    assert (refused["__typename"], refused["code"]) == ("InvalidInput", "NO_RATE_FOR_COST")
    assert refused["message"].startswith("برای این ارز در نخستین روز دوره نرخی ثبت نشده است.")


async def test_costs_are_found_by_what_they_say(business: Business) -> None:
    await business.caller.do("recordCost", {**COST, "category": "COGS", "campaignKey": "spring"}, "cost { id }")
    found = "query ($by: CostFilter) { costs(first: 9, filter: $by) { totalCount } }"
    for by, count in (
        ({}, 2), ({"category": {"eq": "COGS"}}, 1), ({"customer": {"eq": business.ada}}, 1),
        ({"campaignKey": {"eq": "spring"}}, 1), ({"startsOn": {"lt": "2026-03-01"}}, 0),
        ({"department": {"eq": business.department}}, 0), ({"isShared": True}, 2),
    ):  # fmt: skip
        assert (await asked(business, found, by=by))["costs"]["totalCount"] == count, by


async def test_what_an_initiative_costs_is_found_by_it(business: Business) -> None:
    plan = {"name": "Calls", "goLiveOn": "2026-06-01", "baselineDays": 90, "departments": [business.department]}
    made = await business.caller.do("createInitiative", plan, "initiative { id }")
    spent = {**COST, "category": "INITIATIVE", "initiative": made["initiative"]["id"]}
    await business.caller.do("recordCost", spent, "cost { id }")
    document = "query ($by: CostFilter) { costs(first: 9, filter: $by) { nodes { category initiative { name } } } }"
    found = await asked(business, document, by={"initiative": {"eq": made["initiative"]["id"]}})
    assert found == {"costs": {"nodes": [{"category": "INITIATIVE", "initiative": {"name": "Calls"}}]}}
    refused = await business.caller.refused("recordCost", {**spent, "initiative": f"ini_{'0' * 32}"}, "cost { id }")
    assert (refused["__typename"], refused["path"]) == ("NotFound", ["initiative"])


async def test_who_looked_after_a_customer_stays_known(business: Business) -> None:
    made = await business.caller.do("defineDepartment", {"key": "north", "name": "North"}, "department { id }")
    north = made["department"]["id"]
    january, february = "2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00"
    for department, since in ((business.department, january), (north, february)):
        asking = {"customer": business.ada, "department": department, "since": since}
        await business.caller.do("assignDepartment", asking, "customer { id }")
    document = """query ($of: ID!, $in: ID!) {
      customer(by: {id: $of}) { department { key } departments(first: 9) { nodes { since until department { key } } } }
      customers(first: 9, filter: {department: {eq: $in}}) { nodes { id } } departments(first: 9) { nodes { key } } }"""
    assert await asked(business, document, **{"of": business.ada, "in": north}) == {
        "customer": {
            "department": {"key": "north"},
            "departments": {"nodes": [
                {"since": february, "until": None, "department": {"key": "north"}},
                {"since": january, "until": february, "department": {"key": "south"}},
            ]},
        },
        "customers": {"nodes": [{"id": business.ada}]},
        "departments": {"nodes": [{"key": "north"}, {"key": "south"}]},
    }  # fmt: skip


async def test_a_fourth_objective_waits_until_one_is_reached(business: Business) -> None:
    aim = {"statement": "Keep them.", "kpis": [KPI], "dueOn": "2026-12-31"}
    for _ in range(2):
        await business.caller.do("createObjective", aim, "objective { id }")
    refused = await business.caller.refused("createObjective", aim, "objective { id }")
    assert (refused["__typename"], refused["code"]) == ("Conflict", "TOO_MANY_OBJECTIVES")
    reached = {"id": business.objective, "version": 1, "status": "REACHED", "objective": aim}
    await business.caller.do("updateObjective", reached, "objective { id }")
    await business.caller.do("createObjective", aim, "objective { id }")
    wanted = "status dueOn kpis { metric direction target dueOn } progress { isReached }"
    shown = await asked(business, f"{{ objectives(first: 9) {{ nodes {{ {wanted} }} }} }}")
    statuses = [node["status"] for node in shown["objectives"]["nodes"]]
    assert statuses == ["ACTIVE", "ACTIVE", "ACTIVE", "REACHED"]
    assert shown["objectives"]["nodes"][0] == {
        "status": "ACTIVE", "dueOn": "2026-12-31", "kpis": [{**KPI, "dueOn": None}], "progress": [{"isReached": None}],
    }  # fmt: skip
