"""How the statements of metrics are run: on the bare connection of a snapshot, with values by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.core.database import ReadConnection, driver_connection

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading

_NAME = re.compile(r"(?<!:):([a-z_]+)")


@dataclass(frozen=True)
class Snapshot:
    """A transaction of one tenant that can only fetch, and the moment at which it is asked."""

    connection: ReadConnection
    tenant_id: UUID
    now: datetime

    async def rows(self, sql: str, **values: Any) -> Sequence[Any]:
        """Every row of a statement whose values stand as `:name`; `:tenant` is always there."""
        values["tenant"] = self.tenant_id
        names = list(dict.fromkeys(_NAME.findall(sql)))
        numbered = _NAME.sub(lambda found: f"${names.index(found[1]) + 1}", sql)
        return await self.connection.fetch(numbered, *(values[name] for name in names))  # type: ignore[no-any-return]


async def snapshot(reading: Reading) -> Snapshot:
    """The same transaction, for the statements of metrics."""
    await reading.session.flush()
    return Snapshot(await driver_connection(await reading.connection()), reading.tenant_id, reading.now)
