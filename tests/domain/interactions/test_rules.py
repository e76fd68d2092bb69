from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from domain.interactions import rules
from domain.interactions.model import FAMILY_OF, Family, InteractionKind
from tenure_sdk import records

if TYPE_CHECKING:
    from collections.abc import Mapping

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_every_kind_has_a_family_and_every_family_a_payload() -> None:
    assert set(FAMILY_OF) == set(InteractionKind)
    assert set(FAMILY_OF.values()) == set(Family)
    assert set(rules.PAYLOADS) == set(Family)


def test_what_a_connector_may_report_has_its_place_here() -> None:
    for kind, payload in records.PAYLOADS.items():
        assert rules.PAYLOADS[FAMILY_OF[InteractionKind(kind)]].__name__ == f"{payload.__name__}Payload"


@pytest.mark.parametrize(
    ("family", "payload", "kept"),
    [
        (
            "EMAIL",
            rules.EmailPayload(subject="Hello", sender="a@example.com", recipients=("b@example.com",)),
            {"subject": "Hello", "from": "a@example.com", "to": ["b@example.com"]},
        ),
        ("EMAIL", {"from": "a@example.com", "to": []}, {"from": "a@example.com"}),
        ("CALL", {"duration_seconds": 61, "outcome": "answered"}, {"duration_seconds": 61, "outcome": "answered"}),
        ("MEETING", {"starts_at": NOON}, {"starts_at": "2026-05-01T12:00:00Z"}),
        ("SURVEY", {"kind": "NPS", "score": 9}, {"kind": "NPS", "score": "9"}),
        ("REVIEW", {"rating": Decimal("4.5")}, {"rating": "4.5", "scale": 5}),
        ("REFERRAL", {"referred_customer_id": UUID(int=7)}, {"referred_customer_id": str(UUID(int=7))}),
        ("COMMERCE", {"amount": "12.50", "currency": "EUR"}, {"amount": "12.50", "currency": "EUR"}),
        ("TASK", {"title": "Call back"}, {"title": "Call back", "done": False}),
        ("VISIT", None, None),
    ],
)
def test_a_payload_is_kept_without_what_is_not_known(
    family: str, payload: rules.Payload | Mapping[str, Any] | None, kept: dict[str, Any] | None
) -> None:
    assert rules.keep(family, payload) == kept


@pytest.mark.parametrize(
    ("family", "payload", "reason"),
    [
        ("NOTE", None, "Object missing required field `text`"),
        ("NOTE", {"text": ""}, "Expected `str` of length >= 1 - at `$.text`"),
        ("NOTE", {"text": "a", "colour": "red"}, "Object contains unknown field `colour`"),
        ("EMAIL", {"subject": 1}, "Expected `str | null`, got `int` - at `$.subject`"),
        ("CALL", {"duration_seconds": -1}, "Expected `int` >= 0 - at `$.duration_seconds`"),
        ("SURVEY", {"kind": "NPS", "score": "11"}, "score: from 0 to 10"),
        ("SURVEY", {"kind": "CSAT", "scale": 5, "score": "5.5"}, "score: from 0 to 5"),
        ("SURVEY", {"score": "NaN"}, "score: from 0 to any number"),
        ("REVIEW", {"rating": "6"}, "rating: from 0 to 5"),
        ("USAGE", {"quantity": "Infinity"}, "a number must be finite"),
        ("COMMERCE", {"amount": "1"}, "currency: an amount is in a currency"),
        (
            "MEETING",
            {"starts_at": "2026-05-01T12:00:00Z", "ends_at": "2026-05-01T11:00:00Z"},
            "ends_at: a meeting ends after it starts",
        ),
    ],
)
def test_a_payload_that_does_not_fit_says_why(family: str, payload: dict[str, Any] | None, reason: str) -> None:
    with pytest.raises(rules.PayloadInvalid) as refused:
        rules.keep(family, payload)
    assert refused.value.path == ("payload",)
    assert re.sub(r"\(.*\)", "", refused.value.details["reason"]) == reason


@pytest.mark.parametrize(
    ("family", "payload", "kept"),
    [
        (
            "EMAIL",
            records.Email(subject="Spring", sender="a", recipients=("b",), campaign="spring", link="https://x.example"),
            {"subject": "Spring", "from": "a", "to": ["b"], "link": "https://x.example"},
        ),
        ("CALL", records.Call(caller="a", callee="b", seconds=9), {"from": "a", "to": "b", "duration_seconds": 9}),
        (
            "MEETING",
            records.Meeting(title="Review", ends_at=NOON),
            {"title": "Review", "ends_at": "2026-05-01T12:00:00Z"},
        ),
        ("ENVELOPE", records.Envelope(envelope="e1", signers=("a",)), {"envelope_id": "e1", "signers": ["a"]}),
        (
            "CASE",
            records.Case(case="c1", cost=Decimal("2.50"), currency="EUR"),
            {"case_id": "c1", "cost": "2.50", "currency": "EUR"},
        ),
        ("SURVEY", records.Survey(measure="CES", score=Decimal(3)), {"kind": "CES", "score": "3"}),
        ("REVIEW", records.Review(rating=Decimal(7), out_of=10), {"rating": "7", "scale": 10}),
        ("REFERRAL", records.Referral(referred=records.Ref("customer", "7")), {"referred": "7"}),
        (
            "USAGE",
            records.Usage(product=records.Ref("product", "p"), quantity=Decimal(2)),
            {"product": "p", "quantity": "2"},
        ),
        ("VISIT", records.Visit(page="/", campaign="spring", session="s"), {"url": "/", "session": "s"}),
        (
            "COMMERCE",
            records.Commerce(reference="1001", amount=Decimal("1.00"), currency="EUR"),
            {"number": "1001", "amount": "1.00", "currency": "EUR"},
        ),
        ("TASK", records.Task(title="Call", completed_at=NOON), {"title": "Call", "done": True}),
        (
            "TASK",
            records.Task(title="Call", due_at=NOON),
            {"title": "Call", "due_at": "2026-05-01T12:00:00Z", "done": False},
        ),
    ],
)
def test_a_connectors_payload_is_kept_under_our_names(
    family: str, payload: records.Payload, kept: dict[str, Any]
) -> None:
    assert rules.keep_record(family, payload) == kept
