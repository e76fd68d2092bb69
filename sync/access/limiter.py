"""Keeps all workers together to the pace that a remote side allows."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Text, bindparam, text

from domain.core import direct
from domain.core.statements import as_one_value, given_rows
from sync.access import pace
from sync.access.pace import UNLIMITED, Bucket, Lease, Rate
from tenure_sdk import RateLimited
from tenure_sdk.http import LONGEST_PAUSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from datetime import datetime

    from sqlalchemy import TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

    from domain.core.database import Database
    from tenure_sdk import RateLimit

LONGEST_WAIT = LONGEST_PAUSE
"""Seconds that a request waits for its turn; for longer ones the run is given back."""
SLICE = 0.25
"""For how many seconds a process takes requests from the shared bucket at once."""
FRESH = timedelta(seconds=1)
"""How long it may use them: after that it asks again, and learns whether the remote side protested elsewhere."""


@dataclass
class _Local:
    """What a process holds of a scope."""

    rates: tuple[Rate, ...]
    slots: asyncio.Semaphore
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    left: float = 0.0
    until: datetime | None = None

    def takes(self, now: datetime) -> bool:
        """Use one of the requests that this process may still send."""
        if self.until is None or now >= self.until or self.left < 1:
            return False
        self.left -= 0 if self.rates == (UNLIMITED,) else 1
        return True


class Limiter:
    """Admits the requests of this process at a pace that it shares with all others, through the database."""

    def __init__(self, database: Database, sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep) -> None:
        self._database = database
        self._sleep = sleep
        self._scopes: dict[str, _Local] = {}

    @asynccontextmanager
    async def admission(self, scope: str, limit: RateLimit) -> AsyncIterator[None]:
        """The right to have one request of a scope under way. Raises RateLimited when its turn is far."""
        local = self._local(scope, limit)
        async with local.slots:
            async with local.turn:
                if not local.takes(self._database.clock.now()):
                    await self._wait_for_turn(scope, local)
            yield

    async def slow_down(self, scope: str, limit: RateLimit, seconds: float | None) -> None:
        """The remote side protested: half the pace from now on, and a rest for as long as it asks."""
        local = self._local(scope, limit)
        local.until = None
        async with self._database.directory() as connection:
            now = self._database.clock.now()
            buckets = await _buckets(connection, scope, local.rates, now)
            slower = [pace.slowed(each, seconds, now) for each in buckets]
            await _write(connection, _KEEP, scope, local.rates, slower)

    def _local(self, scope: str, limit: RateLimit) -> _Local:
        if scope not in self._scopes:
            rates = tuple(Rate(*each) for each in limit.rates) or (UNLIMITED,)
            self._scopes[scope] = _Local(rates, asyncio.Semaphore(limit.concurrency))
        return self._scopes[scope]

    async def _wait_for_turn(self, scope: str, local: _Local) -> None:
        lease = await self._lease(scope, local.rates)
        if not lease.granted:
            raise RateLimited(lease.wait)
        if lease.wait:
            await self._sleep(lease.wait)
        local.left = lease.granted - (0 if local.rates == (UNLIMITED,) else 1)
        local.until = self._database.clock.now() + FRESH

    async def _lease(self, scope: str, rates: Sequence[Rate]) -> Lease:
        async with self._database.directory() as connection:
            now = self._database.clock.now()
            buckets, lease = pace.leased(
                await _buckets(connection, scope, rates, now), rates,
                wanted=pace.slice_of(rates, SLICE), longest=LONGEST_WAIT, now=now,
            )  # fmt: skip
            await _write(connection, _KEEP, scope, rates, buckets)
        return lease


_LOCKED = text("""
SELECT scope, tokens, factor, parked_until, refilled_at FROM directory.rate_buckets
WHERE scope = ANY(:scopes) ORDER BY scope FOR UPDATE
""").bindparams(bindparam("scopes", type_=ARRAY(Text())))

_FILL = text(f"""
INSERT INTO directory.rate_buckets (scope, tokens, factor, parked_until, refilled_at)
SELECT scope, tokens, factor, parked_until, refilled_at FROM {given_rows("directory.rate_buckets")}
ON CONFLICT DO NOTHING
""")

_KEEP = text(f"""
UPDATE directory.rate_buckets AS bucket
SET tokens = given.tokens, factor = given.factor, parked_until = given.parked_until, refilled_at = given.refilled_at
FROM {given_rows("directory.rate_buckets")} WHERE bucket.scope = given.scope
""")


async def _buckets(connection: AsyncConnection, scope: str, rates: Sequence[Rate], now: datetime) -> Sequence[Bucket]:
    """The buckets of a scope as they are now, locked until the transaction ends."""
    names = [_name(scope, rate) for rate in rates]
    rows = await _locked(connection, names)
    if len(rows) < len(rates):
        await _write(connection, _FILL, scope, rates, [pace.full(rate, now) for rate in rates])
        rows = await _locked(connection, names)
    return [pace.refilled(rows[name], rate, now) for name, rate in zip(names, rates, strict=True)]


async def _locked(connection: AsyncConnection, names: Sequence[str]) -> dict[str, Bucket]:
    """Those there are of these buckets, as they were left."""
    return {
        row.scope: Bucket(float(row.tokens), float(row.factor), row.parked_until, row.refilled_at)
        for row in await direct.run(connection, _LOCKED, {"scopes": names})
    }


async def _write(
    connection: AsyncConnection, statement: TextClause, scope: str, rates: Sequence[Rate], buckets: Sequence[Bucket]
) -> None:
    rows = [_row(_name(scope, rate), bucket) for rate, bucket in zip(rates, buckets, strict=True)]
    await direct.run(connection, statement, {"given": as_one_value(rows)})


def _row(name: str, bucket: Bucket) -> dict[str, Any]:
    return {
        "scope": name,
        "tokens": f"{bucket.tokens:.6f}",
        "factor": f"{bucket.factor:.6f}",
        "parked_until": bucket.parked_until,
        "refilled_at": bucket.refilled_at,
    }


def _name(scope: str, rate: Rate) -> str:
    """What the directory calls the bucket of a rate; `quota` of integrations reads the rate off it."""
    return scope if rate == UNLIMITED else f"{scope}/{rate.allowed:g}/{rate.seconds:g}"
