"""Bring a database to the newest shape: roles, tables and walls, in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from domain.core import walls
from domain.core.tables import DIRECTORY
from migrations.models import models

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection

_HERE = Path(__file__).parent
# Two servers that start at once migrate one after the other.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tenure.migrate', 0))"


async def migrate(owner: URL, revision: str = "head") -> None:
    """Upgrade or downgrade to a revision as the owner, all or nothing."""
    engine = create_async_engine(owner.set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate, revision)
    finally:
        await engine.dispose()


def _migrate(connection: Connection, revision: str) -> None:
    connection.execute(text(_LOCK))
    for statement in walls.roles():
        connection.execute(text(statement))
    connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {DIRECTORY}"))
    config = configuration(connection)
    if revision == "base":
        command.downgrade(config, revision)
        return
    command.upgrade(config, revision)
    for statement in walls.statements(models()):
        connection.execute(text(statement))
    connection.execute(text(f"GRANT SELECT ON alembic_version TO {walls.APP}, {walls.ERASER}"))


def revisions() -> tuple[str, ...]:
    """Every shape that this version knows, the newest first."""
    return tuple(script.revision for script in ScriptDirectory(str(_HERE)).walk_revisions())


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection that is already open."""
    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
