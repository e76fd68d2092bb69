"""What several acceptance tests look at: Online Retail, imported once in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from domain.tenants import actions as tenants
from sync import imports, registry
from tests.acceptance.online_retail import CONFIG

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from sync.runs import Counts


class Retail(NamedTuple):
    """The tenant whose file was imported, and what was counted of the import."""

    tenant: UUID
    counts: Counts


@pytest.fixture(scope="session")
async def retail(database: Database) -> Retail:
    new = tenants.NewTenant("retail", "Online Retail", time_zone="Europe/London", base_currency="GBP")
    tenant = await tenants.create_tenant(database, new)
    imported = await imports.run(database, tenant, registry.load().connector("files"), CONFIG)
    return Retail(tenant, imported.counts)
