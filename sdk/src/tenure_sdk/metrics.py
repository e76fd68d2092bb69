"""Metrics that a plugin brings: declared over the facts that Tenure has of customers, without code of their own."""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct

from tenure_sdk.templates import Step, TemplateText

MetricUnit: TypeAlias = Literal["DAYS", "PER_YEAR", "UNITS", "MONEY", "COUNT", "RATIO", "SCORE", "MINUTES"]
Better: TypeAlias = Literal["HIGHER", "LOWER"]
Span: TypeAlias = Literal["YEAR", "LIFETIME"]
Grain: TypeAlias = Literal["DAY", "WEEK", "MONTH", "QUARTER"]


class Where(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Only rows whose fact lies within bounds, such as `Where(fact="occasions", at_least=2)`."""

    fact: str
    at_least: int | None = None
    below: int | None = None


class Total(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="total"):
    """The sum of a fact, by its name in full, such as `bought.net`; money is in minor units."""

    fact: str
    where: tuple[Where, ...] = ()


class CustomerCount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="customer_count"):
    """How many customers have a row of some facts, such as `bought`."""

    facts: str
    where: tuple[Where, ...] = ()


Aggregate: TypeAlias = Total | CustomerCount


class Metric(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A figure: an aggregate, or one by another. Another formula is another version.

    With `personal` it has a value for a single customer too, over the last 365 days or the whole life. `grain` is the
    shortest period of which it says something.
    """

    key: str
    label: TemplateText
    description: str
    unit: MetricUnit
    numerator: Aggregate
    denominator: Aggregate | None = None
    version: int = 1
    better: Better | None = None
    step: Step | None = None
    min_n: int | None = None
    marketing_only: bool = False
    personal: Span | None = None
    grain: Grain = "DAY"
