"""Batches of text in, typed columns out: what the line pages and the record pages are made of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from plugins.files import cells
from plugins.files.ids import ids_of
from plugins.files.mapping import RecordKind
from tenure_sdk import ConfigInvalid, Reject

if TYPE_CHECKING:
    from collections.abc import Callable

    from plugins.files.batches import Batch, Column
    from plugins.files.mapping import FieldRule, Mapping


class Mapped(Struct, frozen=True):
    """The lines of a batch that are records, column by column, and why the others are not."""

    lines: Sequence[int]
    ids: Sequence[Any]
    types: Sequence[RecordKind]
    columns: dict[str, list[Any]]
    rejects: list[Reject]

    def reject(self, place: int, field: str | None, value: str | None, reason: str) -> Reject:
        """Why the line at this place cannot be taken."""
        record_id = self.ids[place]
        return Reject(self.lines[place], field, value, reason, record_id if isinstance(record_id, str) else None)


class Mapper:
    """Applies a mapping to batches, in the order of the file."""

    def __init__(self, mapping: Mapping, converters: dict[str, Callable[[str], Any]], required: Sequence[str]) -> None:
        self._record = mapping.record
        self._rules = mapping.rules()
        self._values = {
            name: _values(name, rule, converters[name], required=name in required) for name, rule in self._rules.items()
        }
        self._ids = ids_of(mapping)
        self.close = self._ids.close
        self._only = [(condition.column, cells.Remembered(condition.holds)) for condition in mapping.record.only]
        self._types = [
            (rule.when.column, cells.Remembered(rule.when.holds), rule.type) for rule in mapping.record.rules
        ]

    def skip(self, batch: Batch) -> None:
        """Lets lines pass that an earlier run has handed out."""
        self._ids.of(batch)

    def mapped(self, batch: Batch) -> Mapped:
        """What the batch's lines say, without those that cannot be taken."""
        ids = self._ids.of(batch)
        lines, columns = batch.lines, batch.columns
        if self._only:
            kept = self._kept(batch)
            lines, ids = list(compress(lines, kept)), list(compress(ids, kept))
            columns = {name: list(compress(column, kept)) for name, column in columns.items()}
        types = self._types_of(columns, len(lines))
        typed = {name: self._typed(name, columns, len(lines)) for name in self._values}
        self._negate(typed, types)
        found = Mapped(lines, ids, types, typed, list(batch.rejects))
        return without(found, self._unusable(found, columns))

    def _kept(self, batch: Batch) -> list[bool]:
        verdicts = [[holds[cell] for cell in batch.columns[column]] for column, holds in self._only]
        return [all(row) for row in zip(*verdicts, strict=True)]

    def _types_of(self, columns: dict[str, Column], count: int) -> list[RecordKind]:
        types: list[RecordKind] = [self._record.type] * count
        # The first rule that holds decides, so the last one is written first.
        for column, holds, kind in reversed(self._types):
            types = [kind if holds[cell] else other for cell, other in zip(columns[column], types, strict=True)]
        return types

    def _typed(self, name: str, columns: dict[str, Column], count: int) -> list[Any]:
        values, rule = self._values[name], self._rules[name]
        if rule.column is None:
            return [values[rule.constant]] * count
        return [values[cell] for cell in columns[rule.column]]

    def _negate(self, typed: dict[str, Any], types: list[RecordKind]) -> None:
        for kind, names in self._record.negate.items():
            for name in names:
                typed[name] = [
                    -value if other == kind and value is not None and type(value) is not cells.Unusable else value
                    for value, other in zip(typed[name], types, strict=True)
                ]

    def _unusable(self, found: Mapped, columns: dict[str, Column]) -> dict[int, list[Reject]]:
        problems: dict[int, list[Reject]] = {}
        for place, value in enumerate(found.ids):
            if type(value) is cells.Unusable:
                problems.setdefault(place, []).append(found.reject(place, "id", None, value.reason))
        for name, values in self._values.items():
            if not values.has_unusable:
                continue
            column = self._rules[name].column
            for place, value in enumerate(found.columns[name]):
                if type(value) is cells.Unusable:
                    cell = columns[column][place] if column else self._rules[name].constant
                    problems.setdefault(place, []).append(found.reject(place, name, cell, value.reason))
        return problems


def without(found: Mapped, problems: dict[int, list[Reject]]) -> Mapped:
    """The same without the rows at these places, which become rejects."""
    if not problems:
        return found
    kept = [place not in problems for place in range(len(found.lines))]
    return Mapped(
        lines=list(compress(found.lines, kept)),
        ids=list(compress(found.ids, kept)),
        types=list(compress(found.types, kept)),
        columns={name: list(compress(column, kept)) for name, column in found.columns.items()},
        rejects=[*found.rejects, *(reject for place in sorted(problems) for reject in problems[place])],
    )


def _values(name: str, rule: FieldRule, convert: Callable[[str], Any], *, required: bool) -> cells.Values:
    """The values of a field, once the texts that the mapping itself gives have been tried."""
    given = {"constant": rule.constant, "default": rule.default} | {f"values.{k}": v for k, v in rule.values.items()}
    for place, cell in given.items():
        try:
            if cell:
                convert(cell)
        except ValueError as error:
            key = f"fields.{name}.{place}"
            raise ConfigInvalid(f"The mapping is wrong at {key}: {cell} {error}.", key=key) from error
    return cells.Values(convert, rule, required=required)
