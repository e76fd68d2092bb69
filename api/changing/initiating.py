"""What can be changed of initiatives: planned, sealed, measured."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import strawberry

from api.changes import Around, mutation
from api.changing.costing import PURCHASES as COSTS
from api.changing.costing import MoneyInput, PeriodInput
from api.changing.inputs import given, id_of, needed, several
from api.problems import Forbidden
from api.reference import Reference
from api.replays import Done
from domain.core.unit_of_work import Writing
from domain.costs import CostCategory, NewCost
from domain.initiatives import actions, measuring
from domain.initiatives.model import InitiativeKind
from domain.initiatives.plans import Question, Tier

WRITE = "customers:write"


@strawberry.input(description="The smallest change of a question that matters.")
class MinimumEffectInput:
    """The smallest change of a question that matters."""

    question: Question = needed("Which question.")
    change: Decimal = needed("A fraction, such as 0.02 for 2 %.")


@strawberry.input(description="An initiative; with neither customers, segments nor departments it is for everybody.")
class InitiativeInput:
    """An initiative."""

    name: str = needed("How people call it.")
    kind: InitiativeKind = given("What sort of thing it is.", InitiativeKind.OTHER)
    go_live_on: date = needed("The first day on which it is at work.")
    baseline_days: int = needed("How many days before go-live are compared with, 1 to 3,660.")
    tier: Tier = given("How strictly it is measured.", Tier.STANDARD)
    customers: list[strawberry.ID] = several("Customers that it is for.")
    segments: list[strawberry.ID] = several("Segments that it is for, as they are when the baseline begins.")
    departments: list[strawberry.ID] = several("Departments whose customers it is for.")
    questions: list[Question] = several("The questions that it is asked; all six without any.")
    minimum_effects: list[MinimumEffectInput] = several("Other smallest changes than 2 %.")
    paid_only: bool = given("Whether orders of amount 0 are left out.", default=False)
    strict_floor: bool = given("Whether to wait for the largest gap of the top decile.", default=False)
    robust_ceiling: bool = given("Whether measuring is late after the 95th percentile of gaps.", default=False)


@strawberry.input(description="What an initiative costs, spent or planned.")
class InitiativeCostInput:
    """What an initiative costs."""

    money: MoneyInput = needed("How much.")
    period: PeriodInput | None = given("When it is spent; on the first day of the initiative without it.", None)
    description: str | None = given("What it is, in a line.", None)


@strawberry.input(description="An initiative that is to be planned, and what it costs as far as that is known.")
class CreateInitiativeInput(InitiativeInput):
    """An initiative with its costs."""

    costs: list[InitiativeCostInput] = several("What it costs; more can be recorded later. Takes `purchases:write`.")


@mutation("initiative", "initiatives.Initiative", scope=WRITE, connected=True)
async def create_initiative(work: Writing, asked: CreateInitiativeInput, around: Around) -> Done:
    """Plan an initiative and record what it costs; what becomes known later is recorded with `recordCost`."""
    if asked.costs and COSTS not in around.identity.scopes:
        message = f"The token lacks the scope {COSTS}."
        raise Forbidden(message, scope=COSTS)
    made = await actions.create(work, _proposal(asked), [_cost(each, asked.go_live_on) for each in asked.costs])
    return Done(Reference("Initiative", made.id))


@strawberry.input(description="An initiative as it is to be; of a sealed one only name and kind can change.")
class UpdateInitiativeInput(InitiativeInput):
    """An initiative as it is to be."""

    id: strawberry.ID = needed("The initiative.")
    version: int = needed("The version that you have seen.")


@mutation("initiative", "initiatives.Initiative", scope=WRITE)
async def update_initiative(work: Writing, asked: UpdateInitiativeInput) -> Done:
    """Plan an initiative anew."""
    changed = await actions.update(work, id_of("ini", asked.id), _proposal(asked), asked.version)
    return Done(Reference("Initiative", changed.id))


@strawberry.input(description="The initiative whose baseline is to be sealed.")
class SealBaselineInput:
    """The initiative whose baseline is to be sealed."""

    id: strawberry.ID = needed("The initiative.")


@mutation("initiative", "initiatives.Initiative", scope=WRITE)
async def seal_baseline(work: Writing, asked: SealBaselineInput) -> Done:
    """Seal what is known of the time before an initiative, once and for good."""
    initiative = id_of("ini", asked.id)
    await actions.seal_baseline(work, initiative)
    return Done(Reference("Initiative", initiative))


@strawberry.input(
    description="The initiative that is to be measured. What was not sealed has figures without a verdict: EXPLORATORY."
)
class TakeMeasurementInput:
    """The initiative that is to be measured, and what is asked beyond what was sealed."""

    id: strawberry.ID = needed("The initiative.")
    questions: list[Question] = several("More questions than those that were sealed; they alone are EXPLORATORY.")
    segments: list[strawberry.ID] = several(
        "Only customers of these segments, as they were when the baseline began; the whole measurement is EXPLORATORY."
    )
    tier: Tier | None = given("Another tier than the sealed one; the whole measurement is EXPLORATORY.", None)


async def _compared(around: Around, asked: TakeMeasurementInput) -> Any:
    segment_ids = [id_of("seg", each) for each in asked.segments]
    beyond = measuring.Asked(questions=asked.questions, segment_ids=segment_ids, tier=asked.tier)
    async with around.database.reading(around.identity.tenant_id) as reading:
        evidence = await measuring.gather(reading, id_of("ini", asked.id), beyond)
    return evidence, await asyncio.to_thread(measuring.compute, evidence)


@mutation("measurement", "initiatives.Measurement", scope=WRITE, before=_compared)
async def take_measurement(work: Writing, asked: TakeMeasurementInput, around: Around) -> Done:  # noqa: ARG001
    """Compare what came after an initiative with its sealed baseline, and keep what was found."""
    made = await actions.record(work, *around.brought)
    return Done(Reference("Measurement", made.id))


def _cost(asked: InitiativeCostInput, go_live_on: date) -> NewCost:
    period = asked.period or PeriodInput(start=go_live_on, end=go_live_on + timedelta(days=1))
    return NewCost(
        category=CostCategory.INITIATIVE, amount=asked.money.amount, currency=asked.money.currency,
        starts_on=period.start, ends_on=period.end, description=asked.description,
    )  # fmt: skip


def _proposal(asked: InitiativeInput) -> actions.Proposal:
    return actions.Proposal(
        name=asked.name,
        kind=asked.kind,
        go_live_on=asked.go_live_on,
        baseline_days=asked.baseline_days,
        tier=asked.tier,
        customer_ids=[id_of("cus", each) for each in asked.customers],
        segment_ids=[id_of("seg", each) for each in asked.segments],
        department_ids=[id_of("dep", each) for each in asked.departments],
        questions=asked.questions,
        minimum_effects={each.question: float(each.change) for each in asked.minimum_effects},
        paid_only=asked.paid_only,
        strict_floor=asked.strict_floor,
        robust_ceiling=asked.robust_ceiling,
    )
