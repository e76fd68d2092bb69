"""What every kind of file is read into: batches of columns of text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from tenure_sdk import ConfigInvalid, Reject

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

Column = list[str | None]


class Batch(Struct, frozen=True):
    """Some lines of a file, column by column, with those that are no lines of it."""

    read: int
    """How many lines of the file were read for it, the rejected ones among them."""
    lines: Sequence[int]
    columns: dict[str, Column]
    content: Sequence[str]
    """The whole line, where the mapping makes ids of it; otherwise empty."""
    rejects: Sequence[Reject]
    progress: float


class Source(Protocol):
    """A file that was found to be what the mapping says."""

    def batches(self, *, skip: int, size: int) -> Generator[Batch, None, None]:
        """Batches of at most `size` lines, after the first `skip` of them."""
        ...


def content_of(cells: Sequence[str | None]) -> str:
    """A line as one text, for ids that are made of it."""
    return "\x1f".join(cell or "" for cell in cells)


def require_columns(path: Path, names: Sequence[str], wanted: Sequence[str]) -> None:
    """Refuses a file that lacks a column of the mapping, or has it twice."""
    if missing := [name for name in wanted if name not in names]:
        raise ConfigInvalid(
            f"{path.name} has no column {', '.join(missing)}; its columns are {', '.join(names) or 'none'}.", key="file"
        )
    if twice := [name for name in wanted if names.count(name) > 1]:
        raise ConfigInvalid(f"{path.name} has the column {', '.join(twice)} more than once.", key="file")
