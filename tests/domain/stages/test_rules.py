from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.stages.conditions import (
    All,
    AnyOf,
    Condition,
    Event,
    Facts,
    InSegment,
    InStageFor,
    Interactions,
    Needs,
    Not,
    Occasions,
    Record,
    SinceLastPurchase,
    Span,
)
from domain.stages.rules import (
    CanonicalStep,
    CauseKind,
    IncompleteStageMap,
    InvalidDefinition,
    Lifecycle,
    Move,
    Movement,
    ReasonRequired,
    Rule,
    SameStage,
    Stage,
    StageKind,
    StageNotReachable,
    Standing,
    Text,
    Trigger,
    UnknownStage,
    check_move,
    direction,
    next_look,
    next_stage,
    publish_map,
    settle,
)
from domain.stages.templates import KEYS, template

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
LATER = START + 1000 * DAY


def stage(key: str, position: int, kind: StageKind = StageKind.OPEN, *, rotting_days: int | None = None) -> Stage:
    label = Text(en=key.title())
    return Stage(
        key=key, position=position, label=label, step=CanonicalStep.AWARE, kind=kind, rotting_days=rotting_days
    )


def rule(
    source: str | None, target: str | None, when: Condition | None = None, trigger: Trigger = Trigger.EVENT
) -> Rule:
    return Rule(source=source, target=target, trigger=trigger, when=when)


STAGES = (
    stage("aware", 1),
    stage("consider", 2),
    stage("buy", 3),
    stage("loyal", 4, StageKind.WON),
    stage("lost", 5, StageKind.LOST),
)
FIRST = rule(None, "buy", Occasions(gte=1))
KNOWN = rule(None, "aware")
BOUGHT = rule("aware", "buy", Occasions(gte=1))
AGAIN = rule("buy", "loyal", Occasions(gte=2))
SILENT = rule("loyal", "buy", SinceLastPurchase(days=90), Trigger.TIME)
LIFECYCLE = Lifecycle(key="shop", stages=STAGES, rules=(FIRST, KNOWN, BOUGHT, AGAIN, SILENT))
FREE = Lifecycle(key="free", stages=STAGES)


def moves(
    lifecycle: Lifecycle, standing: Standing, record: Record, until: datetime = LATER
) -> list[tuple[int, str | None]]:
    return [((move.at - START).days, move.rule.target) for move in settle(lifecycle, standing, record, until=until)]


# The definition


def faults(*stages: Stage, rules: tuple[Rule, ...] = ()) -> tuple[str, ...]:
    with pytest.raises(InvalidDefinition) as refused:
        Lifecycle(key="broken", stages=stages, rules=rules)
    found: tuple[str, ...] = refused.value.details["faults"]
    assert str(refused.value) == f"This lifecycle cannot be published: {'; '.join(found)}."
    return found


def test_a_lifecycle_has_at_least_two_stages_and_one_that_is_no_end() -> None:
    assert faults(stage("gone", 1, StageKind.LOST)) == (
        "a lifecycle has at least two stages",
        "at least one stage is OPEN or WON",
    )


def test_every_fault_of_the_stages_is_named_at_once() -> None:
    nameless = Stage(
        key="third", position=0, label=Text(en=" "), step=CanonicalStep.USE, kind=StageKind.WON, rotting_days=5
    )
    assert faults(stage("Two Words", 1), stage("twice", 1), stage("twice", 2, rotting_days=0), nameless) == (
        "stage key 'twice' stands twice",
        "position 1 is taken twice",
        "stages are listed in the order of their positions",
        "stage key 'Two Words' is not snake_case",
        "stage 'twice': rotting_days is at least 1, and only an OPEN stage rots",
        "stage 'third' has position 0: positions begin at 1",
        "stage 'third' has no English label",
        "stage 'third': rotting_days is at least 1, and only an OPEN stage rots",
    )


def test_every_fault_of_the_rules_is_named_at_once() -> None:
    rules = (
        rule("aware", "moon"),
        rule("aware", "aware"),
        rule(None, None),
        rule("aware", "buy", Occasions(gte=1), Trigger.MANUAL),
        Rule(source="aware", target="buy", trigger=Trigger.EVENT, requires_reason=True),
        BOUGHT,
        BOUGHT,
    )
    assert faults(*STAGES, rules=rules) == (
        "rule 1 names the unknown stage 'moon'",
        "rule 2 leads from aware to itself",
        "rule 3 leads from outside to itself",
        "rule 4 is MANUAL: a person decides, so it has no condition",
        "rule 5 moves by itself, so nobody can give the reason that it requires",
        "rule 7 repeats rule 6",
    )


def test_a_stage_of_another_lifecycle_is_unknown_here() -> None:
    with pytest.raises(UnknownStage) as refused:
        LIFECYCLE.stage("renewal")
    assert str(refused.value) == "This lifecycle has no stage 'renewal'. It has aware, consider, buy, loyal, lost."
    assert refused.value.details == {"stage": "renewal", "known": ("aware", "consider", "buy", "loyal", "lost")}


def test_needs_leave_out_what_only_people_decide() -> None:
    assert LIFECYCLE.needs == Needs(occasions=frozenset({1, 2}), purchase_days=frozenset({90}))


@pytest.mark.parametrize(("locale", "expected"), [("en", "Reach"), ("fa", "دسترسی"), ("de", "Reach")])
def test_a_text_falls_back_to_english(locale: str, expected: str) -> None:
    assert Text(en="Reach", fa="دسترسی").in_locale(locale) == expected
    assert Text(en="Reach").in_locale(locale) == "Reach"


# The next stage


def test_the_first_rule_that_holds_decides() -> None:
    assert next_stage(LIFECYCLE, None, Facts(occasions=1)) == FIRST
    assert next_stage(LIFECYCLE, None, Facts()) == KNOWN
    assert next_stage(LIFECYCLE, "aware", Facts()) is None
    assert next_stage(LIFECYCLE, "consider", Facts(occasions=9)) is None


def test_a_stage_passed_at_this_moment_is_not_entered_again() -> None:
    assert next_stage(LIFECYCLE, "aware", Facts(occasions=1), passed={"buy"}) is None


def test_a_manual_rule_never_moves_by_itself() -> None:
    by_hand = Lifecycle(key="hand", stages=STAGES, rules=(rule("aware", "buy", trigger=Trigger.MANUAL),))
    assert next_stage(by_hand, "aware", Facts(occasions=9)) is None


# Settling


def test_moves_are_dated_when_their_condition_came_to_hold() -> None:
    record = Record(first_seen_at=START, occasions=(START + 10 * DAY, START + 40 * DAY))
    assert settle(LIFECYCLE, Standing(), record, until=LATER) == [
        Move(rule=KNOWN, at=START),
        Move(rule=BOUGHT, at=START + 10 * DAY),
        Move(rule=AGAIN, at=START + 40 * DAY),
        Move(rule=SILENT, at=START + 130 * DAY),
    ]


def test_settling_stops_at_its_end_which_is_included() -> None:
    record = Record(occasions=(START, START + 5 * DAY))
    assert moves(LIFECYCLE, Standing(), record, START + 5 * DAY) == [(0, "buy"), (5, "loyal")]
    assert moves(LIFECYCLE, Standing(), record, START + 4 * DAY) == [(0, "buy")]


def test_two_rules_that_lead_to_each_other_end_at_every_moment() -> None:
    turning = Lifecycle(key="turn", stages=STAGES, rules=(KNOWN, rule("aware", "consider"), rule("consider", "aware")))
    assert moves(turning, Standing(), Record(first_seen_at=START)) == [(0, "aware"), (0, "consider")]
    settled = Standing(stage="consider", since=START, passed=frozenset({None, "aware"}))
    assert moves(turning, settled, Record(first_seen_at=START)) == []


def test_a_stay_ripens_after_its_days() -> None:
    patient = Lifecycle(
        key="patient", stages=STAGES, rules=(KNOWN, rule("aware", "lost", InStageFor(days=30), Trigger.TIME))
    )
    record = Record(first_seen_at=START)
    assert moves(patient, Standing(), record) == [(0, "aware"), (30, "lost")]
    assert moves(patient, Standing(stage="aware", since=START + 7 * DAY), record) == [(37, "lost")]
    assert moves(patient, Standing(stage="aware", since=START + 7 * DAY), record, START + 36 * DAY) == []


def test_silence_counts_from_the_last_interaction() -> None:
    quiet = Not(of=Interactions(kinds=("CALL",), within_days=20))
    lifecycle = Lifecycle(key="calls", stages=STAGES, rules=(rule("consider", "aware", quiet, Trigger.TIME),))
    record = Record(interactions={"CALL": (START, START + 10 * DAY)})
    assert moves(lifecycle, Standing(stage="consider", since=START), record) == [(30, "aware")]


def test_what_was_learnt_late_counts_from_the_current_stage_on() -> None:
    record = Record(occasions=(START, START + 5 * DAY))
    assert moves(LIFECYCLE, Standing(stage="buy", since=START + 5 * DAY), record, START + 9 * DAY) == [(5, "loyal")]


def test_a_stage_that_a_person_chose_holds_until_something_new_happens() -> None:
    pinned = Standing(stage="aware", since=START + 6 * DAY, pinned=True)
    assert moves(LIFECYCLE, pinned, Record(occasions=(START, START + 6 * DAY)), START + 9 * DAY) == []
    assert moves(LIFECYCLE, pinned, Record(occasions=(START, START + 8 * DAY)), START + 9 * DAY) == [
        (8, "buy"),
        (8, "loyal"),
    ]


def test_whoever_left_comes_back_only_with_something_new() -> None:
    left = Standing(since=START)
    assert moves(LIFECYCLE, left, Record(first_seen_at=START, occasions=(START,)), START + DAY) == []
    assert moves(LIFECYCLE, left, Record(occasions=(START, START + DAY)), START + DAY) == [(1, "buy"), (1, "loyal")]


@pytest.mark.parametrize(
    ("cause", "pins"),
    [(CauseKind.RULE, False), (CauseKind.PERSON, True), (CauseKind.CONNECTOR, True), (CauseKind.MIGRATION, False)],
)
def test_only_a_choice_pins_a_stage(cause: CauseKind, pins: bool) -> None:
    assert cause.pins is pins


# Moves by hand


def test_without_manual_rules_every_move_by_hand_is_allowed() -> None:
    assert check_move(FREE, "loyal", "aware") is None
    assert check_move(FREE, None, "lost") is None
    assert check_move(FREE, "buy", None) is None


@pytest.mark.parametrize("key", ["aware", None])
def test_a_move_to_the_same_stage_is_refused(key: str | None) -> None:
    with pytest.raises(SameStage) as refused:
        check_move(FREE, key, key)
    assert refused.value.details == {"stage": key}


def test_a_move_names_stages_of_this_lifecycle() -> None:
    with pytest.raises(UnknownStage):
        check_move(FREE, "aware", "renewal")
    with pytest.raises(UnknownStage):
        check_move(FREE, "renewal", "aware")


def test_manual_rules_limit_the_moves_by_hand() -> None:
    back = Rule(source="buy", target="aware", trigger=Trigger.MANUAL, requires_reason=True)
    lifecycle = Lifecycle(key="strict", stages=STAGES, rules=(back, FIRST))
    with pytest.raises(StageNotReachable) as refused:
        check_move(lifecycle, "buy", "loyal")
    assert refused.value.details == {"stage": "loyal", "reachable": ("aware",)}
    with pytest.raises(ReasonRequired) as unexplained:
        check_move(lifecycle, "buy", "aware", reason="  ")
    assert unexplained.value.path == ("reason",)
    assert check_move(lifecycle, "buy", "aware", reason="entered by mistake") == back


# Directions


@pytest.mark.parametrize(
    ("source", "target", "visited", "expected"),
    [
        (None, "aware", set(), Movement.FORWARD),
        ("aware", "consider", {"aware"}, Movement.FORWARD),
        (None, "consider", set(), Movement.SKIP),
        ("aware", "buy", {"aware"}, Movement.SKIP),
        ("aware", "buy", {"aware", "buy"}, Movement.REENTRY),
        (None, "buy", {"buy"}, Movement.REENTRY),
        ("buy", "aware", {"aware", "buy"}, Movement.REGRESSION),
        ("buy", "consider", {"buy"}, Movement.REGRESSION),
        ("aware", "lost", {"aware"}, Movement.FORWARD),
        ("aware", "lost", {"aware", "lost"}, Movement.REENTRY),
        ("lost", "aware", {"aware", "lost"}, Movement.REENTRY),
        ("lost", "aware", {"lost"}, Movement.FORWARD),
        ("lost", "buy", {"aware", "lost"}, Movement.SKIP),
        ("buy", None, {"buy"}, None),
    ],
)
def test_the_direction_of_a_move(
    source: str | None, target: str | None, visited: set[str], expected: Movement | None
) -> None:
    assert direction(LIFECYCLE, source, target, visited) is expected


# A new version


NEXT = Lifecycle(key="shop", stages=(stage("aware", 1), stage("trial", 2), stage("buy", 3)))


def test_kept_stages_stay_and_the_others_are_mapped() -> None:
    mapping = {"consider": "trial", "loyal": None}
    assert publish_map(LIFECYCLE, NEXT, mapping, in_use={"aware", "consider", "loyal"}) == {
        "aware": "aware",
        "buy": "buy",
        "consider": "trial",
        "loyal": None,
    }


def test_a_mapping_can_move_a_kept_stage() -> None:
    assert publish_map(LIFECYCLE, NEXT, {"buy": "trial"}, in_use={"buy"}) == {"aware": "aware", "buy": "trial"}


def test_stages_in_use_without_a_place_are_listed() -> None:
    with pytest.raises(IncompleteStageMap) as refused:
        publish_map(LIFECYCLE, NEXT, {}, in_use={"loyal", "aware", "consider"})
    assert refused.value.details == {"missing": ("consider", "loyal")}
    assert str(refused.value) == "Customers stand in stages without a place: consider, loyal."


@pytest.mark.parametrize("mapping", [{"moon": None}, {"consider": "moon"}])
def test_a_mapping_names_stages_of_the_two_versions(mapping: dict[str, str | None]) -> None:
    with pytest.raises(UnknownStage):
        publish_map(LIFECYCLE, NEXT, mapping, in_use=set())


# Laws


@given(
    source=st.sampled_from([None, *(s.key for s in STAGES)]),
    target=st.sampled_from([s.key for s in STAGES]),
    data=st.data(),
)
def test_every_move_to_a_stage_has_a_direction(source: str | None, target: str, data: st.DataObject) -> None:
    visited = data.draw(st.sets(st.sampled_from([s.key for s in STAGES])))
    assert direction(LIFECYCLE, source, target, visited) in set(Movement)


def test_the_next_look_is_when_time_alone_can_turn_an_answer() -> None:
    record = Record(first_seen_at=START, occasions=(START, START + 5 * DAY, START + 20 * DAY))
    now = START + 30 * DAY
    loyal = Standing(stage="loyal", since=START + 5 * DAY)
    assert next_look(LIFECYCLE, loyal, record, after=now) == START + 110 * DAY
    assert next_look(LIFECYCLE, loyal, record, after=START + 110 * DAY) is None
    assert next_look(LIFECYCLE, Standing(stage="buy", since=START), record, after=now) is None


def settled_at_every_moment(lifecycle: Lifecycle, standing: Standing, record: Record, *, until: datetime) -> list[Move]:
    """What `settle` must do, without passing over a moment at which any answer can turn."""
    held = standing.pinned or standing.stage is None
    begins = (START - 1000 * DAY) if standing.since is None else standing.since
    made: list[Move] = []
    waiting = {at for at in record.moments(lifecycle.needs) if at > begins or (at == begins and not held)}
    settled: set[datetime] = set()
    while True:
        if standing.stage is not None and standing.since is not None:
            waiting |= {standing.since + days * DAY for days in lifecycle.needs.stage_days}
        waiting = {at for at in waiting if at <= until and at not in settled and at >= begins}
        if not waiting:
            return made
        at = begins = min(waiting)
        settled.add(at)
        passed = {standing.stage} | (standing.passed if at == standing.since else frozenset())
        stage, since = standing.stage, standing.since
        while rule := next_stage(
            lifecycle, stage, record.facts_at(at, lifecycle.needs, in_stage_since=since), passed=passed
        ):
            made.append(Move(rule=rule, at=at))
            stage, since = rule.target, at
            passed.add(stage)
        if made and made[-1].at == at:
            standing = Standing(stage=stage, since=at)


SEGMENT = UUID(int=1)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.one_of(
        st.builds(Occasions, gte=st.integers(0, 3)),
        st.builds(Occasions, lt=st.integers(0, 3)),
        st.builds(SinceLastPurchase, days=st.integers(1, 4)),
        st.builds(InStageFor, days=st.integers(1, 4)),
        st.builds(
            Interactions, kinds=st.just(("CALL",)), gte=st.integers(1, 2), within_days=st.sampled_from([None, 2])
        ),
        st.builds(Event, name=st.just("customers.CustomerMerged")),
        st.builds(InSegment, segment=st.just(SEGMENT)),
    ),
    lambda inner: st.one_of(
        st.builds(Not, of=inner),
        st.builds(All, of=st.tuples(inner, inner)),
        st.builds(AnyOf, of=st.tuples(inner, inner)),
    ),
    max_leaves=3,
)
PLACES = st.sampled_from([None, "aware", "consider", "buy"])
RULES = st.lists(st.tuples(PLACES, PLACES, CONDITIONS), max_size=7, unique_by=repr)
MOMENTS = st.lists(st.integers(0, 30).map(lambda half: START + half * DAY / 2), max_size=5, unique=True).map(sorted)
RECORDS = st.builds(
    lambda bought, called, merged, belonged: Record(
        first_seen_at=START + DAY,
        occasions=tuple(bought),
        interactions={"CALL": tuple(called)},
        events={"customers.CustomerMerged": frozenset(merged)},
        memberships={SEGMENT: [Span(*span) for span in zip(belonged[::2], [*belonged[1::2], None], strict=False)]},
    ),
    MOMENTS, MOMENTS, MOMENTS, MOMENTS,
)  # fmt: skip
STANDINGS = st.one_of(
    st.just(Standing()),
    st.builds(
        Standing, stage=PLACES, since=st.integers(0, 10).map(lambda half: START + half * DAY / 2),
        passed=st.sets(PLACES).map(frozenset), pinned=st.booleans(),
    ),
)  # fmt: skip


@given(ways=RULES, standing=STANDINGS, record=RECORDS)
@settings(max_examples=300, deadline=None)
def test_no_moment_is_passed_over_at_which_a_rule_would_move(
    ways: list[tuple[str | None, str | None, Condition]], standing: Standing, record: Record
) -> None:
    rules = tuple(
        rule(source, target, when, Trigger.SEGMENT if when.needs().segments else Trigger.EVENT)
        for source, target, when in ways
        if source != target
    )
    lifecycle = Lifecycle(key="shop", stages=STAGES, rules=rules)
    until = START + 12 * DAY
    assert settle(lifecycle, standing, record, until=until) == settled_at_every_moment(
        lifecycle, standing, record, until=until
    )


DAYS = st.lists(st.integers(0, 400), max_size=5, unique=True).map(sorted)


@pytest.mark.parametrize("key", KEYS)
@given(bought=DAYS, happened=st.lists(DAYS, min_size=9, max_size=9))
def test_looking_whenever_told_to_makes_every_move_that_one_late_look_makes(
    key: str, bought: list[int], happened: list[list[int]]
) -> None:
    lifecycle = template(key).lifecycle
    kinds = sorted({kind for kind, _ in lifecycle.needs.interactions})
    record = Record(
        first_seen_at=START,
        occasions=tuple(START + day * DAY for day in bought),
        interactions={
            kind: tuple(START + day * DAY for day in days) for kind, days in zip(kinds, happened, strict=False)
        },
    )
    standing = Standing()
    made: list[Move] = []
    look: datetime | None = START + 400 * DAY
    while look is not None and look <= LATER:
        moved = settle(lifecycle, standing, record, until=look)
        if moved:
            standing = Standing(stage=moved[-1].rule.target, since=moved[-1].at)
        made += moved
        look = next_look(lifecycle, standing, record, after=look)
    assert made == settle(lifecycle, Standing(), record, until=LATER)
