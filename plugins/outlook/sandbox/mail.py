"""Messages: received ones, drafts, sending and moving, and the delta of a folder."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from plugins.outlook.sandbox import ids, inputs
from plugins.outlook.sandbox.calls import Answer
from plugins.outlook.sandbox.errors import Refusal, bad_request, not_found
from plugins.outlook.sandbox.mailbox import address_of, conversation
from plugins.outlook.sandbox.odata import Filter, Options, invalid_filter
from plugins.outlook.sandbox.paging import changes, listing
from plugins.outlook.sandbox.showing import (
    body,
    comparable,
    extended,
    extended_in,
    filtered,
    id_before,
    removed,
    selected,
    sort_value,
)
from plugins.outlook.sandbox.times import stamp

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from plugins.outlook.sandbox.calls import Call
    from plugins.outlook.sandbox.changes import Change
    from plugins.outlook.sandbox.odata import Preferences
    from plugins.outlook.sandbox.store import Item

DEFAULTS: dict[str, Any] = {
    "categories": [],
    "receivedDateTime": None,
    "sentDateTime": None,
    "hasAttachments": False,
    "internetMessageId": None,
    "subject": "",
    "importance": "normal",
    "conversationId": None,
    "isDeliveryReceiptRequested": False,
    "isReadReceiptRequested": False,
    "isRead": False,
    "isDraft": False,
    "inferenceClassification": "focused",
    "body": {"contentType": "text", "content": ""},
    "sender": None,
    "from": None,
    "toRecipients": [],
    "ccRecipients": [],
    "bccRecipients": [],
    "replyTo": [],
    "flag": {"flagStatus": "notFlagged"},
}
COMPUTED = (
    "id",
    "changeKey",
    "createdDateTime",
    "lastModifiedDateTime",
    "bodyPreview",
    "parentFolderId",
    "webLink",
    "conversationIndex",
)
ON_REQUEST = ("internetMessageHeaders", "uniqueBody")
"""Properties that come only when `$select` names them."""
SELECTABLE = frozenset({*DEFAULTS, *COMPUTED, *ON_REQUEST})
COMPARED = {
    **dict.fromkeys(("receivedDateTime", "sentDateTime", "createdDateTime", "lastModifiedDateTime"), "time"),
    **dict.fromkeys(("subject", "conversationId", "internetMessageId", "importance", "parentFolderId"), "text"),
    **dict.fromkeys(("from/emailAddress/address", "sender/emailAddress/address"), "text"),
    **dict.fromkeys(("isRead", "isDraft", "hasAttachments"), "flag"),
}
SORTABLE = ("receivedDateTime", "sentDateTime", "createdDateTime", "lastModifiedDateTime", "subject")
LATER = frozenset(
    {"isRead", "categories", "flag", "importance", "inferenceClassification", "singleValueExtendedProperties"}
)
"""What may change on a message that is no draft."""
MOST_FILTERED = 5000


def shown(
    item: Item, preferences: Preferences, select: Collection[str] | None = None, expanded: Collection[str] = ()
) -> dict[str, Any]:
    """A message as a request sees it."""
    identity = item.shown_id(preferences)
    fields = {**DEFAULTS, **item.fields}
    written, preview = body(fields["body"], preferences)
    fields |= {
        "body": written,
        "changeKey": ids.change_key(item.key, item.version),
        "createdDateTime": item.created,
        "lastModifiedDateTime": item.modified,
        "bodyPreview": preview,
        "parentFolderId": item.folder.id,
        "conversationIndex": "AQHc" + ids.guid("index", item.key).replace("-", "")[:24],
        "webLink": f"https://outlook.office365.com/owa/?ItemID={quote(identity, safe='')}&viewmodel=ReadMessageItem",
    }
    if select is not None:
        fields |= {
            "uniqueBody": fields["body"],
            "internetMessageHeaders": item.fields.get("internetMessageHeaders", []),
        }
        fields = {name: fields[name] for name in select if name != "id"}
    else:
        fields.pop("internetMessageHeaders", None)
    return {"@odata.etag": item.etag, "id": identity, **fields, **extended(item, expanded)}


def list_messages(call: Call) -> Answer:
    """The messages of one folder or of all, the latest first."""
    folder = call.mailbox.folder(call.ids["folder"], "message") if "folder" in call.ids else None
    select = call.options.selected(SELECTABLE, "message")
    expanded = call.options.expanded()
    wanted = call.options.filtered(COMPARED)
    name, last_first = call.options.order(SORTABLE, "receivedDateTime desc")
    entries = call.mailbox.listed(folder, "message", (name, last_first), lambda item: sort_value(item, name))
    entries = filtered(call, "message", folder, wanted, entries, DEFAULTS)
    return listing(call, entries, lambda item: shown(item, call.preferences, select, expanded), "messages")


def message_changes(call: Call) -> Answer:
    """The delta of one folder's messages."""
    folder = call.mailbox.folder(call.ids["folder"], "message")
    call.options.selected(SELECTABLE, "message")
    call.options.expanded()
    if "$filter" in call.options.given and not re.fullmatch(
        r"receivedDateTime (ge|gt) [\w.:+\-]+", call.options.given["$filter"].strip()
    ):
        raise invalid_filter()

    def entries(change: Change, given: Mapping[str, str]) -> list[dict[str, Any]]:
        if change.gone:
            return [removed(id_before(change, call.preferences))]
        item = folder.items[change.key]
        since = Filter.read(given.get("$filter"), {"receivedDateTime": "time"})
        if not since.wants(comparable(item, DEFAULTS), item.extended):
            return []
        found = shown(item, call.preferences, selected(given), Options(given).expanded())
        return [{"@odata.type": "#microsoft.graph.message", **found}]

    return changes(call, folder.log, f"message:{folder.key}", "messages/$delta", entries, MOST_FILTERED)


def get_message(call: Call) -> Answer:
    """One message."""
    item = _message(call)
    select = call.options.selected(SELECTABLE, "message")
    found = shown(item, call.preferences, select, call.options.expanded())
    return Answer(200, {"@odata.context": call.context("messages/$entity"), **found})


def create_draft(call: Call) -> Answer:
    """A new draft, in Drafts or in the folder of the path."""
    written = inputs.read(call.request.body, inputs.Message)
    fields, own = _fields(call, written)
    folder = call.mailbox.folder(call.ids.get("folder", "drafts"), "message")
    item = call.mailbox.put("message", folder, fields | {"isDraft": True, "isRead": True}, own)
    return Answer(201, {"@odata.context": call.context("messages/$entity"), **shown(item, call.preferences)})


def change_message(call: Call) -> Answer:
    """Other values: all of a draft, few of what was sent or received."""
    item = _message(call)
    call.check_version(item)
    fields = _bodied(inputs.plain(inputs.read(call.request.body, inputs.Message)))
    if "internetMessageHeaders" in fields:
        raise bad_request(
            "Internet message headers can be set only when a message is created.", "ErrorInvalidPropertySet"
        )
    if not item.fields.get("isDraft") and fields.keys() - LATER:
        message = "Update operation is invalid for property of a sent message."
        raise bad_request(message, "ErrorInvalidPropertyUpdateSentMessage")
    own = extended_in(fields)
    call.mailbox.change(item, fields, own)
    return Answer(200, {"@odata.context": call.context("messages/$entity"), **shown(item, call.preferences)})


def delete_message(call: Call) -> Answer:
    """To Deleted Items, or for good if it lies there."""
    item = _message(call)
    call.check_version(item)
    call.mailbox.delete(item)
    return Answer(204)


def move_message(call: Call) -> Answer:
    """Into another folder."""
    item = _message(call)
    target = inputs.read(call.request.body, inputs.Move, action=True).destination_id
    call.mailbox.move(item, call.mailbox.folder(target, "message"))
    return Answer(201, {"@odata.context": call.context("messages/$entity"), **shown(item, call.preferences)})


def send_draft(call: Call) -> Answer:
    """Send a draft: 202 and nothing else; the message goes on under its immutable id in Sent Items."""
    item = _message(call)
    if not item.fields.get("isDraft"):
        raise bad_request("The message has already been sent.", "ErrorInvalidOperation")
    if call.request.body.strip() not in {b"", b"{}"}:
        raise bad_request("The action 'send' takes no body.", "RequestBodyRead")
    _check_sendable(call, {**DEFAULTS, **item.fields})
    at = stamp(call.mailbox.now())
    call.mailbox.change(item, {"isDraft": False, "sentDateTime": at, "receivedDateTime": at})
    call.mailbox.move(item, call.mailbox.known("sentitems"))
    call.sandbox.lagging[item.key] = call.sandbox.now() + timedelta(seconds=call.sandbox.faults.sent_lag)
    call.sandbox.carry(item.fields)
    return Answer(202)


def send_mail(call: Call) -> Answer:
    """Send without a draft: 202, and no id to find the message by."""
    wanted = inputs.read(call.request.body, inputs.SendMail, action=True)
    fields, own = _fields(call, wanted.message)
    _check_sendable(call, {**DEFAULTS, **fields})
    fields |= {"isRead": True}
    if wanted.save_to_sent_items:
        call.mailbox.put("message", call.mailbox.known("sentitems"), fields, own)
    call.sandbox.carry(fields)
    return Answer(202)


def _message(call: Call) -> Item:
    item = call.mailbox.item(call.ids["message"], "message")
    if "folder" in call.ids and call.mailbox.folder(call.ids["folder"], "message") is not item.folder:
        raise not_found()
    if item.key in call.sandbox.lagging and call.sandbox.now() < call.sandbox.lagging[item.key]:
        raise not_found()
    return item


def _fields(call: Call, written: inputs.Message) -> tuple[dict[str, Any], dict[str, str]]:
    """A message of the mailbox's own from what the client wrote."""
    given = _bodied(inputs.plain(written))
    own = extended_in(given)
    for header in given.get("internetMessageHeaders", []):
        if not header["name"].lower().startswith("x-"):
            message = f"The internet message header name '{header['name']}' should start with 'x-' or 'X-'."
            raise bad_request(message, "InvalidInternetMessageHeader")
    at = stamp(call.mailbox.now())
    message_id = given.get("internetMessageId") or call.mailbox.message_id(given.get("subject") or "")
    sender = address_of(call.mailbox.owner)
    made = {
        "internetMessageId": message_id,
        "conversationId": conversation(message_id),
        "receivedDateTime": at,
        "sentDateTime": at,
        "from": sender,
        "sender": sender,
    }
    return made | given, own


def _bodied(fields: dict[str, Any]) -> dict[str, Any]:
    if "body" in fields:
        fields["body"] |= {"contentType": fields["body"]["contentType"].lower()}
    return fields


def _check_sendable(call: Call, fields: Mapping[str, Any]) -> None:
    if (fields["from"]["emailAddress"].get("address") or "").lower() != call.mailbox.address:
        message = "The account of this request does not have the right to send mail on behalf of the sending account."
        raise Refusal(403, "ErrorSendAsDenied", message)
    people = [*fields["toRecipients"], *fields["ccRecipients"], *fields["bccRecipients"]]
    addresses = [each["emailAddress"].get("address") or "" for each in people]
    if not addresses or any("@" not in address for address in addresses):
        raise bad_request("At least one recipient is not valid.", "ErrorInvalidRecipients")
