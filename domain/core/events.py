"""The outbox: what happened here, told after the commit, at least once; reactions are idempotent by event id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Index, insert, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import DIRECTORY, Base, Entity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from domain.core.unit_of_work import Writing

    Reaction = Callable[[Writing, "OutboxEvent"], Awaitable[None]]

CHANNEL = "tenure_events"
OUTBOX = "outbox"


class OutboxEvent(Entity):
    """AO + delivered_at, attempts: Something that happened here; its body holds ids and facts, no personal values."""

    __tablename__ = "outbox_events"
    __table_args__ = (
        Index("outbox_events_undelivered_idx", "tenant_id", "id", postgresql_where=text("delivered_at IS NULL")),
    )

    name: Mapped[str]
    subject: Mapped[UUID]
    body: Mapped[dict[str, Any]]
    occurred_at: Mapped[datetime]
    causation_id: Mapped[UUID | None]
    depth: Mapped[int]
    delivered_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))


class DueWork(Base):
    """WS: What some tenant has to do, and when; written with its cause, so that nobody ever scans the tenants."""

    __tablename__ = "due_work"
    __table_args__ = (Index("due_work_due_at_idx", "due_at"), {"schema": DIRECTORY})

    tenant_id: Mapped[UUID] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    due_at: Mapped[datetime]


@dataclass(frozen=True)
class Event:
    """Something that happened, on its way to the outbox."""

    id: UUID
    name: str
    subject: UUID
    body: dict[str, Any]
    at: datetime


@dataclass(frozen=True)
class Causation:
    """Which event led to this transaction, and how long the chain already is."""

    event_id: UUID | None = None
    depth: int = 0


@dataclass
class Reactions:
    """Who wants to know of which event, by its name."""

    by_name: dict[str, list[Reaction]] = field(default_factory=dict)

    def on(self, name: str) -> Callable[[Reaction], Reaction]:
        """Register a reaction: `async def (work, event)`, run in a transaction of its own after the commit."""

        def register(reaction: Reaction) -> Reaction:
            self.by_name.setdefault(name, []).append(reaction)
            return reaction

        return register


reactions = Reactions()
on = reactions.on


async def write(session: AsyncSession, tenant_id: UUID, happened: Sequence[Event], causation: Causation) -> None:
    """Store events with their cause and make the tenant's outbox due; the NOTIFY is a hint only."""
    if not happened:
        return
    await session.execute(
        insert(OutboxEvent),
        [
            {
                "tenant_id": tenant_id,
                "id": event.id,
                "name": event.name,
                "subject": event.subject,
                "body": event.body,
                "occurred_at": event.at,
                "causation_id": causation.event_id,
                "depth": causation.depth + 1,
            }
            for event in happened
        ],
    )
    await make_due(session, tenant_id, OUTBOX, "", happened[0].at)
    await session.execute(
        text("SELECT pg_notify(:channel, :payload)"),
        {"channel": CHANNEL, "payload": f"{tenant_id.hex} {happened[-1].id.hex}"},
    )


async def make_due(session: AsyncSession, tenant_id: UUID, kind: str, key: str, at: datetime) -> None:
    """Remember that a tenant has something to do at a time; an earlier time wins."""
    entry = upsert(DueWork).values(tenant_id=tenant_id, kind=kind, key=key, due_at=at)
    await session.execute(
        entry.on_conflict_do_update(
            index_elements=["tenant_id", "kind", "key"],
            set_={"due_at": entry.excluded.due_at},
            where=DueWork.due_at > entry.excluded.due_at,
        )
    )
