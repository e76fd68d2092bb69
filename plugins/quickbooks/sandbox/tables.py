"""A company's objects in memory: as the bytes that go over the wire, with ordered indexes beside them."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from plugins.quickbooks.sandbox.entities import Entity, Record

# Amounts are numbers on the wire and decimals in here: 0.1 stays 0.1.
encode = msgspec.json.Encoder(decimal_format="number").encode
decode = msgspec.json.Decoder(float_hook=Decimal).decode

_NUMBER_BITS = 40


def time_key(stamp: int, number: int = 0) -> int:
    """A key that orders by time, and by id where times are equal."""
    return stamp << _NUMBER_BITS | number


def number_in(key: int) -> int:
    """The id that a time key carries."""
    return key & (1 << _NUMBER_BITS) - 1


@dataclass(slots=True)
class Row:
    """One object: what must be known without decoding it, and its JSON."""

    number: int
    token: int
    stamp: int
    active: bool
    body: bytes

    @property
    def record(self) -> Record:
        """The object, decoded anew."""
        record: Record = decode(self.body)
        return record


class Ordered:
    """Rows in order of id and in order of change."""

    def __init__(self) -> None:
        self.ids: list[int] = []
        self.times: list[int] = []

    def add(self, row: Row) -> None:
        """One row more."""
        insort(self.ids, row.number)
        insort(self.times, time_key(row.stamp, row.number))

    def add_many(self, rows: Iterable[Row]) -> None:
        """Many rows more, sorted once."""
        for row in rows:
            self.ids.append(row.number)
            self.times.append(time_key(row.stamp, row.number))
        self.ids.sort()
        self.times.sort()

    def remove(self, row: Row) -> None:
        """One row less."""
        del self.ids[bisect_left(self.ids, row.number)]
        del self.times[bisect_left(self.times, time_key(row.stamp, row.number))]


class Table:
    """The objects of one entity."""

    def __init__(self, entity: Entity) -> None:
        self.entity = entity
        self.rows: dict[int, Row] = {}
        self.all = Ordered()
        self.live = Ordered() if entity.named else self.all
        self.deleted: list[tuple[int, int]] = []
        """When which id was deleted, in order of time."""
        self._found: dict[str, dict[object, list[int]]] = {name: {} for name in entity.looked_up}

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows.values())

    def put(self, record: Record, stamp: int) -> None:
        """Keep an object, in place of the one with the same id."""
        row = _row(record, stamp)
        if row.number in self.rows:
            self._take_out(self.rows[row.number])
        self.rows[row.number] = row
        self.all.add(row)
        if self.live is not self.all and row.active:
            self.live.add(row)
        self._look_up(record, row.number)

    def load(self, records: Iterable[tuple[Record, int]]) -> None:
        """Keep many new objects."""
        rows = []
        for record, stamp in records:
            row = _row(record, stamp)
            self.rows[row.number] = row
            self._look_up(record, row.number)
            rows.append(row)
        self.all.add_many(rows)
        if self.live is not self.all:
            self.live.add_many(row for row in rows if row.active)

    def delete(self, number: int, stamp: int) -> None:
        """Forget an object, but not that it was there."""
        self._take_out(self.rows.pop(number))
        self.deleted.append((stamp, number))

    def found(self, name: str, value: object) -> Sequence[int]:
        """The ids of those that have the value in a property that is looked up."""
        return self._found[name].get(value, ())

    def changed_since(self, stamp: int) -> list[int]:
        """The ids of those that changed at or after a time, the earliest first."""
        return [number_in(key) for key in self.all.times[bisect_left(self.all.times, time_key(stamp)) :]]

    def _take_out(self, row: Row) -> None:
        self.all.remove(row)
        if self.live is not self.all and row.active:
            self.live.remove(row)
        record = row.record
        for name, known in self._found.items():
            value = _comparable(self.entity, name, record)
            if value is not None:
                known[value].remove(row.number)
                if not known[value]:
                    del known[value]

    def _look_up(self, record: Record, number: int) -> None:
        for name, known in self._found.items():
            value = _comparable(self.entity, name, record)
            if value is not None:
                known.setdefault(value, []).append(number)


def _comparable(entity: Entity, name: str, record: Record) -> object:
    value = record.get(name)
    return None if value is None else entity.properties[name].comparable(value)


def _row(record: Record, stamp: int) -> Row:
    return Row(int(record["Id"]), int(record["SyncToken"]), stamp, record.get("Active", True), encode(record))
