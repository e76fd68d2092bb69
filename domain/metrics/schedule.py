"""What is worked out of everybody's purchases, and so on a schedule: it begins with a tenant's first purchases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, DateTime

from domain.core.statements import statement
from domain.metrics.analysis.actions import PUBLISH_RFM
from domain.metrics.clv.actions import FIT_MODELS
from domain.metrics.publishing import PUBLISH

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing

FIRST = {PUBLISH: timedelta(minutes=5), PUBLISH_RFM: timedelta(minutes=10), FIT_MODELS: timedelta(hours=1)}
"""How long after the first purchases of a tenant each is done for the first time."""


async def begin(work: Writing) -> None:
    """Have everything worked out for this tenant from now on; what has begun already keeps its times."""
    moments = [work.now + after for after in FIRST.values()]
    first = {"tenant": work.tenant_id, "key": work.tenant_id.hex, "kinds": list(FIRST), "moments": moments}
    await work.execute(_BEGIN, first)


_BEGIN = statement(
    """
INSERT INTO directory.due_work (tenant_id, kind, key, due_at)
SELECT :tenant, first.kind, :key, first.due_at FROM unnest(CAST(:kinds AS text[]), :moments) AS first (kind, due_at)
ON CONFLICT DO NOTHING
""",
    moments=ARRAY(DateTime(timezone=True)),
)
