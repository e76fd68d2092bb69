"""What was known at a moment gives the value of that moment, whatever was learnt since."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from domain import costs, customers, interactions, purchases
from domain.core.clock import SystemClock
from domain.costs import AllocationRule, CostCategory, NewCost
from domain.costs.model import CostEntry
from domain.customers import departments
from domain.customers.model import Customer
from domain.interactions import InteractionKind, NewInteraction
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.queries import customer_values
from domain.metrics.reading import snapshot
from domain.purchases import selling
from domain.purchases.contracts import ContractEventKind, NewEvent
from domain.purchases.rules import MissingReason, Window
from tests.domain.costs.conftest import catch_up
from tests.domain.metrics.definitions.conftest import MAY, at, on

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from tests.domain.metrics.definitions.conftest import Business

SPRING = {"campaign_key": "spring"}


async def _first(business: Business) -> dict[str, UUID]:
    """Something for every kind of figure."""
    made = {
        "order": await business.bought("A", "05-01"),
        "contract": await business.signed("B", ("START", "04-01", "10")),
    }
    await business.bought("A", "04-03")
    made["cost"] = await business.spent("ACQUISITION_SALES", "50", "05-01", "06-01")
    await business.offered("A", "05-02", "05-20", "WON")
    for kind, payload in (
        ("SURVEY", {"kind": "NPS", "score": 9}), ("REVIEW", {"rating": 5}), ("SOCIAL_MENTION", {"site": "forum"}),
        ("CASE_OPENED", {"case_id": "c1"}), ("CASE_RESOLVED", {"case_id": "c1"}),
        ("REFERRAL", {"referred_customer_id": business["C"]}),
    ):  # fmt: skip
        made[kind] = await business.happened("A", kind, at("05-05"), payload=payload)
    await business.happened("A", "EMAIL_SENT", at("05-05"), **SPRING)
    made["click"] = await business.happened("A", "EMAIL_CLICKED", at("05-06"), **SPRING)
    return made


async def _later(business: Business, made: dict[str, UUID]) -> None:
    """All of it is told otherwise."""
    async with business.database.unit_of_work(business.tenant) as work:
        await purchases.cancel_order(work, made["order"], 1)
        again = NewCost(
            category=CostCategory.ACQUISITION_SALES, amount=Decimal(70), currency="EUR", starts_on=on("05-01"),
            ends_on=on("06-01"),
        )  # fmt: skip
        await costs.change_cost(work, made["cost"], 1, again)
        events = [
            NewEvent(kind=ContractEventKind.START, occurred_at=at("04-01"), mrr=Decimal(10)),
            NewEvent(kind=ContractEventKind.END, occurred_at=at("05-03")),
        ]
        told = selling.NewContract(currency="EUR", events=events, customer_id=business["B"])
        await selling.record_contract(work, told, after=selling.Version(made["contract"], 1))
        for kind, payload in (("SURVEY", {"kind": "NPS", "score": 0}), ("REVIEW", {"rating": 1})):
            new = NewInteraction(InteractionKind(kind), at("05-05"), business["A"], payload=payload)
            await interactions.revise(work, made[kind], new)
        suspected = NewInteraction(
            InteractionKind.EMAIL_CLICKED, at("05-06"), business["A"], machine_suspected=True, campaign_key="spring"
        )
        await interactions.revise(work, made["click"], suspected)
    await business.happened("A", "CASE_REOPENED", at("05-07"), payload={"case_id": "c1"})
    await business.bought("C", "05-30")
    await business.offered("A", "05-02", "05-21", "LOST")


async def _all(business: Business, **asked: Any) -> dict[str, Any]:
    """Every metric with what it is made of."""
    found = await business.measured(*[each.key for each in CATALOGUE], window=MAY, **asked)
    return {key: (value.value, value.missing, value.numerator, value.denominator) for key, value in found.items()}


async def test_an_old_value_is_computed_again_as_it_was(business: Business) -> None:
    made = await _first(business)
    await business.settle()
    before, then = await _all(business), SystemClock().now()
    await _later(business, made)
    await business.settle()
    after = await _all(business)
    changed = {key for key in before if after[key] != before[key]}
    assert changed >= {
        "new_customers", "repeat_orders", "retention", "acquisition_cost", "win_rate_existing", "contract_churn", "nps",
        "positive_reviews", "resolution_time", "converted_referrals", "response_rate", "gross_revenue_retention",
    }  # fmt: skip
    assert await _all(business, as_of=then) == before


COSTS = ("costs", "allocated_costs", "unallocated_costs", "cost_to_serve", "retention_cost", "acquisition_cost")
WEEKS = Window(on("05-18"), on("06-04"))
"""Where it cuts a cost that is shared by time."""


async def _shared(business: Business) -> dict[str, UUID]:
    """A cost for every way in which it can be shared, and what each of them rests on."""
    async with business.database.unit_of_work(business.tenant) as work:
        for who, since in (("A", "01-01"), ("B", "01-01"), ("C", "05-10"), ("D", "05-25")):
            seen = update(Customer).where(Customer.tenant_id == business.tenant, Customer.id == business[who])
            await work.execute(seen.values(first_seen_at=at(since)))
        south = (await departments.define_department(work, "south", "South")).id
        for who in "AB":
            await departments.assign_department(work, business[who], south, at("05-12"))
    made = {"south": south}
    for who, day, euros in (("A", "05-02", "100"), ("B", "05-03", "50"), ("C", "05-14", "30"), ("B", "04-03", "10")):
        made[f"order of {who}"] = await business.bought(who, day, euros)
    for who, day in (("A", "05-05"), ("A", "05-06"), ("B", "05-05")):
        made[f"call of {who}"] = await business.happened(who, "CALL", at(day))
    await business.happened("B", "EMAIL_SENT", at("05-05"), **SPRING)
    await business.happened("C", "CASE_OPENED", at("05-20"), payload={"case_id": "c1"})
    for name, category, euros, period, says in (
        ("equal", "SERVICE", "100", ("05-01", "06-01"), {"rule": AllocationRule.EQUAL}),
        ("touch", "SERVICE", "10", ("05-01", "06-01"), {"rule": AllocationRule.BY_TOUCH}),
        ("revenue", "RETENTION_SALES", "70.01", ("05-01", "06-01"), {"rule": AllocationRule.BY_REVENUE}),
        ("time", "SERVICE", "31.07", ("05-20", "06-10"), {"rule": AllocationRule.BY_TIME}),
        ("case", "SERVICE", "9.99", ("05-20", "05-21"), {"case_key": "c1"}),
        ("campaign", "SERVICE", "5", ("05-01", "06-01"), {"rule": AllocationRule.EQUAL, "campaign_key": "spring"}),
        ("department", "SERVICE", "7", ("05-01", "06-01"), {"rule": AllocationRule.BY_TIME, "department_id": south}),
        ("named", "SERVICE", "3.33", ("05-01", "06-01"), {"customer_id": business["A"]}),
        ("nobody's", "ACQUISITION_SALES", "40", ("05-01", "06-01"), {}),
    ):  # fmt: skip
        made[name] = await business.spent(category, euros, *period, **says)
    await business.settle()
    await catch_up(business.database, business.tenant)
    return made


async def _shared_otherwise(business: Business, made: dict[str, UUID]) -> None:
    """What everything rests on changes: orders, calls, cases, departments, who is who, and the costs themselves."""
    await business.bought("D", "05-30", "500")
    for who in "CDD":
        await business.happened(who, "CALL", at("05-21"))
    await business.happened("E", "EMAIL_SENT", at("05-25"), **SPRING)
    await business.happened("F", "CASE_REOPENED", at("05-22"), payload={"case_id": "c1"})
    async with business.database.unit_of_work(business.tenant) as work:
        await purchases.cancel_order(work, made["order of A"], 1)
        await interactions.revise(
            work, made["call of B"], NewInteraction(InteractionKind.CALL, at("04-05"), business["B"])
        )
        await departments.assign_department(work, business["A"], None)
        await departments.assign_department(work, business["F"], made["south"])
        await customers.merge(work, business["A"], [business["B"]])
        again = NewCost(
            category=CostCategory.SERVICE, amount=Decimal(120), currency="EUR", starts_on=on("05-01"),
            ends_on=on("06-01"), rule=AllocationRule.BY_TOUCH,
        )  # fmt: skip
        await costs.change_cost(work, made["equal"], 1, again)
        await costs.delete_cost(work, made["time"], 1)
    await business.settle()
    await catch_up(business.database, business.tenant)


async def _costs(business: Business, as_of: datetime | None = None) -> Any:
    """What costs are, of all together and of each customer."""
    asked = {"as_of": as_of} if as_of else {}
    whole = [await business.values(*COSTS, window=window, **asked) for window in (MAY, WEEKS)]
    async with business.database.reading(business.tenant) as reading:
        here, roots = await snapshot(reading), list(business.people.values())
        each = (await customer_values(here, roots, ["cost_to_serve"], as_of)).by_customer
    return whole, {who: each[business[who]][0].value.value for who in "ABCD"}


async def test_who_bore_which_costs_is_worked_out_again_as_it_was(business: Business) -> None:
    made = await _shared(business)
    before, then = await _costs(business), SystemClock().now()
    (may, _), each = before
    # Of 31.07 over 21 days 17.76 lie in May, of 7.00 for a department 2.53 before anybody belonged to it.
    assert (may["costs"], may["allocated_costs"], may["unallocated_costs"]) == (263_09, 220_56, 42_53)
    # Equally, by 3, 3 and 2 touches of 8, by time, and what each bears besides.
    assert {who: float(value) for who, value in each.items() if value} == {
        "A": 25_00 + 3_75 + 8_39 + 2_24 + 3_33, "B": 25_00 + 3_75 + 8_38 + 2_23 + 5_00, "C": 25_00 + 2_50 + 8_38 + 9_99,
    }  # fmt: skip
    assert await _costs(business, then) == before
    await _shared_otherwise(business, made)
    after = await _costs(business)
    assert {key for key in COSTS if after[0][0][key] != may[key]} >= {"costs", "allocated_costs", "cost_to_serve"}
    assert all(after[1][who] != each[who] for who in "AC")
    assert await _costs(business, then) == before
    assert await _costs(business, SystemClock().now()) == after


async def test_a_cost_whose_rate_was_not_known_then_was_not_known_either(business: Business) -> None:
    async with business.database.unit_of_work(business.tenant) as work:
        dollars = CostEntry(
            id=work.ids(), version=1, category=CostCategory.SERVICE, starts_on=on("05-01"), ends_on=on("05-02"),
            currency="USD", amount=10_00, customer_id=business["A"], content_hash=b"", recorded_at=work.now,
        )  # fmt: skip
        work.add(dollars)
    then = SystemClock().now()
    async with business.database.unit_of_work(business.tenant) as work:
        await purchases.record_rate(work, on("05-01"), "USD", "EUR", Decimal("0.9"))
    await catch_up(business.database, business.tenant)
    keys = ("costs", "allocated_costs")
    assert await business.values(*keys) == {"costs": 9_00, "allocated_costs": 9_00}
    assert await business.values(*keys, as_of=then) == dict.fromkeys(keys, MissingReason.NO_RATE)
