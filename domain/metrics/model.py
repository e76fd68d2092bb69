"""What figures are computed from and kept as: daily rollups, definitions, published distributions, observations."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, Double, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import Entity, TenantTable, one_of
from domain.metrics.rules import Better, Grain, Kind, ScopeKind, Unit
from domain.purchases.rules import MissingReason
from domain.stages.rules import CanonicalStep


class _CustomerDay:
    """A customer as recorded (a merge rewrites nothing) on one of the tenant's calendar days."""

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)


class PurchaseDay(_CustomerDay, TenantTable):
    """PJ: What a customer bought on a day; money in minor units of the tenant's base currency.

    A day with `orders` is a purchase occasion of the customer's survivor; other days have refunds or adjustments only.
    """

    __tablename__ = "purchase_days"
    __table_args__ = (
        Index("purchase_days_day_idx", "tenant_id", "day", "customer_id"),
        Index("purchase_days_unrated_idx", "tenant_id", "customer_id", postgresql_where=text("unrated > 0")),
    )

    orders: Mapped[int] = mapped_column(doc="Completed sales that were not wholly refunded.")
    paid_orders: Mapped[int] = mapped_column(doc="Those of them that are worth more than nothing.")
    gross: Mapped[int] = mapped_column(doc="What all completed sales are worth.")
    net: Mapped[int] = mapped_column(doc="Gross less what was given back of them, whenever; the booked view.")
    cash_refunds: Mapped[int] = mapped_column(doc="What was given back on this day; gross less it is the cash view.")
    adjusted: Mapped[int] = mapped_column(doc="Adjustments of the books; they are no purchases.")
    units: Mapped[Decimal] = mapped_column(doc="Units of the orders.")
    paid_units: Mapped[Decimal] = mapped_column(doc="Units of the paid orders.")
    returned_units: Mapped[Decimal] = mapped_column(doc="Units given back of the orders, whenever.")
    cost_of_goods: Mapped[int] = mapped_column(doc="What the goods cost, less those given back, where it is known.")
    uncosted: Mapped[int] = mapped_column(doc="Orders with a line whose cost is not known, or without lines.")
    unrated: Mapped[int] = mapped_column(doc="Documents in these sums that wait for an exchange rate.")


class ActivityDay(_CustomerDay, TenantTable):
    """PJ: What happened between a customer and the business on a day; suspected machines count in `ad_views` only.

    Deliveries of campaigns and the responses to them are pairs: see `campaign_responses`.
    """

    __tablename__ = "activity_days"
    __table_args__ = (Index("activity_days_day_idx", "tenant_id", "day", "customer_id"),)

    interactions: Mapped[int] = mapped_column(doc="Everything but notes, tasks, moves between stages and ad views.")
    visits: Mapped[int] = mapped_column(doc="Sessions that began: visits with less than 30 minutes between them.")
    ad_views: Mapped[int] = mapped_column(doc="Advertisements seen, as the source reports them.")
    inquiries: Mapped[int] = mapped_column(doc="Inquiries and forms, and the first contact where the customer made it.")
    usage: Mapped[int] = mapped_column(doc="Uses of products.")
    products: Mapped[list[str]] = mapped_column(
        server_default=text("'{}'"), doc="What was used, in the source's words; an empty one where it does not say."
    )


class UnrolledCustomer(TenantTable):
    """WS: A customer whose days are to be rolled up anew, since the tenant's days or its currency changed."""

    __tablename__ = "unrolled_customers"

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)


class MetricDefinition(TenantTable):
    """IM: What a metric meant when it was observed or published; a change of its words is a new version."""

    __tablename__ = "metric_definitions"
    __table_args__ = (
        one_of("unit", Unit),
        one_of("kind", Kind),
        one_of("grain", Grain),
        one_of("step", CanonicalStep),
        one_of("better", Better),
    )

    key: Mapped[str] = mapped_column(primary_key=True, doc="The name in queries.")
    version: Mapped[int] = mapped_column(primary_key=True, doc="Counts from 1; another formula is another version.")
    unit: Mapped[str] = mapped_column(doc="What it is measured in.")
    kind: Mapped[str] = mapped_column(doc="How it is made of its parts.")
    grain: Mapped[str | None] = mapped_column(
        doc="The shortest period of which it says something; null in what was kept before it was told."
    )
    step: Mapped[str | None] = mapped_column(doc="The canonical step that it measures; null where it is of none.")
    better: Mapped[str | None] = mapped_column(doc="Which way is better; null where neither is.")
    min_n: Mapped[int] = mapped_column(doc="With fewer there is no value.")
    marketing_only: Mapped[bool] = mapped_column(doc="Whether it says something of marketing only.")
    formula: Mapped[str] = mapped_column(doc="What it is, in words.")
    digest: Mapped[bytes] = mapped_column(doc="The SHA-256 of how it is computed.")
    labels: Mapped[dict[str, Any]] = mapped_column(doc="How people call it, per language.")
    recorded_at: Mapped[datetime]


class MetricDistribution(Entity):
    """IM: How a metric was spread over all customers of the tenant when that was published; the latest counts."""

    __tablename__ = "metric_distributions"
    __table_args__ = (
        Index("metric_distributions_latest_idx", "tenant_id", "metric_key", "definition_version", text("as_of DESC")),
    )

    metric_key: Mapped[str] = mapped_column(doc="Which metric.")
    definition_version: Mapped[int] = mapped_column(doc="By which definition.")
    as_of: Mapped[datetime] = mapped_column(doc="What was known here until then is counted.")
    n: Mapped[int] = mapped_column(doc="Customers who have a value.")
    mean_log: Mapped[float | None] = mapped_column(Double, doc="The mean of log(1 + value), money in its main unit.")
    sd_log: Mapped[float | None] = mapped_column(Double, doc="Its standard deviation.")
    quantiles: Mapped[list[float] | None] = mapped_column(
        ARRAY(Double), doc="The values at 0, 0.1, 0.2 ... 100 per cent of the customers; null without any."
    )
    cohort_value: Mapped[Decimal | None] = mapped_column(doc="The value of all customers together.")
    cohort_numerator: Mapped[Decimal | None]
    cohort_denominator: Mapped[Decimal | None]


class MetricObservation(Entity):
    """AO: A value as it was computed once, with all that is needed to compute the same again."""

    __tablename__ = "metric_observations"
    __table_args__ = (
        one_of("scope", ScopeKind),
        one_of("missing", MissingReason),
        Index("metric_observations_key_idx", "tenant_id", "metric_key", "scope", "scope_id", "window_start", "as_of"),
    )

    metric_key: Mapped[str] = mapped_column(doc="Which metric.")
    definition_version: Mapped[int] = mapped_column(doc="By which definition.")
    scope: Mapped[str] = mapped_column(doc="Of whom it is.")
    scope_id: Mapped[UUID | None] = mapped_column(info={"customer": True}, doc="Which customer, segment or stage.")
    window_start: Mapped[date]
    window_end: Mapped[date] = mapped_column(doc="The first day after the window.")
    numerator: Mapped[Decimal | None]
    denominator: Mapped[Decimal | None]
    n: Mapped[int]
    value: Mapped[Decimal | None] = mapped_column(doc="In the metric's unit; money in minor units.")
    missing: Mapped[str | None] = mapped_column(doc="Why there is no value.")
    standard_error: Mapped[Decimal | None]
    currency: Mapped[str | None] = mapped_column(doc="The currency of money.")
    parameters: Mapped[dict[str, Any]] = mapped_column(doc="What else decided: paid only, view, time zone.")
    as_of: Mapped[datetime] = mapped_column(doc="The moment that the value is of.")
    watermark: Mapped[datetime] = mapped_column(doc="What was known here until then is counted.")
    input_digest: Mapped[bytes] = mapped_column(doc="The SHA-256 of what the value was made of.")
