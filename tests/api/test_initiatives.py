"""Initiatives as a client meets them: planned, sealed, measured, reported, and refused with what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests import snapshots
from tests.api import initiating
from tests.api.business import Business, found

if TYPE_CHECKING:
    from uuid import UUID

    from api.engine import Engine
    from domain.core.database import Database
    from tests.conftest import Logins


@pytest.fixture
async def business(engine: Engine, database: Database, tenant: UUID) -> Business:
    return await found(engine, database, tenant)


@pytest.fixture
async def begun(business: Business, database: Database) -> dict[str, str]:
    return await initiating.begin(business, database)


async def read(business: Business, document: str, **variables: Any) -> Any:
    answer = await business.caller.answer(document, **variables)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


async def planned(business: Business, **more: Any) -> str:
    asked = {"name": "Calls", **initiating.PLAN, **more}
    made = await business.caller.do("createInitiative", asked, "initiative { id }")
    return str(made["initiative"]["id"])


async def test_a_sealed_one_shows_its_baseline_and_when_to_measure(business: Business, begun: dict[str, str]) -> None:
    shown = await read(
        business,
        """{ initiatives(first: 9) { totalCount nodes { name status tier chosenCustomers measurements { id } baseline {
        firstDay goLiveOn customers days treated selection isRetrospective questions
        waiting { earliestMeasurementOn preliminaryBeginBy finalOn flags gaps { repeatPurchasers medianGap } } } } } }
        """,
    )
    sealed, other = shown["initiatives"]["nodes"]
    assert (other["name"], other["status"], other["baseline"]) == ("Planned", "PLANNED", None)
    assert sealed == {
        "name": "Sealed", "status": "SEALED", "tier": "QUICK", "chosenCustomers": 0, "measurements": [],
        "baseline": {
            "firstDay": "2025-01-10", "goLiveOn": "2025-05-01", "customers": 1, "days": 3, "treated": 1,
            "selection": "EVERYONE", "isRetrospective": True,
            "questions": ["FREQUENCY", "RECENCY", "SIZE", "SERVICE_COST", "RESPONSE", "ACQUISITION_AND_RETENTION"],
            "waiting": {
                "earliestMeasurementOn": "2025-05-22", "preliminaryBeginBy": "2025-05-22", "finalOn": "2025-06-30",
                "flags": ["LOW_SAMPLE"], "gaps": {"repeatPurchasers": 1, "medianGap": 21},
            },
        },
    }  # fmt: skip


async def test_it_is_measured_and_told(business: Business, begun: dict[str, str]) -> None:
    wanted = """measurement { kind number tier overall method customers { treated } figuresAfter { occasions }
        answers { question verdict } comparisons { measure unit before { value numerator } change } report }"""
    measurement = (await business.caller.do("takeMeasurement", {"id": begun["sealed"]}, wanted))["measurement"]
    assert (measurement["kind"], measurement["number"], measurement["tier"]) == ("FINAL", 1, "QUICK")
    assert (measurement["overall"], measurement["method"]) == (None, "BEFORE_AFTER")
    assert (measurement["customers"], measurement["figuresAfter"]) == ({"treated": 1}, {"occasions": 1})
    assert {answer["verdict"] for answer in measurement["answers"]} == {None}
    size = next(each for each in measurement["comparisons"] if each["measure"] == "SIZE")
    assert size == {"measure": "SIZE", "unit": "MONEY", "before": {"value": 20, "numerator": 40}, "change": 0}
    assert measurement["report"].startswith("# Sealed\n")
    persian = "{ initiatives(first: 1) { nodes { measurements { report } } } }"
    told = (await business.caller.answer(persian, language="fa"))["data"]["initiatives"]["nodes"][0]
    assert "## پاسخ" in told["measurements"][0]["report"]


async def test_the_weeks_of_the_picture_are_figures(business: Business, begun: dict[str, str]) -> None:
    wanted = "measurement { weeks { number startsOn purchases amount { amount currency } anyway } }"
    found = (await business.caller.do("takeMeasurement", {"id": begun["sealed"]}, wanted))["measurement"]["weeks"]
    assert [week["number"] for week in found] == list(range(-8, 8))
    assert [(week["startsOn"], week["purchases"]) for week in found if week["purchases"]] == [
        ("2025-03-20", 1), ("2025-04-10", 1), ("2025-05-15", 1),
    ]  # fmt: skip
    bought = next(week for week in found if week["startsOn"] == "2025-05-15")
    assert (bought["number"], bought["amount"]) == (2, {"amount": "20.00", "currency": "EUR"})
    assert {week["anyway"] for week in found if week["number"] < 0} == {None}
    assert {week["anyway"] for week in found if week["number"] >= 0} == {2 * 7 / 60}


async def test_what_was_not_sealed_is_marked_and_leaves_the_final_answer_to_come(
    business: Business, begun: dict[str, str]
) -> None:
    asked = {**initiating.PLAN, "name": "One question", "questions": ["SIZE"]}
    made = (await business.caller.do("createInitiative", asked, "initiative { id questions }"))["initiative"]
    assert made["questions"] == ["SIZE"]
    await business.caller.do("sealBaseline", {"id": made["id"]})
    wanted = "measurement { kind overall flags tier answers { question verdict reason } }"
    exploring = {"id": made["id"], "questions": ["FREQUENCY"], "tier": "STANDARD"}
    found = (await business.caller.do("takeMeasurement", exploring, wanted))["measurement"]
    assert (found["kind"], found["tier"], found["overall"]) == ("EXPLORATORY", "STANDARD", None)
    assert "EXPLORATORY" in found["flags"]
    assert found["answers"] == [
        {"question": question, "verdict": None, "reason": "EXPLORATORY"} for question in ("FREQUENCY", "SIZE")
    ]
    final = (await business.caller.do("takeMeasurement", {"id": made["id"]}, wanted))["measurement"]
    assert (final["kind"], [each["question"] for each in final["answers"]]) == ("FINAL", ["SIZE"])
    refused = await business.caller.refused("takeMeasurement", {"id": made["id"], "segments": [f"seg_{'0' * 32}"]})
    assert refused["__typename"] == "NotFound"


async def test_of_a_sealed_one_the_name_can_change_and_nothing_else_has_to_be_repeated(
    business: Business, begun: dict[str, str]
) -> None:
    asked = {**initiating.PLAN, "name": "One question", "questions": ["SIZE"]}
    made = (await business.caller.do("createInitiative", asked, "initiative { id }"))["initiative"]["id"]
    await business.caller.do("sealBaseline", {"id": made})
    wanted = "initiative { name tier questions baselineDays }"
    renamed = await business.caller.do("updateInitiative", {"id": made, "version": 2, "name": "Size alone"}, wanted)
    assert renamed["initiative"] == {"name": "Size alone", "tier": "QUICK", "questions": ["SIZE"], "baselineDays": 60}
    refused = await business.caller.refused("updateInitiative", {"id": made, "version": 3, "questions": []})
    assert (refused["code"], refused["path"]) == ("ALREADY_SEALED", ["questions"])


SPENT = {"money": {"amount": "900.00", "currency": "EUR"}, "description": "Visits"}


async def test_what_it_costs_is_recorded_with_it(business: Business, begun: dict[str, str]) -> None:
    later = {"money": {"amount": "50.50", "currency": "EUR"}, "period": {"start": "2025-06-01", "end": "2025-07-01"}}
    made = await planned(business, costs=[SPENT, later])
    document = """query ($by: CostFilter) { costs(first: 9, filter: $by) { nodes {
        category total { amount currency } startsOn endsOn description initiative { id } } } }"""
    found = await read(business, document, by={"initiative": {"eq": made}})
    shared = {"category": "INITIATIVE", "initiative": {"id": made}}
    assert found["costs"]["nodes"] == [
        {**shared, "total": later["money"], "startsOn": "2025-06-01", "endsOn": "2025-07-01", "description": None},
        {**shared, "total": SPENT["money"], "startsOn": "2025-05-01", "endsOn": "2025-05-02", "description": "Visits"},
    ]  # fmt: skip


async def test_costs_that_cannot_be_recorded_leave_no_initiative(business: Business, logins: Logins) -> None:
    unknown = {**SPENT, "money": {"amount": "1", "currency": "CHF"}}
    plan = {"name": "Calls", **initiating.PLAN}
    async with snapshots.opened(logins) as tables, tables.nothing_changes():
        refused = await business.caller.refused("createInitiative", {**plan, "costs": [SPENT, unknown]})
        assert (refused["code"], refused["path"]) == ("NO_RATE_FOR_COST", ["costs", "1", "money", "currency"])
        unfit = business.caller.with_scopes(frozenset({"customers:write", "metrics:read"}))
        response = await unfit.respond("createInitiative", {**plan, "costs": [SPENT]})
        assert response["errors"][0]["extensions"] == {"code": "FORBIDDEN", "scope": "purchases:write"}
    assert (await unfit.payload("createInitiative", plan, "initiative { name }"))["initiative"] == {"name": "Calls"}


ALONE = """query ($initiative: ID!, $customer: ID!) {
    individualComparison(initiative: $initiative, customer: $customer) {
    state measurement currency beforeWindow { start end } afterWindow { start end }
    measures { measure unit change before { value mean percentile z } after { value } usual { low } alikeAfter } } }"""


async def test_a_customer_is_shown_beside_himself_and_the_mean(business: Business, begun: dict[str, str]) -> None:
    asked = {"initiative": begun["sealed"], "customer": business.acme}
    nothing = dict.fromkeys(("measurement", "currency", "beforeWindow", "afterWindow"))
    shown = await read(business, ALONE, **asked)
    assert shown["individualComparison"] == {**nothing, "state": "NOT_MEASURED", "measures": []}
    await business.caller.do("takeMeasurement", {"id": begun["sealed"]})
    found = (await read(business, ALONE, **asked))["individualComparison"]
    assert (found["state"], found["measurement"], found["currency"]) == ("COMPARED", 1, "EUR")
    assert (found["beforeWindow"]["start"], found["afterWindow"]) == (
        "2025-03-02", {"start": "2025-05-01", "end": "2025-06-30"},
    )  # fmt: skip
    size = next(each for each in found["measures"] if each["measure"] == "SIZE")
    assert size == {
        "measure": "SIZE", "unit": "MONEY", "change": 0, "after": {"value": 20}, "usual": None,
        "alikeAfter": None, "before": {"value": 20, "mean": 20, "percentile": 50, "z": None},
    }  # fmt: skip
    unsealed = await read(business, ALONE, initiative=begun["sealed"], customer=business.ada)
    assert unsealed["individualComparison"]["state"] == "NOT_SEALED"


async def test_nobody_sees_the_customers_or_initiatives_of_others(
    business: Business, begun: dict[str, str], engine: Engine, database: Database, other_tenant: UUID
) -> None:
    await business.caller.do("takeMeasurement", {"id": begun["sealed"]})
    other = await found(engine, database, other_tenant)
    for initiative, customer in (
        (begun["sealed"], other.acme), (begun["sealed"], business.acme), (f"ini_{'0' * 32}", other.acme),
    ):  # fmt: skip
        assert await read(other, ALONE, initiative=initiative, customer=customer) == {"individualComparison": None}
    wrong = await business.caller.answer(ALONE, initiative=business.acme, customer=business.acme)
    assert wrong["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
