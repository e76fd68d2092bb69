"""Several processes on one token: one renews it; a kill between the vendor's answer and our commit is survived."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import asynccontextmanager
from datetime import timedelta
from subprocess import PIPE
from typing import TYPE_CHECKING

import pytest
import uvicorn

from domain.core.settings import Settings
from sync.access import tokens
from sync.access.oauth import Token
from sync.access.remotes import Remotes
from sync.registry import Registry
from tests.sync.access.conftest import APPS, integrated

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins
    from tests.sync.access.vendor import Vendor

SCRIPT = """
import asyncio, os, signal, sys
from pathlib import Path
from uuid import UUID
from domain.core.database import Database
from domain.core.settings import Settings
from sync.access import tokens
from sync.access.remotes import Remotes
from sync.registry import Registry
from tenure_sdk import ConnectorError
from tests.sync.access.vendor import Acme

async def main(url, data, port, tenant, integration, dies):
    if dies == "dies":
        async def keep_token(*_):
            os.kill(os.getpid(), signal.SIGKILL)
        tokens.keep_token = keep_token
    settings = Settings.from_env(data=Path(data), sandboxes=f"acme-books=http://127.0.0.1:{port}")
    async with Database(url, writers=2) as database, Remotes(database, settings, Registry({Acme.key: Acme})) as remotes:
        sys.stdout.write("ready\\n"); sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)
        async def ask():
            async with remotes.open(UUID(tenant), UUID(integration)) as remote:
                try:
                    return (await remote.check()).label
                except ConnectorError as problem:
                    return type(problem).__name__

        sys.stdout.write(",".join(await asyncio.gather(ask(), ask())) + "\\n"); sys.stdout.flush()

asyncio.run(main(*sys.argv[1:]))
"""


@asynccontextmanager
async def served(vendor: Vendor, port: int) -> AsyncIterator[None]:
    server = uvicorn.Server(uvicorn.Config(vendor, port=port, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - the server has no event for it
        await asyncio.sleep(0.01)
    yield
    server.should_exit = True
    await running


@pytest.fixture
async def expired(database: Database, tenant: UUID, tmp_path: Path) -> UUID:
    """An integration whose token has expired."""
    integration_id = await integrated(database, tenant)
    settings = Settings(data=tmp_path, oauth=APPS)
    async with Remotes(database, settings, Registry()) as remotes, database.unit_of_work(tenant) as work:
        token = Token(
            access_token="old", refresh_token="refresh-0", issued_at=work.now - timedelta(hours=2),
            expires_at=work.now - timedelta(hours=1),
        )  # fmt: skip
        await tokens.keep_token(work, remotes.vault, integration_id, token)
    return integration_id


class Workers:
    """Processes of two workers each, that ask the vendor once when all are told to."""

    def __init__(self, *arguments: str) -> None:
        self._arguments = arguments
        apps = {f"TENURE_OAUTH_{name}": str(value) for name, value in APPS.items()}
        self._environment = {**os.environ, **apps}

    async def told(self, count: int, *, die: bool = False) -> list[str]:
        """What the workers of so many processes got; those that die tell nothing."""
        command = [sys.executable, "-c", SCRIPT, *self._arguments, "dies" if die else "lives"]
        all_of_them = [
            await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, env=self._environment)
            for _ in range(count)
        ]
        for each in all_of_them:
            assert each.stdout is not None
            assert await each.stdout.readline() == b"ready\n"
        printed = await asyncio.gather(*(each.communicate(b"\n") for each in all_of_them))
        return [told for out, _ in printed for told in out.decode().split("\n")[0].split(",") if told]


@pytest.fixture
def workers(logins: Logins, tmp_path: Path, unused_port: int, tenant: UUID, expired: UUID) -> Workers:
    return Workers(str(logins.server), str(tmp_path), str(unused_port), str(tenant), str(expired))


async def test_eight_workers_in_four_processes_renew_an_expired_token_once(
    workers: Workers, vendor: Vendor, unused_port: int
) -> None:
    vendor.pause = 0.3
    async with served(vendor, unused_port):
        assert await workers.told(4) == ["Craft & Sons"] * 8
    assert vendor.grants == ["refresh_token"]


async def test_a_revoked_token_is_asked_about_once_by_all(workers: Workers, vendor: Vendor, unused_port: int) -> None:
    vendor.refresh_token = "another"
    async with served(vendor, unused_port):
        assert await workers.told(2) == ["AuthRevoked"] * 4
    assert vendor.grants == ["refresh_token"]


@pytest.mark.parametrize(("grace", "told"), [(True, "Craft & Sons"), (False, "AuthRevoked")])
async def test_a_kill_between_the_vendors_answer_and_our_commit(
    workers: Workers, vendor: Vendor, unused_port: int, *, grace: bool, told: str
) -> None:
    vendor.grace = grace
    async with served(vendor, unused_port):
        assert await workers.told(1, die=True) == []
        assert vendor.grants == ["refresh_token"]
        assert await workers.told(1) == [told] * 2
    assert [asked["refresh_token"] for asked in vendor.asked] == ["refresh-0"] * 2
