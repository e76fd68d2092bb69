from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import uuid4

import asyncpg
import pytest

from cli import rights
from cli.rights import RefusedToStart
from domain.core import walls
from migrations.run import revisions
from tests.conftest import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.conftest import Logins


@asynccontextmanager
async def after(logins: Logins, *statements: str, group: str = walls.APP) -> AsyncIterator[asyncpg.Connection]:
    """A connection as a fresh member of a group, after some deeds of the superuser (`{login}` is the member)."""
    login = f"login_{uuid4().hex}"
    superuser = await asyncpg.connect(dsn(logins.superuser))
    await superuser.execute(f"CREATE ROLE {login} LOGIN; GRANT {walls.APP}, {group} TO {login}")
    for statement in statements:
        await superuser.execute(statement.format(login=login))
    member = await asyncpg.connect(dsn(logins.server.set(username=login)))
    try:
        yield member
    finally:
        await member.close()
        await superuser.execute(f"DROP OWNED BY {login}; DROP ROLE {login}")
        await superuser.close()


async def test_the_servers_login_may_do_exactly_what_its_group_may(logins: Logins) -> None:
    async with after(logins) as member:
        await rights.check_login(member)


async def test_the_erasers_login_may_do_exactly_what_its_groups_may(logins: Logins) -> None:
    async with after(logins, group=walls.ERASER) as member:
        await rights.check_login(member, walls.ERASER)


@pytest.mark.parametrize(
    ("deed", "refusal"),
    [
        ("ALTER ROLE {login} SUPERUSER", "is a superuser, so no wall"),
        ("ALTER ROLE {login} BYPASSRLS", "passes row-level security (BYPASSRLS), so no wall"),
        ("ALTER ROLE {login} CREATEROLE", "can give itself any role (CREATEROLE), so no wall"),
        ("ALTER ROLE {login} REPLICATION", "can read the whole cluster (REPLICATION), so no wall"),
        ("GRANT pg_write_server_files TO {login}", "files and programs through pg_write_server_files, so no wall"),
        ("GRANT tenure_owner TO {login}", "through tenure_owner, so no wall"),
        ("CREATE TABLE mine (); ALTER TABLE mine OWNER TO {login}", "owns tables (mine), so it could"),
        ("GRANT CREATE ON SCHEMA public TO {login}", "may create things in the schema public."),
        ("GRANT CREATE ON SCHEMA directory TO {login}", "may create things in the schema directory."),
        ("GRANT UPDATE ON audit_entries TO {login}", "rights beyond its own: UPDATE on public.audit_entries."),
        ("GRANT DELETE ON interactions TO {login}", "rights beyond its own: DELETE on public.interactions."),
        ("GRANT TRUNCATE ON customers TO {login}", "rights beyond its own: TRUNCATE on public.customers."),
        ("GRANT UPDATE (actor) ON audit_entries TO {login}", "beyond its own: UPDATE (actor) on public.audit_entries."),
        ("GRANT pg_write_all_data TO {login}", "rights beyond its own: DELETE on baseline.seal_batches, "),
        ("GRANT tenure_eraser TO {login}", "rights beyond its own: "),
        ("REVOKE tenure_app FROM {login}", "is no member of tenure_app. Let the owner run: GRANT tenure_app TO login"),
    ],
)
async def test_a_login_with_other_rights_is_refused(logins: Logins, deed: str, refusal: str) -> None:
    async with after(logins, deed) as member:
        with pytest.raises(RefusedToStart) as refused:
            await rights.check_login(member)
    assert refusal in refused.value.message


@pytest.mark.parametrize(
    ("deed", "undo", "refusal"),
    [
        (
            "ALTER TABLE customers NO FORCE ROW LEVEL SECURITY",
            "ALTER TABLE customers FORCE ROW LEVEL SECURITY",
            "The table customers has no wall between tenants. Run `tenure migrate`.",
        ),
        (
            "UPDATE alembic_version SET version_num = '9999'",
            f"UPDATE alembic_version SET version_num = '{revisions()[0]}'",
            "A newer Tenure migrated the database (to 9999). Start that version, or a later one.",
        ),
        (
            "DROP TABLE IF EXISTS elsewhere; ALTER TABLE alembic_version RENAME TO elsewhere",
            "ALTER TABLE elsewhere RENAME TO alembic_version",
            "The database has no tables of Tenure yet. Run `tenure migrate`.",
        ),
        (
            "GRANT DELETE ON stage_transitions TO PUBLIC",
            "REVOKE DELETE ON stage_transitions FROM PUBLIC",
            "DELETE on public.stage_transitions.",
        ),
        (
            "REVOKE INSERT ON stage_transitions FROM tenure_app",
            "GRANT INSERT ON stage_transitions TO tenure_app",
            "lacks INSERT on public.stage_transitions.",
        ),
    ],
)
async def test_a_database_in_another_shape_is_refused(logins: Logins, deed: str, undo: str, refusal: str) -> None:
    superuser = await asyncpg.connect(dsn(logins.superuser))
    await superuser.execute(deed)
    try:
        async with after(logins) as member:
            with pytest.raises(RefusedToStart) as refused:
                await rights.check_login(member)
    finally:
        await superuser.execute(undo)
        await superuser.close()
    assert refusal in refused.value.message


class OldServer:
    def get_server_version(self) -> asyncpg.types.ServerVersion:
        return asyncpg.types.ServerVersion(14, 9, 0, "final", 0)


async def test_an_old_server_is_refused() -> None:
    with pytest.raises(RefusedToStart, match="The server is PostgreSQL 14; Tenure needs 15 or newer"):
        await rights.check_server(OldServer())
