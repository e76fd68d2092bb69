"""How a process comes by its database: the embedded one, made ready, or an external one, checked before it is used."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from cli import rights
from cli.rights import RefusedToStart
from domain.core import walls
from domain.core.database import Database, dsn_of
from domain.core.embedded import EmbeddedPostgres, EmbeddedPostgresFailed
from domain.core.secrets import installation_key
from migrations import run as migrations

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from domain.core.embedded import Server
    from domain.core.settings import Settings

log = structlog.get_logger()

DATABASE = "tenure"
OWNER, SERVER, PRIVACY = "tenure_owner", "tenure_server", "tenure_privacy"
_LOGINS = {OWNER: "LOGIN CREATEROLE", SERVER: "LOGIN", PRIVACY: "LOGIN"}
_MEMBERS = ((walls.APP, SERVER), (walls.APP, PRIVACY), (walls.ERASER, PRIVACY))
_LOOK = 1.0
"""Seconds between two looks at whether the embedded server lives."""
_LOCK = "SELECT pg_advisory_lock(hashtextextended('tenure.prepare', 0))"


class DatabaseUnreachable(RefusedToStart):
    """The database does not let us in. Check that it runs and that its address is right."""


@dataclass(frozen=True)
class Addresses:
    """Where the server logs in, and where the eraser does, if it has a login."""

    server: URL
    eraser: URL | None


@asynccontextmanager
async def installed(settings: Settings) -> AsyncIterator[Database]:
    """The database as the server uses it, ready and safe to use; an embedded one is made, migrated and shared.

    Raises RefusedToStart with the remedy.
    """
    async with _reached(settings) as addresses, _opened(settings, addresses.server) as database:
        yield database


@asynccontextmanager
async def eraser(settings: Settings) -> AsyncIterator[Database]:
    """The same database as the one login sees it that may set personal columns to null. Raises RefusedToStart."""
    async with _reached(settings) as addresses:
        if addresses.eraser is None:
            raise RefusedToStart(
                "Erasure needs a login of its own: CREATE ROLE tenure_privacy LOGIN PASSWORD '...'; "
                "GRANT tenure_app, tenure_eraser TO tenure_privacy; and name it in TENURE_DATABASE_ERASER_URL."
            )
        async with _opened(settings, addresses.eraser, walls.ERASER) as database:
            yield database


async def migrate(settings: Settings) -> str:
    """Bring the database to this version's shape, give its logins their rights, and return the revision reached.

    An external database is migrated by its owner's login; what that login may not do is refused with the exact SQL.
    """
    if settings.database_url is None and settings.database_owner_url is None:
        async with _reached(settings):
            return migrations.revisions()[0]
    if settings.database_owner_url is None:
        raise RefusedToStart("Set TENURE_DATABASE_OWNER_URL to the login that owns the database, or is to own it.")
    owner = _address(settings.database_owner_url)
    async with _connection(owner) as connection:
        await rights.check_server(connection)
        await _migrate_as(owner)
        if settings.database_url is not None:
            await _admit(connection, _address(settings.database_url), walls.APP)
        if settings.database_eraser_url is not None:
            await _admit(connection, _address(settings.database_eraser_url), walls.APP, walls.ERASER)
    return migrations.revisions()[0]


@asynccontextmanager
async def _reached(settings: Settings) -> AsyncIterator[Addresses]:
    if settings.database_url is not None:
        eraser_url = settings.database_eraser_url
        yield Addresses(_address(settings.database_url), None if eraser_url is None else _address(eraser_url))
        return
    postgres = EmbeddedPostgres(settings.data)
    try:
        server = await asyncio.to_thread(postgres.acquire)
    except EmbeddedPostgresFailed as failed:
        raise RefusedToStart(str(failed)) from failed
    try:
        await _prepare(server)
        async with _kept_alive(postgres):
            yield Addresses(*(make_url(server.url(DATABASE, login)) for login in (SERVER, PRIVACY)))
    finally:
        await asyncio.to_thread(postgres.release)


@asynccontextmanager
async def _kept_alive(postgres: EmbeddedPostgres) -> AsyncIterator[None]:
    """Start the embedded server again whenever it dies, as when the system kills it for its memory."""

    async def watch() -> None:
        while True:
            await asyncio.sleep(_LOOK)
            try:
                if await asyncio.to_thread(postgres.revive):
                    log.warning("database.revived")
            except (EmbeddedPostgresFailed, OSError) as failed:
                log.warning("database.died", reason=str(failed))

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()
        await asyncio.wait([watching])


@asynccontextmanager
async def _opened(settings: Settings, address: URL, group: str = walls.APP) -> AsyncIterator[Database]:
    async with _connection(address) as connection:
        await rights.check_server(connection)
        await rights.check_login(connection, group)
    readers, writers = settings.read_connections, settings.write_connections
    key = installation_key(settings.data, settings.key_file)
    async with Database(_spelled(address), readers=readers, writers=writers, key=key) as database:
        yield database


async def _prepare(server: Server) -> None:
    """Make the logins, the database and its tables where they are missing; safe after a kill, and for two at once."""
    async with _connection(make_url(server.url("postgres", server.superuser))) as connection:
        await connection.execute(_LOCK)
        for login, powers in _LOGINS.items():
            if not await _exists(connection, login):
                await connection.execute(f"CREATE ROLE {login} {powers}")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", DATABASE):
            await connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")
        await _bring_to_head(make_url(server.url(DATABASE, OWNER)))
        for group, login in _MEMBERS:
            await connection.execute(f"GRANT {group} TO {login}")


async def _bring_to_head(owner: URL) -> None:
    async with _connection(owner) as connection:
        reached = await rights.revision_of(connection, OWNER)
        if reached == migrations.revisions()[0]:
            return
        if reached is not None and reached not in migrations.revisions():
            await rights.check_shape(connection, OWNER)
    await migrations.migrate(owner)


async def _migrate_as(owner: URL) -> None:
    try:
        await migrations.migrate(owner)
    except DBAPIError as failed:
        raise RefusedToStart(
            f"The owner's login {owner.username} could not migrate: {failed.orig}. It needs the "
            f"database (ALTER DATABASE {owner.database} OWNER TO {owner.username}) and the groups: an administrator "
            f"runs CREATE ROLE {walls.APP}; CREATE ROLE {walls.ERASER}; or ALTER ROLE {owner.username} CREATEROLE."
        ) from failed


async def _admit(owner: Any, address: URL, *groups: str) -> None:
    """Make a login a member of its groups, if the owner may, and check what it can do then."""
    login = address.username
    if login is not None and not await _exists(owner, login):
        raise RefusedToStart(
            f"There is no login {login}. Run: CREATE ROLE {login} LOGIN PASSWORD '...', and then again."
        )
    async with _connection(address) as connection:
        login = await connection.fetchval("SELECT quote_ident(current_user)")
        for group in groups:
            if not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'MEMBER')", group):
                await _grant(owner, group, login)
        await rights.check_login(connection, groups[-1])


async def _grant(owner: Any, group: str, login: str) -> None:
    try:
        await owner.execute(f"GRANT {group} TO {login}")
    except asyncpg.InsufficientPrivilegeError as refused:
        raise RefusedToStart(
            f"The owner's login may not admit {login}. Let an administrator run: GRANT {group} TO {login}"
        ) from refused


async def _exists(connection: Any, role: str) -> bool:
    return await connection.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role) is not None


@asynccontextmanager
async def _connection(address: URL) -> AsyncIterator[Any]:
    try:
        connection = await asyncpg.connect(dsn_of(address))
    except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as failed:
        raise DatabaseUnreachable(
            f"The database at {address.render_as_string(hide_password=True)} does not let us in: {failed}"
        ) from failed
    try:
        yield connection
    finally:
        await connection.close()


def _address(url: str) -> URL:
    try:
        return make_url(url)
    except ArgumentError as wrong:
        raise DatabaseUnreachable(
            "This is no address of a database: write postgresql://login@host/database."
        ) from wrong


def _spelled(address: URL) -> str:
    return address.render_as_string(hide_password=False)
