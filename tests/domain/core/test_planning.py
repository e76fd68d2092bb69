from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import text

from domain.core import planning
from tests.conftest import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins

ROWS = """
INSERT INTO directory.rate_buckets (scope, tokens, refilled_at)
SELECT 'planning-' || $1 || '-' || i, 0, now() FROM generate_series(1, CAST($2 AS int)) AS i
"""
SEEN = "SELECT last_analyze FROM pg_stat_user_tables WHERE relid = 'directory.rate_buckets'::regclass"


@pytest.fixture
async def superuser(logins: Logins) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn(logins.superuser))
    yield connection
    await connection.execute("DELETE FROM directory.rate_buckets WHERE scope LIKE 'planning-%'")
    await connection.close()


async def write(superuser: asyncpg.Connection, name: str, count: int) -> None:
    """Write so many rows, and have it told at once that they were."""
    await superuser.execute(ROWS, name, count)
    await superuser.execute("SELECT pg_stat_force_next_flush()")


async def analysed(superuser: asyncpg.Connection) -> Any:
    """When the table's statistics were refreshed last, not by PostgreSQL itself."""
    return await superuser.fetchval(SEEN)


async def test_statistics_are_refreshed_where_much_has_changed_and_only_there(
    database: Database, superuser: asyncpg.Connection
) -> None:
    await write(superuser, "few", 100)
    before = await analysed(superuser)
    await planning.refresh(database)
    assert await analysed(superuser) == before
    await write(superuser, "many", 5_000)
    await planning.refresh(database)
    after = await analysed(superuser)
    assert after is not None
    assert after != before
    await planning.refresh(database)
    assert await analysed(superuser) == after


async def test_amid_a_unit_of_work_what_it_has_written_counts(
    database: Database, tenant: UUID, superuser: asyncpg.Connection
) -> None:
    """What nobody else can see yet is planned for by whoever goes on working with it."""
    async with database.unit_of_work(tenant) as work:
        await work.execute(text(ROWS.replace("$1", ":name").replace("$2", ":count")), {"name": "amid", "count": 5_000})
        await planning.refresh_within(work)
        [known] = await work.rows(text("SELECT reltuples FROM pg_class WHERE oid = 'directory.rate_buckets'::regclass"))
    assert known.reltuples >= 5_000


async def test_nobody_else_may_have_them_refreshed(superuser: asyncpg.Connection) -> None:
    allowed = await superuser.fetch("""
        SELECT role.rolname::text AS who FROM pg_roles role
        WHERE NOT role.rolsuper AND has_function_privilege(role.rolname, 'directory.refresh_statistics()', 'EXECUTE')
            AND role.rolname LIKE 'tenure%'
    """)
    assert {"tenure_app"} <= {row["who"] for row in allowed}
    assert "tenure_eraser" not in {row["who"] for row in allowed}
