"""Two tenants with the same business in other rows, and the three ways to ask the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from api.engine import Engine, Prepared
from api.schema import core
from domain.core.clock import FixedClock
from domain.core.database import Database
from tests.api.differential import tables, world
from tests.api.differential.naive import Naive
from tests.api.differential.ways import Ways

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from tests.conftest import Logins


class Unobserved(Engine):
    """Leaves no trace of what was read in the audit log, so that all ways see the same rows."""

    async def _audit_opened(self, prepared: Prepared) -> None:
        return


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--operations", type=int, help="how many operations are asked three ways")


@pytest.fixture(scope="session")
def operations(pytestconfig: pytest.Config) -> int:
    return pytestconfig.getoption("--operations", None) or (50_000 if pytestconfig.getoption("--full-size") else 2_000)


@pytest.fixture(scope="session")
async def tenants(database: Database) -> tuple[UUID, UUID]:
    """Two tenants that know nothing of each other."""
    from tests.conftest import new_tenant

    made = []
    for name in ("first", "second"):
        made.append(await new_tenant(database))
        async with database.unit_of_work(made[-1]) as work:
            await world.write(work, name)
    return made[0], made[1]


@pytest.fixture(scope="session")
async def stored(logins: Logins, tenants: tuple[UUID, UUID]) -> tuple[tables.Tables, tables.Tables]:
    """All that both tenants have."""
    superuser = await asyncpg.connect(logins.superuser.set(drivername="postgresql").render_as_string())
    found = [await tables.load(superuser, tenant) for tenant in tenants]
    await superuser.close()
    return found[0], found[1]


@pytest.fixture(scope="session")
async def standing(logins: Logins) -> AsyncIterator[Database]:
    """The database as the server sees it, at one moment that does not pass."""
    async with Database(str(logins.server), readers=2, writers=1, clock=FixedClock(world.NOW)) as opened:
        yield opened


@pytest.fixture(scope="session")
async def unwalled(logins: Logins) -> AsyncIterator[Database]:
    """The database as the cluster's superuser sees it: row-level security does not bind him."""
    async with Database(str(logins.superuser), readers=2, writers=1, clock=FixedClock(world.NOW)) as opened:
        yield opened


@pytest.fixture(scope="session")
def naive(stored: tuple[tables.Tables, tables.Tables]) -> Naive:
    """The third way of the first tenant: its schema takes long to build."""
    return Naive(core, stored[0])


@pytest.fixture
def ways(
    standing: Database, tenants: tuple[UUID, UUID], stored: tuple[tables.Tables, tables.Tables], naive: Naive
) -> Callable[..., Ways]:
    """Makes the ways anew: nothing is known of earlier operations."""

    def make(seed: int, *, at: Database = standing, compares_slow: bool = True) -> Ways:
        return Ways(Unobserved(at, core), tenants[0], *stored, naive, seed=seed, compares_slow=compares_slow)

    return make
