"""Contracts whose events are the lines of a file: gathered from all of it, wherever they stand."""

from __future__ import annotations

import sqlite3
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from plugins.files.mapper import Mapper
from plugins.files.mapping import required_fields
from plugins.files.record_pages import converters
from tenure_sdk import Contract, Page, Reject, unfit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from plugins.files.batches import Batch
    from plugins.files.mapping import Mapping

_OF_CONTRACT = ("number", "customer", "currency")
"""What a line says of its contract; the rest is what it says of its event."""

_GATHERED = """
CREATE TABLE events (contract TEXT NOT NULL, line INTEGER NOT NULL, said BLOB NOT NULL);
CREATE TABLE rejects (line INTEGER, field TEXT, value TEXT, reason TEXT NOT NULL, contract TEXT);
CREATE INDEX by_contract ON events (contract, line);
"""

# A contract of which a line cannot be read stays out whole: half of what happened to it would be wrong.
_CONTRACTS = """
SELECT contract FROM events GROUP BY contract
HAVING contract NOT IN (SELECT contract FROM rejects WHERE contract IS NOT NULL) ORDER BY min(line)
"""


class ContractPages:
    """Gathers the lines of a file in a temporary database on disk: a file of any length takes the same memory."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapper = Mapper(mapping, converters(mapping), required_fields(mapping))
        self._gathered = sqlite3.connect("", isolation_level=None)
        self._gathered.execute("PRAGMA journal_mode = OFF")
        self._gathered.executescript(_GATHERED)

    def close(self) -> None:
        """Gives back what gathering took."""
        self._mapper.close()
        self._gathered.close()

    def gather(self, batch: Batch) -> None:
        """Takes in the lines of a batch; they must come in the order of the file."""
        found = self._mapper.mapped(batch)
        rows = zip(*found.columns.values(), strict=True)
        said = (
            (record_id, line, msgspec.json.encode(dict(zip(found.columns, row, strict=True))))
            for record_id, line, row in zip(found.ids, found.lines, rows, strict=True)
        )
        self._gathered.executemany("INSERT INTO events VALUES (?, ?, ?)", said)
        self._gathered.executemany("INSERT INTO rejects VALUES (?, ?, ?, ?, ?)", map(_told, found.rejects))

    def pages(self, done: int, size: int) -> Iterator[tuple[int, Page]]:
        """Pages of at most `size` rejects and contracts after the first `done`, and how many are done with each."""
        things = islice(self._things(), done, None)
        while some := list(islice(things, size)):
            done += len(some)
            rejects = [thing for thing in some if isinstance(thing, Reject)]
            contracts = [thing for thing in some if isinstance(thing, Contract)]
            yield done, Page(contracts, rejects=rejects, lines={each.id: self._line(each.id) for each in contracts})

    def _things(self) -> Iterator[Reject | Contract]:
        yield from (Reject(*row) for row in self._gathered.execute("SELECT * FROM rejects ORDER BY rowid"))
        for (contract,) in self._gathered.execute(_CONTRACTS):
            yield self._contract(contract)

    def _line(self, contract: str) -> int:
        """The first line of a contract."""
        told = "SELECT min(line) FROM events WHERE contract = ?"
        return int(self._gathered.execute(told, (contract,)).fetchone()[0])

    def _contract(self, contract: str) -> Reject | Contract:
        told = "SELECT line, said FROM events WHERE contract = ? ORDER BY line"
        lines = [(line, msgspec.json.decode(said)) for line, said in self._gathered.execute(told, (contract,))]
        head: dict[str, Any] = {}
        for line, values in lines:
            for name in _OF_CONTRACT:
                value = values.pop(name, None)
                if value is not None and head.setdefault(name, value) != value:
                    reason = "is not that of the contract's first line that has one"
                    given = value["id"] if isinstance(value, dict) else value
                    return Reject(line, name, given, reason, contract)
        events = [{name: value for name, value in values.items() if value is not None} for _, values in lines]
        try:
            return msgspec.convert({"id": contract, **head, "events": events}, Contract)
        except msgspec.ValidationError as error:
            field, reason = unfit(error)
            return Reject(lines[0][0], field, None, reason, contract)


def _told(reject: Reject) -> tuple[Any, ...]:
    return reject.line, reject.field, reject.value, reject.reason, reject.record_id
