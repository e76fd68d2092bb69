"""The outbox: what happened here, told after the commit, at least once; reactions are idempotent by event id."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core import direct
from domain.core.statements import as_one_value, insertion
from domain.core.tables import DIRECTORY, Base, Entity

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

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


class Event(NamedTuple):
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

    def on(self, name: str, *, first: bool = False) -> Callable[[Reaction], Reaction]:
        """Register a reaction: `async def (work, event)`, run in a transaction of its own after the commit.

        All reactions to an event run in the order in which they were registered; with `first`, before those.
        """

        def register(reaction: Reaction) -> Reaction:
            registered = self.by_name.setdefault(name, [])
            registered.insert(0 if first else len(registered), reaction)
            return reaction

        return register

    def copy(self) -> Reactions:
        """The same, to which more can be added for one worker."""
        return Reactions({name: [*each] for name, each in self.by_name.items()})


reactions = Reactions()
on = reactions.on


async def write(session: AsyncSession, tenant_id: UUID, happened: Sequence[Event], causation: Causation) -> None:
    """Store events with their cause; `announce` has them delivered."""
    told = [
        {
            "id": event.id, "name": event.name, "subject": event.subject, "body": event.body, "occurred_at": event.at,
            "causation_id": causation.event_id, "depth": causation.depth + 1,
        }
        for event in happened
    ]  # fmt: skip
    store = insertion(OutboxEvent.__tablename__, tuple(told[0]))
    values = {"tenant": tenant_id, "given": as_one_value(told)}
    await direct.run(cast("AsyncConnection", session.bind), store, values)


async def announce(session: AsyncSession, tenant_id: UUID, at: datetime) -> None:
    """Make the tenant's outbox due; the NOTIFY is a hint only."""
    await make_due(session, tenant_id, OUTBOX, "", at)
    hint = {"channel": CHANNEL, "payload": tenant_id.hex}
    await direct.run(cast("AsyncConnection", session.bind), _HINT, hint)


async def make_due(session: AsyncSession, tenant_id: UUID, kind: str, key: str, at: datetime) -> None:
    """Remember that a tenant has something to do at a time; an earlier time wins."""
    work = {"tenant": tenant_id, "kind": kind, "key": key, "at": at}
    await direct.run(cast("AsyncConnection", session.bind), _MAKE_DUE, work)


_HINT = text("SELECT pg_notify(:channel, :payload)")

_MAKE_DUE = text(f"""
INSERT INTO {DIRECTORY}.due_work AS known (tenant_id, kind, key, due_at) VALUES (:tenant, :kind, :key, :at)
ON CONFLICT (tenant_id, kind, key) DO UPDATE SET due_at = excluded.due_at WHERE known.due_at > excluded.due_at
""")
