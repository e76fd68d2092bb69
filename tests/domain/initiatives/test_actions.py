"""An initiative from its plan to its last measurement, and everything that is refused on the way."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import text

from domain.core.problems import NotFound, StaleVersion
from domain.customers import privacy
from domain.initiatives import actions, measuring, queries, report, seal
from domain.initiatives.findings import Flag, Overall, Reason, Verdict
from domain.initiatives.plans import MeasurementKind, Question, Tier
from domain.initiatives.waiting import InsufficientData, TooEarly
from domain.segments import actions as segments
from domain.segments.criteria import DaysSince, Since
from tests.conftest import KEY, dsn
from tests.domain.initiatives import evidence
from tests.domain.initiatives.conftest import BASELINE, FIRST, LIVE, Desk

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.conftest import Logins
    from tests.domain.conftest import Unchanged

FINAL = LIVE + timedelta(days=BASELINE)


@pytest.fixture
async def went_on(desk: Desk, book: evidence.Book) -> evidence.Book:
    """All twenty go on to buy every ten days after go-live."""
    days = [
        (of, day, 1000)
        for number, of in enumerate(book.customers[:20])
        for day in evidence.every(10, LIVE + timedelta(days=number % 3), 6)
    ]
    await evidence.add_days(desk.database, desk.tenant, days)
    book.days += days
    return book


async def test_it_is_planned_sealed_and_measured(desk: Desk, went_on: evidence.Book) -> None:
    header = await desk.sealed(tier=Tier.QUICK)
    assert not header.is_retrospective
    measurement, comparison = await desk.at(FINAL).measured(header.initiative_id)

    assert (measurement.number, measurement.kind, measurement.is_late) == (1, MeasurementKind.FINAL, True)
    assert (measurement.starts_on, measurement.ends_on) == (LIVE, FINAL)
    assert (comparison.groups.treated, comparison.figures_after.occasions) == (20, 120)
    assert comparison.figures_before.occasions == sum(
        LIVE - timedelta(days=BASELINE) <= day < LIVE for of, day, _ in went_on.days if of in went_on.customers[:20]
    )
    assert [answer.verdict for answer in comparison.answers] == [None] * 6
    told = await desk.told(measurement)
    assert [each["question"] for each in told["verdicts"]] == list(Question)
    assert len(told["comparisons"]) == 7
    async with desk.database.reading(desk.tenant) as reading:
        assert (await queries.initiative(reading, header.initiative_id)).status == "MEASURED"

    assert Flag.LATE_DATA not in measurement.flags

    later, _ = await desk.at(FINAL + timedelta(days=10)).measured(header.initiative_id)
    assert (later.number, later.kind, later.overall) == (2, MeasurementKind.MONITORING, None)


async def test_before_the_floor_it_is_too_early_and_afterwards_a_first_look(
    desk: Desk, went_on: evidence.Book, unchanged: Unchanged
) -> None:
    header = await desk.sealed(strict_floor=True)
    early = LIVE + timedelta(days=9)
    async with unchanged():
        with pytest.raises(TooEarly) as refused:
            await desk.at(early).measured(header.initiative_id)
    assert refused.value.details == {
        "earliest_at": LIVE + timedelta(days=10),
        "rule": "LARGEST_GAP_OF_TOP_DECILE",
    }
    measurement, comparison = await desk.at(early + timedelta(days=1)).measured(header.initiative_id)
    assert (measurement.kind, measurement.overall, measurement.next_on) == (MeasurementKind.PRELIMINARY, None, FINAL)
    assert comparison.answer(Question.FREQUENCY).verdict is Verdict.NO_EVIDENCE


async def test_a_first_measurement_that_comes_late_is_flagged_for_ever(desk: Desk, went_on: evidence.Book) -> None:
    header = await desk.sealed()
    assert header.preliminary_begin_by is not None
    first, _ = await desk.at(header.preliminary_begin_by + timedelta(days=1)).measured(header.initiative_id)
    second, _ = await desk.at(FINAL).measured(header.initiative_id)
    assert [one.is_late for one in (first, second)] == [True, True]
    assert Flag.LATE in first.flags


async def test_a_seal_of_the_evening_of_go_live_is_not_retrospective(desk: Desk, went_on: evidence.Book) -> None:
    """In Los Angeles it is go-live until eight in the morning of the next day by Greenwich."""
    async with desk.database.unit_of_work(desk.tenant) as work:
        moved = text("UPDATE tenants SET time_zone = 'America/Los_Angeles' WHERE tenant_id = :tenant")
        await work.execute(moved, {"tenant": desk.tenant})
    desk.clock.at = datetime.combine(LIVE + timedelta(days=1), time(4), UTC)
    header = await desk.sealed(tier=Tier.QUICK)
    measurement, _ = await desk.at(FINAL).measured(header.initiative_id)
    assert (header.is_retrospective, Flag.RETROSPECTIVE in measurement.flags) == (False, False)


async def test_whom_it_became_known_to_be_one_counts_once(desk: Desk, went_on: evidence.Book) -> None:
    """Customers 0 and 3 buy on the same days: merged, they have one purchase on each of them."""
    header = await desk.sealed(tier=Tier.QUICK)
    await _merge(desk, went_on)
    _, comparison = await desk.at(FINAL).measured(header.initiative_id)
    assert (comparison.groups.treated, comparison.figures_after.occasions) == (19, 114)


async def test_whom_it_was_known_to_be_one_counts_once_in_what_a_seal_tells(desk: Desk, book: evidence.Book) -> None:
    apart = await desk.sealed(tier=Tier.QUICK)
    await _merge(desk, book)
    merged = await desk.sealed(tier=Tier.QUICK, name="Once more")
    assert (apart.treated, merged.treated) == (21, 20)
    assert apart.waiting["repeat_purchasers"] - merged.waiting["repeat_purchasers"] == 1
    assert (apart.customers, apart.days) == (merged.customers, merged.days)


async def _merge(desk: Desk, book: evidence.Book) -> None:
    one, other = book.customers[0], book.customers[3]
    async with desk.database.unit_of_work(desk.tenant) as work:
        merge = text("UPDATE customers SET root_id = :root, status = 'MERGED' WHERE tenant_id = :tenant AND id = :id")
        await work.execute(merge, {"root": one, "tenant": desk.tenant, "id": other})


async def test_what_was_chosen_after_the_seal_has_figures_and_no_verdict(desk: Desk, went_on: evidence.Book) -> None:
    header = await desk.sealed(questions=[Question.SIZE, Question.FREQUENCY])
    assert header.questions == ["FREQUENCY", "SIZE"]
    sealed_and_more = {"questions": [Question.RECENCY, Question.SIZE]}
    measurement, comparison = await desk.at(FINAL).measured(header.initiative_id, **sealed_and_more)
    assert (measurement.kind, measurement.overall) == (MeasurementKind.FINAL, Overall.NO_EVIDENCE)
    assert Flag.EXPLORATORY in measurement.flags
    told = {answer.question: (answer.verdict, answer.reason) for answer in comparison.answers}
    possible = (Verdict.NO_EVIDENCE, Reason.TOO_FEW)
    assert told == {Question.FREQUENCY: possible, Question.SIZE: possible, Question.RECENCY: (None, Reason.EXPLORATORY)}
    recency = comparison.answer(Question.RECENCY).measures[0]
    assert recency.change is not None
    assert (recency.interval, recency.reason) == (None, Reason.EXPLORATORY)


async def test_segments_or_a_tier_chosen_after_the_seal_take_no_final_answer_away(
    desk: Desk, went_on: evidence.Book
) -> None:
    async with desk.database.unit_of_work(desk.tenant) as work:
        some = await segments.create(work, "some", {"en": "Some"}, DaysSince(what=Since.FIRST_SEEN, lt=90))
    old = evidence.Book()
    old.customer(FIRST, seen=FIRST - timedelta(days=90))
    await evidence.write(desk.database, desk.tenant, old)
    header = await desk.sealed()
    desk.at(FINAL)
    first, _ = await desk.measured(header.initiative_id, tier=Tier.QUICK)
    async with desk.database.reading(desk.tenant) as reading:
        with pytest.raises(queries.NotMeasured):
            await queries.latest_measurement(reading, header.initiative_id)
    second, comparison = await desk.measured(header.initiative_id, segment_ids=[some.id])
    final, _ = await desk.measured(header.initiative_id, tier=Tier.STANDARD)
    assert [each.kind for each in (first, second, final)] == ["EXPLORATORY", "EXPLORATORY", "FINAL"]
    assert [each.number for each in (first, second, final)] == [1, 2, 3]
    assert [each.tier for each in (first, second, final)] == ["QUICK", "STANDARD", "STANDARD"]
    assert [each.findings["groups"]["treated"] for each in (first, second, final)] == [21, 20, 21]
    assert {(each.verdict, each.reason) for each in comparison.answers} == {(None, Reason.EXPLORATORY)}
    assert comparison.starting_point
    assert comparison.starting_point.reason is Reason.EXPLORATORY
    assert (first.overall, second.overall, final.overall) == (None, None, Overall.NO_EVIDENCE)
    assert Flag.EXPLORATORY not in final.flags


async def test_who_was_erased_leaves_and_is_counted(desk: Desk, went_on: evidence.Book, logins: Logins) -> None:
    header = await desk.sealed(tier=Tier.QUICK)
    async with (
        type(desk.database)(str(logins.privacy), readers=1, writers=1, clock=desk.clock, key=KEY) as eraser,
        eraser.unit_of_work(desk.tenant) as work,
    ):
        await privacy.erase_customer(work, went_on.customers[5])
    measurement, comparison = await desk.at(FINAL).measured(header.initiative_id)
    assert (comparison.groups.treated, comparison.groups.treated_erased) == (19, 1)
    assert (comparison.figures_after.occasions, measurement.late_occasions) == (114, 0)


async def test_what_became_known_later_stands_beside(desk: Desk, went_on: evidence.Book) -> None:
    header = await desk.sealed(tier=Tier.QUICK)
    late = [(went_on.customers[0], FIRST + timedelta(days=5), 7777), (went_on.customers[1], LIVE, 5)]
    await evidence.add_days(desk.database, desk.tenant, late[:1])
    measurement, comparison = await desk.at(FINAL).measured(header.initiative_id)
    assert (measurement.late_occasions, measurement.late_amount) == (1, 7777)
    assert Flag.LATE_DATA in measurement.flags
    assert comparison.figures_before.occasions == 120


async def test_what_became_known_later_and_waits_for_a_rate_is_said_to(desk: Desk, went_on: evidence.Book) -> None:
    """Of three late purchases one waits; what waited when it was sealed is not late."""
    ones, others = went_on.customers[:2]
    await evidence.unrate(desk.database, desk.tenant, [(others, FIRST + timedelta(days=1))])
    header = await desk.sealed(tier=Tier.QUICK)
    late = [(ones, FIRST + timedelta(days=each), 500) for each in (5, 6, 7)]
    await evidence.add_days(desk.database, desk.tenant, late)
    await evidence.unrate(desk.database, desk.tenant, [(ones, FIRST + timedelta(days=6))])
    measurement, _ = await desk.at(FINAL).measured(header.initiative_id)
    assert (measurement.late_occasions, measurement.late_amount) == (3, 1000)
    assert measurement.findings["late_unrated"] == 1
    told = report.page(await desk.told(measurement))
    assert "- 1 documents of before go-live that became known later wait for an exchange rate" in told


async def test_what_waits_for_a_rate_decides_nothing(desk: Desk, went_on: evidence.Book) -> None:
    """A fifth of what was bought after go-live waits, and so do one of two costs of the initiative."""
    initiative = await desk.planned(tier=Tier.QUICK)
    header = await desk.seal(initiative)
    later = [(of, day) for of, day, _ in went_on.days if LIVE <= day < LIVE + timedelta(days=12)]
    await evidence.unrate(desk.database, desk.tenant, later)
    for minor in (500, None):
        await evidence.spend(desk.database, desk.tenant, ("INITIATIVE", LIVE, 5, minor, initiative))
    gathered, found = await desk.at(FINAL).compared(header.initiative_id)
    (size,) = found.answer(Question.SIZE).measures
    assert (size.change, size.before.value, size.after.value) == (None, 1009.5, None)
    assert {Flag.UNRATED_SALES, Flag.UNRATED_COSTS} <= set(found.flags)
    assert [spent.amount for spent in gathered.plan.spent] == [None]


async def test_a_broken_seal_is_not_compared_with(
    desk: Desk, went_on: evidence.Book, logins: Logins, unchanged: Unchanged
) -> None:
    header = await desk.sealed()
    superuser = await asyncpg.connect(dsn(logins.superuser))
    await superuser.execute("UPDATE baseline.sealed_days SET occasions = 0 WHERE seal_id = $1", header.id)
    await superuser.close()
    async with unchanged():
        with pytest.raises(seal.SealBroken):
            await desk.at(FINAL).measured(header.initiative_id)


async def test_without_repeat_purchasers_there_is_nothing_to_measure(desk: Desk) -> None:
    book = evidence.Book()
    for _ in range(3):
        book.customer(LIVE - timedelta(days=70))
    await evidence.write(desk.database, desk.tenant, book)
    header = await desk.sealed()
    with pytest.raises(InsufficientData) as refused:
        await desk.at(FINAL).measured(header.initiative_id)
    assert refused.value.details == {"have": 0, "need": 1, "of": "customers who bought twice within the baseline"}


async def test_two_who_measure_at_once_leave_one_measurement(desk: Desk, went_on: evidence.Book) -> None:
    header = await desk.sealed(tier=Tier.QUICK)
    gathered, found = await desk.at(FINAL).compared(header.initiative_id)
    await desk.measured(header.initiative_id)
    with pytest.raises(actions.MeasuredMeanwhile):
        async with desk.database.unit_of_work(desk.tenant) as work:
            await actions.record(work, gathered, found)


async def test_what_it_was_sealed_for_stays(desk: Desk, book: evidence.Book, unchanged: Unchanged) -> None:
    header = await desk.sealed(questions=[Question.SIZE], minimum_effects={Question.SIZE: 0.05}, tier=Tier.QUICK)
    same = {"name": " Support "}
    async with desk.database.unit_of_work(desk.tenant) as work:
        renamed = await actions.update(work, header.initiative_id, same, version=2)
    assert (renamed.name, renamed.version, renamed.questions) == ("Support", 3, ["SIZE"])
    assert (renamed.minimum_effects, renamed.tier, renamed.baseline_days) == ({"SIZE": 0.05}, "QUICK", BASELINE)
    other = {"name": "Support", "baseline_days": 90}
    for asked, version, problem in ((other, 3, actions.AlreadySealed), (same, 2, StaleVersion)):
        async with unchanged():
            with pytest.raises(problem):
                async with desk.database.unit_of_work(desk.tenant) as work:
                    await actions.update(work, header.initiative_id, asked, version)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"name": " "}, actions.NameMissing),
        ({"baseline_days": 0}, actions.BadBaseline),
        ({"minimum_effects": {Question.SIZE: 1.5}}, actions.BadMinimumEffect),
        ({"customer_ids": [uuid4()]}, NotFound),
        ({"segment_ids": [uuid4()]}, NotFound),
        ({"department_ids": [uuid4()]}, NotFound),
    ],
)
async def test_a_plan_that_makes_no_sense_is_refused(
    desk: Desk, unchanged: Unchanged, asked: dict[str, object], problem: type[Exception]
) -> None:
    async with unchanged():
        with pytest.raises(problem):
            await desk.planned(**asked)


async def test_nothing_is_measured_that_was_not_sealed(desk: Desk, database: Database) -> None:
    planned = await desk.planned()
    async with database.reading(desk.tenant) as reading:
        with pytest.raises(queries.NotSealed):
            await measuring.gather(reading, planned)
        with pytest.raises(queries.NotMeasured):
            await queries.latest_measurement(reading, planned)
        with pytest.raises(queries.UnknownInitiative):
            await measuring.gather(reading, uuid4())
