from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.stages.conditions import (
    All,
    AnyOf,
    AttributeIs,
    Condition,
    Event,
    Facts,
    InStageFor,
    Interactions,
    InvalidCondition,
    Needs,
    Not,
    Occasions,
    Record,
    SinceLastPurchase,
    decode,
    encode,
)

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("condition", "facts", "expected"),
    [
        (Occasions(gte=2), Facts(occasions=1), False),
        (Occasions(gte=2), Facts(occasions=2), True),
        (Occasions(gte=1, lt=3), Facts(occasions=3), False),
        (Occasions(lt=1), Facts(), True),
        (SinceLastPurchase(days=30), Facts(), False),
        (SinceLastPurchase(days=30), Facts(days_since_last_purchase=29), False),
        (SinceLastPurchase(days=30), Facts(days_since_last_purchase=30), True),
        (InStageFor(days=7), Facts(), False),
        (InStageFor(days=7), Facts(days_in_stage=7), True),
        (
            Interactions(kinds=("VISIT", "CALL"), gte=3),
            Facts(interactions={("VISIT", None): 2, ("CALL", None): 1}),
            True,
        ),
        (Interactions(kinds=("VISIT",), within_days=7), Facts(interactions={("VISIT", None): 2}), False),
        (AttributeIs(key="tier", eq="gold"), Facts(attributes={"tier": "gold"}), True),
        (AttributeIs(key="tier", eq="gold"), Facts(), False),
        (AttributeIs(key="seats", gte=10, lte=20), Facts(attributes={"seats": Decimal(20)}), True),
        (AttributeIs(key="seats", gte=10, lte=20), Facts(attributes={"seats": 21}), False),
        (AttributeIs(key="score", eq=0.1), Facts(attributes={"score": Decimal("0.1")}), True),
        (AttributeIs(key="vip", eq=1), Facts(attributes={"vip": True}), False),
        (AttributeIs(key="vip", eq=False), Facts(attributes={"vip": False}), True),
        (AttributeIs(key="seats", gte="10"), Facts(attributes={"seats": 20}), False),
        (AttributeIs(key="born", lte="1999-12-31"), Facts(attributes={"born": date(1999, 12, 31)}), True),
        (Event(name="purchases.OrderRecorded"), Facts(events=frozenset({"purchases.OrderRecorded"})), True),
        (Event(name="purchases.OrderRecorded"), Facts(), False),
        (Not(of=Occasions(gte=1)), Facts(), True),
        (All(of=(Occasions(gte=1), SinceLastPurchase(days=9))), Facts(occasions=1, days_since_last_purchase=8), False),
        (AnyOf(of=(Occasions(gte=1), SinceLastPurchase(days=9))), Facts(occasions=1), True),
    ],
)
def test_a_condition_is_asked_of_facts(condition: Condition, facts: Facts, expected: bool) -> None:
    assert condition.holds(facts) is expected


def test_plain_json_says_only_what_was_said() -> None:
    condition = All(of=(Occasions(gte=2), Not(of=SinceLastPurchase(days=180)), Interactions(kinds=("REFERRAL",))))
    assert encode(condition) == {
        "type": "all",
        "of": [
            {"type": "occasions", "gte": 2},
            {"type": "not", "of": {"type": "since_last_purchase", "days": 180}},
            {"type": "interactions", "kinds": ["REFERRAL"]},
        ],
    }


LEAVES: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Occasions, gte=st.integers(0, 9)),
    st.builds(SinceLastPurchase, days=st.integers(1, 999)),
    st.builds(InStageFor, days=st.integers(1, 999)),
    st.builds(
        Interactions, kinds=st.just(("CALL", "VISIT")), gte=st.integers(1, 9), within_days=st.none() | st.just(7)
    ),
    st.builds(AttributeIs, key=st.just("tier"), eq=st.text() | st.integers(-(2**53), 2**53) | st.booleans()),
    st.builds(Event, name=st.just("customers.CustomerMerged")),
)
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(Not, of=inner),
        st.builds(All, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, of=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=8,
)


@given(CONDITIONS)
def test_what_is_stored_comes_back(condition: Condition) -> None:
    assert decode(encode(condition)) == condition


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        (3, "Expected `object`, got `int`"),
        ({}, "Object missing required field `type`"),
        ({"type": "moon"}, "Invalid value 'moon' - at `$.type`"),
        ({"type": "all", "of": []}, "name at least one condition"),
        ({"type": "any_of", "of": []}, "name at least one condition"),
        ({"type": "all", "of": [{"type": "occasions"}]}, "give gte, lt or both - at `$.of[0]`"),
        ({"type": "occasions", "gte": "2"}, "Expected `int | null`, got `str` - at `$.gte`"),
        ({"type": "occasions", "gte": -1}, "a number of occasions is never negative"),
        ({"type": "occasions", "gte": 3, "lt": 3}, "gte must be less than lt"),
        ({"type": "occasions", "gte": 3, "le": 3}, "Object contains unknown field `le`"),
        ({"type": "since_last_purchase", "days": 0}, "days must be at least 1"),
        ({"type": "in_stage_for", "days": 0}, "days must be at least 1"),
        ({"type": "interactions", "kinds": []}, "name at least one kind"),
        ({"type": "interactions", "kinds": ["CALL", "CALL"]}, "name each kind once"),
        ({"type": "interactions", "kinds": ["CALL"], "gte": 0}, "gte must be at least 1"),
        ({"type": "interactions", "kinds": ["CALL"], "within_days": 0}, "within_days must be at least 1"),
        ({"type": "attribute_is", "key": "", "eq": 1}, "name the attribute"),
        ({"type": "attribute_is", "key": "tier"}, "give either eq, or gte, lte or both"),
        ({"type": "attribute_is", "key": "tier", "eq": 1, "gte": 1}, "give either eq, or gte, lte or both"),
        ({"type": "event", "name": ""}, "name the event"),
    ],
)
def test_a_condition_that_is_not_understood_is_refused_with_the_reason(plain: Any, reason: str) -> None:
    with pytest.raises(InvalidCondition) as refused:
        decode(plain)
    assert refused.value.details == {"reason": reason}
    assert str(refused.value) == f"A rule's condition is not understood: {reason}"


def test_needs_name_everything_that_is_asked_for() -> None:
    condition = AnyOf(
        of=(
            All(of=(SinceLastPurchase(days=30), InStageFor(days=7), Occasions(gte=1))),
            Not(of=Interactions(kinds=("CALL", "VISIT"), within_days=14)),
            AttributeIs(key="tier", eq="gold"),
            Event(name="customers.CustomerMerged"),
        )
    )
    assert condition.needs() == Needs(
        occasions=frozenset({1}),
        purchase_days=frozenset({30}),
        stage_days=frozenset({7}),
        interactions=frozenset({("CALL", 14), ("VISIT", 14)}),
        attributes=frozenset({"tier"}),
        events=frozenset({"customers.CustomerMerged"}),
    )


def test_facts_at_a_moment_include_that_moment_and_nothing_later() -> None:
    record = Record(
        occasions=(START, START + 10 * DAY),
        interactions={"CALL": (START, START + 3 * DAY, START + 20 * DAY)},
        events={"customers.CustomerMerged": frozenset({START + 3 * DAY})},
        attributes={"tier": "gold"},
    )
    needs = Needs(
        interactions=frozenset({("CALL", 3), ("CALL", None), ("VISIT", 3)}),
        events=frozenset({"customers.CustomerMerged"}),
    )
    assert record.facts_at(START + 3 * DAY, needs, in_stage_since=START + DAY) == Facts(
        occasions=1,
        days_since_last_purchase=3,
        days_in_stage=2,
        interactions={("CALL", 3): 1, ("CALL", None): 2},
        attributes={"tier": "gold"},
        events=frozenset({"customers.CustomerMerged"}),
    )
    assert record.facts_at(START - DAY, Needs()) == Facts(attributes={"tier": "gold"})


def test_moments_are_those_at_which_an_answer_can_turn() -> None:
    record = Record(
        first_seen_at=START,
        occasions=(START + DAY,),
        interactions={"CALL": (START + 2 * DAY,), "VISIT": (START + 4 * DAY,)},
        events={"customers.CustomerMerged": frozenset({START + 5 * DAY})},
    )
    needs = Needs(
        purchase_days=frozenset({30}),
        interactions=frozenset({("CALL", 14)}),
        events=frozenset({"customers.CustomerMerged"}),
    )
    days = sorted((moment - START).days for moment in record.moments(needs))
    assert days == [0, 1, 2, 5, 16, 31]
