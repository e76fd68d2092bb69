"""The figures of a customer that criteria can ask about: whoever works them out makes them known here, by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from decimal import Decimal
    from uuid import UUID

    from domain.core.unit_of_work import Reading

    Lookup = Callable[[str], "Measure | None"]


class UnknownMeasure(Invalid):
    """No metric of single customers has this key. Use a key of the catalogue, as `metricDefinitions` lists them."""


class NoPercentile(Invalid):
    """This metric has no published distribution to compare a customer with. Ask for its value instead."""


class Figure(NamedTuple):
    """What a figure is for one customer, and its place from 0 to 100 among all; null where that is unknown."""

    value: Decimal | None
    percentile: Decimal | None


class Figures(Protocol):
    """Works out figures for several surviving customers together."""

    async def __call__(
        self, reading: Reading, customers: Sequence[UUID], keys: Collection[str], /
    ) -> Mapping[str, Mapping[UUID, Figure]]:
        """The figures with these keys: by key, then by customer."""
        ...


@dataclass(frozen=True)
class Measure:
    """A figure of a surviving customer: `value` is SQL, or `figures` works it out for several customers together.

    In the SQL the customer is `c`, and `:tenant` and `:moment` stand for themselves; it is a numeric expression, null
    where the figure is unknown. So is `percentile`, its place from 0 to 100 in the last published distribution. Both
    read only what is kept of that customer, by an index, and name the tenant for every table. `timed` says that time
    alone can change the figure; `dated`, that at an earlier `:moment` it is what it was then.
    """

    key: str
    value: str = ""
    percentile: str | None = None
    figures: Figures | None = None
    timed: bool = False
    dated: bool = False


_KNOWN: dict[str, Measure] = {}
_LOOKUPS: list[Lookup] = []


def register(measure: Measure) -> Measure:
    """Let criteria ask for a measure. Raises ValueError where its key is taken."""
    if _KNOWN.setdefault(measure.key, measure) != measure:
        message = f"two measures are called {measure.key!r}"
        raise ValueError(message)
    return measure


def provide(lookup: Lookup) -> Lookup:
    """Let criteria ask for every measure that a catalogue has now or will have: `lookup` finds one by its key."""
    _LOOKUPS.append(lookup)
    return lookup


def measure(key: str) -> Measure:
    """The measure of a key. Raises UnknownMeasure."""
    found = _KNOWN.get(key) or next((found for lookup in _LOOKUPS if (found := lookup(key))), None)
    if found is None:
        message = f"No metric of single customers is called {key!r}. See those of metricDefinitions that are personal."
        raise UnknownMeasure(message, metric=key)
    return found
