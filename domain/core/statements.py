"""SQL text about one tenant, with the types of its parameters, for what is written set by set."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import ARRAY, TextClause, Uuid, bindparam, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def statement(sql: str, *ids: str, **others: Any) -> TextClause:
    """A statement with `:tenant`, and parameters by name: `ids` are lists of ids, `others` have the types they name."""
    lists = (bindparam(name, type_=ARRAY(Uuid())) for name in ids)
    typed = (bindparam(name, type_=type_) for name, type_ in others.items())
    return text(sql).bindparams(bindparam("tenant", type_=Uuid()), *lists, *typed)


def as_one_value(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows of a table as the one value that `given_rows` reads.

    As JSON, which costs a fifth of arrays: the driver would look at each element for what is nested in it.
    """
    return orjson.dumps(rows, default=str).decode()


def given_rows(table: str) -> str:
    """SQL of the rows of a table that are `:given` as one value; columns that they do not name are null."""
    return f"json_populate_recordset(CAST(NULL AS {table}), CAST(CAST(:given AS text) AS json)) AS given"


@cache
def insertion(table: str, columns: tuple[str, ...]) -> TextClause:
    """A statement that inserts the rows that are `:given` as one value; all have these columns."""
    values = ", ".join(f"given.{name}" for name in columns)
    rows = f"SELECT :tenant, {values} FROM {given_rows(table)}"
    return statement(f"INSERT INTO {table} (tenant_id, {', '.join(columns)}) {rows}")
