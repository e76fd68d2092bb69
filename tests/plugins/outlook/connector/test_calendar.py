"""Meetings: single ones, series with their occurrences and exceptions, private ones, and the window that rolls on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugins.outlook.sandbox.filling import weekly
from tenure_sdk import CursorExpired, Identity, Meeting

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox

    from .conftest import Side

BEA = ("Bea Kunde", "bea@customer.example")
ROBIN = ("Robin Kolleg", "robin@acme.example")
AT = datetime(2026, 12, 1, 10, tzinfo=UTC)


def name_of(box: Mailbox, item: Any) -> str:
    return f"{box.user_id}/events/{item.id}"


def times(side: Side) -> list[tuple[datetime, str]]:
    return sorted((record.occurred_at, record.summary) for record in side.records.values())


async def test_a_meeting(side: Side, ana: Mailbox) -> None:
    event = ana.add_event("Review", AT, 90, attendees=[BEA, ROBIN], location={"displayName": "Room 1"})
    await side.read("calendar")
    found = side.records[name_of(ana, event)]
    assert (found.kind, found.occurred_at, found.direction) == ("MEETING", AT, "OUTBOUND")
    assert found.parties == (Identity("email", "bea@customer.example"),)
    assert found.correlation_key == event.fields["iCalUId"]
    assert found.payload == Meeting(
        title="Review",
        ends_at=AT + timedelta(minutes=90),
        attendees=("bea@customer.example", "robin@acme.example"),
        location="Room 1",
    )
    ana.edit(event, isCancelled=True)
    await side.read("calendar")
    assert side.records[name_of(ana, event)].payload.status == "CANCELLED"


async def test_who_invites_is_a_party(side: Side, ana: Mailbox) -> None:
    event = ana.add_event("Their review", AT, organizer=BEA, attendees=[ana.owner])
    await side.read("calendar")
    found = side.records[name_of(ana, event)]
    assert (found.direction, found.parties) == ("INBOUND", (Identity("email", "bea@customer.example"),))


@pytest.mark.parametrize("sensitivity", ["private", "personal", "confidential"])
async def test_private_events_are_never_handed_over(side: Side, ana: Mailbox, sensitivity: str) -> None:
    ana.add_event("Dentist", AT, attendees=[BEA], sensitivity=sensitivity)
    ana.add_event("Therapy", AT, attendees=[BEA], sensitivity=sensitivity, recurrence=weekly(AT, 3))
    ana.add_event("Team", AT, attendees=[ROBIN])
    ana.add_event("Alone", AT)
    await side.read("calendar")
    assert side.records == {}
    assert not any(word in str(side.yielded) for word in ("Dentist", "Therapy", "Team", "Alone"))


async def test_what_becomes_private_later_is_deleted(side: Side, ana: Mailbox) -> None:
    one, series = ana.add_event("One", AT, attendees=[BEA]), _series(ana)
    ana.change_occurrence(series, "2026-12-08", {"subject": "Weekly, but long"})
    cursor = await side.read("calendar")
    assert len(side.records) == 4
    ana.mark_private(one)
    ana.mark_private(series)
    await side.read("calendar", cursor)
    assert side.records == {}


async def test_each_occurrence_of_a_series_is_a_meeting(side: Side, ana: Mailbox) -> None:
    series = _series(ana)
    cursor = await side.read("calendar")
    week = timedelta(days=7)
    assert times(side) == [(AT, "Weekly"), (AT + week, "Weekly"), (AT + 2 * week, "Weekly")]
    assert {record.correlation_key for record in side.records.values()} == {series.fields["iCalUId"]}
    later = {"dateTime": "2026-12-08T15:00:00", "timeZone": "UTC"}
    end = {"dateTime": "2026-12-08T16:00:00", "timeZone": "UTC"}
    ana.change_occurrence(series, "2026-12-08", {"start": later, "end": end, "subject": "Later"})
    cursor = await side.read("calendar", cursor)
    assert times(side) == [(AT, "Weekly"), (AT + week + timedelta(hours=5), "Later"), (AT + 2 * week, "Weekly")]
    assert {record.correlation_key for record in side.records.values()} == {series.fields["iCalUId"]}
    ana.cancel_occurrence(series, "2026-12-15")
    cursor = await side.read("calendar", cursor)
    assert times(side) == [(AT, "Weekly"), (AT + week + timedelta(hours=5), "Later")]
    ana.delete(series)
    await side.read("calendar", cursor)
    assert side.records == {}


@pytest.mark.parametrize("stop", range(1, 4))
async def test_a_reading_goes_on_between_a_series_and_its_occurrences(side: Side, ana: Mailbox, stop: int) -> None:
    for number in range(24):
        start = AT + timedelta(minutes=15 * number)
        ana.add_event(f"Daily {number}", start, attendees=[BEA], recurrence=weekly(start, 60))
    cursor = await side.read("calendar", stop=stop)
    seen = set(side.records)
    await side.read("calendar", cursor)
    assert seen < set(side.records)
    assert {record.summary for record in side.records.values()} == {f"Daily {number}" for number in range(24)}
    fresh = dict(side.records)
    side.records.clear()
    await side.read("calendar")
    assert side.records == fresh


async def test_the_window_rolls_on_with_the_month(side: Side, ana: Mailbox) -> None:
    far = ana.add_event("Far", datetime(2027, 6, 20, 10, tzinfo=UTC), attendees=[BEA])
    near, old = ana.add_event("Near", AT, attendees=[BEA]), ana.add_event("Old", AT, attendees=[BEA])
    cursor = await side.read("calendar")
    assert side.records.keys() == {name_of(ana, near), name_of(ana, old)}
    side.clock.forward(days=30)
    ana.delete(old)  # between the last reading of the former window and the first one of the next
    cursor = await side.read("calendar", cursor)
    assert side.records.keys() == {name_of(ana, near), name_of(ana, far)}
    assert len(cursor) == 1
    ana.edit(near, subject="Nearer")
    await side.read("calendar", cursor)
    assert side.records[name_of(ana, near)].summary == "Nearer"


async def test_what_moves_out_of_the_window_is_not_gone(side: Side, ana: Mailbox) -> None:
    event = ana.add_event("Review", AT, attendees=[BEA])
    cursor = await side.read("calendar")
    far = {"dateTime": "2029-01-01T10:00:00", "timeZone": "UTC"}
    ana.edit(event, start=far, end=far | {"dateTime": "2029-01-01T11:00:00"})
    await side.read("calendar", cursor)
    assert side.records[name_of(ana, event)].occurred_at == datetime(2029, 1, 1, 10, tzinfo=UTC)


async def test_the_text_of_an_event_is_read_with_full_alone(side: Side, ana: Mailbox) -> None:
    ana.add_event("Review", AT, attendees=[BEA], body={"contentType": "text", "content": "The agenda"})
    cursor = await side.read("calendar")
    assert "The agenda" not in str(side.yielded)
    side.config = msgspec.structs.replace(side.config, keep="FULL")
    await side.read("calendar", cursor)
    assert [record.content for record in side.records.values()] == ["The agenda"]


async def test_a_lost_position_is_an_expired_cursor(side: Side, ana: Mailbox) -> None:
    cursor = await side.read("calendar")
    ana.evict_delta_tokens()
    with pytest.raises(CursorExpired):
        await side.read("calendar", cursor)


async def test_events_are_fetched_by_their_ids(side: Side, ana: Mailbox) -> None:
    kept, private = ana.add_event("Review", AT, attendees=[BEA]), ana.add_event("Dentist", AT, sensitivity="private")
    await side.read("calendar")
    found = await side.remote.fetch("interaction", [name_of(ana, kept), name_of(ana, private)])
    assert found == [side.records[name_of(ana, kept)]]


def _series(box: Mailbox) -> Any:
    return box.add_event("Weekly", AT, attendees=[BEA], recurrence=weekly(AT, 3))
