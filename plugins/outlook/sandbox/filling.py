"""A lively mailbox from a seed: threads in and out, drafts, junk, internal mail, meetings, series, private events."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugins.outlook.sandbox.mailbox import Mailbox, Person
    from plugins.outlook.sandbox.store import Item

SUBJECTS = (
    "Offer for next quarter", "Question about invoice", "Delivery on Thursday", "Renewal of our contract",
    "Onboarding plan", "Price list", "Feedback on the trial", "Appointment on site", "Missing part", "Thank you",
)  # fmt: skip
BODIES = (
    "Could you send me the figures by tomorrow?",
    "Attached is what we spoke about.\nLet me know what you think.",
    "That suits us. Please go ahead.",
    "We have not decided yet and come back to you next week.",
    "The parts arrived, but two are damaged.",
)
MEETINGS = ("Review", "Kick-off", "Demo", "Site visit", "Contract talk")
JUNK = ("You have won", "Cheap watches", "Urgent: verify your account")
PRIVATE = ("Dentist", "School meeting", "Birthday")


def fill(mailbox: Mailbox, people: Sequence[Person], *, mails: int, events: int, contacts: int, seed: int) -> None:
    """Fill a mailbox: always the same from the same seed and the same moment."""
    draw = random.Random(f"{seed}/{mailbox.address}")  # noqa: S311  made-up correspondence
    _contacts(mailbox, people, contacts)
    _mails(mailbox, people, mails, draw)
    _events(mailbox, people, events, draw)


def _contacts(mailbox: Mailbox, people: Sequence[Person], count: int) -> None:
    for number in range(count):
        name, email = people[number % len(people)]
        turn = number // len(people)
        shown = name if turn == 0 else f"{name} {turn + 1}"
        mailbox.add_contact(shown, email if turn == 0 else f"{turn + 1}.{email}", companyName=email.partition("@")[2])


def _mails(mailbox: Mailbox, people: Sequence[Person], count: int, draw: random.Random) -> None:
    """One in ten is a draft, junk or internal; the others belong to threads of a few mails in both directions."""
    domain = mailbox.address.partition("@")[2]
    colleague = ("Robin Kolleg", f"robin@{domain}")
    start = mailbox.now() - timedelta(days=365)
    thread: tuple[Person, str, Item] | None = None
    for number in range(count):
        at = start + timedelta(days=364) * number / max(count, 1)
        kind = draw.random()
        body = draw.choice(BODIES)
        if kind < 0.03:
            mailbox.draft([draw.choice(people)], draw.choice(SUBJECTS), body)
        elif kind < 0.06:
            mailbox.receive(("Prizes", f"win{number}@spam.example"), draw.choice(JUNK), body, folder="junkemail", at=at)
        elif kind < 0.10:
            mailbox.receive(colleague, "Lunch?", body, at=at, is_read=True)
        elif thread is None or kind < 0.45:
            person, subject = draw.choice(people), draw.choice(SUBJECTS)
            thread = (person, subject, mailbox.receive(person, subject, body, at=at, is_read=draw.random() < 0.8))
        else:
            thread = (*thread[:2], _answer(mailbox, thread, body, at, draw))


def _answer(mailbox: Mailbox, thread: tuple[Person, str, Item], body: str, at: datetime, draw: random.Random) -> Item:
    person, subject, last = thread
    if draw.random() < 0.6:
        return mailbox.send([person], f"Re: {subject}", body, at=at, answers=last)
    folder = "archive" if draw.random() < 0.2 else "inbox"
    return mailbox.receive(person, f"Re: {subject}", body, at=at, answers=last, folder=folder, is_read=True)


def _events(mailbox: Mailbox, people: Sequence[Person], count: int, draw: random.Random) -> None:
    """One in eight is private, one in ten a weekly series; half lie ahead."""
    today = mailbox.now().replace(hour=0, minute=0, second=0, microsecond=0)
    for _ in range(count):
        start = today + timedelta(days=draw.randrange(-90, 91), hours=draw.randrange(8, 17))
        kind = draw.random()
        person = draw.choice(people)
        if kind < 0.125:
            mailbox.add_event(draw.choice(PRIVATE), start, sensitivity="private")
        elif kind < 0.225:
            mailbox.add_event("Weekly call", start, 30, attendees=[person], recurrence=weekly(start, 12))
        else:
            topic = f"{draw.choice(MEETINGS)} with {person[0]}"
            organizer = person if draw.random() < 0.3 else None
            mailbox.add_event(topic, start, draw.choice((30, 60, 90)), attendees=[person], organizer=organizer)


def weekly(start: datetime, times: int) -> dict[str, dict[str, object]]:
    """A recurrence: every week on the day of `start`, so many times."""
    return {
        "pattern": {
            "type": "weekly",
            "interval": 1,
            "daysOfWeek": [start.strftime("%A").lower()],
            "firstDayOfWeek": "monday",
        },
        "range": {
            "type": "numbered",
            "startDate": start.date().isoformat(),
            "numberOfOccurrences": times,
            "recurrenceTimeZone": "UTC",
        },
    }
