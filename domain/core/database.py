"""The connections to PostgreSQL: an engine for writes, a pool for compiled reads."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Self

import asyncpg
import msgspec
from sqlalchemy import URL, make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, create_async_engine

from domain.core import tenancy
from domain.core.clock import Clock, SystemClock
from domain.core.ids import NewId, new_id
from domain.core.unit_of_work import Actor, Reading, Writing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from uuid import UUID

ReadConnection = Any  # asyncpg brings no type information
# A statement stays prepared, since only what has run a few times has a generic plan.
_PREPARED: dict[str, Any] = {
    "statement_cache_size": 256, "max_cached_statement_lifetime": 0, "max_cacheable_statement_size": 0,
}  # fmt: skip
_IDLE = 0.005  # seconds that an idle connection may stay in its last transaction
_SESSION = {"timezone": "UTC", "datestyle": "ISO"}
# What the first statement of a transaction meets on a connection that has died: closed, cut off, or told to end.
_LOST = (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError)


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
        self._snapshots = Snapshots(dsn_of(self.url), self._readers)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._snapshots.close()
        await self.engine.dispose()

    @asynccontextmanager
    async def unit_of_work(
        self, tenant_id: UUID, *, actor: Actor = Actor.SYSTEM, request_id: str | None = None
    ) -> AsyncIterator[Writing]:
        """One transaction that may write, behind the wall of one tenant; an exception undoes all of it."""
        async with self._begun(tenancy.enter(tenant_id)) as connection:
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
        snapshot = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
        async with self._begun(snapshot, tenancy.enter(tenant_id)) as opened:
            yield Reading(session=_session(opened), tenant_id=tenant_id, now=self.clock.now())

    @asynccontextmanager
    async def directory(self) -> AsyncIterator[AsyncConnection]:
        """One transaction on the directory tables, outside every tenant: all that has walls looks empty."""
        async with self._begun("SELECT") as connection:
            yield connection
            await connection.commit()

    @asynccontextmanager
    async def snapshot(self, tenant_id: UUID) -> AsyncIterator[ReadConnection]:
        """One read-only snapshot behind the wall of one tenant, on a bare connection: what compiled reads run on."""
        async with self._snapshots.begun(tenancy.begin_reading(tenant_id)) as connection:
            yield connection

    @asynccontextmanager
    async def _begun(self, *first: str) -> AsyncIterator[AsyncConnection]:
        """A transaction that these statements begin, on a connection that is alive."""
        connection = await self._alive(first)
        try:
            yield connection
        finally:
            await connection.close()

    async def _alive(self, first: Sequence[str]) -> AsyncConnection:
        """A connection that has run these statements; one that was lost while it lay idle is replaced.

        They may be run again: nothing was asked of the database before them, and they change nothing.
        """
        for _ in range(self._writers):  # as many can lie in the pool, and may all be lost
            connection = await self.engine.connect()
            with suppress(*_LOST):
                return await _run(connection, first)
        return await _run(await self.engine.connect(), first)


def engine_for(url: URL, **options: Any) -> AsyncEngine:
    """An engine on whose connections asyncpg itself reads the address: it knows `sslmode`, SQLAlchemy does not."""

    async def connect() -> ReadConnection:
        return await _connected(dsn_of(url), "tenure")

    # A statement that fails is told without its values, which may be personal. JSON is read in a fifth of the time.
    return create_async_engine(
        "postgresql+asyncpg://", async_creator=connect, hide_parameters=True,
        json_deserializer=msgspec.json.decode, **options,
    )  # fmt: skip


class Snapshots:
    """A few bare connections for read-only transactions, opened when they are first needed.

    asyncpg's own pool costs more than a point lookup: it reports every open transaction that it finds, and releases in
    a task of its own. Here the end of a transaction travels with the beginning of the next one, so that a busy
    connection makes one round trip less for each read; an idle one ends it by itself at once.
    """

    def __init__(self, address: str, most: int) -> None:
        self._address, self._most = address, most
        self._turns = asyncio.Semaphore(most)
        self._idle: list[tuple[ReadConnection, float]] = []
        """Those that nobody uses, each with the moment since when, by the clock of the event loop."""
        self._sweep: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def begun(self, begin: str) -> AsyncIterator[ReadConnection]:
        """A connection in a transaction that this statement begins, and that is never committed."""
        async with self._turns:
            connection = await self._begin(begin)
            try:
                yield connection
            except BaseException:
                await self._end(connection)
                raise
            self._idle.append((connection, asyncio.get_running_loop().time()))
        if self._sweep is None or self._sweep.done():
            self._sweep = asyncio.create_task(self._end_what_is_idle(), name="snapshots")

    async def close(self) -> None:
        """Wait for the transactions under way, then close."""
        for _ in range(self._most):
            await self._turns.acquire()
        if self._sweep is not None:
            self._sweep.cancel()
        while self._idle:
            connection, _ = self._idle.pop()
            await connection.close()

    async def _begin(self, begin: str) -> ReadConnection:
        """A connection that has begun; one that was lost while it lay idle is replaced: nothing was asked of it yet."""
        while self._idle:
            with suppress(*_LOST):
                connection, _ = self._idle.pop()  # the last one used: its plans are warm
                return await self._run(connection, begin)
        return await self._run(await _connected(self._address, "tenure-read"), begin)

    async def _run(self, connection: ReadConnection, begin: str) -> ReadConnection:
        try:
            await connection.execute(f"ROLLBACK; {begin}" if connection.is_in_transaction() else begin)
        except BaseException:
            connection.terminate()
            raise
        return connection

    async def _end_what_is_idle(self) -> None:
        """End the transactions of idle connections, until none is in any; busy ones are not idle for that long."""
        while any(connection.is_in_transaction() for connection, _ in self._idle):
            await asyncio.sleep(_IDLE)
            latest = asyncio.get_running_loop().time() - _IDLE
            async with self._turns:
                for one in [one for one in self._idle if one[1] <= latest and one[0].is_in_transaction()]:
                    if one in self._idle:  # nobody has taken it while another one was ended
                        self._idle.remove(one)
                        await self._end(one[0])

    async def _end(self, connection: ReadConnection) -> None:
        """Roll back and keep the connection; one that cannot do that is given up."""
        try:
            with suppress(*_LOST):
                await connection.execute("ROLLBACK")
                self._idle.insert(0, (connection, 0.0))
                return
        except BaseException:
            connection.terminate()
            raise
        connection.terminate()


def dsn_of(url: URL) -> str:
    """The same address in the form that asyncpg reads."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


async def driver_connection(connection: AsyncConnection) -> ReadConnection:
    """The asyncpg connection under a SQLAlchemy one, in the same transaction: for COPY and compiled reads."""
    raw = await connection.get_raw_connection()
    return raw.driver_connection


async def _connected(address: str, name: str) -> ReadConnection:
    settings = {**_SESSION, "application_name": name}
    connection = await asyncpg.connect(address, server_settings=settings, **_PREPARED)
    # To compile a plan takes longer than any of our statements; the planner is easily misled, since it takes every list
    # that it does not know for one of ten.
    await connection.execute("SET jit = off")
    return connection


async def _run(connection: AsyncConnection, first: Sequence[str]) -> AsyncConnection:
    """Run what begins a transaction; a connection that cannot is given up."""
    try:
        for statement in first:
            await connection.exec_driver_sql(statement)
    except BaseException:
        await connection.invalidate()
        await connection.close()
        raise
    return connection


def _session(connection: AsyncConnection) -> AsyncSession:
    return AsyncSession(bind=connection, expire_on_commit=False, autoflush=False)
