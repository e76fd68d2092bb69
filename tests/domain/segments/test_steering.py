from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from domain.core.events import DueWork
from domain.core.ids import new_id
from domain.segments import actions, queries
from domain.segments.criteria import AnyOf, InStage, Not, Occasions
from domain.segments.criteria import InSegment as IsIn
from domain.stages import actions as stages
from domain.stages import settling
from domain.stages.conditions import InSegment
from domain.stages.conditions import Not as IsNot
from domain.stages.model import Stage as StageRow
from domain.stages.model import StageCheck, StageTransition
from domain.stages.rules import CanonicalStep, InvalidDefinition, Lifecycle, Rule, Stage, Text, Trigger
from sync.relay import Relay
from tests.domain.segments.conftest import DAY, NOW, Shop

if TYPE_CHECKING:
    from domain.stages.conditions import Condition


def ruled(*rules: Rule) -> Lifecycle:
    """A lifecycle of two stages."""
    stages = tuple(
        Stage(key=each, position=place, label=Text(en=each), step=CanonicalStep.AWARE)
        for place, each in enumerate(("lead", "client"), start=1)
    )
    return Lifecycle(key="way", stages=stages, rules=rules)


def way(*ways: tuple[str | None, str | None, Condition | None]) -> Lifecycle:
    """The same with rules from where to where, which ask about segments."""
    rules = tuple(
        Rule(source=source, target=target, trigger=Trigger.SEGMENT if when else Trigger.EVENT, when=when)
        for source, target, when in ways
    )
    return ruled(*rules)


async def publish(shop: Shop, definition: Lifecycle) -> None:
    async with shop.database.unit_of_work(shop.tenant) as work:
        await stages.create_lifecycle(work, definition, title=Text(en=definition.key))


async def catch_up(shop: Shop) -> int:
    """Deliver what happened and look by the rules, until nothing is due; how many rounds that takes."""
    for number in range(9):
        await Relay(shop.database).drain(shop.tenant)
        async with shop.database.unit_of_work(shop.tenant) as work:
            due = await work.one(
                select(func.count()).where(
                    DueWork.tenant_id == shop.tenant, DueWork.kind == settling.STAGE_RULES, DueWork.due_at <= work.now
                )
            )
            waiting = select(StageCheck).where(StageCheck.tenant_id == shop.tenant, StageCheck.due_at <= work.now)
            if not await work.all(waiting):
                return number
            assert due == 1
            await settling.settle_due(work, "")
        shop.clock.at += DAY / 24
    message = "the rules never come to rest"
    raise AssertionError(message)


async def moves(shop: Shop) -> list[tuple[str, str | None, Any]]:
    """Who was moved where, how many hours after NOW, in the order of the log."""
    async with shop.database.reading(shop.tenant) as reading:
        rows = await reading.rows(
            select(StageTransition, StageRow.key)
            .outerjoin(StageRow, (StageRow.tenant_id == shop.tenant) & (StageRow.id == StageTransition.to_stage_id))
            .where(StageTransition.tenant_id == shop.tenant)
            .order_by(StageTransition.occurred_at, StageTransition.id)
        )
    hours = [(row.StageTransition.occurred_at - NOW) / (DAY / 24) for row in rows]
    return [(shop.names[row.StageTransition.customer_id], row.key, at) for row, at in zip(rows, hours, strict=True)]


async def test_who_comes_into_a_segment_is_moved_when_he_came_and_who_goes_out_when_he_went(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.order(ann, 3)
    repeat = await shop.segment("repeat", Occasions(gte=2))
    await publish(shop, way(
        (None, "client", InSegment(segment=repeat)), ("client", None, IsNot(of=InSegment(segment=repeat))),
    ))  # fmt: skip
    assert await catch_up(shop) == 1
    assert await moves(shop) == []
    second = await shop.order(ann, 0)
    assert await shop.settle(ann, ben) == 1
    assert await catch_up(shop) == 1
    assert await moves(shop) == [("ann", "client", 1)]
    await shop.refund(ann, second, 1000)
    shop.clock.at += DAY
    await shop.settle(ann)
    assert await catch_up(shop) == 1
    assert await moves(shop) == [("ann", "client", 1), ("ann", None, 26)]


async def test_who_comes_in_when_everybody_is_looked_at_is_moved_too(shop: Shop) -> None:
    ann = await shop.customer("ann")
    repeat = await shop.segment("repeat", Occasions(gte=1))
    await publish(shop, way((None, "client", InSegment(segment=repeat))))
    await catch_up(shop)
    await shop.order(ann, 0)
    await shop.run(repeat)
    await catch_up(shop)
    assert await moves(shop) == [("ann", "client", 1)]
    async with shop.database.reading(shop.tenant) as reading:
        (found,) = await reading.all(select(StageTransition).where(StageTransition.tenant_id == shop.tenant))
    assert (found.evidence or {})["segments"] == [repeat.hex]


async def test_segments_of_stages_and_rules_of_segments_come_to_rest(shop: Shop) -> None:
    await shop.customer("ann")
    await publish(shop, way((None, "lead", None)))
    await catch_up(shop)
    leads = await shop.segment("leads", InStage(lifecycle="way", stage="lead"))
    clients = await shop.segment("clients", InStage(lifecycle="way", stage="client"))
    ahead = (("lead", "client", InSegment(segment=leads)), (None, "lead", InSegment(segment=clients)))
    async with shop.database.unit_of_work(shop.tenant) as work:
        await stages.publish(work, "way", way(*ahead))
    assert await catch_up(shop) == 2
    assert await moves(shop) == [("ann", "lead", -2400), ("ann", "client", 1)]
    assert await shop.members() == {"leads": set(), "clients": {"ann"}}
    back = way(*ahead, ("client", "lead", InSegment(segment=clients)))
    with pytest.raises(queries.RuleCycle) as refused:
        async with shop.database.unit_of_work(shop.tenant) as work:
            await stages.publish(work, "way", back)
    assert {"way"} < {*refused.value.details["cycle"]} <= {"way", "clients", "leads"}


async def test_a_segment_cannot_come_to_ask_for_the_stages_that_its_rules_lead_to_and_fro(shop: Shop) -> None:
    repeat = await shop.segment("repeat", Occasions(gte=2))
    outer = await shop.segment("outer", Not(of=IsIn(segment=repeat)))
    asks = InSegment(segment=outer)
    await publish(shop, way((None, "client", asks), ("client", None, IsNot(of=asks))))
    for where in (InStage(lifecycle="way", stage="client"), InStage(step="AWARE")):
        with pytest.raises(queries.RuleCycle):
            async with shop.database.unit_of_work(shop.tenant) as work:
                await actions.update(work, repeat, 1, criteria=AnyOf(of=(where, Occasions(gte=2))))


async def test_a_rule_asks_only_for_segments_that_are_there_and_keeps_them(shop: Shop) -> None:
    given_up = await shop.segment("given_up", Occasions(gte=2))
    kept = await shop.segment("kept", Occasions(gte=2))
    async with shop.database.unit_of_work(shop.tenant) as work:
        await actions.archive(work, given_up, 1)
    for segment, problem in ((new_id(), queries.UnknownSegment), (given_up, queries.SegmentArchived)):
        with pytest.raises(problem):
            await publish(shop, way((None, "client", InSegment(segment=segment))))
    await publish(shop, way((None, "client", InSegment(segment=kept))))
    with pytest.raises(actions.SegmentMovesCustomers) as refused:
        async with shop.database.unit_of_work(shop.tenant) as work:
            await actions.archive(work, kept, 1)
    assert refused.value.details["lifecycles"] == ["way"]
    async with shop.database.unit_of_work(shop.tenant) as work:
        await stages.publish(work, "way", way())
        await actions.archive(work, kept, 1)


def test_only_a_rule_by_segment_names_one() -> None:
    asks = InSegment(segment=new_id())
    with pytest.raises(InvalidDefinition, match="rule 1 asks for a segment, so its trigger is SEGMENT"):
        ruled(Rule(source=None, target="lead", trigger=Trigger.EVENT, when=asks))
    with pytest.raises(InvalidDefinition, match="rule 1 looks when a segment changes, so its condition names one"):
        ruled(Rule(source=None, target="lead", trigger=Trigger.SEGMENT))
