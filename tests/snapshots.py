"""What the whole database holds, as one digest per table: for saying that nothing changed."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from tests.conftest import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection

    from tests.conftest import Logins

_TABLES = """
SELECT c.oid::regclass::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
ORDER BY 1
"""


class Snapshots:
    """Looks at every table with the eyes of the superuser, whom no wall stops."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def take(self) -> dict[str, str]:
        """The number of rows of every table and a digest of them, whatever their order."""
        tables = [row[0] for row in await self._connection.fetch(_TABLES)]
        rows = "(SELECT t::text AS row FROM {0} t) r"
        each = f"SELECT '{{0}}', count(*) || ' ' || coalesce(sum(hashtextextended(r.row, 0)), 0) FROM {rows}"
        return dict(await self._connection.fetch(" UNION ALL ".join(each.format(table) for table in tables)))

    @asynccontextmanager
    async def nothing_changes(self) -> AsyncIterator[None]:
        """The whole database is the same before and after."""
        async with self.only_changes(()):
            yield

    @asynccontextmanager
    async def only_changes(self, tables: Collection[str]) -> AsyncIterator[None]:
        """These tables change, every one of them, and no other."""
        before = await self.take()
        yield
        after = await self.take()
        assert {table for table in after if after[table] != before[table]} == set(tables)


@asynccontextmanager
async def opened(logins: Logins) -> AsyncIterator[Snapshots]:
    """Snapshots of a test database; to plan them takes as long as to take them, so plans are kept."""
    connection = await asyncpg.connect(dsn(logins.superuser), max_cacheable_statement_size=0)
    try:
        yield Snapshots(connection)
    finally:
        await connection.close()
