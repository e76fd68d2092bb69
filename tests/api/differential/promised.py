"""What was agreed with customers, and what may come about: contracts with their events, and opportunities."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.integrations.model import Integration
from domain.purchases.contracts import ContractEventKind, ContractStatus
from domain.purchases.model import Contract, ContractEvent, Opportunity, Product, ProductFamily
from domain.purchases.opportunities import OpportunityStatus

if TYPE_CHECKING:
    from uuid import UUID

    from domain.customers.model import Customer
    from tests.api.differential.world import World

_EACH = 14
_WEEK = timedelta(days=7)


async def business(world: World, people: dict[str, Customer]) -> None:
    """Several of each, some in two versions, with and without a customer, a source, a rate, an amount."""
    mine = {
        model: list(await world.work.all(select(model.id).where(model.tenant_id == world.work.tenant_id)))
        for model in (Integration, Product, ProductFamily)
    }
    whose = [*people.values(), None, None]
    for at in range(_EACH):
        head = _head(world, at, whose[at % len(whose)], mine[Integration])
        for version in range(1, at % 3 // 2 + 2):
            told = {**head, "version": version, "superseded_at": world.moment() if version <= at % 3 // 2 else None}
            contract = _contract(world, at, told)
            await world.add(contract, Opportunity(id=head["id"], **_opportunity(world, at, told)))
            _events(world, contract, mine[Product], mine[ProductFamily])
    await world.work.flush()


def _head(world: World, at: int, who: Customer | None, integrations: list[UUID]) -> dict[str, Any]:
    return {
        "id": world.id(), "customer_id": who and who.id, "number": world.maybe(f"C{at % 5}"),
        "recorded_at": world.moment(), "integration_id": world.maybe(world.random.choice(integrations), 0.5),
        "remote_id": f"A{at}", "content_hash": b"x",
    }  # fmt: skip


def _money(world: World, at: int) -> dict[str, Any]:
    amount, rated = world.random.randrange(99_999), at % 4 != 1
    return {
        "currency": ["EUR", "USD", "JPY", "KWD"][at % 4], "amount": amount,
        "base_amount": amount // 2 if rated else None, "base_currency": "EUR" if rated else None,
    }  # fmt: skip


def _contract(world: World, at: int, told: dict[str, Any]) -> Contract:
    began = world.moment()
    status = list(ContractStatus)[at % 3]
    return Contract(
        **told, **_money(world, at), occurred_at=began, local_day=began.date(), status=status,
        plan=world.maybe(["Basic", "Pro"][at % 2]), term_ends_on=world.maybe((began + _WEEK).date()),
        ended_on=(began + _WEEK).date() if status == ContractStatus.ENDED else None, event_count=at % 4 + 1,
    )  # fmt: skip


def _events(world: World, contract: Contract, products: list[UUID], families: list[UUID]) -> None:
    for position in range(1, contract.event_count + 1):
        at = contract.occurred_at + position * _WEEK
        world.work.add(
            ContractEvent(
                contract_id=contract.id, contract_version=contract.version, position=position, occurred_at=at,
                kind=list(ContractEventKind)[(position + contract.amount) % 8], local_day=at.date(), mrr=position * 101,
                base_mrr=None if contract.base_amount is None else position * 50,
                term_starts_on=world.maybe(at.date()), term_ends_on=world.maybe((at + _WEEK).date()),
                product_id=world.maybe(world.random.choice(products), 0.6),
                family_id=world.maybe(world.random.choice(families), 0.4), plan=world.maybe("Basic"),
            )
        )  # fmt: skip


def _opportunity(world: World, at: int, told: dict[str, Any]) -> dict[str, Any]:
    opened, status = world.moment(), list(OpportunityStatus)[at % 3]
    closed = None if status == OpportunityStatus.OPEN else opened + _WEEK
    nothing = dict.fromkeys(("currency", "amount", "base_amount", "base_currency"))
    return {
        **{name: value for name, value in told.items() if name != "id"},
        **(nothing if at % 5 == 4 else _money(world, at)),
        "opened_at": opened, "local_day": opened.date(), "closed_at": closed, "closed_on": closed and closed.date(),
        "status": status, "probability": world.maybe(Decimal(at) / 20), "stage": world.maybe("Offer"),
        "expected_close_on": world.maybe((opened + _WEEK).date()),
    }  # fmt: skip
