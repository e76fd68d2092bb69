"""The demo's two initiatives: one that makes some customers buy 12 % more often, and one that changes nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from cli.business import laws

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.initiatives.model import Initiative, Measurement

LEAST = 1000
"""With fewer customers nothing could be seen of an effect of this size, and nothing is promised."""

_BASELINE = 180
_MATTERS = 0.05


@dataclass(frozen=True)
class Promise:
    """An initiative, on which half of the customers it is at work, and what it truly does."""

    name: str
    kind: str
    days_ago: int
    effect: float
    cost: Decimal

    def is_for(self, customer: str) -> bool:
        """Whether it is for a customer: a coin is tossed for each."""
        return laws.dice(self.name, customer).random() < 0.5

    def begins(self, until: datetime) -> datetime:
        """When it goes live."""
        begun = until - timedelta(days=self.days_ago)
        return begun.replace(hour=0, minute=0, second=0, microsecond=0)


WORKS = Promise("Barista visits", "EXTRA_SUPPORT", 200, laws.LIFT - 1, Decimal(9000))
DOES_NOTHING = Promise("New packaging", "OTHER", 190, 0.0, Decimal(4000))
PROMISES = (WORKS, DOES_NOTHING)


@dataclass(frozen=True)
class Kept:
    """What was found of a promise, beside the truth."""

    promise: Promise
    initiative_id: UUID
    verdict: str
    change: float | None


def lifted_from(customer: str, until: datetime) -> datetime | None:
    """From when on a customer buys more often, or None."""
    return WORKS.begins(until) if WORKS.is_for(customer) else None


async def seal(work: Writing, chosen: Sequence[tuple[str, UUID]]) -> None:
    """Plan both initiatives for the customers that the coin chose, by their numbers and ids, and seal them."""
    from domain.costs.actions import NewCost, record_cost
    from domain.costs.rules import CostCategory
    from domain.initiatives import actions
    from domain.initiatives.model import InitiativeKind
    from domain.initiatives.plans import Question, Tier

    for promise in PROMISES:
        begins = promise.begins(work.now).date()
        proposal = actions.Proposal(
            name=promise.name, kind=InitiativeKind(promise.kind), go_live_on=begins, baseline_days=_BASELINE,
            tier=Tier.RIGOROUS, customer_ids=[id_ for number, id_ in chosen if promise.is_for(number)],
            minimum_effects=dict.fromkeys(Question, _MATTERS),
        )  # fmt: skip
        made = await actions.create(work, proposal)
        spent = NewCost(
            category=CostCategory.INITIATIVE, amount=promise.cost, currency="EUR", starts_on=begins,
            ends_on=begins + timedelta(days=1), initiative_id=made.id,
        )  # fmt: skip
        await record_cost(work, spent)
        await actions.seal_baseline(work, made.id)


async def measured(database: Database, tenant_id: UUID) -> list[Kept]:
    """What is found of both initiatives; measured now, unless that was done before."""
    from domain.initiatives import queries
    from domain.initiatives.model import InitiativeStatus
    from domain.metrics.clv.actions import fit_models

    found = []
    async with database.reading(tenant_id) as reading:
        made = {each.name: each for each in await queries.initiatives(reading)}
    if any(each.status == InitiativeStatus.SEALED for each in made.values()):
        await fit_models(database, tenant_id)  # a return on customer needs to know what they are worth
    for promise in PROMISES:
        if promise.name in made:
            measurement = await _measurement(database, tenant_id, made[promise.name])
            found.append(await _kept(database, tenant_id, promise, measurement))
    return found


async def _measurement(database: Database, tenant_id: UUID, of: Initiative) -> Measurement:
    from domain.initiatives import actions, measuring, queries

    async with database.reading(tenant_id) as reading:
        if known := await queries.measurements(reading, of.id):
            return known[0]
        evidence = await measuring.gather(reading, of.id)
    compared = await asyncio.to_thread(measuring.compute, evidence)
    async with database.unit_of_work(tenant_id) as work:
        return await actions.record(work, evidence, compared)


async def _kept(database: Database, tenant_id: UUID, promise: Promise, measurement: Measurement) -> Kept:
    """How often customers buy is what the one changes and the other does not."""
    from domain.initiatives import queries
    from domain.initiatives.plans import Question

    async with database.reading(tenant_id) as reading:
        told = await queries.told(reading, measurement)
    answer = next(each for each in told["comparisons"] if each["question"] == Question.FREQUENCY)
    return Kept(promise, measurement.initiative_id, answer["verdict"], answer["change"])
