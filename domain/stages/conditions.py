"""What a rule asks about a customer: a typed tree, the facts that it is asked of, and its form as plain JSON."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache, partial
from operator import add
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

import msgspec
from typing_extensions import override

from domain.core.problems import Invalid

Value: TypeAlias = str | bool | int | float

MOST_DAYS = 36_525
"""How far back a condition can look: a hundred years."""


class InvalidCondition(Invalid):
    """A rule's condition is not one that Tenure understands. Correct what the reason names."""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one customer at one moment; what is unknown or never happened satisfies no comparison.

    `interactions` counts by (kind, within days); within None means ever.
    """

    occasions: int = 0
    days_since_last_purchase: int | None = None
    days_in_stage: int | None = None
    interactions: Mapping[tuple[str, int | None], int] = {}
    attributes: Mapping[str, Any] = {}
    events: frozenset[str] = frozenset()
    segments: frozenset[UUID] = frozenset()


class Needs(msgspec.Struct, frozen=True, kw_only=True):
    """Which facts a set of conditions asks for: load these, and nothing else can change a decision.

    `occasions` are the numbers of occasions at which an answer can turn, `purchase_days` and `stage_days` the numbers
    of days after which it can.
    """

    occasions: frozenset[int] = frozenset()
    purchase_days: frozenset[int] = frozenset()
    stage_days: frozenset[int] = frozenset()
    interactions: frozenset[tuple[str, int | None]] = frozenset()
    attributes: frozenset[str] = frozenset()
    events: frozenset[str] = frozenset()
    segments: frozenset[UUID] = frozenset()

    def __or__(self, other: Needs) -> Needs:
        return Needs(**{name: getattr(self, name) | getattr(other, name) for name in self.__struct_fields__})


class Node(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag=lambda name: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_"),
):
    """One node of a condition; in JSON its `type` is the class name in snake_case."""

    def holds(self, facts: Facts) -> bool:
        """Whether the facts satisfy this condition."""
        raise NotImplementedError

    def needs(self) -> Needs:
        """Which facts this condition asks for."""
        raise NotImplementedError


class All(Node, frozen=True):
    """Every one of these holds."""

    of: tuple[Condition, ...]

    def __post_init__(self) -> None:
        _require(bool(self.of), "name at least one condition")

    @override
    def holds(self, facts: Facts) -> bool:
        for condition in self.of:  # noqa: SIM110 - a generator costs more than most conditions
            if not condition.holds(facts):
                return False
        return True

    @override
    def needs(self) -> Needs:
        return needs_of(self.of)


class AnyOf(Node, frozen=True):
    """At least one of these holds."""

    of: tuple[Condition, ...]

    def __post_init__(self) -> None:
        _require(bool(self.of), "name at least one condition")

    @override
    def holds(self, facts: Facts) -> bool:
        for condition in self.of:  # noqa: SIM110 - as above
            if condition.holds(facts):
                return True
        return False

    @override
    def needs(self) -> Needs:
        return needs_of(self.of)


class Not(Node, frozen=True):
    """This does not hold."""

    of: Condition

    @override
    def holds(self, facts: Facts) -> bool:
        return not self.of.holds(facts)

    @override
    def needs(self) -> Needs:
        return self.of.needs()


class Occasions(Node, frozen=True):
    """The number of purchase occasions (days with a completed order) is at least `gte` and under `lt`."""

    gte: int | None = None
    lt: int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.gte, self.lt) if bound is not None]
        _require(bool(bounds), "give gte, lt or both")
        _require(all(bound >= 0 for bound in bounds), "a number of occasions is never negative")
        _require(len(bounds) < 2 or bounds[0] < bounds[1], "gte must be less than lt")

    @override
    def holds(self, facts: Facts) -> bool:
        return (self.gte is None or facts.occasions >= self.gte) and (self.lt is None or facts.occasions < self.lt)

    @override
    def needs(self) -> Needs:
        return Needs(occasions=frozenset(bound for bound in (self.gte, self.lt) if bound is not None))


class SinceLastPurchase(Node, frozen=True):
    """The last purchase is at least `days` days ago; false for whoever never bought."""

    days: int

    def __post_init__(self) -> None:
        _require(self.days > 0, "days must be at least 1")
        _require(self.days <= MOST_DAYS, f"days must be at most {MOST_DAYS}")

    @override
    def holds(self, facts: Facts) -> bool:
        return facts.days_since_last_purchase is not None and facts.days_since_last_purchase >= self.days

    @override
    def needs(self) -> Needs:
        return Needs(purchase_days=frozenset({self.days}))


class InStageFor(Node, frozen=True):
    """The customer entered the current stage at least `days` days ago; false outside of the lifecycle."""

    days: int

    def __post_init__(self) -> None:
        _require(self.days > 0, "days must be at least 1")
        _require(self.days <= MOST_DAYS, f"days must be at most {MOST_DAYS}")

    @override
    def holds(self, facts: Facts) -> bool:
        return facts.days_in_stage is not None and facts.days_in_stage >= self.days

    @override
    def needs(self) -> Needs:
        return Needs(stage_days=frozenset({self.days}))


class Interactions(Node, frozen=True):
    """At least `gte` interactions of these kinds, taken together, happened within `within_days` days, or ever."""

    kinds: tuple[str, ...]
    gte: int = 1
    within_days: int | None = None

    def __post_init__(self) -> None:
        _require(bool(self.kinds), "name at least one kind")
        _require(len(set(self.kinds)) == len(self.kinds), "name each kind once")
        _require(self.gte > 0, "gte must be at least 1")
        _require(self.within_days is None or self.within_days > 0, "within_days must be at least 1")
        _require((self.within_days or 0) <= MOST_DAYS, f"within_days must be at most {MOST_DAYS}")

    @override
    def holds(self, facts: Facts) -> bool:
        if not facts.interactions:
            return False
        return sum(facts.interactions.get((kind, self.within_days), 0) for kind in self.kinds) >= self.gte

    @override
    def needs(self) -> Needs:
        return Needs(interactions=frozenset((kind, self.within_days) for kind in self.kinds))


class AttributeIs(Node, frozen=True):
    """The golden value of an attribute equals `eq`, or lies between `gte` and `lte` (both included).

    Numbers compare with numbers, texts with texts; dates are compared as ISO texts. Other pairs never match.
    """

    key: str
    eq: Value | None = None
    gte: Value | None = None
    lte: Value | None = None

    def __post_init__(self) -> None:
        _require(bool(self.key), "name the attribute")
        ranged = self.gte is not None or self.lte is not None
        _require((self.eq is not None) != ranged, "give either eq, or gte, lte or both")

    @override
    def holds(self, facts: Facts) -> bool:
        value = facts.attributes.get(self.key)
        return (
            value is not None
            and (self.eq is None or _order(value, self.eq) == 0)
            and (self.gte is None or _order(value, self.gte) in {0, 1})
            and (self.lte is None or _order(value, self.lte) in {0, -1})
        )

    @override
    def needs(self) -> Needs:
        return Needs(attributes=frozenset({self.key}))


class Event(Node, frozen=True):
    """The event of this name happened at this very moment."""

    name: str

    def __post_init__(self) -> None:
        _require(bool(self.name), "name the event")

    @override
    def holds(self, facts: Facts) -> bool:
        return self.name in facts.events

    @override
    def needs(self) -> Needs:
        return Needs(events=frozenset({self.name}))


class InSegment(Node, frozen=True):
    """The customer is in this segment."""

    segment: UUID

    @override
    def holds(self, facts: Facts) -> bool:
        return self.segment in facts.segments

    @override
    def needs(self) -> Needs:
        return Needs(segments=frozenset({self.segment}))


Condition: TypeAlias = (
    All | AnyOf | Not | Occasions | SinceLastPurchase | InStageFor | Interactions | AttributeIs | Event | InSegment
)


class Span(NamedTuple):
    """A time in a segment: from when, and until when; null while it lasts."""

    since: datetime
    until: datetime | None

    def holds(self, moment: datetime) -> bool:
        """Whether the moment lies in it."""
        return self.since <= moment and (self.until is None or moment < self.until)


_NONE: frozenset[Any] = frozenset()


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The dated evidence on one customer, from which the facts of any moment follow.

    `occasions` are the first orders of each day, ascending; `interactions` are by kind, each ascending; `events` are by
    name, `memberships` by segment; attributes hold their present values.
    """

    first_seen_at: datetime | None = None
    occasions: tuple[datetime, ...] = ()
    interactions: Mapping[str, tuple[datetime, ...]] = {}
    events: Mapping[str, frozenset[datetime]] = {}
    memberships: Mapping[UUID, Sequence[Span]] = {}
    attributes: Mapping[str, Any] = {}

    def moments(self, needs: Needs) -> list[datetime]:
        """Every moment at which an answer to one of these needs can turn, InStageFor aside; unordered, with repeats."""
        found = [*self.occasions] if self.first_seen_at is None else [self.first_seen_at, *self.occasions]
        if self.occasions:
            for days in needs.purchase_days:
                found += _after(self.occasions, days)
        if self.interactions:
            for kind, within in needs.interactions:
                times = self.interactions.get(kind, ())
                found += times
                if within is not None:
                    found += _after(times, within)
        for name in needs.events:
            found += self.events.get(name, ())
        for segment in needs.segments:
            found += [at for span in self.memberships.get(segment, ()) for at in span if at is not None]
        return found

    def next_turn(self, needs: Needs, since: datetime) -> datetime | None:
        """The first moment from `since` on at which an answer to one of these needs turns, Event and InStageFor aside.

        It is one of `moments`; None where no answer turns any more.
        """
        turns: list[datetime] = []
        if self.occasions:
            before = bisect_left(self.occasions, since)
            turns += [self.occasions[nth - 1] for nth in needs.occasions if before < nth <= len(self.occasions)]
            for days in needs.purchase_days:
                turns += self._silence(before, _span(days), since)
        if self.interactions:
            for kind, within in needs.interactions:
                turns += _come_or_forgotten(self.interactions.get(kind, ()), within, since)
        if self.memberships:
            for segment in needs.segments:
                spans = self.memberships.get(segment, ())
                turns += [at for span in spans for at in span if at is not None and at >= since]
        return min(turns, default=None)

    def facts_at(self, moment: datetime, needs: Needs, *, in_stage_since: datetime | None = None) -> Facts:
        """The facts as they stood at a moment, what happened at that moment included."""
        occasions = bisect_right(self.occasions, moment)
        return Facts(
            occasions=occasions,
            days_since_last_purchase=(moment - self.occasions[occasions - 1]).days if occasions else None,
            days_in_stage=None if in_stage_since is None else (moment - in_stage_since).days,
            interactions=self._counted(needs, moment) if self.interactions else {},
            attributes=self.attributes,
            events=self._happening(needs, moment) if self.events else _NONE,
            segments=self._belonging(needs, moment) if self.memberships else _NONE,
        )

    def _silence(self, before: int, lasting: timedelta, since: datetime) -> list[datetime]:
        """The first moment from `since` on, `before` which so many occasions lie, at which a silence begins or ends."""
        for place in range(max(before, 1), len(self.occasions)):
            silent, following = self.occasions[place - 1] + lasting, self.occasions[place]
            if silent < since:
                return [following]
            if silent < following:
                return [silent]
        silent = self.occasions[-1] + lasting
        return [silent] if silent >= since else []

    def _counted(self, needs: Needs, moment: datetime) -> dict[tuple[str, int | None], int]:
        return {
            (kind, days): self._count(self.interactions[kind], days, moment)
            for kind, days in needs.interactions
            if kind in self.interactions
        }

    def _happening(self, needs: Needs, moment: datetime) -> frozenset[str]:
        return frozenset(name for name in needs.events if moment in self.events.get(name, ()))

    def _belonging(self, needs: Needs, moment: datetime) -> frozenset[UUID]:
        return frozenset(
            segment
            for segment in needs.segments
            if any(span.holds(moment) for span in self.memberships.get(segment, ()))
        )

    @staticmethod
    def _count(times: Sequence[datetime], within_days: int | None, moment: datetime) -> int:
        before = 0 if within_days is None else bisect_right(times, moment - _span(within_days))
        return bisect_right(times, moment) - before


@cache
def _span(days: int) -> timedelta:
    """So many days; made once, since rules ask for the same ones again and again."""
    return timedelta(days=days)


def _after(times: Iterable[datetime], days: int) -> list[datetime]:
    span = _span(days)
    return [at + span for at in times]


def _come_or_forgotten(times: Sequence[datetime], within: int | None, since: datetime) -> list[datetime]:
    """The first of these ascending times from `since` on, and the first moment when one of them is too long ago."""
    coming = bisect_left(times, since)
    found = [*times[coming : coming + 1]]
    if within is not None:
        forgotten = bisect_left(times, since, key=partial(add, _span(within)))
        found += _after(times[forgotten : forgotten + 1], within)
    return found


def needs_of(conditions: tuple[Condition, ...]) -> Needs:
    """The facts that these conditions ask for together."""
    together = Needs()
    for condition in conditions:
        together |= condition.needs()
    return together


def encode(condition: Condition) -> dict[str, Any]:
    """The condition as plain JSON, without the fields that say nothing."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(condition))
    return plain


def decode(plain: Any) -> Condition:
    """The condition that plain JSON describes.

    Raises InvalidCondition, whose reason names the place and what is wrong there.
    """
    try:
        return msgspec.convert(plain, Condition)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise InvalidCondition(f"A rule's condition is not understood: {error}", reason=str(error)) from error


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)


def _order(left: Any, right: Any) -> int | None:
    """-1, 0 or 1 as left is less than, equal to or greater than right; None where they cannot be compared."""
    left, right = _comparable(left), _comparable(right)
    if type(left) is not type(right):
        return None
    return int(left > right) - int(left < right)


def _comparable(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return Decimal(str(value))
    return value.isoformat() if isinstance(value, date) else value
