# noqa: INP001 - a script beside what it writes
"""The reference pages of the metrics, from the catalogue: one for each metric, and one that lists them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from domain.metrics import definitions
from domain.metrics.catalogue import CATALOGUE, FACTS, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from domain.metrics.catalogue import Aggregate, Definition, Facts, Figure

__all__ = ["definitions", "pages"]

NONE = "–"
_SPANS = {Span.YEAR: "the 365 days up to today", Span.LIFETIME: "the whole life"}
_SECTIONS = {
    "purchases": "Purchase history and relationship",
    "costs": "Costs",
    "kpis": "Key figures",
    "contracts": "Contracts",
    "loyalty": "Loyalty and advocacy",
    "usage": "Usage",
    "stages": "Stages",
    "marketing": "Marketing",
    "worth": "Lifetime value",
}

ELSEWHERE = {
    "z, percentile and cohort value": "`Customer.metrics`",
    "stage conversion": "`Lifecycle.conversions`, `Lifecycle.funnel`",
    "time in stage, velocity": "`Lifecycle.timeInStage`",
    "regression rate, skip rate": "`Lifecycle.movements`",
    "predictive CLV, historic CLV and P(alive) as last valued": "`Customer.lifetimeValue`",
    "customer equity": "`customerEquity`",
    "ROI, payback, return on customer": "`Measurement.returns`",
    "retention of cohorts": "`cohortRetention`",
}
"""What is defined like metrics and has a place of its own in the schema, since it is no single figure of a window."""

ASKED: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Purchase history and relationship": {
        "recency": ("recency",),
        "frequency": ("frequency", "occasions", "active_customers", "occasions_per_active"),
        "quantity": ("quantity", "units_per_occasion"),
        "size of transaction": (
            "size_of_transaction", "median_size_of_transaction", "winsorised_size_of_transaction", "revenue",
        ),
        "gap between purchases": ("purchase_gap", "median_purchase_gap"),
        "life span": ("lifespan",),
        "duration of the relationship": ("tenure", "acquaintance"),
        "repeat purchase rate": ("repeat_purchase_rate",),
    },
    "Costs": {
        "cost of acquisition (CAC)": ("acquisition_cost", "lead_to_purchase"),
        "cost of retention": ("retention_cost",),
        "cost to serve": ("cost_to_serve", "cost_per_case", "cases", "answer_time", "resolution_time"),
        "acquiring against retaining": ("acquire_retain_ratio",),
        "cost per sale": ("cost_per_sale",),
        "allocated and unallocated costs": ("costs", "allocated_costs", "unallocated_costs"),
        "win rate, existing against new": ("win_rate_existing", "win_rate_new"),
    },
    "Key figures": {
        "new orders and new customers": ("new_orders", "new_customers"),
        "repeat orders, renewals": ("repeat_orders", "renewals"),
        "upsells": ("upsells", "upsell_revenue", "contract_upsells", "contract_upsell_revenue"),
        "cross-sells": ("cross_sells", "cross_sell_revenue"),
        "usage": ("adoption", "unused", "usage_frequency", "stickiness"),
        "churn, under contract": ("contract_churn", "churned_customers"),
        "churn, without contract": ("churn_by_model", "p_alive", "churn_by_gap"),
        "retention": ("retention", "retention_on_or_after", "contract_retention"),
        "movement": ("returning_customers", "resurrecting_customers", "dormant_customers"),
        "GRR and NRR": ("gross_revenue_retention", "net_revenue_retention"),
        "loyalty": (
            "recommending_customers", "recommendation_rate", "recommending_on_social_media",
            "social_recommendation_rate",
        ),
        "advocacy": ("positive_reviews", "reviewers", "referrers", "referrals", "converted_referrals"),
    },
    "Measures of stages": {
        "website visits": ("visits", "visitors"),
        "ad views": ("ad_views",),
        "inquiries and leads": ("inquiries", "leads"),
        "conversion rate": ("conversion_rate",),
        "renewal rate": ("renewal_rate",),
        "CSAT, CES": ("customer_satisfaction", "mean_satisfaction", "mean_effort"),
        "NPS": ("nps",),
    },
    "Response to marketing": {
        "response rate": ("response_rate", "raw_response_rate", "deliveries"),
        "purchases after a campaign": ("attributed_purchase_rate",),
    },
    "Lifetime value": {"historic CLV": ("historic_clv",)},
}  # fmt: skip
"""Every figure by the name that people ask for it by, and the metrics that tell it."""

_INTRODUCTION = """Every figure that Tenure publishes, by what it is about; written by `make docs` from the catalogue.
How they are made is told in [Metrics](../../concepts/metrics.md)."""


def pages() -> Mapping[str, str]:
    """Every page by the name of its file."""
    return {"README.md": _listed(), **{f"{one.key}.md": _page(one) for one in CATALOGUE}}


def _listed() -> str:
    parts = [
        "# Metrics",
        _INTRODUCTION,
    ]
    parts += ["## By what people ask for", _asked()]
    for section, each in groupby(CATALOGUE, lambda one: one.section):
        rows = [
            f"| [`{one.key}`]({one.key}.md) | {one.labels['en']} | {one.unit} | {one.better or NONE} |" for one in each
        ]
        table = ["| key | name | unit | better |", "| --- | --- | --- | --- |", *rows]
        parts += [f"## {_SECTIONS.get(section, section.replace('_', ' ').capitalize())}", "\n".join(table)]
    parts += ["## Facts", _FACTS, *map(_facts, (facts for facts in FACTS.values() if facts.columns))]
    return "\n\n".join(parts) + "\n"


def _asked() -> str:
    rows = [
        f"| {about} | {name} | {', '.join(f'[`{key}`]({key}.md)' for key in keys)} |"
        for about, names in ASKED.items()
        for name, keys in names.items()
    ]
    rows += [f"| Elsewhere | {name} | {place} |" for name, place in ELSEWHERE.items()]
    return "\n".join(["| about | figure | where |", "| --- | --- | --- |", *rows])


_FACTS = """What metrics are made of, and what a plugin can build its own of: rows of each customer in each window."""


def _facts(facts: Facts) -> str:
    rows = [f"| `{facts.name}.{name}` | {words} |" for name, words in facts.columns.items()]
    return "\n".join([f"### `{facts.name}`", "", "| fact | meaning |", "| --- | --- |", *rows])


def _page(one: Definition) -> str:
    facts = [
        ("version", str(one.version)),
        ("unit", one.unit),
        ("kind", one.kind),
        ("grain", one.grain),
        ("canonical step", one.step or NONE),
        ("better", one.better or NONE),
        ("minimum n", str(one.min_n)),
        ("marketing only", "yes" if one.marketing_only else "no"),
        ("of a single customer", f"over {_SPANS[one.personal.over]}" if one.personal else "no"),
        ("فارسی", one.labels["fa"]),
    ]
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts)])
    parts = [f"# `{one.key}`: {one.labels['en']}", one.words, table, "## What it is made of", _made_of(one.figure)]
    if one.personal is not None and one.personal.figure != one.figure:
        parts += ["## Of a single customer", _made_of(one.personal.figure)]
    return "\n\n".join(parts) + "\n"


def _made_of(figure: Figure) -> str:
    return "\n".join(f"- {name}: {told}" for name, told in _parts(figure))


def _parts(figure: Figure) -> Iterator[tuple[str, str]]:
    yield "numerator", _aggregate(figure.numerator)
    if figure.denominator is not None:
        yield "denominator", _aggregate(figure.denominator)
    if figure.value is not None:
        yield "value", _aggregate(figure.value)
    if figure.scale != "1":
        yield "scale", figure.scale
    yield "n", _aggregate(figure.n)
    if figure.denominator is not None:
        yield "missing", f"`{figure.empty}` where there is nothing to divide by"
    for aggregate, reason in figure.unknown:
        yield "missing", f"`{reason}` where {_aggregate(aggregate)} is greater than zero"
    if figure.waiting is not None:
        yield "censored", f"while {_aggregate(figure.waiting)} is greater than zero"


def _aggregate(one: Aggregate) -> str:
    told = " ".join(one.sql.replace("{cut}", one.cut or "").split())
    return f"`{told}` over `{one.facts.name}`"
