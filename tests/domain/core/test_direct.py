"""Plain statements: what goes in and comes out is what SQLAlchemy would give, errors and all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import ARRAY, Text, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError, IntegrityError

from domain.core.database import driver_connection
from domain.core.ids import divisible, in_order, new_id

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database


async def test_rows_have_names_and_their_values_are_those_given(database: Database, tenant: UUID) -> None:
    statement = text("SELECT CAST(:a AS text) AS a, :ids AS ids, :told AS told, CAST(:a AS text) || '!' AS b")
    statement = statement.bindparams(bindparam("ids", type_=ARRAY(Uuid())), bindparam("told", type_=JSONB()))
    ids = [new_id(), new_id()]
    async with database.unit_of_work(tenant) as work:
        (row,) = await work.rows(statement, {"a": "x", "ids": ids, "told": {"b": [1]}})
        assert (row.a, row.ids, row.told, row.b) == ("x", ids, {"b": [1]}, "x!")
        found = await work.execute(text("SELECT place FROM generate_series(1, 3) AS place"))
        assert (found.rowcount, found.scalars().all()) == (3, [1, 2, 3])


async def test_a_value_that_is_not_given_is_the_one_of_the_statement(database: Database, tenant: UUID) -> None:
    statement = text("SELECT CAST(:a AS text) AS a").bindparams(bindparam("a", "as written", Text()))
    async with database.reading(tenant) as reading:
        assert [row.a for row in await reading.rows(statement)] == ["as written"]
        assert [row.a for row in await reading.rows(statement, {"a": "given"})] == ["given"]


async def test_what_has_no_rows_says_how_many_it_wrote(database: Database, tenant: UUID) -> None:
    insert = text("INSERT INTO pg_temp.counted SELECT * FROM generate_series(1, :most)")
    async with database.unit_of_work(tenant) as work:
        assert (await work.execute(text("CREATE TEMPORARY TABLE counted (a integer) ON COMMIT DROP"))).rowcount == -1
        assert (await work.execute(insert, {"most": 4})).rowcount == 4
        assert (await work.execute(text("DELETE FROM pg_temp.counted WHERE a > :a"), {"a": 1})).rowcount == 3
        assert (await work.execute(text("SELECT FROM pg_temp.counted"))).rowcount == 1


async def test_errors_are_those_of_sqlalchemy_without_the_values(database: Database, tenant: UUID) -> None:
    twice = text("INSERT INTO pg_temp.once VALUES (:a), (:a)")
    async with database.unit_of_work(tenant) as work:
        await work.execute(text("CREATE TEMPORARY TABLE once (a text PRIMARY KEY) ON COMMIT DROP"))
        with pytest.raises(IntegrityError) as broken:
            await work.execute(twice, {"a": "somebody@example.org"})
        assert isinstance(broken.value.__cause__, asyncpg.UniqueViolationError)
        assert not broken.value.connection_invalidated
        with pytest.raises(DBAPIError, match="current transaction is aborted"):
            await work.rows(text("SELECT 1"))
        await work.session.rollback()
    assert "INSERT INTO pg_temp.once" in str(broken.value)


async def test_a_connection_that_was_lost_is_given_up(database: Database, tenant: UUID) -> None:
    async def ask() -> None:
        async with database.unit_of_work(tenant) as work:
            (await driver_connection(await work.connection())).terminate()
            await work.rows(text("SELECT 1"))

    with pytest.raises(DBAPIError) as lost:
        await ask()
    assert lost.value.connection_invalidated
    async with database.reading(tenant) as reading:
        assert [tuple(row) for row in await reading.rows(text("SELECT 1"))] == [(1,)]


async def test_the_database_counts_on_from_an_id_as_we_do(database: Database, tenant: UUID) -> None:
    first = new_id()
    front, rest = divisible(first)
    statement = text(
        "SELECT concat(CAST(:front AS text), lpad(to_hex(CAST(:rest AS bigint) + place), 16, '0')) AS id"
        " FROM generate_series(0, 2) AS place"
    )
    async with database.reading(tenant) as reading:
        assert [row.id for row in await reading.rows(statement, {"front": front, "rest": rest})] == in_order(first, 3)
