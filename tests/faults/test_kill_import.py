"""An import is killed, or its database is, anywhere; importing again gives the figures of one whole import."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest

from cli.installation import installed
from domain.core.settings import Settings
from domain.tenants import actions as tenants
from domain.tenants.actions import NewTenant
from tests.acceptance import online_retail
from tests.conftest import SHARED, dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins

CDNOW = SHARED / "data" / "CDNOW_master.txt"
CDNOW_MAPPING = Path(__file__).parents[2] / "plugins" / "files" / "examples" / "cdnow.toml"

FIGURES = """
SELECT
    (SELECT count(*) FROM orders WHERE tenant_id = $1), (SELECT sum(amount) FROM orders WHERE tenant_id = $1),
    (SELECT sum(units) FROM orders WHERE tenant_id = $1), (SELECT max(version) FROM orders WHERE tenant_id = $1),
    (SELECT count(*) FROM order_lines WHERE tenant_id = $1), (SELECT count(*) FROM customers WHERE tenant_id = $1),
    (SELECT count(*) FROM products WHERE tenant_id = $1), (SELECT count(*) FROM interactions WHERE tenant_id = $1),
    (SELECT sum(occasions) FROM customer_totals WHERE tenant_id = $1),
    (SELECT count(*) FROM identity_claims WHERE tenant_id = $1),
    (SELECT count(*) FROM staged_lines WHERE tenant_id = $1)
"""

CDNOW_FIGURES = (69_659, 250_031_563, 167_881, 1, 0, 23_570, 0, 69_659, 67_591, 23_570, 0)
"""What FIGURES are of the whole file, as they are published."""

RETAIL_MAPPING = """
source = "retail"
[file]
format = "csv"
[record]
type = "order"
id = ["doc"]
[fields]
occurred_at = "at"
customer = "who"
country = "land"
currency = { constant = "EUR" }
sku = "sku"
description = "what"
quantity = "qty"
unit_price = "price"
"""


@dataclass
class Shop:
    """A tenant, and the environment of a process that imports into it."""

    tenant: UUID
    slug: str
    environment: dict[str, str]
    superuser: str
    file: Path
    mapping: Path

    async def starts(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "cli.main", "import", str(self.file), "--mapping", str(self.mapping),
            "--tenant", self.slug, env=clean_environment() | self.environment, cwd=Path(__file__).parents[2],
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip

    async def imports(self) -> str:
        process = await self.starts()
        _, spoken = await process.communicate()
        assert process.returncode == 0, spoken.decode()
        return spoken.decode()

    async def is_killed_once(self, holds: Callable[[asyncpg.Connection], Awaitable[bool]]) -> bool:
        """Kill -9 the import when something holds of the database; whether it was still at work."""
        process = await self.starts()
        await until(process, self.superuser, holds)
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
        return process.returncode == -signal.SIGKILL

    async def figures(self) -> tuple[Any, ...]:
        connection = await asyncpg.connect(self.superuser)
        try:
            return tuple(await connection.fetchrow(FIGURES, self.tenant))
        finally:
            await connection.close()

    def has_read(self, lines: int) -> Callable[[asyncpg.Connection], Awaitable[bool]]:
        async def holds(connection: asyncpg.Connection) -> bool:
            read = "SELECT max(CAST(counters ->> 'read' AS bigint)) FROM sync_runs WHERE tenant_id = $1"
            return (await connection.fetchval(read, self.tenant) or 0) >= lines

        return holds

    async def makes_documents(self, connection: asyncpg.Connection) -> bool:
        made = "SELECT cursor ->> 'made' IS NOT NULL FROM stream_states WHERE tenant_id = $1"
        return bool(await connection.fetchval(made, self.tenant))


async def until(
    process: asyncio.subprocess.Process, superuser: str, holds: Callable[[asyncpg.Connection], Awaitable[bool]]
) -> None:
    """Wait until something holds of the database, or the process has ended."""
    connection = await asyncpg.connect(superuser)
    try:
        while process.returncode is None and not await holds(connection):  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(0.005)
    finally:
        await connection.close()


def clean_environment() -> dict[str, str]:
    """The environment without what it says of a database."""
    return {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}


async def shop(database: Database, superuser: str, environment: dict[str, str], file: Path, mapping: Path) -> Shop:
    slug = f"t{uuid4().hex[:20]}"
    tenant = await tenants.create_tenant(database, NewTenant(slug, slug, time_zone="America/New_York"))
    return Shop(tenant, slug, environment, superuser, file, mapping)


@pytest.fixture
def external(logins: Logins) -> dict[str, str]:
    return {"TENURE_DATABASE_URL": dsn(logins.server)}


@pytest.fixture
def is_whole(request: pytest.FixtureRequest) -> bool:
    """Whether files are imported whole, or the beginning of them."""
    return bool(request.config.getoption("--full-size"))


@pytest.mark.shared
@pytest.mark.slow
async def test_cdnow_survives_the_death_of_its_importer(
    database: Database, logins: Logins, external: dict[str, str]
) -> None:
    cdnow = await shop(database, dsn(logins.superuser), external, CDNOW, CDNOW_MAPPING)
    assert await cdnow.is_killed_once(cdnow.has_read(20_000))
    assert await cdnow.is_killed_once(cdnow.has_read(45_000))
    await cdnow.imports()
    assert await cdnow.figures() == CDNOW_FIGURES
    assert "created 0, updated 0" in await cdnow.imports()
    assert await cdnow.figures() == CDNOW_FIGURES


@pytest.fixture
def retail(tmp_path: Path, *, is_whole: bool) -> tuple[Path, Path]:
    """A file whose documents are scattered over it, and its mapping."""
    draw = random.Random(7)  # noqa: S311 - made-up lines
    file, mapping = tmp_path / "retail.csv", tmp_path / "retail.toml"
    lines = 60_000 if is_whole else 12_000
    rows = [
        f"{draw.randrange(lines * 3 // 20)},2024-{draw.randrange(1, 13):02}-01,{draw.randrange(500)},DE,"
        f"{draw.randrange(300)},Thing,{draw.randrange(1, 9)},{draw.randrange(1, 999) / 100}"
        for _ in range(lines)
    ]
    # The customer of a document is that of its first line: it does not matter which one that is.
    file.write_text("\n".join(("doc,at,who,land,sku,what,qty,price", *rows, "")))
    mapping.write_text(RETAIL_MAPPING)
    return file, mapping


@pytest.mark.slow
async def test_scattered_documents_survive_the_death_of_their_importer(
    database: Database, logins: Logins, external: dict[str, str], retail: tuple[Path, Path]
) -> None:
    whole = await shop(database, dsn(logins.superuser), external, *retail)
    await whole.imports()
    killed = await shop(database, dsn(logins.superuser), external, *retail)
    lines = len(lines_of(retail))
    assert await killed.is_killed_once(killed.has_read(lines // 3))
    assert await killed.is_killed_once(killed.has_read(lines))
    await killed.is_killed_once(killed.makes_documents)
    await killed.imports()
    assert await killed.figures() == await whole.figures()
    assert (await killed.figures())[:2] == (len({row.split(",")[0] for row in lines_of(retail)}), gross_of(retail))


def lines_of(retail: tuple[Path, Path]) -> list[str]:
    return retail[0].read_text().splitlines()[1:]


def gross_of(retail: tuple[Path, Path]) -> int:
    cells = [row.split(",") for row in lines_of(retail)]
    return sum(int(row[6]) * round(float(row[7]) * 100) for row in cells)


@asynccontextmanager
async def own_cluster(directory: Path) -> AsyncIterator[Database]:
    async with installed(Settings(data=directory)) as database:
        yield database


def postmaster(directory: Path) -> int:
    (found,) = directory.glob("postgres/*/data/postmaster.pid")
    return int(found.read_text().split()[0])


@pytest.mark.slow
async def test_an_import_survives_the_death_of_its_database(tmp_path: Path, retail: tuple[Path, Path]) -> None:
    environment = {"TENURE_DATA": str(tmp_path)}
    async with own_cluster(tmp_path) as database:
        superuser = dsn(database.url.set(username="postgres"))
        killed = await shop(database, superuser, environment, *retail)
        process = await killed.starts()
        await until(process, superuser, killed.has_read(len(lines_of(retail)) // 3))
        os.kill(postmaster(tmp_path), signal.SIGKILL)
        _, spoken = await process.communicate()
        assert process.returncode == 2, spoken.decode()
        assert "import again" in spoken.decode()
    async with own_cluster(tmp_path):
        await killed.imports()
        figures = await killed.figures()
        assert figures[:2] == (len({row.split(",")[0] for row in lines_of(retail)}), gross_of(retail))
        assert "created 0, updated 0" in await killed.imports()
        assert await killed.figures() == figures


@dataclass(frozen=True)
class DataSet:
    """A file as it is published, and what one whole import of it has to come to."""

    file: Path
    mapping: Path
    lines: int
    documents: int
    net: int
    """In minor units, refunds taken off."""
    customers: int


WHOLE = {
    "cdnow": DataSet(CDNOW, CDNOW_MAPPING, 69_659, 69_659, 250_031_563, 23_570),
    "online_retail": DataSet(
        online_retail.FILE, online_retail.MAPPING, 541_909, 25_900, 1_065_562_248 - 1_106_206 - 89_681_249, 4_372
    ),
}

COMES_TO = """
SELECT (SELECT count(*) FROM orders WHERE tenant_id = $1) + (SELECT count(*) FROM refunds WHERE tenant_id = $1),
    (SELECT sum(amount) FROM orders WHERE tenant_id = $1)
        - coalesce((SELECT sum(amount) FROM refunds WHERE tenant_id = $1), 0),
    (SELECT count(*) FROM customers WHERE tenant_id = $1),
    (SELECT count(*) FROM interactions WHERE tenant_id = $1 AND superseded_at IS NULL),
    (SELECT count(*) FROM staged_lines WHERE tenant_id = $1)
"""


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.usefixtures("at_full_size")
@pytest.mark.parametrize("victim", ["importer", "server", "postgres"])
@pytest.mark.parametrize("name", WHOLE)
async def test_a_whole_data_set_comes_to_the_same_whoever_dies(tmp_path: Path, name: str, victim: str) -> None:
    of, environment = WHOLE[name], {"TENURE_DATA": str(tmp_path), "TENURE_METRICS_PORT": "0"}
    async with own_cluster(tmp_path) as database:
        superuser = dsn(database.url.set(username="postgres"))
        killed = await shop(database, superuser, environment, of.file, of.mapping)
        async with served(environment) as server:
            process = await killed.starts()
            await until(process, superuser, killed.has_read(of.lines // 2))
            dies = {"importer": process.pid, "server": server.pid, "postgres": postmaster(tmp_path)}
            os.kill(dies[victim], signal.SIGKILL)
            _, spoken = await process.communicate()
        ended = {"importer": -signal.SIGKILL, "server": 0, "postgres": 2}
        assert process.returncode == ended[victim], spoken.decode()
    async with own_cluster(tmp_path):
        await killed.imports()
        assert "created 0, updated 0" in await killed.imports()
        connection = await asyncpg.connect(superuser)
        assert tuple(await connection.fetchrow(COMES_TO, killed.tenant)) == (
            of.documents, of.net, of.customers, of.documents, 0
        )  # fmt: skip
        await connection.close()


@asynccontextmanager
async def served(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    """A server that is ready, beside the import."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", "serve", "--port", "0", env=clean_environment() | environment,
        cwd=Path(__file__).parents[2], stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stderr is not None
    while b"listens" not in (line := await process.stderr.readline()):
        assert line, "the server has ended"
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
