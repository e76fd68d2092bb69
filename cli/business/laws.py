"""The laws by which the demo's customers buy: how often, for how long, in which season and for how much."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

YEAR = timedelta(days=365.25)
SPAN = timedelta(days=731)
"""How long the business has been open: two years."""
LIFT = 1.12
"""What the demo's initiative that works does: those it is for buy 12 % more often."""

# Purchases per year while a customer lives: gamma, so that counts follow the NBD law (Ehrenberg 1959).
_RATE_SHAPE, _RATE_MEAN = 1.2, 6.5
# The chance that a purchase was the last one: beta, as in BG/NBD (Fader, Hardie and Lee 2005).
_LEAVES_A, _LEAVES_B = 0.9, 5.0
# The size of an order: lognormal around the customer's own size, which is lognormal around the typical one.
_TYPICAL = {False: 3.75, True: 5.7}  # the logarithm, for people (42.50) and organisations (300)
_BETWEEN, _WITHIN = 0.45, 0.5

_MONTHS = (0.75, 0.85, 0.95, 1.0, 1.0, 0.9, 0.8, 0.75, 0.95, 1.05, 1.35, 1.6)
_WEEKDAYS = (0.95, 0.95, 1.0, 1.0, 1.1, 1.3, 0.7)
_BUSIEST = max(_MONTHS) * max(_WEEKDAYS)


@dataclass(frozen=True)
class Habit:
    """How one customer buys: times a year while it lasts, the chance of each to be the last, the log of the size."""

    rate: float
    leaves: float
    size: float
    lifted_from: datetime | None = None
    """From when on the customer buys `LIFT` times as often, and leaves no sooner for that."""

    def lift(self, at: datetime) -> float:
        """How many times as often as usual the customer buys at a moment."""
        return LIFT if self.lifted_from is not None and at >= self.lifted_from else 1.0


def dice(*about: object) -> Random:
    """Chance that falls the same way every time for the same subject."""
    return Random("/".join(map(str, about)))  # noqa: S311 - a made-up business needs repeatable chance


def habit(chance: Random, *, is_organisation: bool) -> Habit:
    """The habit of a customer who has begun to buy."""
    return Habit(
        rate=chance.gammavariate(_RATE_SHAPE, _RATE_MEAN / _RATE_SHAPE),
        leaves=chance.betavariate(_LEAVES_A, _LEAVES_B),
        size=chance.normalvariate(_TYPICAL[is_organisation], _BETWEEN),
    )


def occasions(chance: Random, habit: Habit, first: datetime, until: datetime) -> Iterator[datetime]:
    """When a customer buys: from the first time on, at the customer's own rate, until leaving or the end."""
    at = opening_hour(chance, first)
    while at < until:
        yield at
        if chance.random() * habit.lift(at) < habit.leaves:
            return
        at = opening_hour(chance, _next(chance, habit, at))


def order_size(chance: Random, habit: Habit) -> float:
    """What an order of this customer is about worth, in euros."""
    return chance.lognormvariate(habit.size, _WITHIN)


def season(at: datetime) -> float:
    """How lively a day is beside an ordinary one."""
    return _MONTHS[at.month - 1] * _WEEKDAYS[at.weekday()]


def opening_hour(chance: Random, at: datetime) -> datetime:
    """A moment of the same day at which people are awake."""
    minutes = min(max(chance.normalvariate(14 * 60, 180), 7 * 60), 22 * 60)
    return at.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(seconds=int(minutes * 60))


def _next(chance: Random, habit: Habit, at: datetime) -> datetime:
    """The next moment of a Poisson process whose rate follows the season (by thinning), on another day at least."""
    begun, busiest = at, _BUSIEST * (1.0 if habit.lifted_from is None else LIFT)
    while True:
        at += chance.expovariate(habit.rate * busiest) * YEAR
        comes = at.date() > begun.date() and chance.random() * busiest < season(at) * habit.lift(at)
        if at > begun + SPAN or comes:
            return at
