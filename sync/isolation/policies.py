"""What the operator decided of connectors: where their code runs, and whether they are used at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.integrations.model import ConnectorPolicy, Isolation

if TYPE_CHECKING:
    from domain.core.database import Database
    from sync.registry import Origin


async def every(database: Database) -> dict[str, ConnectorPolicy]:
    """What was decided, by the connector's key; a connector may have no entry."""
    async with database.directory() as connection:
        rows = await connection.execute(select(ConnectorPolicy.__table__))
        return {row.connector: ConnectorPolicy(**row._mapping) for row in rows}  # noqa: SLF001 - its public name


async def of(database: Database, connector: str) -> ConnectorPolicy:
    """What was decided of one connector; where nothing was, its defaults."""
    known = (await every(database)).get(connector)
    return known or ConnectorPolicy(connector=connector, blocked=False)


def level(policy: ConnectorPolicy, origin: Origin | None) -> Isolation:
    """Where a connector's code runs: as the operator decided, or else by where it comes from."""
    if policy.isolation is not None:
        return Isolation(policy.isolation)
    return Isolation.LOOP if origin is None or origin.is_shipped else Isolation.PROCESS


async def isolate(database: Database, connector: str, level: Isolation) -> None:
    """Have a connector's code run there from the next run on."""
    await _set(database, connector, isolation=level)


async def block(database: Database, connector: str, reason: str | None = None) -> None:
    """Leave a connector alone everywhere until it is unblocked; what is under way ends as usual."""
    await _set(database, connector, blocked=True, reason=reason)


async def unblock(database: Database, connector: str) -> None:
    """Use a connector again."""
    await _set(database, connector, blocked=False, reason=None)


async def _set(database: Database, connector: str, **values: Any) -> None:
    values["updated_at"] = database.clock.now()
    entry = insert(ConnectorPolicy).values(connector=connector, **values)
    async with database.directory() as connection:
        await connection.execute(entry.on_conflict_do_update(index_elements=["connector"], set_=values))
