"""What costs decide: which categories and rules there are, and how an amount is shared without losing a cent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
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
    """What falls on a customer on a day, in minor units; never 0."""

    customer_id: UUID
    day: date
    minor: int


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
) -> list[Share]:
    """What of an entry falls on whom on which day; with what nobody bears it adds up to the amount exactly.

    Without parts nobody bears anything; by time nobody bears the days on which nobody was there. Whatever is not
    shared by time counts on the first day of the period.
    """
    known = sorted(parts, key=lambda part: (part.customer_id.bytes, part.starts_on))
    if rule is AllocationRule.BY_TIME:
        return list(_by_time(amount, starts_on, ends_on, known))
    portions = largest_remainder(amount, [part.weight for part in known])
    return [
        Share(part.customer_id, starts_on, minor) for part, minor in zip(known, portions, strict=True) if minor
    ]  # fmt: skip


def _by_time(amount: int, starts_on: date, ends_on: date, parts: Sequence[Part]) -> Iterator[Share]:
    """Who gets the odd cents of a day goes on with who was next the day before, so that nobody always does."""
    days = [starts_on + timedelta(days=number) for number in range((ends_on - starts_on).days)]
    turn = 0
    for day, of_day in zip(days, largest_remainder(amount, [1] * len(days)), strict=True):
        there = [part.customer_id for part in parts if part.starts_on <= day < part.ends_on]
        if there:
            yield from _of_day(of_day, day, there, turn)
            turn += abs(of_day) % len(there)


def _of_day(amount: int, day: date, there: Sequence[UUID], turn: int) -> Iterator[Share]:
    whole, odd = divmod(abs(amount), len(there))
    sign = 1 if amount >= 0 else -1
    bearers = range(len(there)) if whole else range(odd)
    for number in bearers:
        minor = whole + (number < odd)
        yield Share(there[(turn + number) % len(there)], day, sign * minor)
