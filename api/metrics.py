"""Metrics over GraphQL: what each one means, series of their values, and what they are worth for a customer."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

import orjson
import strawberry

from api import ids
from api.expose import amount, column, describe, embedded, entry, expose, listing, one, part
from api.purchases import WindowInput
from api.reading import Reader
from api.reads.mapping import Argument, Condition, Sought
from domain.core.money import minor_units
from domain.metrics import fitting, queries
from domain.metrics.catalogue import CATALOGUE, Definition
from domain.metrics.reading import Snapshot
from domain.metrics.rules import Better, Counting, Grain, Kind, Unit
from domain.purchases.rules import MissingReason, RevenueView, Window
from domain.stages.rules import CanonicalStep

SCOPE = "metrics:read"

describe(
    Unit, "MetricUnit",
    DAYS="Days.", PER_YEAR="How often in a year of 365.25 days.", UNITS="Units of goods.",
    MONEY="Money in the tenant's base currency.", COUNT="A number of things or customers.",
    RATIO="A share or a quotient; 1 is 100 per cent.", SCORE="A score on a scale of its own.", MINUTES="Minutes.",
)  # fmt: skip
describe(
    Kind, "MetricKind",
    TOTAL="A sum.", COUNT="A number.", RATIO="One sum by another.", MEAN="A mean.", MEDIAN="A middle value.",
)  # fmt: skip
describe(CanonicalStep)
describe(Better, HIGHER="More is better.", LOWER="Less is better.")
describe(
    Grain,
    DAY="Each day.", WEEK="Each week, from Monday; in the Jalali calendar from Saturday.",
    MONTH="Each month of the tenant's calendar.", QUARTER="Each three months of the tenant's calendar.",
)  # fmt: skip


def _told(tell: Any) -> Any:
    """A value of the definition whose key stands in the row."""

    def finish(key: str, reader: Reader) -> Any:
        return tell(CATALOGUE[key], reader)

    return finish


def _of_definition(annotation: Any, tell: Any, description: str, *, null: bool = False) -> Any:
    return column(annotation, sql="metric_key", finish=_told(tell), null=null, description=description)


def _label(one: Definition, reader: Reader) -> str:
    return one.labels.get(reader.language) or one.labels["en"]


@expose()
class MetricDefinition:
    """What a metric means: by which formula, in which unit, which way is better."""

    key = column(str, sql="metric_key", description="The name in queries.")
    version = _of_definition(int, lambda one, _: one.version, "Another formula is another version.")
    name = _of_definition(str, _label, "What people call it.")
    description = _of_definition(str, lambda one, _: one.words, "The formula in words, with what is left out.")
    unit = _of_definition(Unit, lambda one, _: one.unit, "What it is measured in.")
    kind = _of_definition(Kind, lambda one, _: one.kind, "How it is made of its parts.")
    grain = _of_definition(
        Grain, lambda one, _: one.grain, "The shortest period of which it says something; shorter ones are told all the"
        " same.",
    )  # fmt: skip
    step = _of_definition(
        CanonicalStep, lambda one, _: one.step, "The step of a lifecycle that it measures, where it is of one.",
        null=True,
    )  # fmt: skip
    better = _of_definition(Better, lambda one, _: one.better, "Which way is better, where one is.", null=True)
    minimum = _of_definition(int, lambda one, _: one.min_n, "With fewer there is no value.")
    is_marketing_only = _of_definition(bool, lambda one, _: one.marketing_only, "Whether it is of marketing alone.")
    is_personal = _of_definition(
        bool, lambda one, _: one.personal is not None, "Whether a single customer has a value of it."
    )


@expose()
class Interval:
    """Where a value lies with 95 per cent confidence."""

    low = entry(Decimal, "low", description="From here.")
    high = entry(Decimal, "high", description="To here.")


@expose()
class MetricWindow:
    """The days that a value is of, in the tenant's time zone."""

    start = entry(date, "start", null=True, description="The first day; null where it is of a whole life.")
    end = entry(date, "end", description="The first day after it.")


@expose()
class MetricValue:
    """A value with what it is made of; one that is not known says why, and is never zero for that."""

    value = entry(Decimal, "value", null=True, description="The value in its unit; money in its main unit.")
    money = amount("minor", "currency", description="The value as money, where it is money.")
    missing = entry(MissingReason, "missing", null=True, description="Why there is no value.")
    numerator = entry(Decimal, "numerator", null=True, description="What is divided, or the sum or number itself.")
    denominator = entry(Decimal, "denominator", null=True, description="By what it is divided; null where by nothing.")
    n = entry(int, "n", description="How many it rests on.")
    interval = embedded(
        "metrics.Interval", "interval", many=False, null=True, description="Its 95 per cent interval, for means."
    )
    unit = _of_definition(Unit, lambda one, _: one.unit, "What it is measured in.")
    definition = part("metrics.MetricDefinition", description="By which definition.")
    window = embedded("metrics.MetricWindow", "window", many=False, description="Of which days.")
    censored = entry(
        bool, "censored",
        description="Whether time alone may still change it: some of those who are counted have not had as long as it"
        " takes to convert, to come back or to be helped.",
    )  # fmt: skip
    as_of = entry(datetime, "asOf", description="The moment that it is of.")
    watermark = entry(datetime, "watermark", description="What was known here until then is counted.")


@expose()
class MetricPoint:
    """The value of one period of a series."""

    start = entry(date, "start", description="Its first day.")
    end = entry(date, "end", description="The first day after it.")
    label = entry(str, "label", description="What it is called in the tenant's calendar.")
    complete = entry(bool, "complete", description="Whether the window and the past hold all of it.")
    value = embedded("metrics.MetricValue", "value", many=False, description="The value.")


_STAGE = (
    "stages {t} where {t}.tenant_id = $1 and {t}.key = {p}.stage_key and {t}.lifecycle_version_id = (select v.id"
    " from lifecycle_versions v join lifecycles l on l.tenant_id = $1 and l.id = v.lifecycle_id where v.tenant_id = $1"
    " and l.key = {p}.lifecycle_key and v.published_at is not null order by v.number desc limit 1)"
)


@expose()
class MetricSeries:
    """A metric of the tenant, of a segment or of those in a stage, over a window."""

    metric = part("metrics.MetricDefinition", description="The metric.")
    segment = one(
        "segments.Segment", "segments {t} where {t}.tenant_id = $1 and {t}.id = {p}.segment_id",
        description="Whose it is; null where it is not of a segment.",
    )  # fmt: skip
    stage = one("stages.Stage", _STAGE, description="Where they are; null where it is not of a stage.")
    points = embedded(
        "metrics.MetricPoint", "{t}.points", description="The periods in their order; none without grain."
    )
    total = embedded("metrics.MetricValue", "{t}.total", many=False, description="The value of the whole window.")


@expose()
class CustomerMetric:
    """What a metric is worth for one customer, beside all customers as they were last published."""

    metric = part("metrics.MetricDefinition", description="The metric.")
    value = embedded("metrics.MetricValue", "{t}.value", many=False, description="The customer's own value.")
    cohort_value = embedded(
        "metrics.MetricValue", "{t}.cohort", many=False, null=True,
        description="The value of all customers together, the customer included; null before it was first published.",
    )  # fmt: skip
    percentile = column(
        Decimal, sql="{t}.percentile", null=True,
        description="The share of customers, of 100, whose value is as great or smaller.",
    )  # fmt: skip
    z = column(
        Decimal, sql="{t}.z", null=True,
        description="How many standard deviations log(1 + value), with money in its main unit, lies from its mean;"
        " null below 30 customers.",
    )  # fmt: skip


@strawberry.input(description="A stage by its key, and the lifecycle that it belongs to.")
class StageRef:
    """A stage by its key."""

    key: str = strawberry.field(description="The key of the stage.")
    lifecycle: str | None = strawberry.field(
        default=strawberry.UNSET, description="The key of the lifecycle; without it the tenant's default one."
    )


@strawberry.input(description="What figures count by, where that is a choice.")
class MetricOptions:
    """What figures count by."""

    paid_only: bool | None = strawberry.field(
        default=strawberry.UNSET, description="Whether orders of amount 0 are left out; they count without it."
    )
    view: RevenueView | None = strawberry.field(
        default=strawberry.UNSET, description="When what was given back counts; BOOKED without it."
    )
    acquisition_lag_days: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="By how many days the costs of acquisition lie before the customers whom they won; 0 without it.",
    )
    contract_gap_days: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="How many days without a contract are no end, when another one follows; 0 without it.",
    )
    unused_after_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="For how many days nobody used what lies unused; 30 without it."
    )
    conversion_days: int | None = strawberry.field(
        default=strawberry.UNSET, description="Within how many days a lead converts; 90 without it."
    )
    response_days: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="How many days a campaign is given: younger deliveries are left out, and purchases within so many"
        " days are told with it; 7 without it.",
    )
    alive_threshold: Decimal | None = strawberry.field(
        default=strawberry.UNSET,
        description="Below which probability of still buying a customer counts as gone; 0.5 without it.",
    )
    expansion_is_upsell: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether more of the same tier than ever before is an upsell, too; it is none without it.",
    )
    product: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Of which product, by its stock code, use is told; without it, of all that customers have.",
    )


def _counting(asked: Mapping[str, Any]) -> Counting:
    """What the question counts by; what it does not say is as usual."""
    options = asked.get("options") or {}
    told: dict[str, Any] = {
        "paid_only": options.get("paidOnly"),
        "view": (view := options.get("view")) and RevenueView(view),
        "acquisition_lag": options.get("acquisitionLagDays"),
        "contract_gap": options.get("contractGapDays"),
        "unused_after": options.get("unusedAfterDays"),
        "conversion": options.get("conversionDays"),
        "response": options.get("responseDays"),
        "alive_threshold": options.get("aliveThreshold"),
        "expansion": options.get("expansionIsUpsell"),
        "product": options.get("product"),
    }
    return Counting(**{name: value for name, value in told.items() if value is not None})


async def _definitions(_sought: Sought) -> str:
    return _json([{"metric_key": each.key} for each in CATALOGUE])


async def _series(sought: Sought) -> str:
    """The series that are asked for, as rows with their points."""
    asked = sought.arguments
    answer = await queries.series(
        snapshot_of(sought),
        queries.Question(
            keys=asked["keys"],
            window=_window(asked),
            grain=asked.get("grain"),
            segments=[ids.reader("seg")(each) for each in asked.get("segments") or ()],
            stages=[queries.StageName(each["key"], each.get("lifecycle")) for each in asked.get("stages") or ()],
            as_of=asked.get("asOf"),
            counting=_counting(asked),
        ),
    )
    moments = {"asOf": answer.as_of, "watermark": answer.watermark}
    return _json([_row(each, answer.currency, moments) for each in answer.series])


def _row(series: queries.Series, currency: str, moments: Mapping[str, datetime]) -> dict[str, Any]:
    tell = partial(value_row, series.definition, currency=currency, moments=moments)
    stage = series.group.stage
    return {
        "metric_key": series.definition.key,
        "segment_id": series.group.segment,
        "lifecycle_key": stage and stage.lifecycle,
        "stage_key": stage and stage.key,
        "total": tell(series.total),
        "points": [
            {"start": each.start, "end": each.end, "label": each.label, "complete": each.complete, "value": tell(value)}
            for each, value in series.points
        ],
    }


async def _of_stages(sought: Sought) -> str:
    """The measures of some stages: each has those of the canonical step that it stands for."""
    steps = await sought.connection.fetch(
        "select id, step from stages where tenant_id = $1 and id = any($2)", sought.tenant_id, list(sought.keys)
    )
    asked = sought.arguments
    measures = [each for each in CATALOGUE if each.step in {row["step"] for row in steps}]
    question = queries.Question(
        [each.key for each in measures], _window(asked), asked.get("grain"), as_of=asked.get("asOf"),
        counting=_counting(asked),
    )  # fmt: skip
    answer = await queries.series(snapshot_of(sought), question)
    moments = {"asOf": answer.as_of, "watermark": answer.watermark}
    return _json(
        [
            {"stage_id": row["id"], **_row(each, answer.currency, moments)}
            for row in steps
            for each in answer.series
            if each.definition.step == row["step"]
        ]
    )


def _window(asked: Mapping[str, Any]) -> Window:
    return Window(asked["window"].get("start"), asked["window"].get("end"))


async def _of_customers(sought: Sought) -> str:
    """The metrics of some customers, as rows of these customers."""
    asked = sought.arguments
    found = await queries.customer_values(snapshot_of(sought), sought.keys, asked.get("keys"), asked.get("asOf"))
    moments = {"asOf": found.watermark, "watermark": found.watermark}
    return _json(
        [
            {
                "customer_id": customer,
                "metric_key": placed.definition.key,
                "percentile": _decimal(placed.percentile, 0),
                "z": _decimal(placed.z, 0),
                "value": value_row(placed.definition, placed.value, currency=found.currency, moments=moments),
                "cohort": placed.cohort
                and value_row(
                    placed.definition, placed.cohort, currency=found.currency,
                    moments=dict.fromkeys(moments, placed.published_at),
                ),
            }
            for customer, each in found.by_customer.items()
            for placed in each
        ]
    )  # fmt: skip


def snapshot_of(sought: Sought) -> Snapshot:
    """What the statements of metrics run on."""
    return Snapshot(sought.connection, sought.tenant_id, sought.reader.now)


_NORMAL_95 = Decimal("1.959964")


def value_row(
    of: Definition, value: queries.Value, *, currency: str, moments: Mapping[str, datetime | None]
) -> dict[str, Any]:
    """A value as it stands in a row; money in its main unit, and in whole minor units besides."""
    money = of.unit is Unit.MONEY
    minor = minor_units(currency)
    places = minor if money else 0
    divided = minor if of.figure.divides_money else 0
    error = value.standard_error
    interval = None
    if error is not None and value.value is not None:
        interval = {
            "low": _decimal(value.value - _NORMAL_95 * error, places),
            "high": _decimal(value.value + _NORMAL_95 * error, places),
        }
    return {
        "metric_key": of.key,
        "value": _decimal(value.value, places),
        "minor": None if value.value is None or not money else round(value.value),
        "currency": currency,
        "missing": value.missing,
        "numerator": _decimal(value.numerator, places or divided),
        "denominator": _decimal(value.denominator, divided),
        "n": value.n,
        "interval": interval,
        "window": {"start": value.window.start, "end": value.window.end},
        "censored": value.censored,
        **{name: None if moment is None else moment.isoformat() for name, moment in moments.items()},
    }


def _decimal(value: Decimal | None, places: int) -> str | None:
    """A number with six decimals at most, and no zeros at its end."""
    if value is None:
        return None
    told = f"{round(value.scaleb(-places), 6):f}"
    return told.rstrip("0").rstrip(".") if "." in told else told


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return orjson.dumps([{"place": place, **row} for place, row in enumerate(rows)], default=str).decode()


def _rows(columns: str = "") -> str:
    """What was found, as rows."""
    found = f"jsonb_to_recordset({{found}}) as r(place int, metric_key text{columns})"
    return f"(select r.* from tenants b, {found} where b.tenant_id = $1) {{t}} where true"


def metrics_of_customer() -> Any:
    """What metrics are worth for one customer."""
    return listing(
        "metrics.CustomerMetric",
        _rows(", customer_id uuid, percentile text, z text, value jsonb, cohort jsonb"),
        order="{t}.place", keys="{p}.id", link="customer_id", find=_of_customers, scope=SCOPE,
        arguments={
            "keys": Argument(list[str] | None, "Which metrics; all that customers have without it."),
            "asOf": Argument(datetime | None, "As it was known at this moment."),
        },
        description="What metrics are worth for the customer, over the last 365 days or the whole life.",
    )  # fmt: skip


@strawberry.input(
    description="A condition on what a metric is worth for a customer, as `Customer.metrics` tells it: that it is known"
    " and, with bounds, lies between them. All customers are looked at for it; a segment keeps the answer."
)
class MetricFilter:
    """A condition on what a metric is worth for the customer."""

    key: str = strawberry.field(description="The key of the metric.")
    gte: Decimal | None = strawberry.field(
        default=strawberry.UNSET, description="This or more; money in its main unit."
    )
    lte: Decimal | None = strawberry.field(default=strawberry.UNSET, description="This or less.")


async def _between(sought: Sought) -> str:
    """Who has such a value, as JSON."""
    bounds = (sought.arguments.get("gte"), sought.arguments.get("lte"))
    found = await fitting.customers_between(snapshot_of(sought), sought.arguments["key"], *bounds)
    return orjson.dumps(found, default=str).decode()


def _has_value(planner: Any, alias: str, part: Mapping[str, Any]) -> str:
    found = planner.found(_between, part)
    return f"{alias}.id in (select who::uuid from jsonb_array_elements_text({found}) as who)"


HAS_VALUE = Condition(MetricFilter, "What a metric is worth for the customer.", _has_value, scope=SCOPE)
"""The condition of a customer filter on metrics."""


_OF_SERIES = ", segment_id uuid, lifecycle_key text, stage_key text, total jsonb, points jsonb"


def measures_of_stage() -> Any:
    """What is measured of the step that a stage stands for."""
    return listing(
        "metrics.MetricSeries", _rows(f"{_OF_SERIES}, stage_id uuid"), order="{t}.place", keys="{p}.id",
        link="stage_id", find=_of_stages, scope=SCOPE,
        arguments={
            "window": Argument(WindowInput, "Of which days; both sides are needed."),
            "grain": Argument(Grain | None, "How long each point of the series is; without it there are none."),
            "asOf": Argument(datetime | None, "As it was known at this moment, under the identities of then."),
            "options": Argument(MetricOptions | None, "What the figures count by, where that is a choice."),
        },
        description="The metrics of the canonical step that the stage stands for, of the whole tenant.",
    )  # fmt: skip


class Queries:
    """What the root offers of metrics."""

    metric_definitions = listing(
        "metrics.MetricDefinition", _rows(), order="{t}.place", find=_definitions, scope=SCOPE,
        description="Every metric that there is, with its definition.",
    )  # fmt: skip
    metrics = listing(
        "metrics.MetricSeries",
        _rows(_OF_SERIES),
        order="{t}.place", find=_series, scope=SCOPE,
        arguments={
            "keys": Argument(list[str], "Which metrics."),
            "window": Argument(WindowInput, "Of which days; both sides are needed."),
            "grain": Argument(Grain | None, "How long each point of the series is; without it there are none."),
            "segments": Argument(
                list[strawberry.ID] | None, "One series for each of these segments, of those who belong to it now."
            ),
            "stages": Argument(list[StageRef] | None, "One for each of these stages, for those who are there now."),
            "asOf": Argument(datetime | None, "As it was known at this moment, under the identities of then."),
            "options": Argument(MetricOptions | None, "What the figures count by, where that is a choice."),
        },
        description="Values of metrics in a window: of the tenant, of segments, of stages, or of every pair of these.",
    )  # fmt: skip


__all__ = [
    "CustomerMetric",
    "MetricDefinition",
    "MetricSeries",
    "MetricValue",
    "Queries",
    "measures_of_stage",
    "metrics_of_customer",
]
