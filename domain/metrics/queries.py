"""What metrics are worth: of the tenant, of segments and stages, as series, and as they were once believed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from domain.core.money import minor_units
from domain.core.problems import Invalid
from domain.customers import edges
from domain.customers.edges import Edge, EdgeKind
from domain.metrics import definitions
from domain.metrics.catalogue import CATALOGUE, Definition, Span
from domain.metrics.rules import (
    MOST_SERIES,
    USUAL,
    Counting,
    Grain,
    Gregorian,
    Jalali,
    Point,
    TooManySeries,
    Unit,
    check_window,
    points,
)
from domain.metrics.sharing import shared_then
from domain.metrics.statement import Asked, Grouping, statement
from domain.purchases.queries import ProductNotFound
from domain.purchases.rules import MissingReason, Window
from domain.segments.queries import UnknownSegment
from domain.stages.rules import UnknownStage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from domain.metrics.reading import Snapshot
    from domain.metrics.rules import Periods

__all__ = ["definitions"]


class NotPersonal(Invalid):
    """This metric has no value for a single customer. Ask for it by `metrics`, of the tenant, a segment or a stage."""


@dataclass(frozen=True)
class Setting:
    """How the tenant counts: its days, its calendar, its money; and what of the question is known here."""

    zone: str
    calendar: str
    currency: str
    default_lifecycle: str | None
    segments: frozenset[UUID]
    stages: frozenset[tuple[str, str]]
    has_product: bool

    def day_of(self, moment: datetime) -> date:
        """The tenant's calendar day of a moment."""
        return moment.astimezone(ZoneInfo(self.zone)).date()

    @property
    def periods(self) -> Periods:
        """The tenant's calendar."""
        return Jalali() if self.calendar == "JALALI" else Gregorian()


@dataclass(frozen=True)
class StageName:
    """A stage by its key and its lifecycle's; without a lifecycle the tenant's default one."""

    key: str
    lifecycle: str | None = None


@dataclass(frozen=True)
class Group:
    """Of whom a series is: a segment, a stage, who is in both, or everybody."""

    segment: UUID | None = None
    stage: StageName | None = None


@dataclass(frozen=True)
class Question:
    """Which metrics are asked for, of when and of whom, as known at which moment (now without it)."""

    keys: Sequence[str]
    window: Window
    grain: Grain | None = None
    segments: Sequence[UUID] = ()
    stages: Sequence[StageName] = ()
    as_of: datetime | None = None
    counting: Counting = USUAL

    def groups(self) -> list[Group]:
        """Every segment with every stage; where there are none of one kind, the others alone."""
        segments: Sequence[UUID | None] = list(dict.fromkeys(self.segments)) or [None]
        stages: Sequence[StageName | None] = list(dict.fromkeys(self.stages)) or [None]
        return [Group(segment, stage) for segment in segments for stage in stages]


@dataclass(frozen=True)
class Value:
    """A value with what it is made of, in its window; money in minor units; one that is not known says why.

    `censored`: some of those who are counted have not had the time that it takes, so that time alone may change it.
    """

    window: Window
    value: Decimal | None
    missing: MissingReason | None
    numerator: Decimal
    denominator: Decimal | None
    n: int
    standard_error: Decimal | None = None
    censored: bool = False


@dataclass(frozen=True)
class Series:
    """A metric of one group: its value in the whole window, and in each period of it."""

    definition: Definition
    group: Group
    total: Value
    points: Sequence[tuple[Point, Value]]


@dataclass(frozen=True)
class Answer:
    """The series that were asked for, metric by metric, and the moment that they are of."""

    series: Sequence[Series]
    window: tuple[date, date]
    currency: str
    as_of: datetime
    watermark: datetime


async def series(snapshot: Snapshot, question: Question) -> Answer:
    """The values of some metrics in a window and, with a grain, in each of its periods.

    Raises UnknownMetric, ProductNotFound, UnknownSegment, UnknownStage, WindowOpen, WindowEmpty, WindowInFuture,
    WindowTooLong, SeriesTooLong or TooManySeries.
    """
    chosen = CATALOGUE.chosen(question.keys)
    setting = await _setting(snapshot, question.segments, question.stages, question.counting.product)
    if question.counting.product is not None and not setting.has_product:
        raise ProductNotFound(path=("options", "product"))
    groups = [_located(group, setting) for group in question.groups()]
    if len(chosen) * len(groups) > MOST_SERIES:
        raise TooManySeries(path=("keys",))
    watermark = question.as_of or snapshot.now
    today = setting.day_of(watermark)
    start, end = check_window(question.window, today)
    calendar = setting.periods
    periods = points(start, end, question.grain, calendar, today) if question.grain else []
    grouping = Grouping.TENANT if groups == [Group()] else Grouping.MEMBERS
    asked = [Asked(one.key, one.figure, one.min_n) for one in chosen]
    sql = statement(asked, grouping, believed=question.as_of is not None, counting=question.counting)
    begun = [period for period in periods if period.start <= today]
    spans = [(start, end), *((period.start, period.end) for period in begun)]
    befores = [None, *(period.before for period in begun)]
    values = {"zone": setting.zone, "watermark": watermark, **_spans(spans, today, befores), **_members(groups)}
    values |= question.counting.parameters | await _identities(snapshot, question.as_of)
    rows = await _rows(snapshot, sql, values)
    found = {(row["key"], row["g"], row["n"]): _value(row, Window(*spans[row["n"] - 1])) for row in rows}
    first = 0 if grouping is Grouping.TENANT else 1
    return Answer(
        series=[
            Series(one, group, found[one.key, g, 1],
                   [(period, found.get((one.key, g, n)) or _not_yet(period))
                    for n, period in enumerate(periods, start=2)])
            for one in chosen for g, group in enumerate(groups, start=first)
        ],
        window=(start, end), currency=setting.currency, as_of=watermark, watermark=watermark,
    )  # fmt: skip


def _not_yet(period: Point) -> Value:
    """The value of a period that has not begun."""
    return Value(Window(period.start, period.end), None, MissingReason.NO_DATA, Decimal(0), None, 0)


LONG_AGO = date(1970, 1, 1)
"""Where a lifetime begins."""

SPANS = (Span.YEAR, Span.LIFETIME)
"""The windows of personal values, in the order of their numbers."""


@dataclass(frozen=True)
class Placed:
    """A customer's value beside that of all customers, as they were spread when that was last published."""

    definition: Definition
    value: Value
    cohort: Value | None
    percentile: Decimal | None
    z: Decimal | None
    published_at: datetime | None


@dataclass(frozen=True)
class Places:
    """The values of some customers, by survivor, and the moment that they are of."""

    by_customer: Mapping[UUID, Sequence[Placed]]
    currency: str
    watermark: datetime


async def customer_values(
    snapshot: Snapshot, roots: Sequence[UUID], keys: Sequence[str] | None = None, as_of: datetime | None = None
) -> Places:
    """What these metrics (all that customers have, without keys) are worth for each of some surviving customers.

    A value is read now, the others against the last published distribution: the percentile is the share of customers
    whose value is as great or smaller; z is told where 30 customers or more have a value. Raises UnknownMetric or
    NotPersonal.
    """
    chosen = CATALOGUE.personal() if keys is None else CATALOGUE.chosen(keys)
    for one in chosen:
        if one.personal is None:
            raise NotPersonal(path=("keys",), key=one.key)
    setting = await setting_of(snapshot)
    watermark = as_of or snapshot.now
    values = personal_values(replace(snapshot, now=watermark), setting) | await _identities(snapshot, as_of)
    sql = statement(personal(chosen), Grouping.CUSTOMERS, believed=as_of is not None)
    rows = await _rows(snapshot, sql, values | {"roots": list(roots)})
    placed = await snapshot.rows(
        _PLACED, watermark=watermark, customers=[row["g"] for row in rows], keys=[row["key"] for row in rows],
        metric_values=[row["value"] for row in rows], metrics=[one.key for one in chosen],
        versions=[one.version for one in chosen], parts=parts(chosen, setting),
    )  # fmt: skip
    beside = {(row["customer_id"], row["key"]): row for row in placed}
    windows = _own_windows(chosen, setting.day_of(watermark))
    own = {(row["g"], row["key"]): _value(row, windows[row["key"]]) for row in rows}
    return Places(
        {
            root: [_placed(one, own[root, one.key], beside.get((root, one.key)), setting) for one in chosen]
            for root in roots
        },
        setting.currency, watermark,
    )  # fmt: skip


async def _rows(snapshot: Snapshot, sql: str, values: dict[str, Any]) -> Sequence[Any]:
    """The rows of a statement; one that asks who once bore which costs is told."""
    if ":bearers" in sql:
        since = {"since": LONG_AGO} if "past_spending" in sql else {}
        values |= await shared_then(snapshot, values | since)
    return await snapshot.rows(sql, **values)


_PLACED = """
SELECT v.customer_id, v.key, d.as_of, d.n, d.cohort_value, d.cohort_numerator, d.cohort_denominator,
    CASE WHEN v.value IS NOT NULL AND d.quantiles IS NOT NULL THEN
        round(CAST(least(greatest(width_bucket(CAST(v.value AS float8), d.quantiles) - 1, 0), 1000) AS numeric) / 10, 1)
    END AS percentile,
    CASE WHEN v.value IS NOT NULL AND d.n >= 30 AND d.sd_log > 0 THEN
        round(CAST((ln(1 + greatest(CAST(v.value / metric.part AS float8), 0)) - d.mean_log) / d.sd_log AS numeric), 4)
    END AS z
FROM unnest(CAST(:customers AS uuid[]), CAST(:keys AS text[]), CAST(:metric_values AS numeric[]))
    AS v(customer_id, key, value)
CROSS JOIN LATERAL (
    SELECT m.version, m.part
    FROM unnest(CAST(:metrics AS text[]), CAST(:versions AS bigint[]), CAST(:parts AS numeric[]))
        AS m(key, version, part)
    WHERE m.key = v.key
) AS metric
CROSS JOIN LATERAL (
    SELECT * FROM metric_distributions p
    WHERE p.tenant_id = :tenant AND p.metric_key = v.key AND p.definition_version = metric.version
        AND p.as_of <= :watermark
    ORDER BY p.as_of DESC LIMIT 1
) AS d
"""


def _placed(one: Definition, value: Value, beside: Any, setting: Setting) -> Placed:
    if beside is None:
        return Placed(one, value, None, None, None, None)
    window = _own_windows([one], setting.day_of(beside["as_of"]))[one.key]
    missing = MissingReason.NO_DATA if beside["cohort_value"] is None else None
    cohort = Value(
        window, beside["cohort_value"], missing, beside["cohort_numerator"], beside["cohort_denominator"], beside["n"]
    )
    return Placed(one, value, cohort, beside["percentile"], beside["z"], beside["as_of"])


async def cohort(snapshot: Snapshot, chosen: Sequence[Definition], setting: Setting) -> Mapping[str, Value]:
    """The personal figures of all customers together: what a single customer is compared with."""
    rows = await snapshot.rows(statement(personal(chosen), Grouping.TENANT), **personal_values(snapshot, setting))
    windows = _own_windows(chosen, setting.day_of(snapshot.now))
    return {row["key"]: _value(row, windows[row["key"]]) for row in rows}


def _own_windows(chosen: Sequence[Definition], today: date) -> Mapping[str, Window]:
    """The days over which each metric of single customers is read; a whole life has no beginning."""
    tomorrow = today + timedelta(days=1)
    windows = {Span.YEAR: Window(tomorrow - timedelta(days=365), tomorrow), Span.LIFETIME: Window(None, tomorrow)}
    return {one.key: windows[one.personal.over] for one in chosen if one.personal is not None}


def personal(chosen: Sequence[Definition]) -> list[Asked]:
    """The personal figures of some metrics, each in the window over which it is read."""
    return [
        Asked(one.key, one.personal.figure, one.personal.least, SPANS.index(one.personal.over) + 1)
        for one in chosen
        if one.personal is not None
    ]


def personal_values(snapshot: Snapshot, setting: Setting) -> dict[str, Any]:
    """The values of a statement of personal figures: their windows end with today."""
    today = setting.day_of(snapshot.now)
    tomorrow = today + timedelta(days=1)
    spans = _spans([(tomorrow - timedelta(days=365), tomorrow), (LONG_AGO, tomorrow)], today)
    return {"zone": setting.zone, "watermark": snapshot.now, **spans, **USUAL.parameters}


def parts(chosen: Sequence[Definition], setting: Setting) -> list[Decimal]:
    """How many of what a value is kept in are one of its unit: of money minor units, such as 100 cents of a euro.

    A logarithm of 1 + value depends on it, and is taken of the unit that people read.
    """
    minor = Decimal(10) ** minor_units(setting.currency)
    return [minor if one.unit is Unit.MONEY else Decimal(1) for one in chosen]


async def setting_of(snapshot: Snapshot) -> Setting:
    """How the tenant counts."""
    return await _setting(snapshot)


_SETTING = """
SELECT t.time_zone, t.calendar, t.base_currency,
    (SELECT l.key FROM lifecycles l WHERE l.tenant_id = :tenant AND l.is_default) AS default_lifecycle,
    array(SELECT s.id FROM segments s WHERE s.tenant_id = :tenant AND s.id = ANY(:segments)) AS segments,
    array(SELECT DISTINCT l.key || ':' || s.key FROM stages s
        JOIN lifecycle_versions v ON v.tenant_id = :tenant AND v.id = s.lifecycle_version_id
        JOIN lifecycles l ON l.tenant_id = :tenant AND l.id = v.lifecycle_id
        WHERE s.tenant_id = :tenant AND cardinality(CAST(:stages AS text[])) > 0) AS stages,
    EXISTS (SELECT FROM products p WHERE p.tenant_id = :tenant AND p.sku = CAST(:product AS text)
        AND p.valid_to IS NULL) AS has_product
FROM tenants t WHERE t.tenant_id = :tenant
"""


async def _setting(
    snapshot: Snapshot, segments: Sequence[UUID] = (), stages: Sequence[StageName] = (), product: str | None = None
) -> Setting:
    keys = [stage.key for stage in stages]
    (row,) = await snapshot.rows(_SETTING, segments=list(segments), stages=keys, product=product)
    known = frozenset((lifecycle, key) for lifecycle, _, key in (name.partition(":") for name in row["stages"]))
    return Setting(
        row["time_zone"], row["calendar"], row["base_currency"], row["default_lifecycle"],
        frozenset(row["segments"]), known, row["has_product"],
    )  # fmt: skip


def _located(group: Group, setting: Setting) -> Group:
    """A group whose segment and stage exist, the stage with its lifecycle. Raises UnknownSegment or UnknownStage."""
    if group.segment is not None and group.segment not in setting.segments:
        raise UnknownSegment(path=("segments",), id=group.segment)
    if group.stage is None:
        return group
    lifecycle = group.stage.lifecycle or setting.default_lifecycle
    if lifecycle is None or (lifecycle, group.stage.key) not in setting.stages:
        known = sorted(stage for of, stage in setting.stages if of == lifecycle)
        message = f"There is no stage {group.stage.key!r} in this lifecycle."
        raise UnknownStage(message, path=("stages",), stage=group.stage.key, known=known)
    return Group(group.segment, StageName(group.stage.key, lifecycle))


def _spans(
    spans: Sequence[tuple[date, date]], today: date, befores: Sequence[date | None] | None = None
) -> dict[str, Any]:
    """Windows as parameters; none reaches further than today. `befores`: where the period before each begins."""
    tomorrow = today + timedelta(days=1)
    ends = [min(end, tomorrow) for _, end in spans]
    starts = [start for start, _ in spans]
    before = list(befores or [None] * len(spans))
    return {"starts": starts, "ends": ends, "befores": before, "since": min(starts), "until": max(ends)}


def _members(groups: Sequence[Group]) -> dict[str, Any]:
    return {
        "segments": [group.segment for group in groups],
        "lifecycles": [group.stage.lifecycle if group.stage else None for group in groups],
        "stages": [group.stage.key if group.stage else None for group in groups],
    }


_EDGES = """
SELECT id, kind, customer_id, into_id, batch_id, recorded_at, undoes FROM identity_edges
WHERE tenant_id = :tenant AND recorded_at <= :watermark
"""


async def _identities(snapshot: Snapshot, as_of: datetime | None) -> dict[str, Any]:
    """Who was whom at a moment, as parameters: everybody who had been merged, with the survivor of then."""
    if as_of is None:
        return {}
    log = [
        Edge(row["id"], EdgeKind(row["kind"]), row["customer_id"], row["into_id"], row["batch_id"],
             row["recorded_at"], row["undoes"])
        for row in await snapshot.rows(_EDGES, watermark=as_of)
    ]  # fmt: skip
    roots = edges.components(log)
    return {"merged": list(roots), "roots_then": list(roots.values())}


def _value(row: Any, window: Window) -> Value:
    return Value(
        window, row["value"], MissingReason(row["missing"]) if row["missing"] else None, row["numerator"],
        row["denominator"], row["rests_on"], row["standard_error"], row["censored"],
    )  # fmt: skip
