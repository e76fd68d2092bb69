"""What it costs to win, keep and serve customers, and how many opportunities are won."""

from __future__ import annotations

from domain.metrics.catalogue import Facts, Figure, Personal, computed, count, metric, ratio, sum_of, total
from domain.metrics.definitions.kpis import MOVED
from domain.metrics.definitions.loyalty import CASE_OPENED
from domain.metrics.definitions.purchases import BOUGHT
from domain.metrics.definitions.stages import CONTACTED
from domain.metrics.rules import Better, Grain, Kind, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep

SPENT = Facts(
    "spent",
    """
    SELECT s.n, m.customer_id, s.category, s.amount, s.unrated, s.is_allocated
    FROM spending s LEFT JOIN people m ON m.id = s.customer_id
    """,
    {
        "category": "What the money was spent for, such as SERVICE.",
        "amount": "How much, in minor units of the base currency.",
        "is_allocated": "Whether a customer bears it.",
        "unrated": "1 where it waits for an exchange rate, else 0.",
    },
)
"""Each share of a cost entry in the window, and what of an entry that begins in it nobody bears."""

WINNING = Facts(
    "winning",
    """
    SELECT s.n, m.customer_id, s.category, s.amount, s.unrated
    FROM earlier_spending s LEFT JOIN people m ON m.id = s.customer_id
    WHERE s.category IN ('ACQUISITION_MARKETING', 'ACQUISITION_SALES')
    """,
    {
        "category": "ACQUISITION_MARKETING or ACQUISITION_SALES.",
        "amount": "How much, in minor units of the base currency.",
        "unrated": "1 where it waits for an exchange rate, else 0.",
    },
)
"""What was spent on winning customers, as many days before the window as the question says; none unless it does."""

SERVED = Facts(
    "served",
    f"""
    SELECT n, customer_id FROM {CONTACTED.name} WHERE days > 0
    UNION SELECT n, customer_id FROM {BOUGHT.name} WHERE occasions > 0
    """,
)
"""Who had at least one active day in the window: an interaction or a purchase."""

BALANCE = Facts(
    "balance",
    f"""
    SELECT n, customer_id, unrated, 0 AS is_new, 0 AS is_retained, amount AS acquisition, 0 AS retention
    FROM {WINNING.name}
    UNION ALL
    SELECT n, customer_id, unrated, 0, 0, 0, amount FROM {SPENT.name}
    WHERE category IN ('RETENTION_MARKETING', 'RETENTION_SALES')
    UNION ALL
    SELECT n, customer_id, 0, is_new::int, (was_active AND is_active)::int, 0, 0 FROM {MOVED.name}
    """,
    {
        "acquisition": "What was spent on winning customers.", "retention": "What was spent on keeping customers.",
        "is_new": "1 for a new customer.", "is_retained": "1 for one who bought in the period before, too.",
    },
)  # fmt: skip
"""Costs and customers of the window under each other, for figures that need both twice."""

CLOSED_DEAL = Facts(
    "closed_deal",
    """
    SELECT p.n, d.customer_id, d.status = 'WON' AS is_won, coalesce(s.first_on < d.opened_on, false) AS was_customer
    FROM deals d JOIN calendar p ON p.day = d.closed_on LEFT JOIN bought_spans s ON s.customer_id = d.customer_id
    """,
    {
        "is_won": "Whether it was won.",
        "was_customer": "Whether the customer had a completed order on a day before it was opened.",
    },
)
"""Each opportunity of a known customer that was won or lost in the window."""

_WINNING = "category IN ('ACQUISITION_MARKETING', 'ACQUISITION_SALES')"
_RETENTION = "category IN ('RETENTION_MARKETING', 'RETENTION_SALES')"
_SALES = "category IN ('ACQUISITION_SALES', 'RETENTION_SALES')"
_SERVICE = "category = 'SERVICE'"


def _unrecorded(name: str, facts: Facts, where: str, categories: str, until: str = "p.ends_on") -> Facts:
    """The rows of some facts in windows that end before the first cost of some categories: nobody records any yet."""
    return Facts(
        name,
        f"""
        SELECT f.n, f.customer_id FROM {facts.name} f JOIN points p ON p.n = f.n
        WHERE {where} AND coalesce({until} <= (
            SELECT min(e.starts_on) FROM cost_entries e
            WHERE e.tenant_id = :tenant AND e.superseded_at IS NULL AND e.{categories}
        ), true)
        """,
    )


UNRECORDED_WINNING = _unrecorded("unrecorded_winning", MOVED, "f.is_new", _WINNING, "p.ends_on - CAST(:lag AS int)")
"""New customers of windows before any cost of acquisition."""

UNRECORDED_KEEPING = _unrecorded("unrecorded_keeping", MOVED, "f.was_active AND f.is_active", _RETENTION)
"""Kept customers of windows before any cost of retention."""

UNRECORDED_SERVING = _unrecorded("unrecorded_serving", SERVED, "true", _SERVICE)
"""Active customers of windows before any cost of service."""

UNRECORDED_HELPING = _unrecorded("unrecorded_helping", CASE_OPENED, "true", _SERVICE)
"""Cases of windows before any cost of service."""

UNRECORDED_SELLING = _unrecorded("unrecorded_selling", BOUGHT, "f.orders > 0", _SALES)
"""Buyers of windows before any cost of sales."""


def _spent(where: str | None = None) -> Figure:
    unrated = total(SPENT, "unrated", where)
    return sum_of(SPENT, "amount", where).unless(unrated, MissingReason.NO_RATE)


def _per(where: str | None, of: Figure, unrecorded: Facts, spent: Facts = SPENT) -> Figure:
    """What was spent by a number of customers, orders or cases; not known, never free, before any such cost is."""
    figure = ratio(total(spent, "amount", where), of.numerator).unless(count(unrecorded), MissingReason.NO_COST)
    return figure.unless(total(spent, "unrated", where), MissingReason.NO_RATE)


def _number(facts: Facts, where: str | None = None) -> Figure:
    counted = count(facts, where)
    return Figure(Kind.COUNT, counted, None, counted)


@metric("costs", version=4, unit=Unit.MONEY, better=Better.LOWER, en="Costs", fa="هزینه‌ها")
def costs() -> Figure:
    """All that was spent: what customers bear, on the days of their shares, and the rest on each entry's first day."""
    return _spent()


@metric("allocated_costs", version=4, unit=Unit.MONEY, en="Allocated costs", fa="هزینه‌های تسهیم‌شده")
def allocated_costs() -> Figure:
    """What customers bear of the costs. With the unallocated costs it adds up to all costs."""
    return _spent("is_allocated")


@metric(
    "unallocated_costs",
    version=4,
    unit=Unit.MONEY,
    better=Better.LOWER,
    en="Unallocated costs",
    fa="هزینه‌های تسهیم‌نشده",
)
def unallocated_costs() -> Figure:
    """What nobody bears of the costs."""
    return _spent("NOT is_allocated")


@metric(
    "acquisition_cost", version=4, grain=Grain.WEEK, unit=Unit.MONEY, better=Better.LOWER, step=CanonicalStep.PURCHASE,
    en="Cost of acquisition", fa="هزینهٔ جذب هر مشتری",
)  # fmt: skip
def acquisition_cost() -> Figure:
    """Marketing and sales for acquisition by customers whose first completed purchase lies in the window (CAC).

    The costs are those of the window, or of as many days, so many days before it, as the question says: what wins a
    customer is spent before he buys. How long that takes is `lead_to_purchase`.
    """
    return _per(None, _number(MOVED, "is_new"), UNRECORDED_WINNING, WINNING)


@metric(
    "retention_cost", version=5, grain=Grain.WEEK, unit=Unit.MONEY, better=Better.LOWER, step=CanonicalStep.RETAIN,
    en="Cost of retention", fa="هزینهٔ نگهداشت هر مشتری",
)  # fmt: skip
def retention_cost() -> Figure:
    """Marketing and sales for retention by customers who bought in the window and in the period before it."""
    return _per(_RETENTION, _number(MOVED, "was_active AND is_active"), UNRECORDED_KEEPING)


@metric(
    "cost_to_serve", version=5, unit=Unit.MONEY, better=Better.LOWER, step=CanonicalStep.USE, en="Cost to serve",
    fa="هزینهٔ خدمت‌رسانی به هر مشتری",
    personal=Personal(
        ratio(total(SPENT, "amount", _SERVICE), count(SERVED), empty=MissingReason.NO_DATA)
        .unless(count(UNRECORDED_SERVING), MissingReason.NO_COST)
        .unless(total(SPENT, "unrated", _SERVICE), MissingReason.NO_RATE)
    ),
)  # fmt: skip
def cost_to_serve() -> Figure:
    """Costs of service by customers with at least one active day: an interaction or a purchase.

    Of a customer it is what he bears of them, where he had an active day.
    """
    return _per(_SERVICE, _number(SERVED), UNRECORDED_SERVING)


@metric(
    "cost_per_case", version=5, unit=Unit.MONEY, better=Better.LOWER, step=CanonicalStep.USE, en="Cost per case",
    fa="هزینهٔ هر پرونده",
)  # fmt: skip
def cost_per_case() -> Figure:
    """Costs of service by support cases that were opened."""
    return _per(_SERVICE, _number(CASE_OPENED), UNRECORDED_HELPING)


@metric(
    "acquire_retain_ratio", version=4, grain=Grain.WEEK, unit=Unit.RATIO, en="Acquiring against retaining",
    fa="نسبت هزینهٔ جذب به نگهداشت",
)  # fmt: skip
def acquire_retain_ratio() -> Figure:
    """Cost of acquisition by cost of retention. That it is five is often said; here it is measured, never assumed.

    Numerator and denominator are made whole: the costs of the one by the customers of the other.
    """
    figure = ratio(
        computed(BALANCE, "coalesce(sum(acquisition), 0) * coalesce(sum(is_retained), 0)"),
        computed(BALANCE, "coalesce(sum(retention), 0) * coalesce(sum(is_new), 0)"),
        n=total(BALANCE, "is_new + is_retained"),
        divides_money=True,
    )
    for unrecorded in (UNRECORDED_WINNING, UNRECORDED_KEEPING):
        figure = figure.unless(count(unrecorded), MissingReason.NO_COST)
    return figure.unless(total(BALANCE, "unrated"), MissingReason.NO_RATE)


@metric(
    "cost_per_sale", version=5, unit=Unit.MONEY, better=Better.LOWER, step=CanonicalStep.PURCHASE, en="Cost per sale",
    fa="هزینهٔ هر فروش",
)  # fmt: skip
def cost_per_sale() -> Figure:
    """What sales spent on new and on existing customers by completed orders."""
    orders = total(BOUGHT, "orders")
    return _per(_SALES, Figure(Kind.TOTAL, orders, None, orders), UNRECORDED_SELLING)


@metric(
    "win_rate_existing", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Win rate of existing customers", fa="نرخ برد نزد مشتریان کنونی",
)  # fmt: skip
def win_rate_existing() -> Figure:
    """Opportunities won, of those won or lost, where the customer had bought before the opportunity was opened."""
    return ratio(count(CLOSED_DEAL, "was_customer AND is_won"), count(CLOSED_DEAL, "was_customer"))


@metric(
    "win_rate_new", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.PURCHASE, en="Win rate of new customers",
    fa="نرخ برد نزد مشتریان تازه",
)  # fmt: skip
def win_rate_new() -> Figure:
    """Opportunities won, of those won or lost, where the customer had not bought before it was opened."""
    return ratio(count(CLOSED_DEAL, "NOT was_customer AND is_won"), count(CLOSED_DEAL, "NOT was_customer"))
