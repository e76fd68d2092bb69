"""What costs decide: which categories and rules there are, and how an amount is shared without losing a cent."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import accumulate, pairwise
from operator import itemgetter
from typing import TYPE_CHECKING

from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import date
    from uuid import UUID

LONGEST = 3660
"""How many days a period may have: ten years, so that sharing by time stays bounded."""


class CostCategory(StrEnum):
    """What money was spent for."""

    ACQUISITION_MARKETING = "ACQUISITION_MARKETING"
    ACQUISITION_SALES = "ACQUISITION_SALES"
    RETENTION_MARKETING = "RETENTION_MARKETING"
    RETENTION_SALES = "RETENTION_SALES"
    SERVICE = "SERVICE"
    INITIATIVE = "INITIATIVE"
    COGS = "COGS"


class AllocationRule(StrEnum):
    """How a cost is shared among the customers that it concerns."""

    EQUAL = "EQUAL"
    """Everybody who was there in the period bears the same."""
    BY_TOUCH = "BY_TOUCH"
    """In proportion to what happened with each in the period."""
    BY_REVENUE = "BY_REVENUE"
    """In proportion to the net revenue of each in the period."""
    BY_TIME = "BY_TIME"
    """Every day of the period bears the same, and who was there on a day bears the same of it."""


class PeriodIsEmpty(Invalid):
    """A period ends after it begins; its end is the first day after it."""


class PeriodTooLong(Invalid):
    """A cost is spread over ten years at most. Record it year by year."""


@dataclass(frozen=True)
class Part:
    """Who bears a part of an entry: by which weight, and on which days of the period (the last one excluded)."""

    customer_id: UUID
    weight: int
    starts_on: date
    ends_on: date


@dataclass(frozen=True)
class Share:
    """What falls on a customer, in minor units, never 0: on a day or, with a `rank`, on the days up to `ends_on`.

    How much of the latter falls on which day follows from the rank among those who are there, and the stretches.
    """

    customer_id: UUID
    day: date
    minor: int
    ends_on: date | None = None
    rank: int | None = None


@dataclass(frozen=True)
class Stretch:
    """Days on which as many people are there: unit for unit goes round among them, the first one to rank `turn`."""

    starts_on: date
    ends_on: date
    people: int
    turn: int


@dataclass(frozen=True)
class Shared:
    """Who bears what of an entry."""

    shares: list[Share]
    stretches: list[Stretch]


def check_period(starts_on: date, ends_on: date) -> None:
    """A period has at least one day and at most LONGEST. Raises PeriodIsEmpty or PeriodTooLong."""
    if ends_on <= starts_on:
        raise PeriodIsEmpty(path=("period", "end"))
    if (ends_on - starts_on).days > LONGEST:
        raise PeriodTooLong(path=("period", "end"))


def largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """Whole shares in proportion to the weights (none below 0) that add up to the amount exactly.

    Every share is its quota without the fraction; what is left goes, one each, to the largest fractions, of equal
    ones to the first. An amount below zero is shared as its mirror image. Without any weight all shares are 0.
    """
    total, sign = sum(weights), 1 if amount >= 0 else -1
    if total == 0:
        return [0] * len(weights)
    quotas = [divmod(abs(amount) * weight, total) for weight in weights]
    left = abs(amount) - sum(whole for whole, _ in quotas)
    lucky = set(sorted(range(len(weights)), key=lambda place: -quotas[place][1])[:left])
    return [sign * (whole + (place in lucky)) for place, (whole, _) in enumerate(quotas)]


def shares(
    amount: int, rule: AllocationRule | None, starts_on: date, ends_on: date, parts: Iterable[Part]
) -> Shared:  # fmt: skip
    """What of an entry falls on whom on which day; with what nobody bears it adds up to the amount exactly.

    Without parts nobody bears anything; by time nobody bears the days on which nobody was there. Whatever is not
    shared by time counts on the first day of the period.
    """
    known = sorted(parts, key=lambda part: (part.customer_id.bytes, part.starts_on))
    if rule is AllocationRule.BY_TIME:
        return _by_time(amount, starts_on, ends_on, known)
    portions = largest_remainder(amount, [part.weight for part in known])
    return Shared(
        [Share(part.customer_id, starts_on, minor) for part, minor in zip(known, portions, strict=True) if minor], []
    )


def _by_time(amount: int, starts_on: date, ends_on: date, parts: Sequence[Part]) -> Shared:
    """Every day bears the same, as `largest_remainder` has it, and its units go round among those who are there.

    Who comes stands behind those who are there, so that a rank stays as long as nobody goes; when somebody does, all
    are ranked anew. So a share takes one row, however many its days are.
    """
    shared, turn = Shared([], []), 0
    leaving = sorted({part.ends_on for part in parts if part.ends_on < ends_on} | {starts_on, ends_on})
    for begin, end in pairwise(leaving):
        there = sorted(
            (max(part.starts_on, begin), part.customer_id.bytes, part.customer_id)
            for part in parts
            if part.starts_on < end and part.ends_on > begin
        )
        ranked = [(since, customer) for since, _, customer in there]
        turn = _goes_round(shared, _Days(abs(amount), starts_on, ends_on), end, ranked, turn)
    return (
        shared if amount >= 0 else replace(shared, shares=[replace(each, minor=-each.minor) for each in shared.shares])
    )


@dataclass(frozen=True)
class _Days:
    """An amount, and the days over which it is spread."""

    amount: int
    starts_on: date
    ends_on: date

    def up_to(self, day: date) -> int:
        """What falls on the days before this one: the first ones get the odd units."""
        whole, odd = divmod(self.amount, (self.ends_on - self.starts_on).days)
        gone = (day - self.starts_on).days
        return whole * gone + min(gone, odd)


def _goes_round(shared: Shared, days: _Days, end: date, ranked: Sequence[tuple[date, UUID]], turn: int) -> int:
    """Share the days up to `end` among people by rank, from when each is there on; whose turn it is then."""
    begins = sorted({since for since, _ in ranked})
    whole, lucky = [0] * len(begins), [0] * (len(ranked) + 1)  # lucky: by how much it differs from the rank before
    for place, (start, stop) in enumerate(pairwise([*begins, end])):
        people = bisect_left(ranked, stop, key=itemgetter(0))
        turn %= people
        shared.stretches.append(Stretch(start, stop, people, turn))
        whole[place], odd = divmod(days.up_to(stop) - days.up_to(start), people)
        for first, after in ((turn, min(turn + odd, people)), (0, turn + odd - people)):
            if first < after:
                lucky[first] += 1
                lucky[after] -= 1
        turn += odd
    since_then = dict(zip(begins, reversed([*accumulate(reversed(whole))]), strict=True))
    for rank, ((since, customer), odd) in enumerate(zip(ranked, accumulate(lucky), strict=False)):
        if minor := since_then[since] + odd:
            shared.shares.append(Share(customer, since, minor, end, rank))
    return turn
