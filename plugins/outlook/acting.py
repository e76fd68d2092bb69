"""What Outlook is asked to do: send a mail, make, change or cancel a meeting; each done once, however often asked."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from plugins.outlook import mapping
from plugins.outlook.graph import item_path, marked, only, stamp
from tenure_sdk import (
    ConfigInvalid,
    Conflict,
    ConnectorError,
    ContractViolation,
    EmailSent,
    MeetingCreated,
    NotFound,
    Transient,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugins.outlook.graph import Graph, Mailbox, Row
    from tenure_sdk import CreateMeeting, SendEmail


RemoteId = Annotated[str, Meta(min_length=1, max_length=512, title="Meeting")]
Instant = Annotated[datetime, Meta(tz=True)]

MOST_LOOKS = 3
"""How often a meeting is looked at again that others change at the same time."""


class ChangeMeeting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`change_meeting`: what shall be different of a meeting; what is not named stays as it is there."""

    id: RemoteId
    title: Annotated[str | None, Meta(title="Title")] = None
    starts_at: Annotated[Instant | None, Meta(title="Begins")] = None
    ends_at: Annotated[Instant | None, Meta(title="Ends")] = None
    location: Annotated[str | None, Meta(title="Place")] = None


class CancelMeeting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`cancel_meeting`: a meeting that shall not take place."""

    id: RemoteId


class MeetingKept(Struct, frozen=True, kw_only=True):
    """How the meeting is in the calendar now."""

    id: str
    version: str | None = None
    """None where it is gone."""


def whose(boxes: Sequence[Mailbox], address: str | None) -> Mailbox:
    """The mailbox that is to act. Raises ConfigInvalid where it is none of these, or nobody says which."""
    found = [box for box in boxes if address is None or box.address.lower() == address.lower()]
    if len(found) != 1:
        raise ConfigInvalid("Name one of the mailboxes." if address is None else f"{address} is none of the mailboxes.")
    return found[0]


async def send_email(graph: Graph, box: Mailbox, given: SendEmail, key: str) -> EmailSent:
    """Have a mail sent once: the draft carries the key, and the draft that was sent is no draft any more.

    Raises Transient where it is not known yet whether it went out; the same key again finds out.
    """
    row = await _message(graph, box, key)
    if row is None:
        row = await _drafted(graph, box, given, key)
    if row.get("isDraft"):
        row = await _sent(graph, box, row, key)
    at = row.get("sentDateTime") if not row.get("isDraft") else None
    return EmailSent(id=box.record_id("messages", row["id"]), sent_at=mapping.moment(at) if at else None)


async def create_meeting(graph: Graph, box: Mailbox, given: CreateMeeting, key: str) -> MeetingCreated:
    """Have an event made once: Graph makes one of each `transactionId`."""
    found = await graph.made_under(f"{box.path}/events", key, select="webLink")
    row = found[0] if found else await _event(graph, box, given, key)
    return MeetingCreated(id=box.record_id("events", row["id"]), url=row.get("webLink"))


async def change_meeting(graph: Graph, box: Mailbox, item: str, given: ChangeMeeting) -> MeetingKept:
    """Have an event say what is given, on what it says now: what others have changed of it meanwhile stays.

    Raises NotFound where it is gone, Conflict where others change it again and again.
    """
    path, wanted = item_path(box.path, "events", item), _said(given)
    for look in range(1, MOST_LOOKS + 1):
        row = await graph.get(path)
        changes = {name: value for name, value in wanted.items() if _of(row, name) != value}
        if changes:
            try:
                row = await graph.send("PATCH", path, changes, version=row["@odata.etag"])
            except Conflict:
                if look == MOST_LOOKS:
                    raise
                continue
        break
    return MeetingKept(id=given.id, version=row["@odata.etag"])


async def cancel_meeting(graph: Graph, box: Mailbox, item: str, given: CancelMeeting) -> MeetingKept:
    """Have an event gone from the calendar, whoever has changed it meanwhile; one that is gone stays so."""
    try:
        await graph.send("DELETE", item_path(box.path, "events", item))
    except NotFound:
        graph.ctx.log.info("The meeting was gone already.")
    return MeetingKept(id=given.id)


def _said(given: ChangeMeeting) -> Row:
    """What of an event has to be written."""
    said = {
        "subject": given.title,
        "start": given.starts_at and _at(given.starts_at),
        "end": given.ends_at and _at(given.ends_at),
        "location": given.location and {"displayName": given.location},
    }
    return {name: value for name, value in said.items() if value is not None}


def _of(row: Row, name: str) -> Any:
    """What an event says of it, in the form in which it is written."""
    match name:
        case "location":
            return {"displayName": only(row, "location", "displayName")}
        case "start" | "end":
            return _at(mapping.moment(row[name]["dateTime"]))
        case _:
            return row.get(name)


def _at(moment: datetime) -> Row:
    return {"dateTime": stamp(moment).removesuffix("Z"), "timeZone": "UTC"}


async def _event(graph: Graph, box: Mailbox, given: CreateMeeting, key: str) -> Row:
    event = {
        "subject": given.title,
        "start": _at(given.starts_at),
        "end": _at(given.ends_at),
        "attendees": [{"type": "required", "emailAddress": {"address": each}} for each in given.attendees],
        "isOnlineMeeting": given.online,
        "transactionId": key,
        "singleValueExtendedProperties": marked(key),
        **({"location": {"displayName": given.location}} if given.location else {}),
        **({"body": {"contentType": "text", "content": given.text}} if given.text else {}),
    }
    try:
        made: Row = await graph.send("POST", f"{box.path}/events", event, idempotent=True)
    except Conflict:  # Graph may refuse a transactionId that it has seen
        found = await graph.made_under(f"{box.path}/events", key, select="webLink")
        if not found:
            raise
        return found[0]
    return made


async def _drafted(graph: Graph, box: Mailbox, given: SendEmail, key: str) -> Row:
    """A draft that carries the key; one whose reply was lost is found by it."""
    message: dict[str, Any] = {
        "subject": given.subject,
        "body": {"contentType": "html" if given.html else "text", "content": given.text},
        "toRecipients": _people(given.to),
        "ccRecipients": _people(given.cc),
        "bccRecipients": _people(given.bcc),
        "singleValueExtendedProperties": marked(key),
    }
    try:
        made: Row = await graph.send("POST", f"{box.path}/messages", message)
    except Transient as problem:
        found = await _message(graph, box, key) if problem.unknown_outcome else None
        if found is None:
            raise
        return found
    return made


async def _sent(graph: Graph, box: Mailbox, draft: Row, key: str) -> Row:
    """Send the draft. What answers with an error may have sent it all the same: the message itself says so."""
    try:
        await graph.send("POST", f"{item_path(box.path, 'messages', draft['id'])}/send")
    except (Transient, NotFound, ContractViolation) as problem:
        return await _outcome(graph, box, key, problem)
    return {**draft, "isDraft": False, "sentDateTime": stamp(graph.ctx.now())}


async def _outcome(graph: Graph, box: Mailbox, key: str, problem: ConnectorError) -> Row:
    found = await _message(graph, box, key)
    if found is None or found.get("isDraft"):
        raise problem
    return found


async def _message(graph: Graph, box: Mailbox, key: str) -> Row | None:
    """The message of a key, rather as it was sent than as a draft."""
    found = await graph.made_under(f"{box.path}/messages", key, select="isDraft,sentDateTime")
    return min(found, key=lambda row: bool(row.get("isDraft")), default=None)


def _people(addresses: Sequence[str]) -> list[Row]:
    return [{"emailAddress": {"address": each}} for each in addresses]
