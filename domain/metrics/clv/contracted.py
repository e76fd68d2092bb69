"""What customers under contract are worth: what they pay a month, for as long as they are expected to renew."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.clv import sbg
from domain.metrics.clv.bootstrap import DRAWS, Flows, Values, interval
from domain.metrics.clv.lifetime_value import MOST_MONTHS, present_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.metrics.clv.fitting import Fit, Numbers
    from domain.metrics.clv.lifetime_value import Assumptions


@dataclass(frozen=True)
class Contracts:
    """The contracts that hold: the place of each one's customer in `ids`, its renewals so far, its monthly revenue."""

    ids: Sequence[UUID]
    customer: Any
    renewed: Any
    revenue: Numbers


@dataclass(frozen=True)
class Paying:
    """The customers under contract with their values, and the months that each is expected to pay in the horizon."""

    ids: Sequence[UUID]
    values: Values
    months: Numbers


def paying(fit: Fit, contracts: Contracts, assumptions: Assumptions, seed: int) -> Paying:
    """Value everybody under contract by the model of renewing; a customer's several contracts add up."""
    ages, which = np.unique(contracts.renewed, return_inverse=True)
    point = sbg.paid_from_now(fit.parameters, MOST_MONTHS, ages)
    draws = sbg.paid_from_now(fit.draws(DRAWS, seed), MOST_MONTHS, ages)
    # What is expected of a contract depends on its age and is proportional to what it earns.
    free = replace(assumptions, monthly_cost=0.0)
    costs = assumptions.monthly_cost * assumptions.factors.sum()
    worth = contracts.revenue * present_value(point, free)[which]
    spread = contracts.revenue * present_value(draws, free)[:, which]
    low, high = interval(_by_customer(contracts, spread) - costs)
    earned = np.bincount(which, weights=contracts.revenue, minlength=len(ages))
    flows = Flows(earned @ point, np.einsum("a,dam->dm", earned, draws))
    months = point[:, : assumptions.horizon_months].sum(axis=-1)[which]
    return Paying(
        contracts.ids, Values(_by_customer(contracts, worth) - costs, low, high, flows),
        _by_customer(contracts, months),
    )  # fmt: skip


def _by_customer(contracts: Contracts, each: Numbers) -> Numbers:
    """What contracts (the last axis) come to by customer."""
    together = np.zeros((*each.shape[:-1], len(contracts.ids)))
    place: Any = (..., contracts.customer)
    np.add.at(together, place, each)
    return together
