"""Recurring business: who stays under contract, what of the revenue stays, and which terms are renewed."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from domain.metrics.rules import Counting, Grain
from domain.purchases.rules import MissingReason, Window
from tests.domain.metrics.definitions.conftest import on

if TYPE_CHECKING:
    from tests.domain.metrics.definitions.conftest import Business


@pytest.fixture
async def contracts(business: Business) -> Business:
    """In May A grows, B shrinks, C pauses, D ends, E begins, F is in two contracts of which one ends."""
    await business.signed("A", ("START", "01-01", "100"), ("UPGRADE", "05-10", "150"))
    await business.signed("B", ("START", "01-01", "100"), ("DOWNGRADE", "05-10", "40"))
    await business.signed("C", ("START", "01-01", "50"), ("PAUSE", "05-10", None), ("RESUME", "06-10", "60"))
    await business.signed("D", ("START", "01-01", "70"), ("CANCEL", "05-31", None))
    await business.signed("E", ("START", "05-02", "1000"))
    await business.signed("F", ("START", "01-01", "20"), ("END", "05-15", None))
    await business.signed("F", ("START", "01-01", "30"))
    await business.settle()
    return business


async def test_retention_and_churn_add_up_to_one(contracts: Business) -> None:
    found = await contracts.measured("contract_retention", "contract_churn", "churned_customers")
    retention, churn = found["contract_retention"], found["contract_churn"]
    assert (retention.numerator, retention.denominator, retention.value) == (4, 5, Decimal("0.8"))
    assert (churn.numerator, churn.denominator, churn.value) == (1, 5, Decimal("0.2"))
    assert found["churned_customers"].value == 1
    spring = Window(on("01-01"), on("10-01"))
    kept, lost = [await contracts.course(f"contract_{key}", spring, Grain.MONTH) for key in ("retention", "churn")]
    assert [one + other for one, other in zip(kept, lost, strict=True)] == [1] * 9


async def test_a_short_gap_between_two_contracts_is_no_end(business: Business) -> None:
    await business.signed("A", ("START", "01-01", "10"), ("END", "05-28", None))
    await business.signed("A", ("START", "06-03", "20"))
    await business.signed("B", ("START", "01-01", "10"), ("END", "05-28", None))
    await business.settle()
    for gap, churned in ((0, 2), (5, 2), (6, 1)):
        found = await business.values("churned_customers", "net_revenue_retention", counting=Counting(contract_gap=gap))
        assert found == {"churned_customers": churned, "net_revenue_retention": 0}  # in the gap nothing is earned


async def test_gross_retention_never_grows_and_net_retention_does(contracts: Business) -> None:
    found = await contracts.measured("gross_revenue_retention", "net_revenue_retention")
    gross, net = found["gross_revenue_retention"], found["net_revenue_retention"]
    assert (gross.numerator, gross.denominator, gross.n) == (100_00 + 40_00 + 30_00, 370_00, 5)
    assert (net.numerator, net.denominator) == (150_00 + 40_00 + 30_00, 370_00)
    assert gross.value == Decimal("0.459459")
    year = Window(on("01-02"), on("09-02"))
    for key in ("gross_revenue_retention",):
        assert max(await contracts.course(key, year, Grain.WEEK)) <= 1
    june = await contracts.values("net_revenue_retention", window=Window(on("06-01"), on("07-01")))
    assert june == {"net_revenue_retention": Decimal("1.04918")}  # 60 euros more where 1,220 were


async def test_a_renewal_counts_by_the_day_on_which_it_was_due(business: Business) -> None:
    await business.signed("A", ("START", "01-01", "10"), ("RENEW", "05-15", "10"), term_ends_on=on("05-20"))
    await business.signed("B", ("START", "01-01", "10"), term_ends_on=on("05-20"))
    await business.signed("C", ("START", "01-01", "10"), ("CANCEL", "05-01", None), term_ends_on=on("05-20"))
    await business.signed("D", ("START", "01-01", "10"), ("RENEW", "05-25", "10"), term_ends_on=on("05-20"))
    await business.signed("E", ("START", "01-01", "10"), term_ends_on=on("06-01"))
    await business.settle()
    found = await business.measured("renewal_rate", "renewals")
    rate = found["renewal_rate"]
    assert (rate.numerator, rate.denominator, found["renewals"].value) == (1, 3, 2)
    june = await business.values("contract_churn", window=Window(on("05-19"), on("05-21")))
    assert june == {"contract_churn": Decimal("0.5")}  # B and D, of A, B, D and E


async def test_nobody_under_contract_is_no_zero(business: Business) -> None:
    await business.bought("A", "05-01")
    await business.settle()
    nothing = MissingReason.DENOMINATOR_ZERO
    assert await business.values("contract_retention", "gross_revenue_retention", "renewal_rate") == {
        "contract_retention": nothing, "gross_revenue_retention": nothing, "renewal_rate": nothing,
    }  # fmt: skip
