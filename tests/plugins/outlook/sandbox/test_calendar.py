from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pytest

from plugins.outlook.sandbox import recurrence
from plugins.outlook.sandbox.filling import weekly
from tests.plugins.outlook.sandbox.conftest import refusal, rounds

if TYPE_CHECKING:
    from plugins.outlook.sandbox import Mailbox, OutlookSandbox
    from tenure_sdk.http import httpx

KIM = ("Kim Lee", "kim@customer.example")
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
NOVEMBER = "startDateTime=2026-11-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z"
VIEW = f"me/calendarView/delta?{NOVEMBER}"
MEETING: dict[str, Any] = {
    "subject": "Review",
    "start": {"dateTime": "2026-11-25T12:00:00", "timeZone": "W. Europe Standard Time"},
    "end": {"dateTime": "2026-11-25T13:00:00", "timeZone": "W. Europe Standard Time"},
    "attendees": [{"emailAddress": {"name": "Kim Lee", "address": "kim@customer.example"}, "type": "required"}],
}

WITHOUT_DAYS = {"pattern": {"type": "weekly", "interval": 1}, "range": {"type": "noEnd", "startDate": "2026-11-25"}}


def short(entries: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(each["type"], each["start"]["dateTime"][:16]) for each in entries]


async def test_an_event_is_made_in_a_zone_and_read_in_another(graph: httpx.AsyncClient) -> None:
    made = await graph.post("me/events", json=MEETING)
    shown = made.json()
    assert made.status_code == 201
    assert shown["start"] == {"dateTime": "2026-11-25T11:00:00.0000000", "timeZone": "UTC"}
    assert (shown["originalStartTimeZone"], shown["type"]) == ("W. Europe Standard Time", "singleInstance")
    assert shown["organizer"] == {"emailAddress": {"name": "Ana", "address": "ana@acme.example"}}
    assert shown["attendees"][0]["status"] == {"response": "none", "time": "0001-01-01T00:00:00Z"}
    prefer = {"Prefer": 'outlook.timezone="Tokyo Standard Time", IdType="ImmutableId"'}
    there = await graph.get(f"me/events/{shown['id']}", headers=prefer)
    assert there.json()["start"] == {"dateTime": "2026-11-25T20:00:00.0000000", "timeZone": "Tokyo Standard Time"}
    assert there.headers["Preference-Applied"] == 'outlook.timezone="Tokyo Standard Time"'


async def test_one_transaction_id_makes_one_event(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    body = {**MEETING, "transactionId": "7b0d1c52-6a4e-4c52-9d43-b9f7b4d2b5d0"}
    first, second = (await graph.post("me/events", json=body)), (await graph.post("me/events", json=body))
    assert (first.json()["id"], len(ana.items)) == (second.json()["id"], 1)
    change = await graph.patch(f"me/events/{first.json()['id']}", json={"transactionId": "other"})
    assert refusal(change) == (400, "ErrorInvalidPropertySet")


async def test_changes_go_by_version(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    event = ana.add_event("Review", NOON, attendees=[KIM])
    etag = {"If-Match": event.etag}
    changed = await graph.patch(f"me/events/{event.id}", json={"subject": "Review 2"}, headers=etag)
    assert (changed.json()["subject"], changed.json()["@odata.etag"] == etag["If-Match"]) == ("Review 2", False)
    stale = await graph.patch(f"me/events/{event.id}", json={"subject": "Review 3"}, headers=etag)
    assert refusal(stale) == (412, "ErrorIrresolvableConflict")
    assert event.fields["subject"] == "Review 2"
    assert (await graph.delete(f"me/events/{event.id}")).status_code == 204
    assert refusal(await graph.get(f"me/events/{event.id}")) == (404, "ErrorItemNotFound")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"end": {"dateTime": "2026-11-25T11:00:00", "timeZone": "UTC"}, "start": MEETING["start"]}, None),
        ({"end": {"dateTime": "2026-11-25T10:59:00", "timeZone": "UTC"}}, "ErrorCalendarEndDateIsEarlierThanStartDate"),
        ({"start": {"dateTime": "2026-11-25T10:59:00", "timeZone": "Nowhere"}}, "TimeZoneNotSupportedException"),
        ({"start": {"dateTime": "tomorrow", "timeZone": "UTC"}}, "RequestBodyRead"),
        ({"isAllDay": True}, "ErrorPropertyValidationFailure"),
        ({"sensitivity": "secret"}, "RequestBodyRead"),
        ({"recurrence": WITHOUT_DAYS}, "ErrorInvalidRecurrencePattern"),
        ({"iCalUId": "mine"}, "RequestBodyRead"),
    ],
)
async def test_what_cannot_be_is_refused(
    graph: httpx.AsyncClient, ana: Mailbox, change: dict[str, Any], code: str | None
) -> None:
    answer = await graph.post("me/events", json={**MEETING, **change})
    assert (answer.status_code, len(ana.items)) == ((201, 1) if code is None else (400, 0))
    assert code is None or answer.json()["error"]["code"] == code


async def test_an_event_needs_both_ends(graph: httpx.AsyncClient) -> None:
    body = {name: value for name, value in MEETING.items() if name != "end"}
    assert refusal(await graph.post("me/events", json=body)) == (400, "ErrorPropertyValidationFailure")


async def test_a_view_expands_series_and_keeps_their_wall_clock(graph: httpx.AsyncClient) -> None:
    """Eight o'clock in New York stays eight o'clock when winter time begins on November 1."""
    body = {
        "subject": "Weekly call",
        "start": {"dateTime": "2026-10-28T08:00:00", "timeZone": "Eastern Standard Time"},
        "end": {"dateTime": "2026-10-28T08:30:00", "timeZone": "Eastern Standard Time"},
        "recurrence": weekly(datetime(2026, 10, 28, tzinfo=UTC), 3),
    }
    series = (await graph.post("me/events", json=body)).json()
    window = "startDateTime=2026-10-01T00:00:00Z&endDateTime=2026-12-01T00:00:00Z"
    found = (await graph.get(f"me/calendarView?{window}")).json()["value"]
    assert short(found) == [
        ("occurrence", "2026-10-28T12:00"),
        ("occurrence", "2026-11-04T13:00"),
        ("occurrence", "2026-11-11T13:00"),
    ]
    assert {each["seriesMasterId"] for each in found} == {series["id"]}
    assert len({each["id"] for each in found} | {each["iCalUId"] for each in found}) == 6
    assert (series["type"], series["seriesMasterId"], series["subject"]) == ("seriesMaster", None, "Weekly call")
    instances = (await graph.get(f"me/events/{series['id']}/instances?{window}&$select=start,type")).json()["value"]
    assert short(instances) == short(found)
    assert [each["type"] for each in (await graph.get("me/events")).json()["value"]] == ["seriesMaster"]


async def test_the_delta_of_a_view_gives_bare_occurrences_after_their_series(
    graph: httpx.AsyncClient, ana: Mailbox
) -> None:
    single = ana.add_event("Review", NOON, attendees=[KIM])
    ana.add_event("Next year", datetime(2027, 1, 5, tzinfo=UTC))
    series = ana.add_event(
        "Weekly call", datetime(2026, 11, 3, 9, tzinfo=UTC), 30, recurrence=weekly(datetime(2026, 11, 3, tzinfo=UTC), 6)
    )
    found, link = await rounds(graph, VIEW, Prefer='IdType="ImmutableId", odata.maxpagesize=2')
    assert short(found) == [
        ("singleInstance", "2026-11-25T12:00"),
        ("seriesMaster", "2026-11-03T09:00"),
        ("occurrence", "2026-11-03T09:00"),
        ("occurrence", "2026-11-10T09:00"),
        ("occurrence", "2026-11-17T09:00"),
        ("occurrence", "2026-11-24T09:00"),
    ]
    assert found[0]["id"] == single.id
    assert (found[1]["id"], found[1]["subject"]) == (series.id, "Weekly call")
    assert set(found[2]) == {"@odata.type", "@odata.etag", "id", "type", "seriesMasterId", "start", "end"}
    assert (await rounds(graph, link))[0] == []


async def test_exceptions_and_cancelled_occurrences_are_changes_of_their_own(
    graph: httpx.AsyncClient, ana: Mailbox
) -> None:
    start = datetime(2026, 11, 3, 9, tzinfo=UTC)
    ana.add_event("Weekly call", start, 30, recurrence=weekly(start, 4))
    found, link = await rounds(graph, VIEW)
    second, third = found[2]["id"], found[3]["id"]
    changed = await graph.patch(
        f"me/events/{second}", json={"subject": "Moved call", "location": {"displayName": "Leeds"}}
    )
    assert (changed.json()["type"], changed.json()["id"]) == ("exception", second)
    assert (await graph.delete(f"me/events/{third}")).status_code == 204
    found, link = await rounds(graph, link)
    assert [(each["id"], each.get("type"), each.get("subject")) for each in found] == [
        (second, "exception", "Moved call"),
        (third, None, None),
    ]
    assert (found[0]["originalStart"], found[0]["location"]["displayName"]) == ("2026-11-10T09:00:00Z", "Leeds")
    assert found[1]["@removed"] == {"reason": "deleted"}
    assert refusal(await graph.get(f"me/events/{third}")) == (404, "ErrorItemNotFound")
    view = (await graph.get(f"me/calendarView?{NOVEMBER}")).json()["value"]
    assert [each["type"] for each in view] == ["occurrence", "exception", "occurrence"]


async def test_what_leaves_the_window_is_removed_and_comes_back(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    event = ana.add_event("Review", NOON)
    _, link = await rounds(graph, VIEW)
    ana.edit(
        event,
        start={"dateTime": "2027-01-05T12:00:00", "timeZone": "UTC"},
        end={"dateTime": "2027-01-05T13:00:00", "timeZone": "UTC"},
    )
    found, link = await rounds(graph, link)
    assert found == [{"@removed": {"reason": "deleted"}, "id": event.id}]
    ana.edit(
        event,
        start={"dateTime": "2026-11-26T12:00:00", "timeZone": "UTC"},
        end={"dateTime": "2026-11-26T13:00:00", "timeZone": "UTC"},
    )
    found, link = await rounds(graph, link)
    assert [(each["id"], each["type"]) for each in found] == [(event.id, "singleInstance")]
    ana.delete(event)
    assert (await rounds(graph, link))[0] == [{"@removed": {"reason": "deleted"}, "id": event.id}]


async def test_a_shorter_series_loses_occurrences_and_a_deleted_one_all(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    start = datetime(2026, 11, 3, 9, tzinfo=UTC)
    series = ana.add_event("Weekly call", start, 30, recurrence=weekly(start, 3))
    found, link = await rounds(graph, VIEW)
    first, second, third = (each["id"] for each in found[1:])
    ana.edit(series, recurrence=weekly(start, 2))
    found, link = await rounds(graph, link)
    assert [each["id"] for each in found if "@removed" in each] == [third]
    assert [each["id"] for each in found if "@removed" not in each] == [series.id, first, second]
    ana.delete(series)
    found, _ = await rounds(graph, link)
    assert [each["id"] for each in found] == [series.id, first, second]
    assert all(each["@removed"] == {"reason": "deleted"} for each in found)


async def test_a_view_needs_its_window(graph: httpx.AsyncClient) -> None:
    assert refusal(await graph.get("me/calendarView")) == (400, "ErrorInvalidParameter")
    assert refusal(await graph.get("me/calendarView/delta?startDateTime=2026-11-01")) == (400, "ErrorInvalidParameter")
    assert refusal(await graph.get(f"{VIEW}&$select=subject")) == (400, "ErrorInvalidUrlQuery")
    backwards = "startDateTime=2026-12-01&endDateTime=2026-11-01"
    assert refusal(await graph.get(f"me/calendarView?{backwards}")) == (400, "ErrorInvalidParameter")


async def test_private_events_say_so(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    event = ana.add_event("Dentist", NOON)
    _, link = await rounds(graph, VIEW)
    ana.mark_private(event)
    found, _ = await rounds(graph, link)
    assert [(each["id"], each["sensitivity"]) for each in found] == [(event.id, "private")]


async def test_meetings_arrive_change_and_are_cancelled_in_the_calendars_of_those_invited(
    graph: httpx.AsyncClient, sandbox: OutlookSandbox
) -> None:
    kim = sandbox.mailbox("kim@customer.example")
    made = (await graph.post("me/events", json=MEETING)).json()
    (copy,) = kim.items.values()
    assert (copy.fields["iCalUId"], copy.fields["isOrganizer"]) == (made["iCalUId"], False)
    await graph.patch(f"me/events/{made['id']}", json={"subject": "Big review", "showAs": "free"})
    assert (copy.fields["subject"], copy.fields.get("showAs")) == ("Big review", None)
    await graph.delete(f"me/events/{made['id']}")
    assert (copy.fields["subject"], copy.fields["isCancelled"]) == ("Canceled: Big review", True)


async def test_the_calendar_itself(graph: httpx.AsyncClient, ana: Mailbox) -> None:
    (only,) = (await graph.get("me/calendars")).json()["value"]
    assert (only["name"], only["isDefaultCalendar"], only["owner"]["address"]) == ("Calendar", True, ana.address)
    assert (await graph.get(f"me/calendars/{only['id']}?$select=name")).json()["name"] == "Calendar"
    event = ana.add_event("Review", NOON)
    for path in (f"me/calendars/{only['id']}/calendarView/delta", "me/calendar/calendarView/delta"):
        found, _ = await rounds(graph, f"{path}?{NOVEMBER}")
        assert [each["id"] for each in found] == [event.id]


@pytest.mark.parametrize(
    ("pattern", "days"),
    [
        ({"type": "daily", "interval": 10}, ["01-01", "01-11", "01-21", "01-31", "02-10"]),
        (
            {"type": "weekly", "interval": 2, "daysOfWeek": ["monday", "thursday"], "firstDayOfWeek": "monday"},
            ["01-01", "01-12", "01-15", "01-26", "01-29"],
        ),
        ({"type": "absoluteMonthly", "interval": 1, "dayOfMonth": 31}, ["01-31", "02-28", "03-31", "04-30", "05-31"]),
        (
            {"type": "relativeMonthly", "interval": 1, "daysOfWeek": ["friday"], "index": "last"},
            ["01-30", "02-27", "03-27", "04-24", "05-29"],
        ),
        (
            {"type": "relativeMonthly", "interval": 2, "daysOfWeek": ["tuesday"], "index": "second"},
            ["01-13", "03-10", "05-12", "07-14", "09-08"],
        ),
    ],
)
def test_patterns_fall_on_their_days(pattern: dict[str, Any], days: list[str]) -> None:
    extent = {"type": "numbered", "startDate": "2026-01-01", "numberOfOccurrences": 5}
    found = recurrence.days({"pattern": pattern, "range": extent}, date(2027, 1, 1))
    assert [day.isoformat()[5:] for day in found] == days


@pytest.mark.parametrize(
    ("pattern", "years"),
    [
        (
            {"type": "absoluteYearly", "interval": 1, "month": 2, "dayOfMonth": 29},
            ["2026-02-28", "2027-02-28", "2028-02-29"],
        ),
        (
            {"type": "relativeYearly", "interval": 1, "month": 11, "daysOfWeek": ["thursday"], "index": "fourth"},
            ["2026-11-26", "2027-11-25", "2028-11-23"],
        ),
    ],
)
def test_yearly_patterns_fall_on_their_days(pattern: dict[str, Any], years: list[str]) -> None:
    extent = {"type": "endDate", "startDate": "2026-01-01", "endDate": "2028-12-31"}
    found = recurrence.days({"pattern": pattern, "range": extent}, date(2030, 1, 1))
    assert [day.isoformat() for day in found] == years
