"""What changes by hand, and what follows from it for the days of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.core.due import due
from domain.core.events import OutboxEvent, on
from domain.customers.touched import named_by
from domain.metrics import measured
from domain.metrics.observing import observe_month
from domain.metrics.publishing import EVERY, PUBLISH, publish
from domain.metrics.settling import roll_up, roll_up_everybody_soon, roll_up_unrated_soon
from domain.segments.settling import settle

if TYPE_CHECKING:
    from datetime import datetime

    from domain.core.unit_of_work import Writing

ASKED_ABOUT = measured.__name__
"""Importing it lets segments ask about metrics."""


@on("interactions.InteractionRecorded")
@on("interactions.InteractionRevised")
@on("purchases.OrderRecorded")
@on("purchases.RefundRecorded")
async def roll_up_touched(work: Writing, event: OutboxEvent) -> None:
    """Roll up the days of the customer whom an event names, and of the one who had the thing before.

    Their segments follow, since these may ask about metrics.
    """
    touched = named_by(event)
    await roll_up(work, touched)
    await settle(work, touched)


@on("purchases.RateRecorded")
async def roll_up_unrated(work: Writing, _event: OutboxEvent) -> None:
    """Roll up the days whose documents waited for a rate."""
    await roll_up_unrated_soon(work)


@on("tenants.TenantChanged")
async def roll_up_other_days(work: Writing, event: OutboxEvent) -> None:
    """Roll up every customer's days anew where they begin at another hour."""
    if "time_zone" in event.body["fields"]:
        await roll_up_everybody_soon(work)


@due(PUBLISH)
async def publish_due(work: Writing, _key: str) -> datetime | None:
    """Publish how metrics are spread over the customers, keep those of the last month, and again a day later."""
    await publish(work)
    await observe_month(work)
    return work.now + EVERY
