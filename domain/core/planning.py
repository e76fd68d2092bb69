"""What PostgreSQL's planner knows of the tables, brought up to date once much was written and before it is read.

PostgreSQL does so by itself, within a minute or two. Until then it plans as if the tables were as before, or empty, and
whoever settles the customers of a large import at once reads many times what he must.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.core.database import driver_connection

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing

_REFRESH = "directory.refresh_statistics()"

# As the owner, since only he may. Tables of which little has changed are left alone, so that it cannot be made to work
# for nothing; one that somebody looks at already is passed over.
_MADE = f"""
CREATE OR REPLACE FUNCTION {_REFRESH} RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    changed regclass;
BEGIN
    FOR changed IN
        SELECT t.oid FROM pg_class t
        JOIN pg_stat_user_tables s ON s.relid = t.oid
        JOIN pg_stat_xact_user_tables x ON x.relid = t.oid
        WHERE t.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
            AND s.n_mod_since_analyze + x.n_tup_ins + x.n_tup_upd + x.n_tup_del > greatest(1000, 0.1 * t.reltuples)
    LOOP
        EXECUTE format('ANALYZE (SKIP_LOCKED) %s', changed);
    END LOOP;
END
$$
"""


def statements(role: str) -> Iterator[str]:
    """Statements that let a role have the statistics refreshed, and nobody else; safe to run again."""
    yield _MADE
    yield f"REVOKE ALL ON FUNCTION {_REFRESH} FROM PUBLIC"
    yield f"GRANT EXECUTE ON FUNCTION {_REFRESH} TO {role}"


async def refresh(database: Database) -> None:
    """Have the statistics of the tables refreshed of which a tenth has changed since that was done last."""
    async with database.directory() as connection:
        await connection.execute(text(f"SELECT {_REFRESH}"))


async def refresh_within(work: Writing) -> None:
    """The same amid a unit of work that writes much and reads it again: of the tables that it has changed, too."""
    await work.execute(text(f"SELECT {_REFRESH}"))


_FEW = 10
"""For so many values PostgreSQL makes a plan where it does not know how many there are."""


@asynccontextmanager
async def planned_for(work: Writing, count: int, **settings: tuple[str, str]) -> AsyncIterator[None]:
    """Where the planner looks at how many are meant, if they are many: a kept plan would be one for few.

    It keeps one after five times that a connection ran the statement, and with it joins many by loops within loops.
    Other settings are as for `planner_set`.
    """
    if count > _FEW:
        settings["plan_cache_mode"] = ("force_custom_plan", "auto")
    if not settings:
        yield
        return
    async with planner_set(work, **settings):
        yield


@asynccontextmanager
async def planner_set(work: Writing, **settings: tuple[str, str]) -> AsyncIterator[None]:
    """Where settings of the planner have other values: each is given with the value that it has again afterwards."""
    connection = await driver_connection(await work.connection())
    during, after = (
        "; ".join(f"SET LOCAL {name} = {values[which]}" for name, values in settings.items()) for which in (0, 1)
    )
    await connection.execute(during)
    yield
    await connection.execute(after)
