"""A customer's stages through time, read from the log of transitions, and what many histories say together.

These are the definitions: what the database projects and counts set-based must agree with them.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, TypeAlias
from uuid import UUID

import msgspec

from domain.core.problems import NotFound
from domain.stages.rules import CauseKind, Standing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from domain.stages.rules import Lifecycle, Stage

# A product of thousands of float factors strays from an exact half by less than this; a real step is larger.
HALF = 0.5 + 1e-9


class ForeignTransition(NotFound):
    """This customer has no such transition in this lifecycle. Take an id from the customer's stage history."""


class Transition(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row of the append-only log: into a stage (target None: out of the lifecycle), or a correction of such a row.

    A correction (`corrects` names an earlier row) says what is now believed of that move: its stage and its time.
    """

    id: UUID
    target: str | None
    occurred_at: datetime
    recorded_at: datetime
    cause: CauseKind = CauseKind.RULE
    corrects: UUID | None = None


class Interval(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One visit to a stage: [entered_at, exited_at), still open where exited_at is None; the visits count from 1.

    `transition` is the row that is believed about its beginning, the last correction where there is one. A visit that
    was left at the moment it began is kept with no length: the customer did enter the stage.
    """

    stage: str
    visit: int
    entered_at: datetime
    exited_at: datetime | None
    transition: UUID
    cause: CauseKind

    @property
    def is_current(self) -> bool:
        """Whether the customer is in this stage still."""
        return self.exited_at is None

    def lasted(self, now: datetime) -> timedelta:
        """How long the visit lasted, up to now where it is current."""
        return (self.exited_at or now) - self.entered_at


History: TypeAlias = "Sequence[Interval]"


class FunnelStep(msgspec.Struct, frozen=True, kw_only=True):
    """Distinct customers at one stage of a funnel.

    `entered` ever entered this stage; `reached` entered it or a later one, so it never grows along the order;
    `continued` of those who entered the stage before (`of`) entered this one at or after that.
    """

    stage: str
    entered: int
    reached: int
    continued: int | None = None
    of: int | None = None

    @property
    def conversion(self) -> Decimal | None:
        """The share of the stage before that came on to this one; None where there is nobody to have come."""
        return Decimal(self.continued) / self.of if self.of and self.continued is not None else None


class Conversion(msgspec.Struct, frozen=True, kw_only=True):
    """Of the distinct customers who ever entered one stage (`of`), those who entered another at or after that."""

    source: str
    target: str
    converted: int
    of: int

    @property
    def rate(self) -> Decimal | None:
        """The share of those who were in the source that came to the target; None where there is nobody to come."""
        return Decimal(self.converted) / self.of if self.of else None


class TimeInStage(msgspec.Struct, frozen=True, kw_only=True):
    """How long customers stay in a stage: medians by Kaplan-Meier, since current stays are not over yet.

    `visit` is over every visit, `latest` over each customer's last one, `cumulative` over the sum of each customer's.
    A median is None while fewer than half of the stays are known to be over.
    """

    stage: str
    customers: int
    visits: int
    visit: timedelta | None
    latest: timedelta | None
    cumulative: timedelta | None


class Movements(msgspec.Struct, frozen=True, kw_only=True):
    """Which ways customers took at one stage of the order; entering from outside comes from before the first stage.

    `left` went from it to another stage, `regressed` of them to an earlier one; `entered` came to it from before it,
    `skipped` went past it from before it.
    """

    stage: str
    left: int
    regressed: int
    entered: int
    skipped: int

    @property
    def regression_rate(self) -> Decimal | None:
        """The share of those who left it that went back; None where nobody left."""
        return Decimal(self.regressed) / self.left if self.left else None

    @property
    def skip_rate(self) -> Decimal | None:
        """The share of those who came to it or went past it that went past; None where nobody came that far."""
        return Decimal(self.skipped) / (self.entered + self.skipped) if self.entered + self.skipped else None


def intervals(transitions: Iterable[Transition], *, as_of: datetime | None = None) -> list[Interval]:
    """The visits that a log tells of, in order; with `as_of`, those that were believed then.

    The log may be that of all members of a merged customer, in any order. Moves follow each other by occurred_at, then
    by when they were first recorded, then by id. A correction replaces what it corrects, also through other
    corrections: the last recorded one counts. A move to the stage where the customer is already is dropped, so a
    mistaken move is undone by correcting it to the stage before.
    """
    visits: Counter[str] = Counter()
    history: list[Interval] = []
    stage: str | None = None
    for move in _believed(transitions, as_of):
        if move.target == stage:
            continue
        if stage is not None:
            history[-1] = msgspec.structs.replace(history[-1], exited_at=move.occurred_at)
        stage = move.target
        if stage is not None:
            visits[stage] += 1
            history.append(_visit(stage, visits[stage], move))
    return history


def standing(history: History) -> Standing:
    """Where a history ends: in its current stage, or outside since it was last left."""
    if not history:
        return Standing()
    last = history[-1]
    if last.exited_at is not None:
        return Standing(since=last.exited_at)
    left = frozenset(interval.stage for interval in history if interval.exited_at == last.entered_at)
    return Standing(stage=last.stage, since=last.entered_at, passed=left or frozenset({None}), pinned=last.cause.pins)


def believed(transitions: Iterable[Transition], move: UUID) -> Transition:
    """The row that is believed of a move now: its last correction, or else itself. `move` is its first record's id."""
    about = (row for row in transitions if move in {row.id, row.corrects})
    return max(about, key=lambda row: (row.recorded_at, row.id))


def find(transitions: Iterable[Transition], transition: UUID) -> Transition:
    """The transition of this id; raises ForeignTransition, the same for an unknown id and for another customer's."""
    found = next((row for row in transitions if row.id == transition), None)
    if found is None:
        raise ForeignTransition(id=transition)
    return found


def funnel(
    lifecycle: Lifecycle,
    histories: Collection[History],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[FunnelStep]:
    """The funnel over the OPEN and WON stages in order, counting each customer once; one history is one customer.

    With a window, only entries within [since, until) count.
    """
    stages = [stage.key for stage in _ordered(lifecycle)]
    entries = [_entries(history, since, until) for history in histories]
    steps: list[FunnelStep] = []
    for index, stage in enumerate(stages):
        before = stages[index - 1] if index else None
        steps.append(
            FunnelStep(
                stage=stage,
                entered=sum(stage in entered for entered in entries),
                reached=sum(not entered.keys().isdisjoint(stages[index:]) for entered in entries),
                continued=None if before is None else sum(_continues(entered, before, stage) for entered in entries),
                of=steps[-1].entered if steps else None,
            )
        )
    return steps


def conversions(
    lifecycle: Lifecycle,
    histories: Collection[History],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Conversion]:
    """Who came from each stage to each other one, neighbours or not, also back; one history is one customer.

    By the order of the first stage, then of the other. With a window, only entries within [since, until) count.
    """
    stages = [stage.key for stage in lifecycle.stages]
    entries = [_entries(history, since, until) for history in histories]
    return [
        Conversion(
            source=source,
            target=target,
            converted=sum(_continues(entered, source, target) for entered in entries),
            of=sum(source in entered for entered in entries),
        )
        for source in stages
        for target in stages
        if target != source
    ]


def time_in_stage(stage: str, histories: Iterable[History], *, now: datetime) -> TimeInStage:
    """How long the customers of these histories stay in a stage; one history is one customer."""
    stays = [visits for history in histories if (visits := [visit for visit in history if visit.stage == stage])]
    return TimeInStage(
        stage=stage,
        customers=len(stays),
        visits=sum(len(visits) for visits in stays),
        visit=median_survival((visit.lasted(now), not visit.is_current) for visits in stays for visit in visits),
        latest=median_survival((visits[-1].lasted(now), not visits[-1].is_current) for visits in stays),
        cumulative=median_survival(
            (sum((visit.lasted(now) for visit in visits), timedelta()), not visits[-1].is_current) for visits in stays
        ),
    )


def movements(
    lifecycle: Lifecycle,
    histories: Iterable[History],
    *,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[Movements]:
    """The ways through the OPEN and WON stages in order; stages that end a way stand outside, as where it begins.

    With a window, only moves within [since, until) count.
    """
    places = {stage.key: place for place, stage in enumerate(_ordered(lifecycle), start=1)}
    ways = [way for history in histories for way in _ways(history, places, since, until)]
    return [
        Movements(
            stage=stage,
            left=sum(source == place for source, _ in ways),
            regressed=sum(source == place and 0 < target < place for source, target in ways),
            entered=sum(source < place == target for source, target in ways),
            skipped=sum(source < place < target for source, target in ways),
        )
        for stage, place in places.items()
    ]


def median_survival(stays: Iterable[tuple[timedelta, bool]]) -> timedelta | None:
    """The Kaplan-Meier median of stays (how long, whether it is over); None while the curve stays above one half.

    At equal lengths, stays that are over come before those that go on (Kaplan and Meier, JASA 53, 1958).
    """
    ended: Counter[timedelta] = Counter()
    lengths: Counter[timedelta] = Counter()
    for length, over in stays:
        lengths[length] += 1
        ended[length] += over
    at_risk, survival = lengths.total(), 1.0
    for length in sorted(lengths):
        survival *= 1 - ended[length] / at_risk
        if survival <= HALF:
            return length
        at_risk -= lengths[length]
    return None


def _ordered(lifecycle: Lifecycle) -> list[Stage]:
    return [stage for stage in lifecycle.stages if not stage.kind.ends]


def _ways(
    history: History, places: Mapping[str, int], since: datetime | None, until: datetime | None
) -> Iterator[tuple[int, int]]:
    """From which place of the order to which a customer moved within a window; 0 is outside of the order."""
    before: Interval | None = None
    for stay in sorted(history, key=_in_time):
        comes_from = before.stage if before is not None and before.exited_at == stay.entered_at else ""
        if (since is None or stay.entered_at >= since) and (until is None or stay.entered_at < until):
            yield places.get(comes_from, 0), places.get(stay.stage, 0)
        before = stay


def _in_time(stay: Interval) -> tuple[datetime, bool, datetime, UUID]:
    return stay.entered_at, stay.is_current, stay.exited_at or stay.entered_at, stay.transition


def _believed(transitions: Iterable[Transition], as_of: datetime | None) -> Iterator[Transition]:
    """The moves in order, each as the last correction of it says."""
    rows = {row.id: row for row in transitions if as_of is None or row.recorded_at <= as_of}
    latest: dict[UUID, Transition] = {}
    for row in sorted(rows.values(), key=lambda row: (row.recorded_at, row.id)):
        latest[_original(row, rows).id] = row
    for key in sorted(latest, key=lambda key: (latest[key].occurred_at, rows[key].recorded_at, key)):
        yield latest[key]


def _original(row: Transition, rows: dict[UUID, Transition]) -> Transition:
    while row.corrects is not None:
        row = rows[row.corrects]
    return row


def _visit(stage: str, visit: int, move: Transition) -> Interval:
    return Interval(
        stage=stage, visit=visit, entered_at=move.occurred_at, exited_at=None, transition=move.id, cause=move.cause
    )


def _entries(history: History, since: datetime | None, until: datetime | None) -> dict[str, list[datetime]]:
    """When each stage was entered within [since, until), ascending."""
    entries: dict[str, list[datetime]] = {}
    for interval in history:
        if (since is None or interval.entered_at >= since) and (until is None or interval.entered_at < until):
            entries.setdefault(interval.stage, []).append(interval.entered_at)
    return entries


def _continues(entries: dict[str, list[datetime]], before: str, stage: str) -> bool:
    """Whether the customer entered a stage at or after first entering another."""
    return before in entries and stage in entries and entries[stage][-1] >= entries[before][0]
