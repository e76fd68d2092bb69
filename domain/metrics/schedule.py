"""What is worked out of everybody's purchases, and so on a schedule: it begins with a tenant's first purchases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert as upsert

from domain.core.events import DueWork
from domain.metrics.analysis.actions import PUBLISH_RFM
from domain.metrics.clv.actions import FIT_MODELS
from domain.metrics.publishing import PUBLISH

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing

FIRST = {PUBLISH: timedelta(minutes=5), PUBLISH_RFM: timedelta(minutes=10), FIT_MODELS: timedelta(hours=1)}
"""How long after the first purchases of a tenant each is done for the first time."""


async def begin(work: Writing) -> None:
    """Have everything worked out for this tenant from now on; what has begun already keeps its times."""
    entries = [
        {"tenant_id": work.tenant_id, "kind": kind, "key": work.tenant_id.hex, "due_at": work.now + after}
        for kind, after in FIRST.items()
    ]
    await work.execute(upsert(DueWork).values(entries).on_conflict_do_nothing())
