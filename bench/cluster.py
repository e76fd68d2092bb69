"""The PostgreSQL of the benchmarks: a cluster of its own, its logins, and the processor it may use."""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import psutil
from sqlalchemy import URL, make_url

from domain.core.database import dsn_of
from domain.core.embedded import EmbeddedPostgres
from migrations.run import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OWNER, SERVER = "tenure_owner", "tenure_server"
_LOGINS = {OWNER: "LOGIN CREATEROLE", SERVER: "LOGIN"}
_SETTINGS = {
    "shared_buffers": "4GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "maintenance_work_mem": "1GB",
}
_SMALLER = {**_SETTINGS, "shared_buffers": "512MB", "maintenance_work_mem": "256MB"}
_ENOUGH_MEMORY = 12 << 30


@dataclass(frozen=True)
class Cluster:
    """A running PostgreSQL: the address of its superuser, and its first process."""

    superuser: URL
    postmaster: psutil.Process

    def address(self, database: str, login: str) -> URL:
        """Where a login finds a database."""
        return self.superuser.set(database=database, username=login)

    def pin(self, cores: set[int]) -> None:
        """Keep PostgreSQL and every backend that it starts from now on to these cores."""
        for process in self.processes():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(process.pid, cores)

    def processes(self) -> list[psutil.Process]:
        """Every process of the server."""
        return [self.postmaster, *self.postmaster.children()]

    def cpu(self) -> float:
        """Seconds of CPU that the processes have used, those that have ended included."""
        ended = self.postmaster.cpu_times()
        used = float(ended.children_user + ended.children_system)
        for process in self.processes():
            with suppress(psutil.NoSuchProcess):
                times = process.cpu_times()
                used += times.user + times.system
        return used

    async def connect(self, database: str = "postgres", login: str | None = None) -> Any:
        """A connection, the superuser's unless a login is named."""
        address = self.superuser.set(database=database)
        return await asyncpg.connect(dsn_of(address.set(username=login) if login else address))

    async def create(self, database: str) -> None:
        """Make a migrated, empty database and the application's login to it; one that is there is replaced."""
        connection = await self.connect()
        for login, powers in _LOGINS.items():
            if not await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", login):
                await connection.execute(f"CREATE ROLE {login} {powers}")
        await connection.execute(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')
        await connection.execute(f'CREATE DATABASE "{database}" OWNER {OWNER}')
        await migrate(self.address(database, OWNER))
        await connection.execute(f"GRANT tenure_app TO {SERVER}")
        await connection.close()


@contextmanager
def running(data: Path) -> Iterator[Cluster]:
    """The cluster below a directory, started if it must be."""
    settings = _SETTINGS if psutil.virtual_memory().total >= _ENOUGH_MEMORY else _SMALLER
    postgres = EmbeddedPostgres(data, settings=settings)
    with postgres as server:
        written = (postgres.home / "data" / "postmaster.pid").read_text().splitlines()
        yield Cluster(make_url(server.url("postgres", server.superuser)), psutil.Process(int(written[0])))
