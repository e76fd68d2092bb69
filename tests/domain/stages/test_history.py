from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count, pairwise
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.stages.history import (
    ForeignTransition,
    FunnelStep,
    History,
    Interval,
    Movements,
    TimeInStage,
    Transition,
    conversions,
    find,
    funnel,
    intervals,
    median_survival,
    movements,
    standing,
    time_in_stage,
)
from domain.stages.rules import CanonicalStep, CauseKind, Lifecycle, Stage, StageKind, Standing, Text

if TYPE_CHECKING:
    from random import Random

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
KEYS = ("aware", "consider", "buy")
LIFECYCLE = Lifecycle(
    key="shop",
    stages=(
        *(
            Stage(key=key, position=at, label=Text(en=key), step=CanonicalStep.AWARE)
            for at, key in enumerate(KEYS, start=1)
        ),
        Stage(key="lost", position=4, label=Text(en="Lost"), step=CanonicalStep.AWARE, kind=StageKind.LOST),
    ),
)
_ids = count(1)


def move(
    target: str | None,
    day: int,
    *,
    recorded: int | None = None,
    corrects: Transition | None = None,
    cause: CauseKind = CauseKind.RULE,
) -> Transition:
    return Transition(
        id=UUID(int=next(_ids)),
        target=target,
        occurred_at=START + day * DAY,
        recorded_at=START + (day if recorded is None else recorded) * DAY,
        corrects=corrects.id if corrects else None,
        cause=cause,
    )


def days(history: History) -> list[tuple[str, int, int, int | None]]:
    return [
        (
            interval.stage,
            interval.visit,
            (interval.entered_at - START).days,
            (interval.exited_at - START).days if interval.exited_at else None,
        )
        for interval in history
    ]


def history_of(*moves: tuple[str | None, int]) -> list[Interval]:
    return intervals([move(target, day) for target, day in moves])


# Intervals


def test_going_back_and_coming_again_keep_their_own_visits() -> None:
    told = history_of(("aware", 0), ("buy", 10), ("aware", 20), ("buy", 25))
    assert days(told) == [("aware", 1, 0, 10), ("buy", 1, 10, 20), ("aware", 2, 20, 25), ("buy", 2, 25, None)]
    assert [interval.is_current for interval in told] == [False, False, False, True]
    assert [interval.lasted(START + 30 * DAY).days for interval in told] == [10, 10, 5, 5]


def test_whoever_left_is_in_no_stage() -> None:
    assert days(history_of(("aware", 0), (None, 5))) == [("aware", 1, 0, 5)]
    assert days(history_of(("aware", 0), (None, 5), ("aware", 9))) == [("aware", 1, 0, 5), ("aware", 2, 9, None)]
    assert history_of((None, 5)) == []


def test_a_stage_left_at_once_was_entered() -> None:
    assert days(history_of(("aware", 0), ("buy", 0))) == [("aware", 1, 0, 0), ("buy", 1, 0, None)]


def test_members_of_a_merged_customer_share_one_history() -> None:
    ours = [move("aware", 0), move("buy", 10)]
    theirs = [move("aware", 3), move("buy", 20), move("aware", 30)]
    assert days(intervals([*theirs, *ours])) == [
        ("aware", 1, 0, 10),
        ("buy", 1, 10, 30),
        ("aware", 2, 30, None),
    ]
    assert days(intervals(ours)) == [("aware", 1, 0, 10), ("buy", 1, 10, None)]


def test_a_correction_replaces_stage_and_time() -> None:
    first, second = move("aware", 0), move("buy", 10)
    correction = move("consider", 4, recorded=12, corrects=second, cause=CauseKind.PERSON)
    told = intervals([first, second, correction])
    assert days(told) == [("aware", 1, 0, 4), ("consider", 1, 4, None)]
    assert (told[1].transition, told[1].cause) == (correction.id, CauseKind.PERSON)


def test_what_was_believed_then_stays_readable() -> None:
    first, second = move("aware", 0), move("buy", 10)
    log = [first, second, move("consider", 4, recorded=12, corrects=second)]
    assert days(intervals(log, as_of=START + 11 * DAY)) == [("aware", 1, 0, 10), ("buy", 1, 10, None)]
    assert days(intervals(log, as_of=START + 9 * DAY)) == [("aware", 1, 0, None)]
    assert intervals(log, as_of=START - DAY) == []


def test_of_several_corrections_the_last_recorded_one_counts() -> None:
    original = move("aware", 0)
    once = move("buy", 1, recorded=5, corrects=original)
    twice = move("consider", 2, recorded=7, corrects=once)
    beside = move("lost", 3, recorded=6, corrects=original)
    assert days(intervals([original, once, twice, beside])) == [("consider", 1, 2, None)]
    assert days(intervals([original, once, twice, beside], as_of=START + 6 * DAY)) == [("lost", 1, 3, None)]


def test_a_mistaken_move_is_undone_by_correcting_it_to_the_stage_before() -> None:
    first, mistake, third = move("aware", 0), move("buy", 10), move("consider", 20)
    log = [first, mistake, third, move("aware", 10, recorded=21, corrects=mistake)]
    assert days(intervals(log)) == [("aware", 1, 0, 20), ("consider", 1, 20, None)]


def test_a_transition_is_found_in_its_own_history_only() -> None:
    first = move("aware", 0)
    assert find([first], first.id) is first
    with pytest.raises(ForeignTransition) as refused:
        find([first], UUID(int=0))
    assert refused.value.details == {"id": UUID(int=0)}


def test_standing_is_where_a_history_ends() -> None:
    assert standing([]) == Standing()
    assert standing(history_of(("aware", 3))) == Standing(
        stage="aware", since=START + 3 * DAY, passed=frozenset({None})
    )
    assert standing(history_of(("aware", 0), ("consider", 5), ("buy", 5))) == Standing(
        stage="buy", since=START + 5 * DAY, passed=frozenset({"aware", "consider"})
    )
    assert standing(history_of(("aware", 0), (None, 5))) == Standing(since=START + 5 * DAY)
    assert standing(intervals([move("aware", 0, cause=CauseKind.PERSON)])).pinned is True


# Funnel


HISTORIES = [
    history_of(("aware", 0), ("consider", 5), ("buy", 9)),
    history_of(("aware", 0), ("buy", 9), ("aware", 20), ("buy", 30)),
    history_of(("buy", 3), ("consider", 8)),
    history_of(("aware", 2), ("lost", 4)),
    history_of(),
]


def test_a_funnel_counts_distinct_customers() -> None:
    steps = funnel(LIFECYCLE, HISTORIES)
    assert steps == [
        FunnelStep(stage="aware", entered=3, reached=4),
        FunnelStep(stage="consider", entered=2, reached=3, continued=1, of=3),
        FunnelStep(stage="buy", entered=3, reached=3, continued=1, of=2),
    ]
    assert [step.conversion for step in steps] == [None, Decimal(1) / 3, Decimal("0.5")]


def test_a_window_counts_the_entries_within_it() -> None:
    assert funnel(LIFECYCLE, HISTORIES, since=START + 5 * DAY, until=START + 9 * DAY) == [
        FunnelStep(stage="aware", entered=0, reached=2),
        FunnelStep(stage="consider", entered=2, reached=2, continued=0, of=0),
        FunnelStep(stage="buy", entered=0, reached=0, continued=0, of=2),
    ]


def test_a_share_of_nobody_is_unknown() -> None:
    assert FunnelStep(stage="buy", entered=1, reached=1, continued=0, of=0).conversion is None


def test_from_each_stage_to_each_other_one_whether_they_are_neighbours_or_not() -> None:
    told = {(one.source, one.target): (one.converted, one.of) for one in conversions(LIFECYCLE, HISTORIES)}
    assert told == {
        ("aware", "consider"): (1, 3), ("aware", "buy"): (2, 3), ("aware", "lost"): (1, 3),
        ("consider", "aware"): (0, 2), ("consider", "buy"): (1, 2), ("consider", "lost"): (0, 2),
        ("buy", "aware"): (1, 3), ("buy", "consider"): (1, 3), ("buy", "lost"): (0, 3),
        ("lost", "aware"): (0, 1), ("lost", "consider"): (0, 1), ("lost", "buy"): (0, 1),
    }  # fmt: skip
    late = conversions(LIFECYCLE, HISTORIES, since=START + 5 * DAY, until=START + 21 * DAY)
    assert [(one.source, one.target, one.converted, one.rate) for one in late if one.of and one.converted] == [
        ("consider", "buy", 1, Decimal("0.5")),
        ("buy", "aware", 1, Decimal("0.5")),
    ]
    assert late[-1].rate is None


# Movements


def test_ways_on_and_back_and_past_a_stage() -> None:
    histories = [
        history_of(("aware", 0), ("buy", 10), ("aware", 20), ("consider", 24)),
        history_of(("aware", 0), ("consider", 6), ("lost", 9)),
        history_of(("consider", 1)),
    ]
    aware, consider, buy = movements(LIFECYCLE, histories)
    assert aware == Movements(stage="aware", left=3, regressed=0, entered=2, skipped=1)
    assert consider == Movements(stage="consider", left=1, regressed=0, entered=3, skipped=1)
    assert buy == Movements(stage="buy", left=1, regressed=1, entered=1, skipped=0)
    assert (buy.regression_rate, aware.regression_rate, consider.skip_rate) == (1, 0, Decimal("0.25"))
    late = movements(LIFECYCLE, histories, since=START + 10 * DAY, until=START + 20 * DAY)
    assert late == [
        Movements(stage="aware", left=1, regressed=0, entered=0, skipped=0),
        Movements(stage="consider", left=0, regressed=0, entered=0, skipped=1),
        Movements(stage="buy", left=0, regressed=0, entered=1, skipped=0),
    ]
    assert (late[1].regression_rate, late[0].skip_rate) == (None, None)


# Time in stage


def test_time_in_stage_over_visits_latest_and_cumulative() -> None:
    histories = [
        history_of(("aware", 0), ("buy", 10), ("aware", 20), ("buy", 24)),
        history_of(("aware", 0), ("buy", 6)),
        history_of(("buy", 1)),
        history_of(("aware", 20)),
    ]
    assert time_in_stage("aware", histories, now=START + 30 * DAY) == TimeInStage(
        stage="aware", customers=3, visits=4, visit=6 * DAY, latest=6 * DAY, cumulative=14 * DAY
    )
    assert time_in_stage("lost", histories, now=START + 30 * DAY) == TimeInStage(
        stage="lost", customers=0, visits=0, visit=None, latest=None, cumulative=None
    )


@pytest.mark.parametrize(
    ("stays", "expected"),
    [
        ([], None),
        ([(5, True)], 5),
        ([(5, False)], None),
        ([(1, True), (2, True), (3, True), (4, True)], 2),
        ([(1, True), (2, False), (3, True), (4, True)], 3),
        ([(2, True), (2, False), (3, False)], None),
        # Freireich et al. 1963, 6-MP arm, as in Kalbfleisch and Prentice: the median remission is 23 weeks.
        (
            [(week, True) for week in (6, 6, 6, 7, 10, 13, 16, 22, 23)]
            + [(week, False) for week in (6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35)],
            23,
        ),
    ],
)
def test_the_kaplan_meier_median(stays: list[tuple[int, bool]], expected: int | None) -> None:
    found = median_survival((length * DAY, over) for length, over in stays)
    assert found == (None if expected is None else expected * DAY)


# Laws


TARGETS = st.sampled_from([None, *KEYS, "lost"])


@st.composite
def logs(draw: st.DrawFn) -> list[Transition]:
    log: list[Transition] = []
    for recorded in range(draw(st.integers(0, 8))):
        corrected = draw(st.none() | st.sampled_from(log)) if log else None
        log.append(move(draw(TARGETS), draw(st.integers(0, 9)), recorded=recorded, corrects=corrected))
    return log


@given(logs(), st.randoms(use_true_random=False))
def test_intervals_never_overlap_and_visits_count_up(log: list[Transition], random: Random) -> None:
    told = intervals(log)
    for earlier, later in pairwise(told):
        assert earlier.exited_at is not None
        assert earlier.entered_at <= earlier.exited_at <= later.entered_at
    for key in {interval.stage for interval in told}:
        visits = [interval.visit for interval in told if interval.stage == key]
        assert visits == list(range(1, len(visits) + 1))
    shuffled = random.sample(log, len(log))
    assert intervals(shuffled) == told


@given(logs(), st.integers(-1, 9))
def test_what_is_recorded_later_never_changes_what_was_believed(log: list[Transition], day: int) -> None:
    as_of = START + day * DAY
    then = [row for row in log if row.recorded_at <= as_of]
    assert intervals(log, as_of=as_of) == intervals(then)
    assert intervals(log, as_of=START + 99 * DAY) == intervals(log)


@given(logs().filter(bool), st.data())
def test_correcting_and_correcting_back_is_the_identity(log: list[Transition], data: st.DataObject) -> None:
    row = data.draw(st.sampled_from([row for row in log if row.corrects is None]))
    believed = next(
        (later for later in reversed(log) if later.corrects is not None and _root(log, later) == row.id), row
    )
    there = move(data.draw(TARGETS), data.draw(st.integers(0, 9)), recorded=50, corrects=row)
    back = Transition(
        id=UUID(int=next(_ids)),
        target=believed.target,
        occurred_at=believed.occurred_at,
        recorded_at=START + 51 * DAY,
        corrects=there.id,
    )
    assert days(intervals([*log, there, back])) == days(intervals(log))


def _root(log: list[Transition], row: Transition) -> UUID:
    by_id = {one.id: one for one in log}
    while row.corrects is not None:
        row = by_id[row.corrects]
    return row.id


@given(st.lists(logs(), max_size=6))
def test_a_funnel_never_grows_along_the_order(many: list[list[Transition]]) -> None:
    steps = funnel(LIFECYCLE, [intervals(log) for log in many])
    for earlier, later in pairwise(steps):
        assert earlier.reached >= later.reached
    for step in steps:
        assert step.entered <= step.reached <= len(many)
        assert step.conversion is None or 0 <= step.conversion <= 1


@given(st.lists(st.integers(0, 50), min_size=1))
def test_without_open_stays_the_median_is_the_lower_middle(lengths: list[int]) -> None:
    middle = sorted(lengths)[(len(lengths) - 1) // 2]
    assert median_survival((length * DAY, True) for length in lengths) == middle * DAY
