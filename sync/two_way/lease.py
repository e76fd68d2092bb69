"""Who may work on something of an integration that is no run: one at a time, and whoever lost it notices."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain.integrations.model import StreamState
from sync import runs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing


async def take(work: Writing, integration_id: UUID, lane: str) -> int | None:
    """The fence of whoever works now; None while somebody else does."""
    entry = insert(StreamState).values(
        tenant_id=work.tenant_id, integration_id=integration_id, stream=f"#{lane}", updated_at=work.now
    )
    await work.execute(entry.on_conflict_do_nothing())
    state = await work.one(select(StreamState).where(*_lane(work, integration_id, lane)).with_for_update())
    if state is None or not runs.is_free(state, work.now):
        return None
    state.fence, state.lease_owner, state.lease_until = state.fence + 1, runs.me(), work.now + runs.LEASE
    await work.flush()
    return int(state.fence)


@asynccontextmanager
async def step(
    database: Database, tenant_id: UUID, integration_id: UUID, lane: str, fence: int | None
) -> AsyncIterator[Writing]:
    """One transaction of whoever holds the fence; it keeps the lease. Raises LeaseLost when somebody else has it."""
    async with database.unit_of_work(tenant_id) as work:
        kept = await work.execute(
            update(StreamState)
            .where(*_lane(work, integration_id, lane), StreamState.fence == fence)
            .values(lease_owner=runs.me(), lease_until=work.now + runs.LEASE)
        )
        if not kept.rowcount:
            raise runs.LeaseLost
        yield work


async def give_back(work: Writing, integration_id: UUID, lane: str, fence: int) -> None:
    """Let the next one work, unless somebody does already."""
    await work.execute(
        update(StreamState)
        .where(*_lane(work, integration_id, lane), StreamState.fence == fence)
        .values(lease_owner=None, lease_until=None)
    )


def _lane(work: Writing, integration_id: UUID, lane: str) -> tuple[Any, ...]:
    return (
        StreamState.tenant_id == work.tenant_id,
        StreamState.integration_id == integration_id,
        StreamState.stream == f"#{lane}",
    )
