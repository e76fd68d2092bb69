"""What messages, contacts and events have in common when they are shown."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox import ids

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from plugins.outlook.sandbox.calls import Call
    from plugins.outlook.sandbox.changes import Change
    from plugins.outlook.sandbox.odata import Filter, Preferences
    from plugins.outlook.sandbox.store import Folder, Item, Kind


def removed(identity: str) -> dict[str, Any]:
    """What a delta says of an entry that is here no more. For moves Graph's reason is UNVERIFIED."""
    return {"@removed": {"reason": "deleted"}, "id": identity}


def id_before(change: Change, preferences: Preferences) -> str:
    """The id under which a removed item was known."""
    return identity(change.key, change.before["moves"], preferences)


def identity(key: str, moves: int, preferences: Preferences) -> str:
    """The id of a key in the form that the request prefers."""
    return ids.immutable_id(key) if preferences.immutable_ids else ids.default_id(key, moves)


def selected(given: Mapping[str, str]) -> tuple[str, ...] | None:
    """The properties that the first request of a delta asked for."""
    return tuple(name.strip() for name in given["$select"].split(",")) if "$select" in given else None


def only(found: dict[str, Any], select: Collection[str] | None) -> dict[str, Any]:
    """The selected properties of a folder or calendar, and its id."""
    return found if select is None else {name: value for name, value in found.items() if name in {"id", *select}}


def extended(item: Item, expanded: Collection[str]) -> dict[str, Any]:
    """The properties of a client's own, which come only when they are expanded by name."""
    found = [{"id": name, "value": value} for name, value in item.extended.items() if name in expanded]
    return {"singleValueExtendedProperties": found} if found else {}


def extended_in(fields: dict[str, Any]) -> dict[str, str]:
    """Take the properties of a client's own out of a body."""
    return {each["id"]: each["value"] for each in fields.pop("singleValueExtendedProperties", [])}


def comparable(item: Item, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """An item as filters and orders see it, without what has to be rendered."""
    type_ = "seriesMaster" if item.fields.get("recurrence") else "singleInstance"
    times = {"createdDateTime": item.created, "lastModifiedDateTime": item.modified}
    return {"type": type_, **defaults, **item.fields, **times, "parentFolderId": item.folder.id}


def sort_value(item: Item, name: str) -> tuple[str, str]:
    """By what an item is sorted; its key keeps the order of equals."""
    times = {"createdDateTime": item.created, "lastModifiedDateTime": item.modified}
    return str(times.get(name) or item.fields.get(name) or "").lower(), item.key


def filtered(
    call: Call, kind: Kind, folder: Folder | None, wanted: Filter, entries: list[Item], defaults: Mapping[str, Any]
) -> list[Item]:
    """The entries that a filter wants; an equality on what is indexed is looked up, not searched for."""
    if not wanted.clauses:
        return entries
    if wanted.indexed:
        found = call.mailbox.found(*wanted.indexed)
        entries = [item for item in found if item.kind == kind and folder in {None, item.folder}]
    return [item for item in entries if wanted.wants(comparable(item, defaults), item.extended)]


def body(written: Mapping[str, str], preferences: Preferences) -> tuple[dict[str, str], str]:
    """A body as it is preferred, text or HTML, and its first 255 characters as text."""
    text = _text(written)
    if preferences.text:
        return {"contentType": "text", "content": text}, text[:255]
    if written["contentType"] == "html":
        return dict(written), text[:255]
    lines = html.escape(text, quote=False).replace("\n", "<br>\n")
    return {"contentType": "html", "content": f"<html><body>{lines}</body></html>"}, text[:255]


def _text(written: Mapping[str, str]) -> str:
    if written["contentType"] == "text":
        return written["content"]
    lines = re.sub(r"<(br|/p|/div)[^>]*>", "\n", written["content"])
    return html.unescape(re.sub(r"<[^>]+>", "", lines)).strip()
