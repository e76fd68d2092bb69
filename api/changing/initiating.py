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


@strawberry.input(description="What an initiative costs, spent or planned.")
class InitiativeCostInput:
    """What an initiative costs."""

    money: MoneyInput = needed("How much.")
    period: PeriodInput | None = given("When it is spent; on the first day of the initiative without it.", None)
    description: str | None = given("What it is, in a line.", None)


@strawberry.input(
    description="An initiative that is to be planned, and what it costs as far as that is known. With neither"
    " customers, segments nor departments it is for everybody."
)
class CreateInitiativeInput:
    """An initiative with its costs."""

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
    costs: list[InitiativeCostInput] = several("What it costs; more can be recorded later. Takes `purchases:write`.")


@mutation("initiative", "initiatives.Initiative", scope=WRITE, connected=True)
async def create_initiative(work: Writing, asked: CreateInitiativeInput, around: Around) -> Done:
    """Plan an initiative and record what it costs; what becomes known later is recorded with `recordCost`."""
    if asked.costs and COSTS not in around.identity.scopes:
        message = f"The token lacks the scope {COSTS}."
        raise Forbidden(message, scope=COSTS)
    costs = [_cost(each, asked.go_live_on) for each in asked.costs]
    made = await actions.create(work, actions.Proposal(**_said(asked)), costs)
    return Done(Reference("Initiative", made.id))


@strawberry.input(
    description="What is to change of an initiative; what is left out stays. Of a sealed one only name and kind change."
)
class UpdateInitiativeInput:
    """What is to change of an initiative."""

    id: strawberry.ID = needed("The initiative.")
    version: int = needed("The version that you have seen.")
    name: str | None = given("How people call it.", None)
    kind: InitiativeKind | None = given("What sort of thing it is.", None)
    go_live_on: date | None = given("The first day on which it is at work.", None)
    baseline_days: int | None = given("How many days before go-live are compared with, 1 to 3,660.", None)
    tier: Tier | None = given("How strictly it is measured.", None)
    customers: list[strawberry.ID] | None = given("Customers that it is for.", None)
    segments: list[strawberry.ID] | None = given("Segments that it is for, as they are when the baseline begins.", None)
    departments: list[strawberry.ID] | None = given("Departments whose customers it is for.", None)
    questions: list[Question] | None = given("The questions that it is asked; all six where the list is empty.", None)
    minimum_effects: list[MinimumEffectInput] | None = given("Other smallest changes than 2 %.", None)
    paid_only: bool | None = given("Whether orders of amount 0 are left out.", None)
    strict_floor: bool | None = given("Whether to wait for the largest gap of the top decile.", None)
    robust_ceiling: bool | None = given("Whether measuring is late after the 95th percentile of gaps.", None)


@mutation("initiative", "initiatives.Initiative", scope=WRITE)
async def update_initiative(work: Writing, asked: UpdateInitiativeInput) -> Done:
    """Change an initiative: its plan until its baseline is sealed, then only its name and kind."""
    changed = await actions.update(work, id_of("ini", asked.id), _said(asked), asked.version)
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


def _said(asked: CreateInitiativeInput | UpdateInitiativeInput) -> dict[str, Any]:
    """What is said of an initiative, as a Proposal names it; what is left out is not among it."""
    said = {name: getattr(asked, name) for name in _AS_IT_STANDS}
    for name, prefix, chosen in (
        ("customer_ids", "cus", asked.customers),
        ("segment_ids", "seg", asked.segments),
        ("department_ids", "dep", asked.departments),
    ):
        said[name] = None if chosen is None else [id_of(prefix, each) for each in chosen]
    if asked.minimum_effects is not None:
        said["minimum_effects"] = {each.question: float(each.change) for each in asked.minimum_effects}
    return {name: value for name, value in said.items() if value is not None}


_AS_IT_STANDS = (
    "name", "kind", "go_live_on", "baseline_days", "tier", "questions", "paid_only", "strict_floor", "robust_ceiling",
)  # fmt: skip
