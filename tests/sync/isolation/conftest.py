from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from domain.core.settings import Settings
from domain.integrations import actions
from domain.integrations.model import Integration, IntegrationState
from sync.access import secrets
from sync.access.remotes import Remotes
from sync.registry import Origin, Registry
from tests.sync.isolation.odd import Detached, Odd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from sync.isolation.remote import ProcessRemote

API_KEY = "secret-of-tenant"
CONNECTORS = Registry(
    {"odd": Odd, "detached": Detached},
    origins={
        "odd": Origin("tests.sync.isolation.odd:Odd", "odd-connector"),
        "detached": Origin("tests.sync.isolation.nowhere:Odd", "odd-connector"),
    },
)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        data=tmp_path, connector_memory=768, connector_cpu=60, connector_deadline=10, connector_heartbeat=3,
    )  # fmt: skip


@pytest.fixture
async def remotes(database: Database, settings: Settings) -> AsyncIterator[Remotes]:
    async with Remotes(database, settings, CONNECTORS) as opened:
        yield opened


async def integrated(remotes: Remotes, tenant_id: UUID, connector: str = "odd", **config: Any) -> UUID:
    """An integration of the odd connector that is at work."""
    async with remotes.database.unit_of_work(tenant_id) as work:
        await actions.enable(work, connector)
        made: Integration = await actions.create(work, connector, "Odd")
        made.config = config
        await secrets.set_secrets(work, remotes.vault, made.id, {"api_key": API_KEY})
        for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
            await actions.move(work, made, state)
        return made.id


@asynccontextmanager
async def opened(remotes: Remotes, tenant_id: UUID, **config: Any) -> AsyncIterator[ProcessRemote]:
    """The odd connector in its own process."""
    async with remotes.open(tenant_id, await integrated(remotes, tenant_id, **config)) as remote:
        yield remote  # type: ignore[misc] # it does not run here
