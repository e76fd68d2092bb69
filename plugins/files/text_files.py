"""CSV, fixed width and JSON Lines: lines of text."""

from __future__ import annotations

import csv
from contextlib import closing
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from plugins.files import opening
from plugins.files.batches import Batch, content_of, require_columns
from plugins.files.mapping import FixedColumn
from tenure_sdk import ConfigInvalid, Reject

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from plugins.files.mapping import FileTable, Mapping

Cells: TypeAlias = "Sequence[str | None]"


class _Rows:
    """Rows on their way to being a batch."""

    def __init__(self, names: Sequence[str], wanted: Sequence[str], *, keep_content: bool) -> None:
        self._places = {name: place for place, name in enumerate(names) if name in wanted}
        self._keep_content = keep_content
        self.lines: list[int] = []
        self.rows: list[Cells] = []
        self.rejects: list[Reject] = []

    def __len__(self) -> int:
        return len(self.rows) + len(self.rejects)

    def batch(self, progress: float) -> Batch:
        columns = list(zip(*self.rows, strict=True)) or [()] * (max(self._places.values(), default=-1) + 1)
        return Batch(
            read=len(self),
            lines=self.lines,
            columns={name: list(columns[place]) for name, place in self._places.items()},
            content=[content_of(row) for row in self.rows] if self._keep_content else (),
            rejects=self.rejects,
            progress=progress,
        )


class _LinesOfText:
    """What CSV, fixed width and JSON Lines have in common: lines of text."""

    def __init__(self, text: opening.TextFile, mapping: Mapping) -> None:
        self._text = text
        self._wanted = mapping.columns()
        self._keep_content = mapping.record.id == "content"
        self._names: Sequence[str] = ()
        self._open(mapping.file)

    def _open(self, file: FileTable) -> None:
        """Reads the beginning and the end of the file, and sees whether they fit the mapping."""
        raise NotImplementedError

    def _rows(self, lines: Iterator[str]) -> Iterator[tuple[int, Cells | str]]:
        """Each line with its number: its cells, or why it has none."""
        raise NotImplementedError

    def batches(self, *, skip: int, size: int) -> Generator[Batch, None, None]:
        """Batches of at most `size` lines, after the first `skip` of them."""
        with self._text.path.open("rb") as raw, closing(self._text.lines(raw)) as lines:
            rows = islice(self._rows(lines), skip, None)
            while len(found := self._next_rows(rows, size)):
                yield found.batch(raw.tell() / self._text.size)

    def _next_rows(self, rows: Iterator[tuple[int, Cells | str]], size: int) -> _Rows:
        found = _Rows(self._names, self._wanted, keep_content=self._keep_content)
        for line, row in islice(rows, size):
            if isinstance(row, str):
                found.rejects.append(Reject(line=line, field=None, value=None, reason=row))
            else:
                found.lines.append(line)
                found.rows.append(row)
        return found

    def _first_lines(self, count: int) -> list[str]:
        with self._text.path.open("rb") as raw, closing(self._text.lines(raw)) as lines:
            return list(islice(lines, count))

    def _require_columns(self) -> None:
        require_columns(self._text.path, self._names, self._wanted)

    def _truncated(self) -> ConfigInvalid:
        return opening.unusable(self._text.path, "truncated: its last line is not whole. Fetch the file again")


class CsvFile(_LinesOfText):
    """Comma-separated values as RFC 4180 has them, whatever the separator."""

    def _open(self, file: FileTable) -> None:
        self._has_header = not file.columns
        self._delimiter = self._sniffed(file)
        names = self._first_row(self._delimiter) if self._has_header else [str(name) for name in file.columns]
        self._names = [name.strip() for name in names]
        self._require_columns()
        last = self._text.last_line
        if last is not None and '"' not in last and len(self._split(last, self._delimiter)) < len(self._names):
            raise self._truncated()

    def _first_row(self, delimiter: str) -> list[str]:
        return next((row for row in csv.reader(self._first_lines(100), delimiter=delimiter) if row), [])

    def _split(self, line: str, delimiter: str) -> list[str]:
        return next(iter(csv.reader([line], delimiter=delimiter)), [])

    def _sniffed(self, file: FileTable) -> str:
        """The delimiter that makes the mapping's columns of the first line; if none does, the one that divides most."""
        if file.delimiter != "auto":
            return file.delimiter
        rows = {delimiter: self._first_row(delimiter) for delimiter in (",", ";", "\t", "|")}
        wanted = set(self._wanted)
        for delimiter, row in rows.items():
            fits = wanted <= {cell.strip() for cell in row} if self._has_header else len(row) == len(file.columns)
            if fits:
                return delimiter
        return max(rows, key=lambda delimiter: len(rows[delimiter]))

    def _rows(self, lines: Iterator[str]) -> Iterator[tuple[int, Cells | str]]:
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        width = len(self._names)
        waiting_for_header = self._has_header
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                if "unexpected end" in str(error):
                    raise self._truncated() from error
                yield line, f"is not CSV: {error}"
                continue
            if not row:
                continue
            if waiting_for_header:
                waiting_for_header = False
            elif len(row) == width:
                yield line, row
            else:
                yield line, f"has {len(row)} cells where the header has {width}"


class FixedFile(_LinesOfText):
    """Columns at fixed places, or divided by blanks."""

    def _open(self, file: FileTable) -> None:
        self._header = file.header
        self._places = [column for column in file.columns if isinstance(column, FixedColumn)]
        self._names = [column if isinstance(column, str) else column.name for column in file.columns]
        self._require_columns()
        words = tuple(next(iter(self._first_lines(1)), "").split())
        if self._header and words != self._header:
            raise ConfigInvalid(
                f"{self._text.path.name} begins with {' '.join(words)[:200]}; "
                f"the mapping expects the header {' '.join(self._header)}.",
                key="file",
            )
        last = self._text.last_line
        if last is not None and last.strip() and isinstance(self._cells(last), str):
            raise self._truncated()

    def _rows(self, lines: Iterator[str]) -> Iterator[tuple[int, Cells | str]]:
        for place, line in enumerate(lines, 1):
            if (place > 1 or not self._header) and not line.isspace():
                yield place, self._cells(line)

    def _cells(self, line: str) -> Cells | str:
        if not self._places:
            cells = line.split()
            return cells if len(cells) == len(self._names) else f"has {len(cells)} values, not {len(self._names)}"
        line = line.rstrip("\r\n")
        if len(line) <= max(column.start for column in self._places):
            return f"has {len(line)} characters, which is too few"
        return [line[column.start : column.start + column.width] for column in self._places]


class JsonLinesFile(_LinesOfText):
    """One JSON object per line; a point in a column's name leads into an object: `address.city`."""

    def _open(self, _file: FileTable) -> None:
        self._names = self._wanted
        self._decoder = msgspec.json.Decoder(float_hook=Decimal)
        first = [self._decoded(line) for line in self._first_lines(100) if line.strip()]
        if not first or isinstance(first[0], str):
            raise opening.unusable(
                self._text.path, f"not JSON Lines: its first line {first[0] if first else 'is blank'}"
            )
        found = {name for name in self._wanted for row in first if isinstance(row, dict) and _leads(row, name)}
        if missing := [name for name in self._wanted if name not in found]:
            raise ConfigInvalid(f"{self._text.path.name} has no {', '.join(missing)} in its first lines.", key="file")
        last = self._text.last_line
        if last is not None and last.strip() and isinstance(self._decoded(last), str):
            raise self._truncated()

    def _rows(self, lines: Iterator[str]) -> Iterator[tuple[int, Cells | str]]:
        for place, line in enumerate(lines, 1):
            if line.isspace():
                continue
            row = self._decoded(line)
            yield place, row if isinstance(row, str) else self._cells(row)

    def _cells(self, row: dict[str, Any]) -> Cells:
        return [_text(_at(row, name)) for name in self._names]

    def _decoded(self, line: str) -> dict[str, Any] | str:
        try:
            row = self._decoder.decode(line)
        except (msgspec.DecodeError, RecursionError) as error:
            return f"is not JSON: {error}"
        return row if isinstance(row, dict) else "is not a JSON object"


def _at(row: dict[str, Any], name: str) -> Any:
    """What the name leads to: the key itself, or a path with points."""
    if name in row:
        return row[name]
    stem, _, rest = name.partition(".")
    inner = row.get(stem)
    return _at(inner, rest) if rest and isinstance(inner, dict) else None


def _leads(row: dict[str, Any], name: str) -> bool:
    stem, _, rest = name.partition(".")
    return name in row or (bool(rest) and stem in row and (not isinstance(row[stem], dict) or _leads(row[stem], rest)))


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        return msgspec.json.encode(value).decode()
    return str(value)
