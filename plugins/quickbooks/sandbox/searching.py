"""Which objects a query means, in which order: by an index wherever there is one."""

from __future__ import annotations

import re
from bisect import bisect_left
from decimal import Decimal, InvalidOperation
from operator import eq, ge, gt, le, lt
from typing import TYPE_CHECKING, Any

from plugins.quickbooks.sandbox import calendar, refusals
from plugins.quickbooks.sandbox.kinds import Amount, Flag, Many, Parts
from plugins.quickbooks.sandbox.tables import number_in, time_key

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from plugins.quickbooks.sandbox.entities import Entity, Record
    from plugins.quickbooks.sandbox.kinds import Kind
    from plugins.quickbooks.sandbox.statements import Condition, Literal, Statement
    from plugins.quickbooks.sandbox.tables import Row, Table

CREATED = "MetaData.CreateTime"
UPDATED = "MetaData.LastUpdatedTime"
COMPARE: dict[str, Callable[[Any, Any], bool]] = {"=": eq, "<": lt, ">": gt, "<=": le, ">=": ge}
SOON = 1 << 40
"""A time after all times."""


class Search:
    """A statement, checked against its entity and bound to a company's table."""

    def __init__(self, table: Table, statement: Statement) -> None:
        self._table = table
        self._statement = statement
        self._names = [_resolved(table.entity, each.property) for each in statement.conditions]
        self._orders = [(_resolved(table.entity, order.property), order) for order in statement.orders]
        for name in statement.chosen:
            _resolved(table.entity, name)
        self._conditions = list(zip(self._names, statement.conditions, strict=True))
        self._tests = [_test(table.entity, name, each) for name, each in self._conditions if not _is_range(name, each)]

    @property
    def by_time(self) -> bool:
        """Whether the answer is in the order of change."""
        return [(name, order.descending) for name, order in self._orders] == [(UPDATED, False)]

    def page(self) -> list[Row]:
        """The rows of the page that the statement asks for."""
        first = self._statement.start - 1
        return [self._table.rows[number] for number in self._ordered(first, first + self._statement.most)]

    def count(self) -> int:
        """How many rows there are, on all pages."""
        return len(self._ordered(0, None))

    def _ordered(self, first: int, last: int | None) -> Sequence[int]:
        """The ids from one position to another. Reads no more than that where an index is in the order asked for."""
        index = self._table.all if "Active" in self._names else self._table.live
        narrowed = self._narrowed()
        if narrowed is None and not self._tests and not self._has_range and not self._orders:
            return index.ids[first:last]
        low, high = self._range(index.times)
        if narrowed is None and not self._tests and self.by_time:
            return [number_in(key) for key in index.times[low:high][first:last]]
        numbers = self._candidates(index.ids, index.times, low, high) if narrowed is None else self._live(narrowed)
        rows = [row for row in map(self._table.rows.__getitem__, numbers) if self._passes(row)]
        return [row.number for row in self._sorted(rows)[first:last]]

    def _candidates(self, ids: list[int], times: list[int], low: int, high: int) -> Sequence[int]:
        if not self._has_range:
            return ids
        return [number_in(key) for key in times[low:high]]

    def _narrowed(self) -> list[int] | None:
        """The ids that an index by value leaves over, None where there is no such index."""
        for name, condition in self._conditions:
            if name == "Id":
                numbers = {int(value) for value in condition.values if str(value).isdigit()}
                return [number for number in numbers if number in self._table.rows]
            if condition.comparison == "=" and name in self._table.entity.looked_up:
                wanted = _converted(self._table.entity, name, condition.values[0])
                return list(self._table.found(name, wanted))
        return None

    def _live(self, numbers: list[int]) -> list[int]:
        low, high = self._range_of_stamps()
        rows = [self._table.rows[number] for number in numbers]
        wanted = [row for row in rows if low <= row.stamp < high and (row.active or "Active" in self._names)]
        return [row.number for row in wanted]

    def _passes(self, row: Row) -> bool:
        if not self._tests:
            return True
        record = row.record
        return all(test(record) for test in self._tests)

    def _sorted(self, rows: list[Row]) -> list[Row]:
        rows.sort(key=lambda row: row.number)
        for name, order in reversed(self._orders):
            rows.sort(key=_sort_key(self._table.entity, name), reverse=order.descending)
        return rows

    @property
    def _has_range(self) -> bool:
        return any(_is_range(name, condition) for name, condition in self._conditions)

    def _range(self, times: list[int]) -> tuple[int, int]:
        low, high = self._range_of_stamps()
        return bisect_left(times, time_key(low)), bisect_left(times, time_key(high))

    def _range_of_stamps(self) -> tuple[int, int]:
        """From which stamp to before which stamp objects must have changed."""
        low, high = 0, SOON
        for name, condition in self._conditions:
            if _is_range(name, condition):
                stamp = _stamp(condition.values[0])
                if condition.comparison in {">", ">=", "="}:
                    low = max(low, stamp + (condition.comparison == ">"))
                if condition.comparison in {"<", "<=", "="}:
                    high = min(high, stamp + (condition.comparison != "<"))
        return low, high


def _resolved(entity: Entity, name: str) -> str:
    """The property that a query names, whatever the case of its letters."""
    for known in (CREATED, UPDATED):
        if name.lower() == known.lower():
            return known
    if name.lower() not in entity.kinds:
        raise refusals.invalid_query(f"Property {name} not found for Entity {entity.name}")
    return entity.kinds[name.lower()][0]


def _is_range(name: str, condition: Condition) -> bool:
    return name == UPDATED and condition.comparison in COMPARE


def _test(entity: Entity, name: str, condition: Condition) -> Callable[[Record], bool]:
    """What a record must pass for a condition to hold."""
    if name == "Id" and condition.comparison not in {"=", "IN"}:
        raise refusals.invalid_query(f"Operator {condition.comparison} is not supported for property Id")
    value_of = _reader(entity, name)
    values = [_converted(entity, name, value) for value in condition.values]
    if condition.comparison == "IN":
        return lambda record: value_of(record) in values
    if condition.comparison == "LIKE":
        if not isinstance(values[0], str):
            raise refusals.invalid_query(f"Operator LIKE is not supported for property {name}")
        like = re.compile(".*".join(map(re.escape, values[0].split("%"))), re.DOTALL)
        return lambda record: bool(like.fullmatch(str(value_of(record) or "")))
    compare, wanted = COMPARE[condition.comparison], values[0]
    return lambda record: (value := value_of(record)) is not None and compare(value, wanted)


def _reader(entity: Entity, name: str) -> Callable[[Record], Any]:
    if name in {CREATED, UPDATED}:
        part = name.partition(".")[2]
        return lambda record: calendar.read(record["MetaData"][part])
    kind = _kind(entity, name)
    if isinstance(kind, Many) or (isinstance(kind, Parts) and not kind.main):
        raise refusals.invalid_query(f"Property {name} of Entity {entity.name} is not queryable")
    return lambda record: None if record.get(name) is None else kind.comparable(record[name])


def _kind(entity: Entity, name: str) -> Kind:
    return entity.kinds[name.lower()][1]


def _converted(entity: Entity, name: str, value: Literal) -> Any:
    """The literal as a value of the property's kind."""
    if name in {CREATED, UPDATED}:
        return _stamp(value)
    kind = _kind(entity, name)
    if isinstance(kind, Flag):
        return value in {True, "true"}
    if isinstance(kind, Amount):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise refusals.invalid_query(f"{value} is not a number, as {name} is") from None
    return str(value)


def _stamp(value: Literal) -> int:
    try:
        return calendar.read(str(value))
    except ValueError:
        raise refusals.invalid_query(f"{value} is not a time") from None


def _sort_key(entity: Entity, name: str) -> Callable[[Row], Any]:
    """Objects without a value come first."""
    if name == UPDATED:
        return lambda row: row.stamp
    if name == "Id":
        return lambda row: row.number
    value_of = _reader(entity, name)

    def key(row: Row) -> tuple[bool, Any]:
        value = value_of(row.record)
        return value is not None, value

    return key
