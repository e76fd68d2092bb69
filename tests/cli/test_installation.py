from __future__ import annotations

import asyncio
import os
import signal
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from cli import installation
from cli.installation import DatabaseUnreachable
from cli.rights import RefusedToStart
from domain.core.settings import Settings
from domain.tenants import actions, queries
from migrations import run as migrations
from tests.conftest import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from sqlalchemy import URL


@pytest.fixture
async def fresh(cluster: URL) -> AsyncIterator[URL]:
    """A new, empty database with an owner and two logins of its own: who logs in is `owner_x`, `app_x`, `eraser_x`."""
    name = uuid4().hex
    superuser = await asyncpg.connect(dsn(cluster))
    await superuser.execute(
        f"CREATE ROLE owner_{name} LOGIN; CREATE ROLE app_{name} LOGIN; CREATE ROLE eraser_{name} LOGIN"
    )
    await superuser.execute(f"CREATE DATABASE d{name} OWNER owner_{name}")
    yield cluster.set(database=f"d{name}", username=f"owner_{name}").update_query_dict({"sslmode": "prefer"})
    await superuser.execute(f"DROP DATABASE d{name} WITH (FORCE)")
    await superuser.execute(f"DROP ROLE owner_{name}, app_{name}, eraser_{name}")
    await superuser.close()


@pytest.fixture
def settings(fresh: URL, tmp_path: Path) -> Settings:
    """The settings of an installation on the fresh database."""
    app, eraser = (fresh.set(username=str(fresh.username).replace("owner", who)) for who in ("app", "eraser"))
    return Settings(
        database_url=spelled(app), database_owner_url=spelled(fresh), database_eraser_url=spelled(eraser),
        data=tmp_path, read_connections=1, write_connections=2,
    )  # fmt: skip


def spelled(address: URL) -> str:
    return address.render_as_string(hide_password=False)


async def by_superuser(cluster: URL, statement: str) -> None:
    connection = await asyncpg.connect(dsn(cluster))
    await connection.execute(statement)
    await connection.close()


async def test_an_external_database_is_never_migrated_by_the_server(settings: Settings) -> None:
    with pytest.raises(RefusedToStart, match=r"no tables of Tenure yet. Run `tenure migrate`"):
        async with installation.installed(settings):
            pass


async def test_migrate_makes_an_external_database_ready(
    cluster: URL, fresh: URL, settings: Settings, template: str
) -> None:
    with pytest.raises(RefusedToStart) as refused:
        await installation.migrate(settings)
    login = str(fresh.username).replace("owner", "app")
    assert refused.value.message == (
        f"The owner's login may not admit {login}. Let an administrator run: GRANT tenure_app TO {login}"
    )
    await by_superuser(cluster, f"GRANT tenure_app, tenure_eraser TO {fresh.username} WITH ADMIN OPTION")

    assert await installation.migrate(settings) == migrations.revisions()[0]
    async with installation.installed(settings) as database:
        await actions.create_tenant(database, actions.NewTenant(slug="acme", name="Acme"))
        assert [entry.slug for entry in await queries.every_tenant(database)] == ["acme"]
    async with installation.eraser(settings) as database:
        assert await queries.by_slug(database, "acme")
    assert await installation.migrate(settings) == migrations.revisions()[0]


async def test_migrate_needs_the_owners_login(settings: Settings) -> None:
    without = settings.model_copy(update={"database_owner_url": None})
    with pytest.raises(RefusedToStart, match="Set TENURE_DATABASE_OWNER_URL"):
        await installation.migrate(without)


async def test_migrate_says_what_an_owner_without_rights_needs(settings: Settings, fresh: URL, template: str) -> None:
    stranger = spelled(fresh.set(username=str(fresh.username).replace("owner", "eraser")))
    with pytest.raises(RefusedToStart, match=r"could not migrate: .*ALTER DATABASE d\w+ OWNER TO eraser_"):
        await installation.migrate(settings.model_copy(update={"database_owner_url": stranger}))


async def test_migrate_says_which_login_is_missing(fresh: URL, settings: Settings, template: str) -> None:
    nobody = spelled(fresh.set(username="nobody_of_this_name"))
    with pytest.raises(RefusedToStart, match=r"There is no login nobody_of_this_name. Run: CREATE ROLE"):
        await installation.migrate(settings.model_copy(update={"database_url": nobody}))


async def test_erasure_needs_its_own_login(settings: Settings) -> None:
    without = settings.model_copy(update={"database_eraser_url": None})
    with pytest.raises(RefusedToStart, match="name it in TENURE_DATABASE_ERASER_URL"):
        async with installation.eraser(without):
            pass


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("nonsense", "This is no address of a database"),
        ("postgresql://me:secret@/d?host=/nowhere", r"postgresql://me:\*\*\*@/d\?host=%2Fnowhere does not let us in"),
    ],
)
async def test_an_address_that_leads_nowhere_is_refused_without_its_password(url: str, refusal: str) -> None:
    with pytest.raises(DatabaseUnreachable, match=refusal):
        async with installation.installed(Settings(database_url=url)):
            pass


async def test_an_embedded_database_comes_up_ready_for_two_at_once_and_keeps_its_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(database_url=None, database_owner_url=None, data=tmp_path)

    async def open_tenant(slug: str) -> None:
        async with installation.installed(settings) as database:
            await actions.create_tenant(database, actions.NewTenant(slug=slug, name=slug))

    await asyncio.gather(open_tenant("one"), open_tenant("two"))
    async with installation.installed(settings) as database:
        assert [entry.slug for entry in await queries.every_tenant(database)] == ["one", "two"]
    monkeypatch.setattr(installation, "_LOOK", 0.05)
    async with installation.installed(settings) as database:
        await asyncio.to_thread(_kill, tmp_path)
        assert [entry.slug for entry in await queries.every_tenant(database)] == ["one", "two"]
    async with installation.eraser(settings) as database:
        assert await queries.by_slug(database, "one")
    assert await installation.migrate(settings) == migrations.revisions()[0]


def _kill(data: Path) -> None:
    """Kill the embedded server of a data directory, and wait until another one is ready."""
    noted = data / "postgres" / "18" / "data" / "postmaster.pid"
    killed = noted.read_text().splitlines()[0]
    os.kill(int(killed), signal.SIGKILL)
    patience = time.monotonic() + 60
    while not noted.exists() or noted.read_text().splitlines()[0] == killed or "ready" not in noted.read_text():
        assert time.monotonic() < patience
        time.sleep(0.05)
