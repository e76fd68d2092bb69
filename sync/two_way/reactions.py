"""When customers are compared with the other sides: after whatever may have changed them, here or there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sync.two_way import comparing, switching

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from domain.core.due import Jobs
    from domain.core.events import OutboxEvent, Reactions
    from domain.core.unit_of_work import Writing
    from sync.registry import Registry

PORTION = 500
"""How many customers are compared at once."""

_ABOUT_MANY = ("integrations.PageLanded", "integrations.CustomersToCompare")
_ABOUT_ONE = ("customers.CustomerCreated", "customers.CustomerChanged", "purchases.OrderRecorded")
_MERGES = ("customers.CustomersMerged", "customers.CustomersUnmerged")


def register(reactions: Reactions, jobs: Jobs, registry: Registry) -> None:
    """Have the customers of these events compared from now on, and all of them where pushing was switched on.

    They are compared before anything else follows: who decides about identities locks them before any customer, and
    the reactions of other concepts lock customers.
    """

    async def compare(work: Writing, event: OutboxEvent) -> None:
        for portion in _portions(_customers(event.body) if event.name in _ABOUT_MANY else _customer(event)):
            await comparing.compare(work, registry, portion)

    async def rebase(work: Writing, event: OutboxEvent) -> None:
        await comparing.rebase(work, registry, _customers(event.body))

    async def go_on(work: Writing, key: str) -> datetime | None:
        return await switching.go_on(work, registry, key)

    @reactions.on("integrations.StreamRead")
    async def begin(work: Writing, event: OutboxEvent) -> None:
        await switching.stream_read(work, registry, event.subject, event.body["stream"])

    jobs.due(switching.COMPARE)(go_on)
    for name in (*_ABOUT_MANY, *_ABOUT_ONE):
        reactions.on(name, first=True)(compare)
    for name in _MERGES:
        reactions.on(name, first=True)(rebase)


def _customers(body: dict[str, Any]) -> list[UUID]:
    return [UUID(each) for each in body.get("customers", ())]


def _customer(event: OutboxEvent) -> list[UUID]:
    if "customer_id" in event.body:
        known = event.body["customer_id"]
        return [UUID(known)] if known else []
    return [event.subject]


def _portions(customers: Sequence[UUID]) -> list[Sequence[UUID]]:
    return [customers[start : start + PORTION] for start in range(0, len(customers), PORTION)]
