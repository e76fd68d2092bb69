"""Parquet: typed columns, read as the text that stands for their values."""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal
from math import isinf, isnan
from typing import TYPE_CHECKING, Any

from plugins.files import opening
from plugins.files.batches import Batch, content_of, require_columns
from tenure_sdk import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from plugins.files.batches import Column
    from plugins.files.mapping import Mapping


class ParquetFile:
    """A Parquet file, read in bounded pieces of its row groups."""

    def __init__(self, path: Path, mapping: Mapping, max_bytes: int) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self._path, self._max_bytes = path, max_bytes
        self._keep_content = mapping.record.id == "content"
        size = opening.size_of(path, max_bytes)
        self._check_magic(size)
        with self._reading():
            # A buffer of its own makes Arrow read pages as they come instead of whole column chunks.
            self._file = pq.ParquetFile(path, buffer_size=1 << 16, pre_buffer=False)
        groups = [self._file.metadata.row_group(place) for place in range(self._file.metadata.num_row_groups)]
        if sum(group.total_byte_size for group in groups) > max_bytes:
            raise opening.too_large(path, max_bytes)
        self._group_rows = [group.num_rows for group in groups]
        names = self._file.schema_arrow.names
        require_columns(path, names, mapping.columns())
        self._names = list(names) if self._keep_content else list(mapping.columns())
        nested = [name for name in self._names if pa.types.is_nested(self._file.schema_arrow.field(name).type)]
        if nested:
            raise ConfigInvalid(f"{path.name} has lists or structures in {', '.join(nested)}.", key="file")

    def batches(self, *, skip: int, size: int) -> Generator[Batch, None, None]:
        """Batches of at most `size` rows, after the first `skip` of them."""
        total, row, decompressed = sum(self._group_rows), 0, 0
        for group, rows in enumerate(self._group_rows):
            if row + rows <= skip:
                row += rows
                continue
            for piece in self._pieces(group, size):
                decompressed += piece.nbytes
                if decompressed > self._max_bytes:
                    raise opening.too_large(self._path, self._max_bytes)
                passed = min(max(skip - row, 0), piece.num_rows)
                row += piece.num_rows
                if passed < piece.num_rows:
                    yield self._batch(piece.slice(passed), last_row=row, progress=row / total)

    def _pieces(self, group: int, size: int) -> Iterator[Any]:
        with self._reading():
            yield from self._file.iter_batches(
                batch_size=size, row_groups=[group], columns=self._names, use_threads=False
            )

    def _batch(self, piece: Any, *, last_row: int, progress: float) -> Batch:
        with self._reading():
            columns = {name: _texts(piece.column(name)) for name in self._names}
        rows = zip(*columns.values(), strict=True) if self._keep_content else ()
        return Batch(
            read=piece.num_rows,
            lines=range(last_row - piece.num_rows + 1, last_row + 1),
            columns=columns,
            content=[content_of(row) for row in rows],
            rejects=(),
            progress=progress,
        )

    def _check_magic(self, size: int) -> None:
        with self._path.open("rb") as raw:
            begins = raw.read(4) == b"PAR1"
            raw.seek(max(0, size - 4))
            ends = raw.read(4) == b"PAR1"
        if not begins:
            raise opening.unusable(self._path, "not a Parquet file: correct the mapping's file.format")
        if not ends:
            raise self._damaged()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise self._damaged() from error

    def _damaged(self) -> ConfigInvalid:
        return opening.unusable(self._path, "truncated or damaged. Fetch the file again")


def _texts(column: Any) -> Column:
    """The column's values as text: doubles by their shortest decimal, whole ones without a point."""
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        remembered: dict[float | None, str | None] = {None: None}
        return [
            remembered[value] if value in remembered else remembered.setdefault(value, number_text(value))
            for value in column.to_pylist()
        ]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    texts: Column = column.cast(pa.string()).to_pylist()
    return texts


def number_text(value: float) -> str | None:
    """The shortest decimal that is this double, 12748.0 being 12748; NaN is how data frames write nothing."""
    if isnan(value):
        return None
    if isinf(value):
        return str(value)
    return str(int(value)) if value.is_integer() else format(Decimal(repr(value)), "f")
