"""What the customers of a tenant are worth together: read off the flows that were computed with the latest models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from domain.core.money import minor_units
from domain.metrics.clv import bootstrap
from domain.metrics.clv.lifetime_value import Assumptions, present_value, present_value_of_future
from domain.metrics.clv.model import Shortage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from domain.metrics.clv.model import ModelKind
    from domain.metrics.reading import Snapshot

_LATEST = """
SELECT v.number, e.as_of, e.currency, e.margin, e.customers, e.acquired_per_month, e.current, e.future
FROM model_versions v JOIN equity_curves e ON e.tenant_id = :tenant AND e.version_id = v.id
WHERE v.tenant_id = :tenant AND v.kind = :kind
ORDER BY v.number DESC LIMIT 1
"""
_WHY_NOT = """
SELECT missing FROM (
    SELECT DISTINCT ON (kind) kind, missing FROM model_attempts
    WHERE tenant_id = :tenant AND kind IN (:kind, 'GAMMA_GAMMA')
    ORDER BY kind, at DESC, id DESC
) AS latest
WHERE missing IS NOT NULL ORDER BY kind DESC LIMIT 1
"""


class Worth(NamedTuple):
    """An amount in minor units with its 95 % interval."""

    value: int
    low: int
    high: int


@dataclass(frozen=True)
class Equity:
    """What customers are worth: those of today, those who are yet to come, and both."""

    number: int
    as_of: date
    currency: str
    customers: int
    acquired_per_month: float
    assumptions: Assumptions
    current: Worth
    future: Worth
    total: Worth


async def customer_equity(
    snapshot: Snapshot,
    kind: ModelKind,
    horizon_months: int,
    margin: float | None,
    discount: float,
    monthly_cost: Decimal = Decimal(),
) -> Equity | None:
    """The equity under the latest version of a model; None while there is none (`why_not` says what is missing).

    Without a margin, the one that was known when the flows were computed. `monthly_cost` is what keeping a customer
    costs a month, in the base currency. Raises AssumptionOutOfRange.
    """
    stated = Assumptions(horizon_months, 1.0 if margin is None else margin, discount, float(monthly_cost))
    rows = await snapshot.rows(_LATEST, kind=str(kind))
    if not rows:
        return None
    [row] = rows
    minor = float(monthly_cost.scaleb(minor_units(row["currency"])))
    assumed = replace(stated, margin=float(row["margin"]) if margin is None else margin, monthly_cost=minor)
    now, later = orjson.loads(row["current"]), orjson.loads(row["future"])
    per_month = float(row["acquired_per_month"])
    current = {name: present_value(flows, assumed, row["customers"]) for name, flows in now.items()}
    future = {name: present_value_of_future(flows, per_month, assumed) for name, flows in later.items()}
    together = {name: current[name] + future[name] for name in current}
    return Equity(
        row["number"], row["as_of"], row["currency"], row["customers"], per_month, assumed,
        *(_worth(each) for each in (current, future, together)),
    )  # fmt: skip


async def why_not(snapshot: Snapshot, kind: ModelKind) -> Shortage:
    """What a model of buying, or the model of spending beside it, lacked last."""
    rows = await snapshot.rows(_WHY_NOT, kind=str(kind))
    return Shortage(rows[0]["missing"]) if rows else Shortage.NOT_FITTED


def _worth(values: Mapping[str, Any]) -> Worth:
    low, high = bootstrap.interval(values["draws"])
    return Worth(round(float(values["point"])), round(float(low)), round(float(high)))
