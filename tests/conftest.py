"""One real PostgreSQL for the whole run, one database per worker, a fresh tenant per test."""

from __future__ import annotations

import fcntl
import gc
import os
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import URL, make_url

from domain.core.clock import SystemClock
from domain.core.database import Database
from domain.tenants import actions as tenants
from tests import results

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

SHARED = Path(os.environ.get("TENURE_SHARED", Path(__file__).parents[2] / "shared"))
KEY = bytes(range(32))
LOGINS = {"tenure_owner": "LOGIN CREATEROLE", "tenure_server": "LOGIN", "tenure_privacy": "LOGIN"}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full-size", action="store_true", help="run the fault matrices at full size")
    parser.addoption("--seed", type=int, default=7, help="what the matrices draw by chance")


TOGETHER = {
    "sdk/tests/test_breaches.py": "mypy",
    "sdk/tests/test_cli.py": "mypy",
    "tests/acceptance/test_newcomer.py": "demo",
    "tests/acceptance/test_online_retail.py": "retail",
    "tests/acceptance/test_online_retail_analysis.py": "retail",
    "tests/cli/test_demo.py": "demo",
    "tests/cli/test_integrations.py": "demo",
    "tests/cli/test_models.py": "demo",
    "tests/docs/test_write_a_connector.py": "mypy",
}
"""Files that share what takes long to make."""

SCATTERED = {
    "tests/api/test_mutation_matrix.py",
    "tests/faults/test_kill_import.py",
    "tests/faults/test_kill_sync.py",
    "tests/sync/access/test_processes.py",
}
"""Files whose tests take long each, or are many, and share little."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """One worker runs a file, so that what its tests share is made once.

    By files and not by marks: xdist 3.8 writes groups into ids that pytest 9.2 does not read back.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return nodeid if file in SCATTERED else TOGETHER.get(file, file)

    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.get_closest_marker("shared") and not SHARED.exists():
            item.add_marker(pytest.mark.skip(reason="TENURE_SHARED: the shared data is absent"))


def pytest_collection_finish() -> None:
    """What was imported and collected stays: looking for garbage in it again and again took a third of the run."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = terminalreporter.stats.get("skipped", [])
    skipped = sum("TENURE_SHARED" in str(report.longrepr) for report in reports)
    terminalreporter.write_line(f"{skipped} skipped because TENURE_SHARED is absent")
    if terminalreporter.config.getoption("--full-size"):
        ran = [*terminalreporter.stats.get("passed", ()), *terminalreporter.stats.get("failed", ())]
        results.keep(report for report in ran if report.when == "call" and "slow" in report.keywords)


@dataclass(frozen=True)
class Logins:
    """The addresses of one test database, by who logs in."""

    superuser: URL
    owner: URL
    server: URL
    privacy: URL


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[URL]:
    """The superuser's address of the run's server: TENURE_TEST_DATABASE_URL, or an embedded one."""
    given = os.environ.get("TENURE_TEST_DATABASE_URL")
    if given:
        yield make_url(given)
        return
    from domain.core.embedded import EmbeddedPostgres

    shared = _run_directory(tmp_path_factory)
    postgres = EmbeddedPostgres(shared / "postgres", settings={"fsync": "off", "full_page_writes": "off"})
    server = postgres.acquire()
    yield make_url(server.url("postgres", server.superuser))
    postgres.release()
    postgres.remove()


@pytest.fixture(scope="session")
async def template(cluster: URL, tmp_path_factory: pytest.TempPathFactory, anyio_backend: str) -> str:
    """The name of a migrated database that every worker copies."""
    from migrations.run import migrate

    name = f"template_{_run_directory(tmp_path_factory).name.replace('-', '_')}"
    with (_run_directory(tmp_path_factory) / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        connection = await asyncpg.connect(dsn(cluster))
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await _create_logins(connection)
            await connection.execute(f'CREATE DATABASE "{name}" OWNER tenure_owner')
            await migrate(cluster.set(username="tenure_owner", database=name))
            await connection.execute("GRANT tenure_app TO tenure_server, tenure_privacy")
            await connection.execute("GRANT tenure_eraser TO tenure_privacy")
        await connection.close()
    return name


@pytest.fixture(scope="session")
async def logins(cluster: URL, template: str) -> AsyncIterator[Logins]:
    """A database of this worker's own."""
    async with new_database(cluster, template) as made:
        yield made


@pytest.fixture(scope="session")
async def database(logins: Logins) -> AsyncIterator[Database]:
    """The database as the server sees it."""
    async with as_the_server_sees_it(logins) as opened:
        yield opened


@pytest.fixture
def seed(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> int:
    """What a matrix draws by chance; its results tell of it."""
    drawn: int = request.config.getoption("--seed")
    record_property("seed", drawn)
    return drawn


@pytest.fixture
async def tenant(database: Database) -> UUID:
    """A tenant that nobody else uses."""
    return await new_tenant(database)


@pytest.fixture
async def other_tenant(database: Database) -> UUID:
    """A second tenant, whose things must never be seen by the first."""
    return await new_tenant(database)


@asynccontextmanager
async def new_database(cluster: URL, template: str) -> AsyncIterator[Logins]:
    """A copy of the template, for as long as it is needed."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(dsn(cluster))
    await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" OWNER tenure_owner')
    here = cluster.set(database=name)
    yield Logins(here, *(here.set(username=login) for login in LOGINS))
    await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await connection.close()


def as_the_server_sees_it(logins: Logins) -> Database:
    """A database, opened with the server's login."""
    return Database(str(logins.server), readers=4, writers=4, clock=SystemClock(), key=KEY)


async def new_tenant(database: Database) -> UUID:
    slug = f"t{uuid4().hex[:20]}"
    return await tenants.create_tenant(database, tenants.NewTenant(slug=slug, name=f"Tenant {slug}"))


def dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _run_directory(factory: pytest.TempPathFactory) -> Path:
    """A directory that all workers of this run share."""
    base = factory.getbasetemp()
    return base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base


async def _create_logins(connection: asyncpg.Connection) -> None:
    for login, rights in LOGINS.items():
        if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", login):
            await connection.execute(f"CREATE ROLE {login} {rights}")
