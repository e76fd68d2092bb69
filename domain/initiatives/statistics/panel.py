"""Whom a comparison rests on: customers of before the baseline, frozen, each counted once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from domain.initiatives.history import LATEST, NEVER
from domain.initiatives.plans import Selection
from domain.initiatives.statistics.windows import Calendar

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from domain.initiatives.history import History, Mask
    from domain.initiatives.plans import Plan
    from domain.initiatives.statistics.bootstrap import Indexes


LEAST_PANEL = 1000
LEAST_SHARE_OF_PANEL = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Customers with the unit that each is drawn with, and how many more were erased since the seal."""

    customers: Indexes
    unit: Indexes
    units: int
    erased: int

    @property
    def size(self) -> int:
        """How many customers there are."""
        return len(self.customers)


def panel(history: History, begins: int, scope: Mask, units: NDArray[np.int32] | None = None) -> Panel:
    """The customers of the scope whose first purchase lies before the day `begins`."""
    known = scope & (history.first_occasion != NEVER) & (history.first_occasion < begins)
    present = history.erased_at == NEVER
    customers = np.flatnonzero(known & present)
    drawn_with = history.unit if units is None else units
    names, unit = np.unique(drawn_with[customers], return_inverse=True)
    return Panel(customers, unit, len(names), int((known & ~present).sum()))


def least(size: int) -> float:
    """How many customers of a panel of this size must have bought before other days, to look at those as well."""
    return max(1.0, min(LEAST_PANEL, LEAST_SHARE_OF_PANEL * size))


def calendar(history: History, plan: Plan, first_known: int) -> Calendar:
    """The windows of a plan; those of the year before only where enough of the panel had bought before them.

    And only where nobody was chosen by what he did since they began: whoever was at his best then is worse a year
    later, whatever is done.
    """
    found = Calendar(first_known, plan)
    begins = min(plan.baseline_begins, found.compared.before.first)
    sizes = [panel(history, day, treated(history, plan)).size for day in (plan.baseline_begins, begins)]
    return replace(found, year_before=sizes[1] >= least(sizes[0]) and _chosen_by(plan) <= begins)


def treated(history: History, plan: Plan) -> Mask:
    """Whom the initiative was for: everyone, unless the seal says whom."""
    everyone = np.ones(history.customers, dtype=np.bool_)
    return everyone if plan.treated is None else grown(plan.treated, history.customers)


def untouched(history: History, plan: Plan) -> Mask:
    """Who was left alone: everyone else, unless the seal says who. Customers of no department are on neither side."""
    given = ~treated(history, plan) if plan.untouched is None else grown(plan.untouched, history.customers)
    return given & (history.department != NEVER) if plan.departments else given


def selected_on_baseline(plan: Plan, *, matched: bool = False) -> bool:
    """Whether customers were chosen by what they did inside the baseline, so that they would have changed anyway.

    A list made by hand counts as chosen when it was made, customers of a department when they came to it, unless
    untouched ones of the same cells answer for them.
    """
    if matched and plan.selection in {Selection.LIST, Selection.DEPARTMENTS}:
        return False
    return _chosen_by(plan) > plan.baseline_begins


def _chosen_by(plan: Plan) -> int:
    """The day up to which what customers did could decide whether they are in the scope; NEVER: nothing decided it."""
    if plan.selection is Selection.EVERYONE:
        return NEVER
    if plan.selected_on is None:  # seals of before it was kept of departments do not say since when
        return NEVER if plan.selection is Selection.DEPARTMENTS else LATEST
    return plan.selected_on


def grown(mask: Mask, customers: int) -> Mask:
    """The mask with customers first seen later outside of it."""
    return np.concatenate((mask, np.zeros(customers - len(mask), dtype=np.bool_)))
