from __future__ import annotations

import asyncio
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from domain.core.database import Database, driver_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from tests.conftest import Logins

KILL = "SELECT pg_terminate_backend($1, 10000)"
STATE = "SELECT state FROM pg_stat_activity WHERE pid = $1"


@pytest.fixture
async def single(logins: Logins) -> AsyncIterator[Database]:
    """The database over one connection for reads, so that every read takes the same one."""
    async with Database(logins.server.render_as_string(hide_password=False), readers=1) as opened:
        yield opened


async def test_a_connection_in_use_again_sees_the_next_tenant_only(
    single: Database, tenant: UUID, other_tenant: UUID
) -> None:
    backends = set()
    for wanted in (tenant, other_tenant, tenant):
        async with single.snapshot(wanted) as connection:
            assert [row["tenant_id"] for row in await connection.fetch("SELECT tenant_id FROM tenants")] == [wanted]
            backends.add(connection.get_server_pid())
    assert len(backends) == 1


async def test_no_plan_is_compiled(single: Database, tenant: UUID) -> None:
    async with single.snapshot(tenant) as connection:
        assert await connection.fetchval("SHOW jit") == "off"
    async with single.reading(tenant) as reading:
        assert [row.jit for row in await reading.rows(text("SHOW jit"))] == ["off"]


async def test_every_snapshot_is_a_new_one(single: Database, database: Database, tenant: UUID) -> None:
    versions = []
    for _ in range(2):
        async with single.snapshot(tenant) as connection:
            versions.append(await connection.fetchval("SELECT version FROM tenants WHERE tenant_id = $1", tenant))
        async with database.unit_of_work(tenant) as work:
            await (await work.connection()).exec_driver_sql("UPDATE tenants SET version = version + 1")
    assert versions == [1, 2]


async def test_an_idle_connection_leaves_its_transaction(single: Database, database: Database, tenant: UUID) -> None:
    async with single.snapshot(tenant) as connection:
        backend = connection.get_server_pid()
    await asyncio.sleep(0.2)
    async with database.snapshot(tenant) as other:
        assert await other.fetchval(STATE, backend) == "idle"


async def test_a_read_that_fails_leaves_the_connection_usable(single: Database, tenant: UUID) -> None:
    with pytest.raises(ZeroDivisionError):
        async with single.snapshot(tenant):
            raise ZeroDivisionError
    async with single.snapshot(tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM tenants") == 1


async def test_a_read_that_is_given_up_leaves_the_connection_usable(single: Database, tenant: UUID) -> None:
    async def sleep() -> None:
        async with single.snapshot(tenant) as connection:
            await connection.fetch("SELECT pg_sleep(60)")

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(sleep(), 0.2)
    async with single.snapshot(tenant) as connection:
        assert await connection.fetchval("SELECT count(*) FROM tenants") == 1


async def test_a_connection_that_was_lost_is_replaced(single: Database, database: Database, tenant: UUID) -> None:
    async with single.snapshot(tenant) as connection:
        backend = connection.get_server_pid()
    async with database.snapshot(tenant) as other:
        await other.fetchval(KILL, backend)
    async with single.snapshot(tenant) as connection:
        assert connection.get_server_pid() != backend


@pytest.mark.parametrize("notices", [True, False], ids=["noticed", "unnoticed"])
async def test_whatever_lies_idle_may_be_lost(
    database: Database, logins: Logins, tenant: UUID, *, notices: bool
) -> None:
    """All connections are killed, and the process hears of it before it asks again, or only by asking."""
    openings: list[Callable[[], Any]] = [
        database.directory, partial(database.unit_of_work, tenant), partial(database.reading, tenant),
        partial(database.snapshot, tenant),
    ]  # fmt: skip
    for opening in openings:
        lost = await idle_backends(database, tenant)
        killer = Thread(target=asyncio.run, args=(kill(logins, lost),))
        killer.start()
        await asyncio.to_thread(killer.join) if notices else killer.join()
        async with opening():
            pass
    assert not lost & await idle_backends(database, tenant)


async def idle_backends(database: Database, tenant: UUID) -> set[int]:
    """The processes of PostgreSQL behind all connections of a process that has just done two things of each kind."""
    async with database.snapshot(tenant) as one, database.snapshot(tenant) as other:
        found = {one.get_server_pid(), other.get_server_pid()}
    async with database.reading(tenant) as one, database.directory() as other:
        for each in (await one.connection(), other):
            found.add((await driver_connection(each)).get_server_pid())
    return found


async def kill(logins: Logins, backends: set[int]) -> None:
    """Kill these, and wait until they are no more."""
    connection = await asyncpg.connect(
        logins.superuser.set(drivername="postgresql").render_as_string(hide_password=False)
    )
    await connection.fetch("SELECT pg_terminate_backend(pid, 10000) FROM unnest($1::int[]) AS of (pid)", backends)
    await connection.close()


async def test_a_statement_that_fails_does_not_tell_its_values(database: Database, tenant: UUID) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with database.reading(tenant) as reading:
            await reading.rows(text("SELECT CAST(:secret AS text) FROM nothing"), {"secret": "ada@example.com"})
    assert "ada@example.com" not in str(failed.value)
