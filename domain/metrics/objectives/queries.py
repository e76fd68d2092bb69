"""How far the business is with what it pursues: each KPI's metric, from the day on which the objective was set."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from domain.core.money import minor_units
from domain.metrics import queries as metrics
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.objectives.rules import Kpi, KpiDirection
from domain.metrics.rules import Unit
from domain.purchases.rules import Window

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.metrics.catalogue import Definition
    from domain.metrics.queries import Setting, Value
    from domain.metrics.reading import Snapshot


@dataclass(frozen=True)
class Progress:
    """A KPI beside what its metric is worth so far; whether its target is reached is None where that is not known."""

    objective_id: UUID
    position: int
    kpi: Kpi
    definition: Definition
    value: Value
    is_reached: bool | None


@dataclass(frozen=True)
class Standing:
    """How far objectives are, the currency of their money, and the moment that it is of."""

    progress: Sequence[Progress]
    currency: str
    as_of: datetime


_PURSUED = """
SELECT id, kpis, created_at, due_on FROM objectives
WHERE tenant_id = :tenant AND id = ANY(:objectives) AND status = 'ACTIVE' ORDER BY id
"""

_Place = tuple["UUID", int]


async def progress(snapshot: Snapshot, objective_ids: Sequence[UUID]) -> Standing:
    """How far those of these objectives are that are pursued, KPI by KPI.

    A metric counts from the day on which the objective was set up to and with the day on which it is due, or today
    where it has none. A metric that is no longer there is left out.
    """
    setting = await metrics.setting_of(snapshot)
    windows: dict[Window, dict[_Place, Kpi]] = defaultdict(dict)
    for row in await snapshot.rows(_PURSUED, objectives=list(objective_ids)):
        for position, kept in enumerate(_kept(row["kpis"]), start=1):
            kpi = _kpi(kept)
            if kpi.metric in CATALOGUE:
                windows[_window(row, kpi, setting, snapshot.now)][row["id"], position] = kpi
    found = [one for window, kpis in windows.items() for one in await _within(snapshot, setting, window, kpis)]
    return Standing(found, setting.currency, snapshot.now)


async def _within(
    snapshot: Snapshot, setting: Setting, window: Window, kpis: Mapping[_Place, Kpi]
) -> list[Progress]:  # fmt: skip
    keys = list(dict.fromkeys(kpi.metric for kpi in kpis.values()))
    answer = await metrics.series(snapshot, metrics.Question(keys, window))
    known = {each.definition.key: each for each in answer.series}
    return [
        Progress(objective, position, kpi, of.definition, of.total, _reached(kpi, of, setting.currency))
        for (objective, position), kpi in kpis.items()
        for of in (known[kpi.metric],)
    ]


def _reached(kpi: Kpi, of: metrics.Series, currency: str) -> bool | None:
    value = of.total.value
    if value is None:
        return None
    target = kpi.target.scaleb(minor_units(currency)) if of.definition.unit is Unit.MONEY else kpi.target
    return value >= target if kpi.direction is KpiDirection.AT_LEAST else value <= target


def _window(row: Any, kpi: Kpi, setting: Setting, now: datetime) -> Window:
    start = setting.day_of(row["created_at"])
    last = kpi.due_on or row["due_on"] or setting.day_of(now)
    return Window(start, max(last, start) + timedelta(days=1))


def _kept(kpis: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = orjson.loads(kpis) if isinstance(kpis, str | bytes) else kpis
    return found


def _kpi(kept: Mapping[str, Any]) -> Kpi:
    due_on = kept["dueOn"] and date.fromisoformat(kept["dueOn"])
    return Kpi(kept["metric"], KpiDirection(kept["direction"]), Decimal(kept["target"]), due_on)
