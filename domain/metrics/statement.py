"""From figures to one SQL statement: every metric in every window and group, each with what it is made of."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.metrics.relations import needed
from domain.metrics.rules import USUAL
from domain.purchases.rules import RevenueView

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from domain.metrics.catalogue import Aggregate, Figure
    from domain.metrics.rules import Counting


class Grouping(StrEnum):
    """Of whom a statement gives values: the SQL of the groups `g`, and how customers belong to them."""

    TENANT = "TENANT"
    """Everybody together, and what belongs to nobody: `g` is 0."""
    MEMBERS = "MEMBERS"
    """Segments and stages: `g` counts the pairs of `:segments` and `:stages` from 1."""
    CUSTOMERS = "CUSTOMERS"
    """Each of `:roots`: `g` is the surviving customer."""
    EVERY_CUSTOMER = "EVERY_CUSTOMER"
    """Each surviving customer there is: `g` is the customer."""


@dataclass(frozen=True)
class Asked:
    """One figure that a statement gives, under a name; null with fewer than `least`; in all windows, or in one."""

    name: str
    figure: Figure
    least: int
    window: int | None = None


_GROUPS = {
    Grouping.TENANT: "SELECT 0 AS g",
    Grouping.MEMBERS: "SELECT g FROM generate_subscripts(CAST(:segments AS uuid[]), 1) AS g",
    Grouping.CUSTOMERS: "SELECT g FROM unnest(CAST(:roots AS uuid[])) AS g",
    Grouping.EVERY_CUSTOMER: "SELECT DISTINCT customer_id AS g FROM people",
}

_MEMBERS = """
    SELECT asked.g, s.customer_id
    FROM unnest(CAST(:segments AS uuid[]), CAST(:lifecycles AS text[]), CAST(:stages AS text[]))
        WITH ORDINALITY AS asked(segment_id, lifecycle_key, stage_key, g)
    CROSS JOIN LATERAL (
        SELECT m.customer_id FROM segment_members m
        WHERE m.tenant_id = :tenant AND m.segment_id = asked.segment_id
        UNION ALL
        SELECT i.customer_id FROM stage_intervals i
        WHERE asked.segment_id IS NULL AND i.tenant_id = :tenant AND i.lifecycle_key = asked.lifecycle_key
            AND i.stage_key = asked.stage_key AND i.is_current
    ) AS s
    WHERE asked.segment_id IS NULL OR asked.stage_key IS NULL OR EXISTS (
        SELECT FROM stage_intervals i
        WHERE i.tenant_id = :tenant AND i.lifecycle_key = asked.lifecycle_key AND i.stage_key = asked.stage_key
            AND i.is_current AND i.customer_id = s.customer_id
    )
"""


def statement(
    asked: Sequence[Asked], grouping: Grouping, *, believed: bool = False, counting: Counting = USUAL
) -> str:  # fmt: skip
    """The SQL of some figures; rows of `n` (window), `g` (group), `key` and what a value has.

    `believed`: of what was known at `:watermark`, under the identities of then. Parameters: `:tenant`, `:zone`,
    `:watermark`, `:starts`, `:ends`, `:befores`, `:since`, `:until`, `counting.parameters`, those of the grouping, and
    where it is believed `:merged` and `:roots_then`.
    """
    made = _Made(asked)
    relations = [*made.facts, "points", *_READ_BY.get(grouping, ())]
    knows = grouping not in {Grouping.CUSTOMERS, Grouping.EVERY_CUSTOMER}
    if knows:
        relations.append("beginning")
    parts = [
        *(f"{name} AS ({_filled(sql, grouping, counting, believed=believed)})"
          for name, sql in _ordered(relations, grouping, believed=believed)),
        f"asked_groups AS ({_GROUPS[grouping]})",
        *made.parts(grouping),
    ]  # fmt: skip
    known = "p.ends_on > (SELECT day FROM beginning)" if knows else "true"
    joined = "".join(f" LEFT JOIN made_{name} USING (n, g)" for name in made.facts)
    return f"""
        WITH {", ".join(parts)}
        SELECT n, g, key, numerator, denominator, rests_on, standard_error, missing, waiting > 0 AS censored,
            CASE WHEN missing IS NULL THEN round(value, 6) END AS value
        FROM (
            SELECT f.n, f.g, x.key, x.numerator, x.denominator, x.rests_on, x.standard_error, x.value, x.waiting,
                CASE WHEN f.is_known IS NOT TRUE THEN 'NO_DATA' WHEN x.unknown IS NOT NULL THEN x.unknown
                    WHEN x.denominator = 0 THEN x.empty WHEN x.rests_on < x.least THEN 'TOO_FEW'
                    WHEN x.value IS NULL THEN 'NO_DATA' END AS missing
            FROM (SELECT p.n, a.g, {known} AS is_known FROM points p CROSS JOIN asked_groups a) AS f{joined}
            CROSS JOIN LATERAL (VALUES {made.values()})
                AS x(key, at, numerator, denominator, rests_on, value, standard_error, waiting, unknown, least, empty)
            WHERE x.at IS NULL OR x.at = f.n
        ) AS told
    """


_READ_BY = {Grouping.MEMBERS: ("asked_members",), Grouping.EVERY_CUSTOMER: ("people",)}


def _ordered(names: Iterable[str], grouping: Grouping, *, believed: bool) -> list[tuple[str, str]]:
    found = dict(needed((name for name in names if name != "asked_members"), believed=believed))
    if grouping is Grouping.MEMBERS:
        if believed:
            found |= dict(needed(["stage_intervals", "segment_members"], believed=True))
        found["asked_members"] = _MEMBERS
    return list(found.items())


def _filled(sql: str, grouping: Grouping, counting: Counting, *, believed: bool) -> str:
    """A relation for the customers and the orders that are meant."""
    root = "coalesce(m.root_id, c.id)" if believed else "c.root_id"
    people = f" AND {root} = ANY(:roots)" if grouping is Grouping.CUSTOMERS else ""
    bearing = " AND a.customer_id = ANY(array(SELECT id FROM people))" if grouping is Grouping.CUSTOMERS else ""
    names = {
        "{people}": people, "{bearing}": bearing, "{orders}": "orders", "{units}": "units", "{net}": "d.net",
        "{paid}": "",
    }  # fmt: skip
    if counting.paid_only:
        names |= {"{orders}": "paid_orders", "{units}": "paid_units", "{paid}": "AND o.amount > 0"}
    if counting.view is RevenueView.CASH:
        names["{net}"] = "(d.gross - d.cash_refunds)"
    for name, filled in names.items():
        sql = sql.replace(name, filled)
    if grouping is Grouping.CUSTOMERS:
        # The days of a few customers are few; the calendar of a lifetime is long.
        return _IN_CALENDAR.sub(r"JOIN points \1 ON \1.starts_on <= \2 AND \2 < \1.ends_on", sql)
    return sql


_IN_CALENDAR = re.compile(r"JOIN calendar (\w+) ON \1\.day = ([\w.]+)")


class _Made:
    """The aggregates that some figures need, gathered by the facts that they are read from."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        self._asked = asked
        self.facts: dict[str, list[Aggregate]] = {}
        for one in asked:
            for aggregate in one.figure.aggregates():
                listed = self.facts.setdefault(aggregate.facts.name, [])
                if aggregate not in listed:
                    listed.append(aggregate)

    def parts(self, grouping: Grouping) -> list[str]:
        """The named queries that add up the facts in every window and group."""
        return [part for name in self.facts for part in self._parts(name, grouping)]

    def _parts(self, name: str, grouping: Grouping) -> list[str]:
        aggregates = self.facts[name]
        cuts = list(dict.fromkeys(one.cut for one in aggregates if one.cut))
        group = {Grouping.TENANT: "0", Grouping.MEMBERS: "m.g"}.get(grouping, "f.customer_id")
        members = " JOIN asked_members m ON m.customer_id = f.customer_id" if grouping is Grouping.MEMBERS else ""
        made = [f"grouped_{name} AS (SELECT f.*, {group} AS g FROM {name} f{members})"]
        joined = ""
        if cuts:
            listed = ", ".join(f"{cut} AS cut_{place}" for place, cut in enumerate(cuts))
            made.append(f"cut_{name} AS (SELECT n, g, {listed} FROM grouped_{name} GROUP BY n, g)")
            joined = f" JOIN cut_{name} USING (n, g)"
        listed = ", ".join(
            f"{one.sql.replace('{cut}', f'cut_{cuts.index(one.cut)}' if one.cut else '')} AS {name}_{place}"
            for place, one in enumerate(aggregates)
        )
        made.append(f"made_{name} AS (SELECT n, g, {listed} FROM grouped_{name}{joined} GROUP BY n, g)")
        return made

    def values(self) -> str:
        """One row for each figure, of what was added up."""
        return ", ".join(self._value(one) for one in self._asked)

    def _value(self, asked: Asked) -> str:
        figure = asked.figure
        numerator = self._of(figure.numerator)
        denominator = self._of(figure.denominator) if figure.denominator else None
        value = numerator if denominator is None else f"{figure.scale} * {numerator} / nullif({denominator}, 0)"
        if figure.value is not None:
            value = f"{self._name(figure.value)}"
        reasons = " ".join(f"WHEN {self._of(one)} > 0 THEN '{reason}'" for one, reason in figure.unknown)
        told = [
            f"'{asked.name}'",
            "CAST(NULL AS int)" if asked.window is None else str(asked.window),
            numerator,
            denominator or "CAST(NULL AS numeric)",
            f"CAST({self._of(figure.n)} AS bigint)",
            f"CAST({value} AS numeric)",
            f"CAST({self._name(figure.standard_error)} AS numeric)"
            if figure.standard_error
            else "CAST(NULL AS numeric)",
            self._of(figure.waiting) if figure.waiting else "0",
            f"CASE {reasons} END" if reasons else "CAST(NULL AS text)",
            str(asked.least),
            f"'{figure.empty}'",
        ]
        return f"({', '.join(told)})"

    def _name(self, aggregate: Aggregate) -> str:
        return f"{aggregate.facts.name}_{self.facts[aggregate.facts.name].index(aggregate)}"

    def _of(self, aggregate: Aggregate) -> str:
        """The value of an aggregate; where there are no rows at all it counted none."""
        return f"CAST(coalesce({self._name(aggregate)}, 0) AS numeric)"
