"""How fast a remote side may be asked: pure arithmetic over token buckets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

BURST = 0.1
"""Which share of a limit may be spent at once; the rest flows in evenly, so that no window sees more than the limit."""
LEAST = 1 / 64
"""How far protests slow a scope down."""
RECOVERY = 0.1
"""Which share of its limit a scope regains in each minute after a protest."""
SHORTEST_PARKING = 1.0
"""Seconds for which requests rest after a protest: what comes back meanwhile belongs to the same one."""


class Rate(NamedTuple):
    """So many requests in so many seconds."""

    allowed: float
    seconds: float

    @property
    def capacity(self) -> float:
        """How many may be sent at once."""
        return max(1.0, self.allowed * BURST)

    @property
    def flow(self) -> float:
        """How many come in per second."""
        return self.allowed * (1 - BURST) / self.seconds


UNLIMITED = Rate(math.inf, 1)
"""Of a remote side that names no limit; it may still ask to slow down."""


@dataclass(frozen=True)
class Bucket:
    """What is left of a limit. Below zero, requests are promised that wait for their turn."""

    tokens: float
    factor: float
    parked_until: datetime | None
    refilled_at: datetime


class Lease(NamedTuple):
    """How many requests may be sent, and after how many seconds; none when the wait is too long."""

    granted: float
    wait: float


def full(rate: Rate, now: datetime) -> Bucket:
    """A bucket that nothing was taken from."""
    return Bucket(_most(rate), 1.0, None, now)


def refilled(bucket: Bucket, rate: Rate, now: datetime) -> Bucket:
    """The bucket as it is now."""
    passed = max(0.0, (now - bucket.refilled_at).total_seconds())
    factor = min(1.0, bucket.factor + RECOVERY * passed / 60)
    flowed = 0.0 if rate == UNLIMITED else passed * rate.flow * bucket.factor
    return replace(
        bucket,
        tokens=min(_most(rate), bucket.tokens + flowed),
        factor=factor,
        refilled_at=max(now, bucket.refilled_at),
    )


def leased(
    buckets: Sequence[Bucket], rates: Sequence[Rate], *, wanted: float, longest: float, now: datetime
) -> tuple[Sequence[Bucket], Lease]:
    """Take from all buckets of a scope: as much as is wanted and there, or one request that waits for its turn.

    Where the wait would be longer than `longest` nothing is taken.
    """
    granted = max(1.0, min(wanted, *(math.floor(each.tokens) for each in buckets)))
    left = [each if rate == UNLIMITED else replace(each, tokens=each.tokens - granted)
            for each, rate in zip(buckets, rates, strict=True)]  # fmt: skip
    wait = max(
        max(_parked(each, now), max(0.0, -each.tokens) / (rate.flow * each.factor))
        for each, rate in zip(left, rates, strict=True)
    )
    return (buckets, Lease(0, wait)) if wait > longest else (left, Lease(granted, wait))


def slowed(bucket: Bucket, seconds: float | None, now: datetime) -> Bucket:
    """The bucket after the remote side protested: half the pace, and a rest for as long as it asks.

    Protests while it rests are the same one, and only make the rest longer.
    """
    rest = now + timedelta(seconds=max(seconds or 0.0, SHORTEST_PARKING))
    if bucket.parked_until is not None and bucket.parked_until > now:
        return replace(bucket, parked_until=max(bucket.parked_until, rest))
    return replace(bucket, tokens=min(bucket.tokens, 0.0), factor=max(LEAST, bucket.factor / 2), parked_until=rest)


def slice_of(rates: Sequence[Rate], seconds: float) -> float:
    """How many requests a process takes at once: what flows in during so many seconds, and at least one."""
    return max(1.0, math.floor(min(rate.flow for rate in rates) * seconds)) if UNLIMITED not in rates else 1.0


def _most(rate: Rate) -> float:
    return 0.0 if rate == UNLIMITED else rate.capacity


def _parked(bucket: Bucket, now: datetime) -> float:
    return max(0.0, (bucket.parked_until - now).total_seconds()) if bucket.parked_until else 0.0
