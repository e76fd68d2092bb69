"""Reading mail: every folder of the tree by its own delta, except those whose mail is nobody's business."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from plugins.outlook import mapping
from plugins.outlook.graph import Position, item_path, key_of, stamp
from tenure_sdk import CursorExpired, NotFound, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from plugins.outlook.graph import Graph, Mailbox, Positions, Row
    from tenure_sdk import Record

HIDDEN = ("drafts", "junkemail", "deleteditems", "outbox")
"""Folders, by their well-known names, that are never read, nor what lies below them."""

MOST_FILTERED = 5_000
"""After so many items Graph ends a filtered first round; the rest has to be listed."""

PAGE, PAGE_OF_TEXTS = 200, 50


class Tree(NamedTuple):
    """The mail folders of a mailbox by id: those that are read, and those that are not."""

    read: dict[str, str]
    """By id, the key of its position."""
    hidden: dict[str, str]


class Reading:
    """The mail of one mailbox, for one run."""

    def __init__(self, graph: Graph, box: Mailbox, positions: Positions) -> None:
        self.graph, self.box, self.positions = graph, box, positions
        self.start, self.end = graph.ctx.window.start, graph.ctx.window.end
        self.tree = Tree({}, {})

    async def pages(self) -> AsyncIterator[Page]:
        """What changed in every folder since its position. Raises CursorExpired where that cannot be told."""
        self.tree = await tree(self.graph, self.box)
        async for page in self._left():
            yield page
        for folder, key in self.tree.read.items():
            async for page in self._folder(folder, key):
                yield page

    async def listed(self) -> AsyncIterator[list[Record]]:
        """All that the stream has, without the texts; of a window only what Graph has since its start."""
        self.tree = await tree(self.graph, self.box)
        asked = {"select": mapping.MESSAGE, "expand": mapping.EXPANDED}
        if self.start is not None:
            asked["filter"] = f"receivedDateTime ge {stamp(self.start)}"
        for folder in self.tree.read:
            path = f"{item_path(self.box.path, 'mailFolders', folder)}/messages"
            async for rows in self.graph.listed(path, PAGE, **asked):
                yield self.sorted_out(rows).records

    async def _left(self) -> AsyncIterator[Page]:
        """Folders that were read and are read no more: what lies in them is not to be kept any longer."""
        hidden = {key: folder for folder, key in self.tree.hidden.items()}
        for key in sorted(self.positions.keys_of(self.box.user) - set(self.tree.read.values())):
            if key not in hidden:
                raise CursorExpired("A folder of mail was deleted for good: what lay in it is not told one by one.")
            path = f"{item_path(self.box.path, 'mailFolders', hidden[key])}/messages"
            async for rows in self.graph.listed(path, PAGE, select="id"):
                yield Page((), deletes=[self._id(row["id"]) for row in rows])
            self.positions.note(key, None)
            yield Page((), cursor=self.positions.cursor())

    async def _folder(self, folder: str, key: str) -> AsyncIterator[Page]:
        box, path = self.box, f"{item_path(self.box.path, 'mailFolders', folder)}/messages"
        position = self.positions.get(key)
        if position is None or position.mark != box.keep[0]:
            position = Position(box.keep[0], since=stamp(self.start) if self.start else "")
        if not (position.since and position.is_between_rounds):
            asked = {"select": mapping.wanted(box.keep), "expand": mapping.EXPANDED}
            if position.since:
                asked["filter"] = f"receivedDateTime ge {position.since}"
            async for rows, at in self.graph.changes(f"{path}/delta", position, self._size, **asked):
                position = at
                if at.is_between_rounds and at.read < MOST_FILTERED:
                    position = Position(at.mark, at.link)
                self.positions.note(key, position)
                yield await self._page(rows)
        if position.since:
            async for page in self._listed(path, key, position):
                yield page

    async def _listed(self, path: str, key: str, position: Position) -> AsyncIterator[Page]:
        """What a filtered first round has left out, the oldest first."""
        asked = {"select": mapping.wanted(self.box.keep), "expand": mapping.EXPANDED, "orderby": "receivedDateTime"}
        wanted = f"receivedDateTime ge {position.since}"
        async for rows in self.graph.listed(path, self._size, filter=wanted, **asked):
            if rows:
                self.positions.note(key, Position(position.mark, position.link, rows[-1]["receivedDateTime"]))
            yield await self._page(rows)
        self.positions.note(key, Position(position.mark, position.link))
        yield Page((), cursor=self.positions.cursor())

    async def _page(self, rows: Sequence[Row]) -> Page:
        """A page of a folder's changes; what left the folder is looked up, since a move is no deletion."""
        there = [row for row in rows if "@removed" not in row]
        left = {row["id"] for row in rows} - {row["id"] for row in there}
        moved = await looked_up(self.graph, self.box, sorted(left))
        records, deletes, rejects = self.sorted_out([*there, *moved])
        gone = left - {row["id"] for row in moved}
        return Page(records, [*deletes, *map(self._id, sorted(gone))], self.positions.cursor(), rejects)

    def sorted_out(self, rows: Sequence[Row]) -> mapping.Sorted:
        """The records of messages, the ids of those that must not be here, and what is none."""
        visible = [row for row in rows if row.get("parentFolderId") not in self.tree.hidden]
        hidden = [row for row in rows if row.get("parentFolderId") in self.tree.hidden]
        config = self.graph.ctx.config
        records, deletes, rejects = mapping.sorted_out(
            visible, lambda row: mapping.mail(row, self.box, config), self._id
        )
        asked_for = [record for record in records if self._is_asked_for(record)]
        return mapping.Sorted(asked_for, [*deletes, *(self._id(row["id"]) for row in hidden)], rejects)

    def _is_asked_for(self, record: Record) -> bool:
        at = getattr(record, "occurred_at", None)
        early = self.start is not None and at is not None and at < self.start
        late = self.end is not None and at is not None and at >= self.end
        return not early and not late

    @property
    def _size(self) -> int:
        return PAGE_OF_TEXTS if self.box.keep == "FULL" else PAGE

    def _id(self, item: str) -> str:
        return self.box.record_id("messages", item)


async def tree(graph: Graph, box: Mailbox) -> Tree:
    """The mail folders of a mailbox, at any depth."""
    hidden = {folder for name in HIDDEN if (folder := await _known(graph, box, name)) is not None}
    folders = await graph.all(f"{box.path}/mailFolders/delta", select="displayName,parentFolderId")
    rows = {row["id"]: row for row in folders if "@removed" not in row}
    named = {name.casefold() for name in graph.ctx.config.leave_out}
    hidden |= {folder for folder, row in rows.items() if (row.get("displayName") or "").casefold() in named}

    def is_hidden(folder: str) -> bool:
        above: str | None = folder
        seen: set[str] = set()
        while above is not None and above in rows and above not in seen:
            if above in hidden:
                return True
            seen.add(above)
            above = rows[above].get("parentFolderId")
        return above in hidden

    keys = {folder: key_of(box.user, folder) for folder in {**rows, **dict.fromkeys(hidden)}}
    return Tree(
        {folder: key for folder, key in keys.items() if not is_hidden(folder)},
        {folder: key for folder, key in keys.items() if is_hidden(folder)},
    )


async def looked_up(graph: Graph, box: Mailbox, items: Sequence[str]) -> list[Row]:
    """The messages with these ids that are there, in whatever folder."""
    paths = [item_path(box.path, "messages", item) for item in items]
    found = await graph.looked_up(paths, select=mapping.wanted(box.keep), expand=mapping.EXPANDED)
    return list(found.values())


async def _known(graph: Graph, box: Mailbox, name: str) -> str | None:
    try:
        found: str = (await graph.get(f"{box.path}/mailFolders/{name}", select="id"))["id"]
    except NotFound:
        return None
    return found
