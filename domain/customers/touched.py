"""Whom a change touched: named by an event, locked while he is settled, or waiting to be settled."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING
from uuid import UUID

from domain.core.statements import statement
from domain.customers.queries import roots_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import TextClause

    from domain.core.events import OutboxEvent
    from domain.core.unit_of_work import Writing

_LOCK = statement(
    "SELECT FROM customers WHERE tenant_id = :tenant AND id = ANY(:roots) ORDER BY id FOR NO KEY UPDATE", "roots"
)


def named_by(event: OutboxEvent) -> list[UUID]:
    """The customers that an event names; ids of other things are passed over by whoever looks for customers."""
    named = [event.body.get("customer_id"), *event.body.get("customers", ())]
    return [event.subject, *(UUID(one) for one in named if one)]


async def lock_survivors(work: Writing, customers: Sequence[UUID]) -> Sequence[UUID]:
    """The survivors of these customers, locked in the order of their ids until the transaction ends.

    Whoever settles the same customer at the same time waits here, and then sees what the other one wrote.
    """
    roots = await roots_of(work, customers)
    if roots:
        await work.execute(_LOCK, {"tenant": work.tenant_id, "roots": roots})
    return roots


async def settle_waiting(
    work: Writing, waiting: str, most: int, settle: Callable[[Sequence[UUID]], Awaitable[None]]
) -> bool:
    """Settle at most so many of those who wait in a table, and whom nobody else holds; whether there may be more.

    `waiting` is a table with `tenant_id` and `customer_id`; who was settled waits no longer.
    """
    first_ones, gone = _of_those_who_wait(waiting)
    portion = [row.customer_id for row in await work.rows(first_ones, {"tenant": work.tenant_id, "most": most})]
    await settle(portion)
    await work.execute(gone, {"tenant": work.tenant_id, "portion": portion})
    return len(portion) == most


@cache
def _of_those_who_wait(waiting: str) -> tuple[TextClause, TextClause]:
    """Statements that lock the first ones in a table, and that take a portion out of it."""
    mine = f"FROM {waiting} WHERE tenant_id = :tenant"
    first_ones = f"SELECT customer_id {mine} ORDER BY customer_id LIMIT :most FOR UPDATE SKIP LOCKED"
    return statement(first_ones), statement(f"DELETE {mine} AND customer_id = ANY(:portion)", "portion")
