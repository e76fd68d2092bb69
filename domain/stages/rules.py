"""What a lifecycle is made of, what it decides, and what a new version of it owes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING

import msgspec

from domain.core.problems import Conflict, Invalid
from domain.stages.conditions import Condition, Facts, Needs, Record, needs_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from uuid import UUID


_EVER = datetime.min.replace(tzinfo=UTC)


class UnknownStage(Invalid):
    """This lifecycle has no such stage. Choose one of the stages that the message names."""


class SameStage(Conflict):
    """The customer is in this stage already. Nothing was changed."""


class StageNotReachable(Conflict):
    """This stage cannot be entered from the customer's current stage. Choose one that a rule leads to."""


class ReasonRequired(Invalid):
    """This move needs a reason. Say why in the field `reason`."""


class InvalidDefinition(Invalid):
    """This lifecycle cannot be published as it is defined. Correct each of the faults."""


class IncompleteStageMap(Invalid):
    """Customers stand in stages that the new version does not have. Map each to a new one, or to none."""


class CanonicalStep(StrEnum):
    """The canonical step of a stage, by which metrics compare across lifecycles, tenants and versions."""

    AWARE = "AWARE"
    CONSIDER = "CONSIDER"
    PURCHASE = "PURCHASE"
    USE = "USE"
    RETAIN = "RETAIN"
    ADVOCATE = "ADVOCATE"


class StageKind(StrEnum):
    """OPEN: on the way; WON: what the lifecycle works towards; LOST: ended without, CHURNED: ended after a purchase."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"
    CHURNED = "CHURNED"

    @property
    def ends(self) -> bool:
        """Whether a life stops here, outside of the order of the other stages."""
        return self is StageKind.LOST or self is StageKind.CHURNED


class Trigger(StrEnum):
    """What makes a rule look: a person, something that happened, a segment, or time that went by."""

    MANUAL = "MANUAL"
    EVENT = "EVENT"
    SEGMENT = "SEGMENT"
    TIME = "TIME"


class CauseKind(StrEnum):
    """Who or what made a move."""

    RULE = "RULE"
    PERSON = "PERSON"
    CONNECTOR = "CONNECTOR"
    MIGRATION = "MIGRATION"

    @property
    def pins(self) -> bool:
        """Whether the stage was chosen, so that rules leave it alone until something new happens."""
        return self in {CauseKind.PERSON, CauseKind.CONNECTOR}


class Movement(StrEnum):
    """Where a move leads, seen from the customer's own history."""

    FORWARD = "FORWARD"
    REGRESSION = "REGRESSION"
    REENTRY = "REENTRY"
    SKIP = "SKIP"


class Text(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """A text for people, in English and, where there is one, in Persian."""

    en: str
    fa: str | None = None

    def in_locale(self, locale: str) -> str:
        """The text in this locale; English where it is missing."""
        return (self.fa or self.en) if locale == "fa" else self.en


class Stage(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A stage of a lifecycle: where it stands, what it means, and what a customer here typically needs."""

    key: str
    position: int
    label: Text
    step: CanonicalStep
    kind: StageKind = StageKind.OPEN
    rotting_days: int | None = None
    needs: Text | None = None


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, cache_hash=True):
    """A move that a lifecycle knows: source None enters it, target None leaves it, when None asks nothing."""

    source: str | None
    target: str | None
    trigger: Trigger
    when: Condition | None = None
    requires_reason: bool = False

    def holds(self, facts: Facts) -> bool:
        """Whether the facts satisfy the rule's condition."""
        return self.when is None or self.when.holds(facts)

    @property
    def segments(self) -> frozenset[UUID]:
        """The segments that the condition names."""
        return frozenset() if self.when is None else self.when.needs().segments


class Lifecycle(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One version of a lifecycle: its stages in the order of their positions, its rules in the order they are asked."""

    key: str
    stages: tuple[Stage, ...]
    rules: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        validate_definition(self.stages, self.rules)

    def stage(self, key: str) -> Stage:
        """The stage of this key. Raises UnknownStage, the same for an invented key and for one of another lifecycle."""
        if key not in self._stages:
            raise _unknown(key, self._stages)
        return self._stages[key]

    def place(self, key: str | None) -> int | None:
        """The position of a stage on the way; None outside of it, as where a life ended. Raises UnknownStage."""
        if key not in self._places:
            raise _unknown(key, self._stages)
        return self._places[key]

    @cached_property
    def needs(self) -> Needs:
        """The facts that the rules which move by themselves ask for."""
        return needs_of(
            tuple(rule.when for rule in self.rules if rule.trigger is not Trigger.MANUAL and rule.when is not None)
        )

    @cached_property
    def automatic(self) -> Mapping[str | None, tuple[Rule, ...]]:
        """By source, the rules that move by themselves, in the order they are asked."""
        sources: tuple[str | None, ...] = (None, *self._stages)
        return {
            source: tuple(rule for rule in self.rules if rule.source == source and rule.trigger is not Trigger.MANUAL)
            for source in sources
        }

    @cached_property
    def turns(self) -> bool:
        """Whether the rules that move by themselves can lead back to where they led out of."""
        ways = {source: {rule.target for rule in rules} for source, rules in self.automatic.items()}
        try:
            TopologicalSorter(ways).prepare()
        except CycleError:
            return True
        return False

    @cached_property
    def needs_from(self) -> Mapping[str | None, Needs]:
        """By source, the facts that the rules out of it ask for."""
        return {
            source: needs_of(tuple(rule.when for rule in rules if rule.when is not None))
            for source, rules in self.automatic.items()
        }

    @cached_property
    def open_positions(self) -> tuple[int, ...]:
        """The positions of the OPEN stages, ascending from 1 or later."""
        return tuple(stage.position for stage in self.stages if stage.kind is StageKind.OPEN)

    @cached_property
    def _stages(self) -> Mapping[str, Stage]:
        return {stage.key: stage for stage in self.stages}

    @cached_property
    def _places(self) -> Mapping[str | None, int | None]:
        return {None: None} | {stage.key: None if stage.kind.ends else stage.position for stage in self.stages}


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Where a customer stands in a lifecycle and since when; stage None is outside of it.

    `passed` are the stages (None: outside) that were left at the very moment of `since`. `pinned` says that a person or
    another system chose the stage: it holds until something new happens.
    """

    stage: str | None = None
    since: datetime | None = None
    passed: frozenset[str | None] = frozenset()
    pinned: bool = False


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """A move that a rule makes, at the moment from which its condition held."""

    rule: Rule
    at: datetime


def validate_definition(stages: Collection[Stage], rules: Collection[Rule]) -> None:
    """Raises InvalidDefinition with every fault found, or promises that the definition can be published."""
    faults = tuple(_faults_of_stages(tuple(stages))) + tuple(_faults_of_rules(stages, tuple(rules)))
    if faults:
        raise InvalidDefinition(f"This lifecycle cannot be published: {'; '.join(faults)}.", faults=faults)


def next_stage(
    lifecycle: Lifecycle, current: str | None, facts: Facts, *, passed: Collection[str | None] = ()
) -> Rule | None:
    """The first rule, in the lifecycle's order, that moves a customer on by itself from the current stage.

    Rules by MANUAL never move by themselves. Stages in `passed` are not entered: whoever asks again after a move names
    the stages of this moment there, so that two rules which lead to each other cannot turn for ever.
    """
    for rule in lifecycle.automatic[current]:
        if rule.target not in passed and rule.holds(facts):
            return rule
    return None


def settle(lifecycle: Lifecycle, standing: Standing, record: Record, *, until: datetime) -> list[Move]:
    """The moves that the rules make from a customer's standing on, each dated when its condition came to hold.

    Facts are looked at again at every moment at which an answer can turn, from the current stage's beginning (after
    it, where the stage is pinned) up to `until`, this included. At one moment no stage is entered twice. Settling
    again with nothing new makes no move.
    """
    moments = sorted(record.moments(lifecycle.needs) + _ripening(lifecycle.needs, standing))
    since, is_restless = _unsettled_since(standing), True
    moves: list[Move] = []
    while True:
        # Moments that no rule out of this stage asks about are passed over, unless one of them can move at any moment.
        at = _first(moments, since) if is_restless else _next_turn(lifecycle, standing, record, since)
        if at is None or at > until:
            return moves
        rules, is_restless = _moves_at(lifecycle, standing, record, at)
        if rules:
            moves += [Move(rule=rule, at=at) for rule in rules]
            standing = Standing(stage=rules[-1].target, since=at)
            for ripe in _ripening(lifecycle.needs, standing):
                insort(moments, ripe)
        since = at + datetime.resolution


def next_look(lifecycle: Lifecycle, standing: Standing, record: Record, *, after: datetime) -> datetime | None:
    """The next moment at which time alone can move a customer on from here; None where only something new can.

    A rule that was held back because its target was passed at the same moment waits for something new as well.
    """
    needs = lifecycle.needs_from[standing.stage]
    known = bisect_right(record.occasions, after)
    # Only the last purchase is what so many days go by after.
    recent = msgspec.structs.replace(record, occasions=record.occasions[max(known - 1, 0) :])
    moments = recent.moments(needs) + _ripening(needs, standing)
    return min([at for at in moments if at > after], default=None)


def check_move(
    lifecycle: Lifecycle, source: str | None, target: str | None, *, reason: str | None = None
) -> Rule | None:
    """Promises that a person may make this move, and returns the MANUAL rule that allows it.

    A lifecycle without MANUAL rules allows every move by hand (then None is returned); one with such rules allows only
    theirs. Raises UnknownStage, SameStage, StageNotReachable or ReasonRequired.
    """
    for key in (source, target):
        if key is not None:
            lifecycle.stage(key)
    if source == target:
        raise SameStage(stage=target)
    by_hand = [rule for rule in lifecycle.rules if rule.trigger is Trigger.MANUAL]
    if not by_hand:
        return None
    allowed = next((rule for rule in by_hand if (rule.source, rule.target) == (source, target)), None)
    if allowed is None:
        raise StageNotReachable(stage=target, reachable=tuple(rule.target for rule in by_hand if rule.source == source))
    if allowed.requires_reason and not (reason or "").strip():
        raise ReasonRequired(path=("reason",))
    return allowed


def direction(
    lifecycle: Lifecycle, source: str | None, target: str | None, visited: Collection[str]
) -> Movement | None:
    """The direction of a move, given the stages that the customer entered before (the source among them).

    - Leaving (target None) has no direction.
    - LOST and CHURNED stand outside of the order: entering one is FORWARD, or REENTRY where it was visited before, and
      whoever comes from one comes from outside.
    - REGRESSION leads from a stage to one of a lower position, visited before or not.
    - REENTRY leads to a stage visited before, by going forward again or by coming back from outside.
    - SKIP enters a stage for the first time and jumps over at least one OPEN position on the way (from outside: one
      that stands before it).
    - FORWARD is what remains: a stage entered for the first time, with no OPEN position between.
    """
    if target is None:
        return None
    start, end = lifecycle.place(source), lifecycle.place(target)
    if start is not None and end is not None and end < start:
        return Movement.REGRESSION
    if target in visited:
        return Movement.REENTRY
    between = lifecycle.open_positions
    if end is not None and bisect_right(between, start or 0) < bisect_left(between, end):
        return Movement.SKIP
    return Movement.FORWARD


def publish_map(
    old: Lifecycle, new: Lifecycle, mapping: Mapping[str, str | None], *, in_use: Collection[str]
) -> dict[str, str | None]:
    """Where the customers of each old stage stand in the new version; None lets them leave.

    A stage that keeps its key stays where it is unless the mapping says otherwise. Every stage in use must end up in
    the map: raises IncompleteStageMap with those that are missing, UnknownStage for keys that a version does not have.
    """
    for source, target in mapping.items():
        old.stage(source)
        if target is not None:
            new.stage(target)
    kept = {stage.key for stage in new.stages}
    complete = {stage.key: stage.key for stage in old.stages if stage.key in kept} | dict(mapping)
    missing = tuple(stage.key for stage in old.stages if stage.key in in_use and stage.key not in complete)
    if missing:
        raise IncompleteStageMap(f"Customers stand in stages without a place: {', '.join(missing)}.", missing=missing)
    return complete


def _faults_of_stages(stages: tuple[Stage, ...]) -> Iterator[str]:
    if len(stages) < 2:
        yield "a lifecycle has at least two stages"
    if all(stage.kind.ends for stage in stages):
        yield "at least one stage is OPEN or WON"
    yield from (f"stage key {key!r} stands twice" for key in _repeated(stage.key for stage in stages))
    yield from (f"position {position} is taken twice" for position in _repeated(stage.position for stage in stages))
    if list(stages) != sorted(stages, key=lambda stage: stage.position):
        yield "stages are listed in the order of their positions"
    for stage in stages:
        if not (stage.key.isascii() and stage.key.isidentifier() and stage.key == stage.key.lower()):
            yield f"stage key {stage.key!r} is not snake_case"
        if stage.position < 1:
            yield f"stage {stage.key!r} has position {stage.position}: positions begin at 1"
        if not stage.label.en.strip():
            yield f"stage {stage.key!r} has no English label"
        if stage.rotting_days is not None and (stage.rotting_days < 1 or stage.kind is not StageKind.OPEN):
            yield f"stage {stage.key!r}: rotting_days is at least 1, and only an OPEN stage rots"


def _faults_of_rules(stages: Collection[Stage], rules: tuple[Rule, ...]) -> Iterator[str]:
    keys = {stage.key for stage in stages} | {None}
    for number, rule in enumerate(rules, start=1):
        for key in (rule.source, rule.target):
            if key not in keys:
                yield f"rule {number} names the unknown stage {key!r}"
        if rule.source == rule.target:
            yield f"rule {number} leads from {rule.source or 'outside'} to itself"
        if rule.trigger is Trigger.MANUAL and rule.when is not None:
            yield f"rule {number} is MANUAL: a person decides, so it has no condition"
        if rule.trigger is not Trigger.MANUAL and rule.requires_reason:
            yield f"rule {number} moves by itself, so nobody can give the reason that it requires"
        if rule.trigger is Trigger.SEGMENT and not rule.segments:
            yield f"rule {number} looks when a segment changes, so its condition names one"
        if rule.segments and rule.trigger not in {Trigger.SEGMENT, Trigger.MANUAL}:
            yield f"rule {number} asks for a segment, so its trigger is SEGMENT"
        if rule in rules[: number - 1]:
            yield f"rule {number} repeats rule {rules.index(rule) + 1}"


def _repeated(values: Iterable[str | int]) -> list[str | int]:
    seen = list(values)
    return sorted({value for value in seen if seen.count(value) > 1}, key=str)


def _unsettled_since(standing: Standing) -> datetime:
    """From when on the rules may look: history before the current stage is settled already."""
    if standing.since is None:
        return _EVER
    if standing.pinned or standing.stage is None:
        return standing.since + datetime.resolution
    return standing.since


def _ripening(needs: Needs, standing: Standing) -> list[datetime]:
    """The moments at which a stay in the current stage gets as long as a rule asks for."""
    if not needs.stage_days or standing.stage is None or standing.since is None:
        return []
    return [standing.since + timedelta(days=days) for days in needs.stage_days]


def _first(moments: Sequence[datetime], since: datetime) -> datetime | None:
    place = bisect_left(moments, since)
    return moments[place] if place < len(moments) else None


def _next_turn(lifecycle: Lifecycle, standing: Standing, record: Record, since: datetime) -> datetime | None:
    """The first moment from `since` on at which a rule out of the current stage can answer otherwise than before."""
    needs = lifecycle.needs_from[standing.stage]
    turn = record.next_turn(needs, since)
    if not needs.stage_days:
        return turn
    ripe = [at for at in _ripening(needs, standing) if at >= since]
    return min(ripe if turn is None else [turn, *ripe], default=None)


def _moves_at(lifecycle: Lifecycle, standing: Standing, record: Record, at: datetime) -> tuple[list[Rule], bool]:
    """The rules that move a customer at a moment, and whether one can do so at any later moment.

    That is so where a rule holds that leads back to a stage of this moment, or where one asks what is true of a moment
    only. Else nothing can happen until an answer turns.
    """
    stage, since = standing.stage, standing.since
    passed = {stage} | (standing.passed if at == since else frozenset())
    made: list[Rule] = []
    while True:
        needs = lifecycle.needs_from[stage]
        facts = record.facts_at(at, needs, in_stage_since=since)
        rule = next_stage(lifecycle, stage, facts)
        is_held_back = rule is not None and rule.target in passed
        if is_held_back:
            rule = next_stage(lifecycle, stage, facts, passed=passed)
        if rule is None:
            return made, is_held_back or bool(needs.events or (stage is None and needs.stage_days))
        made.append(rule)
        stage, since = rule.target, at
        passed.add(stage)


def _unknown(key: str | None, known: Collection[str]) -> UnknownStage:
    return UnknownStage(
        f"This lifecycle has no stage {key!r}. It has {', '.join(known)}.", stage=key, known=tuple(known)
    )
