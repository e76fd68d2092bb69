"""Costs over GraphQL: what was spent, who bears how much of it, and what nobody bears."""

from datetime import datetime
from typing import Any

from api import departments, filters, reading
from api.expose import Node, amount, column, describe, expose, listing, many, one, page_of
from api.purchases import WindowInput
from api.reads.mapping import Argument
from api.reads.mapping import Order as By
from api.reads.plan import Sourcing
from api.survivors import survivor
from domain.costs import model, queries
from domain.costs.rules import AllocationRule, CostCategory
from domain.initiatives.queries import UnknownInitiative
from domain.purchases.rules import MissingReason

SCOPE = "metrics:read"

describe(
    CostCategory,
    ACQUISITION_MARKETING="Marketing that wins customers.",
    ACQUISITION_SALES="Sales that win customers.",
    RETENTION_MARKETING="Marketing that keeps customers.",
    RETENTION_SALES="Sales that keep customers.",
    SERVICE="Serving customers.",
    INITIATIVE="Something that the business does to make it better.",
    COGS="The goods that were sold.",
)
describe(
    AllocationRule,
    EQUAL="Everybody who was known before the period ended bears the same.",
    BY_TOUCH="In proportion to the interactions of each in the period.",
    BY_REVENUE="In proportion to the net revenue of each in the period.",
    BY_TIME="Every day bears the same, and of it the same everybody who was there on that day.",
)

_CURRENT = "cost_entries {t} where {t}.tenant_id = $1 and {t}.superseded_at is null"
_LATEST = (
    "cost_entries {t} where {t}.tenant_id = $1 and {t}.id = {k}"
    " and {t}.version = (select max(v.version) from cost_entries v where v.tenant_id = $1 and v.id = {k})"
)
"""A deleted cost goes on answering to its id, with its last version."""
_ENTRY = f"{_CURRENT} and {{t}}.id = {{p}}.entry_id"
_BASE = (
    "(select e.base_currency from cost_entries e where e.tenant_id = $1 and e.id = {t}.entry_id"
    " and e.superseded_at is null)"
)
_SHARES_IN_ORDER: dict[str, Any] = {
    "orders": {
        "DAY": By("{t}.day", "day"),
        "ID": By('({t}.entry_id::text || {t}.customer_id::text) collate "C"', "text"),
    },
    "default": (("DAY", True),),
}


@expose(model.CostAllocation)
class CostShare:
    """What of a cost falls on a customer, on a day or over several."""

    category = column(CostCategory)
    day = column()
    ends_on = column()
    amount = amount("{t}.amount_base", _BASE, null=False, description="The share, in the tenant's base currency.")
    customer = one(
        "customers.Customer", survivor("{p}.customer_id"), null=False, description="Who bears it."
    )  # fmt: skip
    cost = one("costs.Cost", _ENTRY, null=False, description="What it is a share of.")


@expose(model.CostEntry, prefix="cst", scope=SCOPE, by_id=_LATEST)
class Cost(Node):
    """Money that was spent over some days; shown in its latest version. A deleted one is in no list and no figure."""

    category = column(CostCategory)
    description = column(finish=reading.personal)
    starts_on = column()
    ends_on = column()
    rule = column(AllocationRule)
    campaign_key = column()
    case_key = column()
    version = column()
    recorded_at = column()
    deleted_at = column(
        datetime, sql="{t}.superseded_at", null=True, description="When it was deleted; null where it counts."
    )  # fmt: skip
    total = amount("{t}.amount", "{t}.currency", null=False, description="How much; below zero it corrects others.")
    base_total = amount(
        "{t}.base_amount", "{t}.base_currency",
        description="The same in the tenant's base currency at the rate of the first day; null without a rate.",
    )  # fmt: skip
    allocated = amount(
        "{t}.allocated_amount", "{t}.base_currency", description="What of it customers bear; null until it is shared."
    )  # fmt: skip
    unallocated = amount(
        "{t}.base_amount - {t}.allocated_amount", "{t}.base_currency",
        description="What of it nobody bears; null until it is shared.",
    )  # fmt: skip
    shared_at = column(
        datetime, sql="{t}.allocated_at", null=True, description="When it was shared last; null until then."
    )  # fmt: skip
    customer = one("customers.Customer", survivor("{p}.customer_id"), description="Who alone bears it, where it says.")
    department = departments.department("{p}.department_id", "The department that it was spent for.")
    initiative = one(
        "initiatives.Initiative", "initiatives {t} where {t}.tenant_id = $1 and {t}.id = {p}.initiative_id",
        description="The initiative that it was spent on.",
    )  # fmt: skip
    source = one(
        "integrations.SourceRecord",
        "(select {p}.integration_id, 'cost'::text as type, {p}.remote_id where {p}.integration_id is not null) {t}",
        description="Where it was read.",
    )
    shares = many(
        "costs.CostShare", "cost_allocations {t} where {t}.tenant_id = $1", keys="{p}.id", link="entry_id",
        **_SHARES_IN_ORDER, description="Who bears how much of it, the latest day first.",
    )  # fmt: skip


CostShareConnection = page_of(CostShare, "shares")
CostConnection = page_of(Cost, "costs")


@expose()
class CostTotal:
    """What was spent for a category; what is allocated and what is not add up to it exactly."""

    category = column(CostCategory, sql="{t}.category", description="For what.")
    spent = amount(
        "case when {t}.unrated = 0 then {t}.entries end", "{t}.currency", description="All of it."
    )  # fmt: skip
    allocated = amount(
        "case when {t}.unrated = 0 then {t}.allocated end", "{t}.currency", description="What of it customers bear."
    )  # fmt: skip
    unallocated = amount(
        "case when {t}.unrated = 0 then {t}.entries - {t}.allocated end", "{t}.currency",
        description="What of it nobody bears.",
    )  # fmt: skip
    missing = column(
        MissingReason, null=True, description="Why the figures are not there.",
        sql="case when {t}.unrated > 0 then 'NO_RATE' end",
    )  # fmt: skip


CostFilter = filters.filter_input(
    "CostFilter", "Conditions on costs.", "api.costs",
    category=filters.choice(CostCategory, "{t}.category", "What it was spent for."),
    startsOn=filters.day("{t}.starts_on", "The first day of its period."),
    endsOn=filters.day("{t}.ends_on", "The first day after its period."),
    rule=filters.choice(AllocationRule, "{t}.rule", "How it is shared."),
    customer=filters.customer("{t}.customer_id", "Who alone bears it; the id of anybody merged with them will do."),
    campaignKey=filters.text("{t}.campaign_key", "The campaign that it was spent on."),
    caseKey=filters.text("{t}.case_key", "The case that it was spent on."),
    department=filters.id_of(
        "dep", "{t}.department_id", "The department that it was spent for.", check=departments.KNOWN
    ),
    initiative=filters.id_of(
        "ini", "{t}.initiative_id", "The initiative that it was spent on.",
        check=filters.known("ini", "initiatives", UnknownInitiative),
    ),
    integration=filters.id_of("ing", "{t}.integration_id", "Where it was read."),
    isShared=filters.yes("{t}.allocated_at is not null", "Whether it has been shared."),
)  # fmt: skip


def of_customer() -> Any:
    """What a customer with all members bears, the latest day first."""
    return many(
        "costs.CostShare", "cost_allocations {t} where {t}.tenant_id = $1", keys="{p}.member_ids", link="customer_id",
        **_SHARES_IN_ORDER, scope=SCOPE, description="What the customer bears of costs, the latest day first.",
    )  # fmt: skip


def _totals(asked: Sourcing) -> str:
    start = asked.part("window", "start", pg="date") or "e.starts_on"
    end = asked.part("window", "end", pg="date") or "e.ends_on"
    spent = queries.by_category(start, end).replace(":tenant", "$1")
    base = "(select b.base_currency from tenants b where b.tenant_id = $1)"
    return f"(select x.*, {base} as currency from ({spent}) x) {{t}} where true"


class Queries:
    """What the root offers of costs."""

    costs = many(
        "costs.Cost", _CURRENT, orders={"STARTS_ON": By("{t}.starts_on", "day"), "ID": By("{t}.id", "id")},
        default=(("STARTS_ON", True),), filter="CostFilter", scope=SCOPE,
        arguments={"filter": Argument(CostFilter | None, "Only costs that fit.")},
        description="What was spent, the latest first.",
    )  # fmt: skip
    cost_totals = listing(
        "costs.CostTotal", _totals, order="{t}.category", scope=SCOPE,
        arguments={"window": Argument(WindowInput | None, "Only what counts on these days; without it all.")},
        description="What was spent by category, and who bears it; a category without costs is left out.",
    )  # fmt: skip
