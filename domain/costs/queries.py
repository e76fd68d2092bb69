"""How costs are found and added up: by customer, and for everybody with what nobody bears."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, Date, Text, Uuid, bindparam, select, text

from domain.core.problems import NotFound
from domain.costs.model import CostEntry
from domain.costs.rules import CostCategory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.unit_of_work import Reading


class CostNotFound(NotFound):
    """There is no cost with this id here. Check the id; one of another tenant gets the same answer."""


ENTRY_TO_CONVERT = """(
    SELECT tenant_id, id, version, currency, amount, starts_on AS local_day FROM cost_entries
    WHERE superseded_at IS NULL AND base_amount IS NULL
)"""
"""SQL: the entries that wait for a rate, as `purchases.queries.conversion` takes documents: of their first day."""


def current_entry(reading: Reading, entry_id: UUID) -> Select[CostEntry]:
    """The statement that finds the current version of an entry."""
    return select(CostEntry).where(
        CostEntry.tenant_id == reading.tenant_id, CostEntry.id == entry_id, CostEntry.superseded_at.is_(None)
    )  # fmt: skip


async def entry(reading: Reading, entry_id: UUID) -> CostEntry:
    """The current version of an entry. Raises CostNotFound."""
    found = await reading.one(current_entry(reading, entry_id))
    if found is None:
        raise CostNotFound(id=entry_id)
    return found


def within(entry: str, start: str, end: str) -> str:
    """SQL: what of an entry (an alias) counts on the days from `start` up to and without `end`, in minor units.

    It counts on its first day, or is spread over its days where it is shared by time, as `rules.shares` does it; so
    what customers bear never counts on another day than the entry. Spans side by side add up to the whole.
    """
    return f"""CASE
        WHEN {entry}.rule = 'BY_TIME' THEN {_sign(entry)} * ({_up_to(entry, end)} - {_up_to(entry, start)})
        WHEN {entry}.starts_on >= {start} AND {entry}.starts_on < {end} THEN {entry}.base_amount
        ELSE 0
    END"""


def borne(share: str, start: str, end: str) -> str:
    """SQL: what of a share (an alias of `cost_allocations`) counts on the days from `start` up to and without `end`.

    The units of a stretch go round among those who are there, so rank r has (units + people - 1 - r) / people of them.
    """

    def had(units: str) -> str:
        return f"(({units} + s.people - 1 - {share}.rank) / s.people)"

    first = f"greatest(s.starts_on, {share}.day, {start})"
    after = f"least(s.ends_on, {share}.ends_on, {end})"
    return f"""CASE
        WHEN {share}.day >= {start} AND coalesce({share}.ends_on, {share}.day + 1) <= {end} THEN {share}.amount_base
        WHEN {share}.rank IS NOT NULL THEN (
            SELECT coalesce({_sign("e")} * sum({had("c.after")} - {had("c.before")}), 0)
            FROM cost_entries e
            JOIN cost_stretches s ON s.tenant_id = :tenant AND s.entry_id = e.id
            CROSS JOIN LATERAL (
                SELECT s.turn + {_up_to("e", first)} - {_up_to("e", "s.starts_on")} AS before,
                    s.turn + {_up_to("e", after)} - {_up_to("e", "s.starts_on")} AS after
            ) AS c
            WHERE e.tenant_id = :tenant AND e.id = {share}.entry_id AND e.superseded_at IS NULL AND {first} < {after}
            GROUP BY e.base_amount
        )
        ELSE 0
    END"""


def overlaps(share: str, start: str, end: str) -> str:
    """SQL: whether anything of a share (an alias) can count on the days from `start` up to and without `end`."""
    return f"{share}.day < {end} AND coalesce({share}.ends_on, {share}.day + 1) > {start}"


def by_day(start: str, end: str, where: str) -> str:
    """SQL: by customer as recorded and day from `start` up to and without `end`, what is borne of the shares `a`."""
    return f"""
    SELECT a.customer_id, d.day, {borne("a", "d.day", "(d.day + 1)")} AS minor
    FROM cost_allocations a
    CROSS JOIN LATERAL (
        SELECT CAST(g AS date) AS day FROM generate_series(
            greatest(a.day, {start}), least(coalesce(a.ends_on, a.day + 1), {end}) - 1, INTERVAL '1 day'
        ) AS g
    ) AS d
    WHERE a.tenant_id = :tenant AND {overlaps("a", start, end)} AND {where}
    """


def _up_to(entry: str, day: str) -> str:
    """SQL: what of an entry that is shared by time falls on the days before a day, without its sign."""
    days = f"least(greatest({day} - {entry}.starts_on, 0), {entry}.ends_on - {entry}.starts_on)"
    length = f"({entry}.ends_on - {entry}.starts_on)"
    amount = f"abs({entry}.base_amount)"
    return f"({amount} / {length} * {days} + least({days}, {amount} % {length}))"


def _sign(entry: str) -> str:
    return f"CAST(sign({entry}.base_amount) AS bigint)"


@dataclass(frozen=True)
class Summary:
    """What was spent for a category within some days, in minor units of the base currency.

    `entries` is `allocated` plus `unallocated` exactly. `unrated` entries wait for an exchange rate and are in none.
    """

    entries: int
    allocated: int
    unallocated: int
    unrated: int


def by_category(start: str, end: str) -> str:
    """SQL: by `category`, what was spent from `start` up to and without `end`, which are SQL over the entry `e`.

    `entries` is all of it, `allocated` what customers bear; `unrated` entries wait for a rate and are in neither.
    """
    return f"""
    SELECT e.category, CAST(coalesce(sum({within("e", start, end)}), 0) AS bigint) AS entries,
        CAST(coalesce(sum(borne.minor), 0) AS bigint) AS allocated,
        count(*) FILTER (WHERE e.base_amount IS NULL) AS unrated
    FROM cost_entries e
    LEFT JOIN LATERAL (
        -- Somebody bears every day of a stretch, so nobody's shares need to be added up.
        SELECT sum(minor) AS minor FROM (
            SELECT {_sign("e")} * ({_up_to("e", f"least(s.ends_on, {end})")}
                - {_up_to("e", f"greatest(s.starts_on, {start})")}) AS minor
            FROM cost_stretches s
            WHERE s.tenant_id = :tenant AND s.entry_id = e.id AND s.starts_on < {end} AND s.ends_on > {start}
            UNION ALL
            SELECT a.amount_base FROM cost_allocations a
            WHERE a.tenant_id = :tenant AND a.entry_id = e.id AND a.day >= {start} AND a.day < {end}
                AND NOT EXISTS (SELECT FROM cost_stretches s WHERE s.tenant_id = :tenant AND s.entry_id = e.id)
        ) AS counted
    ) AS borne ON true
    WHERE e.tenant_id = :tenant AND e.superseded_at IS NULL AND e.starts_on < {end} AND e.ends_on > {start}
        AND {start} < {end}
    GROUP BY e.category
    """


_SUMMARY = text(by_category(":start", ":end")).bindparams(
    bindparam("tenant", type_=Uuid()), bindparam("start", type_=Date()), bindparam("end", type_=Date())
)  # fmt: skip


async def summary(reading: Reading, start: date, end: date) -> Mapping[CostCategory, Summary]:
    """What was spent on the days from `start` up to and without `end`, by category; one without entries is left out."""
    rows = await reading.rows(_SUMMARY, {"tenant": reading.tenant_id, "start": start, "end": end})
    return {
        CostCategory(row.category): Summary(row.entries, row.allocated, row.entries - row.allocated, row.unrated)
        for row in rows
    }


_PER_CUSTOMER = text(f"""
SELECT root_id, minor FROM (
    SELECT c.root_id, CAST(sum({borne("a", ":start", ":end")}) AS bigint) AS minor
    FROM customers c
    JOIN cost_allocations a ON a.tenant_id = :tenant AND a.customer_id = c.id
    WHERE c.tenant_id = :tenant AND c.root_id = ANY(:roots) AND {overlaps("a", ":start", ":end")}
        AND a.category = ANY(:categories)
    GROUP BY c.root_id
) AS bearing WHERE minor <> 0
""").bindparams(
    bindparam("tenant", type_=Uuid()), bindparam("roots", type_=ARRAY(Uuid())),
    bindparam("start", type_=Date()), bindparam("end", type_=Date()), bindparam("categories", type_=ARRAY(Text)),
)  # fmt: skip


async def per_customer(
    reading: Reading, roots: Sequence[UUID], start: date, end: date, categories: Iterable[CostCategory]
) -> Mapping[UUID, int]:
    """What each of these surviving customers, with all members, bears of some categories on some days, in minor units.

    The days run from `start` up to and without `end`. Who bears nothing is left out.
    """
    wanted = [str(category) for category in categories]
    values = {"tenant": reading.tenant_id, "roots": list(roots), "start": start, "end": end, "categories": wanted}
    return {row.root_id: row.minor for row in await reading.rows(_PER_CUSTOMER, values)}
