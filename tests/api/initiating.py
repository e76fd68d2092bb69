"""Two initiatives of a business: one that is planned, and one whose baseline is sealed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from domain.metrics.settling import roll_up

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.api.business import Business

BOUGHT = ("2025-01-10", "2025-03-20", "2025-04-10", "2025-05-20")
PLAN = {"goLiveOn": "2025-05-01", "baselineDays": 60, "tier": "QUICK"}


async def begin(of: Business, database: Database) -> dict[str, str]:
    """Let Acme buy now and then, plan two initiatives and seal one of them; their ids."""
    for day in BOUGHT:
        order = {"customer": of.acme, "occurredAt": f"{day}T10:00:00Z", "currency": "EUR", "total": "20.00"}
        await of.caller.do("recordOrder", order)
    async with database.unit_of_work(of.caller.identity.tenant_id) as work:  # what the relay does a moment later
        await roll_up(work, [UUID(of.acme.removeprefix("cus_"))])
    planned, sealed = [
        (await of.caller.do("createInitiative", {"name": name, **PLAN}, "initiative { id }"))["initiative"]["id"]
        for name in ("Planned", "Sealed")
    ]
    await of.caller.do("sealBaseline", {"id": sealed})
    return {"planned": planned, "sealed": sealed}
