from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

import pytest
from sqlalchemy import update

from domain import purchases
from domain.core.money import Money, UnknownCurrency
from domain.customers.model import Customer
from domain.purchases import NewOrder, NewRefund, RevenueView, Window
from domain.purchases.model import OrderKind, OrderStatus
from domain.purchases.rules import MissingReason

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from tests.domain.conftest import NewCustomer

MAY = datetime(2026, 5, 10, 12, tzinfo=UTC)
JUNE = datetime(2026, 6, 10, 12, tzinfo=UTC)
IN_MAY, IN_JUNE = Window(date(2026, 5, 1), date(2026, 6, 1)), Window(date(2026, 6, 1), date(2026, 7, 1))


def euros(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


class Shop(NamedTuple):
    """Two customers (the second was merged into the first), a third one, and nobody known."""

    tenant: UUID
    survivor: UUID
    merged: UUID
    other: UUID


@pytest.fixture
async def shop(database: Database, tenant: UUID, new_customer: NewCustomer) -> Shop:
    """May: 100 and 60 by the merged pair, 7 by the other, 5 by nobody, an adjustment of -3, one open, one cancelled.

    June: 40 of the 100 are given back, 10 of no known order, 9 of the cancelled one.
    """
    survivor, merged, other = await new_customer(), await new_customer(), await new_customer()
    async with database.unit_of_work(tenant) as work:

        async def order(total: int, customer: UUID | None, at: datetime = MAY, **more: object) -> UUID:
            new = NewOrder(occurred_at=at, currency="EUR", total=Decimal(total), customer_id=customer, **more)  # type: ignore[arg-type]
            return (await purchases.record_order(work, new)).id

        async def refund(total: int, customer: UUID | None, of: UUID | None = None) -> None:
            new = NewRefund(occurred_at=JUNE, currency="EUR", total=Decimal(total), customer_id=customer, order_id=of)
            await purchases.record_refund(work, new)

        partly = await order(100, survivor)
        await order(60, merged, MAY + timedelta(hours=1))
        await order(7, other)
        await order(5, None)
        await order(-3, survivor, kind=OrderKind.ADJUSTMENT)
        await order(1000, survivor, status=OrderStatus.OPEN)
        cancelled = await order(9, survivor, status=OrderStatus.CANCELLED)
        await refund(40, survivor, partly)
        await refund(10, merged)
        await refund(9, survivor, cancelled)
        await work.execute(
            update(Customer).where(Customer.tenant_id == tenant, Customer.id == merged).values(root_id=survivor)
        )
    return Shop(tenant, survivor, merged, other)


async def totals(
    database: Database, shop: Shop, customers: list[UUID] | None = None, window: Window | None = None,
    view: RevenueView = RevenueView.BOOKED,
) -> purchases.OrderTotals:  # fmt: skip
    async with database.reading(shop.tenant) as reading:
        return await purchases.order_totals(reading, customers, window or Window(), view=view)


async def test_totals_of_everybody(database: Database, shop: Shop) -> None:
    whole = await totals(database, shop)
    assert (whole.orders, whole.refunds, whole.adjustments) == (4, 2, 1)
    assert (whole.gross, whole.refunded, whole.adjusted) == (euros("172.00"), euros("50.00"), euros("-3.00"))
    assert (whole.net, whole.average) == (euros("119.00"), euros("43.00"))
    assert (whole.first_at, whole.last_at, whole.missing) == (MAY, MAY + timedelta(hours=1), None)


async def test_totals_of_a_customer_are_those_of_all_its_members(database: Database, shop: Shop) -> None:
    for who in ([shop.survivor], [shop.merged], [shop.merged, shop.survivor]):
        own = await totals(database, shop, who)
        assert (own.orders, own.refunds, own.adjustments) == (2, 2, 1)
        assert (own.gross, own.net, own.average) == (euros("160.00"), euros("107.00"), euros("80.00"))
    assert (await totals(database, shop, [shop.other])).net == euros("7.00")
    assert (await totals(database, shop, [])).missing == MissingReason.NO_ORDERS


async def test_booked_a_refund_counts_on_the_day_of_its_order(database: Database, shop: Shop) -> None:
    may, june = await totals(database, shop, window=IN_MAY), await totals(database, shop, window=IN_JUNE)
    assert (may.refunds, may.refunded, may.net) == (1, euros("40.00"), euros("129.00"))
    assert (june.orders, june.refunds, june.refunded, june.net) == (0, 1, euros("10.00"), euros("-10.00"))
    assert (june.average, june.missing) == (None, MissingReason.NO_ORDERS)


async def test_as_cash_a_refund_counts_on_its_own_day(database: Database, shop: Shop) -> None:
    may = await totals(database, shop, window=IN_MAY, view=RevenueView.CASH)
    june = await totals(database, shop, window=IN_JUNE, view=RevenueView.CASH)
    assert (may.refunds, may.net) == (0, euros("169.00"))
    assert (june.refunds, june.refunded, june.net) == (2, euros("50.00"), euros("-50.00"))


async def test_a_window_is_half_open(database: Database, shop: Shop) -> None:
    day = MAY.date()
    assert (await totals(database, shop, window=Window(day, day + timedelta(days=1)))).orders == 4
    assert (await totals(database, shop, window=Window(None, day))).orders == 0
    assert (await totals(database, shop, window=Window(day + timedelta(days=1), None))).orders == 0


async def test_a_wholly_refunded_order_is_in_the_gross_but_no_purchase(
    database: Database, shop: Shop, new_customer: NewCustomer
) -> None:
    who = await new_customer()
    async with database.unit_of_work(shop.tenant) as work:
        order = await purchases.record_order(
            work, NewOrder(occurred_at=MAY, currency="EUR", total=Decimal(8), customer_id=who)
        )
        for part in (5, 3):
            assert await purchases.customer_totals(work, who) is not None
            await purchases.record_refund(
                work, NewRefund(occurred_at=JUNE, currency="EUR", total=Decimal(part), order_id=order.id)
            )
    own = await totals(database, shop, [who])
    assert (own.orders, own.gross, own.refunded, own.net) == (1, euros("8.00"), euros("8.00"), euros("0.00"))
    async with database.reading(shop.tenant) as reading:
        assert await purchases.customer_totals(reading, who) is None


async def test_a_document_without_a_rate_is_said_and_another_currency_can_be_asked_for(
    database: Database, tenant: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        for currency, total in (("EUR", "10.00"), ("USD", "3.00")):
            new = NewOrder(occurred_at=MAY, currency=currency, total=Decimal(total))
            await purchases.record_order(work, new)
    async with database.reading(tenant) as reading:
        unknown = await purchases.order_totals(reading)
    assert (unknown.orders, unknown.gross, unknown.net) == (2, None, None)
    assert (unknown.average, unknown.missing) == (None, MissingReason.NO_RATE)
    assert unknown.adjusted == euros("0.00")
    async with database.unit_of_work(tenant) as work:
        await purchases.record_rate(work, MAY.date(), "EUR", "USD", Decimal("1.5"))
        await purchases.record_rate(work, MAY.date(), "EUR", "JPY", Decimal(160))
    async with database.reading(tenant) as reading:
        assert (await purchases.order_totals(reading)).gross == euros("12.00")
        assert (await purchases.order_totals(reading, currency="USD")).gross == Money(Decimal("18.00"), "USD")
        in_yen = await purchases.order_totals(reading, currency="JPY")
        assert (in_yen.gross, in_yen.missing) == (None, MissingReason.NO_RATE)  # USD has no rate with JPY
        with pytest.raises(UnknownCurrency):
            await purchases.order_totals(reading, currency="XXQ")


async def test_another_tenants_customer_has_no_totals(database: Database, shop: Shop, other_tenant: UUID) -> None:
    async with database.reading(other_tenant) as reading:
        assert (await purchases.order_totals(reading, [shop.survivor])).orders == 0
