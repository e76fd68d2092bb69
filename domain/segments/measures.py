"""The figures of a customer that criteria can ask about: whoever works one out makes it known here, by its key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator


class UnknownMetric(Invalid):
    """No metric of single customers has this key. Use a key of the catalogue, as `metricDefinitions` lists them."""


class NoPercentile(Invalid):
    """This metric has no published distribution to compare a customer with. Ask for its value instead."""


@dataclass(frozen=True)
class Measure:
    """A figure of one surviving customer, `c` in its SQL, which may use `:tenant` and the moment `:moment`.

    `value` is a numeric expression, null where it is unknown; `percentile` its place from 0 to 100 in the tenant's
    last published distribution. Both read only what is kept of that customer, by an index, and name the tenant for
    every table. `timed` says that time alone can change it; `dated`, that at an earlier `:moment` it is what it was
    then.
    """

    key: str
    value: str
    percentile: str | None = None
    timed: bool = False
    dated: bool = False


_KNOWN: dict[str, Measure] = {}


def register(measure: Measure) -> Measure:
    """Let criteria ask for a measure; raises ValueError where its key is taken."""
    if _KNOWN.setdefault(measure.key, measure) != measure:
        message = f"two measures are called {measure.key!r}"
        raise ValueError(message)
    return measure


def measure(key: str) -> Measure:
    """The measure of a key. Raises UnknownMetric."""
    if key not in _KNOWN:
        raise UnknownMetric(f"No metric of single customers is called {key!r}.", metric=key)
    return _KNOWN[key]


def known() -> Iterator[Measure]:
    """Every measure, by key."""
    return (_KNOWN[key] for key in sorted(_KNOWN))
