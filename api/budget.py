"""What each token may still spend: taken from its bucket in slices, so that most requests need no statement for it."""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil
from uuid import UUID

from cachetools import LRUCache

from api.problems import CostExceeded, Throttled
from domain.core.database import Database
from domain.tenants import budgets
from domain.tenants.queries import Identity

_TOKENS = 10_000
_SLICES = 20
"""A process takes a twentieth of a budget at once."""

_REFUSALS = 1_000
"""How many requests that are refused spend a whole budget."""


@dataclass
class _Slice:
    left: int = 0
    refilling: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True)
class Status:
    """How much of a budget is left, and when all of it will be there again."""

    limit: int
    remaining: int
    reset_at: datetime


class Budget:
    """Lets every token spend so much a minute, in all processes together."""

    def __init__(self, database: Database, per_minute: int) -> None:
        self._database = database
        self._per_minute = per_minute
        self._slices: LRUCache[UUID, _Slice] = LRUCache(_TOKENS)

    async def spend(self, identity: Identity, cost: int) -> None:
        """Take a cost from a token's budget. Raises Throttled, saying when to come back."""
        slice_ = self._slices.get(identity.token_id)
        if slice_ is None:
            slice_ = self._slices[identity.token_id] = _Slice()
        if slice_.left < cost:
            await self._refill(slice_, identity, cost)
        slice_.left -= cost

    async def spend_refused(self, identity: Identity) -> None:
        """Take what a request costs that was refused: little, but a burst of them ends. Raises Throttled."""
        await self.spend(identity, -(-self._per_minute // _REFUSALS))

    async def status(self, identity: Identity) -> Status:
        """What a token has left."""
        async with self._database.reading(identity.tenant_id) as reading:
            bucket = await budgets.bucket_of(reading, identity.token_id, self._per_minute)
        held = self._slices.get(identity.token_id)
        remaining = min(bucket.remaining + (held.left if held else 0), self._per_minute)
        reset_at = bucket.refilled_at + bucket.until(self._per_minute)
        return Status(self._per_minute, remaining, reset_at)

    async def _refill(self, slice_: _Slice, identity: Identity, cost: int) -> None:
        if cost > self._per_minute:
            raise CostExceeded(
                f"The operation costs {cost:,}; a token may spend {self._per_minute:,} a minute.",
                measure="cost", cost=cost, limit=self._per_minute,
            )  # fmt: skip
        async with slice_.refilling:
            needed = cost - slice_.left
            if needed <= 0:
                return
            async with self._database.unit_of_work(identity.tenant_id) as work:
                wanted = max(needed, self._per_minute // _SLICES)
                taken, bucket = await budgets.take(
                    work, identity.token_id, self._per_minute, wanted=wanted, needed=needed
                )
            if not taken:
                raise _throttled(bucket, needed)
            slice_.left += taken


def _throttled(bucket: budgets.Bucket, needed: int) -> Throttled:
    seconds = max(1, ceil(bucket.until(needed).total_seconds()))
    return Throttled(f"The token has spent its budget. Try again in {seconds} s.", retry_after=seconds)
