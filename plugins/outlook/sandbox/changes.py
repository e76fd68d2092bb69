"""The order in which things changed in one folder: what a delta token points into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable


class Change(NamedTuple):
    """One line of the log. `before` is what a removed item was known as, or when an event used to take place."""

    key: str
    gone: bool
    before: Any = None


class ChangeLog:
    """Every change in order; only the last one of each key counts.

    A page is read in the time of a page: a position is an index, and lines that a later one made void are skipped, at
    most a few pages of them, after which the page comes back short or empty with a link to go on.
    """

    def __init__(self) -> None:
        self.lines: list[Change] = []
        self.latest: dict[str, int] = {}
        self.generation = 1

    def __len__(self) -> int:
        return len(self.lines)

    def changed(self, key: str) -> None:
        """The item is there, and new or different."""
        self._write(Change(key, gone=False))

    def removed(self, key: str, before: Any) -> None:
        """The item is here no more."""
        self._write(Change(key, gone=True, before=before))

    def moved_in_time(self, key: str, before: Any) -> None:
        """The event used to take place at other times: a line that no later one makes void."""
        self._write(Change(f"{key}~{len(self.lines)}", gone=True, before=before))

    def evict(self) -> None:
        """Forget every token given out so far."""
        self.generation += 1

    def page(
        self, position: int, offset: int, size: int, shown: Callable[[Change, int], list[Any]]
    ) -> tuple[list[Any], int, int]:
        """Up to `size` entries from a position on, and the position and offset where the next page begins.

        `shown` makes the entries of one line, several for a series of events: the offset counts into them.
        """
        found: list[Any] = []
        last = min(len(self.lines), position + 4 * size + 100)
        while position < last and len(found) < size:
            line = self.lines[position]
            entries = shown(line, position) if self.latest[line.key] == position else []
            taken = entries[offset : offset + size - len(found)]
            found += taken
            offset += len(taken)
            if offset < len(entries):
                break
            position, offset = position + 1, 0
        return found, position, offset

    def _write(self, line: Change) -> None:
        self.latest[line.key] = len(self.lines)
        self.lines.append(line)
