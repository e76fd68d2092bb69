"""Objectives over GraphQL: what the business pursues, and the figures that tell whether it is reached."""

from datetime import date
from decimal import Decimal

import orjson

from api.expose import Node, column, describe, embedded, entry, expose, listing, many, page_of, part
from api.metrics import snapshot_of, value_row
from api.reads.mapping import Order as By
from api.reads.mapping import Sought
from domain.metrics.objectives import model, queries
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


@expose()
class KpiProgress:
    """How far the business is with a KPI, counted from the day on which the objective was set."""

    metric = part("metrics.MetricDefinition", description="The metric.")
    direction = column(
        KpiDirection, sql="{t}.direction", description="On which side of the target it shall be."
    )  # fmt: skip
    target = column(Decimal, sql="{t}.target", description="The target, in the metric's unit.")
    value = embedded("metrics.MetricValue", "{t}.value", many=False, description="What the metric is worth so far.")
    is_reached = column(
        bool, sql="{t}.is_reached", null=True,
        description="Whether it is on the right side of its target; null where its value is not known.",
    )  # fmt: skip


async def _progress(sought: Sought) -> str:
    standing = await queries.progress(snapshot_of(sought), sought.keys)
    moments = {"asOf": standing.as_of, "watermark": standing.as_of}
    return orjson.dumps(
        [
            {
                "objective_id": one.objective_id, "place": one.position, "metric_key": one.definition.key,
                "direction": one.kpi.direction, "target": format(one.kpi.target, "f"), "is_reached": one.is_reached,
                "value": value_row(one.definition, one.value, currency=standing.currency, moments=moments),
            }
            for one in standing.progress
        ],
        default=str,
    ).decode()  # fmt: skip


_PROGRESS = (
    "(select r.* from tenants b, jsonb_to_recordset({found}) as r(objective_id uuid, place int, metric_key text,"
    " direction text, target text, is_reached boolean, value jsonb) where b.tenant_id = $1) {t} where true"
)


@expose(model.Objective, prefix="obj", scope=SCOPE)
class Objective(Node):
    """What the business wants to reach."""

    statement = column()
    status = column(ObjectiveStatus)
    due_on = column()
    kpis = embedded("objectives.Kpi", "{t}.kpis", description="The figures that tell, with their targets.")
    progress = listing(
        "objectives.KpiProgress", _PROGRESS, order="{t}.place", keys="{p}.id", link="objective_id", find=_progress,
        description="How far the business is with each of them; empty for what is not pursued any more.",
    )  # fmt: skip
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
