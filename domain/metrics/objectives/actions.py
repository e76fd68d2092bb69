"""What can happen to objectives: they are set, changed, reached and dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from domain.core.problems import NotFound, StaleVersion
from domain.metrics import definitions
from domain.metrics.catalogue import CATALOGUE
from domain.metrics.objectives import rules
from domain.metrics.objectives.model import Objective
from domain.metrics.objectives.rules import ObjectiveStatus
from domain.purchases.rules import to_numeric

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.metrics.objectives.rules import Kpi

METRICS = definitions.__name__
"""Importing the definitions has every metric in the catalogue."""


class ObjectiveNotFound(NotFound):
    """There is no objective with this id here. Check the id; one of another tenant gets the same answer."""


async def create_objective(
    work: Writing, statement: str, kpis: Sequence[Kpi], due_on: date | None = None
) -> Objective:  # fmt: skip
    """Set an objective, which is pursued from now on.

    Raises TooManyObjectives, NoStatement, NoKpi, KpiTwice, UnknownMetric, NotANumber, TooPrecise or TooLarge.
    """
    _check(statement, kpis)
    objective = Objective(
        id=work.ids(), statement=statement, kpis=[kpi.kept() for kpi in kpis], due_on=due_on,
        status=ObjectiveStatus.ACTIVE, place=await _free_place(work), created_at=work.now, updated_at=work.now,
        version=1,
    )  # fmt: skip
    work.add(objective)
    return await _told(work, "objectives.create", objective)


async def update_objective(
    work: Writing, objective_id: UUID, version: int, statement: str, kpis: Sequence[Kpi], *,
    due_on: date | None = None, status: ObjectiveStatus = ObjectiveStatus.ACTIVE,
) -> Objective:  # fmt: skip
    """Say anew what an objective is, and whether it is pursued; one that was dropped can be taken up again.

    Raises ObjectiveNotFound, StaleVersion, or what `create_objective` raises; then nothing changed.
    """
    _check(statement, kpis)
    objective = await work.one(
        select(Objective)
        .where(Objective.tenant_id == work.tenant_id, Objective.id == objective_id)
        .with_for_update()
    )  # fmt: skip
    if objective is None:
        raise ObjectiveNotFound(id=objective_id)
    if objective.version != version:
        raise StaleVersion(path=("version",), current_version=objective.version)
    if status is not ObjectiveStatus.ACTIVE:
        objective.place = None
    elif objective.place is None:
        objective.place = await _free_place(work, "status")
    objective.statement, objective.due_on, objective.status = statement, due_on, status
    objective.kpis = [kpi.kept() for kpi in kpis]
    objective.version, objective.updated_at = version + 1, work.now
    return await _told(work, "objectives.update", objective)


def _check(statement: str, kpis: Sequence[Kpi]) -> None:
    rules.check(statement, kpis)
    for place, kpi in enumerate(kpis):
        CATALOGUE.check([kpi.metric], "kpis", str(place), "metric")
        to_numeric(kpi.target, "kpis", str(place), "target")


async def _free_place(work: Writing, *path: str) -> int:
    """A place that no active objective has. Raises TooManyObjectives; `path` names what asks for one in the input."""
    taken = select(Objective.place).where(Objective.tenant_id == work.tenant_id, Objective.place.is_not(None))
    return rules.free_place({place for place in await work.all(taken) if place is not None}, *path)


async def _told(work: Writing, deed: str, objective: Objective) -> Objective:
    await work.flush()
    said = {"version": objective.version, "status": objective.status, "kpis": [kpi["metric"] for kpi in objective.kpis]}
    work.audit(deed, f"objective:{objective.id.hex}", after=said)
    return objective
