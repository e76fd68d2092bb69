"""Hints that something happened: PostgreSQL's NOTIFY, heard once per process and passed on to whoever waits."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

import asyncpg
import structlog

from domain.core.database import dsn_of
from domain.core.events import CHANNEL

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from domain.core.database import Database

log = structlog.get_logger()


class Hints:
    """Wakes those who wait for events of a tenant, whichever process wrote them; open it with `async with`.

    A hint can be lost and can come for nothing: who is woken looks at the tables, and looks now and then unasked.
    """

    def __init__(self, database: Database, *, reconnect_after: float = 1.0) -> None:
        self._dsn = dsn_of(database.url)
        self._pause = reconnect_after
        self._waiting: dict[UUID | None, set[asyncio.Event]] = {}

    async def __aenter__(self) -> Self:
        self._listening = asyncio.create_task(self._listen(), name="hints")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.cancel()
        with suppress(asyncio.CancelledError):
            await self._listening

    @contextmanager
    def of(self, tenant_id: UUID | None, *, at_least_every: float = 10.0) -> Iterator[AsyncIterator[None]]:
        """Wakeups for the events of one tenant, or of all with None: at once for each burst, else every so often.

        The first wakeup comes at once, so what happened before the call is seen too.
        """
        woken = asyncio.Event()
        woken.set()
        self._waiting.setdefault(tenant_id, set()).add(woken)
        try:
            yield _wakeups(woken, at_least_every)
        finally:
            self._waiting[tenant_id].discard(woken)
            if not self._waiting[tenant_id]:
                del self._waiting[tenant_id]

    async def _listen(self) -> None:
        while True:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await self._listen_until_lost()
                log.warning("hints.lost")
            await asyncio.sleep(self._pause)

    async def _listen_until_lost(self) -> None:
        lost = asyncio.Event()
        connection = await asyncpg.connect(self._dsn, server_settings={"application_name": "tenure-hints"})
        try:
            connection.add_termination_listener(lambda _: lost.set())
            await connection.add_listener(CHANNEL, self._pass_on)
            self._wake(*self._waiting)  # hints may have been missed
            await lost.wait()
        finally:
            connection.terminate()

    def _pass_on(self, _connection: Any, _process: int, _channel: str, payload: str) -> None:
        with suppress(ValueError):
            self._wake(UUID(payload), None)

    def _wake(self, *tenants: UUID | None) -> None:
        for tenant_id in tenants:
            for woken in self._waiting.get(tenant_id, ()):
                woken.set()


async def _wakeups(woken: asyncio.Event, at_least_every: float) -> AsyncIterator[None]:
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(woken.wait(), at_least_every)
        woken.clear()
        yield
