from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from api.engine import Ask, Engine, encode
from api.schema import core
from domain.core.clock import FixedClock
from domain.core.due import jobs
from domain.core.events import DueWork, OutboxEvent
from domain.customers.model import Customer
from domain.interactions.model import InteractionKind
from domain.segments import actions, measures, queries, settling
from domain.segments.criteria import (
    All,
    AnyOf,
    CountryIs,
    DaysSince,
    InSegment,
    Interactions,
    LifeSpan,
    Metric,
    Not,
    Occasions,
    Since,
    Spent,
)
from domain.segments.measures import Figure, Measure
from domain.segments.model import SegmentRun, SegmentVersion
from tests.api.conftest import identity
from tests.conftest import new_tenant
from tests.domain.segments.conftest import DAY, NOW, Shop

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    import pytest

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading
    from domain.segments.criteria import Criteria

TWICE = [{"type": "occasions", "gte": 2}]
BROKEN = measures.register(Measure("broken", "SELECT 1 / length(c.country)"))


async def lengths(_: Reading, customers: Sequence[UUID], keys: Collection[str]) -> Mapping[str, Mapping[UUID, Figure]]:
    """A made-up figure: everybody's is 5, and half of all have as much or less."""
    return {key: dict.fromkeys(customers, Figure(Decimal(5), Decimal(50))) for key in keys}


LENGTH = measures.register(Measure("length", figures=lengths))


async def test_who_buys_again_comes_in_and_the_log_says_why(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.order(ann, 10)
    await shop.order(ann, 3)
    await shop.order(ben, 3)
    repeat = await shop.segment("repeat", Occasions(gte=2))
    assert await shop.members() == {"repeat": {"ann"}}
    second = await shop.order(ben, 1)
    assert await shop.settle(ann, ben) == 1
    assert await shop.settle(ann, ben) == 0
    assert await shop.members() == {"repeat": {"ann", "ben"}}
    await shop.refund(ben, second, 1000)
    assert await shop.settle(ben) == 1
    assert await shop.history(repeat) == [("ann", "ENTER", TWICE), ("ben", "ENTER", TWICE), ("ben", "EXIT", TWICE)]
    told = [(name, shop.names.get(subject), body) for name, subject, body in await events(shop)]
    of = {"segment": "repeat", "segment_id": repeat.hex}
    assert told == [
        ("segments.SegmentPublished", None, {"segment": "repeat", "version": 1, "entered": 1, "exited": 0}),
        ("segments.SegmentEntered", "ben", of),
        ("segments.SegmentLeft", "ben", of),
    ]


async def test_reasons_are_the_conditions_that_hold_and_those_that_do_no_more(shop: Shop) -> None:
    ann = await shop.customer("ann", country="DE")
    await shop.order(ann, 50)
    asleep = All(of=(CountryIs(among=("DE",)), Not(of=Occasions(gte=1, within_days=30))))
    segment = await shop.segment("asleep", AnyOf(of=(asleep, Occasions(gte=9))))
    await shop.order(ann, 0)
    await shop.settle(ann)
    no_purchase = {"type": "not", "of": {"type": "occasions", "gte": 1, "within_days": 30}}
    assert await shop.history(segment) == [
        ("ann", "ENTER", [{"type": "country_is", "among": ["DE"]}, no_purchase]),
        ("ann", "EXIT", [no_purchase, {"type": "occasions", "gte": 9}]),
    ]


async def test_segments_are_settled_after_those_that_they_ask_about(shop: Shop) -> None:
    ann = await shop.customer("ann")
    repeat = await shop.segment("repeat", Occasions(gte=2))
    others = await shop.segment("a_others", Not(of=InSegment(segment=repeat)))
    await shop.segment("b_all", AnyOf(of=(InSegment(segment=repeat), InSegment(segment=others))))
    assert await shop.members() == {"repeat": set(), "a_others": {"ann"}, "b_all": {"ann"}}
    await shop.order(ann, 9)
    await shop.order(ann, 1)
    assert await shop.settle(ann) == 2
    assert await shop.members() == {"repeat": {"ann"}, "a_others": set(), "b_all": {"ann"}}


async def test_a_new_version_counts_for_all_at_once_and_those_that_ask_about_it_follow(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.order(ann, 3)
    buyers = await shop.segment("buyers", Occasions(gte=1))
    rest = await shop.segment("rest", Not(of=InSegment(segment=buyers)))
    assert await shop.members() == {"buyers": {"ann"}, "rest": {"ben"}}
    async with shop.database.unit_of_work(shop.tenant) as work:
        await actions.update(work, buyers, 1, criteria=Occasions(lt=1))
    assert await stale(shop) == {"buyers"}
    await shop.settle(ann, ben)
    assert await shop.members() == {"buyers": {"ann"}, "rest": {"ben"}}  # as published: the new one is not worked out
    await work_off(shop, buyers)
    assert await shop.members() == {"buyers": {"ben"}, "rest": {"ben"}}
    assert await stale(shop) == {"rest"}
    await work_off(shop, rest)
    assert await shop.members() == {"buyers": {"ben"}, "rest": {"ann"}}
    assert await stale(shop) == set()
    async with shop.database.reading(shop.tenant) as reading:
        versions = await reading.rows(
            select(SegmentVersion.number, SegmentVersion.published_at)
            .where(SegmentVersion.tenant_id == shop.tenant, SegmentVersion.segment_id == buyers)
            .order_by(SegmentVersion.number)
        )
        run = (await runs(reading, buyers))[-1]
    assert [tuple(row) for row in versions] == [(1, NOW), (2, NOW)]
    assert (run.evaluated, run.entered, run.exited, run.error, run.watermark) == (2, 1, 1, None, NOW)


async def test_a_run_that_fails_leaves_the_members_and_says_why(shop: Shop) -> None:
    ann = await shop.customer("ann", country="")
    await shop.order(ann, 3)
    buyers = await shop.segment("buyers", Occasions(gte=1))
    async with shop.database.unit_of_work(shop.tenant) as work:
        await actions.update(work, buyers, 1, criteria=Metric(key="broken", gte=Decimal(1)))
    async with shop.database.unit_of_work(shop.tenant) as work:
        assert await settling.run_due(work, buyers.hex) == NOW + timedelta(hours=1)
    assert await shop.members() == {"buyers": {"ann"}}
    async with shop.database.reading(shop.tenant) as reading:
        good, bad = await runs(reading, buyers)
        published = (await queries.in_force(reading))[0].criteria
    assert (bad.error, bad.published_at, bad.entered) == ("DBAPIError", None, 0)
    assert good.error is None
    assert published == Occasions(gte=1)
    assert await stale(shop) == {"buyers"}
    await shop.order(ann, 1)
    await shop.change(ann, country="DE")
    await work_off(shop, buyers)
    assert await shop.members() == {"buyers": set()}


async def test_merged_customers_are_one_member_and_two_again_when_that_is_undone(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben")
    await shop.order(ann, 9)
    await shop.order(ben, 2)
    once = await shop.segment("once", Occasions(gte=1, lt=2))
    repeat = await shop.segment("repeat", Occasions(gte=2))
    await shop.change(ben, status="MERGED", root_id=ann, merged_into=ann, member_ids=[])
    await shop.change(ann, member_ids=[ann, ben])
    assert await shop.settle(ann, ben) == 3
    assert await shop.members() == {"once": set(), "repeat": {"ann"}}
    assert ("ben", "EXIT", [{"type": "merged"}]) in await shop.history(once)
    await shop.change(ben, status="ACTIVE", root_id=ben, merged_into=None, member_ids=[ben])
    await shop.change(ann, member_ids=[ann])
    assert await shop.settle(ann, ben) == 3
    assert await shop.members() == {"once": {"ann", "ben"}, "repeat": set()}
    await shop.change(ben, status="ERASED")
    assert await shop.settle(ben) == 1
    assert (await shop.history(once))[-1] == ("ben", "EXIT", [{"type": "erased"}])
    assert await shop.history(repeat) == [("ann", "ENTER", TWICE), ("ann", "EXIT", TWICE)]


async def test_time_alone_is_looked_at_once_a_day_in_portions(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settling, "BATCH", 2)
    names = ["ann", "ben", "cat", "dan", "eve"]
    made = [await shop.customer(name) for name in names]
    for who in made:
        await shop.order(who, 29)
    recent = await shop.segment("recent", DaysSince(what=Since.LAST_PURCHASE, lt=30))
    asleep = await shop.segment("asleep", Not(of=InSegment(segment=recent)))
    await shop.segment("buyers", Occasions(gte=1))
    assert await due(shop, settling.SWEEP) == datetime(2126, 6, 2, tzinfo=UTC)
    shop.clock.move(DAY)
    turns = 0
    again: datetime | None = None
    while again is None or again == shop.clock.at:
        async with shop.database.unit_of_work(shop.tenant) as work:
            again = await jobs.by_kind[settling.SWEEP](work, "")
        turns += 1
    assert (turns, again) == (3, datetime(2126, 6, 3, tzinfo=UTC))
    assert await shop.members() == {"recent": set(), "asleep": set(names), "buyers": set(names)}
    async with shop.database.reading(shop.tenant) as reading:
        last = (await runs(reading, recent))[-1]
        other = (await runs(reading, asleep))[-1]
    assert (last.evaluated, last.entered, last.exited, last.watermark) == (5, 0, 5, NOW + DAY)
    assert (other.entered, other.exited) == (5, 0)


async def test_figures_that_are_worked_out_together_can_be_asked_about(shop: Shop) -> None:
    ann, ben = await shop.customer("ann"), await shop.customer("ben", country="DE")
    await shop.segment("long", Metric(key="length", gte=Decimal(5), lte=Decimal(5)))
    await shop.segment(
        "half", All(of=(CountryIs(among=("DE",)), Metric(key="length", lte=Decimal(50), percentile=True)))
    )
    assert await shop.members() == {"long": {"ann", "ben"}, "half": {"ben"}}
    await shop.change(ann, country="DE")
    assert await shop.settle(ann, ben) == 1
    assert await shop.fitting(Metric(key="length", gte=Decimal("5.1"))) == set()


async def test_what_was_given_up_lets_everybody_out_and_keeps_its_history(shop: Shop) -> None:
    ann = await shop.customer("ann")
    everybody = await shop.segment("everybody", Occasions(gte=0))
    async with shop.database.unit_of_work(shop.tenant) as work:
        await actions.archive(work, everybody, 1)
    assert await shop.members() == {"everybody": set()}
    assert (await shop.history(everybody))[-1] == ("ann", "EXIT", [{"type": "archived"}])
    assert await shop.settle(ann) == 0
    async with shop.database.unit_of_work(shop.tenant) as work:
        assert await settling.run_due(work, everybody.hex) is None


async def test_another_tenant_sees_none_of_it(shop: Shop, other_tenant: UUID) -> None:
    ann = await shop.customer("ann")
    everybody = await shop.segment("everybody", Occasions(gte=0))
    other = Shop(shop.database, other_tenant, shop.clock, shop.names)
    await other.customer("zoe")
    async with other.database.unit_of_work(other_tenant) as work:
        assert await settling.settle(work, [ann]) == 0
        for asked in (queries.segment(work, everybody), queries.preview(work, InSegment(segment=everybody))):
            try:
                await asked
            except queries.UnknownSegment:
                continue
            raise AssertionError
    assert await other.members() == {}
    assert await shop.members() == {"everybody": {"ann"}}


CRITERIA: tuple[tuple[str, Criteria], ...] = (
    ("repeat", Occasions(gte=2)),
    ("lately", Occasions(gte=1, within_days=10)),
    ("quiet", Not(of=Interactions(kinds=("CALL",), gte=1))),
    ("rich", Spent(gte=Decimal(15))),
    ("long", LifeSpan(gte=5)),
    ("asleep", DaysSince(what=Since.LAST_PURCHASE, gte=8)),
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["order", "call", "refund", "merge", "unmerge", "day"]), st.integers(0, 3), st.integers(0, 20)
    ),
    max_size=6,
)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
async def test_kept_up_to_date_is_the_same_as_worked_out_anew(
    steps: list[tuple[str, int, int]], standing: Database
) -> None:
    """After any story, the members are those of a run over everybody."""
    shop = await fresh(standing)
    people = [await shop.customer(name) for name in ("ann", "ben", "cat", "dan")]
    segments = [await shop.segment(key, criteria) for key, criteria in CRITERIA]
    segments.append(
        await shop.segment("crossed", All(of=(InSegment(segment=segments[0]), Not(of=InSegment(segment=segments[1])))))
    )
    orders: list[tuple[UUID, UUID]] = []
    for deed, whose, days in steps:
        who = people[whose]
        if deed == "order":
            orders.append((who, await shop.order(who, days)))
        elif deed == "call":
            await shop.interaction(who, InteractionKind.CALL, days)
        elif deed == "refund" and orders:
            who, bought = orders.pop()
            await shop.refund(who, bought, 1000, 0)
        elif deed in {"merge", "unmerge"}:
            await join(shop, people, who, together=deed == "merge")
        elif deed == "day":
            shop.clock.move(DAY)
            async with shop.database.unit_of_work(shop.tenant) as work:
                await settling.sweep_due(work, "")
        await shop.settle(*people)
    kept = await shop.members()
    for segment in segments:
        await shop.run(segment)
    assert await shop.members() == kept


async def fresh(database: Database) -> Shop:
    """An empty shop of a new tenant."""
    assert isinstance(database.clock, FixedClock)
    database.clock.at = NOW
    return Shop(database, await new_tenant(database), database.clock)


async def join(shop: Shop, people: list[UUID], who: UUID, *, together: bool) -> None:
    """Merge somebody into the first one, or part them again."""
    root = people[0]
    if who == root:
        return
    if together:
        await shop.change(who, root_id=root, status="MERGED", merged_into=root, member_ids=[])
    else:
        await shop.change(who, root_id=who, status="ACTIVE", merged_into=None, member_ids=[who])
    async with shop.database.reading(shop.tenant) as reading:
        members = await reading.all(
            select(Customer.id).where(Customer.tenant_id == shop.tenant, Customer.root_id == root).order_by(Customer.id)
        )
    await shop.change(root, member_ids=list(members))


async def events(shop: Shop) -> list[tuple[str, UUID, dict[str, Any]]]:
    """What was told of segments."""
    async with shop.database.reading(shop.tenant) as reading:
        rows = await reading.all(
            select(OutboxEvent)
            .where(OutboxEvent.tenant_id == shop.tenant, func.starts_with(OutboxEvent.name, "segments."))
            .order_by(OutboxEvent.id)
        )
    return [(row.name, row.subject, row.body) for row in rows]


async def stale(shop: Shop) -> set[str]:
    """The segments whose members are still those of before."""
    document = "{ segments(first: 50) { nodes { key stale } } }"
    engine = Engine(shop.database, core)
    prepared = engine.prepare(Ask(document, identity(shop.tenant)))
    found = orjson.loads(encode(await engine.answer(prepared)))["data"]["segments"]["nodes"]
    return {segment["key"] for segment in found if segment["stale"]}


async def work_off(shop: Shop, segment: UUID) -> None:
    """What a worker does with a segment that is due."""
    async with shop.database.unit_of_work(shop.tenant) as work:
        assert await jobs.by_kind[settling.RUN](work, segment.hex) is None


async def runs(reading: Reading, segment: UUID) -> Sequence[SegmentRun]:
    """The runs of a segment in their order."""
    return await reading.all(
        select(SegmentRun)
        .where(SegmentRun.tenant_id == reading.tenant_id, SegmentRun.segment_id == segment)
        .order_by(SegmentRun.watermark, SegmentRun.id)
    )


async def due(shop: Shop, kind: str) -> datetime | None:
    """When some work is due."""
    asked = select(DueWork.due_at).where(DueWork.tenant_id == shop.tenant, DueWork.kind == kind)
    async with shop.database.directory() as connection:
        return await connection.scalar(asked)
