"""RFM is published: once a day for every tenant, so that anybody who buys in between is placed at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sqlalchemy import delete

from domain.core.database import dsn_of
from domain.metrics.analysis.extract import purchases
from domain.metrics.analysis.model import RfmCutoff, RfmMeasure
from domain.metrics.analysis.rfm import rfm
from domain.purchases.rules import Window
from domain.segments.actions import measured_anew
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.metrics.analysis.rfm import Rfm

PUBLISH_RFM = "publish_rfm"
"""The kind of due work that publishes the cut-offs of RFM."""

EVERY = timedelta(days=1)
"""How often it does."""

YEAR = timedelta(days=365)
"""How far back purchases are scored."""


async def publish_rfm(database: Database, tenant_id: UUID) -> Rfm | None:
    """Publish the cut-offs of RFM over the last 365 days.

    None with fewer than 25 customers who bought in them: what was published earlier is then taken back, since nobody is
    to be placed against the customers of another time.
    """
    async with database.reading(tenant_id) as reading:
        zone = ZoneInfo((await tenants.tenant(reading)).time_zone)
    today = database.clock.now().astimezone(zone).date()
    window = Window(today - YEAR, today)
    found = await asyncio.to_thread(_scored, dsn_of(database.url), tenant_id, window)
    async with database.unit_of_work(tenant_id) as work:
        await work.execute(delete(RfmCutoff).where(RfmCutoff.tenant_id == tenant_id))
        if found is not None:
            _publish(work, found, window)
        await work.flush()
        await measured_anew(work, {f"rfm_{measure.lower()}" for measure in RfmMeasure})
    return found


def _scored(dsn: str, tenant_id: UUID, window: Window) -> Rfm | None:
    with purchases(dsn, tenant_id) as bought:
        return rfm(bought, window)


def _publish(work: Writing, found: Rfm, window: Window) -> None:
    for cutoff in found.cutoffs:
        work.add(
            RfmCutoff(
                **cutoff._asdict(), window_start=window.start, window_end=window.end, published_at=work.now,
            )
        )  # fmt: skip
