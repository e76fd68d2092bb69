from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.segments.criteria import (
    All,
    AnyOf,
    AttributeIs,
    DaysSince,
    EnteredStage,
    InSegment,
    InStage,
    InvalidCriteria,
    Metric,
    Not,
    Occasions,
    Since,
    Spent,
    decode,
    encode,
    literals,
    refers_to,
)
from domain.segments.templates import templates

OTHER = UUID("01990000-0000-7000-8000-000000000001")
TREE = All(
    of=(
        AnyOf(of=(Occasions(gte=2, within_days=90), Spent(gte=Decimal("10.50")))),
        Not(of=All(of=(AttributeIs(key="tier", eq="gold"), InSegment(segment=OTHER)))),
    )
)


def test_criteria_come_back_from_their_json() -> None:
    assert encode(TREE) == {
        "type": "all",
        "of": [
            {"type": "any_of", "of": [
                {"type": "occasions", "gte": 2, "within_days": 90}, {"type": "spent", "gte": "10.50"},
            ]},
            {"type": "not", "of": {"type": "all", "of": [
                {"type": "attribute_is", "key": "tier", "eq": "gold"}, {"type": "in_segment", "segment": str(OTHER)},
            ]}},
        ],
    }  # fmt: skip
    assert decode(encode(TREE)) == TREE


def test_literals_are_the_leaves_denied_where_the_tree_denies_them() -> None:
    assert literals(TREE) == (
        Occasions(gte=2, within_days=90), Spent(gte=Decimal("10.50")), Not(of=AttributeIs(key="tier", eq="gold")),
        Not(of=InSegment(segment=OTHER)),
    )  # fmt: skip
    assert literals(Not(of=Not(of=Occasions(gte=1)))) == (Occasions(gte=1),)
    assert refers_to(TREE) == {OTHER}


@pytest.mark.parametrize(
    ("criteria", "timed"),
    [
        (Occasions(gte=2), False),
        (Occasions(gte=2, within_days=30), True),
        (DaysSince(what=Since.FIRST_SEEN, gte=1), True),
        (InStage(stage="lead"), False),
        (InStage(stage="lead", gte=3), True),
        (EnteredStage(step="PURCHASE", within_days=9), True),
    ],
)
def test_time_alone_changes_what_looks_back(criteria: Any, timed: bool) -> None:
    assert criteria.is_timed is timed


@pytest.mark.parametrize(
    ("plain", "reason"),
    [
        ({"type": "occasions"}, "give gte, lt or both"),
        ({"type": "occasions", "gte": 5, "lt": 5}, "gte must be less than lt"),
        ({"type": "occasions", "gte": -1}, "a bound is a number from 0 to two thousand million"),
        ({"type": "occasions", "gte": 1, "within_days": 0}, "within_days is from 1 to 36525"),
        ({"type": "days_since", "what": "LAST_PURCHASE", "gte": 40_000}, "a number of days is at most 36525"),
        ({"type": "days_since", "what": "LAST_PURCHASE", "kinds": ["CALL"], "gte": 1}, "only interactions have kinds"),
        ({"type": "interactions", "kinds": ["CALL", "CALL"], "gte": 1}, "name each kind once"),
        ({"type": "in_stage", "stage": "a", "step": "AWARE"}, "give either a stage or a step"),
        ({"type": "attribute_is", "key": "tier"}, "give either eq, or gte, lte or both"),
        ({"type": "metric", "key": "recency", "percentile": True, "gte": "101"}, "a percentile is from 0 to 100"),
        ({"type": "spent", "gte": "1e13"}, "an amount is under 10^12"),
        ({"type": "all", "of": []}, "name at least one condition"),
        ({"type": "country_is", "among": []}, "name at least one country"),
        ({"type": "in_segment", "segment": "repeat"}, "Invalid UUID - at `$.segment`"),
        ({"type": "guess"}, "Invalid value 'guess' - at `$.type`"),
    ],
)
def test_what_says_nothing_is_refused(plain: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidCriteria) as refused:
        decode(plain)
    assert refused.value.details["reason"] == reason


def test_a_tree_has_an_end() -> None:
    deep: dict[str, Any] = {"type": "occasions", "gte": 1}
    for _ in range(200):
        deep = {"type": "not", "of": deep}
    with pytest.raises(InvalidCriteria, match="at most 200 conditions"):
        decode(deep)
    for _ in range(5_000):
        deep = {"type": "not", "of": deep}
    with pytest.raises(InvalidCriteria):
        decode(deep)


def test_templates_are_criteria_in_two_languages() -> None:
    made = templates()
    assert len({one.key for one in made}) == len(made) == 14
    for one in made:
        assert decode(encode(one.criteria)) == one.criteria
        assert one.title.fa
        assert one.description.fa
    assert [one.key for one in made if one.role == "STARTING_POINT"] == ["one_time_buyers"]
    assert isinstance(made[-1].criteria, All)
    assert made[-1].criteria.of[0] == Metric(key="rfm_recency", gte=Decimal(1), lte=Decimal(2))
