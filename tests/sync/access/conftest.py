from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import httpx2
import pytest

from domain.core.clock import FixedClock
from domain.core.database import Database
from domain.core.settings import Settings
from domain.integrations import actions
from sync.access.remotes import Remotes
from sync.registry import Registry
from tests.conftest import KEY, Logins
from tests.sync.access.vendor import CLIENT_ID, CLIENT_SECRET, Acme, AcmeAlone, AcmeKey, Vendor

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from pydantic import SecretStr

CONNECTORS = {connector.key: connector for connector in (Acme, AcmeAlone, AcmeKey)}
APPS: dict[str, Any] = {
    f"{name}_{part}": value
    for name in ("ACME_BOOKS", "ACME_ALONE")
    for part, value in (("ID", CLIENT_ID), ("SECRET", CLIENT_SECRET))
}


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 22, 12, tzinfo=UTC))


@pytest.fixture
async def moving(logins: Logins, clock: FixedClock) -> AsyncIterator[Database]:
    """The database of the run, at a time that the test sets."""
    async with Database(str(logins.server), readers=2, writers=4, clock=clock, key=KEY) as opened:
        yield opened


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    oauth: dict[str, SecretStr] = APPS
    return Settings(data=tmp_path, public_url="https://crm.example.com", oauth=oauth)


@pytest.fixture
def vendor() -> Vendor:
    return Vendor()


@pytest.fixture
async def remotes(moving: Database, settings: Settings, vendor: Vendor) -> AsyncIterator[Remotes]:
    transport = httpx2.ASGITransport(vendor)
    async with Remotes(moving, settings, Registry(dict(CONNECTORS)), dict.fromkeys(CONNECTORS, transport)) as opened:
        yield opened


async def integrated(database: Database, tenant_id: UUID, connector: str = "acme-books") -> UUID:
    """A new integration of a connector, a draft."""
    async with database.unit_of_work(tenant_id) as work:
        await actions.enable(work, connector)
        return (await actions.create(work, connector, f"{connector} {uuid4().hex[:8]}")).id
