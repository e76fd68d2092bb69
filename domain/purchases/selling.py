"""What can happen to contracts and opportunities: they are recorded, and told anew by new versions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import insert, select

from domain import interactions
from domain.core.clock import aware
from domain.core.problems import NotFound, StaleVersion
from domain.purchases import catalogue, contracts, opportunities, queries, rules
from domain.purchases.model import Contract, ContractEvent, Opportunity
from domain.purchases.opportunities import OpportunityStatus
from domain.purchases.settling import settle_base_amounts
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from domain.core.unit_of_work import Writing
    from domain.purchases.contracts import NewEvent

_Told = TypeVar("_Told", Contract, Opportunity)


class ContractNotFound(NotFound):
    """There is no contract with this id here. Check the id; one of another tenant gets the same answer."""


class OpportunityNotFound(NotFound):
    """There is no opportunity with this id here. Check the id; one of another tenant gets the same answer."""


@dataclass(frozen=True, kw_only=True)
class NewContract:
    """What a contract says: everything that happened to it so far, in any order."""

    currency: str
    events: Sequence[NewEvent]
    customer_id: UUID | None = None
    number: str | None = None


@dataclass(frozen=True, kw_only=True)
class NewOpportunity:
    """What an opportunity says."""

    opened_at: datetime
    customer_id: UUID | None = None
    number: str | None = None
    status: OpportunityStatus = OpportunityStatus.OPEN
    closed_at: datetime | None = None
    amount: Decimal | None = None
    currency: str | None = None
    probability: Decimal | None = None
    stage: str | None = None
    expected_close_on: date | None = None


@dataclass(frozen=True)
class Version:
    """Which version of what is told anew."""

    id: UUID
    number: int


async def record_contract(work: Writing, new: NewContract, after: Version | None = None) -> Contract:
    """Record a contract, or with `after` tell anew what that one is; the same again makes no version.

    Products are made for stock codes that nobody has defined. Raises CustomerNotFound, FamilyNotFound, NoTimeZone or
    what `contracts.follow` raises; with `after` ContractNotFound, or StaleVersion where it is not the current one.
    """
    await interactions.check_customer(work, new.customer_id)
    told = [
        replace(event, occurred_at=aware(event.occurred_at, "events", str(place), "occurredAt"))
        for place, event in enumerate(new.events)
    ]
    events = contracts.follow(new.currency, told, (await tenants.tenant(work)).time_zone)
    first, last = events[0], events[-1]
    status = contracts.status_of(events)
    content = {
        "customer_id": new.customer_id, "number": new.number, "currency": new.currency, "amount": last.mrr,
        "occurred_at": first.occurred_at, "local_day": first.local_day, "status": status, "plan": last.plan,
        "term_ends_on": last.term_ends_on, "event_count": len(events),
        "ended_on": last.local_day if status == contracts.ContractStatus.ENDED else None,
    }  # fmt: skip
    lines = await _lines(work, events)
    digest = rules.digest(content, lines)
    known = await _lock(work, Contract, after, ContractNotFound)
    if known is not None and known.content_hash == digest:
        return known
    contract = Contract(**content, content_hash=digest, **await _following(work, known))
    work.add(contract)
    await work.flush()
    owner = {"tenant_id": work.tenant_id, "contract_id": contract.id, "contract_version": contract.version}
    await work.execute(insert(ContractEvent), [{**line, **owner} for line in lines])
    work.emit("purchases.ContractRecorded", contract.id, **await _settled(work, "contract", contract))
    return contract


async def record_opportunity(work: Writing, new: NewOpportunity, after: Version | None = None) -> Opportunity:
    """Record an opportunity, or with `after` tell anew what that one is; the same again makes no version.

    Raises CustomerNotFound, NoTimeZone or what `opportunities.check_closing` and `opportunities.prospect` raise; with
    `after` OpportunityNotFound, or StaleVersion where it is not the current one.
    """
    await interactions.check_customer(work, new.customer_id)
    opened_at = aware(new.opened_at, "openedAt")
    closed_at = None if new.closed_at is None else aware(new.closed_at, "closedAt")
    opportunities.check_closing(new.status, opened_at, closed_at)
    prospect = opportunities.prospect(new.amount, new.currency, new.probability)
    zone = (await tenants.tenant(work)).time_zone
    content = {
        "customer_id": new.customer_id, "number": new.number, "opened_at": opened_at,
        "local_day": rules.local_day(opened_at, zone), "closed_at": closed_at,
        "closed_on": None if closed_at is None else rules.local_day(closed_at, zone), "status": new.status,
        "currency": new.currency, "amount": prospect.amount, "probability": prospect.probability,
        "stage": new.stage, "expected_close_on": new.expected_close_on,
    }  # fmt: skip
    digest = rules.digest(content)
    known = await _lock(work, Opportunity, after, OpportunityNotFound)
    if known is not None and known.content_hash == digest:
        return known
    opportunity = Opportunity(**content, content_hash=digest, **await _following(work, known))
    work.add(opportunity)
    await work.flush()
    work.emit("purchases.OpportunityRecorded", opportunity.id, **await _settled(work, "opportunity", opportunity))
    return opportunity


async def _lines(work: Writing, events: Sequence[contracts.Event]) -> list[dict[str, Any]]:
    products = await catalogue.find_or_make(work, (event.sku for event in events if event.sku), events[0].occurred_at)
    families = {key: await _family(work, key) for key in {event.family for event in events if event.family}}
    return [_line(place, event, products, families) for place, event in enumerate(events, start=1)]


def _line(
    place: int, event: contracts.Event, products: Mapping[str, UUID], families: Mapping[str, UUID]
) -> dict[str, Any]:
    return {
        "position": place, "kind": event.kind, "occurred_at": event.occurred_at, "local_day": event.local_day,
        "mrr": event.mrr, "term_starts_on": event.term_starts_on, "term_ends_on": event.term_ends_on,
        "product_id": products[event.sku] if event.sku else None,
        "family_id": families[event.family] if event.family else None, "plan": event.plan,
    }  # fmt: skip


async def _family(work: Writing, key: str) -> UUID:
    family = await queries.family(work, key)
    if family is None:
        raise queries.FamilyNotFound(path=("events",), key=key)
    return family.id


async def _lock(
    work: Writing, model: type[_Told], after: Version | None, missing: type[NotFound]
) -> _Told | None:  # fmt: skip
    """The current version that is told anew, which nobody else can meanwhile."""
    if after is None:
        return None
    current = select(model).where(
        model.tenant_id == work.tenant_id, model.id == after.id, model.superseded_at.is_(None)
    )  # fmt: skip
    if await work.one(current) is None:
        raise missing(path=("id",), id=after.id)
    known = await work.one(current.with_for_update().execution_options(populate_existing=True))
    if known is None or known.version != after.number:  # None: superseded while we waited for the lock
        raise StaleVersion(path=("version",), current_version=known.version if known else None)
    return known


async def _following(work: Writing, known: Contract | Opportunity | None) -> dict[str, Any]:
    """What makes a version: it is the first, or follows the one that is known and is current no longer."""
    if known is None:
        return {"id": work.ids(), "version": 1, "recorded_at": work.now}
    known.superseded_at = work.now
    await work.flush()  # before the new version comes: one version is current
    return {
        "id": known.id, "version": known.version + 1, "recorded_at": work.now,
        "integration_id": known.integration_id, "remote_id": known.remote_id,
    }  # fmt: skip


async def _settled(work: Writing, record: str, told: Contract | Opportunity) -> dict[str, Any]:
    """Do what follows from a version that was written; what is told of it."""
    await settle_base_amounts(work)
    await work.session.refresh(told)
    said = {"version": told.version, "status": told.status}
    amount = {"amount": told.amount, "currency": told.currency}
    work.audit(f"{type(told).__tablename__}.record", f"{record}:{told.id.hex}", after={**said, **amount})
    return {"customer_id": told.customer_id.hex if told.customer_id else None, **said}
