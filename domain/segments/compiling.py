"""Criteria as SQL: one condition on a surviving customer, the same for one customer and for all, now or at a moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, BigInteger, Boolean, Date, DateTime, Numeric, Text, Uuid, bindparam, text

from domain.core.money import to_minor
from domain.core.problems import Invalid
from domain.customers.model import MILLIONTHS, AttributeType
from domain.customers.queries import VALUE_COLUMN
from domain.customers.rules import UnknownAttribute, WrongAttributeType
from domain.interactions.model import Family, InteractionKind
from domain.purchases.queries import COUNTED_REFUND, PURCHASE
from domain.segments import criteria as asked
from domain.segments import measures
from domain.segments.criteria import Criteria, Since

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from sqlalchemy import TextClause
    from sqlalchemy.types import TypeEngine

    from domain.segments.measures import Figure


class NotDated(Invalid):
    """What a customer was at an earlier moment is not known of this. Ask about purchases, interactions or stages."""


class UnknownKind(Invalid):
    """There is no interaction of this kind. Use one of the kinds of the schema."""


@dataclass(frozen=True)
class Known:
    """What criteria mean in a tenant: its attributes, its currency, the criteria of its segments.

    `figures` are those that were worked out for the customers who are asked about, by the keys of their measures.
    """

    base_currency: str
    attributes: Mapping[str, AttributeType] = field(default_factory=dict)
    segments: Mapping[UUID, Criteria] = field(default_factory=dict)
    figures: Mapping[str, Mapping[UUID, Figure]] = field(default_factory=dict)


@dataclass(frozen=True)
class Compiled:
    """A condition on the surviving customer `c`, never null, and those that it is made of in the end.

    The statement that they are put into has `joins` behind `customers c`, and names the tenant `:tenant`; it becomes
    one with `statement`.
    """

    condition: str
    literals: tuple[tuple[Criteria, str], ...]
    joins: str
    _values: Mapping[str, tuple[Any, TypeEngine[Any]]] = field(repr=False)

    def statement(self, sql: str) -> TextClause:
        """A statement that holds the condition, or some of the literals, with their values bound."""
        bound = [bindparam(name, value, kind) for name, (value, kind) in self._values.items() if f":{name}" in sql]
        return text(sql).bindparams(bindparam("tenant", type_=Uuid()), *bound)


def compiled(criteria: Criteria, known: Known, moment: datetime, *, dated: bool = False) -> Compiled:
    """What criteria ask of a customer at a moment; `dated`: what happened from then on is left out.

    Raises UnknownAttribute, WrongAttributeType, UnknownKind, UnknownMeasure, NoPercentile, or NotDated where the past
    of what is asked is not known.
    """
    compiler = _Compiler(known, moment, dated=dated)
    return Compiled(
        compiler.condition(criteria),
        tuple((literal, compiler.condition(literal)) for literal in asked.literals(criteria)),
        "".join(compiler.joins.values()),
        compiler.values,
    )


_MOMENT = DateTime(timezone=True)
_TEXT = Text(collation="C")
_FIGURES = ARRAY(Numeric())


class _Compiler:
    """Writes SQL and keeps the values that it binds; the same value is bound once."""

    def __init__(self, known: Known, moment: datetime, *, dated: bool) -> None:
        self.values: dict[str, tuple[Any, TypeEngine[Any]]] = {"moment": (moment, _MOMENT)}
        self.joins: dict[str, str] = {}
        self._known, self._moment, self._dated = known, moment, dated
        self._names: dict[tuple[str, Any], str] = {}

    def condition(self, criteria: Criteria) -> str:
        """A condition that is true or false, never null: what is unknown does not hold."""
        match criteria:
            case asked.All():
                return f"({' AND '.join(self.condition(part) for part in criteria.of)})"
            case asked.AnyOf():
                return f"({' OR '.join(self.condition(part) for part in criteria.of)})"
            case asked.Not():
                return f"(NOT {self.condition(criteria.of)})"
            case asked.InSegment() if self._dated:
                return self._segment_then(criteria)
            case leaf:
                return f"coalesce({self._leaves[type(leaf)](leaf)}, false)"

    @cached_property
    def _leaves(self) -> Mapping[type[Criteria], Callable[[Any], str]]:
        return {
            asked.KindIs: lambda leaf: f"c.kind = {self._bind(leaf.kind, _TEXT)}",
            asked.CountryIs: self._country,
            asked.AttributeIs: self._attribute,
            asked.Occasions: self._occasions,
            asked.Interactions: self._interactions,
            asked.Spent: self._spent,
            asked.DaysSince: self._days_since,
            asked.LifeSpan: self._life_span,
            asked.InStage: self._in_stage,
            asked.EnteredStage: self._entered_stage,
            asked.Metric: self._metric,
            asked.InSegment: self._in_segment,
        }

    # Who the customer is

    def _country(self, leaf: asked.CountryIs) -> str:
        self._only_now("the country")
        return f"c.country = ANY({self._bind(leaf.among, ARRAY(_TEXT))})"

    def _attribute(self, leaf: asked.AttributeIs) -> str:
        self._only_now(f"the attribute {leaf.key!r}")
        if leaf.key not in self._known.attributes:
            raise UnknownAttribute(f"There is no attribute {leaf.key!r}. Define it first.", attribute=leaf.key)
        kind = self._known.attributes[leaf.key]
        compared = " AND ".join(
            f"a.{VALUE_COLUMN[kind]} {operator} {self._bind(_stored(kind, value, operator), _TYPES[kind])}"
            for operator, value in (("=", leaf.eq), (">=", leaf.gte), ("<=", leaf.lte))
            if value is not None
        )
        return f"""(
            SELECT {compared} FROM customer_attributes a
            WHERE a.tenant_id = :tenant AND a.customer_id = c.id AND a.key = {self._bind(leaf.key, _TEXT)}
        )"""

    # What the customer bought

    def _occasions(self, leaf: asked.Occasions) -> str:
        return self._between(self._purchases("count(DISTINCT o.local_day)", leaf.within_days), leaf, BigInteger())

    def _life_span(self, leaf: asked.LifeSpan) -> str:
        return self._between(self._purchases("max(o.local_day) - min(o.local_day)"), leaf, BigInteger())

    def _spent(self, leaf: asked.Spent) -> str:
        minor = {name: to_minor(bound, self._known.base_currency) for name, bound in _bounds(leaf).items()}
        booked_at = "coalesce(o.occurred_at, f.occurred_at)"
        net = f"""(
            SELECT CASE WHEN count(*) = count(part.minor) THEN coalesce(sum(part.minor), 0) END
            FROM (
                SELECT o.base_amount AS minor FROM {_own("orders", "o")}
                WHERE o.kind = 'SALE' AND o.status = 'COMPLETED'{self._in_time("o.occurred_at", leaf.within_days)}
                UNION ALL
                SELECT -f.base_amount FROM {_own("refunds", "f")}
                LEFT JOIN orders o ON o.tenant_id = :tenant AND o.id = f.order_id AND o.superseded_at IS NULL
                WHERE {COUNTED_REFUND}{self._in_time(booked_at, leaf.within_days)}
            ) AS part
        )"""
        return self._compared(net, {">=": minor.get("gte"), "<": minor.get("lt")}, BigInteger())

    def _purchases(self, figure: str, within_days: int | None = None) -> str:
        in_time = self._in_time("o.occurred_at", within_days)
        return f"(SELECT {figure} FROM {_own('orders', 'o')} WHERE {PURCHASE}{in_time})"

    # What happened

    def _interactions(self, leaf: asked.Interactions) -> str:
        return self._between(self._happened("count(*)", leaf.kinds, leaf.within_days), leaf, BigInteger())

    def _happened(self, figure: str, kinds: tuple[str, ...], within_days: int | None = None) -> str:
        for kind in kinds:
            if kind not in InteractionKind.__members__:
                raise UnknownKind(f"There is no interaction of the kind {kind!r}.", kind=kind)
        # A move from stage to stage is no contact with the customer, though it stands on the timeline.
        wanted = f"i.kind = ANY({self._bind(kinds, ARRAY(_TEXT))})" if kinds else f"i.family <> '{Family.STAGE}'"
        in_time = self._in_time("i.occurred_at", within_days)
        return f"(SELECT {figure} FROM {_own('interactions', 'i')} WHERE NOT i.machine_suspected AND {wanted}{in_time})"

    def _days_since(self, leaf: asked.DaysSince) -> str:
        return self._ago(self._moment_of(leaf), leaf)

    def _moment_of(self, leaf: asked.DaysSince) -> str:
        match leaf.what:
            case Since.FIRST_SEEN:
                return "c.first_seen_at"
            case Since.FIRST_PURCHASE:
                return self._purchases("min(o.occurred_at)")
            case Since.LAST_PURCHASE:
                return self._purchases("max(o.occurred_at)")
            case Since.FIRST_INTERACTION:
                return self._happened("min(i.occurred_at)", leaf.kinds)
            case Since.LAST_INTERACTION:
                return self._happened("max(i.occurred_at)", leaf.kinds)

    # Where the customer is

    def _in_stage(self, leaf: asked.InStage) -> str:
        there = "s.is_current"
        if self._dated:
            there = "s.entered_at < :moment AND (s.exited_at IS NULL OR s.exited_at >= :moment)"
        lasting = f" AND {self._ago('s.entered_at', leaf)}" if leaf.is_timed else ""
        return self._stays(leaf, there + lasting)

    def _entered_stage(self, leaf: asked.EnteredStage) -> str:
        return self._stays(leaf, f"true{self._in_time('s.entered_at', leaf.within_days)}")

    def _stays(self, leaf: asked.InStage | asked.EnteredStage, fitting: str) -> str:
        where = [fitting]
        if leaf.lifecycle is not None:
            where.append(f"s.lifecycle_key = {self._bind(leaf.lifecycle, _TEXT)}")
        if leaf.stage is not None:
            where.append(f"s.stage_key = {self._bind(leaf.stage, _TEXT)}")
        if leaf.step is not None:
            step = "(SELECT g.step FROM stages g WHERE g.tenant_id = :tenant AND g.id = s.stage_id)"
            where.append(f"{step} = {self._bind(leaf.step, _TEXT)}")
        return f"""(
            SELECT true FROM stage_intervals s
            WHERE s.tenant_id = :tenant AND s.customer_id = c.id AND {" AND ".join(where)} LIMIT 1
        )"""

    # What the customer amounts to

    def _metric(self, leaf: asked.Metric) -> str:
        measure = measures.measure(leaf.key)
        if not measure.dated:
            self._only_now(f"the metric {leaf.key!r}")
        if leaf.percentile and measure.percentile is None and measure.figures is None:
            raise measures.NoPercentile(metric=leaf.key)
        if measure.figures is not None:
            figure = self._figure(leaf)
        else:
            figure = f"({measure.percentile if leaf.percentile else measure.value})"
        return self._compared(figure, {">=": leaf.gte, "<=": leaf.lte}, Numeric())

    def _figure(self, leaf: asked.Metric) -> str:
        """A figure that was worked out before, joined to the customers."""
        known = self._known.figures.get(leaf.key, {})
        told = {customer: each.percentile if leaf.percentile else each.value for customer, each in known.items()}
        name = f"figure_{leaf.key}_{leaf.percentile}".lower()
        if name not in self.joins:
            customers, figures = self._bind(tuple(told), ARRAY(Uuid())), self._bind(tuple(told.values()), _FIGURES)
            self.joins[name] = f" LEFT JOIN unnest({customers}, {figures}) AS {name} (id, figure) ON {name}.id = c.id"
        return f"{name}.figure"

    def _in_segment(self, leaf: asked.InSegment) -> str:
        return f"""(
            SELECT true FROM segment_members m
            WHERE m.tenant_id = :tenant AND m.segment_id = {self._bind(leaf.segment, Uuid())} AND m.customer_id = c.id
        )"""

    def _segment_then(self, leaf: asked.InSegment) -> str:
        if leaf.segment not in self._known.segments:
            raise NotDated("A segment that was never worked out has no past.", segment=leaf.segment)
        return self.condition(self._known.segments[leaf.segment])

    # Small things

    def _between(self, figure: str, leaf: Any, kind: TypeEngine[Any]) -> str:
        return self._compared(figure, {">=": leaf.gte, "<": leaf.lt}, kind)

    def _compared(self, figure: str, bounds: Mapping[str, Any], kind: TypeEngine[Any]) -> str:
        given = [f"x.figure {sign} {self._bind(value, kind)}" for sign, value in bounds.items() if value is not None]
        # Worked out once, however many bounds it has.
        return f"(SELECT {' AND '.join(given)} FROM (SELECT {figure} AS figure OFFSET 0) AS x)"

    def _ago(self, moment: str, leaf: Any) -> str:
        """That something happened at least `gte` and less than `lt` whole days ago."""
        bounds = {"<=": leaf.gte, ">": leaf.lt}
        days = {sign: self._days_ago(count) for sign, count in bounds.items() if count is not None}
        return self._compared(moment, {"<": self._moment if self._dated else None, **days}, _MOMENT)

    def _in_time(self, moment: str, within_days: int | None) -> str:
        """Conditions to be added: not too long ago and, where an earlier moment is meant, before it."""
        since = "" if within_days is None else f" AND {moment} > {self._bind(self._days_ago(within_days), _MOMENT)}"
        return f"{since} AND {moment} < :moment" if self._dated else since

    def _days_ago(self, days: int) -> datetime:
        return self._moment - timedelta(days=days)

    def _only_now(self, what: str) -> None:
        if self._dated:
            raise NotDated(f"What {what} was at an earlier moment is not known here.")

    def _bind(self, value: Any, kind: TypeEngine[Any]) -> str:
        held = list(value) if isinstance(value, tuple) else value
        name = self._names.setdefault((repr(kind), repr(held)), f"given_{len(self._names):03}")
        self.values[name] = (held, kind)
        return f"CAST(:{name} AS {_sql_of(kind)})"


def _own(table: str, alias: str) -> str:
    """The current rows of the customer and all members, for a FROM."""
    # Member by member and fenced, PostgreSQL keeps to the index by customers, whatever statistics it has: by time, it
    # would go through what everybody did.
    return f"""(
        SELECT own.* FROM unnest(c.member_ids) AS member (id)
        CROSS JOIN LATERAL (
            SELECT {alias}.* FROM {table} {alias}
            WHERE {alias}.tenant_id = :tenant AND {alias}.customer_id = member.id AND {alias}.superseded_at IS NULL
            OFFSET 0
        ) AS own
    ) AS {alias}"""


_TYPES: dict[AttributeType, TypeEngine[Any]] = {
    AttributeType.TEXT: _TEXT,
    AttributeType.INTEGER: BigInteger(),
    AttributeType.DECIMAL: BigInteger(),
    AttributeType.BOOLEAN: Boolean(),
    AttributeType.DATE: Date(),
    AttributeType.DATETIME: _MOMENT,
}
_ROUNDED = {">=": ROUND_CEILING, "<=": ROUND_FLOOR}


def _stored(kind: AttributeType, value: asked.Value, operator: str) -> Any:
    """A value of the criteria in the form in which attributes of a type are kept. Raises WrongAttributeType."""
    try:
        match kind:
            case AttributeType.TEXT:
                return str(value)
            case AttributeType.BOOLEAN:
                return {"True": True, "False": False, "true": True, "false": False}[str(value)]
            case AttributeType.DATE:
                return date.fromisoformat(str(value))
            case AttributeType.DATETIME:
                return datetime.fromisoformat(str(value))
            case AttributeType.INTEGER:
                return _whole(Decimal(str(value)), operator)
            case AttributeType.DECIMAL:
                return _whole(Decimal(str(value)) * MILLIONTHS, operator)
    except (KeyError, ValueError, InvalidOperation) as unfit:
        raise WrongAttributeType(f"{value!r} is no {kind.value} value.", value=str(value), type=kind.value) from unfit


def _whole(number: Decimal, operator: str) -> int:
    """The whole number that bounds as this one does. Raises ValueError where no whole number can equal it."""
    whole = number.quantize(Decimal(1), rounding=_ROUNDED.get(operator, ROUND_FLOOR))
    if (operator == "=" and whole != number) or not -(2**63) <= whole < 2**63:
        raise ValueError(number)
    return int(whole)


def _bounds(leaf: asked.Spent) -> dict[str, Decimal]:
    return {name: bound for name, bound in (("gte", leaf.gte), ("lt", leaf.lt)) if bound is not None}


def _sql_of(kind: TypeEngine[Any]) -> str:
    """The name of a type in a CAST; texts keep the collation of the column that they are compared with."""
    names: dict[type[Any], str] = {
        BigInteger: "bigint", Boolean: "boolean", Date: "date", DateTime: "timestamptz", Numeric: "numeric",
        Text: "text", Uuid: "uuid",
    }  # fmt: skip
    if isinstance(kind, ARRAY):
        return f"{_sql_of(kind.item_type)}[]"
    return names[type(kind)]
