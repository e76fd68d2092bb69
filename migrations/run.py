"""Bring a database to the newest shape: roles, tables and walls, in one transaction."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

from domain.core import walls
from domain.core.database import engine_for
from domain.core.tables import SCHEMAS
from migrations.models import models

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import URL, Connection

_HERE = Path(__file__).parent
# Two servers that start at once migrate one after the other.
_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('tenure.migrate', 0))"


async def migrate(owner: URL, revision: str = "head") -> None:
    """Upgrade or downgrade to a revision as the owner, all or nothing."""
    engine = engine_for(owner)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate, revision)
    finally:
        await engine.dispose()


def _migrate(connection: Connection, revision: str) -> None:
    from alembic import command  # most starts find nothing to migrate, and need not wait for it

    connection.execute(text(_LOCK))
    for statement in walls.roles():
        connection.execute(text(statement))
    for schema in SCHEMAS:
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    config = configuration(connection)
    if revision == "base":
        command.downgrade(config, revision)
        return
    command.upgrade(config, revision)
    for statement in walls.statements(models()):
        connection.execute(text(statement))
    connection.execute(text(f"GRANT SELECT ON alembic_version TO {walls.APP}, {walls.ERASER}"))


def revisions() -> tuple[str, ...]:
    """Every shape that this version knows, the newest first: the numbers that the migrations' files begin with."""
    files = (_HERE / "versions").glob("[0-9]*.py")
    return tuple(sorted((file.name.partition("_")[0] for file in files), reverse=True))


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for a connection that is already open."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.attributes["connection"] = connection
    return config
