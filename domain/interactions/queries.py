"""How interactions are found: one by its id, its revisions, and the timeline of a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, tuple_

from domain.core.problems import NotFound
from domain.customers.model import Customer
from domain.interactions.model import Interaction

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Select

    from domain.core.unit_of_work import Reading
    from domain.interactions.model import Channel, InteractionKind


class InteractionNotFound(NotFound):
    """There is no interaction with this id here. Check the id; one of another tenant gets the same answer."""


class CustomerNotFound(NotFound):
    """There is no customer with this id here. Check the id; one of another tenant gets the same answer."""


async def interaction(reading: Reading, interaction_id: UUID) -> Interaction:
    """The latest revision of an interaction. Raises InteractionNotFound."""
    found = await reading.one(current(reading, interaction_id))
    if found is None:
        raise InteractionNotFound(id=interaction_id)
    return found


async def revisions(reading: Reading, interaction_id: UUID) -> Sequence[Interaction]:
    """Everything that was ever recorded of an interaction, the latest first."""
    return await reading.all(
        select(Interaction)
        .where(Interaction.tenant_id == reading.tenant_id, Interaction.id == interaction_id)
        .order_by(Interaction.revision.desc())
    )


async def timeline(
    reading: Reading,
    customer_id: UUID,
    *,
    kinds: Collection[InteractionKind] | None = None,
    channels: Collection[Channel] | None = None,
    before: tuple[datetime, UUID] | None = None,
    first: int = 50,
) -> Sequence[Interaction]:
    """What happened with a customer, the latest first, each interaction once with its latest revision.

    It spans all members of the surviving customer; that of an organisation has what happened with its people, too.
    `before` is the (occurred_at, id) of the last one seen. A customer of nobody here has an empty timeline.
    """
    page = (
        select(Interaction)
        .where(
            Interaction.tenant_id == reading.tenant_id,
            Interaction.superseded_at.is_(None),
            Interaction.customer_id.in_(_concerned(reading.tenant_id, customer_id)),
        )
        .order_by(Interaction.occurred_at.desc(), Interaction.id.desc())
        .limit(first)
    )
    if kinds is not None:
        page = page.where(Interaction.kind.in_(kinds))
    if channels is not None:
        page = page.where(Interaction.channel.in_(channels))
    if before is not None:
        page = page.where(tuple_(Interaction.occurred_at, Interaction.id) < before)
    return await reading.all(page)


async def check_customer(reading: Reading, customer_id: UUID | None) -> None:
    """Who is named is there; nobody need be named. Raises CustomerNotFound."""
    if customer_id is None:
        return
    known = select(Customer.id).where(Customer.tenant_id == reading.tenant_id, Customer.id == customer_id)
    if await reading.one(known) is None:
        raise CustomerNotFound(path=("customer",), id=customer_id)


def current(reading: Reading, interaction_id: UUID) -> Select[Interaction]:
    """The statement that finds the latest revision of an interaction."""
    return select(Interaction).where(
        Interaction.tenant_id == reading.tenant_id,
        Interaction.id == interaction_id,
        Interaction.superseded_at.is_(None),
    )


def _concerned(tenant_id: UUID, customer_id: UUID) -> Select[UUID]:
    def here(*columns: object) -> Select[UUID]:
        return select(*columns).where(Customer.tenant_id == tenant_id)  # type: ignore[call-overload,no-any-return]

    root = here(Customer.root_id).where(Customer.id == customer_id)
    members = here(Customer.id).where(Customer.root_id.in_(root))
    people = here(Customer.root_id).where(Customer.organisation_id.in_(members))
    return here(Customer.id).where(or_(Customer.id.in_(members), Customer.root_id.in_(people)))
