"""What a mailbox holds: folders and items, found by key and by index, with every change in its folder's log."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from plugins.outlook.sandbox import ids
from plugins.outlook.sandbox.changes import ChangeLog
from plugins.outlook.sandbox.errors import bad_request, not_found, stale
from plugins.outlook.sandbox.times import stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from plugins.outlook.sandbox.odata import Preferences

Kind = Literal["message", "contact", "event"]
ChangeType = Literal["created", "updated", "deleted"]

WELL_KNOWN = {
    "inbox": "Inbox",
    "drafts": "Drafts",
    "sentitems": "Sent Items",
    "deleteditems": "Deleted Items",
    "archive": "Archive",
    "junkemail": "Junk Email",
    "outbox": "Outbox",
    "conversationhistory": "Conversation History",
}
ROOT, CONTACTS, CALENDAR = "msgfolderroot", "contacts", "calendar"


@dataclass(slots=True, eq=False)
class Item:
    """A message, contact or event. `fields` holds what differs from the defaults of its kind."""

    key: str
    kind: Kind
    folder: Folder
    fields: dict[str, Any]
    created: str
    modified: str
    extended: dict[str, str] = field(default_factory=dict)
    version: int = 1
    moves: int = 0
    exceptions: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Occurrences of a series that differ from it, by the day on which they would have been."""
    cancelled: set[str] = field(default_factory=set)

    @property
    def id(self) -> str:
        """The immutable id."""
        return ids.immutable_id(self.key)

    @property
    def etag(self) -> str:
        """The version, as `@odata.etag` shows it and `If-Match` names it."""
        return f'W/"{ids.change_key(self.key, self.version)}"'

    def shown_id(self, preferences: Preferences) -> str:
        """The id in the form that the request prefers."""
        return self.id if preferences.immutable_ids else ids.default_id(self.key, self.moves)


@dataclass(slots=True, eq=False)
class Folder:
    """A folder of messages or contacts, or a calendar."""

    key: str
    name: str
    parent: str
    kind: Kind
    hidden: bool = False
    items: dict[str, Item] = field(default_factory=dict)
    log: ChangeLog = field(default_factory=ChangeLog)
    unread: int = 0
    ordered: dict[tuple[str, bool], list[Item]] = field(default_factory=dict)
    """Listings in the orders that were asked for, until something changes."""

    @property
    def id(self) -> str:
        """The id, which is stable."""
        return ids.folder_id(self.key)


class Store:
    """The folders and items of one mailbox."""

    def __init__(self, number: int, now: Callable[[], datetime]) -> None:
        self.now = now
        self.items: dict[str, Item] = {}
        self.folders: dict[str, Folder] = {}
        self.trees = {"message": ChangeLog(), "contact": ChangeLog(), "event": ChangeLog()}
        self.index: dict[tuple[str, str], dict[str, Item]] = {}
        self.ordered: dict[tuple[str, bool], list[Item]] = {}
        self.announce: Callable[[Item, Folder, ChangeType], None] = lambda _item, _folder, _change: None
        self._number, self._count = number, 0
        for key, name in WELL_KNOWN.items():
            self.open_folder("message", name, ROOT, key)
        self.open_folder("contact", "Contacts", ROOT, CONTACTS)
        self.open_folder("event", "Calendar", ROOT, CALENDAR)

    def open_folder(self, kind: Kind, name: str, parent: str, key: str | None = None) -> Folder:
        """A new folder below another one."""
        if any(each.name == name and each.parent == parent and each.kind == kind for each in self.folders.values()):
            raise bad_request("A folder with the specified name already exists.", "ErrorFolderExists")
        # The number keeps the folders of two mailboxes apart: their ids look alike but lead nowhere in the other one.
        folder = Folder(f"{self._number}.{key or self._next()}", name, self._tree_key(parent), kind)
        self.folders[folder.key] = folder
        self.trees[kind].changed(folder.key)
        self._parent_changed(folder)
        return folder

    def folder(self, name: str, kind: Kind) -> Folder:
        """The folder of an id or a well-known name."""
        key = f"{self._number}.{name.lower()}" if name.lower() in {*WELL_KNOWN, CONTACTS, CALENDAR} else None
        folder = self.folders.get(key or ids.folder_key(name))
        if folder is None or folder.kind != kind:
            raise not_found()
        return folder

    def known(self, name: str) -> Folder:
        """A folder that every mailbox has."""
        return self.folders[f"{self._number}.{name}"]

    def root_key(self) -> str:
        """The key of the folder above all."""
        return f"{self._number}.{ROOT}"

    def rename_folder(self, folder: Folder, name: str) -> None:
        """Give a folder another name."""
        folder.name = name
        self.trees[folder.kind].changed(folder.key)

    def close_folder(self, folder: Folder) -> None:
        """Delete a folder and all that lies in it."""
        if folder.key.partition(".")[2] in {*WELL_KNOWN, CONTACTS, CALENDAR}:
            raise bad_request("Distinguished folders cannot be deleted.", "ErrorDeleteDistinguishedFolder")
        for child in [each for each in self.folders.values() if each.parent == folder.key]:
            self.close_folder(child)
        for item in list(folder.items.values()):
            self.take_out(item)
        del self.folders[folder.key]
        self.trees[folder.kind].removed(folder.key, folder.id)

    def item(self, text: str, kind: Kind) -> Item:
        """The item of an id; a default id from before a move is not known any more."""
        key, moves = ids.item_key(text)
        item = self.items.get(key)
        if item is None or item.kind != kind or moves not in {None, item.moves}:
            raise not_found()
        return item

    def put(self, kind: Kind, folder: Folder, fields: dict[str, Any], extended: dict[str, str] | None = None) -> Item:
        """A new item in a folder."""
        at = stamp(self.now())
        item = Item(f"k{self._number}-{self._next()}", kind, folder, fields, at, at, extended or {})
        self.items[item.key] = item
        self._into(folder, item)
        for entry in self._entries(item):
            self.index.setdefault(entry, {})[item.key] = item
        self.announce(item, folder, "created")
        return item

    def change(self, item: Item, fields: dict[str, Any], extended: dict[str, str] | None = None) -> None:
        """Other values for some of an item's fields; its version grows."""
        folder = item.folder
        was_unread = self._unread(item)
        self._unindex(item)
        item.fields.update(fields)
        item.extended.update(extended or {})
        for entry in self._entries(item):
            self.index.setdefault(entry, {})[item.key] = item
        folder.unread += self._unread(item) - was_unread
        self.touch(item)

    def touch(self, item: Item, key: str | None = None) -> None:
        """A new version of an item, written into the log; under another key when one occurrence changed."""
        item.version += 1
        item.modified = stamp(self.now())
        item.folder.log.changed(key or item.key)
        self._reorder(item.folder)
        self.announce(item, item.folder, "updated")

    def move(self, item: Item, folder: Folder) -> None:
        """Into another folder of the mailbox: removed from the one, new in the other, with a new default id."""
        source = item.folder
        if source is folder:
            return
        self._out_of(source, item)
        item.moves += 1
        item.version += 1
        item.modified = stamp(self.now())
        item.folder = folder
        self._into(folder, item)
        self.announce(item, source, "deleted")
        self.announce(item, folder, "created")

    def take_out(self, item: Item) -> None:
        """Delete an item for good."""
        self._out_of(item.folder, item)
        self._unindex(item)
        del self.items[item.key]
        self.announce(item, item.folder, "deleted")

    def listed(
        self, folder: Folder | None, kind: Kind, sort: tuple[str, bool], key: Callable[[Item], Any]
    ) -> list[Item]:
        """The items of a folder, or all of a kind, in an order; sorted once until something changes."""
        cache = self.ordered if folder is None else folder.ordered
        cached = (f"{kind}.{sort[0]}", sort[1])
        if cached not in cache:
            found = (
                [item for item in self.items.values() if item.kind == kind] if folder is None else folder.items.values()
            )
            cache[cached] = sorted(found, key=key, reverse=sort[1])
        return cache[cached]

    def found(self, name: str, value: str) -> list[Item]:
        """The items that carry a value in the index: a message id, or a property of a client's own."""
        return list(self.index.get((name, value), {}).values())

    def evict_delta_tokens(self) -> None:
        """Every delta token given out so far answers 410 from now on."""
        for log in (*self.trees.values(), *(folder.log for folder in self.folders.values())):
            log.evict()

    def _into(self, folder: Folder, item: Item) -> None:
        folder.items[item.key] = item
        folder.unread += self._unread(item)
        folder.log.changed(item.key)
        self._reorder(folder)

    def _out_of(self, folder: Folder, item: Item) -> None:
        del folder.items[item.key]
        folder.unread -= self._unread(item)
        before = {
            "moves": item.moves,
            "fields": item.fields,
            "exceptions": item.exceptions,
            "cancelled": item.cancelled,
        }
        folder.log.removed(item.key, before)
        self._reorder(folder)

    def _reorder(self, folder: Folder) -> None:
        folder.ordered.clear()
        self.ordered.clear()

    def _unread(self, item: Item) -> int:
        return int(item.kind == "message" and not item.fields.get("isRead", False))

    def _entries(self, item: Item) -> list[tuple[str, str]]:
        own = [
            (name, item.fields[name])
            for name in ("internetMessageId", "transactionId", "iCalUId")
            if item.fields.get(name)
        ]
        return [*own, *item.extended.items()]

    def _unindex(self, item: Item) -> None:
        for entry in self._entries(item):
            self.index.get(entry, {}).pop(item.key, None)

    def _parent_changed(self, folder: Folder) -> None:
        if folder.parent in self.folders:
            self.trees[folder.kind].changed(folder.parent)

    def _tree_key(self, parent: str) -> str:
        return self.root_key() if parent == ROOT else parent

    def _next(self) -> str:
        self._count += 1
        return str(self._count)


def check_version(item: Item, if_match: str | None) -> None:
    """Refuse a write that names an older version; without `If-Match` the last writer wins."""
    if if_match not in {None, "*", item.etag}:
        raise stale()
