"""What a token may spend: a bucket that fills as time passes, kept for all processes in one row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert

from domain.tenants.model import RateBucket

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing

_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True)
class Bucket:
    """What is left of a budget that refills to `per_minute` within a minute."""

    per_minute: int
    remaining: int
    refilled_at: datetime

    def at(self, now: datetime) -> Bucket:
        """The same bucket later; fractions of a unit are kept as time that has not counted yet."""
        gained = max(0, int((now - self.refilled_at) * self.per_minute / _MINUTE))
        if self.remaining + gained >= self.per_minute:
            return Bucket(self.per_minute, self.per_minute, now)
        return Bucket(self.per_minute, self.remaining + gained, self.refilled_at + gained * _MINUTE / self.per_minute)

    def until(self, wanted: int) -> timedelta:
        """How long it takes from the last refill until so much is there."""
        return max(0, wanted - self.remaining) * _MINUTE / self.per_minute


async def take(work: Writing, token_id: UUID, per_minute: int, *, wanted: int, needed: int) -> tuple[int, Bucket]:
    """Take what is wanted from a token's bucket, less where less is left, nothing where less than needed is left.

    Returns what was taken and the bucket as it is then.
    """
    full = {"tenant_id": work.tenant_id, "token_id": token_id, "remaining": per_minute, "refilled_at": work.now}
    await work.execute(insert(RateBucket).values(full).on_conflict_do_nothing())
    is_own = (RateBucket.tenant_id == work.tenant_id) & (RateBucket.token_id == token_id)
    stored = await work.one(select(RateBucket).where(is_own).with_for_update())
    bucket = _bucket(stored, per_minute, work.now)
    taken = min(bucket.remaining, wanted) if bucket.remaining >= needed else 0
    left = Bucket(per_minute, bucket.remaining - taken, bucket.refilled_at)
    await work.execute(update(RateBucket).where(is_own).values(remaining=left.remaining, refilled_at=left.refilled_at))
    return taken, left


async def bucket_of(reading: Reading, token_id: UUID, per_minute: int) -> Bucket:
    """A token's bucket as it is now."""
    is_own = (RateBucket.tenant_id == reading.tenant_id) & (RateBucket.token_id == token_id)
    return _bucket(await reading.one(select(RateBucket).where(is_own)), per_minute, reading.now)


def _bucket(stored: RateBucket | None, per_minute: int, now: datetime) -> Bucket:
    if stored is None:
        return Bucket(per_minute, per_minute, now)
    return Bucket(per_minute, stored.remaining, stored.refilled_at).at(now)
