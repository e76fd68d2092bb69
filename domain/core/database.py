"""The connections to PostgreSQL: an engine for writes, a pool for compiled reads."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

import asyncpg
from sqlalchemy import URL, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from domain.core import tenancy
from domain.core.clock import Clock, SystemClock
from domain.core.ids import NewId, new_id
from domain.core.unit_of_work import Actor, Reading, Writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

ReadConnection = Any  # asyncpg brings no type information


class Database:
    """One PostgreSQL database as one process sees it; open it with `async with`."""

    def __init__(
        self,
        url: str,
        *,
        readers: int = 8,
        writers: int = 8,
        clock: Clock | None = None,
        ids: NewId = new_id,
        key: bytes = b"",
    ) -> None:
        self.url = make_url(url).set(drivername="postgresql+asyncpg")
        self.clock = clock or SystemClock()
        self.ids = ids
        self.key = key
        self._readers = readers
        self._writers = writers

    async def __aenter__(self) -> Self:
        self.engine = engine_for(self.url, pool_size=self._writers, max_overflow=0, pool_reset_on_return=None)
        self.pool: asyncpg.Pool = await asyncpg.create_pool(
            dsn_of(self.url),
            min_size=0,
            max_size=self._readers,
            init=_learn_arrays,
            reset=_roll_back_what_is_open,
            server_settings={"timezone": "UTC", "application_name": "tenure-read"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.pool.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def unit_of_work(
        self, tenant_id: UUID, *, actor: Actor = Actor.SYSTEM, request_id: str | None = None
    ) -> AsyncIterator[Writing]:
        """One transaction that may write, behind the wall of one tenant; an exception undoes all of it."""
        async with self._connection(tenant_id) as connection:
            work = Writing(
                session=_session(connection), tenant_id=tenant_id, now=self.clock.now(), ids=self.ids, actor=actor,
                request_id=request_id, key=self.key,
            )  # fmt: skip
            yield work
            await work.complete()
            await connection.commit()

    @asynccontextmanager
    async def reading(self, tenant_id: UUID) -> AsyncIterator[Reading]:
        """One read-only snapshot behind the wall of one tenant."""
        async with self._connection(tenant_id, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY") as opened:
            yield Reading(session=_session(opened), tenant_id=tenant_id, now=self.clock.now())

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[AsyncConnection]:
        """One transaction on the directory tables, outside every tenant: all that has walls looks empty."""
        async with self.engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def snapshot(self, tenant_id: UUID) -> AsyncIterator[ReadConnection]:
        """One read-only snapshot behind the wall of one tenant, on a bare connection: what compiled reads run on."""
        async with self.pool.acquire() as connection:
            await connection.execute(tenancy.begin_reading(tenant_id))
            yield connection
            # The pool would do it too, but reports every transaction that it finds open to the loop as a fault.
            await connection.execute("ROLLBACK")

    @asynccontextmanager
    async def _connection(self, tenant_id: UUID, first: str | None = None) -> AsyncIterator[AsyncConnection]:
        wall = tenancy.enter(tenant_id)
        async with self.engine.connect() as connection:
            if first is not None:
                await connection.execute(text(first))
            await connection.execute(text(wall))
            yield connection


def engine_for(url: URL, **options: Any) -> AsyncEngine:
    """An engine on whose connections asyncpg itself reads the address: it knows `sslmode`, SQLAlchemy does not."""
    settings = {"timezone": "UTC", "application_name": "tenure"}

    async def connect() -> ReadConnection:
        connection = await asyncpg.connect(dsn_of(url), server_settings=settings)
        await _learn_arrays(connection)
        return connection

    return create_async_engine("postgresql+asyncpg://", async_creator=connect, **options)


def dsn_of(url: URL) -> str:
    """The same address in the form that asyncpg reads."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def driver_connection(connection: AsyncConnection) -> ReadConnection:
    """The asyncpg connection under a SQLAlchemy one, in the same transaction: for COPY and compiled reads."""
    raw = await connection.get_raw_connection()
    return raw.driver_connection


def _session(connection: AsyncConnection) -> AsyncSession:
    return AsyncSession(bind=connection, expire_on_commit=False, autoflush=False)


async def _learn_arrays(connection: ReadConnection) -> None:
    # asyncpg cannot read an array inside a record before it has met the type of the array on the same connection.
    await connection.fetchrow("SELECT ARRAY[]::uuid[], ARRAY[]::text[]")


async def _roll_back_what_is_open(connection: ReadConnection) -> None:
    # Nothing session-wide is ever set, so an open transaction is all there can be; asyncpg's own reset costs 181 us.
    if connection.is_in_transaction():
        await connection.execute("ROLLBACK")
