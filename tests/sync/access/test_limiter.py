"""All workers together keep to a remote side's limit, and slow down together when it protests."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from domain.integrations.model import RateBucket
from sync.access import pace
from sync.access.limiter import Limiter
from sync.access.pace import UNLIMITED, Bucket, Lease, Rate
from tenure_sdk import RateLimit, RateLimited

if TYPE_CHECKING:
    from domain.core.clock import FixedClock
    from domain.core.database import Database

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
TEN = Rate(10, 1)


def take(
    buckets: list[Bucket], rates: list[Rate], *, wanted: float = 1, longest: float = 30, now: datetime = NOW
) -> Lease:
    left, lease = pace.leased(buckets, rates, wanted=wanted, longest=longest, now=now)
    buckets[:] = left
    return lease


def test_a_burst_is_a_tenth_and_the_rest_flows() -> None:
    rate = Rate(100, 1)
    buckets = [pace.full(rate, NOW)]
    assert take(buckets, [rate], wanted=50) == Lease(10, 0)
    assert take(buckets, [rate]) == Lease(1, pytest.approx(1 / 90))
    assert take(buckets, [rate]) == Lease(1, pytest.approx(2 / 90))
    buckets = [pace.refilled(buckets[0], rate, NOW + timedelta(seconds=1))]
    assert buckets[0].tokens == 10


def test_who_would_wait_too_long_takes_nothing() -> None:
    rate = Rate(24, 86400)
    buckets = [pace.full(rate, NOW)]
    assert take(buckets, [rate], wanted=5) == Lease(2, 0)
    before = list(buckets)
    lease = take(buckets, [rate])
    assert (lease.granted, round(lease.wait)) == (0, 2400)
    assert buckets == before


def test_the_tightest_of_several_limits_decides() -> None:
    rates = [Rate(100, 1), Rate(60, 60)]
    buckets = [pace.full(rate, NOW) for rate in rates]
    assert take(buckets, rates, wanted=50) == Lease(6, 0)
    assert [bucket.tokens for bucket in buckets] == [4, 0]


def test_a_protest_halves_the_pace_once_and_it_recovers_by_a_tenth_a_minute() -> None:
    slowed = pace.slowed(pace.full(TEN, NOW), 20, NOW)
    assert (slowed.factor, slowed.tokens, slowed.parked_until) == (0.5, 0, NOW + timedelta(seconds=20))
    again = pace.slowed(slowed, 40, NOW + timedelta(seconds=1))
    assert (again.factor, again.parked_until) == (0.5, NOW + timedelta(seconds=41))
    later = pace.refilled(again, TEN, NOW + timedelta(minutes=2))
    assert later.factor == pytest.approx(0.7)
    assert pace.slowed(later, None, NOW + timedelta(minutes=2)).factor == pytest.approx(0.35)
    assert pace.refilled(again, TEN, NOW + timedelta(minutes=9)).factor == 1


def test_a_scope_without_a_limit_can_be_parked_too() -> None:
    buckets = [pace.full(UNLIMITED, NOW)]
    assert take(buckets, [UNLIMITED]) == Lease(1, 0)
    buckets = [pace.slowed(buckets[0], 12, NOW)]
    assert take(buckets, [UNLIMITED]) == Lease(1, 12)
    assert take(buckets, [UNLIMITED], now=NOW + timedelta(seconds=12)) == Lease(1, 0)


@given(
    st.floats(1, 1000), st.sampled_from([1, 60, 86400]),
    st.lists(st.tuples(st.floats(0, 30), st.floats(1, 20)), min_size=1, max_size=60),
)  # fmt: skip
def test_no_window_sees_more_than_the_limit(allowed: float, seconds: float, asked: list[tuple[float, float]]) -> None:
    rate = Rate(allowed, seconds)
    bucket, now, sent = pace.full(rate, NOW), NOW, []
    for pause, wanted in asked:
        now += timedelta(seconds=pause)
        (bucket,), lease = pace.leased([pace.refilled(bucket, rate, now)], [rate], wanted=wanted, longest=30, now=now)
        sent.append((now + timedelta(seconds=lease.wait), lease.granted))
    for start, _ in sent:
        end = start + timedelta(seconds=seconds)
        assert sum(count for at, count in sent if start <= at < end) <= allowed + 1.001


async def ask(limiter: Limiter, scope: str, limit: RateLimit, times: int = 1) -> None:
    for _ in range(times):
        async with limiter.admission(scope, limit):
            pass


@pytest.fixture
def scope() -> str:
    return f"test:{uuid4().hex}"


async def test_two_processes_share_a_limit(database: Database, scope: str) -> None:
    limit = RateLimit(per_second=40, concurrency=50)
    began = time.monotonic()
    limiters = [Limiter(database) for _ in range(2)]
    await asyncio.gather(*(ask(limiters[number % 2], scope, limit, 10) for number in range(6)))
    passed = time.monotonic() - began
    assert 40 * passed + 4 + 20 >= 60  # a slice of each may still be under way
    assert passed > 1


async def test_a_park_holds_everybody(moving: Database, clock: FixedClock, scope: str) -> None:
    limit = RateLimit(per_second=100)
    mine, others = Limiter(moving), Limiter(moving)
    await ask(mine, scope, limit)
    await ask(others, scope, limit)
    await mine.slow_down(scope, limit, 120)
    with pytest.raises(RateLimited) as held:
        await ask(mine, scope, limit)
    assert 119 < held.value.retry_after <= 121
    clock.move(timedelta(seconds=1))
    with pytest.raises(RateLimited):
        await ask(others, scope, limit)
    clock.move(timedelta(seconds=120))
    await ask(others, scope, limit)


async def test_a_short_wait_is_waited_for(moving: Database, clock: FixedClock, scope: str) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.move(timedelta(seconds=seconds))

    await ask(Limiter(moving, sleep), scope, RateLimit(per_second=1), 3)
    assert slept == [pytest.approx(1 / 0.9, abs=0.01)] * 2


async def test_protests_at_once_count_once(moving: Database, scope: str) -> None:
    limit = RateLimit(per_second=10, per_minute=100)
    limiter = Limiter(moving)
    await asyncio.gather(*(limiter.slow_down(scope, limit, 5) for _ in range(4)))
    async with moving.directory() as connection:
        rows = await connection.execute(
            select(RateBucket.factor).where(RateBucket.scope.in_([f"{scope}/10/1", f"{scope}/100/60"]))
        )
        assert [float(row.factor) for row in rows] == [0.5, 0.5]


async def test_so_many_are_under_way_at_once(database: Database, scope: str) -> None:
    limiter, limit = Limiter(database), RateLimit(concurrency=3)
    under_way = most = 0

    async def one() -> None:
        nonlocal under_way, most
        async with limiter.admission(scope, limit):
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0.01)
            under_way -= 1

    await asyncio.gather(*(one() for _ in range(12)))
    assert most == 3


async def test_a_slot_is_given_back_when_the_turn_is_far(moving: Database, scope: str) -> None:
    limiter, limit = Limiter(moving), RateLimit(concurrency=1)
    await limiter.slow_down(scope, limit, 300)
    for _ in range(3):
        with pytest.raises(RateLimited):
            await ask(limiter, scope, limit)
