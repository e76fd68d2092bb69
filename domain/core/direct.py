"""Plain SQL straight to the driver: SQLAlchemy's own way there takes several times as long as the rest of a call."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn

import asyncpg
from sqlalchemy import ARRAY
from sqlalchemy.dialects.postgresql import asyncpg as postgresql
from sqlalchemy.engine.result import IteratorResult, SimpleResultMetaData
from sqlalchemy.exc import DBAPIError, IntegrityError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import BindParameter, TextClause
    from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]
_COUNT = re.compile(r"(?:SELECT|UPDATE|DELETE|MERGE|INSERT \d+) (\d+)")
_KEPT = 1_024
"""How many statements are known at once; those that are put together anew for each call drop out again."""


class Answer(IteratorResult[Any]):
    """The rows of a statement, and how many it found or wrote (-1 where that means nothing)."""

    def __init__(self, columns: SimpleResultMetaData, rows: Sequence[Any], rowcount: int) -> None:
        super().__init__(columns, iter(rows))
        self.rowcount = rowcount


@dataclass
class _Plain:
    """A statement as the driver reads it: with `$1` for the first of the names."""

    sql: str
    binds: Sequence[tuple[str, Any, Callable[[Any], Any] | None]]
    """In the order of the statement: the name, the value where none is given, and what makes one the driver's."""
    columns: SimpleResultMetaData | None = None
    """Known once it has run; without keys for a statement that has no rows."""

    def arguments(self, given: Mapping[str, Any]) -> list[Any]:
        """The values in the order of the statement."""
        values = ((given.get(name, default), written) for name, default, written in self.binds)
        return [value if written is None else written(value) for value, written in values]


async def run(connection: AsyncConnection, statement: TextClause, values: Mapping[str, Any] | None = None) -> Answer:
    """Run a statement within the transaction that the connection is in; its errors are those of SQLAlchemy."""
    plain = _plain(statement)
    driver: Any = connection.sync_connection.connection.driver_connection  # type: ignore[union-attr]
    arguments = plain.arguments(values or {})
    try:
        if plain.columns is None:
            plain.columns = await _columns(driver, plain.sql)
        if not plain.columns.keys:
            return Answer(plain.columns, (), _count(await driver.execute(plain.sql, *arguments)))
        rows = await driver.fetch(plain.sql, *arguments)
        return Answer(plain.columns, [tuple(row) for row in rows], len(rows))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as problem:
        await _fail(connection, driver, plain.sql, problem)


async def _columns(driver: Any, sql: str) -> SimpleResultMetaData:
    prepared = await driver.prepare(sql)
    return SimpleResultMetaData([column.name for column in prepared.get_attributes()])


async def _fail(connection: AsyncConnection, driver: Any, sql: str, problem: Exception) -> NoReturn:
    """Raise a problem as SQLAlchemy would; a connection that was lost with it is given up."""
    kind = IntegrityError if isinstance(problem, asyncpg.IntegrityConstraintViolationError) else DBAPIError
    lost = driver.is_closed()
    if lost:
        await connection.invalidate()
    raise kind(sql, None, problem, hide_parameters=True, connection_invalidated=lost) from problem


def _count(status: str) -> int:
    found = _COUNT.match(status)
    return int(found[1]) if found else -1


@lru_cache(_KEPT)
def _plain(statement: TextClause) -> _Plain:
    compiled = statement.compile(dialect=_DIALECT)
    binds = [compiled.binds[name] for name in compiled.positiontup or ()]
    return _Plain(str(compiled), [(bind.key, bind.value, _writer(bind)) for bind in binds])


def _writer(bind: BindParameter[Any]) -> Callable[[Any], Any] | None:
    """What SQLAlchemy does with a value before the driver sees it; the driver looks at every part of a list itself."""
    type_ = bind.type.dialect_impl(_DIALECT)
    if isinstance(type_, ARRAY) and type_.item_type.dialect_impl(_DIALECT).bind_processor(_DIALECT) is None:
        return None
    return type_.bind_processor(_DIALECT)
