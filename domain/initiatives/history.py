"""What is known of customers by local day, as arrays: what a seal holds, and what came after it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Mapping

Days = NDArray[np.int32]
"""Local days as ordinals of `datetime.date.toordinal()`; -1 where there is none."""

Amounts = NDArray[np.float64]
"""Whole minor units of the tenant's base currency, or counts."""

Mask = NDArray[np.bool_]
"""One truth per customer."""

NEVER = -1
"""The day of what never happened."""

LATEST = np.iinfo(np.int32).max
WEEK = 7


@dataclass(frozen=True, slots=True, eq=False)
class Weeks:
    """Costs by category and new customers in whole weeks, counted from the go-live: week k begins on `origin + 7 k`.

    `first` is the number of the first week that is kept; weeks before the go-live are negative. `unrated` are the weeks
    of a category in which a cost waits for an exchange rate, also those that are not kept; it is in no sum.
    """

    origin: int
    first: int
    costs: Mapping[str, Amounts]
    new_customers: Amounts
    unrated: Mapping[str, frozenset[int]] = field(default_factory=dict)

    @classmethod
    def none(cls, origin: int) -> Self:
        """No week at all: no costs were recorded."""
        return cls(origin=origin, first=0, costs={}, new_customers=np.zeros(0))

    @property
    def last(self) -> int:
        """The number of the first week that is no longer kept."""
        return self.first + len(self.new_customers)

    def are_unrated(self, category: str, first: int, last: int) -> bool:
        """Whether a cost of a category waits for a rate in any week that has one of the days `[first, last)`."""
        begin, end = (first - self.origin) // WEEK, (last - 1 - self.origin) // WEEK
        return any(begin <= week <= end for week in self.unrated.get(category, ()))


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """What is known of customers on the local days `[first, last)`. Rows are sorted by (customer, day), one a day.

    Customers are numbers 0 to n-1, pseudonymous since the seal; what came after it names them by the same numbers, and
    customers first seen later follow behind. `unit` numbers who is drawn together: an organisation with its people is
    one. A customer exists from `first_seen` until `erased_at` (NEVER: not erased). `first_occasion` is the day of the
    first purchase that is known at all, also of one before `first`; NEVER where there is none. `occasions_before` is
    the number of occasions before `first`, of which no rows are kept. A row has one occasion (1) or none (0);
    `unrated` is how many of its documents wait for an exchange rate, so that its amount is not known.
    """

    first: int
    last: int
    unit: NDArray[np.int32]
    first_occasion: Days
    first_seen: Days
    erased_at: Days
    department: NDArray[np.int32]
    occasions_before: NDArray[np.int32]
    customer: NDArray[np.int32]
    day: Days
    occasions: Amounts
    units: Amounts
    amount: Amounts
    contribution: Amounts
    service_cost: Amounts
    deliveries: Amounts
    responses: Amounts
    unrated: Amounts
    weeks: Weeks = field(default_factory=lambda: Weeks.none(0))

    @property
    def customers(self) -> int:
        """How many customers there are, purchasers or not."""
        return len(self.unit)

    def merged(self, root: NDArray[np.int32]) -> History:
        """The same under a later identity graph: rows of each customer are added to those of `root[customer]`.

        Who was merged away keeps his number, has no rows and never bought. The root exists since the first of them.
        """
        away = root != np.arange(self.customers)
        first_occasion = _earliest(self.first_occasion, root)
        return replace(
            self,
            first_occasion=np.where(away, NEVER, first_occasion).astype(np.int32),
            first_seen=_earliest(self.first_seen, root),
            occasions_before=np.bincount(root, self.occasions_before, self.customers).astype(np.int32),
            **_one_a_day({name: getattr(self, name) for name in ROWS} | {"customer": root[self.customer]}),
        )

    def joined(self, later: History) -> History:
        """This history and the one that follows it as one: days before `last` are this one's, the rest the later one's.

        Customers are those of the later history, which is read under the identity graph of the measurement; who was
        first seen later has no rows in this one. A first occasion that this one knows stays as it is, whatever became
        known since; one that it does not know counts from `last` on.
        """
        kept = later.day >= self.last
        return replace(
            later,
            first=self.first,
            first_occasion=_first_of_both(self.first_occasion, later.first_occasion, self.last),
            occasions_before=_grown(self.occasions_before, later.customers, 0),
            **_one_a_day({name: np.concatenate((getattr(self, name), getattr(later, name)[kept])) for name in ROWS}),
            weeks=_joined_weeks(self.weeks, later.weeks),
        )


ROWS = (
    "customer", "day", "occasions", "units", "amount", "contribution", "service_cost", "deliveries", "responses",
    "unrated",
)  # fmt: skip
"""The columns of a history that have one value per customer and day."""

SUMS = ROWS[3:]
"""The columns that add up when two rows of one day become one; two occasions of one day are one occasion."""


def _grown(values: NDArray[np.int32], size: int, missing: int) -> NDArray[np.int32]:
    return np.concatenate((values, np.full(size - len(values), missing, dtype=np.int32)))


def _earliest(days: Days, root: NDArray[np.int32]) -> Days:
    """The earliest day of all who have the same root, under the root's number."""
    earliest = np.full(len(days), LATEST, dtype=np.int32)
    known = days != NEVER
    np.minimum.at(earliest, root[known], days[known])
    return np.where(earliest == LATEST, NEVER, earliest).astype(np.int32)


def _first_of_both(sealed: Days, later: Days, last: int) -> Days:
    known = _grown(sealed, len(later), NEVER)
    since = np.where(later == NEVER, NEVER, np.maximum(later, last))
    return np.where(known == NEVER, since, known).astype(np.int32)


def _one_a_day(rows: dict[str, NDArray[Any]]) -> dict[str, Any]:
    """The rows sorted by customer and day, those of one customer and day added up."""
    order = np.lexsort((rows["day"], rows["customer"]))
    ordered = {name: values[order] for name, values in rows.items()}
    customer, day = ordered["customer"], ordered["day"]
    begins = np.flatnonzero(np.r_[True, (np.diff(customer) != 0) | (np.diff(day) != 0)][: len(order)])
    if len(begins) == len(order):
        return ordered
    return {
        "customer": customer[begins],
        "day": day[begins],
        "occasions": np.maximum.reduceat(ordered["occasions"], begins),
        **{name: np.add.reduceat(ordered[name], begins) for name in SUMS},
    }


def _joined_weeks(before: Weeks, after: Weeks) -> Weeks:
    """The weeks of both, those before the go-live from the seal."""
    new = slice(max(0, before.last - after.first), None)
    kept, added = len(before.new_customers), len(after.new_customers[new])
    return replace(
        before,
        costs={
            category: np.concatenate(
                (
                    before.costs.get(category, np.zeros(kept)),
                    after.costs[category][new] if category in after.costs else np.zeros(added),
                )
            )
            for category in sorted({*before.costs, *after.costs})
        },
        new_customers=np.concatenate((before.new_customers, after.new_customers[new])),
        unrated={
            category: before.unrated.get(category, frozenset()) | after.unrated.get(category, frozenset())
            for category in {*before.unrated, *after.unrated}
        },
    )
