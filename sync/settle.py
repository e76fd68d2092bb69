"""What follows from a page for the customers that it touched: with the page, or soon after it where pages follow."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, Uuid, bindparam, text

from domain.core import events, planning
from domain.core.due import due
from domain.costs import settling as costs
from domain.customers import refresh_heads, settle_identities
from domain.customers.model import UnsettledCustomer
from domain.customers.touched import lock_survivors, settle_waiting
from domain.interactions import settle_evidence
from domain.metrics import settling as metrics
from domain.purchases import settling as purchases
from domain.segments import settling as segments
from domain.stages import settling as stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from sync.heartbeat import Halt
    from sync.runs import Run

SETTLE = "settle"
"""The kind of due work that settles who waits for it, where the run that touched them has not done so itself."""

SOON = timedelta(minutes=1)
"""How long totals and stages may be those of before while a run goes on."""

PORTION = 1_000
"""How many customers are settled at once: it bounds the memory, however many a page touches."""


_NOTE = text("""
INSERT INTO unsettled_customers AS waiting (tenant_id, customer_id, since)
SELECT :tenant, touched.id, :now FROM unnest(:touched) AS touched (id) ORDER BY touched.id
-- Who waits already is locked all the same: nobody settles him until this page is there to be seen.
ON CONFLICT (tenant_id, customer_id) DO UPDATE SET since = waiting.since
""").bindparams(bindparam("tenant", type_=Uuid()), bindparam("touched", type_=ARRAY(Uuid())))


async def customers(work: Writing, described: Sequence[UUID], touched: Sequence[UUID]) -> None:
    """Bring everything up to date that is derived of customers.

    `described` are those of whom something new is said: who they are is settled. All who were `touched` get their
    totals, their stages and their segments.
    """
    await identities(work, described)
    await projections(work, touched)


async def identities(work: Writing, described: Sequence[UUID]) -> None:
    """Settle who these customers are, and what is shown of them."""
    for portion in _portions(described):
        await refresh_heads(work, portion)
        await settle_identities(work, portion)


async def projections(work: Writing, touched: Sequence[UUID]) -> None:
    """Settle the totals, the parts in costs, the stages, the days and the segments of these customers."""
    for portion in _portions(touched):
        survivors = await lock_survivors(work, portion)
        await purchases.settle_totals(work, portion, survivors)
        await settle_evidence(work, portion, survivors)
        await costs.settle(work, portion)
        await stages.settle(work, portion)
        await metrics.roll_up(work, portion, survivors)
        await segments.settle(work, portion)


async def announce(work: Writing, run: Run) -> None:
    """Have a worker settle within a minute whom a page is going to touch, whatever becomes of the run.

    To be called before anything of the page is locked: whoever settles for this run now is waited for here.
    """
    key = f"{run.integration_id.hex}:{run.stream.name}"
    await events.make_due(work.session, work.tenant_id, SETTLE, key, work.now + SOON)


async def note(work: Writing, touched: Sequence[UUID]) -> None:
    """Remember that the totals and stages of these customers are to be settled, in the transaction of their page."""
    if touched:
        values = {"tenant": work.tenant_id, "now": work.now, "touched": list(touched)}
        await work.execute(_NOTE, values)


async def noted(database: Database, tenant_id: UUID, halt: Halt) -> None:
    """Settle all who wait, portion by portion, unless a halt is asked for: a worker does what is left then."""
    await planning.refresh(database)
    more = True
    while more and halt.why is None:
        async with database.unit_of_work(tenant_id) as work:
            more = await some(work)


@due(SETTLE)
async def settle_due(work: Writing, _key: str) -> datetime | None:
    """Settle a portion of those who wait; the next one at once."""
    return work.now if await some(work) else None


async def some(work: Writing) -> bool:
    """Settle some of those who wait, and whom no page touches right now; whether there may be more."""
    return await settle_waiting(work, UnsettledCustomer.__tablename__, PORTION, partial(projections, work))


async def money(work: Writing) -> None:
    """Convert what waited for an exchange rate, or came in a foreign currency."""
    await purchases.settle_base_amounts(work)
    await costs.settle_base_amounts(work)


async def rates(work: Writing) -> None:
    """Convert what waited for the rates that came in, and have what rests on it worked out anew, soon."""
    await money(work)
    await costs.revenue_changed(work)
    await metrics.roll_up_unrated_soon(work)


def _portions(customers: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (customers[start : start + PORTION] for start in range(0, len(customers), PORTION))
