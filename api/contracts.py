"""Contracts over GraphQL: recurring business, and what happened to it."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from api import filters
from api.expose import Node, amount, column, describe, expose, many, one, page_of
from api.invoices import OF_BILLS, current, versioned
from api.purchases import SCOPE, OrderDirection
from api.reads.mapping import Argument
from api.reads.mapping import Order as By
from domain.purchases import model
from domain.purchases.contracts import ContractEventKind, ContractStatus


class ContractOrderField(StrEnum):
    """What contracts can be sorted by."""

    ID = "ID"
    STARTED_AT = "STARTED_AT"


describe(
    ContractStatus,
    ACTIVE="It holds, and earns.",
    PAUSED="It holds, and earns nothing for the time being.",
    ENDED="It was called off, or ran out.",
)
describe(
    ContractEventKind,
    START="It began.",
    RENEW="Another term of it began.",
    UPGRADE="It became larger.",
    DOWNGRADE="It became smaller.",
    PAUSE="It earns nothing for a while; that is no end.",
    RESUME="It goes on.",
    CANCEL="It was called off, and ended.",
    END="It ran out.",
)
describe(ContractOrderField, ID="In the order in which they became known.", STARTED_AT="When they began.")


@strawberry.input(description="What contracts are sorted by.")
class ContractOrderBy:
    """What contracts are sorted by."""

    field: ContractOrderField = strawberry.field(description="By what.")
    direction: OrderDirection = strawberry.field(default=OrderDirection.ASC, description="In which direction.")


def _of_contract(name: str) -> str:
    """A column of the version that an event belongs to."""
    return (
        f"(select d.{name} from contracts d where d.tenant_id = $1"
        " and d.id = {t}.contract_id and d.version = {t}.contract_version)"
    )


@expose(model.ContractEvent)
class ContractEvent:
    """Something that happened to a contract; what it shows holds until the next one."""

    position = column()
    kind = column(ContractEventKind)
    occurred_at = column()
    term_starts_on = column()
    term_ends_on = column()
    plan = column()
    mrr = amount(
        "{t}.mrr", _of_contract("currency"), null=False, description="The monthly recurring revenue after it."
    )  # fmt: skip
    base_mrr = amount(
        "{t}.base_mrr", _of_contract("base_currency"),
        description="The same in the tenant's base currency, at the rate of the contract's first day.",
    )  # fmt: skip
    product = one(
        "purchases.Product",
        "products {t} where {t}.tenant_id = $1 and {t}.id = {p}.product_id and {t}.valid_to is null",
        description="What is bought after it.",
    )
    family = one(
        "purchases.ProductFamily",
        "product_families {t} where {t}.tenant_id = $1 and {t}.id = coalesce({p}.family_id, (select o.family_id"
        " from products o where o.tenant_id = $1 and o.id = {p}.product_id and o.valid_to is null))",
        description="The family of what is bought after it.",
    )


@expose(model.Contract, prefix="con", scope=SCOPE, also=versioned("contract"), by_id=current("contracts", "{k}"))
class Contract(Node):
    """Recurring business with a customer, as it stands after the last of its events."""

    status = column(ContractStatus)
    plan = column()
    started_at = column(datetime, sql="{t}.occurred_at", description="When it began.")
    term_ends_on = column()
    ended_on = column()
    event_count = column()
    mrr = amount(
        "{t}.amount", "{t}.currency", null=False, description="The monthly recurring revenue after its last event."
    )
    base_mrr = amount(
        "{t}.base_amount", "{t}.base_currency",
        description="The same in the tenant's base currency, at the rate of its first day; null without a rate.",
    )  # fmt: skip
    events = many(
        "contracts.ContractEvent",
        "contract_events {t} where {t}.tenant_id = $1 and {t}.contract_version = (select d.version from contracts d"
        " where d.tenant_id = $1 and d.id = {t}.contract_id and d.superseded_at is null)",
        orders={"POSITION": By("{t}.position", "number"), "ID": By("{t}.position", "number")},
        default=(("POSITION", False),), keys="{p}.id", link="contract_id", description="What happened to it, in order.",
    )  # fmt: skip


ContractEventConnection = page_of(ContractEvent, "events")
ContractConnection = page_of(Contract, "contracts")

ContractFilter = filters.filter_input(
    "ContractFilter", "Conditions on contracts.", "api.contracts",
    **{name: condition for name, condition in OF_BILLS.items() if name != "occurredAt"},
    startedAt=filters.moment("{t}.occurred_at", "When it began."),
    status=filters.choice(ContractStatus, "{t}.status", "Whether it holds."),
    plan=filters.text("{t}.plan", "The plan after its last event."),
    termEndsOn=filters.day("{t}.term_ends_on", "The day on which its term is due for renewal."),
    endedOn=filters.day("{t}.ended_on", "The day on which it ended."),
)  # fmt: skip


def contracts(**options: Any) -> Any:
    """A page of contracts, the latest first unless asked otherwise."""
    return many(
        "contracts.Contract", current("contracts"),
        orders={"STARTED_AT": By("{t}.occurred_at"), "ID": By("{t}.id", "id")}, default=(("STARTED_AT", True),),
        filter="ContractFilter", scope=SCOPE,
        arguments={
            "filter": Argument(ContractFilter | None, "Only contracts that fit."),
            "orderBy": Argument(list[ContractOrderBy] | None, "What they are sorted by; the latest first without it."),
        },
        **options,
    )  # fmt: skip


class Queries:
    """What the root offers of contracts."""

    contracts = contracts(description="Contracts with all customers, and those without a customer.")
