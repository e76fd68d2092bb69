"""Turns: whoever runs several things at once lets tenants take turns, and no vendor have all the room."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol, TypeVar

from domain.core.problems import NotFound
from domain.integrations import queries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database

CANDIDATES = 10_000
"""How many due entries are looked at together: a vendor that is behind must not hide the others."""


class Due(Protocol):
    """Something of a tenant that is due."""

    @property
    def tenant_id(self) -> UUID:
        """Whose it is."""
        ...

    @property
    def due_at(self) -> datetime:
        """Since when it is due."""
        ...


Entry = TypeVar("Entry", bound=Due)


def in_turn(
    entries: Iterable[Entry], at_work: Iterable[UUID], rank: Callable[[Entry], int] = lambda _: 0
) -> list[Entry]:
    """The entries so that tenants take turns, those with less at work first; a lower rank comes before all turns."""
    turns = Counter(at_work)
    ranked = []
    for entry in entries:
        turns[entry.tenant_id] += 1
        ranked.append((rank(entry), turns[entry.tenant_id], entry.due_at, entry))
    return [entry for *_, entry in sorted(ranked, key=lambda each: each[:3])]


class Connectors:
    """Which connector an integration has, remembered: it never changes."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[UUID, str] = {}

    async def of(self, tenant_id: UUID, integration_id: UUID) -> str | None:
        """The connector of an integration; None where there is no such integration."""
        if integration_id not in self._known:
            with suppress(NotFound):
                async with self._database.reading(tenant_id) as reading:
                    integration = await queries.integration(reading, integration_id)
                self._known[integration_id] = integration.connector
        return self._known.get(integration_id)
