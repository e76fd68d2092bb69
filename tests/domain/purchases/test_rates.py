from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from domain import purchases
from domain.core.money import Money, minor_units
from domain.purchases import NewOrder, NewRefund, rules
from domain.purchases.model import ExchangeRate, Order
from domain.tenants import actions as tenants

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.problems import DomainError
    from tests.domain.conftest import Unchanged

NOON = datetime(2026, 5, 10, 12, tzinfo=UTC)
DAY = NOON.date()


async def buy(database: Database, tenant: UUID, total: str, currency: str, at: datetime = NOON) -> UUID:
    async with database.unit_of_work(tenant) as work:
        new = NewOrder(occurred_at=at, currency=currency, total=Decimal(total))
        return (await purchases.record_order(work, new)).id


async def rate(database: Database, tenant: UUID, day: date, base: str, quote: str, value: str) -> None:
    async with database.unit_of_work(tenant) as work:
        await purchases.record_rate(work, day, base, quote, Decimal(value))


async def base_amount(database: Database, tenant: UUID, order_id: UUID) -> tuple[int | None, str | None]:
    async with database.reading(tenant) as reading:
        order = await purchases.order(reading, order_id)
    return order.base_amount, order.base_currency


async def test_the_tenants_own_currency_needs_no_rate(database: Database, tenant: UUID) -> None:
    order = await buy(database, tenant, "12.34", "EUR")
    assert await base_amount(database, tenant, order) == (1234, "EUR")


async def test_a_document_waits_for_a_rate_and_gets_it_when_it_comes(database: Database, tenant: UUID) -> None:
    order = await buy(database, tenant, "10.00", "USD")
    assert await base_amount(database, tenant, order) == (None, None)
    await rate(database, tenant, DAY + timedelta(days=1), "USD", "EUR", "0.8")
    await rate(database, tenant, DAY, "GBP", "EUR", "1.2")
    assert await base_amount(database, tenant, order) == (None, None)
    await rate(database, tenant, DAY, "USD", "EUR", "0.9")
    assert await base_amount(database, tenant, order) == (900, "EUR")


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ([(-9, "USD", "EUR", "0.5"), (-1, "USD", "EUR", "0.9"), (1, "USD", "EUR", "0.1")], 900),  # the latest day
        ([(0, "USD", "EUR", "0.5"), (0, "USD", "EUR", "0.9")], 900),  # of that day the one recorded last
        ([(0, "USD", "EUR", "0.5"), (-1, "USD", "EUR", "0.9")], 500),  # the day counts before the recording
        ([(0, "EUR", "USD", "3")], 333),  # the other way round: 3.333...
        ([(0, "USD", "EUR", "0.5"), (0, "EUR", "USD", "4")], 250),  # the last one of the day, whichever way round
        ([(0, "EUR", "USD", "4"), (0, "USD", "EUR", "0.5")], 500),
    ],
)
async def test_the_rate_is_that_of_the_latest_day_recorded_last(
    database: Database, tenant: UUID, rates: list[tuple[int, str, str, str]], expected: int
) -> None:
    for after, base, quote, value in rates:
        await rate(database, tenant, DAY + timedelta(days=after), base, quote, value)
    order = await buy(database, tenant, "10.00", "USD")
    assert await base_amount(database, tenant, order) == (expected, "EUR")


@pytest.mark.parametrize(
    ("currency", "total", "quoted", "expected"),
    [
        ("JPY", "1005", ("EUR", "JPY", "160"), 628),  # 6.28125
        ("KWD", "1.005", ("KWD", "EUR", "3"), 302),  # 3.015: the tie goes to the even cent
        ("KWD", "1.015", ("KWD", "EUR", "3"), 304),  # 3.045
        ("USD", "0.01", ("USD", "EUR", "0.5"), 0),
        ("USD", "0.03", ("EUR", "USD", "2"), 2),
        ("IRR", "7500000", ("EUR", "IRR", "1000000"), 750),
    ],
)
async def test_minor_units_differ_and_ties_go_to_the_even_one(
    database: Database, tenant: UUID, currency: str, total: str, quoted: tuple[str, str, str], expected: int
) -> None:
    await rate(database, tenant, DAY, *quoted)
    order = await buy(database, tenant, total, currency)
    assert await base_amount(database, tenant, order) == (expected, "EUR")


@pytest.mark.anyio
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    minor=st.integers(0, 10**12),
    currency=st.sampled_from(["USD", "JPY", "KWD"]),
    value=st.decimals("0.000001", "1000", places=6),
    inverse=st.booleans(),
)
@example(minor=10**12, currency="KWD", value=Decimal("0.000003"), inverse=True)
async def test_a_conversion_is_exact_until_it_is_rounded(
    database: Database, minor: int, currency: str, value: Decimal, *, inverse: bool
) -> None:
    slug = f"t{uuid4().hex[:20]}"
    tenant = await tenants.create_tenant(database, tenants.NewTenant(slug=slug, name=slug))
    await rate(database, tenant, DAY, *(("EUR", currency) if inverse else (currency, "EUR")), str(value))
    order = await buy(database, tenant, str(Money.of_minor(minor, currency).amount), currency)
    times = 1 / Fraction(value) if inverse else Fraction(value)
    expected = round(minor * times * 100 / 10 ** minor_units(currency))
    assert await base_amount(database, tenant, order) == (expected, "EUR")


async def test_an_amount_that_was_published_stands_and_a_new_version_gets_the_corrected_rate(
    database: Database, tenant: UUID
) -> None:
    await rate(database, tenant, DAY, "USD", "EUR", "0.5")
    order = await buy(database, tenant, "10.00", "USD")
    await rate(database, tenant, DAY, "USD", "EUR", "0.9")
    assert await base_amount(database, tenant, order) == (500, "EUR")
    async with database.unit_of_work(tenant) as work:
        again = NewOrder(occurred_at=NOON, currency="USD", total=Decimal("10.00"), number="corrected")
        assert (await purchases.change_order(work, order, 1, again)).base_amount == 900
    async with database.reading(tenant) as reading:
        kept = await reading.all(
            select(Order.base_amount).where(Order.tenant_id == tenant).order_by(Order.version)
        )  # fmt: skip
    assert kept == [500, 900]


async def test_refunds_are_converted_at_their_own_day(database: Database, tenant: UUID) -> None:
    await rate(database, tenant, DAY, "USD", "EUR", "0.5")
    await rate(database, tenant, DAY + timedelta(days=1), "USD", "EUR", "0.9")
    order = await buy(database, tenant, "10.00", "USD")
    async with database.unit_of_work(tenant) as work:
        at = NOON + timedelta(days=1)
        new = NewRefund(occurred_at=at, currency="USD", total=Decimal("10.00"), order_id=order)
        assert (await purchases.record_refund(work, new)).base_amount == 900


async def test_another_tenants_rates_are_not_used(database: Database, tenant: UUID, other_tenant: UUID) -> None:
    await rate(database, other_tenant, DAY, "USD", "EUR", "0.5")
    order = await buy(database, tenant, "10.00", "USD")
    assert await base_amount(database, tenant, order) == (None, None)


async def test_the_same_rate_again_writes_nothing(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    await rate(database, tenant, DAY, "USD", "EUR", "0.5")
    async with unchanged():
        await rate(database, tenant, DAY, "USD", "EUR", "0.50")
    await rate(database, tenant, DAY, "USD", "EUR", "0.6")
    await rate(database, tenant, DAY, "USD", "EUR", "0.5")
    async with database.reading(tenant) as reading:
        kept = await reading.all(
            select(ExchangeRate.rate).where(ExchangeRate.tenant_id == tenant).order_by(ExchangeRate.recorded_at)
        )
    assert kept == [Decimal("0.5"), Decimal("0.6"), Decimal("0.5")]


@pytest.mark.parametrize(
    ("quote", "value", "problem"), [("USD", "1", rules.SameCurrency), ("EUR", "0", rules.RateNotPositive)]
)
async def test_a_bad_rate_changes_nothing(
    database: Database, tenant: UUID, unchanged: Unchanged, quote: str, value: str, problem: type[DomainError]
) -> None:
    async with unchanged():
        with pytest.raises(problem):
            await rate(database, tenant, DAY, "USD", quote, value)
