"""Whom a change touched: named by an event, locked while he is settled, or waiting to be settled."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, select

from domain.core.statements import statement
from domain.customers.queries import roots_of, within

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from typing import Any

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
    work: Writing, waiting: Any, most: int, settle: Callable[[Sequence[UUID]], Awaitable[None]]
) -> bool:
    """Settle at most so many of those who wait in a table, and whom nobody else holds; whether there may be more.

    `waiting` is a model with `tenant_id` and `customer_id`; who was settled waits no longer.
    """
    mine = waiting.tenant_id == work.tenant_id
    next_ones = select(waiting.customer_id).where(mine).order_by(waiting.customer_id).limit(most)
    portion = await work.all(next_ones.with_for_update(skip_locked=True))
    await settle(portion)
    gone = delete(waiting).where(mine, within(waiting.customer_id, portion))
    await work.execute(gone.execution_options(synchronize_session=False))
    return len(portion) == most
