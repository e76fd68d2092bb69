"""Reading the calendar: what takes place within a window that rolls on with the months."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from plugins.outlook import mapping
from plugins.outlook.graph import Position, item_path, key_of, stamp
from tenure_sdk import Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Mapping, Sequence

    from plugins.outlook.graph import Graph, Mailbox, Positions, Row
    from tenure_sdk import Interaction, Record

PAGE = 200


class Reading:
    """The calendar of one mailbox, for one run."""

    def __init__(self, graph: Graph, box: Mailbox, positions: Positions) -> None:
        self.graph, self.box, self.positions = graph, box, positions
        self.series: dict[str, Row | None] = {}
        """The series by id, as this run has met them; None for one that is gone."""

    async def pages(self) -> AsyncIterator[Page]:
        """What changed within the window.

        A delta's window stays as it was when it began. A new month begins another one; afterwards the former one is
        asked a last time, so that nothing is missed between the two.
        """
        key, former = key_of(self.box.user, "calendar"), key_of(self.box.user, "former calendar")
        start, end = self._window()
        mark = f"{self.box.keep[0]}{start:%y%m%d}-{end:%y%m%d}"
        position = self.positions.get(key)
        if position is not None and position.mark != mark:
            self.positions.note(former, position)
            position = None
        window = {"startDateTime": stamp(start), "endDateTime": stamp(end)}
        async for page in self._round(key, position or Position(mark), window):
            yield page
        last = self.positions.get(former)
        if last is not None:
            async for page in self._round(former, last, window):
                yield page
            self.positions.note(former, None)
            yield Page((), cursor=self.positions.cursor())

    async def listed(self) -> AsyncIterator[list[Record]]:
        """All that takes place within the window."""
        start, end = self._window()
        window = {"startDateTime": stamp(start), "endDateTime": stamp(end)}
        async for rows in self.graph.listed(f"{self.box.path}/calendarView", PAGE, **window):
            yield (await self.sorted_out(rows)).records

    async def _round(self, key: str, position: Position, window: Mapping[str, str]) -> AsyncIterator[Page]:
        path = f"{self.box.path}/calendarView/delta"
        async for rows, at in self.graph.changes(path, position, PAGE, **window):
            self.positions.note(key, at)
            yield await self._page(rows)

    async def _page(self, rows: Sequence[Row]) -> Page:
        """A page of changes; what left the window is looked up, since it may only take place at another time."""
        there = [row for row in rows if "@removed" not in row]
        left = {row["id"] for row in rows} - {row["id"] for row in there}
        elsewhere = await self.looked_up(sorted(left))
        records, deletes, rejects = await self.sorted_out([*there, *elsewhere])
        gone = left - {row["id"] for row in elsewhere}
        return Page(records, [*deletes, *map(self._id, sorted(gone))], self.positions.cursor(), rejects)

    async def sorted_out(self, rows: Sequence[Row]) -> mapping.Sorted:
        """The records of events, the ids of those that must not be here, and what is none."""
        self.series |= {row["id"]: row for row in rows if row.get("type") == "seriesMaster"}
        await self._know_series(row["seriesMasterId"] for row in rows if row.get("seriesMasterId"))

        def made(row: Row) -> Interaction:
            series = self.series.get(row.get("seriesMasterId") or "")
            return mapping.meeting(row, series, self.box, self.graph.ctx.config)

        return mapping.sorted_out(rows, made, self._id)

    async def looked_up(self, items: Sequence[str]) -> list[Row]:
        """The events with these ids that are there."""
        return list((await self.graph.looked_up([self._path(item) for item in items])).values())

    async def _know_series(self, wanted: Iterable[str]) -> None:
        """Look up the series that have not come: on an earlier page, or not at all where only an exception changed."""
        missing = sorted(set(wanted) - self.series.keys())
        found = await self.graph.looked_up([self._path(item) for item in missing])
        self.series |= {item: found.get(self._path(item)) for item in missing}

    def _id(self, item: str) -> str:
        return self.box.record_id("events", item)

    def _path(self, item: str) -> str:
        return item_path(self.box.path, "events", item)

    def _window(self) -> tuple[datetime, datetime]:
        """From the first day of a month to the first day of another; as far as the run is asked for, if it is."""
        config, asked, now = self.graph.ctx.config, self.graph.ctx.window, self.graph.ctx.now()
        first = asked.start or _month(now - timedelta(days=config.calendar_days_back))
        last = asked.end or _month(_month(now + timedelta(days=config.calendar_days_ahead)) + timedelta(days=31))
        return first, max(last, first + timedelta(days=1))


def _month(at: datetime) -> datetime:
    return at.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
