"""What Outlook is asked to do: send a mail, make a meeting; each done once, however often it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.outlook import mapping
from plugins.outlook.graph import item_path, marked, stamp
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


async def _event(graph: Graph, box: Mailbox, given: CreateMeeting, key: str) -> Row:
    event = {
        "subject": given.title,
        "start": {"dateTime": stamp(given.starts_at).removesuffix("Z"), "timeZone": "UTC"},
        "end": {"dateTime": stamp(given.ends_at).removesuffix("Z"), "timeZone": "UTC"},
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
