"""One request or job is one transaction: what a query may do (Reading) and what an action may do (Writing)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar, cast

from sqlalchemy import TextClause

from domain.core import audit, direct, events

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Executable, Row, Select
    from sqlalchemy.engine import CursorResult
    from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

    from domain.core.ids import NewId
    from domain.core.tables import TenantTable

Found = TypeVar("Found")


@dataclass(frozen=True)
class Actor:
    """Who does something: a principal by id, or the system itself."""

    principal_id: UUID | None = None
    token_id: UUID | None = None

    SYSTEM: ClassVar[Actor]

    def __str__(self) -> str:
        return f"principal:{self.principal_id.hex}" if self.principal_id else "system"


Actor.SYSTEM = Actor()


@dataclass
class Reading:
    """A transaction that can only fetch."""

    session: AsyncSession
    tenant_id: UUID
    now: datetime

    async def one(self, statement: Select[Found]) -> Found | None:
        """The only row's first column, or None; raises where there are several."""
        return (await self.session.execute(statement)).scalar_one_or_none()

    async def all(self, statement: Select[Found]) -> Sequence[Found]:
        """The first column of every row."""
        return (await self.session.execute(statement)).scalars().all()

    async def rows(self, statement: Executable, values: Mapping[str, Any] | None = None) -> Sequence[Row[Any]]:
        """Every row of a statement."""
        if isinstance(statement, TextClause):
            return (await direct.run(await self.connection(), statement, values)).all()
        return (await self.session.execute(statement, values)).all()

    async def connection(self) -> AsyncConnection:
        """The connection that this transaction runs on."""
        return cast("AsyncConnection", self.session.bind)


@dataclass
class Writing(Reading):
    """A transaction that may change things, emit events and be audited; its edge commits it."""

    ids: NewId
    actor: Actor = Actor.SYSTEM
    request_id: str | None = None
    key: bytes = b""
    """The installation's key, for what may be kept of a personal value: its keyed hash."""
    causation: events.Causation = field(default_factory=events.Causation)
    _events: list[events.Event] = field(default_factory=list)
    _has_told: bool = False
    _audited: list[audit.Entry] = field(default_factory=list)

    def add(self, *rows: TenantTable) -> Self:
        """Put new rows on their way, under this transaction's tenant."""
        for row in rows:
            row.tenant_id = self.tenant_id
        self.session.add_all(rows)
        return self

    async def flush(self) -> None:
        """Send what was added, so that the statements which follow see it."""
        await self.session.flush()

    async def execute(self, statement: Executable, values: Any = None) -> CursorResult[Any]:
        """Run a statement that carries its own tenant predicate."""
        if any((self.session.new, self.session.dirty, self.session.deleted)):
            await self.session.flush()
        if isinstance(statement, TextClause) and not isinstance(values, list):
            result: Any = await direct.run(await self.connection(), statement, values)
        else:
            result = await self.session.execute(statement, values)
        return result  # type: ignore[no-any-return]

    def emit(self, name: str, subject: UUID, **body: Any) -> None:
        """Tell others, after the commit, what happened to a subject; `name` is `concept.WhatHappened`."""
        self._events.append(events.Event(self.ids(), name, subject, body, self.now))

    def told(self) -> None:
        """Have events delivered after the commit that a statement has put into the outbox by itself."""
        self._has_told = True

    def audit(
        self, action: str, subject: str, *, before: audit.Values | None = None, after: audit.Values | None = None
    ) -> None:
        """Enter a deed into the tenant's audit chain; personal values belong into `audit.digest`."""
        self._audited.append(audit.Entry(str(self.actor), action, subject, before, after, self.request_id))

    async def complete(self) -> None:
        """Write what was added, then the events, then the audit entries (their lock comes last). The edge calls it."""
        await self.session.flush()
        if self._events:
            await events.write(self.session, self.tenant_id, self._events, self.causation)
        if self._events or self._has_told:
            await events.announce(self.session, self.tenant_id, self.now)
        await audit.write(self.session, self.tenant_id, self._audited, self.now)
        self._events.clear()
        self._has_told = False
        self._audited.clear()
