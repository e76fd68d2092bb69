"""Which errands there are, and when they fall due by themselves: what every active integration has to do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain.core import events
from domain.core.events import make_due
from domain.core.problems import Conflict
from domain.integrations import rules
from domain.metrics.analysis import actions as analysis
from domain.metrics.clv import actions as clv
from sync import hooks, inbox, notices
from sync import reconcile as reconciling
from sync import repair as repairing
from sync.repair import RepairDirection
from sync.two_way import queue
from sync.two_way.sending import send
from tenure_sdk import Listing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from datetime import datetime

    from domain.core.database import Database
    from domain.core.events import DueWork, OutboxEvent
    from domain.core.unit_of_work import Writing
    from domain.integrations.model import Integration
    from sync.errands import Trip
    from sync.switchboard import Switchboard
    from tenure_sdk import Connector

RECONCILE = "reconcile"
"""The kind of due work that compares both sides; its key is the integration."""

REPAIR = "repair"
"""The kind of due work that repairs what a report found; its key is `<integration>:<report>:<direction>`."""

_FIRST_COMPARISON, _COMPARISONS = timedelta(hours=1), timedelta(days=1)


class NothingToCompare(Conflict):
    """The other side cannot list its records, so that both sides cannot be compared."""


async def push(trip: Trip) -> datetime | None:
    """Send what is owed."""
    sent = await send(trip.database, trip.remote, trip.board.registry, trip.tenant_id, trip.integration_id, trip.halt)
    return sent.again_at


async def reconcile(trip: Trip) -> datetime | None:
    """Compare both sides, once a day."""
    if reconciling.can_compare(trip.remote):
        await reconciling.reconcile(trip.database, trip.remote, trip.tenant_id, trip.integration_id)
    return trip.database.clock.now() + _COMPARISONS


async def repair(trip: Trip) -> datetime | None:
    """Make alike what a report found otherwise."""
    report_id, _, direction = trip.about.partition(":")
    await repairing.repair(
        trip.database, trip.remote, trip.board.registry, trip.tenant_id, UUID(report_id),
        RepairDirection(direction or RepairDirection.PULL),
    )  # fmt: skip
    return None


KINDS: Mapping[str, Callable[[Trip], Awaitable[datetime | None]]] = {
    queue.PUSH: push,
    inbox.INBOX: inbox.hear,
    hooks.RENEW: hooks.renew,
    RECONCILE: reconcile,
    REPAIR: repair,
}


async def fit_models(database: Database, _board: Switchboard, entry: DueWork) -> datetime:
    """Fit the tenant's models and value its customers, once a week."""
    await clv.fit_models(database, entry.tenant_id)
    return database.clock.now() + clv.EVERY


async def publish_rfm(database: Database, _board: Switchboard, entry: DueWork) -> datetime:
    """Publish the tenant's cut-offs of RFM, once a day."""
    await analysis.publish_rfm(database, entry.tenant_id)
    return database.clock.now() + analysis.EVERY


OF_TENANTS: Mapping[str, Callable[[Database, Switchboard, DueWork], Awaitable[datetime | None]]] = {
    notices.NOTICE: notices.give,
    clv.FIT_MODELS: fit_models,
    analysis.PUBLISH_RFM: publish_rfm,
}


async def compare_now(work: Writing, connector: type[Connector[Any]], integration: Integration) -> None:
    """Have both sides compared as soon as there is room. Raises WrongState or NothingToCompare."""
    _check_readable(integration)
    if not connector.declared(Listing):
        raise NothingToCompare
    await make_due(work.session, work.tenant_id, RECONCILE, integration.id.hex, work.now)
    work.audit("integrations.start_reconciliation", f"integration:{integration.id.hex}")


async def repair_now(
    work: Writing, integration: Integration, report_id: UUID, direction: RepairDirection = RepairDirection.PULL
) -> None:
    """Have what a report found repaired as soon as there is room. Raises WrongState."""
    _check_readable(integration)
    key = f"{integration.id.hex}:{report_id.hex}:{direction}"
    await make_due(work.session, work.tenant_id, REPAIR, key, work.now)
    told = {"report": report_id.hex, "direction": direction}
    work.audit("integrations.start_repair", f"integration:{integration.id.hex}", after=told)


def _check_readable(integration: Integration) -> None:
    if integration.state not in rules.READABLE:
        raise rules.WrongState(
            f"The integration is {integration.state}: the other side is not asked.", state=integration.state
        )


@events.on("integrations.StateChanged")
async def take_up(work: Writing, event: OutboxEvent) -> None:
    """Make the duties of an integration due that has become active."""
    if event.body["state"] not in rules.READABLE or event.body["before"] in rules.READABLE:
        return
    key = event.subject.hex
    for kind in (queue.PUSH, inbox.INBOX, hooks.RENEW):
        await make_due(work.session, work.tenant_id, kind, key, work.now)
    await make_due(work.session, work.tenant_id, RECONCILE, key, work.now + _FIRST_COMPARISON)
