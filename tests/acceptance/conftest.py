"""Whole data sets lie in a database of their own, so that who looks at every row elsewhere does not look at these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import Logins, as_the_server_sees_it, new_database

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy import URL

    from domain.core.database import Database


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
