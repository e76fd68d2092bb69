from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from domain.core.database import driver_connection
from domain.core.ids import new_id
from domain.customers.model import Customer
from domain.stages import actions, history, queries, transitions
from domain.stages.history import FunnelStep, TimeInStage
from domain.stages.model import StageInterval, StageTransition
from domain.stages.rules import CanonicalStep, CauseKind, Lifecycle, Stage, StageKind, Text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ("aware", "consider", "buy", "lost")
KINDS = (StageKind.OPEN, StageKind.OPEN, StageKind.WON, StageKind.LOST)
_numbers = count(1)

AGAINST_THE_DATABASE = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Said(NamedTuple):
    """A row of a log, in days: a move, or a correction of the move at a place in the same log."""

    member: int
    target: str | None
    occurred: int
    recorded: int
    corrects: int | None = None


@st.composite
def logs(draw: st.DrawFn) -> list[Said]:
    """The log of a family of two: any moves, in any order, some of them corrected later, some at the same time."""
    stages = st.sampled_from([*KEYS, None])
    days = st.integers(0, 8)
    moves = draw(st.lists(st.builds(Said, st.integers(0, 1), stages, days, days, st.none()), max_size=7))
    corrections = []
    for place in draw(st.lists(st.integers(0, len(moves) - 1), max_size=4)) if moves else []:
        later = draw(st.integers(moves[place].recorded, 9))
        corrections.append(Said(moves[place].member, draw(stages), draw(days), later, place))
    return moves + corrections


async def lifecycle(work: Writing) -> queries.LifecycleInForce:
    """A lifecycle of its own for each example."""
    key = f"shop_{next(_numbers)}"
    stages = tuple(
        Stage(key=name, position=place, label=Text(en=name), step=CanonicalStep.AWARE, kind=kind)
        for place, (name, kind) in enumerate(zip(KEYS, KINDS, strict=True), start=1)
    )
    await actions.create_lifecycle(work, Lifecycle(key=key, stages=stages), title=Text(en="Shop"))
    return await queries.lifecycle(work, key)


async def family(work: Writing) -> list[UUID]:
    """A surviving customer and one who was merged into it."""
    root, absorbed = new_id(), new_id()
    for who, status in ((root, "ACTIVE"), (absorbed, "MERGED")):
        values = {
            "tenant_id": work.tenant_id, "id": who, "kind": "PERSON", "status": status, "root_id": root,
            "member_ids": [root, absorbed], "first_seen_at": START, "created_at": START, "updated_at": START,
        }  # fmt: skip
        await work.execute(insert(Customer), values)
    return [root, absorbed]


async def write(work: Writing, of: queries.LifecycleInForce, members: Sequence[UUID], log: Sequence[Said]) -> None:
    ids = [new_id() for _ in log]
    other = of.stage_ids
    for made, said in zip(ids, log, strict=True):
        target = said.target and other[said.target]
        source = next(id_ for id_ in other.values() if id_ != target)
        row = StageTransition(
            id=made, customer_id=members[said.member], lifecycle_id=of.id, lifecycle_version_id=of.version_id,
            from_stage_id=source, to_stage_id=target, occurred_at=START + said.occurred * DAY,
            recorded_at=START + said.recorded * DAY, cause_kind=CauseKind.PERSON, actor="test",
            corrects=None if said.corrects is None else ids[said.corrects],
        )  # fmt: skip
        work.add(row)
    await work.flush()


async def by_sql(
    reading: Reading, of: queries.LifecycleInForce, members: Sequence[UUID], as_of: datetime
) -> list[dict[str, Any]]:
    sql = queries.INTERVALS_AS_OF.format(customers="$2::uuid[]", lifecycle="$3::uuid", as_of="$4::timestamptz")
    connection = await driver_connection(await reading.connection())
    rows = await connection.fetch(f"SELECT * FROM ({sql}) AS i", reading.tenant_id, list(members), of.id, as_of)
    return [dict(row) for row in rows]


@pytest.mark.anyio
@given(log=logs(), as_of=st.integers(-1, 10))
@AGAINST_THE_DATABASE
async def test_the_sql_of_what_was_believed_says_what_the_definition_says(
    database: Database, tenant: UUID, log: list[Said], as_of: int
) -> None:
    at = START + as_of * DAY
    async with database.unit_of_work(tenant) as work:
        of, members = await lifecycle(work), await family(work)
        await write(work, of, members, log)
        believed = await queries.history(work, members[1], of.key, as_of=at)
        rows = await by_sql(work, of, members, at)
        stage_of = {id_: key for key, id_ in of.stage_ids.items()}
    found = {
        row["id"]: (
            row["stage_key"], stage_of[row["stage_id"]], row["visit"], row["entered_at"], row["exited_at"],
            row["is_current"], row["cause_kind"], row["lifecycle_id"],
        )
        for row in rows
    }  # fmt: skip
    assert found == {
        one.transition: (
            one.stage, one.stage, one.visit, one.entered_at, one.exited_at, one.is_current, one.cause, of.id,
        )
        for one in believed
    }  # fmt: skip


@pytest.mark.anyio
@given(told=st.lists(st.tuples(logs(), logs()), max_size=3))
@settings(AGAINST_THE_DATABASE, max_examples=30)
async def test_what_is_projected_is_what_the_definition_says_however_it_came_to_be_known(
    database: Database, tenant: UUID, told: list[tuple[list[Said], list[Said]]]
) -> None:
    async with database.unit_of_work(tenant) as work:
        of = await lifecycle(work)
        people = [await family(work) for _ in told]
        for turn in (0, 1):
            for members, logs_ in zip(people, told, strict=True):
                await write(work, of, members, logs_[turn])
            families = await queries.families(work, [members[1] for members in people], guard=True)
            places = transitions.places(await transitions.project(work, families))
        histories = {members[0]: await queries.history(work, members[0], of.key) for members in people}
        rows = await work.all(
            select(StageInterval).where(StageInterval.tenant_id == tenant, StageInterval.lifecycle_id == of.id)
        )
    assert {
        (row.id, row.customer_id, row.stage_key, row.visit, row.entered_at, row.exited_at, row.is_current)
        for row in rows
    } == {
        (one.transition, root, one.stage, one.visit, one.entered_at, one.exited_at, one.is_current)
        for root, visits in histories.items()
        for one in visits
    }
    assert {root: place for (root, _), place in places.items()} == {
        root: transitions.Place(history.standing(visits), frozenset(one.stage for one in visits))
        for root, visits in histories.items()
        if visits
    }


@pytest.mark.anyio
@given(
    logs_=st.lists(logs(), max_size=6), window=st.tuples(st.none() | st.integers(0, 8), st.none() | st.integers(0, 8))
)
@AGAINST_THE_DATABASE
async def test_what_is_counted_in_sql_is_what_the_definitions_count(
    database: Database, tenant: UUID, logs_: list[list[Said]], window: tuple[int | None, int | None]
) -> None:
    since, until = (None if nth is None else START + nth * DAY for nth in window)
    async with database.unit_of_work(tenant) as work:
        of = await lifecycle(work)
        families = [await family(work) for _ in logs_]
        for members, log in zip(families, logs_, strict=True):
            await write(work, of, members, log)
        await transitions.rebuild_intervals(work, [members[1] for members in families])
        histories = [await queries.history(work, members[0], of.key) for members in families]
        counted = await queries.funnel(work, of.key, since=since, until=until)
        lasted = await queries.time_in_stage(work, of.key, since=since, until=until)
        converted = await queries.conversions(work, of.key, since=since, until=until)
        moved = await queries.movements(work, of.key, since=since, until=until)
    assert converted == history.conversions(of.definition, histories, since=since, until=until)
    assert moved == history.movements(of.definition, histories, since=since, until=until)
    assert counted == history.funnel(of.definition, histories, since=since, until=until)
    began = [
        [one for one in visits if (since or START) <= one.entered_at and (until is None or one.entered_at < until)]
        for visits in histories
    ]
    assert lasted == [history.time_in_stage(key, began, now=work.now) for key in KEYS]


async def test_a_funnel_and_the_time_in_its_stages(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        of = await lifecycle(work)
        for log in (
            [Said(0, "aware", 0, 0), Said(0, "consider", 2, 2), Said(0, "buy", 6, 6)],
            [Said(0, "aware", 0, 0), Said(1, "buy", 4, 4)],
            [Said(0, "aware", 0, 0), Said(0, "lost", 8, 8)],
        ):
            members = await family(work)
            await write(work, of, members, log)
            await transitions.rebuild_intervals(work, members)
        counted = await queries.funnel(work)
        lasted = await queries.time_in_stage(work)
    assert counted == [
        FunnelStep(stage="aware", entered=3, reached=3),
        FunnelStep(stage="consider", entered=1, reached=2, continued=1, of=3),
        FunnelStep(stage="buy", entered=2, reached=2, continued=1, of=1),
    ]
    four, eternity = 4 * DAY, None
    assert lasted == [
        TimeInStage(stage="aware", customers=3, visits=3, visit=four, latest=four, cumulative=four),
        TimeInStage(stage="consider", customers=1, visits=1, visit=four, latest=four, cumulative=four),
        TimeInStage(stage="buy", customers=2, visits=2, visit=eternity, latest=eternity, cumulative=eternity),
        TimeInStage(stage="lost", customers=1, visits=1, visit=eternity, latest=eternity, cumulative=eternity),
    ]


async def test_where_nobody_was_there_is_nothing_to_count(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        of = await lifecycle(work)
        counted = await queries.funnel(work, of.key)
        lasted = await queries.time_in_stage(work, of.key)
    assert [(step.entered, step.reached, step.continued, step.of) for step in counted] == [
        (0, 0, None, None), (0, 0, 0, 0), (0, 0, 0, 0)
    ]  # fmt: skip
    assert [(one.stage, one.customers, one.visit) for one in lasted] == [(key, 0, None) for key in KEYS]
