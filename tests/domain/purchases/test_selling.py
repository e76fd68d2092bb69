"""Contracts and opportunities are versioned documents, whose money is converted like that of any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from domain import purchases
from domain.core.clock import NoTimeZone
from domain.core.events import OutboxEvent
from domain.core.problems import StaleVersion
from domain.purchases import NewContract, NewEvent, NewOpportunity, Version, queries
from domain.purchases.contracts import ContractEventKind, StartMissing
from domain.purchases.model import Contract, ContractEvent, Opportunity
from domain.purchases.opportunities import (
    AmountIncomplete,
    ClosedBeforeOpened,
    ClosingUnclear,
    OpportunityStatus,
    ProbabilityOutOfRange,
)
from domain.purchases.rules import NegativeAmount, TooPrecise
from domain.purchases.selling import ContractNotFound, OpportunityNotFound

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.problems import DomainError
    from tests.domain.conftest import NewCustomer, Unchanged

START = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 6, 1, 12, tzinfo=UTC)
STARTED = NewEvent(
    kind=ContractEventKind.START, occurred_at=START, mrr=Decimal("99.50"), sku="CRM", plan="Basic",
    term_ends_on=date(2027, 5, 1),
)  # fmt: skip
CONTRACT = NewContract(currency="EUR", number="C-1", events=[STARTED])
UPGRADED = replace(
    CONTRACT, events=[STARTED, NewEvent(kind=ContractEventKind.UPGRADE, occurred_at=LATER, mrr=Decimal(120))]
)
OPPORTUNITY = NewOpportunity(
    opened_at=START, number="O-1", amount=Decimal(1000), currency="EUR", probability=Decimal("0.4"), stage="Offer",
    expected_close_on=date(2026, 7, 1),
)  # fmt: skip


async def contract(database: Database, tenant: UUID, new: NewContract, after: Version | None = None) -> Contract:
    async with database.unit_of_work(tenant) as work:
        return await purchases.record_contract(work, new, after)


async def opportunity(
    database: Database, tenant: UUID, new: NewOpportunity, after: Version | None = None
) -> Opportunity:
    async with database.unit_of_work(tenant) as work:
        return await purchases.record_opportunity(work, new, after)


async def events_of(database: Database, tenant: UUID, of: Contract) -> list[ContractEvent]:
    async with database.reading(tenant) as reading:
        lines = select(ContractEvent).where(
            ContractEvent.tenant_id == tenant, ContractEvent.contract_id == of.id,
            ContractEvent.contract_version == of.version,
        )  # fmt: skip
        return list(await reading.all(lines.order_by(ContractEvent.position)))


async def test_a_contract_is_kept_with_its_events(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:  # fmt: skip
    customer = await new_customer()
    made = await contract(database, tenant, replace(UPGRADED, customer_id=customer))
    assert (made.version, made.number, made.customer_id, made.status) == (1, "C-1", customer, "ACTIVE")
    assert (made.occurred_at, made.local_day, made.term_ends_on) == (START, date(2026, 5, 1), date(2027, 5, 1))
    assert (made.amount, made.base_amount, made.base_currency) == (12_000, 12_000, "EUR")
    assert (made.plan, made.ended_on, made.event_count) == ("Basic", None, 2)
    started, upgraded = await events_of(database, tenant, made)
    assert (started.position, started.kind, started.mrr, started.base_mrr) == (1, "START", 9_950, 9_950)
    assert (upgraded.position, upgraded.kind, upgraded.mrr, upgraded.base_mrr) == (2, "UPGRADE", 12_000, 12_000)
    assert started.product_id == upgraded.product_id is not None
    assert (upgraded.local_day, upgraded.term_ends_on) == (date(2026, 6, 1), date(2027, 5, 1))
    async with database.reading(tenant) as reading:
        [told] = await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant))
    assert (told.name, told.subject) == ("purchases.ContractRecorded", made.id)
    assert told.body == {"customer_id": customer.hex, "version": 1, "status": "ACTIVE"}


async def test_telling_a_contract_anew_is_a_version(database: Database, tenant: UUID) -> None:
    first = await contract(database, tenant, CONTRACT)
    same = await contract(database, tenant, CONTRACT, Version(first.id, 1))
    assert (same.id, same.version, same.superseded_at) == (first.id, 1, None)
    ended = replace(UPGRADED, events=[*UPGRADED.events, NewEvent(kind=ContractEventKind.END, occurred_at=LATER)])
    second = await contract(database, tenant, ended, Version(first.id, 1))
    assert (second.id, second.version, second.status, second.amount) == (first.id, 2, "ENDED", 0)
    assert (second.ended_on, second.event_count) == (date(2026, 6, 1), 3)
    assert len(await events_of(database, tenant, first)) == 1
    with pytest.raises(StaleVersion) as stale:
        await contract(database, tenant, CONTRACT, Version(first.id, 1))
    assert stale.value.details["current_version"] == 2


async def test_a_contract_in_another_currency_is_converted_whole_at_the_rate_of_its_day(
    database: Database, tenant: UUID
) -> None:
    made = await contract(database, tenant, replace(UPGRADED, currency="USD"))
    assert (made.base_amount, made.base_currency) == (None, None)
    async with database.unit_of_work(tenant) as work:
        await purchases.record_rate(work, date(2026, 5, 1), "USD", "EUR", Decimal("0.9"))
        await purchases.record_rate(work, date(2026, 6, 1), "USD", "EUR", Decimal("0.5"))
    assert [event.base_mrr for event in await events_of(database, tenant, made)] == [8_955, 10_800]
    async with database.reading(tenant) as reading:
        kept = await reading.one(select(Contract).where(Contract.tenant_id == tenant, Contract.id == made.id))
    assert kept is not None
    assert (kept.base_amount, kept.base_currency) == (10_800, "EUR")


async def test_an_opportunity_is_kept_and_closed(
    database: Database, tenant: UUID, new_customer: NewCustomer
) -> None:  # fmt: skip
    customer = await new_customer()
    made = await opportunity(database, tenant, replace(OPPORTUNITY, customer_id=customer))
    assert (made.version, made.customer_id, made.status, made.amount) == (1, customer, "OPEN", 100_000)
    assert (made.base_amount, made.probability, made.stage) == (100_000, Decimal("0.4"), "Offer")
    assert (made.opened_at, made.local_day, made.closed_on) == (START, date(2026, 5, 1), None)
    won = replace(OPPORTUNITY, status=OpportunityStatus.WON, closed_at=LATER, customer_id=customer)
    closed = await opportunity(database, tenant, won, Version(made.id, 1))
    again = await opportunity(database, tenant, won, Version(made.id, 2))
    assert (closed.version, closed.status, closed.closed_on) == (2, "WON", date(2026, 6, 1))
    assert (again.id, again.version) == (made.id, 2)


async def test_what_an_opportunity_may_bring_need_not_be_known(database: Database, tenant: UUID) -> None:
    made = await opportunity(database, tenant, NewOpportunity(opened_at=START))
    assert (made.amount, made.currency, made.probability, made.base_amount) == (None, None, None, None)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"status": OpportunityStatus.WON}, ClosingUnclear),
        ({"closed_at": LATER}, ClosingUnclear),
        ({"status": OpportunityStatus.LOST, "closed_at": START.replace(day=30, month=4)}, ClosedBeforeOpened),
        ({"currency": None}, AmountIncomplete),
        ({"amount": Decimal(-1)}, NegativeAmount),
        ({"amount": Decimal("0.001")}, TooPrecise),
        ({"probability": Decimal("1.1")}, ProbabilityOutOfRange),
        ({"opened_at": START.replace(tzinfo=None)}, NoTimeZone),
    ],
)
async def test_an_opportunity_that_makes_no_sense_is_refused(
    database: Database, tenant: UUID, change: dict[str, Any], problem: type[DomainError]
) -> None:
    with pytest.raises(problem):
        await opportunity(database, tenant, replace(OPPORTUNITY, **change))


async def test_a_refusal_changes_nothing(
    database: Database, tenant: UUID, other_tenant: UUID, unchanged: Unchanged
) -> None:
    theirs, foreign = (
        await contract(database, other_tenant, CONTRACT),
        await opportunity(database, other_tenant, OPPORTUNITY),
    )
    async with unchanged():
        with pytest.raises(StartMissing):
            await contract(database, tenant, replace(CONTRACT, events=[]))
        with pytest.raises(queries.FamilyNotFound):
            await contract(database, tenant, replace(CONTRACT, events=[replace(STARTED, sku=None, family="none")]))
        with pytest.raises(ContractNotFound):
            await contract(database, tenant, CONTRACT, Version(theirs.id, 1))
        with pytest.raises(OpportunityNotFound):
            await opportunity(database, tenant, OPPORTUNITY, Version(foreign.id, 1))
