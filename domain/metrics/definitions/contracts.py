"""Recurring business: who stays under contract, what of the revenue stays, and which terms are renewed."""

from __future__ import annotations

from domain.metrics.catalogue import Aggregate, Facts, Figure, count, metric, number_of, ratio, total
from domain.metrics.rules import Better, Grain, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep

CONTRACTED = Facts(
    "contracted",
    """
    SELECT n, customer_id, bool_or(at_start) AS at_start, bool_or(at_end) AS at_end,
        coalesce(sum(base_mrr) FILTER (WHERE at_start), 0) AS start_mrr,
        coalesce(sum(base_mrr) FILTER (WHERE at_end), 0) AS end_mrr, count(*) FILTER (WHERE base_mrr IS NULL) AS unrated
    FROM (
        SELECT p.n, s.customer_id, s.base_mrr, s.from_on <= p.starts_on AND p.starts_on < s.till_on AS at_start,
            s.from_on <= p.ends_on AND p.ends_on < s.till_on AS at_end
        FROM points p JOIN contract_spans s ON s.from_on <= p.ends_on AND s.till_on > p.starts_on
    ) AS held
    WHERE at_start OR at_end
    GROUP BY n, customer_id
    """,
    {
        "at_start": "Whether under contract on the window's first day.",
        "at_end": "Whether under contract on the first day after it.",
        "start_mrr": "The monthly recurring revenue on the first day, in minor units of the base currency.",
        "end_mrr": "The same on the first day after the window.",
    },
)
"""Who was under contract when the window began or ended; a pause earns nothing and is no end."""

DUE_TERM = Facts(
    "due_term",
    """
    SELECT p.n, t.customer_id, coalesce(t.next_began_on <= t.due_on, false) AS is_renewed
    FROM contract_terms t JOIN calendar p ON p.day = t.due_on
    WHERE t.ended_on IS NULL OR t.ended_on >= t.due_on
    """,
    {"is_renewed": "Whether another term began by the day on which this one was due."},
)
"""Each term of a contract that was due for renewal in the window; one that was called off before is due no longer."""

RENEWED = Facts(
    "renewed",
    """
    SELECT p.n, c.customer_id FROM contract_steps c JOIN calendar p ON p.day = c.local_day WHERE c.kind = 'RENEW'
    """,
)
"""Each renewal of a contract in the window."""

_UNRATED = (total(CONTRACTED, "unrated", "at_start"), MissingReason.NO_RATE)


def _of_revenue(later: Aggregate) -> Figure:
    """Some later revenue by that of the window's first day."""
    customers = count(CONTRACTED, "at_start")
    return ratio(later, total(CONTRACTED, "start_mrr"), n=customers, divides_money=True).unless(*_UNRATED)


@metric(
    "contract_retention", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Contract retention",
    fa="ماندگاری قراردادی",
)  # fmt: skip
def contract_retention() -> Figure:
    """Customers under contract when the window begins and when it ends, of those under contract when it begins."""
    return ratio(count(CONTRACTED, "at_start AND at_end"), count(CONTRACTED, "at_start"))


@metric(
    "contract_churn", unit=Unit.RATIO, better=Better.LOWER, step=CanonicalStep.RETAIN, en="Contract churn",
    fa="ریزش قراردادی",
)  # fmt: skip
def contract_churn() -> Figure:
    """Customers under contract when the window begins and not when it ends, of those when it begins.

    A pause is no churn. With the contract retention it adds up to 1.
    """
    return ratio(count(CONTRACTED, "at_start AND NOT at_end"), count(CONTRACTED, "at_start"))


@metric(
    "churned_customers", unit=Unit.COUNT, better=Better.LOWER, step=CanonicalStep.RETAIN, en="Churned customers",
    fa="مشتریان ریزش‌کرده",
)  # fmt: skip
def churned_customers() -> Figure:
    """How many customers were under contract when the window began and no longer when it ended."""
    return number_of(count(CONTRACTED, "at_start AND NOT at_end"))


@metric(
    "gross_revenue_retention", grain=Grain.MONTH, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Gross revenue retention", fa="ماندگاری ناخالص درآمد",
)  # fmt: skip
def gross_revenue_retention() -> Figure:
    """What is left of the monthly recurring revenue of those under contract when the window begins (GRR).

    Contraction and churn are taken off, expansion is not added, so that it never exceeds 1.
    """
    kept = total(CONTRACTED, "least(start_mrr, end_mrr)", "at_start")
    return _of_revenue(kept)


@metric(
    "net_revenue_retention", grain=Grain.MONTH, unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN,
    en="Net revenue retention", fa="ماندگاری خالص درآمد",
)  # fmt: skip
def net_revenue_retention() -> Figure:
    """The monthly recurring revenue of those under contract when the window begins, at its end by at its beginning.

    Expansion is in it, new customers are not (NRR).
    """
    later = total(CONTRACTED, "end_mrr", "at_start")
    return _of_revenue(later)


@metric(
    "renewal_rate", unit=Unit.RATIO, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Renewal rate", fa="نرخ تمدید"
)  # fmt: skip
def renewal_rate() -> Figure:
    """Terms that were renewed by their day, of those that were due in the window; never guessed from a calendar."""
    return ratio(count(DUE_TERM, "is_renewed"), count(DUE_TERM))


@metric("renewals", unit=Unit.COUNT, better=Better.HIGHER, step=CanonicalStep.RETAIN, en="Renewals", fa="تمدیدها")
def renewals() -> Figure:
    """Renewals of contracts in the window; repeat orders are counted apart."""
    return number_of(count(RENEWED))
