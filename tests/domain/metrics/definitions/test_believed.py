"""What was known at a moment gives the value of that moment, whatever was learnt since."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain import costs, interactions, purchases
from domain.core.clock import SystemClock
from domain.costs import AllocationRule, CostCategory, NewCost
from domain.interactions import InteractionKind, NewInteraction
from domain.metrics.catalogue import CATALOGUE
from domain.purchases import selling
from domain.purchases.contracts import ContractEventKind, NewEvent
from domain.purchases.rules import MissingReason
from tests.domain.metrics.definitions.conftest import MAY, at, on

if TYPE_CHECKING:
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


async def test_how_costs_were_shared_once_is_not_known(business: Business) -> None:
    await business.spent("SERVICE", "9", "05-01", "05-02", customer_id=business["A"])
    keys, then = ("costs", "allocated_costs", "unallocated_costs"), SystemClock().now()
    told = {"costs": 9_00, "allocated_costs": 9_00, "unallocated_costs": 0}
    assert await business.values(*keys) == await business.values(*keys, as_of=then) == told
    await business.spent("SERVICE", "8", "05-01", "05-02", rule=AllocationRule.EQUAL)
    nothing = MissingReason.NO_DATA
    assert await business.values(*keys, as_of=SystemClock().now()) == {
        "costs": 17_00, "allocated_costs": nothing, "unallocated_costs": nothing,
    }  # fmt: skip
