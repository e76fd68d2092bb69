"""Whole data sets lie in a database of their own, so that who looks at every row elsewhere does not look at these."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from domain.tenants import actions as tenants
from sync import imports, registry
from tests.acceptance.online_retail import CONFIG
from tests.conftest import Logins, as_the_server_sees_it, new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy import URL

    from domain.core.database import Database
    from sync.runs import Counts


@pytest.fixture(scope="session")
async def logins(cluster: URL, template: str) -> AsyncIterator[Logins]:
    """A database for data sets."""
    async with new_database(cluster, template) as made:
        yield made


@pytest.fixture(scope="session")
async def database(logins: Logins) -> AsyncIterator[Database]:
    """It as the server sees it."""
    async with as_the_server_sees_it(logins) as opened:
        yield opened


class Retail(NamedTuple):
    """The tenant whose file was imported, and what was counted of the import."""

    tenant: UUID
    counts: Counts


@pytest.fixture(scope="session")
async def retail(database: Database) -> Retail:
    """Online Retail, imported once in a run: whoever looks at it belongs to the group `retail`."""
    new = tenants.NewTenant("retail", "Online Retail", time_zone="Europe/London", base_currency="GBP")
    tenant = await tenants.create_tenant(database, new)
    imported = await imports.run(database, tenant, registry.load().connector("files"), CONFIG)
    return Retail(tenant, imported.counts)
