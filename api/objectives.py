"""Objectives over GraphQL: what the business pursues, and the figures that tell whether it is reached."""

from datetime import date
from decimal import Decimal

from api.expose import Node, column, describe, embedded, entry, expose, many, page_of
from api.reads.mapping import Order as By
from domain.metrics.objectives import model
from domain.metrics.objectives.rules import KpiDirection, ObjectiveStatus

SCOPE = "metrics:read"

describe(
    ObjectiveStatus,
    ACTIVE="It is pursued; at most three are at a time.",
    REACHED="It was reached.",
    DROPPED="It is pursued no longer.",
)
describe(
    KpiDirection, AT_LEAST="The figure shall be the target or more.", AT_MOST="The figure shall be the target or less."
)


@expose()
class Kpi:
    """A figure that tells whether an objective is reached."""

    metric = entry(str, "metric", description="The key of the metric.")
    direction = entry(KpiDirection, "direction", description="On which side of the target it shall be.")
    target = entry(Decimal, "target", description="The target, in the metric's unit; money in the base currency.")
    due_on = entry(
        date, "dueOn", null=True, description="The day by which the target is to be reached; null: the objective's."
    )  # fmt: skip


@expose(model.Objective, prefix="obj", scope=SCOPE)
class Objective(Node):
    """What the business wants to reach."""

    statement = column()
    status = column(ObjectiveStatus)
    due_on = column()
    kpis = embedded("objectives.Kpi", "{t}.kpis", description="The figures that tell, with their targets.")
    created_at = column()
    updated_at = column()
    version = column()


ObjectiveConnection = page_of(Objective, "objectives")


class Queries:
    """What the root offers of objectives."""

    objectives = many(
        "objectives.Objective", "objectives {t} where {t}.tenant_id = $1", orders={"ID": By("{t}.id", "id")},
        default=(("ID", True),), scope=SCOPE, description="What the business pursues and pursued, the newest first.",
    )  # fmt: skip
