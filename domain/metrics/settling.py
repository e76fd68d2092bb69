"""What is settled when something lands or changes: the days of the customers whom it touched, and nobody else's."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from domain.core import events, planning
from domain.core.due import due
from domain.core.statements import statement
from domain.customers.touched import lock_survivors, settle_waiting
from domain.interactions import settle_evidence
from domain.metrics import schedule
from domain.metrics.model import UnrolledCustomer
from domain.metrics.rollups import ACTIVITIES, PURCHASES, activity_days, looked_up, purchase_days
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import TextClause

    from domain.core.unit_of_work import Writing

ROLL_UP = "metrics_roll_up"
"""The kind of due work that rolls up the days of customers who wait for it."""

EVERYBODY = "everybody"
"""The key of the due work that has the days of all customers rolled up, as when what a day holds has changed."""

PORTION = 1_000
"""How many customers are rolled up at once: it bounds the memory and the time of one transaction."""


def _replace(table: str, columns: tuple[str, ...], days: str) -> TextClause:
    """Make the rows of some customers what they are to be; a row that is right already is not touched at all."""
    listed = ", ".join(columns)
    changed = ", ".join(f"{name} = excluded.{name}" for name in columns)
    known = f"SELECT customer_id, day, {listed}, ctid AS place FROM {table} known WHERE tenant_id = :tenant"
    sql = f"""
        WITH days AS MATERIALIZED ({days}),
        kept AS MATERIALIZED (
            SELECT known.* FROM {looked_up(known, "known")}
        ),
        gone AS (
            -- By their places: whatever the planner expects, it reads nothing but these rows.
            DELETE FROM {table} WHERE tenant_id = :tenant AND ctid = ANY(ARRAY(
                SELECT k.place FROM kept k LEFT JOIN days d ON d.customer_id = k.customer_id AND d.day = k.day
                WHERE d.day IS NULL
            ))
        )
        INSERT INTO {table} (tenant_id, customer_id, day, {listed})
        SELECT :tenant, fresh.* FROM (
            SELECT * FROM days EXCEPT SELECT customer_id, day, {listed} FROM kept
        ) AS fresh
        ON CONFLICT (tenant_id, customer_id, day) DO UPDATE SET {changed}
    """
    return statement(sql, "customers")


ROLL_UP_STATEMENTS = (
    _replace("purchase_days", PURCHASES, purchase_days()),
    _replace("activity_days", ACTIVITIES, activity_days()),
)
"""What rolls up `:customers`: each reads and writes their rows alone."""


async def roll_up(work: Writing, customers: Sequence[UUID], survivors: Sequence[UUID] | None = None) -> None:
    """Make the purchase days and activity days of these customers what the documents and interactions say now.

    The days belong to the customers as recorded, so that a merge changes none of them; who has no documents has no
    days. Ids of other things are passed over, and what is right already is not written. `survivors` are theirs where
    the caller has locked them already.
    """
    if not customers:
        return
    if not (await lock_survivors(work, customers) if survivors is None else survivors):
        return
    await schedule.begin(work)
    whom = {"tenant": work.tenant_id, "customers": list(customers)}
    zone = (await tenants.tenant(work)).time_zone
    # What looks the rows of a customer up is told by an order that one index gives: none is to be made by sorting.
    async with planning.planned_for(work, len(customers), enable_sort=("off", "on")):
        for each in ROLL_UP_STATEMENTS:
            await work.execute(each, whom | ({"zone": zone} if ":zone" in each.text else {}))


async def roll_up_everybody_soon(work: Writing) -> None:
    """Have the days of every customer of the tenant rolled up anew, in portions and after this transaction."""
    await work.execute(_EVERYBODY, {"tenant": work.tenant_id})
    await events.make_due(work.session, work.tenant_id, ROLL_UP, "", work.now)


async def roll_up_unrated_soon(work: Writing) -> None:
    """Have the days rolled up anew whose documents waited for an exchange rate, after this transaction."""
    if (await work.execute(_UNRATED, {"tenant": work.tenant_id})).rowcount:
        await events.make_due(work.session, work.tenant_id, ROLL_UP, "", work.now)


@due(ROLL_UP)
async def roll_up_due(work: Writing, key: str) -> datetime | None:
    """Roll up a portion of those who wait, and settle what else has days; the next portion at once.

    With the key EVERYBODY, everybody waits from now on.
    """
    if key == EVERYBODY:
        await roll_up_everybody_soon(work)
        return None
    more = await settle_waiting(work, UnrolledCustomer.__tablename__, PORTION, partial(_catch_up, work))
    return work.now if more else None


async def _catch_up(work: Writing, customers: Sequence[UUID]) -> None:
    survivors = await lock_survivors(work, customers)
    await settle_evidence(work, customers, survivors)
    await roll_up(work, customers, survivors)


_EVERYBODY = statement("""
INSERT INTO unrolled_customers (tenant_id, customer_id)
SELECT tenant_id, id FROM customers WHERE tenant_id = :tenant
ON CONFLICT DO NOTHING
""")

_UNRATED = statement("""
INSERT INTO unrolled_customers (tenant_id, customer_id)
SELECT DISTINCT tenant_id, customer_id FROM purchase_days WHERE tenant_id = :tenant AND unrated > 0
ON CONFLICT DO NOTHING
""")
