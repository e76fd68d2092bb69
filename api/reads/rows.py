"""A row under construction: which columns a statement has to select, and how generated code reaches them."""

import re
from collections.abc import Callable
from typing import Any


class Row:
    """The columns of one record, the row of a level."""

    def __init__(self, code: str, *, offset: int = 0) -> None:
        self.code = code
        self.memo: dict[Any, str] = {}
        self.names_type: Callable[[], str] | None = None
        self.columns: list[str] = []
        self._offset = offset

    def column(self, sql: str) -> str:
        """The code of a column; the same expression is selected once."""
        if sql not in self.columns:
            self.columns.append(sql)
        return f"{self.code}[{self._offset + self.columns.index(sql)}]"

    @property
    def listed(self) -> str:
        """The select list."""
        return ", ".join(self.columns) or "1"


class Joined(Row):
    """The row of another type that is joined to a row: its columns are columns of the same record."""

    def __init__(self, row: Row) -> None:
        super().__init__(row.code)
        self._row = row

    def column(self, sql: str) -> str:
        """The code of a column; the same expression is selected once."""
        return self._row.column(sql)


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
        self.found = f"n{number}"
        self.row = Row(f"r{number}", offset=1 if nested else 0)
        self.parent = f"parent{number}"
        self.parent_row = "_"
        self.lines: list[str] = []
        self.children: list[str] = []
        self.before: list[str] = []
        self._joins: list[tuple[str, str]] = []
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

    @property
    def source(self) -> str:
        """What follows the SQL of the rows in a FROM: their name, and what is joined to them."""
        # The limit holds PostgreSQL to a look-up for each row, in the rows' order.
        return self.alias + "".join(
            f" left join lateral (select true as is_there{self._listed(alias)} from {source} limit 1) {alias} on true"
            for alias, source in self._joins
        )

    def named(self, order: str = "") -> str:
        """The columns of the rows that what is selected, joined and ordered by names: no others are carried along."""
        return ", ".join(f"{self.alias}.{column}" for column in self._columns(self.alias, order)) or "1"

    def join(self, alias: str, source: str) -> None:
        """Join what is at most one row."""
        self._joins.append((alias, source))

    def _listed(self, alias: str) -> str:
        return "".join(f", {alias}.{column}" for column in self._columns(alias) if column != "is_there")

    def _columns(self, alias: str, order: str = "") -> list[str]:
        if any(map(str.isidentifier, self.row.columns)):
            return ["*"]  # a name alone, by which values embedded in JSON are found, too, may be of any of the rows
        texts = [self.row.listed, order, *(source for joined, source in self._joins if joined != alias)]
        return sorted({column for text in texts for column in re.findall(rf"\b{alias}\.(\w+)", text)})

    def fetch(self, code: str, *, at_most: str | None = None) -> None:
        """Fetch the rows, then those of the levels below, then define what completes several types.

        With `at_most`, the code of a number, what is more only counts.
        """
        self.lines.append(f"{self.rows} = {code}")
        if at_most is not None:
            self.lines.append(f"{self.found} = len({self.rows}); {self.rows} = {self.rows}[:{at_most}]")
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
