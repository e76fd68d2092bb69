"""The life of Shirin Moradi, whom the guide shows: the same in every demo, told in days before today."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from cli.business import catalogue
from cli.business.diary import Consent, Diary, Note
from tenure_sdk import (
    Address,
    Call,
    Case,
    Commerce,
    Customer,
    Email,
    Identity,
    Message,
    Ref,
    Referral,
    Review,
    Survey,
    Visit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ago = Callable[..., datetime]

EMAIL = "shirin.moradi@example.com"
EMPLOYER, EMPLOYER_EMAIL = "Caspian Coffee House Ltd", "hello@caspian.example.com"
_HOUSE = "S000000"
_SHIRIN = "S000001"


def told(until: datetime) -> Iterator[Diary]:
    """Shirin, the coffee house that employs her, and the record that a till once made of her again."""

    def ago(days: int, hour: int = 11, minute: int = 0) -> datetime:
        return until.replace(hour=hour, minute=minute, second=0, microsecond=0) - timedelta(days=days)

    address = Address(street="Saffron Hill 12", city="London", postal_code="EC1N 0ZZ", country="GB")
    house = Customer(
        id=_HOUSE, kind="ORGANISATION", name=EMPLOYER, created_at=ago(620), addresses=(address,),
        emails=(EMPLOYER_EMAIL,), attributes={"tier": "silver"},
    )  # fmt: skip
    shirin = Customer(
        id=_SHIRIN, name="Shirin Moradi", created_at=ago(640, 9), emails=(EMAIL,), phones=("+44 20 7946 0999",),
        addresses=(address,), identities=(Identity("loyalty_card", "DEMO-0001"),),
        organisation=Ref("customer", _HOUSE), attributes={"tier": "gold", "loyalty_points": 225, "newsletter": True},
    )  # fmt: skip
    again = Customer(id=f"{_SHIRIN}B", name="S. Moradi", created_at=ago(150), updated_at=ago(150), emails=(EMAIL,))

    yield Diary(house, "GBP", until)
    diary = Diary(shirin, "GBP", until)
    _finds_us(diary, ago)
    _becomes_loyal(diary, ago)
    _comes_back(diary, ago)
    yield diary
    till = Diary(again, "GBP", until)
    till.bought(ago(150, 16, 40), [catalogue.line("COF-2", 2)], "STORE")
    yield till


def _finds_us(diary: Diary, ago: Ago) -> None:
    diary.happened("AD_VIEW", ago(640, 9), "SOCIAL", Visit(page="/", campaign="spring"), "Saw the spring campaign")
    diary.happened("VISIT", ago(639, 20), "WEB", Visit(page="/machines", referrer="search"), "Looked at machines")
    question = Message(text="Which grinder goes with the pump machine?")
    diary.happened("INQUIRY", ago(612), "CHAT", question, "Asked about grinders", direction="INBOUND", thread="grinder")
    answer = Email(subject="Your question about grinders", sender="hello@example.com", recipients=(EMAIL,))
    diary.happened("EMAIL_SENT", ago(612, 14), "EMAIL", answer, answer.subject, direction="OUTBOUND", thread="grinder")
    call = Call(seconds=540, outcome="reached")
    diary.happened("CALL", ago(600, 10), "PHONE", call, "Compared two machines", direction="OUTBOUND", thread="grinder")
    diary.consents.append(Consent("newsletter", "EMAIL", "GRANTED", ago(612)))
    diary.notes.append(Note("education", "NEED", "A machine that anybody in the house can use.", ago(600, 10, 10)))


def _becomes_loyal(diary: Diary, ago: Ago) -> None:
    machine = diary.bought(ago(575), [catalogue.line("MAC-2", 1), catalogue.line("GRI-1", 1)], "STORE")
    diary.happened("ORDER_DELIVERED", ago(573, 15), "MAIL", Commerce(reference=machine.number), "Delivered")
    diary.bought(ago(540), [catalogue.line("COF-1", 4), catalogue.line("CAR-1", 1)])
    about = Case(case="CASE-SHIRIN", title="The machine leaks", priority="HIGH")
    diary.happened("CASE_OPENED", ago(530, 8), "PHONE", about, about.title, direction="INBOUND", thread=about.case)
    diary.happened("CASE_RESOLVED", ago(528, 17), "PHONE", about, "Gasket replaced", thread=about.case)
    diary.given_back(ago(528, 18), machine, total=Decimal("49.00"))
    diary.happened("SURVEY", ago(525), "EMAIL", Survey(measure="CSAT", score=Decimal(5)), "CSAT 5", direction="INBOUND")
    diary.notes.append(
        Note("post_purchase", "PAIN_POINT", "Descaling is put off until the machine stops.", ago(528, 18))
    )
    diary.bought(ago(500), [catalogue.line("COF-2", 3), catalogue.line("CAR-2", 1)])
    diary.bought(ago(470), [catalogue.line("COF-2", 4)])
    review = Review(rating=Decimal(5), text="Kind people, honest advice.", site="reviews.example.com")
    diary.happened("REVIEW", ago(460), "SOCIAL", review, "5 of 5", direction="INBOUND")
    friend = Referral(code="FRIEND-SHIRIN", status="CONVERTED")
    diary.happened("REFERRAL", ago(440), "EMAIL", friend, "Recommended us to a friend", direction="INBOUND")


def _comes_back(diary: Diary, ago: Ago) -> None:
    """After the longest silence, a letter; then she buys again, and better things than before."""
    letter = Email(subject="We saved you a bag", campaign="win-back", link="https://example.com/reserve")
    diary.happened("EMAIL_SENT", ago(192, 9), "EMAIL", letter, letter.subject, direction="OUTBOUND")
    diary.happened("EMAIL_CLICKED", ago(192, 19), "EMAIL", letter, "Clicked the offer")
    diary.notes.append(
        Note("post_purchase", "PLAN", "Offer the reserve lots first, with the yearly service.", ago(191))
    )
    diary.bought(ago(180), [catalogue.line("COF-3", 2)])
    diary.bought(ago(100), [catalogue.line("COF-3", 2), catalogue.line("CAR-3", 1)])
    diary.bought(ago(60), [catalogue.line("COF-3", 3)])
    diary.bought(ago(20), [catalogue.line("COU-2", 1)], "PHONE")
    diary.happened("SURVEY", ago(12), "EMAIL", Survey(measure="NPS", score=Decimal(10)), "NPS 10", direction="INBOUND")
