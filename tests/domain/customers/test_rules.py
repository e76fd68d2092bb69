from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.customers.rules import (
    AttributeType,
    Consent,
    ConsentDecision,
    Definition,
    Fact,
    Survivorship,
    UnknownAttribute,
    WrongAttributeType,
    check_value,
    definition_of,
    effective_consent,
    golden,
)

if TYPE_CHECKING:
    from random import Random

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ANN, BOB = UUID(int=1), UUID(int=2)


def day(number: int) -> datetime:
    return NOW + timedelta(days=number)


def fact(number: int, value: Any, source: str = "crm", since: int = -9, **more: Any) -> Fact:
    return Fact(UUID(int=number), value, source, **{"valid_from": day(since), "recorded_at": day(since), **more})


def defined(survivorship: Survivorship, *authority: str) -> Definition:
    return Definition("city", AttributeType.TEXT, survivorship, authority)


def chosen(facts: list[Fact], definition: Definition, **when: datetime) -> Any:
    found = golden(facts, definition, at=NOW, **when)
    return found and found.value


FACTS = [
    fact(1, "Tehran", "books", -9),
    fact(2, "Berlin", "crm", -3),
    fact(3, "TEHRAN", "files", -5),
]


@pytest.mark.parametrize(
    ("definition", "value"),
    [
        (defined(Survivorship.LATEST), "Berlin"),
        (defined(Survivorship.MOST_TRUSTED, "books", "crm"), "Tehran"),
        (defined(Survivorship.MOST_TRUSTED, "mail", "files"), "TEHRAN"),
        (defined(Survivorship.MOST_TRUSTED), "Berlin"),
        (defined(Survivorship.MOST_FREQUENT), "TEHRAN"),
    ],
)
def test_survivorship(definition: Definition, value: str) -> None:
    assert chosen(FACTS, definition) == value


@pytest.mark.parametrize("survivorship", list(Survivorship))
def test_what_was_entered_by_hand_wins_until_it_ends(survivorship: Survivorship) -> None:
    definition = defined(survivorship, "books")
    assert chosen([*FACTS, fact(4, "Shiraz", "manual", -20)], definition) == "Shiraz"
    ended = fact(4, "Shiraz", "manual", -20, valid_to=NOW)
    assert chosen([*FACTS, ended], definition) == chosen(FACTS, definition)


def test_confidence_decides_among_equally_trusted_sources() -> None:
    sure, unsure = fact(1, "Tehran", "a", -9, confidence=90), fact(2, "Berlin", "b", -3, confidence=40)
    assert chosen([sure, unsure], defined(Survivorship.MOST_TRUSTED)) == "Tehran"


def test_addresses_agree_by_their_folded_parts() -> None:
    facts = [fact(1, {"city": "Köln"}, since=-8), fact(2, {"city": "koln"}, since=-7), fact(3, {"city": "Bonn"})]
    assert chosen(facts, defined(Survivorship.MOST_FREQUENT)) == {"city": "koln"}


def test_what_was_believed_earlier_stays_readable() -> None:
    wrong = fact(1, "Tehran", since=-9, superseded_at=day(-2))
    right = fact(2, "Berlin", since=-9, recorded_at=day(-2))
    definition = defined(Survivorship.LATEST)
    assert chosen([wrong, right], definition) == "Berlin"
    assert chosen([wrong, right], definition, as_of=day(-3)) == "Tehran"
    assert chosen([wrong, right], definition, as_of=day(-2)) == "Berlin"
    assert chosen([wrong, right], definition, as_of=day(-10)) is None
    assert golden([right], definition, at=day(-10)) is None


@given(
    st.lists(
        st.builds(
            fact,
            st.integers(1, 99),
            st.sampled_from(["Tehran", "tehran", "Berlin"]),
            st.sampled_from(["crm", "books", "manual"]),
            st.integers(-3, 1),
            confidence=st.sampled_from([50, 100]),
        ),
        unique_by=lambda one: one.id,
    ),
    st.builds(defined, st.sampled_from(Survivorship), st.sampled_from(["crm", "books"])),
    st.randoms(use_true_random=False),
)
def test_the_order_of_facts_decides_nothing(facts: list[Fact], definition: Definition, rnd: Random) -> None:
    shuffled = list(facts)
    rnd.shuffle(shuffled)
    assert golden(shuffled, definition, at=NOW) == golden(facts, definition, at=NOW)


@pytest.mark.parametrize(
    ("kind", "value", "stored"),
    [
        ("TEXT", "علی", "علی"),
        ("INTEGER", 2**63 - 1, 2**63 - 1),
        ("DECIMAL", 3, Decimal(3)),
        ("DECIMAL", Decimal("9223372036854.775807"), Decimal("9223372036854.775807")),
        ("BOOLEAN", False, False),
        ("DATE", date(2026, 2, 28), date(2026, 2, 28)),
        (
            "DATETIME",
            datetime(2026, 1, 1, 3, 30, tzinfo=timezone(timedelta(hours=3.5))),
            datetime(2026, 1, 1, tzinfo=UTC),
        ),
    ],
)
def test_values_of_the_right_type_are_stored(kind: str, value: object, stored: object) -> None:
    assert check_value(Definition("x", AttributeType(kind)), value) == stored


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("TEXT", 1),
        ("TEXT", " \u200c"),
        ("TEXT", "a\0b"),
        ("TEXT", "a\ud800b"),
        ("INTEGER", True),
        ("INTEGER", 2**63),
        ("INTEGER", "1"),
        ("DECIMAL", 1.5),
        ("DECIMAL", True),
        ("DECIMAL", Decimal("NaN")),
        ("DECIMAL", Decimal("0.0000001")),
        ("DECIMAL", Decimal("1E+100000")),
        ("BOOLEAN", 1),
        ("DATE", NOW),
        ("DATETIME", date(2026, 1, 1)),
        ("DATETIME", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=3.5)))),
        ("DATETIME", datetime(2026, 1, 1)),  # noqa: DTZ001 - a moment without offset is the case
    ],
)
def test_values_of_another_type_are_refused(kind: str, value: object) -> None:
    with pytest.raises(WrongAttributeType) as refused:
        check_value(Definition("x", AttributeType(kind)), value)
    assert refused.value.path == ("attributes", "x")
    assert refused.value.details == {"expected": kind, "given": type(value).__name__}


def test_an_unknown_attribute_is_refused_with_the_known_ones() -> None:
    known = {"tier": Definition("tier", AttributeType.TEXT)}
    assert definition_of(known, "tier") is known["tier"]
    with pytest.raises(UnknownAttribute) as refused:
        definition_of(known, "teir")
    assert refused.value.details == {"key": "teir", "known": ["tier"]}


def said(number: int, who: UUID, decision: str, on: int, channel: str = "email") -> Consent:
    return Consent(UUID(int=number), who, "marketing", channel, ConsentDecision(decision), day(on))


ABOUT = ("marketing", "email")


def test_the_latest_statement_of_one_customer_counts() -> None:
    heard = [said(1, ANN, "GRANTED", 3), said(2, ANN, "DENIED", 1), said(3, ANN, "REVOKED", 4, "sms")]
    assert effective_consent(heard) == {ABOUT: "GRANTED", ("marketing", "sms"): "REVOKED"}
    assert effective_consent([]) == {}


def test_a_merge_keeps_the_most_restrictive_until_the_customer_speaks_again() -> None:
    heard = [said(1, ANN, "REVOKED", 1), said(2, BOB, "GRANTED", 2)]
    assert effective_consent(heard, merged_at=day(3)) == {ABOUT: "REVOKED"}
    assert effective_consent([*heard, said(3, BOB, "GRANTED", 4)], merged_at=day(3)) == {ABOUT: "GRANTED"}


def test_at_one_moment_the_more_restrictive_counts() -> None:
    heard = [said(1, ANN, "DENIED", 1), said(2, ANN, "GRANTED", 1), said(3, ANN, "REVOKED", 1)]
    assert effective_consent(heard) == effective_consent(heard[::-1]) == {ABOUT: "DENIED"}
    assert effective_consent(heard, merged_at=day(0)) == {ABOUT: "DENIED"}
