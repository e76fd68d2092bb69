"""Purchases over GraphQL: orders, refunds, products, and their totals."""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import strawberry

from api import filters, ids
from api.expose import Node, amount, column, describe, expose, many, one, page_of
from api.reads.mapping import FILTERS, Argument, Condition
from api.reads.mapping import Order as By
from api.reads.plan import Sourcing
from api.scalars import CurrencyCode
from api.survivors import survivor
from domain.core.rounding import half_even
from domain.purchases import model, queries
from domain.purchases.rules import MissingReason, RevenueView

SCOPE = "purchases:read"


class OrderOrderField(StrEnum):
    """What orders can be sorted by."""

    ID = "ID"
    OCCURRED_AT = "OCCURRED_AT"


class OrderDirection(StrEnum):
    """From the smallest or from the greatest."""

    ASC = "ASC"
    DESC = "DESC"


describe(model.OrderKind, SALE="Something was bought.", ADJUSTMENT="The books were adjusted; no purchase.")
describe(model.OrderStatus)
describe(
    RevenueView,
    BOOKED="At the date of the order it belongs to, where that is known.",
    CASH="At the date of the refund itself.",
)
describe(
    MissingReason,
    NO_RATE="A document is in a currency without a rate on its day.",
    NO_ORDERS="There is no order, so there is no average.",
    NO_DATA="Nothing of the kind is known.",
    DENOMINATOR_ZERO="There is nothing to divide by.",
    TOO_FEW="There are fewer than the figure needs.",
    NO_COST="What something cost is not known.",
)
describe(OrderOrderField, ID="In the order in which they became known.", OCCURRED_AT="When they happened.")
describe(OrderDirection, ASC="The smallest first.", DESC="The greatest first.")


@strawberry.type(description="An amount of money in one currency.")
class Money:
    """An amount of money in one currency."""

    amount: Decimal = strawberry.field(description="The amount, with all decimal places of its currency.")
    currency: CurrencyCode = strawberry.field(description="The currency.")


@strawberry.input(description="A span of the tenant's calendar days, from its start up to but without its end.")
class WindowInput:
    """A span of calendar days."""

    start: date | None = strawberry.field(default=strawberry.UNSET, description="The first day of it.")
    end: date | None = strawberry.field(default=strawberry.UNSET, description="The first day after it.")


@strawberry.input(description="What orders are sorted by.")
class OrderOrderBy:
    """What orders are sorted by."""

    field: OrderOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="In which direction.")


@expose(model.ProductFamily, prefix="fam", scope=SCOPE)
class ProductFamily(Node):
    """Products that serve the same need."""

    key = column()
    name = column()


@expose(
    model.Product, prefix="prd", scope=SCOPE,
    by_id="products {t} where {t}.tenant_id = $1 and {t}.id = {k} and {t}.valid_to is null",
)  # fmt: skip
class Product(Node):
    """Something that is sold."""

    sku = column()
    name = column()
    tier_rank = column()
    family = one(
        "purchases.ProductFamily",
        "product_families {t} where {t}.tenant_id = $1 and {t}.id = {p}.family_id",
        description="The family it belongs to.",
    )


_PRODUCT = "products {t} where {t}.tenant_id = $1 and {t}.id = {p}.product_id and {t}.valid_to is null"


def _line(document: str, version: str) -> dict[str, Any]:
    """The fields of a line, whose money is in the currency of its document."""
    currency = (
        f"(select d.currency from {document} d where d.tenant_id = $1"
        f" and d.id = {{t}}.{version}_id and d.version = {{t}}.{version}_version)"
    )
    return {
        "amount": amount("{t}.amount", currency, null=False, description="Quantity by unit price, less the discount."),
        "discount": amount("{t}.discount", currency, null=False, description="What was taken off."),
        "tax": amount("{t}.tax", currency, null=False, description="The tax on it, not in the amount."),
        "cost": amount("{t}.cost_amount", currency, description="The cost of goods."),
        "product": one("purchases.Product", _PRODUCT, description="What was bought."),
    }


@expose(model.OrderLine, also=_line("orders", "order"))
class OrderLine:
    """A line of an order."""

    position = column()
    description = column()
    quantity = column()
    unit_price = column()


@expose(model.RefundLine, also=_line("refunds", "refund"))
class RefundLine:
    """A line of a refund; quantities and amounts count what was given back."""

    position = column()
    description = column()
    quantity = column()
    unit_price = column()


def _document(lines: str, link: str) -> dict[str, Any]:
    """The fields that every document has."""
    return {
        "number": column(),
        "version": column(),
        "occurred_at": column(),
        "recorded_at": column(),
        "units": column(),
        "line_count": column(),
        "total": amount("{t}.amount", "{t}.currency", null=False, description="The total of its lines."),
        "base_total": amount(
            "{t}.base_amount", "{t}.base_currency",
            description="The total in the tenant's base currency at the rate of its day; null without a rate.",
        ),
        "customer": one(
            "customers.Customer", survivor("{p}.customer_id"), description="Who bought; null where nobody is known."
        ),
        "lines": many(
            f"purchases.{lines}",
            f"{link}_lines {{t}} where {{t}}.tenant_id = $1 and {{t}}.{link}_version = (select d.version from {link}s d"
            f" where d.tenant_id = $1 and d.id = {{t}}.{link}_id and d.superseded_at is null)",
            orders={"POSITION": By("{t}.position", "number"), "ID": By("{t}.position", "number")},
            default=(("POSITION", False),), keys="{p}.id", link=f"{link}_id", description="Its lines.",
        ),
    }  # fmt: skip


@expose(
    model.Order, prefix="ord", scope=SCOPE, also=_document("OrderLine", "order"),
    by_id="orders {t} where {t}.tenant_id = $1 and {t}.id = {k} and {t}.superseded_at is null",
)  # fmt: skip
class Order(Node):
    """A purchase, or an adjustment of the books; shown in its current version."""

    kind = column(model.OrderKind)
    status = column(model.OrderStatus)
    channel = column()
    invoice = one(
        "invoices.Invoice", "invoices {t} where {t}.tenant_id = $1 and {t}.id = {p}.id and {t}.superseded_at is null",
        description="The invoice that bills it, where there is one.",
    )  # fmt: skip
    refunds = many(
        "purchases.Refund",
        "refunds {t} where {t}.tenant_id = $1 and {t}.superseded_at is null",
        orders={"OCCURRED_AT": By("{t}.occurred_at"), "ID": By("{t}.id", "id")},
        default=(("OCCURRED_AT", True),),
        keys="{p}.id",
        link="order_id",
        description="What was given back of it.",
    )


@expose(
    model.Refund, prefix="ref", scope=SCOPE, also=_document("RefundLine", "refund"),
    by_id="refunds {t} where {t}.tenant_id = $1 and {t}.id = {k} and {t}.superseded_at is null",
)  # fmt: skip
class Refund(Node):
    """Money given back; the order it refers to may be unknown."""

    reason = column()
    order = one(
        "purchases.Order",
        "orders {t} where {t}.tenant_id = $1 and {t}.id = {p}.order_id and {t}.superseded_at is null",
        description="The order that is refunded, where it is known.",
    )


OrderLineConnection = page_of(OrderLine, "lines")
RefundLineConnection = page_of(RefundLine, "lines")
OrderConnection = page_of(Order, "orders")
RefundConnection = page_of(Refund, "refunds")
ProductConnection = page_of(Product, "products")


def _totals(*, of_customer: bool) -> Any:
    """Where the totals of a customer, or of the whole tenant, come from."""

    def source(asked: Sourcing) -> str:
        currency = asked.planner.binds.token(asked.arguments["currency"]) if asked.has("currency") else None
        owner = " and {d}.customer_id = any({{p}}.member_ids)" if of_customer else ""
        orders = _documents(asked, "orders", "d", owner, currency, "OrderFilter", "d.local_day")
        booked = asked.choice("view") == RevenueView.BOOKED
        day = "coalesce(o.local_day, d.local_day)" if booked else "d.local_day"
        refunds = _documents(asked, "refunds", "d", owner, currency, "OrderFilter of refunds", day)
        base = f"coalesce({currency or 'null'}, (select b.base_currency from tenants b where b.tenant_id = $1))"
        return (
            "(select count(*) filter (where x.what = 'SALE') as orders,"
            " count(*) filter (where x.what = 'REFUND') as refunds,"
            " count(*) filter (where x.what = 'ADJUSTMENT') as adjustments,"
            " coalesce(sum(x.minor) filter (where x.what = 'SALE'), 0)::bigint as gross,"
            " coalesce(sum(x.minor) filter (where x.what = 'REFUND'), 0)::bigint as refunded,"
            " coalesce(sum(x.minor) filter (where x.what = 'ADJUSTMENT'), 0)::bigint as adjusted,"
            " count(*) filter (where x.minor is null) as unrated,"
            " min(x.occurred_at) filter (where x.what = 'SALE') as first_at,"
            " max(x.occurred_at) filter (where x.what = 'SALE') as last_at,"
            f" {base} as currency"
            f" from ({orders} union all {refunds}) x) {{t}}"
        )

    return source


def _documents(
    asked: Sourcing, table: str, alias: str, owner: str, currency: str | None, filter_name: str, day: str
) -> str:
    """The documents that totals count, each with its amount in the wanted currency."""
    sale = table == "orders"
    joined = "" if sale else (
        " left join orders o on o.tenant_id = $1 and o.id = d.order_id and o.superseded_at is null"
    )  # fmt: skip
    minor, converted = f"{alias}.base_amount", ""
    if currency is not None:
        rated = queries.conversion(alias).replace(":tenant", "$1").replace(":into", currency)
        converted = (
            f" left join lateral (select d.amount as minor where d.currency = {currency}"
            f" union all select d.base_amount where d.currency <> {currency} and d.base_currency = {currency}"
            f" union all select rated.minor from ({rated}) rated"
            f" where d.currency <> {currency} and d.base_currency is distinct from {currency}) r on true"
        )
        minor = "r.minor"
    counted = "d.status = 'COMPLETED'" if sale else "(o.id is null or o.status = 'COMPLETED')"
    window = "".join(
        f" and {day} {operator} {token}"
        for key, operator in (("start", ">="), ("end", "<"))
        if (token := asked.part("window", key, pg="date")) is not None
    )
    fitting = asked.conditions("filter", filter_name, alias) if "filter" in asked.spec.arguments else ""
    return (
        f"select {'d.kind' if sale else chr(39) + 'REFUND' + chr(39)} as what, {minor} as minor, d.occurred_at"
        f" from {table} d{joined}{converted} where d.tenant_id = $1 and d.superseded_at is null and {counted}"
        f"{owner.format(d=alias)}{window}{fitting}"
    )


def _money(name: str, words: str) -> Any:
    return amount(f"case when {{t}}.unrated = 0 then {{t}}.{name} end", "{t}.currency", description=words)


@expose()
class OrderTotals:
    """What orders and refunds add up to in one currency, at each document's date; a missing rate is said."""

    orders = column(int, sql="{t}.orders", description="How many completed sales.")
    refunds = column(int, sql="{t}.refunds", description="How many refunds.")
    adjustments = column(int, sql="{t}.adjustments", description="How many adjustments; they are no purchases.")
    gross = _money("gross", "The sum of the sales.")
    refunded = _money("refunded", "The sum of the refunds.")
    adjusted = _money("adjusted", "The sum of the adjustments.")
    net = amount(
        "case when {t}.unrated = 0 then {t}.gross - {t}.refunded + {t}.adjusted end", "{t}.currency",
        description="Gross less refunded plus adjusted.",
    )  # fmt: skip
    average = amount(
        f"case when {{t}}.unrated = 0 and {{t}}.orders > 0 then {half_even('{t}.gross', '{t}.orders')}::bigint end",
        "{t}.currency",
        description="Gross by the number of sales.",
    )
    first_at = column(datetime, sql="{t}.first_at", null=True, description="When the first sale happened.")
    last_at = column(datetime, sql="{t}.last_at", null=True, description="When the last sale happened.")
    missing = column(
        MissingReason, null=True, description="Why a figure is not there.",
        sql="case when {t}.unrated > 0 then 'NO_RATE' when {t}.orders = 0 then 'NO_ORDERS' end",
    )  # fmt: skip


_TOTALS_ARGUMENTS = {
    "window": Argument(WindowInput | None, "Only documents of these days; a refund on the day that the view says."),
    "currency": Argument(CurrencyCode | None, "The currency of the figures; without it the tenant's base currency."),
    "view": Argument(RevenueView, "When a refund counts.", RevenueView.BOOKED),
}


def order_totals_of_customer() -> Any:
    """The totals of one customer with all who were merged into it."""
    return one(
        "purchases.OrderTotals", _totals(of_customer=True), null=False, scope=SCOPE, arguments=_TOTALS_ARGUMENTS,
        description="What the customer's orders and refunds add up to.",
    )  # fmt: skip


SHARED: dict[str, Condition] = {
    "customer": filters.customer("{t}.customer_id", "Who bought; the id of anybody who was merged with them will do."),
    "hasCustomer": filters.yes("{t}.customer_id is not null", "Whether it is known who bought."),
    "number": filters.text("{t}.number", "The number that people call it by."),
    "occurredAt": filters.moment("{t}.occurred_at", "When it happened."),
    "currency": filters.text("{t}.currency", "The currency of the document."),
    "integration": filters.id_of("ing", "{t}.integration_id", "Where it was read."),
}
_OF_ORDERS: dict[str, Condition] = {
    "kind": filters.choice(model.OrderKind, "{t}.kind", "A sale or an adjustment."),
    "status": filters.choice(model.OrderStatus, "{t}.status", "How far it has come."),
    "channel": filters.text("{t}.channel", "Where it was placed."),
}


def _through_order(condition: Condition) -> Condition:
    """The same condition on the order that a refund belongs to; a refund without a known order does not fit."""

    def sql(planner: Any, alias: str, given: Any) -> str:
        inner = f"t{planner.number()}"
        return (
            f"exists (select from orders {inner} where {inner}.tenant_id = $1 and {inner}.id = {alias}.order_id"
            f" and {inner}.superseded_at is null and {condition.sql(planner, inner, given)})"
        )

    return Condition(condition.annotation, condition.description, sql)


OrderFilter = filters.filter_input("OrderFilter", "Conditions on orders.", "api.purchases", **SHARED, **_OF_ORDERS)
RefundFilter = filters.filter_input("RefundFilter", "Conditions on refunds.", "api.purchases", **SHARED)
FILTERS["OrderFilter of refunds"] = {
    **SHARED,
    **{name: _through_order(condition) for name, condition in _OF_ORDERS.items()},
}
ProductFilter = filters.filter_input(
    "ProductFilter", "Conditions on products.", "api.purchases",
    sku=filters.text("{t}.sku", "The stock code."),
    name=filters.text("{t}.name", "What it is called."),
)  # fmt: skip

_BY_TIME = {"OCCURRED_AT": By("{t}.occurred_at"), "ID": By("{t}.id", "id")}


def orders(**options: Any) -> Any:
    """A page of orders, the latest first unless asked otherwise."""
    return many(
        "purchases.Order", "orders {t} where {t}.tenant_id = $1 and {t}.superseded_at is null", orders=_BY_TIME,
        default=(("OCCURRED_AT", True),), filter="OrderFilter", scope=SCOPE,
        arguments={
            "filter": Argument(OrderFilter | None, "Only orders that fit."),
            "orderBy": Argument(list[OrderOrderBy] | None, "What they are sorted by; the latest first without it."),
        },
        **options,
    )  # fmt: skip


@strawberry.input(one_of=True, description="Which order is meant: exactly one of these.")
class OrderRef:
    """Which order is meant."""

    id: strawberry.ID | None = strawberry.field(default=strawberry.UNSET, description="By its id.")
    number: str | None = strawberry.field(default=strawberry.UNSET, description="By its number.")


def _order_by(asked: Sourcing) -> str:
    id_ = asked.part("by", "id", ids.reader("ord"), "uuid")
    number = asked.part("by", "number")
    found = f"{{t}}.id = {id_}" if id_ else f"{{t}}.number = {number}"
    return f"orders {{t}} where {{t}}.tenant_id = $1 and {found} and {{t}}.superseded_at is null"


class Queries:
    """What the root offers of purchases."""

    order = one(
        "purchases.Order", _order_by, scope=SCOPE, arguments={"by": Argument(OrderRef, "Which order.")},
        description="One order; null when there is none.",
    )  # fmt: skip
    orders = orders(description="Orders of all customers, and those without a customer.")
    order_totals = one(
        "purchases.OrderTotals", _totals(of_customer=False), null=False, scope=SCOPE,
        arguments={"filter": Argument(OrderFilter | None, "Only documents that fit."), **_TOTALS_ARGUMENTS},
        description="What orders and refunds add up to.",
    )  # fmt: skip
    refunds = many(
        "purchases.Refund", "refunds {t} where {t}.tenant_id = $1 and {t}.superseded_at is null", orders=_BY_TIME,
        default=(("OCCURRED_AT", True),), filter="RefundFilter", scope=SCOPE,
        arguments={"filter": Argument(RefundFilter | None, "Only refunds that fit.")},
        description="Refunds, the latest first.",
    )  # fmt: skip
    products = many(
        "purchases.Product", "products {t} where {t}.tenant_id = $1 and {t}.valid_to is null",
        orders={"SKU": By("{t}.sku", "text"), "ID": By("{t}.id", "id")}, default=(("SKU", False),),
        filter="ProductFilter", scope=SCOPE,
        arguments={"filter": Argument(ProductFilter | None, "Only products that fit.")},
        description="What is sold, by stock code.",
    )  # fmt: skip
