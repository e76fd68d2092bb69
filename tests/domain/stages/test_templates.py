from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.interactions.model import InteractionKind
from domain.stages.conditions import Record
from domain.stages.history import Transition, intervals, standing
from domain.stages.rules import CanonicalStep, Move, StageKind, Standing, Text, Trigger, settle
from domain.stages.templates import LifecycleTemplate, UnknownTemplate, template, templates

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)
LATER = START + 1500 * DAY

each_template = pytest.mark.parametrize("one", templates(), ids=lambda one: one.key)


def test_the_seven_templates_in_the_words_of_the_field() -> None:
    assert {one.key: [stage.label.en for stage in one.lifecycle.stages] for one in templates()} == {
        "classic": ["Reach", "Acquire", "Develop", "Retain", "Advocacy"],
        "buyer": ["Discovery", "Education", "Purchase", "Post-purchase engagement", "Loyalty or advocacy"],
        "b2b": ["Awareness", "Interest", "Desire", "Action", "Retention"],
        "saas": ["Awareness", "Consideration", "Free account signup / free trial", "Purchase", "Renewal", "Referral"],
        "crm": ["Consideration", "Purchase", "Post-purchase", "Loyalty"],
        "analytics": ["Discover", "Explore", "Buy", "Use", "Ask", "Engage"],
        "prospect": ["Prospect", "Lead", "Customer"],
    }


def test_the_canonical_steps() -> None:
    steps = {one.key: [stage.step for stage in one.lifecycle.stages] for one in templates()}
    assert steps == {
        "classic": [
            CanonicalStep.AWARE,
            CanonicalStep.PURCHASE,
            CanonicalStep.USE,
            CanonicalStep.RETAIN,
            CanonicalStep.ADVOCATE,
        ],
        "buyer": [
            CanonicalStep.AWARE,
            CanonicalStep.CONSIDER,
            CanonicalStep.PURCHASE,
            CanonicalStep.USE,
            CanonicalStep.ADVOCATE,
        ],
        "b2b": [
            CanonicalStep.AWARE,
            CanonicalStep.CONSIDER,
            CanonicalStep.CONSIDER,
            CanonicalStep.PURCHASE,
            CanonicalStep.RETAIN,
        ],
        "saas": [
            CanonicalStep.AWARE,
            CanonicalStep.CONSIDER,
            CanonicalStep.CONSIDER,
            CanonicalStep.PURCHASE,
            CanonicalStep.RETAIN,
            CanonicalStep.ADVOCATE,
        ],
        "crm": [CanonicalStep.CONSIDER, CanonicalStep.PURCHASE, CanonicalStep.USE, CanonicalStep.ADVOCATE],
        "analytics": [
            CanonicalStep.AWARE,
            CanonicalStep.CONSIDER,
            CanonicalStep.PURCHASE,
            CanonicalStep.USE,
            CanonicalStep.USE,
            CanonicalStep.RETAIN,
        ],
        "prospect": [CanonicalStep.AWARE, CanonicalStep.CONSIDER, CanonicalStep.PURCHASE],
    }


@each_template
def test_every_text_is_there_in_english_and_persian(one: LifecycleTemplate) -> None:
    texts = [one.title, one.description]
    for stage in one.lifecycle.stages:
        assert stage.needs is not None
        texts += [stage.label, stage.needs]
    for text in texts:
        assert is_persian(text), text


def is_persian(text: Text) -> bool:
    """Latin in one, Persian letters (no Arabic yeh or kaf) in the other."""
    fa = text.fa or ""
    return text.en.isascii() and any("آ" <= letter <= "ی" for letter in fa) and not set(fa) & set("يك")


@each_template
def test_stages_stand_in_line_and_work_towards_the_last(one: LifecycleTemplate) -> None:
    stages = one.lifecycle.stages
    assert [stage.position for stage in stages] == list(range(1, len(stages) + 1))
    assert [stage.kind for stage in stages] == [StageKind.OPEN] * (len(stages) - 1) + [StageKind.WON]
    assert [stage.rotting_days is None for stage in stages] == [False] * (len(stages) - 1) + [True]


@each_template
def test_every_stage_can_be_entered_by_a_rule(one: LifecycleTemplate) -> None:
    rules = one.lifecycle.rules
    assert {rule.target for rule in rules} == {stage.key for stage in one.lifecycle.stages}
    assert {rule.trigger for rule in rules} <= {Trigger.EVENT, Trigger.TIME}


@each_template
def test_rules_ask_for_kinds_that_exist(one: LifecycleTemplate) -> None:
    assert {kind for kind, _ in one.lifecycle.needs.interactions} <= set(InteractionKind)


@each_template
def test_only_time_leads_back(one: LifecycleTemplate) -> None:
    position = {stage.key: stage.position for stage in one.lifecycle.stages}
    backward = [
        rule
        for rule in one.lifecycle.rules
        if rule.source is not None and rule.target is not None and position[rule.target] < position[rule.source]
    ]
    assert all(rule.trigger is Trigger.TIME for rule in backward)


@each_template
def test_the_first_purchase_enters_the_stage_of_purchase(one: LifecycleTemplate) -> None:
    moves = settle(one.lifecycle, Standing(), Record(first_seen_at=START, occasions=(START,)), until=START)
    assert [one.lifecycle.stage(move.rule.target or "").step for move in moves] == [CanonicalStep.PURCHASE]


@each_template
def test_whoever_becomes_known_begins_at_the_first_stage(one: LifecycleTemplate) -> None:
    moves = settle(one.lifecycle, Standing(), Record(first_seen_at=START), until=LATER)
    assert [move.rule.target for move in moves] == [one.lifecycle.stages[0].key]


def test_a_buyers_life() -> None:
    record = Record(
        first_seen_at=START,
        interactions={"INQUIRY": (START + 3 * DAY,), "REFERRAL": (START + 60 * DAY,)},
        occasions=(START + 10 * DAY, START + 50 * DAY, START + 300 * DAY),
    )
    moves = settle(template("buyer").lifecycle, Standing(), record, until=LATER)
    assert [((move.at - START).days, move.rule.target) for move in moves] == [
        (0, "discovery"),
        (3, "education"),
        (10, "purchase"),
        (50, "post_purchase"),
        (60, "loyalty"),
        (240, "post_purchase"),
    ]


def test_an_unknown_template_is_refused() -> None:
    with pytest.raises(UnknownTemplate) as refused:
        template("moon")
    assert str(refused.value) == (
        "No lifecycle template is called 'moon'. There are classic, buyer, b2b, saas, crm, analytics, prospect."
    )


DAYS = st.lists(st.integers(0, 900), max_size=6).map(lambda days: tuple(START + day * DAY for day in sorted(set(days))))
RECORDS = st.builds(
    Record,
    first_seen_at=st.just(START),
    occasions=DAYS,
    interactions=st.dictionaries(
        st.sampled_from(["INQUIRY", "MEETING", "REFERRAL", "USAGE", "VISIT", "CASE_OPENED"]), DAYS, max_size=3
    ),
)


@given(one=st.sampled_from(templates()), record=RECORDS, cut=st.integers(0, 1500))
def test_a_life_settles_the_same_in_one_step_or_two(one: LifecycleTemplate, record: Record, cut: int) -> None:
    at_once = settle(one.lifecycle, Standing(), record, until=LATER)
    first = settle(one.lifecycle, Standing(), record, until=START + cut * DAY)
    second = settle(one.lifecycle, standing(intervals(log_of(first))), record, until=LATER)
    assert first + second == at_once
    assert settle(one.lifecycle, standing(intervals(log_of(at_once))), record, until=LATER) == []
    for earlier, later in pairwise(at_once):
        assert later.rule.source == earlier.rule.target
        assert later.at >= earlier.at
    entered = [(move.at, move.rule.target) for move in at_once]
    assert len(set(entered)) == len(entered)


def log_of(moves: list[Move]) -> list[Transition]:
    return [
        Transition(id=UUID(int=number), target=move.rule.target, occurred_at=move.at, recorded_at=LATER)
        for number, move in enumerate(moves)
    ]
