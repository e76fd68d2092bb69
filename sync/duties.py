"""Which errands there are, and when they fall due by themselves: what every active integration has to do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from domain.core import events
from domain.core.events import make_due
from domain.integrations import rules
from sync import hooks, inbox
from sync import reconcile as reconciling
from sync.two_way import queue
from sync.two_way.sending import send

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from domain.core.events import OutboxEvent
    from domain.core.unit_of_work import Writing
    from sync.errands import Trip

RECONCILE = "reconcile"
"""The kind of due work that compares both sides; its key is the integration."""

_FIRST_COMPARISON, _COMPARISONS = timedelta(hours=1), timedelta(days=1)


async def push(trip: Trip) -> datetime | None:
    """Send what is owed."""
    sent = await send(trip.database, trip.remote, trip.board.registry, trip.tenant_id, trip.integration_id, trip.halt)
    return sent.again_at


async def reconcile(trip: Trip) -> datetime | None:
    """Compare both sides, once a day."""
    if reconciling.can_compare(trip.remote):
        await reconciling.reconcile(trip.database, trip.remote, trip.tenant_id, trip.integration_id)
    return trip.database.clock.now() + _COMPARISONS


KINDS: Mapping[str, Callable[[Trip], Awaitable[datetime | None]]] = {
    queue.PUSH: push,
    inbox.INBOX: inbox.hear,
    hooks.RENEW: hooks.renew,
    RECONCILE: reconcile,
}


@events.on("integrations.StateChanged")
async def take_up(work: Writing, event: OutboxEvent) -> None:
    """Make the duties of an integration due that has become active."""
    if event.body["state"] not in rules.READABLE or event.body["before"] in rules.READABLE:
        return
    key = event.subject.hex
    for kind in (queue.PUSH, inbox.INBOX, hooks.RENEW):
        await make_due(work.session, work.tenant_id, kind, key, work.now)
    await make_due(work.session, work.tenant_id, RECONCILE, key, work.now + _FIRST_COMPARISON)
