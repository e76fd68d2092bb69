"""Opportunities over GraphQL: the sales pipeline."""

from enum import StrEnum
from typing import Any

import strawberry

from api import filters
from api.expose import Node, column, describe, expose, many, page_of
from api.expose import amount as money
from api.invoices import OF_BILLS, current, versioned
from api.purchases import SCOPE, OrderDirection
from api.reads.mapping import Argument
from api.reads.mapping import Order as By
from domain.purchases import model
from domain.purchases.opportunities import OpportunityStatus


class OpportunityOrderField(StrEnum):
    """What opportunities can be sorted by."""

    ID = "ID"
    OPENED_AT = "OPENED_AT"


describe(OpportunityStatus, OPEN="It may still be won.", WON="It became a sale.", LOST="Nothing came of it.")
describe(OpportunityOrderField, ID="In the order in which they became known.", OPENED_AT="When they were opened.")


@strawberry.input(description="What opportunities are sorted by.")
class OpportunityOrderBy:
    """What opportunities are sorted by."""

    field: OpportunityOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="In which direction.")


@expose(
    model.Opportunity, prefix="opp", scope=SCOPE, also=versioned("opportunity"), by_id=current("opportunities", "{k}")
)  # fmt: skip
class Opportunity(Node):
    """A sale that may come about."""

    status = column(OpportunityStatus)
    stage = column()
    opened_at = column()
    closed_at = column()
    closed_on = column()
    expected_close_on = column()
    probability = column()
    amount = money("{t}.amount", "{t}.currency", description="What it may bring; null when not known.")
    base_amount = money(
        "{t}.base_amount", "{t}.base_currency",
        description="The same in the tenant's base currency at the rate of its first day; null without a rate.",
    )  # fmt: skip


OpportunityConnection = page_of(Opportunity, "opportunities")

OpportunityFilter = filters.filter_input(
    "OpportunityFilter", "Conditions on opportunities.", "api.opportunities",
    **{name: condition for name, condition in OF_BILLS.items() if name != "occurredAt"},
    openedAt=filters.moment("{t}.opened_at", "When it was opened."),
    status=filters.choice(OpportunityStatus, "{t}.status", "Whether it is open, won or lost."),
    stage=filters.text("{t}.stage", "Where it stands in the pipeline."),
    closedOn=filters.day("{t}.closed_on", "The day on which it was won or lost."),
    expectedCloseOn=filters.day("{t}.expected_close_on", "The day on which it is expected to be closed."),
)  # fmt: skip


def opportunities(**options: Any) -> Any:
    """A page of opportunities, the latest first unless asked otherwise."""
    latest = "What they are sorted by; the latest first without it."
    return many(
        "opportunities.Opportunity", current("opportunities"),
        orders={"OPENED_AT": By("{t}.opened_at"), "ID": By("{t}.id", "id")}, default=(("OPENED_AT", True),),
        filter="OpportunityFilter", scope=SCOPE,
        arguments={
            "filter": Argument(OpportunityFilter | None, "Only opportunities that fit."),
            "orderBy": Argument(list[OpportunityOrderBy] | None, latest),
        },
        **options,
    )  # fmt: skip


class Queries:
    """What the root offers of opportunities."""

    opportunities = opportunities(description="Opportunities of all customers, and those without a customer.")
