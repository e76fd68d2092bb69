"""A run at work: it keeps its lease while the remote side is slow, and hears when it is to stop."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import TYPE_CHECKING

import structlog
from sqlalchemy.exc import SQLAlchemyError

from sync import runs
from sync.relay import told
from tenure_sdk import ConnectorError, ContractViolation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping

    from domain.core.database import Database
    from sync.runs import Run
    from tenure_sdk import LinePage, Page

    Pages = AsyncGenerator[Page | LinePage, None]

log = structlog.get_logger()

EVERY = 5.0
"""Seconds between two beats; a lease lasts for a dozen of them."""

GRACE = 6.0
"""Seconds that whoever is at work gets to come to rest, once the worker is to stop."""


class Stop(StrEnum):
    """Why a run is to stop."""

    SHUTDOWN = "SHUTDOWN"
    CANCELLED = "CANCELLED"
    LOST = "LOST"


class Halt:
    """Asks a run to end: a page that is landing lands, one that is still being read is given up."""

    def __init__(self) -> None:
        self.why: Stop | None = None
        self._asked = asyncio.Event()

    def ask(self, why: Stop) -> None:
        """Ask for the end; the first reason counts."""
        self.why = self.why or why
        self._asked.set()

    async def wait(self) -> None:
        """Wait until somebody asks."""
        await self._asked.wait()


async def rest(tasks: Mapping[asyncio.Task[None], Halt], why: Stop | None) -> None:
    """Wait until all who are at work have come to rest; with a reason they are asked to, and get so much time only."""
    if why is not None:
        for halt in tasks.values():
            halt.ask(why)
    if tasks:
        await asyncio.wait(tasks, timeout=None if why is None else GRACE)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def beating(database: Database, run: Run, halt: Halt) -> AsyncIterator[None]:
    """Renew the lease of a run while this lasts; `halt` hears of a cancellation and of a lease that was taken over."""

    async def beat() -> bool:
        try:
            async with database.unit_of_work(run.tenant_id) as work:
                await runs.renew(work, run)
        except runs.LeaseLost:
            halt.ask(Stop.LOST)
        except (OSError, SQLAlchemyError) as failure:  # the page that lands next shows whether it lasts
            log.warning("lease.unrenewed", run=str(run.id), **told(failure))
        if run.cancelled:
            halt.ask(Stop.CANCELLED)
        return halt.why is None

    async with repeating(beat, EVERY, f"heartbeat {run.id}"):
        yield


@asynccontextmanager
async def repeating(beat: Callable[[], Awaitable[bool]], seconds: float, name: str) -> AsyncIterator[None]:
    """Beat every so many seconds while this lasts, or until a beat says that it was the last."""
    over = asyncio.Event()
    task = asyncio.create_task(_repeat(beat, seconds, over), name=name)
    try:
        yield
    finally:
        over.set()  # rather than cancelled: a beat under way gives its connection back whole
        await task


async def _repeat(beat: Callable[[], Awaitable[bool]], seconds: float, over: asyncio.Event) -> None:
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), seconds)
        if over.is_set() or not await beat():
            return


async def ahead(pages: Pages, halt: Halt) -> Pages:
    """The pages, each with the next one already on its way; after a halt there are no more."""
    halted = asyncio.create_task(halt.wait())
    following = asyncio.create_task(_next(pages))
    try:
        while True:
            await asyncio.wait({following, halted}, return_when=asyncio.FIRST_COMPLETED)
            if halt.why is not None:
                return
            page = following.result()
            if page is None:
                return
            following = asyncio.create_task(_next(pages))
            yield page
    finally:
        for task in (halted, following):
            task.cancel()
        await asyncio.gather(halted, following, return_exceptions=True)


async def _next(pages: Pages) -> Page | LinePage | None:
    try:
        return await anext(pages, None)
    except ConnectorError:
        raise
    except Exception as problem:  # whatever else it raises is the connector's mistake
        log.warning("connector.broke", **told(problem))
        raise ContractViolation(f"The connector failed unexpectedly ({type(problem).__name__}).") from problem
