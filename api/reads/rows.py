"""A row under construction: which columns a statement has to select, and how generated code reaches them."""

from collections.abc import Callable
from typing import Any


class Row:
    """The columns of one record, the row of a level or a record nested in it."""

    def __init__(self, code: str, *, reach: str | None = None, offset: int = 0) -> None:
        self.code = code
        self.reach = reach or code
        self.memo: dict[Any, str] = {}
        self.names_type: Callable[[], str] | None = None
        self._offset = offset
        self._columns: list[str] = []

    def column(self, sql: str) -> str:
        """The code of a column; the same expression is selected once."""
        return f"{self.code}[{self._slot(sql)}]"

    def gather(self, sql: str) -> str:
        """The code of a column as it is reached from the row of the level, where a record on the way may be null."""
        slot = self._slot(sql)
        return f"{self.code}[{slot}]" if self.reach == self.code else f"({self.reach} and {self.reach}[{slot}])"

    def reserve(self) -> int:
        """A place for a column whose SQL is not known yet."""
        self._columns.append(f"reserved {len(self._columns)}")
        return self._offset + len(self._columns) - 1

    def fill(self, slot: int, sql: str) -> None:
        """Put the SQL of a reserved column in its place."""
        self._columns[slot - self._offset] = sql

    @property
    def listed(self) -> str:
        """The select list."""
        return ", ".join(self._columns) or "1"

    def _slot(self, sql: str) -> int:
        if sql not in self._columns:
            self._columns.append(sql)
        return self._offset + self._columns.index(sql)


class EmbeddedRow:
    """An object that is kept inside a column: a dictionary."""

    def __init__(self, code: str) -> None:
        self.code = code
        self.memo: dict[Any, str] = {}
        self.names_type: Callable[[], str] | None = None

    def key(self, name: str) -> str:
        """The code of one of its values."""
        return f"{self.code}.get({name!r})"

    column = key


class Level:
    """One list level: a statement, the lines that fetch its rows, and the documents made of them."""

    def __init__(self, number: int, *, nested: bool) -> None:
        self.number = number
        self.nested = nested
        self.alias = f"t{number}"
        self.index = f"i{number}"
        self.rows = f"rows{number}"
        self.row = Row(f"r{number}", offset=1 if nested else 0)
        self.parent = f"parent{number}"
        self.parent_row = "_"
        self.lines: list[str] = []
        self.children: list[str] = []
        self.before: list[str] = []
        self._streams = 0

    @property
    def documents(self) -> str:
        """The documents of the first stream, in the order of the rows."""
        return self.stream_name(0)

    @property
    def bounds(self) -> str:
        """The code of a parent's slice of the rows; the parent's index is filled in where it is used."""
        return f"b{self.number}.get({self.parent}, N)"

    def stream_name(self, index: int) -> str:
        """The list of documents that one selection makes of the rows."""
        return f"o{self.number}_{index}"

    def fetch(self, code: str) -> None:
        """Fetch the rows, then those of the levels below, then define what completes several types."""
        self.lines.append(f"{self.rows} = {code}")
        if self.nested:
            self.lines.append(f"b{self.number} = bounds({self.rows})")
        self.lines += self.children
        self.lines += self.before

    def stream(self, body: str) -> None:
        """Make a document of every row."""
        self.lines.append(
            f"{self.stream_name(self._streams)} = [{body} for {self.index}, {self.row.code} in enumerate({self.rows})]"
        )
        self._streams += 1
