"""`tenure worker` as the kill matrix runs it: in a hurry, and with a fault planted in it where one is asked for.

This is the only place that knows of planted faults. It loads everything once, and then makes a worker for each order
on stdin, whose process id it answers with: a worker that was killed has a successor at once. The first worker is the
process itself, which comes back when it is told to stop: those that are forked after it know all statements already.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from sync import runs

runs.LEASE = timedelta(seconds=3)  # before anybody takes it over by name

import msgspec  # noqa: E402
from sqlalchemy.dialects.postgresql import JSONB  # noqa: E402

from cli import main as cli  # noqa: E402
from domain.core import database as databases  # noqa: E402
from domain.core.statements import statement  # noqa: E402
from sync import errands, heartbeat, inbox, pull, registry, schedule, switchboard, troubles, worker  # noqa: E402
from sync.access import tokens  # noqa: E402
from sync.landing import customers as landing_customers  # noqa: E402, F401 - loaded before the first fork
from sync.two_way import comparing, lease, sending  # noqa: E402
from tenure_sdk import RateLimit, http  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from domain.core.database import Database

SOON = timedelta(seconds=0.2)


class Order(msgspec.Struct):
    """The worker that is wanted."""

    environment: dict[str, str]
    fault: str = ""
    """The name of the fault that is planted in it."""
    stays: bool = False
    """Whether it runs in the process that the others are forked from, until it is told to stop."""


def hurry() -> None:
    """Wait for tenths of seconds where a worker waits for seconds and minutes."""
    for module in (errands, schedule, worker):
        module.EVERY = 0.25
    heartbeat.EVERY = 0.5
    schedule.SOON = troubles.SHORTEST = pull.HOLD = inbox.TOGETHER = SOON
    errands._LATER = worker._LATER = sending._WAITS = sending._PATIENCE = SOON
    http.LONGEST_PAUSE = 0.3
    for connector in registry.load().connectors.values():
        connector.rate = RateLimit(per_minute=1_000_000, concurrency=connector.rate.concurrency)


def cursor_before_records() -> None:
    """The cursor of a page is committed before its records are."""
    land = pull._Pull._land

    async def early(self: Any, run: Any, page: Any, asked_at: Any) -> bool:
        async with self.database.unit_of_work(self.tenant_id) as work:
            await runs.advance(work, run, runs.Counts(), cursor=page.cursor)
        await asyncio.sleep(0.02)
        return await land(self, run, page, asked_at)

    pull._Pull._land = early  # type: ignore[method-assign]


def no_lookup() -> None:
    """What may have been made is made again, under a new key."""
    change_of = sending.change_of

    def anew(owed: Any, refs: Any) -> Any:
        return msgspec.structs.replace(change_of(owed, refs), key=os.urandom(16).hex())

    sending.change_of = anew
    sending._Sender._can = lambda *_: False  # type: ignore[assignment, method-assign]


def refresh_token_after_use() -> None:
    """A token that was renewed is kept some time after it is used."""
    keep, later = tokens.keep_token, set()

    async def late(work: Any, vault: Any, integration_id: UUID, token: Any) -> str:
        database: Database = DATABASES[-1]

        async def keeping() -> None:
            await asyncio.sleep(0.5)
            async with database.unit_of_work(work.tenant_id) as anew:
                await keep(anew, vault, integration_id, token)

        task = asyncio.create_task(keeping())
        later.add(task)
        return "late"

    tokens.keep_token = late


def fence_ignored() -> None:
    """Whoever has lost a lease goes on as if nothing had happened."""
    runs.held = runs.of_lane
    runs._MOVE = statement(runs._MOVE.text.replace(" AND fence = :fence", ""), cursor=JSONB(none_as_null=True))
    renew = runs.renew

    async def unheard(work: Any, run: Any) -> None:
        with suppress(runs.LeaseLost):
            await renew(work, run)

    runs.renew = unheard

    @asynccontextmanager
    async def step(database: Database, tenant_id: UUID, *_: Any) -> AsyncIterator[Any]:
        async with database.unit_of_work(tenant_id) as work:
            yield work

    lease.step = step


def no_echo_suppression() -> None:
    """What comes back as both sides have it counts as a change, and is sent again."""
    merge = comparing.merge

    def echoing(*given: Any) -> Any:
        merged = merge(*given)
        merged.send += merged.agreed
        return merged

    comparing.merge = echoing


PLANTED: dict[str, Callable[[], None]] = {
    each.__name__: each
    for each in (cursor_before_records, no_lookup, refresh_token_after_use, fence_ignored, no_echo_suppression)
}
DATABASES: list[Database] = []
"""The database of this worker, for a fault that goes on after its transaction."""


def remember_the_database() -> None:
    """Keep hold of the worker's database."""
    begin = switchboard.Switchboard.__init__

    def begun(self: Any, database: Database, *given: Any, **named: Any) -> None:
        DATABASES.append(database)
        begin(self, database, *given, **named)

    switchboard.Switchboard.__init__ = begun  # type: ignore[method-assign]


def main() -> None:
    """Make a worker for each order on stdin."""
    import api.app  # noqa: F401 - loaded once for all
    from cli import serving  # noqa: F401

    hurry()
    databases.engine_for = cache(databases.engine_for)  # what one compiled, others know
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the dead leave nothing behind: whoever asks sees that they are gone
    for line in sys.stdin:
        order = msgspec.json.decode(line, type=Order)
        child = 0 if order.stays else os.fork()
        if order.stays or child:
            sys.stdout.write(f"{child or os.getpid()}\n")
            sys.stdout.flush()
        if order.stays:
            with suppress(SystemExit):
                work(order)
            sys.stdout.write("back\n")
            sys.stdout.flush()
        elif not child:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            work(order)
            return


def work(order: Order) -> None:
    """Be the worker that was ordered."""
    os.environ.update(order.environment)
    if order.fault:
        remember_the_database()
        PLANTED[order.fault]()
    sys.argv[1:] = ["worker"]
    cli.main()


if __name__ == "__main__":
    main()
