"""What objectives decide: how many there may be at a time, and what a KPI is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from domain.core.problems import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date
    from decimal import Decimal

MOST_ACTIVE = 3
"""How many objectives a business can pursue at a time."""

MOST_KPIS = 10
"""How many figures tell whether one objective is reached."""


class ObjectiveStatus(StrEnum):
    """Whether an objective is pursued."""

    ACTIVE = "ACTIVE"
    REACHED = "REACHED"
    DROPPED = "DROPPED"


class KpiDirection(StrEnum):
    """On which side of its target a KPI shall be."""

    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"


class TooManyObjectives(Conflict):
    """Three objectives are pursued already. Reach or drop one of them first."""


class NoStatement(Invalid):
    """An objective says in words what is to be reached."""


class NoKpi(Invalid):
    """An objective needs one to ten KPIs, each with a target, by which one knows that it is reached."""


class KpiTwice(Invalid):
    """This metric is named twice. Give it one target."""


@dataclass(frozen=True)
class Kpi:
    """A figure that tells whether an objective is reached: the key of a metric, and its target in the metric's unit."""

    metric: str
    direction: KpiDirection
    target: Decimal
    due_on: date | None = None

    def kept(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "metric": self.metric,
            "direction": str(self.direction),
            "target": format(self.target, "f"),
            "dueOn": self.due_on.isoformat() if self.due_on else None,
        }


def check(statement: str, kpis: Sequence[Kpi]) -> None:
    """What an objective must say. Raises NoStatement, NoKpi or KpiTwice."""
    if not statement.strip():
        raise NoStatement(path=("statement",))
    if not 1 <= len(kpis) <= MOST_KPIS:
        raise NoKpi(path=("kpis",))
    for place, kpi in enumerate(kpis):
        if kpi.metric in {earlier.metric for earlier in kpis[:place]}:
            raise KpiTwice(path=("kpis", str(place), "metric"), metric=kpi.metric)


def free_place(taken: Collection[int], *path: str) -> int:
    """The first place that no active objective has. Raises TooManyObjectives; `path` is that of what asks for one."""
    for place in range(1, MOST_ACTIVE + 1):
        if place not in taken:
            return place
    raise TooManyObjectives(path=path)
