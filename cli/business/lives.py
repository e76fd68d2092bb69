"""The lives of the demo's customers: how each becomes known, what it asks, buys and says, and how it falls silent."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

from cli.business import catalogue, laws, names, promises
from cli.business.diary import Consent, Diary, Move, Note
from tenure_sdk import (
    Call,
    Case,
    Commerce,
    Customer,
    Email,
    Envelope,
    Meeting,
    Message,
    Ref,
    Referral,
    Review,
    Survey,
    Task,
    Usage,
    Visit,
)
from tenure_sdk import Note as Remark

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from random import Random

    from cli.business.diary import Status
    from cli.business.laws import Habit
    from tenure_sdk import Order

HOUSEHOLD = 8
"""Of so many customers that follow each other the first is an organisation, and the next two work there."""

_CONTACTS = (1, 2)
_DAY = timedelta(days=1)
_QUESTIONS = (
    "Which grinder goes with the pump machine?",
    "Do you deliver to offices?",
    "Is the single origin in stock again?",
    "How long does the descaler last?",
    "آیا قهوهٔ تک‌خاستگاه دوباره موجود می‌شود؟",
)
_COMPLAINTS = ("The parcel arrived damaged", "The machine leaks", "Wrong grind size", "The invoice has the wrong name")
_PRAISE = ("Arrived the next day, smells wonderful.", "The best grinder I have had.", "Kind people, honest advice.")
_NEEDS = (
    ("NEED", "Coffee for twelve people, ready before nine."),
    ("NEED", "A machine that anybody in the house can use."),
    ("PAIN_POINT", "Deliveries come when nobody is there to take them."),
    ("PAIN_POINT", "Descaling is put off until the machine stops."),
    ("PLAN", "Offer the yearly service together with the next order."),
    ("PLAN", "Invite to the barista weekend in spring."),
)  # fmt: skip


def lives(number: int, until: datetime) -> Iterator[Diary]:
    """The life of the customer of a number, and of the second record that some have by mistake."""
    told = _life(number, until)
    yield told
    second = _second_record(number, told)
    if second is not None:
        yield second


def _life(number: int, until: datetime) -> Diary:
    chance = laws.dice("life", number)
    known = laws.opening_hour(chance, until - laws.SPAN * (1 - 0.99 * chance.random() ** 1.4))
    place = number % HOUSEHOLD
    if place == 0:
        return _organisation(chance, number, known, until)
    diary = Diary(_person(chance, number, known), names.country(number).currency, until)
    if place in _CONTACTS:
        _work(chance, diary, known)
    else:
        _become_known(chance, diary, known)
        first = known + timedelta(days=chance.expovariate(1 / 12))
        if chance.random() < 0.72:
            _buy(chance, diary, _habit(chance, diary), first)
    if diary.customer.attributes["newsletter"]:
        _read(chance, diary, known)
    _decide(chance, diary, known)
    return _with_attributes(diary)


def _organisation(chance: Random, number: int, known: datetime, until: datetime) -> Diary:
    name, address = names.organisation(number), names.address(number)
    diary = Diary(
        Customer(
            id=f"C{number:06}", kind="ORGANISATION", name=name.written, created_at=known, addresses=(address,),
            emails=(names.email(name.latin, number),), phones=_phones(number),
        ),
        names.country(number).currency,
        until,
    )  # fmt: skip
    diary.happened("FORM_SUBMITTED", known, "WEB", Message(text="Please call us about supplying our team."),
                   "Asked for a call", direction="INBOUND")  # fmt: skip
    first = laws.opening_hour(chance, known + timedelta(days=5 + chance.expovariate(1 / 20)))
    _contract(chance, diary, first)
    if chance.random() < 0.8:
        orders = _buy(chance, diary, _habit(chance, diary), first)
        _take_care(chance, diary, orders)
    return _with_attributes(diary)


def _person(chance: Random, number: int, known: datetime) -> Customer:
    name, place = names.person(number), number % HOUSEHOLD
    return Customer(
        id=f"C{number:06}", name=name.written, created_at=known, emails=(names.email(name.latin, number),),
        phones=_phones(number) if chance.random() < 0.8 else (), addresses=(names.address(number),),
        organisation=Ref("customer", f"C{number - place:06}") if place in _CONTACTS else None,
        attributes={"newsletter": chance.random() < 0.45},
    )  # fmt: skip


def _phones(number: int) -> tuple[str, ...]:
    phone = names.phone(number)
    return (phone,) if phone else ()


def _become_known(chance: Random, diary: Diary, known: datetime) -> None:
    """An advertisement, some visits, and often a question that is answered."""
    if chance.random() < 0.4:
        diary.happened("AD_VIEW", known, "SOCIAL", Visit(page="/", campaign="spring"))
    for visit in range(chance.randint(1, 3)):
        at = known + timedelta(hours=1 + 30 * visit)
        diary.happened(
            "VISIT", at, "WEB", Visit(page=chance.choice(("/coffee", "/machines", "/tea")), referrer="search")
        )
    if chance.random() < 0.5:
        _ask(chance, diary, known + timedelta(days=1 + chance.random() * 6))


def _ask(chance: Random, diary: Diary, at: datetime) -> None:
    kind, channel = chance.choice((("INQUIRY", "CHAT"), ("INQUIRY", "EMAIL"), ("FORM_SUBMITTED", "WEB")))
    thread = f"{diary.customer.id}-question"
    diary.happened(kind, at, channel, Message(text=chance.choice(_QUESTIONS)), "Asked a question",
                   direction="INBOUND", thread=thread)  # fmt: skip
    answer = Email(subject="Your question", sender="hello@example.com", recipients=diary.customer.emails)
    diary.happened("EMAIL_SENT", at + timedelta(hours=3), "EMAIL", answer, "Answered", direction="OUTBOUND",
                   thread=thread)  # fmt: skip


def _buy(chance: Random, diary: Diary, habit: Habit, first: datetime) -> list[Order]:
    orders: list[Order] = []
    for at in laws.occasions(chance, habit, first, diary.until):
        lines = catalogue.basket(chance, laws.order_size(chance, habit), len(orders))
        status: Status = "CANCELLED" if chance.random() < 0.03 else "COMPLETED"
        order = diary.bought(at, lines, chance.choices(("WEB", "STORE", "PHONE"), (7, 2, 1))[0], status)
        orders.append(order)
        if status == "COMPLETED":
            _follow_up(chance, diary, order, len(orders))
    if orders and chance.random() < 0.25:
        _abandon(chance, diary, orders[-1].occurred_at + timedelta(days=9))
    return orders


def _habit(chance: Random, diary: Diary) -> Habit:
    """How a customer buys, and how much more often once an initiative is for them that works."""
    habit = laws.habit(chance, is_organisation=diary.customer.kind == "ORGANISATION")
    return replace(habit, lifted_from=promises.lifted_from(diary.customer.id, diary.until))


def _follow_up(chance: Random, diary: Diary, order: Order, nth: int) -> None:
    """What an order brings with it: delivery, and sometimes trouble, an opinion or a recommendation."""
    arrived = order.occurred_at + timedelta(days=2, hours=chance.randint(0, 6))
    if chance.random() < 0.3:
        diary.happened("ORDER_DELIVERED", arrived, "MAIL", Commerce(reference=order.number), "Delivered")
    if chance.random() < 0.08:
        _complain(chance, diary, order, arrived + timedelta(hours=5))
    if nth % 4 == 2 and chance.random() < 0.5:
        _score(chance, diary, "NPS", arrived + 6 * _DAY, range(3, 11))
    if nth >= 2 and chance.random() < 0.05:
        rating = Decimal(chance.choice((2, 4, 4, 5, 5, 5)))
        diary.happened("REVIEW", arrived + 9 * _DAY, "SOCIAL", Review(rating=rating, text=chance.choice(_PRAISE)),
                       f"{rating} of 5", direction="INBOUND")  # fmt: skip
    if nth >= 3 and chance.random() < 0.05:
        friend = Referral(code=f"FRIEND-{diary.customer.id}", status="SENT")
        diary.happened("REFERRAL", arrived + 12 * _DAY, "EMAIL", friend,
                       "Recommended us to a friend", direction="INBOUND")  # fmt: skip
    if nth >= 2 and chance.random() < 0.04:
        usage = Usage(feature="recipes", quantity=Decimal(chance.randint(1, 9)))
        diary.happened("USAGE", arrived + 5 * _DAY, "APP", usage)


def _complain(chance: Random, diary: Diary, order: Order, at: datetime) -> None:
    case = f"CASE-{order.id}"
    about = Case(case=case, title=chance.choice(_COMPLAINTS), priority=chance.choice(("NORMAL", "HIGH")))
    for kind, hours, status in (
        ("CASE_OPENED", 0, "OPEN"),
        ("CASE_ANSWERED", 4, "OPEN"),
        ("CASE_RESOLVED", 50, "RESOLVED"),
    ):
        told = msgspec.structs.replace(about, status=status)
        diary.happened(kind, at + timedelta(hours=hours), "EMAIL", told, about.title, thread=case)
    if chance.random() < 0.55:
        diary.given_back(at + timedelta(hours=49), order, order.lines[:1])
    if chance.random() < 0.6:
        _score(chance, diary, "CSAT", at + 3 * _DAY, range(1, 6))


def _score(chance: Random, diary: Diary, measure: str, at: datetime, scores: range) -> None:
    score = max(chance.choice(scores), chance.choice(scores))
    answer = msgspec.convert({"type": "survey", "measure": measure, "score": Decimal(score)}, Survey)
    diary.happened("SURVEY", at, "EMAIL", answer, f"{measure} {score}", direction="INBOUND")


def _abandon(chance: Random, diary: Diary, at: datetime) -> None:
    cart = Commerce(
        reference=f"CART-{diary.customer.id}", amount=Decimal(chance.randint(20, 160)), currency=diary.currency
    )
    diary.happened("CART_ABANDONED", at, "WEB", cart, "Left a cart behind")


def _read(chance: Random, diary: Diary, known: datetime) -> None:
    """Newsletters, one a quarter: sent, opened by some (by scanners too), clicked by few."""
    for quarter in range(8):
        sent = diary.until - timedelta(days=30 + 91 * quarter, hours=4)
        if sent < known:
            return
        letter = Email(subject="News from the roastery", campaign=f"newsletter-{8 - quarter}")
        diary.happened("EMAIL_SENT", sent, "EMAIL", letter, letter.subject, direction="OUTBOUND")
        if chance.random() < 0.5:
            scanner = chance.random() < 0.15
            wait = timedelta(seconds=1) if scanner else timedelta(hours=chance.expovariate(1 / 8))
            diary.happened("EMAIL_OPENED", sent + wait, "EMAIL", letter, machine_suspected=scanner)
            if not scanner and chance.random() < 0.25:
                clicked = msgspec.structs.replace(letter, link="https://example.com/reserve")
                diary.happened("EMAIL_CLICKED", sent + wait + timedelta(minutes=2), "EMAIL", clicked)


def _decide(chance: Random, diary: Diary, known: datetime) -> None:
    """Some readers said so on record, and a few of them changed their minds; others never wanted calls."""
    if diary.customer.attributes["newsletter"] and chance.random() < 0.15:
        diary.consents.append(Consent("newsletter", "EMAIL", "GRANTED", known))
        if chance.random() < 0.2 and known + 200 * _DAY < diary.until:
            diary.consents.append(Consent("newsletter", "EMAIL", "REVOKED", known + 200 * _DAY))
    elif chance.random() < 0.02:
        diary.consents.append(Consent("offers", "PHONE", "DENIED", known))


def _work(chance: Random, diary: Diary, known: datetime) -> None:
    """A contact of an organisation: calls, meetings and mails, every few weeks."""
    at = known
    while at < diary.until and chance.random() < 0.9:
        kind = chance.choice(("CALL", "CALL", "MEETING", "EMAIL_RECEIVED", "TASK"))
        at = laws.opening_hour(chance, at + timedelta(days=chance.expovariate(1 / 40)))
        if kind == "CALL":
            call = Call(seconds=chance.randint(40, 1500), outcome=chance.choice(("reached", "reached", "voicemail")))
            diary.happened(kind, at, "PHONE", call, "Talked about the next delivery", direction="OUTBOUND")
        elif kind == "MEETING":
            meeting = Meeting(title="Tasting", ends_at=at + timedelta(hours=1), location="Their place", status="HELD")
            diary.happened(kind, at, chance.choice(("IN_PERSON", "VIDEO")), meeting, "Tasting")
        elif kind == "TASK":
            diary.happened(
                kind, at, "OTHER", Task(title="Send the price list", completed_at=at + 2 * _DAY), "Price list"
            )
        else:
            mail = Email(subject="Next month's order", sender=diary.customer.emails[0])
            diary.happened(kind, at, "EMAIL", mail, mail.subject, direction="INBOUND")


def _contract(chance: Random, diary: Diary, at: datetime) -> None:
    envelope = Envelope(title="Supply agreement", envelope=f"ENV-{diary.customer.id}", signers=diary.customer.emails)
    for kind, days in (("ENVELOPE_SENT", -4), ("ENVELOPE_VIEWED", -3), ("ENVELOPE_SIGNED", -1)):
        diary.happened(kind, at + days * _DAY, "EMAIL", envelope, envelope.title, thread=envelope.envelope)
        if chance.random() < 0.12:
            return


def _take_care(chance: Random, diary: Diary, orders: list[Order]) -> None:
    """What the account manager writes down, and the move by hand once a customer is set up."""
    bought = [order.occurred_at for order in orders if order.status == "COMPLETED"]
    if not bought:
        return
    ready = bought[0] + 3 * _DAY
    if chance.random() < 0.2 and ready < min([*bought[1:], diary.until]):
        diary.moves.append(Move("post_purchase", ready, "Set up at their place, the team is trained."))
    for kind, text in chance.sample(_NEEDS, k=2 if chance.random() < 0.2 else 0):
        diary.notes.append(Note("purchase", kind, text, bought[0]))
    if chance.random() < 0.3:
        remark = Remark(text="Prefers to be called in the morning.", author="Account manager")
        diary.happened("NOTE", bought[0] + timedelta(hours=2), "OTHER", remark, "Call in the morning")


def _with_attributes(diary: Diary) -> Diary:
    """The customer as the shop describes it in the end: its tier and points follow from what it bought."""
    bought = [record for record in diary.records if getattr(record, "status", None) == "COMPLETED"]
    tier = "gold" if len(bought) >= 10 else "silver" if len(bought) >= 4 else "bronze"
    attributes = {**diary.customer.attributes, "tier": tier, "loyalty_points": 25 * len(bought)}
    diary.customer = msgspec.structs.replace(diary.customer, attributes=attributes)
    return diary


def _second_record(number: int, told: Diary) -> Diary | None:
    """The same person once more: with the same e-mail address (merged), or alike but for it (proposed)."""
    chance = laws.dice("second", number)
    customer = told.customer
    made = (customer.created_at or told.until) + 20 * _DAY
    if customer.kind != "PERSON" or made >= told.until or chance.random() > 0.04:
        return None
    same = chance.random() < 0.6 or not customer.phones
    given, _, family = (customer.name or "").partition(" ")
    second = Customer(
        id=f"{customer.id}B", name=f"{given[0]}. {family}" if same else customer.name, created_at=made, updated_at=made,
        emails=customer.emails if same else (f"shop.{customer.emails[0]}",), phones=() if same else customer.phones,
        addresses=customer.addresses,
    )  # fmt: skip
    diary = Diary(second, told.currency, told.until)
    diary.bought(made, (catalogue.line("COF-1", 2),), "STORE")
    return diary
