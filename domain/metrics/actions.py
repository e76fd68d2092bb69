"""What changes by hand, and what follows from it for the days of customers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from domain.core.events import OutboxEvent, on
from domain.metrics.settling import roll_up, roll_up_everybody_soon, roll_up_unrated_soon

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing


@on("interactions.InteractionRecorded")
@on("interactions.InteractionRevised")
@on("purchases.OrderRecorded")
@on("purchases.RefundRecorded")
async def roll_up_touched(work: Writing, event: OutboxEvent) -> None:
    """Roll up the days of the customer whom an event names, and of the one who had the thing before."""
    named = [event.body.get("customer_id"), *event.body.get("customers", ())]
    await roll_up(work, [UUID(one) for one in named if one])


@on("purchases.RateRecorded")
async def roll_up_unrated(work: Writing, _event: OutboxEvent) -> None:
    """Roll up the days whose documents waited for a rate."""
    await roll_up_unrated_soon(work)


@on("tenants.TenantChanged")
async def roll_up_other_days(work: Writing, event: OutboxEvent) -> None:
    """Roll up every customer's days anew where they begin at another hour."""
    if "time_zone" in event.body["fields"]:
        await roll_up_everybody_soon(work)
