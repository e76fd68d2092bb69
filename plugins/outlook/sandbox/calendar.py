"""The calendar: events, series with occurrences and exceptions, views of a window, and the delta of a view.

What a view's delta gives of a regular occurrence is its id, times, type and series, no more, as Graph does
(microsoft-graph-docs issues 7632 and 22197): the rest is read from the series, which comes in the same round. Whether
a view's delta repeats the series when only its exception changed is UNVERIFIED; here it does not.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from plugins.outlook.sandbox import ids, inputs, occurrences, recurrence
from plugins.outlook.sandbox.calls import Answer
from plugins.outlook.sandbox.errors import bad_request, malformed_id, not_found
from plugins.outlook.sandbox.mailbox import address_of
from plugins.outlook.sandbox.occurrences import Occurrence, Window
from plugins.outlook.sandbox.paging import TOKENS, changes, listing
from plugins.outlook.sandbox.showing import body, extended, extended_in, filtered, identity, only, removed, sort_value
from plugins.outlook.sandbox.store import CALENDAR, Item
from plugins.outlook.sandbox.times import instant, moment, pair, stamp, zone

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from plugins.outlook.sandbox.calls import Call
    from plugins.outlook.sandbox.changes import Change

NOWHERE = {"displayName": "", "locationType": "default", "uniqueIdType": "unknown", "address": {}, "coordinates": {}}
DEFAULTS: dict[str, Any] = {
    "categories": [],
    "transactionId": None,
    "originalStartTimeZone": "UTC",
    "originalEndTimeZone": "UTC",
    "iCalUId": None,
    "reminderMinutesBeforeStart": 15,
    "isReminderOn": True,
    "hasAttachments": False,
    "subject": "",
    "importance": "normal",
    "sensitivity": "normal",
    "isAllDay": False,
    "isCancelled": False,
    "isOrganizer": True,
    "responseRequested": True,
    "showAs": "busy",
    "onlineMeetingUrl": None,
    "isOnlineMeeting": False,
    "onlineMeetingProvider": "unknown",
    "allowNewTimeProposals": True,
    "isDraft": False,
    "hideAttendees": False,
    "onlineMeeting": None,
    "responseStatus": {"response": "organizer", "time": "0001-01-01T00:00:00Z"},
    "body": {"contentType": "text", "content": ""},
    "location": NOWHERE,
    "locations": [],
    "attendees": [],
    "organizer": None,
    "recurrence": None,
}
COMPUTED = (
    "id",
    "changeKey",
    "createdDateTime",
    "lastModifiedDateTime",
    "bodyPreview",
    "webLink",
    "seriesMasterId",
    "type",
    "start",
    "end",
    "originalStart",
)
SELECTABLE = frozenset({*DEFAULTS, *COMPUTED})
COMPARED = {
    **dict.fromkeys(("start/dateTime", "end/dateTime"), "zoned"),
    **dict.fromkeys(("createdDateTime", "lastModifiedDateTime"), "time"),
    **dict.fromkeys(("subject", "iCalUId", "type", "showAs", "sensitivity", "seriesMasterId"), "text"),
    **dict.fromkeys(("isAllDay", "isCancelled", "isOrganizer"), "flag"),
}
SORTABLE = ("start/dateTime", "createdDateTime", "lastModifiedDateTime", "subject")
CALENDAR_PROPERTIES = frozenset({
    "id", "name", "color", "hexColor", "isDefaultCalendar", "changeKey", "canShare", "canViewPrivateItems", "canEdit",
    "isTallyingResponses", "isRemovable", "owner", "allowedOnlineMeetingProviders", "defaultOnlineMeetingProvider",
})  # fmt: skip
BARE = frozenset({"id", "start", "end", "type", "seriesMasterId"})


def shown(
    call: Call, item: Item, when: Occurrence | None = None, select: Collection[str] | None = None
) -> dict[str, Any]:
    """An event, or one occurrence of a series, as a request sees it."""
    day = when.day if when else None
    own = item.exceptions.get(day, {}) if day else {}
    fields = {**DEFAULTS, **item.fields, **own}
    series = bool(item.fields.get("recurrence"))
    start, end = (when.start, when.end) if when else (instant(fields["start"]), instant(fields["end"]))
    shown_id = _shown_id(call, item, day)
    written, preview = body(fields["body"], call.preferences)
    fields |= {
        "body": written,
        "bodyPreview": preview,
        "start": pair(start, call.preferences.zone),
        "end": pair(end, call.preferences.zone),
        "type": ("exception" if own else "occurrence") if day else "seriesMaster" if series else "singleInstance",
        "seriesMasterId": item.shown_id(call.preferences) if day else None,
        "locations": fields["locations"] or ([fields["location"]] if fields["location"].get("displayName") else []),
        "changeKey": ids.change_key(item.key, item.version),
        "createdDateTime": item.created,
        "lastModifiedDateTime": item.modified,
        "webLink": f"https://outlook.office365.com/owa/?itemid={quote(shown_id, safe='')}&path=/calendar/item",
    }
    if day:
        regular = occurrences.on_day(item.fields, day)
        uid = f"{fields['iCalUId']}{day.replace('-', '')}"
        fields |= {"recurrence": None, "iCalUId": uid, "originalStart": stamp(regular.start if regular else start)}
    if select is not None:
        fields = {name: fields.get(name) for name in select if name != "id"}
    return {"@odata.etag": item.etag, "id": shown_id, **fields, **extended(item, call.options.expanded())}


def list_calendars(call: Call) -> Answer:
    """The calendars of the mailbox: the sandbox keeps one."""
    select = call.options.selected(CALENDAR_PROPERTIES, "calendar")
    return listing(call, [None], lambda _: _calendar_shown(call, select), "calendars")


def get_calendar(call: Call) -> Answer:
    """The calendar."""
    _check_calendar(call)
    select = call.options.selected(CALENDAR_PROPERTIES, "calendar")
    return Answer(200, {"@odata.context": call.context("calendars/$entity"), **_calendar_shown(call, select)})


def list_events(call: Call) -> Answer:
    """Single events and series, not their occurrences."""
    _check_calendar(call)
    select = call.options.selected(SELECTABLE, "event")
    wanted = call.options.filtered(COMPARED)
    name, last_first = call.options.order(SORTABLE, "start/dateTime desc")
    calendar = call.mailbox.known(CALENDAR)
    entries = call.mailbox.listed(calendar, "event", (name, last_first), lambda item: _sort_value(item, name))
    entries = filtered(call, "event", calendar, wanted, entries, DEFAULTS)
    return listing(call, entries, lambda item: shown(call, item, select=select), "events")


def list_view(call: Call) -> Answer:
    """Everything that takes place within a window: single events, occurrences and exceptions, in order."""
    _check_calendar(call)
    window = _window(call.options.given)
    select = call.options.selected(SELECTABLE, "event")
    _, last_first = call.options.order(("start/dateTime",), "start/dateTime")
    found = [
        (item, when)
        for item in call.mailbox.known(CALENDAR).items.values()
        for when in occurrences.within(item.fields, item.exceptions, item.cancelled, window)
    ]
    found.sort(key=lambda each: (each[1].start, each[0].key), reverse=last_first)
    return listing(call, found, lambda each: shown(call, *each, select=select), "calendarView")


def list_instances(call: Call) -> Answer:
    """The occurrences and exceptions of a series within a window."""
    item, day = _event(call)
    if day or not item.fields.get("recurrence"):
        raise bad_request("The event is not a recurring master.", "ErrorInvalidRequest")
    window = _window(call.options.given)
    select = call.options.selected(SELECTABLE, "event")
    found = sorted(
        occurrences.within(item.fields, item.exceptions, item.cancelled, window), key=lambda each: each.start
    )
    return listing(call, found, lambda when: shown(call, item, when, select), "events")


def view_changes(call: Call) -> Answer:
    """The delta of a view: the window is the one of the first request, for as long as its links are followed."""
    _check_calendar(call)
    if not call.options.given.keys() & set(TOKENS):
        _window(call.options.given)

    def entries(change: Change, given: Mapping[str, str]) -> list[dict[str, Any]]:
        return _view_entries(call, change, _window(given))

    log = call.mailbox.known(CALENDAR).log
    return changes(call, log, "view", "calendarView/$delta", entries)


def get_event(call: Call) -> Answer:
    """One event, series, occurrence or exception."""
    item, day = _event(call)
    select = call.options.selected(SELECTABLE, "event")
    return Answer(
        200, {"@odata.context": call.context("events/$entity"), **shown(call, item, _when(item, day), select)}
    )


def create_event(call: Call) -> Answer:
    """A new event; one transactionId makes one event, however often it is sent (which answer it gets is UNVERIFIED)."""
    _check_calendar(call)
    fields = inputs.plain(inputs.read(call.request.body, inputs.Event))
    repeated = call.mailbox.found("transactionId", fields["transactionId"]) if fields.get("transactionId") else []
    if repeated:
        return Answer(201, {"@odata.context": call.context("events/$entity"), **shown(call, repeated[0])})
    if "start" not in fields or "end" not in fields:
        raise bad_request("An event needs a start and an end.", "ErrorPropertyValidationFailure")
    own = extended_in(fields)
    made = {
        "organizer": address_of(call.mailbox.owner),
        "iCalUId": call.mailbox.uid(fields.get("subject") or "", fields["start"]["dateTime"]),
        **_completed(fields),
    }
    _check_times(made)
    item = call.mailbox.put("event", call.mailbox.known(CALENDAR), made, own)
    call.sandbox.invite(call.mailbox, item)
    return Answer(201, {"@odata.context": call.context("events/$entity"), **shown(call, item)})


def change_event(call: Call) -> Answer:
    """Other values for an event or a series; of an occurrence it makes an exception."""
    item, day = _event(call)
    call.check_version(item)
    fields = inputs.plain(inputs.read(call.request.body, inputs.Event))
    if "transactionId" in fields:
        raise bad_request("transactionId can be set only when an event is created.", "ErrorInvalidPropertySet")
    own = extended_in(fields)
    fields = _completed(fields)
    if day:
        _change_occurrence(call, item, day, fields)
    else:
        _check_times({**item.fields, **fields})
        call.mailbox.edit(item, **fields)
        item.extended.update(own)
        call.sandbox.update_copies(item, fields)
    return Answer(200, {"@odata.context": call.context("events/$entity"), **shown(call, item, _when(item, day))})


def delete_event(call: Call) -> Answer:
    """Delete an event, a whole series, or one occurrence."""
    item, day = _event(call)
    call.check_version(item)
    if day:
        call.mailbox.cancel_occurrence(item, day)
    else:
        call.mailbox.delete(item)
        call.sandbox.cancel_copies(item)
    return Answer(204)


def _view_entries(call: Call, change: Change, window: Window) -> list[dict[str, Any]]:
    """What one line of the log means for a window."""
    key, _, suffix = change.key.partition(".")
    item = call.mailbox.items.get(key.partition("~")[0])
    if change.gone:
        return _vanished(call, change, item, window)
    if item is None:
        return []
    found = occurrences.within(item.fields, item.exceptions, item.cancelled, window)
    if suffix:
        return [_entry(call, item, each) for each in found if each.day == suffix and each.is_exception]
    if not item.fields.get("recurrence"):
        return [_entry(call, item, each) for each in found]
    return [_entry(call, item, None), *(_entry(call, item, each) for each in found)] if found else []


def _vanished(call: Call, change: Change, item: Item | None, window: Window) -> list[dict[str, Any]]:
    """The ids that a window had before and has no more."""
    key, _, suffix = change.key.partition("~")[0].partition(".")
    before = change.before
    if suffix:
        return [removed(identity(f"{key}.{suffix}", item.moves if item else 0, call.preferences))]
    then = occurrences.within(before["fields"], before["exceptions"], before["cancelled"], window)
    now = occurrences.within(item.fields, item.exceptions, item.cancelled, window) if item else []
    gone = {each.suffix for each in then} - {each.suffix for each in now}
    if then and not now:
        gone.add("")
    return [removed(identity(key + suffix, before["moves"], call.preferences)) for suffix in sorted(gone)]


def _entry(call: Call, item: Item, when: Occurrence | None) -> dict[str, Any]:
    bare = BARE if when and when.day and not when.is_exception else None
    return {"@odata.type": "#microsoft.graph.event", **shown(call, item, when, bare)}


def _shown_id(call: Call, item: Item, day: str | None) -> str:
    return identity(f"{item.key}.{day}" if day else item.key, item.moves, call.preferences)


def _event(call: Call) -> tuple[Item, str | None]:
    """The event of the path, and the day if it is one occurrence."""
    key, moves = ids.item_key(call.ids["event"])
    item_key, _, day = key.partition(".")
    text = ids.immutable_id(item_key) if moves is None else ids.default_id(item_key, moves)
    item = call.mailbox.item(text, "event")
    if day and (not item.fields.get("recurrence") or day in item.cancelled or not _is_day(item, day)):
        raise not_found()
    return item, day or None


def _is_day(item: Item, day: str) -> bool:
    try:
        datetime.fromisoformat(day)
    except ValueError:
        raise malformed_id() from None
    return occurrences.on_day(item.fields, day) is not None


def _when(item: Item, day: str | None) -> Occurrence | None:
    if day is None:
        return None
    changed = item.exceptions.get(day)
    return occurrences.exception(item.fields, day, changed) if changed else occurrences.on_day(item.fields, day)


def _change_occurrence(call: Call, item: Item, day: str, fields: dict[str, Any]) -> None:
    if "recurrence" in fields:
        raise bad_request("An occurrence has no recurrence of its own.", "ErrorInvalidRequest")
    if fields.keys() & {"start", "end"}:
        item.folder.log.moved_in_time(item.key, call.mailbox.times_of(item))
    call.mailbox.change_occurrence(item, day, fields)


def _window(given: Mapping[str, str]) -> Window:
    if not given.get("startDateTime") or not given.get("endDateTime"):
        names = "the query string parameters StartDateTime and EndDateTime"
        raise bad_request(f"This request requires a time window specified by {names}.", "ErrorInvalidParameter")
    window = Window(moment(given["startDateTime"]), moment(given["endDateTime"]))
    if window.start >= window.end:
        raise bad_request("The end date is earlier than the start date.", "ErrorInvalidParameter")
    return window


def _completed(fields: dict[str, Any]) -> dict[str, Any]:
    """What follows from what was written: zones as given, the place in full, attendees who have not answered."""
    if "body" in fields:
        fields["body"] |= {"contentType": fields["body"]["contentType"].lower()}
    for name, original in (("start", "originalStartTimeZone"), ("end", "originalEndTimeZone")):
        if name in fields:
            fields[name].setdefault("timeZone", "UTC")
            zone(fields[name]["timeZone"])
            fields[original] = fields[name]["timeZone"]
    if "location" in fields:
        fields["location"] = NOWHERE | fields["location"]
    for attendee in fields.get("attendees", []):
        attendee.setdefault("status", {"response": "none", "time": "0001-01-01T00:00:00Z"})
        attendee["emailAddress"].setdefault("name", attendee["emailAddress"].get("address"))
    if fields.get("recurrence"):
        recurrence.checked(fields["recurrence"])["range"].setdefault("recurrenceTimeZone", "UTC")
    return fields


def _check_times(fields: Mapping[str, Any]) -> None:
    start, end = instant(fields["start"]), instant(fields["end"])
    if end < start:
        raise bad_request("The end date is earlier than the start date.", "ErrorCalendarEndDateIsEarlierThanStartDate")
    if fields.get("isAllDay"):
        walls = [each.astimezone(zone(fields[name]["timeZone"])) for each, name in ((start, "start"), (end, "end"))]
        if any((wall.hour, wall.minute, wall.second) != (0, 0, 0) for wall in walls) or start == end:
            message = "The start and end of an all-day event need to be at midnight, a day apart at least."
            raise bad_request(message, "ErrorPropertyValidationFailure")


def _check_calendar(call: Call) -> None:
    name = call.ids.get("calendar")
    if name is not None:
        call.mailbox.folder(name, "event")


def _calendar_shown(call: Call, select: Collection[str] | None) -> dict[str, Any]:
    folder = call.mailbox.known(CALENDAR)
    found: dict[str, Any] = {
        "id": folder.id,
        "name": folder.name,
        "color": "auto",
        "hexColor": "",
        "isDefaultCalendar": True,
        "changeKey": ids.change_key(folder.key, 1),
        "canShare": True,
        "canViewPrivateItems": True,
        "canEdit": True,
        "isTallyingResponses": True,
        "isRemovable": False,
        "allowedOnlineMeetingProviders": ["teamsForBusiness"],
        "defaultOnlineMeetingProvider": "teamsForBusiness",
        "owner": {"name": call.mailbox.name, "address": call.mailbox.address},
    }
    return only(found, select)


def _sort_value(item: Item, name: str) -> tuple[str, str]:
    return (stamp(instant(item.fields["start"])), item.key) if name == "start/dateTime" else sort_value(item, name)
