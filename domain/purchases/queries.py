"""How purchases are found, converted and added up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, Date, Uuid, bindparam, select, text

from domain.core.problems import NotFound
from domain.core.rounding import half_even, minor_per_unit
from domain.purchases import rules
from domain.purchases.model import (
    CustomerTotals,
    ExchangeRate,
    Invoice,
    Order,
    OrderLine,
    Product,
    ProductFamily,
    Refund,
    RefundLine,
)
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.unit_of_work import Reading


class OrderNotFound(NotFound):
    """There is no order with this id here. Check the id; one of another tenant gets the same answer."""


class FamilyNotFound(NotFound):
    """There is no product family with this key. Define it first."""


class ProductNotFound(NotFound):
    """There is no product with this stock code. Define it first."""


async def order(reading: Reading, order_id: UUID) -> Order:
    """The current version of an order. Raises OrderNotFound."""
    found = await reading.one(current_order(reading, order_id))
    if found is None:
        raise OrderNotFound(id=order_id)
    return found


def current_order(reading: Reading, order_id: UUID) -> Select[Order]:
    """The statement that finds the current version of an order."""
    return select(Order).where(
        Order.tenant_id == reading.tenant_id, Order.id == order_id, Order.superseded_at.is_(None)
    )  # fmt: skip


async def is_billed(reading: Reading, order_id: UUID) -> bool:
    """Whether an invoice bills an order."""
    invoice = select(Invoice.id).where(
        Invoice.tenant_id == reading.tenant_id, Invoice.id == order_id, Invoice.superseded_at.is_(None)
    )
    return await reading.one(invoice) is not None


async def order_versions(reading: Reading, order_id: UUID) -> Sequence[Order]:
    """Everything that was ever believed of an order, the latest first."""
    return await reading.all(
        select(Order)
        .where(Order.tenant_id == reading.tenant_id, Order.id == order_id)
        .order_by(Order.version.desc())
    )  # fmt: skip


async def order_lines(reading: Reading, of: Order) -> Sequence[OrderLine]:
    """The lines of one version of an order, in the order of the document."""
    return await reading.all(
        select(OrderLine)
        .where(
            OrderLine.tenant_id == reading.tenant_id, OrderLine.order_id == of.id, OrderLine.order_version == of.version
        )
        .order_by(OrderLine.position)
    )


async def refund_lines(reading: Reading, of: Refund) -> Sequence[RefundLine]:
    """The lines of one version of a refund, in the order of the document."""
    return await reading.all(
        select(RefundLine)
        .where(
            RefundLine.tenant_id == reading.tenant_id, RefundLine.refund_id == of.id,
            RefundLine.refund_version == of.version,
        )
        .order_by(RefundLine.position)
    )  # fmt: skip


async def products(reading: Reading, skus: Iterable[str]) -> Mapping[str, Product]:
    """The products that have these stock codes now, by stock code; those unknown are left out."""
    found = await reading.all(
        select(Product).where(
            Product.tenant_id == reading.tenant_id, Product.sku.in_(set(skus)), Product.valid_to.is_(None)
        )
    )
    return {product.sku: product for product in found}


async def family(reading: Reading, key: str) -> ProductFamily | None:
    """The product family with a key."""
    return await reading.one(
        select(ProductFamily).where(ProductFamily.tenant_id == reading.tenant_id, ProductFamily.key == key)
    )


async def customer_totals(reading: Reading, root_id: UUID) -> CustomerTotals | None:
    """The settled totals of a surviving customer; None for one who never bought."""
    return await reading.one(
        select(CustomerTotals).where(
            CustomerTotals.tenant_id == reading.tenant_id, CustomerTotals.customer_id == root_id
        )
    )


PURCHASE = """
    o.superseded_at IS NULL AND o.kind = 'SALE' AND o.status = 'COMPLETED'
        AND (o.amount <= 0 OR o.amount > coalesce((
            SELECT sum(f.amount) FROM refunds f
            WHERE f.tenant_id = :tenant AND f.order_id = o.id AND f.currency = o.currency AND f.superseded_at IS NULL
        ), 0))
"""
"""SQL: an order `o` that is a purchase: a completed sale that was not wholly refunded."""

# The customers are a list and no join: of a new tenant statistics know nothing, and the planner, who then expects one
# row, would go through the list, or the table, once for every row of the other.
PURCHASE_DAYS = f"""
    SELECT o.customer_id, o.local_day, count(*) AS orders, min(o.occurred_at) AS first_at, max(o.occurred_at) AS last_at
    FROM orders o
    WHERE o.tenant_id = :tenant AND o.customer_id = ANY(:members) AND {PURCHASE}
    GROUP BY o.customer_id, o.local_day
"""
"""SQL: the local days on which each of `:members` has completed sales that were not wholly refunded.

With the number of `orders`, and when the first and the last of them were. Each day is a purchase occasion; one of a
survivor is a day of any of its members.
"""

_OCCASIONS = text(f"""
WITH bought AS MATERIALIZED ({PURCHASE_DAYS})
SELECT root_id, array_agg(began_at ORDER BY began_at) AS moments
FROM (
    SELECT survivor.root_id, min(bought.first_at) AS began_at
    FROM bought
    CROSS JOIN LATERAL (
        SELECT root_id FROM customers WHERE tenant_id = :tenant AND id = bought.customer_id LIMIT 1
    ) AS survivor
    GROUP BY survivor.root_id, bought.local_day
) AS occasions
GROUP BY root_id
""").bindparams(bindparam("tenant", type_=Uuid()), bindparam("members", type_=ARRAY(Uuid())))


async def purchase_occasions(reading: Reading, members: Sequence[UUID]) -> dict[UUID, tuple[datetime, ...]]:
    """When each survivor bought, of whom these are all members: the first sale of each local day, in their order."""
    found = await reading.rows(_OCCASIONS, {"tenant": reading.tenant_id, "members": list(members)})
    return {row.root_id: tuple(row.moments) for row in found}


async def rate_of_day(reading: Reading, day: date, base: str, quote: str) -> ExchangeRate | None:
    """The rate recorded last for a day, this way round."""
    return await reading.one(
        select(ExchangeRate)
        .where(
            ExchangeRate.tenant_id == reading.tenant_id, ExchangeRate.base == base, ExchangeRate.quote == quote,
            ExchangeRate.day == day,
        )
        .order_by(ExchangeRate.recorded_at.desc(), ExchangeRate.id.desc())
        .limit(1)
    )  # fmt: skip


RATED = """
    SELECT base AS currency FROM exchange_rates WHERE tenant_id = :tenant AND quote = :into
    UNION SELECT quote FROM exchange_rates WHERE tenant_id = :tenant AND base = :into
"""
"""SQL: the currencies that have any rate with the currency `:into`."""


def conversion(document: str) -> str:
    """SQL for LATERAL: the amount of an order or refund (an alias) in the currency `:into`, as `minor`; no row without.

    The rate is that of the latest day up to the document's own; of that day the one recorded last. It may be recorded
    either way round: in 'EUR 1 = IRR 50,000' the six decimals of a rate say more than in its inverse. The product or
    quotient is exact until it is rounded, half-even, once.
    """
    return f"""
        SELECT CAST({half_even("exact.numerator", "exact.denominator")} AS bigint) AS minor
        FROM (
            SELECT {document}.amount * rate.times * {minor_per_unit(":into")} AS numerator,
                rate.divided_by * {minor_per_unit(f"{document}.currency")} AS denominator
            FROM (
                ({_latest(document, "rate", "1", f"base = {document}.currency AND quote = :into")})
                UNION ALL
                ({_latest(document, "1", "rate", f"base = :into AND quote = {document}.currency")})
            ) AS rate
            ORDER BY rate.day DESC, rate.recorded_at DESC, rate.id DESC
            LIMIT 1
        ) AS exact
    """


def _latest(document: str, times: str, divided_by: str, pair: str) -> str:
    return f"""
        SELECT day, recorded_at, id, {times} AS times, {divided_by} AS divided_by
        FROM exchange_rates
        WHERE tenant_id = :tenant AND {pair} AND day <= {document}.local_day
        ORDER BY day DESC, recorded_at DESC, id DESC
        LIMIT 1
    """


COUNTED_ORDER = "o.superseded_at IS NULL AND o.status = 'COMPLETED'"
"""SQL: an order `o` that totals count: a SALE in the gross amount, an ADJUSTMENT in the adjusted one."""

COUNTED_REFUND = "f.superseded_at IS NULL AND (o.id IS NULL OR o.status = 'COMPLETED')"
"""SQL: a refund `f` that totals count, with the current version of its order as `o` where that is known.

Where the order is not counted (cancelled or still open), neither is what was given back of it: nothing is taken off
twice.
"""

DAY_OF_REFUND = {
    rules.RevenueView.BOOKED: "coalesce(o.local_day, f.local_day)",
    rules.RevenueView.CASH: "f.local_day",
}
"""SQL: the day on which a refund `f` of an order `o` counts."""

_MEMBERS = """
    SELECT m.id
    FROM customers c JOIN customers m ON m.tenant_id = c.tenant_id AND m.root_id = c.root_id
    WHERE c.tenant_id = :tenant AND c.id = ANY(:customers)
"""


def _order_totals(view: rules.RevenueView, whose: bool) -> str:
    def counted(document: str, day: str) -> str:
        customer = f"AND {document}.customer_id IN ({_MEMBERS})" if whose else ""
        return f"""
            {document}.tenant_id = :tenant {customer}
            AND (CAST(:start AS date) IS NULL OR {day} >= :start) AND (CAST(:end AS date) IS NULL OR {day} < :end)
        """

    def amount(document: str) -> str:
        return f"""
            CASE WHEN {document}.currency = :into THEN {document}.amount
                WHEN {document}.base_currency = :into THEN {document}.base_amount
                ELSE ({conversion(document)}) END AS minor
        """

    return f"""
        SELECT part, count(*) AS documents, count(minor) AS converted, CAST(coalesce(sum(minor), 0) AS bigint) AS minor,
            min(occurred_at) AS first_at, max(occurred_at) AS last_at
        FROM (
            SELECT o.kind AS part, o.occurred_at, {amount("o")}
            FROM orders o
            WHERE {COUNTED_ORDER} AND {counted("o", "o.local_day")}
            UNION ALL
            SELECT 'REFUND', f.occurred_at, {amount("f")}
            FROM refunds f
            LEFT JOIN orders o ON o.tenant_id = :tenant AND o.id = f.order_id AND o.superseded_at IS NULL
            WHERE {COUNTED_REFUND} AND {counted("f", DAY_OF_REFUND[view])}
        ) AS documents
        GROUP BY part
    """


_EVERYONE = (False, [bindparam("tenant", type_=Uuid())])
_SOME = (True, [*_EVERYONE[1], bindparam("customers", type_=ARRAY(Uuid()))])
_BETWEEN = [bindparam("start", type_=Date()), bindparam("end", type_=Date())]


async def order_totals(
    reading: Reading,
    customer_ids: Sequence[UUID] | None = None,
    window: rules.Window = rules.ALL_TIME,
    currency: str | None = None,
    view: rules.RevenueView = rules.RevenueView.BOOKED,
) -> rules.OrderTotals:
    """What was ordered, given back and adjusted within some days, by the members of some customers or by anybody.

    In `currency`, the tenant's base currency when None: a document counts with its own amount, or the one settled
    for it, or at the rate of its day. Without a rate for one of them a sum is None and `missing` says so. Orders
    wholly refunded are among the orders here, as their amount is in the gross; they are no purchases all the same
    (`customer_totals`). Raises UnknownCurrency.
    """
    into = currency or (await tenants.tenant(reading)).base_currency
    whose, parameters = _EVERYONE if customer_ids is None else _SOME
    statement = text(_order_totals(view, whose)).bindparams(*parameters, *_BETWEEN)
    values = {"tenant": reading.tenant_id, "customers": customer_ids, "into": into}
    rows = await reading.rows(statement, {**values, "start": window.start, "end": window.end})
    return rules.add_up(
        {row.part: rules.Part(row.documents, row.converted, row.minor, row.first_at, row.last_at) for row in rows}, into
    )
