"""Which record a line belongs to: the id, made of columns, of the line's number, or of its content."""

from __future__ import annotations

import sqlite3
from abc import ABC, abstractmethod
from hashlib import blake2b
from typing import TYPE_CHECKING

from plugins.files import cells
from plugins.files.mapping import FieldRule

if TYPE_CHECKING:
    from collections.abc import Sequence

    from plugins.files.batches import Batch
    from plugins.files.mapping import Mapping


class Ids(ABC):
    """How a mapping makes ids. Every line of a run passes here, in order, also those that a resumed run skips."""

    @abstractmethod
    def of(self, batch: Batch) -> Sequence[str | cells.Unusable]:
        """The id of each line of the batch."""

    def close(self) -> None:  # noqa: B027 - most ways take nothing that has to be given back
        """Gives back what making ids took."""


def ids_of(mapping: Mapping) -> Ids:
    """The ids that the mapping asks for."""
    if mapping.record.id == "line":
        return LineIds()
    if mapping.record.id == "content":
        return ContentIds()
    return ColumnIds(mapping.record.id)


class LineIds(Ids):
    """The line's number, for files that only ever grow at their end."""

    def of(self, batch: Batch) -> Sequence[str]:
        """The id of each line of the batch."""
        return [str(line) for line in batch.lines]


class ColumnIds(Ids):
    """The columns that are the key, folded; several are joined by a bar."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._parts = {name: cells.Values(cells.key, FieldRule(column=name), required=True) for name in names}

    def of(self, batch: Batch) -> Sequence[str | cells.Unusable]:
        """The id of each line of the batch."""
        columns = [[values[cell] for cell in batch.columns[name]] for name, values in self._parts.items()]
        return columns[0] if len(columns) == 1 else [_joined(parts) for parts in zip(*columns, strict=True)]


def _joined(parts: tuple[str | cells.Unusable, ...]) -> str | cells.Unusable:
    texts: list[str] = []
    for part in parts:
        if isinstance(part, cells.Unusable):
            return part
        texts.append(part.replace("\\", "\\\\").replace("|", "\\|"))
    return "|".join(texts)


class ContentIds(Ids):
    """The digest of the line and how many equal ones stand at or before it: equal lines are records of their own.

    The counts live in a temporary database on disk, so that a file of any length takes the same memory. It is keyed
    by half a digest: should two different lines ever share one, their ordinals differ and their ids stay unique.
    """

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", isolation_level=None)
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("CREATE TABLE seen (digest INTEGER PRIMARY KEY, times INTEGER NOT NULL)")

    def of(self, batch: Batch) -> Sequence[str]:
        """The id of each line of the batch."""
        return [self._id(content) for content in batch.content]

    def close(self) -> None:
        """Gives back what making ids took."""
        self._seen.close()

    def _id(self, content: str) -> str:
        digest = blake2b(content.encode(), digest_size=16).digest()
        half = int.from_bytes(digest[:8], "big", signed=True)
        # In two statements: RETURNING needs a younger SQLite than some systems have.
        seen = self._seen.execute("SELECT times FROM seen WHERE digest = ?", (half,)).fetchone()
        ordinal = seen[0] + 1 if seen else 1
        self._seen.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (half, ordinal))
        return f"{digest.hex()}-{ordinal}"
