"""What is proved of customers: cases, scores, opinions, referrals, and what campaigns led to."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.interactions.model import (
    CampaignResponse,
    Case,
    Interaction,
    Referral,
    Review,
    SocialMention,
    SurveyMeasure,
    SurveyResponse,
)

if TYPE_CHECKING:
    from uuid import UUID

    from domain.customers.model import Customer
    from tests.api.differential.world import World

_EACH = 12


async def evidence(world: World, people: dict[str, Customer]) -> None:
    """Several of each kind, of customers who were merged, too; some are told by an interaction that is there."""
    told = await world.work.all(
        select(Interaction.id).where(Interaction.tenant_id == world.work.tenant_id, Interaction.superseded_at.is_(None))
    )
    known = list(people.values())
    for at in range(_EACH):
        _case(world, known[at % len(known)].id, at)
        for make in (_survey, _opinion, _referral):
            make(world, known, at, told)
    for survivor in [customer for customer in known if customer.root_id == customer.id]:
        _campaigns(world, survivor.id)
    await world.work.flush()


def _case(world: World, whose: UUID, at: int) -> None:
    opened, answered, resolved = world.moment(), world.maybe(world.moment()), world.maybe(world.moment())
    cost = world.maybe(at * 111)
    world.work.add(
        Case(
            id=world.id(), customer_id=whose, case_key=f"c{at}", title=world.maybe("Broken"),
            priority=world.maybe("high"), opened_at=opened, local_day=opened.date(), answered_at=answered,
            resolved_at=resolved, reopened=at % 3, answer_minutes=world.maybe(at), resolution_minutes=world.maybe(7),
            cost=cost, currency=None if cost is None else ["EUR", "JPY", "KWD"][at % 3],
        )
    )  # fmt: skip


def _told(world: World, known: list[Customer], at: int, told: Any) -> dict[str, Any]:
    """What everything has that one interaction gave."""
    moment = world.moment(3)
    id_ = told[world.random.randrange(len(told) // _EACH) * _EACH + at] if world.random.random() < 0.7 else world.id()
    return {
        "id": id_, "customer_id": known[at % len(known)].id, "occurred_at": moment, "local_day": moment.date(),
    }  # fmt: skip


def _survey(world: World, known: list[Customer], at: int, told: Any) -> None:
    world.work.add(
        SurveyResponse(
            **_told(world, known, at, told), survey=world.maybe("Spring"), measure=list(SurveyMeasure)[at % 4],
            score=Decimal(at) / 2, out_of=world.maybe(10),
        )
    )  # fmt: skip


def _opinion(world: World, known: list[Customer], at: int, told: Any) -> None:
    for model in (Review, SocialMention):
        rating = world.maybe(Decimal(at % 6))
        world.work.add(
            model(
                **_told(world, known, at, told), site=world.maybe("example.com"), rating=rating, out_of=5,
                is_positive=None if rating is None else rating >= 4,
            )
        )  # fmt: skip


def _referral(world: World, known: list[Customer], at: int, told: Any) -> None:
    referred = world.maybe(world.random.choice(known).id)
    world.work.add(
        Referral(
            **_told(world, known, at, told),
            referred_id=referred,
            is_self=at % 4 == 0,
            converted_at=referred and world.maybe(world.moment()),
        )
    )


def _campaigns(world: World, whose: UUID) -> None:
    for campaign in ("spring", "may", "Autumn")[: world.random.randrange(4)]:
        delivered, raw = world.moment(), world.maybe(world.moment())
        world.work.add(
            CampaignResponse(
                customer_id=whose, campaign_key=campaign, delivered_at=delivered, delivered_on=delivered.date(),
                deliveries=2, raw_at=raw, human_at=raw and world.maybe(raw), raw_responses=3 if raw else 0,
                human_responses=1,
            )
        )  # fmt: skip
