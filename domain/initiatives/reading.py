"""What is known of customers now: the same evidence for the seal and for what came after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import Date, DateTime, Uuid, bindparam, select, text

from domain.costs.queries import by_day
from domain.initiatives.history import NEVER, WEEK, History, Weeks
from domain.initiatives.plans import GroupKind, GroupName, Missing, Spent
from domain.initiatives.statistics.equity import Model
from domain.metrics.clv.gamma_gamma import PARAMETERS as SPENDING
from domain.metrics.clv.lifetime_value import MODELS
from domain.metrics.clv.mbgnbd import KIND as DEFAULT
from domain.metrics.clv.model import ModelKind
from domain.metrics.clv.queries import why_not
from domain.metrics.reading import snapshot
from domain.segments import queries as segments
from domain.segments.compiling import NotDated
from domain.segments.criteria import decode
from domain.segments.model import Segment, SegmentMember

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from numpy.typing import NDArray
    from sqlalchemy import Select, TextClause

    from domain.core.unit_of_work import Reading
    from domain.initiatives.history import Amounts
    from domain.initiatives.seal import Columns

RESPONDS_WITHIN = 7
"""Days in which a campaign is answered, if at all; a younger delivery does not count yet."""


@dataclass(frozen=True)
class Window:
    """The local days `[first, last)` of a tenant, and which orders make a purchase occasion."""

    first: date
    last: date
    time_zone: str
    paid_only: bool


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """A customer as recorded: who survived for it, where it belongs, and when it was first seen and first bought.

    The department is that of the day that was asked for, since `department_since`; of who had none then, his next one.
    """

    id: UUID
    root_id: UUID
    organisation_id: UUID | None
    department_id: UUID | None
    department_since: date | None
    segment_ids: list[UUID]
    first_seen_on: date
    first_occasion_on: date | None
    occasions_before: int


@dataclass(frozen=True, slots=True)
class WeekCost:
    """What was spent in a week, and how many entries of it wait for an exchange rate: they are in no amount."""

    amount: int = 0
    unrated: int = 0


WeekCosts = Mapping[str, Mapping[int, WeekCost]]
"""By category and week."""


@dataclass(frozen=True)
class Members:
    """The surviving customers of some segments, and whether they are those of the moment that was asked for."""

    customer_ids: frozenset[UUID]
    dated: bool


async def people(reading: Reading, window: Window, belonging: date) -> Sequence[Person]:
    """Everybody who was seen before the end of the window and not erased, by id; of departments as of a day."""
    rows = await reading.rows(_PEOPLE, {**_values(reading, window), "belonging": belonging})
    return [Person(**row._asdict()) for row in rows]


async def columns(reading: Reading, window: Window, place: Mapping[UUID, int]) -> Columns:
    """What each customer, as recorded, did on each day of the window, in the order of their places and the days.

    Whoever has no place is left out.
    """
    rows = await reading.rows(_DAYS, _values(reading, window))
    kept = sorted((place[row[0]], *row[1:]) for row in rows if row[0] in place)
    names = ("pseudonym", "day", *FIGURES)
    values = zip(*kept, strict=True) if kept else ([] for _ in names)
    return {name: list(each) for name, each in zip(names, values, strict=True)}


async def first_day(reading: Reading) -> date | None:
    """The first day on which anybody bought anything."""
    (found,) = await reading.rows(_FIRST_DAY, {"tenant": reading.tenant_id})
    day: date | None = found.day
    return day


async def costs(reading: Reading, window: Window, origin: date) -> WeekCosts:
    """What was spent by category and week, counted from the origin; an entry is spread evenly over its days."""
    rows = await reading.rows(_COSTS, _values(reading, window))
    spread: dict[str, dict[int, float]] = {}
    waiting: Counter[tuple[str, int]] = Counter()
    for row in rows:
        weeks = spread.setdefault(row.category, {})
        length = (row.ends_on - row.starts_on).days
        begin, end = max(row.starts_on, window.first), min(row.ends_on, window.last)
        days = Counter((day - origin.toordinal()) // WEEK for day in range(begin.toordinal(), end.toordinal()))
        for week, count in days.items():
            weeks[week] = weeks.get(week, 0.0) + (row.base_amount or 0) * count / length
        if row.base_amount is None:
            waiting.update((row.category, week) for week in days)
    return {
        category: {week: WeekCost(round(amount), waiting[category, week]) for week, amount in weeks.items()}
        for category, weeks in spread.items()
    }


async def spent(reading: Reading, initiative_id: UUID) -> tuple[Spent, ...]:
    """What an initiative cost, by the first day of each entry; not known of a day on which one waits for a rate."""
    rows = await reading.rows(_SPENT, {"tenant": reading.tenant_id, "initiative": initiative_id})
    return tuple(Spent(row.starts_on.toordinal(), None if row.amount is None else float(row.amount)) for row in rows)


async def members_at(reading: Reading, segment_ids: Sequence[UUID], moment: datetime) -> Members:
    """Who fitted any of these segments just before a moment; where that cannot be told, who is in them now.

    Raises UnknownSegment.
    """
    found: set[UUID] = set()
    dated = True
    for segment_id in segment_ids:
        criteria = decode((await segments.latest_version(reading, segment_id)).criteria)
        try:
            found.update(await segments.members_as_of(reading, criteria, moment))
        except NotDated:
            dated = False
            found.update(await reading.all(_members_now(reading, segment_id)))
    return Members(frozenset(found), dated=dated)


async def groups(reading: Reading, moment: datetime) -> list[tuple[GroupName, frozenset[UUID]]]:
    """The segments and the stages of the default lifecycle, with who was in each just before a moment.

    A segment is left out where that cannot be told of the past.
    """
    labels = {row.id: row.labels for row in await reading.rows(_labels(reading))}
    found = []
    for each in await segments.in_force(reading):
        with suppress(NotDated):
            members = await segments.members_as_of(reading, each.criteria, moment)
            found.append((GroupName(GroupKind.SEGMENT, each.key, labels[each.id]), frozenset(members)))
    stages = await reading.rows(_STAGES, {"tenant": reading.tenant_id, "moment": moment})
    return found + [(GroupName(GroupKind.STAGE, row.key, row.labels), frozenset(row.customer_ids)) for row in stages]


async def model_of_buying(reading: Reading, currency: str) -> Model | Missing:
    """The latest version of the model by which customers are valued; why not, where there is none."""
    rows = await reading.rows(_MODEL, {"tenant": reading.tenant_id, "kind": DEFAULT})
    if not rows:
        return Missing(await why_not(await snapshot(reading), ModelKind(DEFAULT)))
    (row,) = rows
    if row.currency != currency:
        return Missing.OTHER_CURRENCY
    buying = [row.buying[name] for name in MODELS[DEFAULT].PARAMETERS]
    return Model(row.number, DEFAULT, buying, [row.spending[name] for name in SPENDING], float(row.margin))


def newcomers(first_occasions: NDArray[np.int32], origin: date, first: int, last: int) -> NDArray[np.float64]:
    """How many customers bought for the first time in each week `[first, last)`, counted from the origin."""
    weeks = (first_occasions[first_occasions != NEVER] - origin.toordinal()) // WEEK
    inside = weeks[(weeks >= first) & (weeks < last)] - first
    return np.bincount(inside, minlength=last - first).astype(np.float64)


def weeks_of(found: WeekCosts, new_customers: NDArray[np.float64], origin: date, first: int) -> Weeks:
    """Costs and new customers of the weeks from `first` on."""
    size, nothing = len(new_customers), WeekCost()
    amounts = {
        category: np.array([weeks.get(first + place, nothing).amount for place in range(size)], dtype=np.float64)
        for category, weeks in found.items()
    }
    unrated = {
        category: frozenset(week for week, cost in weeks.items() if cost.unrated) for category, weeks in found.items()
    }
    return Weeks(origin.toordinal(), first, amounts, new_customers, unrated)


def ordinals(found: Sequence[date | None]) -> NDArray[np.int32]:
    """Days as ordinals."""
    return np.array([NEVER if day is None else day.toordinal() for day in found], dtype=np.int32)


def history(who: Columns, did: Columns, window: tuple[date, date], weeks: Weeks) -> History:
    """Customers and their days, column by column as a seal holds them, as the arrays that are compared.

    Rows are in the order of customer and day; customers are numbered by their place.
    """
    codes = {department: code for code, department in enumerate(dict.fromkeys(filter(None, who["department_id"])))}
    return History(
        first=window[0].toordinal(),
        last=window[1].toordinal(),
        unit=np.array(who["unit"], dtype=np.int32),
        first_occasion=ordinals(who["first_occasion_on"]),
        first_seen=ordinals(who["first_seen_on"]),
        erased_at=ordinals(who.get("erased_on", [None] * len(who["unit"]))),
        department=np.array([codes.get(each, -1) for each in who["department_id"]], dtype=np.int32),
        occasions_before=np.array(who["occasions_before"], dtype=np.int32),
        customer=np.array(did["pseudonym"], dtype=np.int32),
        day=ordinals(did["day"]),
        weeks=weeks,
        **_figures(did),
    )


FIGURES = ("occasions", "units", "amount", "contribution", "service_cost", "deliveries", "responses", "unrated")
"""What is counted of a customer on a day."""


def _figures(did: Columns) -> dict[str, Amounts]:
    """The columns of the days as numbers; what is not known is NaN.

    Seals of before it was kept do not say what waits for a rate: there it may be a purchase of nothing of which nobody
    knows what it left.
    """
    found = {name: np.array(did[name], dtype=np.float64) for name in FIGURES}
    of_nothing = (found["occasions"] > 0) & (found["amount"] == 0) & np.isnan(found["contribution"])
    return found | {"unrated": np.where(np.isnan(found["unrated"]), of_nothing, found["unrated"])}


def _statement(sql: str, **types: Any) -> TextClause:
    bound = [bindparam(name, type_=type_) for name, type_ in {"tenant": Uuid(), **types}.items()]
    return text(sql).bindparams(*bound)


def _values(reading: Reading, window: Window) -> dict[str, Any]:
    return {
        "tenant": reading.tenant_id, "first": window.first, "last": window.last, "zone": window.time_zone,
        "paid_only": window.paid_only,
    }  # fmt: skip


_IS_OCCASION = "CASE WHEN :paid_only THEN p.paid_orders ELSE p.orders END > 0"

_PEOPLE = _statement(
    f"""
    WITH members AS (
        SELECT DISTINCT ON (m.customer_id) m.customer_id, m.department_id,
            CAST(m.valid_from AT TIME ZONE :zone AS date) AS since
        FROM department_members m
        WHERE m.tenant_id = :tenant
            AND coalesce(m.valid_to > greatest(m.valid_from, CAST(:belonging AS timestamp) AT TIME ZONE :zone), true)
        ORDER BY m.customer_id, m.valid_from, m.id
    )
    SELECT c.id, c.root_id, o.root_id AS organisation_id, coalesce(own.department_id, d.department_id) AS department_id,
        CASE WHEN own.department_id IS NULL THEN d.since ELSE own.since END AS department_since,
        coalesce(belongs.segment_ids, '{{}}') AS segment_ids,
        least(seen.day, bought.first_on) AS first_seen_on, bought.first_on AS first_occasion_on,
        coalesce(bought.before, 0) AS occasions_before
    FROM customers c
    CROSS JOIN LATERAL (
        SELECT CAST(coalesce(c.own_first_seen_at, c.first_seen_at) AT TIME ZONE :zone AS date) AS day
    ) AS seen
    LEFT JOIN customers o ON o.tenant_id = :tenant AND o.id = c.organisation_id
    LEFT JOIN members own ON own.customer_id = c.id
    LEFT JOIN members d ON d.customer_id = c.root_id
    LEFT JOIN (
        SELECT customer_id, array_agg(segment_id ORDER BY segment_id) AS segment_ids
        FROM segment_members WHERE tenant_id = :tenant GROUP BY customer_id
    ) AS belongs ON belongs.customer_id = c.root_id
    LEFT JOIN (
        SELECT p.customer_id, min(p.day) AS first_on, count(*) FILTER (WHERE p.day < :first) AS before
        FROM purchase_days p WHERE p.tenant_id = :tenant AND p.day < :last AND {_IS_OCCASION} GROUP BY p.customer_id
    ) AS bought ON bought.customer_id = c.id
    WHERE c.tenant_id = :tenant AND c.status <> 'ERASED' AND least(seen.day, bought.first_on) < :last
    ORDER BY c.id
    """,
    first=Date(), last=Date(), belonging=Date(),
)  # fmt: skip


def _days(whose: str = "") -> str:
    """SQL: what customers did on each day, as recorded; `whose` says of whom, over a customer's id."""
    return f"""
    SELECT customer_id, day, CAST(max(occasions) AS bigint) AS occasions, CAST(sum(units) AS numeric(20, 6)) AS units,
        CAST(sum(amount) AS bigint) AS amount,
        CASE WHEN sum(unknown) = 0
            THEN CAST(sum(amount) - sum(cost_of_goods) - sum(service_cost) AS bigint) END AS contribution,
        CAST(sum(service_cost) AS bigint) AS service_cost,
        CAST(sum(deliveries) AS bigint) AS deliveries, CAST(sum(responses) AS bigint) AS responses,
        CAST(sum(unrated) AS bigint) AS unrated
    FROM (
        SELECT p.customer_id, p.day, CASE WHEN {_IS_OCCASION} THEN 1 ELSE 0 END AS occasions,
            CASE WHEN :paid_only THEN p.paid_units ELSE p.units END - p.returned_units AS units, p.net AS amount,
            p.cost_of_goods, p.uncosted + p.unrated AS unknown, 0 AS service_cost, 0 AS deliveries, 0 AS responses,
            p.unrated
        FROM purchase_days p WHERE p.tenant_id = :tenant AND p.day >= :first AND p.day < :last{whose.format(t="p")}
        UNION ALL
        SELECT b.customer_id, b.day, 0, 0, 0, 0, 0, b.minor, 0, 0, 0
        FROM ({by_day(":first", ":last", "a.category = 'SERVICE'" + whose.format(t="a"))}) AS b
        WHERE b.minor <> 0
        UNION ALL
        SELECT r.customer_id, r.delivered_on, 0, 0, 0, 0, 0, 0, 1,
            CASE WHEN r.human_at <= r.delivered_at + make_interval(days => {RESPONDS_WITHIN}) THEN 1 ELSE 0 END, 0
        FROM campaign_responses r
        WHERE r.tenant_id = :tenant AND r.delivered_on >= :first
            AND r.delivered_on < CAST(:last AS date) - {RESPONDS_WITHIN}{whose.format(t="r")}
    ) AS parts
    GROUP BY customer_id, day
    ORDER BY customer_id, day
    """


_DAYS = _statement(_days(), first=Date(), last=Date())

DAYS_OF_SOME = _days(" AND {t}.customer_id = ANY(:customers)")
"""SQL: the same of `:customers`, to be run on a snapshot."""

_STAGES = _statement(
    """
    SELECT i.stage_key AS key, (array_agg(s.labels ORDER BY i.entered_at DESC, i.id DESC))[1] AS labels,
        array_agg(DISTINCT i.customer_id) AS customer_ids
    FROM lifecycles l
    JOIN stage_intervals i ON i.tenant_id = :tenant AND i.lifecycle_id = l.id AND i.entered_at < :moment
        AND (i.exited_at IS NULL OR i.exited_at >= :moment)
    JOIN stages s ON s.tenant_id = :tenant AND s.id = i.stage_id
    WHERE l.tenant_id = :tenant AND l.is_default
    GROUP BY i.stage_key
    ORDER BY i.stage_key
    """,
    moment=DateTime(timezone=True),
)  # fmt: skip

_MODEL = _statement(
    """
    SELECT v.number, v.parameters AS buying, s.parameters AS spending, e.margin, e.currency
    FROM model_versions v
    JOIN equity_curves e ON e.tenant_id = :tenant AND e.version_id = v.id
    JOIN model_versions s ON s.tenant_id = :tenant AND s.id = e.spend_version_id
    WHERE v.tenant_id = :tenant AND v.kind = :kind
    ORDER BY v.number DESC LIMIT 1
    """
)  # fmt: skip

_FIRST_DAY = _statement("SELECT min(day) AS day FROM purchase_days WHERE tenant_id = :tenant AND orders > 0")

_COSTS = _statement(
    """
    SELECT category, starts_on, ends_on, base_amount FROM cost_entries
    WHERE tenant_id = :tenant AND superseded_at IS NULL AND starts_on < :last AND ends_on > :first
    """,
    first=Date(), last=Date(),
)  # fmt: skip

_SPENT = _statement(
    """
    SELECT starts_on, CASE WHEN bool_and(base_amount IS NOT NULL) THEN CAST(sum(base_amount) AS bigint) END AS amount
    FROM cost_entries
    WHERE tenant_id = :tenant AND superseded_at IS NULL AND initiative_id = :initiative
    GROUP BY starts_on ORDER BY starts_on
    """,
    initiative=Uuid(),
)  # fmt: skip


def _labels(reading: Reading) -> Select[UUID]:
    return select(Segment.id, Segment.labels).where(Segment.tenant_id == reading.tenant_id)


def _members_now(reading: Reading, segment_id: UUID) -> Select[UUID]:
    return select(SegmentMember.customer_id).where(
        SegmentMember.tenant_id == reading.tenant_id, SegmentMember.segment_id == segment_id
    )
