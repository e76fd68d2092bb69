from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as some

from domain.tenants import budgets
from domain.tenants.budgets import Bucket

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def test_a_bucket_fills_in_a_minute_and_never_over() -> None:
    empty = Bucket(120, 0, NOON)
    assert empty.at(NOON + 30 * SECOND) == Bucket(120, 60, NOON + 30 * SECOND)
    assert empty.at(NOON + 90 * SECOND) == Bucket(120, 120, NOON + 90 * SECOND)
    assert empty.at(NOON - SECOND) == empty
    assert empty.until(60) == 30 * SECOND


@given(some.lists(some.integers(1, 10_000_000), min_size=1, max_size=50), some.integers(1, 100_000))
def test_looking_often_loses_nothing(microseconds: list[int], per_minute: int) -> None:
    bucket = Bucket(per_minute, 0, NOON)
    now = NOON
    for step in microseconds:
        now += timedelta(microseconds=step)
        bucket = bucket.at(now)
    once = Bucket(per_minute, 0, NOON).at(now)
    # A microsecond is the finest that is stored, so each look may round off one.
    assert abs(bucket.remaining - once.remaining) <= 1 + len(microseconds) * per_minute / 60_000_000


async def test_taking_gives_what_is_wanted_or_what_is_left_or_nothing(database: Database, tenant: UUID) -> None:
    token = uuid4()
    taken = []
    async with database.unit_of_work(tenant) as work:
        for wanted, needed in ((60, 10), (60, 10), (60, 1), (0, 0)):
            got, bucket = await budgets.take(work, token, 100, wanted=wanted, needed=needed)
            taken.append((got, bucket.remaining))
    assert taken == [(60, 40), (40, 0), (0, 0), (0, 0)]
    async with database.reading(tenant) as reading:
        assert (await budgets.bucket_of(reading, uuid4(), 100)).remaining == 100
