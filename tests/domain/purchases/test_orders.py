from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import anyio
import pytest
from sqlalchemy import select, text

from domain import interactions, purchases
from domain.core.audit import AuditEntry
from domain.core.clock import NoTimeZone
from domain.core.events import OutboxEvent
from domain.core.money import CurrenciesDiffer, UnknownCurrency
from domain.core.problems import DomainError, StaleVersion
from domain.purchases import NewLine, NewOrder, NewRefund, queries, rules
from domain.purchases.model import Order, OrderKind, OrderStatus, Product, Refund, RefundLine

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.domain.conftest import NewCustomer, Unchanged

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
TEHRAN = timezone(timedelta(hours=3, minutes=30))
BOUGHT = NewOrder(
    occurred_at=NOON, currency="EUR", number="1001", channel="Web", campaign_key="spring",
    lines=(
        NewLine(Decimal(3), Decimal("19.99"), "TEA", "Tea", discount=Decimal(5), tax=Decimal("4.39"), cost=Decimal(20)),
        NewLine(Decimal("0.5"), Decimal("0.01"), "BAG"),
    ),
)  # fmt: skip


async def record(database: Database, tenant: UUID, new: NewOrder) -> Order:
    async with database.unit_of_work(tenant) as work:
        return await purchases.record_order(work, new)


async def refund(database: Database, tenant: UUID, new: NewRefund) -> Refund:
    async with database.unit_of_work(tenant) as work:
        return await purchases.record_refund(work, new)


async def test_an_order_is_kept_with_its_lines_and_products(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    customer = await new_customer()
    order = await record(database, tenant, replace(BOUGHT, customer_id=customer))
    assert (order.version, order.number, order.customer_id) == (1, "1001", customer)
    assert (order.kind, order.status, order.channel, order.campaign_key) == ("SALE", "COMPLETED", "Web", "spring")
    assert (order.occurred_at, order.local_day, order.superseded_at) == (NOON, date(2026, 5, 1), None)
    assert (order.amount, order.units, order.line_count) == (5497, Decimal("3.5"), 2)
    assert (order.currency, order.base_amount, order.base_currency) == ("EUR", 5497, "EUR")
    async with database.reading(tenant) as reading:
        tea, bag = await queries.order_lines(reading, order)
        products = await queries.products(reading, ["TEA", "BAG", "CUP"])
    assert (tea.position, tea.product_id, tea.description) == (1, products["TEA"].id, "Tea")
    assert (tea.quantity, tea.unit_price, tea.discount) == (Decimal(3), Decimal("19.99"), 500)
    assert (tea.tax, tea.amount, tea.cost_amount) == (439, 5497, 2000)
    assert (bag.position, bag.product_id, bag.amount, bag.cost_amount) == (2, products["BAG"].id, 0, None)
    assert {(product.sku, product.name, product.valid_from) for product in products.values()} == {
        ("TEA", None, NOON),
        ("BAG", None, NOON),
    }


async def test_an_order_is_told_of_and_stands_on_the_timeline(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    customer = await new_customer()
    order = await record(database, tenant, replace(BOUGHT, customer_id=customer))
    async with database.reading(tenant) as reading:
        [placed] = await interactions.timeline(reading, customer)
        events = await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant).order_by(OutboxEvent.id))
        deeds = await reading.all(
            select(AuditEntry.action).where(AuditEntry.tenant_id == tenant).order_by(AuditEntry.position)
        )
    assert (placed.id, placed.kind, placed.family, placed.channel) == (order.id, "ORDER_PLACED", "COMMERCE", "WEB")
    assert (placed.occurred_at, placed.correlation_key, placed.campaign_key) == (NOON, order.id.hex, "spring")
    assert placed.payload == {"order_id": str(order.id), "number": "1001", "amount": "54.97", "currency": "EUR"}
    assert [(event.name, event.subject) for event in events] == [
        ("interactions.InteractionRecorded", order.id),
        ("purchases.OrderRecorded", order.id),
    ]
    assert events[1].body == {"customer_id": customer.hex, "version": 1, "status": "COMPLETED"}
    assert deeds == ["tenants.create", "interactions.record", "orders.record"]


async def test_an_order_may_stand_without_a_customer_and_without_lines(database: Database, tenant: UUID) -> None:
    new = NewOrder(occurred_at=NOON, currency="EUR", total=Decimal("11.77"), units=Decimal(2))
    order = await record(database, tenant, new)
    assert (order.customer_id, order.amount, order.units, order.line_count) == (None, 1177, Decimal(2), 0)
    async with database.reading(tenant) as reading:
        placed = await interactions.interaction(reading, order.id)
    assert (placed.customer_id, placed.kind) == (None, "ORDER_PLACED")


async def test_an_adjustment_may_be_negative_and_is_no_purchase(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    customer = await new_customer()
    new = NewOrder(
        occurred_at=NOON, currency="EUR", customer_id=customer, kind=OrderKind.ADJUSTMENT, total=Decimal(-5)
    )  # fmt: skip
    order = await record(database, tenant, new)
    async with database.reading(tenant) as reading:
        [adjusted] = await interactions.timeline(reading, customer)
        assert await purchases.customer_totals(reading, customer) is None
    assert (order.amount, adjusted.kind) == (-500, "ORDER_ADJUSTED")


async def test_a_change_is_a_new_version_and_the_earlier_one_stays_readable(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    before, after = await new_customer(), await new_customer()
    external = purchases.External(UUID(int=9), "inv-1")
    order = await record(database, tenant, replace(BOUGHT, customer_id=before, external=external))
    corrected = replace(BOUGHT, customer_id=after, lines=BOUGHT.lines[:1], occurred_at=NOON + timedelta(days=1))
    async with database.unit_of_work(tenant) as work:
        changed = await purchases.change_order(work, order.id, 1, corrected)
    assert (changed.id, changed.version, changed.customer_id) == (order.id, 2, after)
    assert (changed.units, changed.line_count, changed.local_day) == (Decimal(3), 1, date(2026, 5, 2))
    assert (changed.integration_id, changed.remote_id, changed.base_amount) == (UUID(int=9), "inv-1", 5497)
    async with database.reading(tenant) as reading:
        latest, first = await queries.order_versions(reading, order.id)
        assert (latest.version, latest.superseded_at) == (2, None)
        assert (first.version, first.superseded_at, first.units) == (1, latest.recorded_at, Decimal("3.5"))
        assert [len(await queries.order_lines(reading, version)) for version in (latest, first)] == [1, 2]
        assert await interactions.timeline(reading, before) == []
        [placed] = await interactions.timeline(reading, after)
        assert await purchases.customer_totals(reading, before) is None
        totals = await purchases.customer_totals(reading, after)
    assert (placed.id, placed.revision, placed.occurred_at) == (order.id, 2, NOON + timedelta(days=1))
    assert totals is not None
    assert (totals.occasions, totals.orders, totals.first_at) == (1, 1, NOON + timedelta(days=1))


async def test_the_same_again_makes_no_version(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    order = await record(database, tenant, BOUGHT)
    as_others_write_it = replace(
        BOUGHT, occurred_at=NOON.astimezone(TEHRAN), total=Decimal("54.970"),
        lines=(replace(BOUGHT.lines[0], quantity=Decimal("3.00")), BOUGHT.lines[1]),
    )  # fmt: skip
    async with unchanged(), database.unit_of_work(tenant) as work:
        assert (await purchases.change_order(work, order.id, 1, as_others_write_it)).version == 1


async def test_a_cancelled_order_says_the_same_and_is_no_purchase(
    database: Database, tenant: UUID, new_customer: NewCustomer, unchanged: Unchanged
) -> None:
    customer = await new_customer()
    order = await record(database, tenant, replace(BOUGHT, customer_id=customer))
    async with database.unit_of_work(tenant) as work:
        cancelled = await purchases.cancel_order(work, order.id, 1)
        at = work.now
    assert (cancelled.version, cancelled.status, cancelled.amount) == (2, "CANCELLED", 5497)
    assert (cancelled.number, cancelled.base_amount, cancelled.recorded_at) == ("1001", 5497, at)
    async with database.reading(tenant) as reading:
        lines = [
            [(line.position, line.product_id, line.amount) for line in await queries.order_lines(reading, version)]
            for version in (order, cancelled)
        ]
        story = [(one.kind, one.occurred_at) for one in await interactions.timeline(reading, customer)]
        assert await purchases.customer_totals(reading, customer) is None
    assert lines[0] == lines[1]
    assert len(lines[0]) == 2
    assert story == [("ORDER_CANCELLED", at), ("ORDER_PLACED", NOON)]
    async with unchanged(), database.unit_of_work(tenant) as work:
        assert (await purchases.cancel_order(work, order.id, 2)).version == 2
        unchanged_too = replace(BOUGHT, customer_id=customer, status=OrderStatus.CANCELLED)
        assert (await purchases.change_order(work, order.id, 2, unchanged_too)).version == 2


async def test_a_cancelled_order_can_be_taken_up_again(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    again = replace(BOUGHT, customer_id=await new_customer())
    order = await record(database, tenant, again)
    async with database.unit_of_work(tenant) as work:
        await purchases.cancel_order(work, order.id, 1)
        assert (await purchases.change_order(work, order.id, 2, again)).version == 3
    async with database.reading(tenant) as reading:
        totals = await purchases.customer_totals(reading, again.customer_id or order.id)
    assert totals is not None
    assert (totals.occasions, totals.orders) == (1, 1)


async def test_a_refund_has_its_orders_customer_and_place_on_the_timeline(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:
    customer = await new_customer()
    order = await record(database, tenant, replace(BOUGHT, customer_id=customer))
    given_back = await refund(
        database, tenant,
        NewRefund(
            occurred_at=NOON + timedelta(days=3), currency="EUR", order_id=order.id, number="R1", reason="too many",
            lines=(NewLine(Decimal(1), Decimal("19.99"), "TEA"),),
        ),
    )  # fmt: skip
    assert (given_back.order_id, given_back.customer_id, given_back.reason) == (order.id, customer, "too many")
    assert (given_back.amount, given_back.units, given_back.base_amount) == (1999, Decimal(1), 1999)
    async with database.reading(tenant) as reading:
        refunded, _ = await interactions.timeline(reading, customer)
        [line] = await reading.all(select(RefundLine).where(RefundLine.tenant_id == tenant))
        products = await queries.products(reading, ["TEA"])
        events = await reading.all(
            select(OutboxEvent).where(OutboxEvent.tenant_id == tenant, OutboxEvent.name == "purchases.RefundRecorded")
        )
    assert (refunded.id, refunded.kind, refunded.correlation_key) == (given_back.id, "ORDER_REFUNDED", order.id.hex)
    assert refunded.payload == {
        "order_id": str(order.id), "refund_id": str(given_back.id), "number": "R1", "amount": "19.99",
        "currency": "EUR",
    }  # fmt: skip
    assert (line.position, line.product_id, line.amount) == (1, products["TEA"].id, 1999)
    assert [(event.subject, event.body) for event in events] == [
        (given_back.id, {"customer_id": customer.hex, "order_id": order.id.hex})
    ]


async def test_a_refund_may_stand_without_an_order_and_without_a_customer(database: Database, tenant: UUID) -> None:
    given_back = await refund(database, tenant, NewRefund(occurred_at=NOON, currency="EUR", total=Decimal(7)))
    assert (given_back.order_id, given_back.customer_id, given_back.amount) == (None, None, 700)


BAD: list[tuple[dict[str, Any], type[DomainError]]] = [
    ({"customer_id": UUID(int=1)}, interactions.CustomerNotFound),
    ({"currency": "XXQ"}, UnknownCurrency),
    ({"occurred_at": NOON.replace(tzinfo=None)}, NoTimeZone),
    ({"total": Decimal(1)}, rules.TotalDiffers),
    ({"units": Decimal(1)}, rules.UnitsWithLines),
    ({"lines": ()}, rules.TotalMissing),
    ({"lines": (), "total": Decimal("0.001")}, rules.TooPrecise),
    ({"lines": (), "total": Decimal(-1)}, rules.NegativeAmount),
    ({"lines": (NewLine(Decimal("NaN"), Decimal(1), "NEW"),)}, rules.NotANumber),
]


@pytest.mark.parametrize(("spoilt", "problem"), BAD)
async def test_bad_input_changes_nothing(
    database: Database, tenant: UUID, unchanged: Unchanged, spoilt: dict[str, Any], problem: type[DomainError]
) -> None:
    order = await record(database, tenant, BOUGHT)
    async with unchanged():
        with pytest.raises(problem):
            await record(database, tenant, replace(BOUGHT, **spoilt))
        with pytest.raises(problem):
            async with database.unit_of_work(tenant) as work:
                await purchases.change_order(work, order.id, 1, replace(BOUGHT, **spoilt))
        whole = {"occurred_at": NOON, "currency": "EUR", "lines": BOUGHT.lines}
        with pytest.raises(problem):
            await refund(database, tenant, NewRefund(**{**whole, **spoilt}))


async def test_a_refund_that_does_not_fit_its_order_is_refused(
    database: Database, tenant: UUID, new_customer: NewCustomer, unchanged: Unchanged
) -> None:
    owner, other = await new_customer(), await new_customer()
    order = await record(database, tenant, replace(BOUGHT, customer_id=owner))
    fits = NewRefund(occurred_at=NOON, currency="EUR", order_id=order.id, customer_id=owner, total=Decimal(1))
    async with unchanged():
        for spoilt, problem in (
            (replace(fits, order_id=UUID(int=1)), purchases.OrderNotFound),
            (replace(fits, currency="USD"), CurrenciesDiffer),
            (replace(fits, customer_id=other), rules.RefundOfAnother),
        ):
            with pytest.raises(problem):
                await refund(database, tenant, spoilt)
    assert (await refund(database, tenant, fits)).customer_id == owner


async def test_a_stale_version_and_a_foreign_order_are_refused(
    database: Database, tenant: UUID, other_tenant: UUID, unchanged: Unchanged
) -> None:
    order = await record(database, tenant, BOUGHT)
    async with database.unit_of_work(tenant) as work:
        await purchases.change_order(work, order.id, 1, replace(BOUGHT, number="1002"))
    async with unchanged():
        for whose, of, version, problem in (
            (tenant, order.id, 1, StaleVersion),
            (tenant, order.id, 3, StaleVersion),
            (tenant, UUID(int=1), 1, purchases.OrderNotFound),
            (other_tenant, order.id, 2, purchases.OrderNotFound),
        ):
            with pytest.raises(problem):
                async with database.unit_of_work(whose) as work:
                    await purchases.change_order(work, of, version, replace(BOUGHT, number="1003"))
            with pytest.raises(problem):
                async with database.unit_of_work(whose) as work:
                    await purchases.cancel_order(work, of, version)


async def test_of_two_who_change_at_once_the_second_is_told(database: Database, tenant: UUID) -> None:
    order = await record(database, tenant, BOUGHT)
    outcome: list[str] = []

    async def change(number: str, hold: float) -> None:
        try:
            async with database.unit_of_work(tenant) as work:
                await purchases.change_order(work, order.id, 1, replace(BOUGHT, number=number))
                await anyio.sleep(hold)
            outcome.append(number)
        except StaleVersion:
            outcome.append("stale")

    async with anyio.create_task_group() as both:
        both.start_soon(change, "1002", 0.3)
        await anyio.sleep(0.1)
        both.start_soon(change, "1003", 0)
    assert sorted(outcome) == ["1002", "stale"]  # who of them hears first what became of it is not said


async def test_of_two_who_need_the_same_new_product_both_get_it(database: Database, tenant: UUID) -> None:
    async def buy(hold: float) -> None:
        async with database.unit_of_work(tenant) as work:
            await purchases.record_order(work, BOUGHT)
            await anyio.sleep(hold)

    async with anyio.create_task_group() as both:
        both.start_soon(buy, 0.2)
        both.start_soon(buy, 0)
    async with database.reading(tenant) as reading:
        skus = await reading.all(select(Product.sku).where(Product.tenant_id == tenant).order_by(Product.sku))
    assert skus == ["BAG", "TEA"]


@pytest.mark.parametrize("table", ["orders", "order_lines", "refunds", "refund_lines", "exchange_rates"])
async def test_the_history_cannot_be_rewritten(database: Database, tenant: UUID, table: str) -> None:
    for deed in (f"UPDATE {table} SET tenant_id = tenant_id", f"DELETE FROM {table}"):
        async with database.unit_of_work(tenant) as work:
            with pytest.raises(Exception, match="permission denied"):
                await work.execute(text(f"{deed} WHERE tenant_id = :t"), {"t": tenant})
