"""Contacts, both ways: read by the delta of each of their folders, written with the version they must still have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from plugins.outlook import mapping
from plugins.outlook.graph import Position, item_path, key_of, marked
from tenure_sdk import Change, ConfigInvalid, CursorExpired, NotFound, Page, Pushed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from plugins.outlook.graph import Graph, Mailbox, Positions, Row
    from tenure_sdk import Customer

PAGE = 200
DEFAULT = "contacts"
"""The folder that every mailbox has; the others are listed beside it."""


async def pages(graph: Graph, box: Mailbox, positions: Positions) -> AsyncIterator[Page]:
    """What changed in every folder since its position. Raises CursorExpired where that cannot be told."""
    folders = await paths(graph, box)
    keys = {key_of(box.user, folder): path for folder, path in folders.items()}
    if positions.keys_of(box.user) - keys.keys():
        raise CursorExpired("A folder of contacts was deleted: what lay in it is not told one by one.")
    for key, path in keys.items():
        position = positions.get(key) or Position("")
        async for rows, at in graph.changes(f"{path}/delta", position, PAGE, select=mapping.CONTACT):
            positions.note(key, at)
            yield await _page(graph, box, rows, positions)


async def paths(graph: Graph, box: Mailbox) -> dict[str, str]:
    """The collections of contacts of a mailbox, by their folders."""
    others = await graph.all(f"{box.path}/contactFolders", select="id")
    found = {DEFAULT: f"{box.path}/contacts"}
    return found | {row["id"]: f"{item_path(box.path, 'contactFolders', row['id'])}/contacts" for row in others}


async def looked_up(graph: Graph, box: Mailbox, items: Sequence[str]) -> list[Row]:
    """The contacts with these ids that are there."""
    found = await graph.looked_up([item_path(box.path, "contacts", item) for item in items], select=mapping.CONTACT)
    return list(found.values())


def sorted_out(graph: Graph, box: Mailbox, rows: Sequence[Row]) -> mapping.Sorted:
    """The records of contacts, the ids of those that must not be here, and what is none."""
    return mapping.sorted_out(
        rows, lambda row: mapping.contact(row, box, graph.ctx.config), lambda item: box.record_id("contacts", item)
    )


async def push(graph: Graph, box: Mailbox, item: str | None, change: Change) -> Pushed:
    """Make, change or delete a contact. Raises Conflict where it was changed meanwhile."""
    if item is None:
        return _pushed(graph, box, await _made(graph, box, change))
    path = item_path(box.path, "contacts", item)
    if change.op == "delete":
        try:
            await graph.send("DELETE", path, version=change.remote_version)
        except NotFound:  # it is gone, as it should be
            graph.ctx.log.info("The contact was gone already.")
        return Pushed(box.record_id("contacts", item))
    fields = mapping.contact_fields(_customer(change), change.fields & mapping.WRITTEN.keys())
    return _pushed(graph, box, await graph.send("PATCH", path, fields, version=change.remote_version))


async def made_by(graph: Graph, box: Mailbox, change: Change) -> Pushed | None:
    """The contact that a create has made whose reply was lost."""
    found = await graph.made_under(f"{box.path}/contacts", change.key, select=mapping.CONTACT)
    return _pushed(graph, box, found[0]) if found else None


def home(boxes: Sequence[Mailbox], wanted: str | None) -> Mailbox:
    """The mailbox in which new contacts are made. Raises ConfigInvalid where it is none of these."""
    for box in boxes:
        if wanted is None or box.address.lower() == wanted.lower():
            return box
    raise ConfigInvalid(f"{wanted} is none of the mailboxes.", key="contacts_mailbox")


async def _page(graph: Graph, box: Mailbox, rows: Sequence[Row], positions: Positions) -> Page:
    """A page of a folder's changes; what left the folder is looked up, since a move is no deletion."""
    there = [row for row in rows if "@removed" not in row]
    left = {row["id"] for row in rows} - {row["id"] for row in there}
    moved = await looked_up(graph, box, sorted(left))
    records, deletes, rejects = sorted_out(graph, box, [*there, *moved])
    gone = sorted(left - {row["id"] for row in moved})
    return Page(records, [*deletes, *(box.record_id("contacts", item) for item in gone)], positions.cursor(), rejects)


async def _made(graph: Graph, box: Mailbox, change: Change) -> Any:
    fields = mapping.contact_fields(_customer(change), mapping.WRITTEN)
    fields["singleValueExtendedProperties"] = marked(change.key)
    return await graph.send("POST", f"{box.path}/contacts", fields)


def _pushed(graph: Graph, box: Mailbox, row: Row) -> Pushed:
    record = mapping.contact(row, box, graph.ctx.config)
    return Pushed(record.id, row["@odata.etag"], None if record.deleted else record)


def _customer(change: Change) -> Customer:
    return change.record  # type: ignore[return-value]  # only customers are pushed
