"""What the catalogue of a migrated database says about the walls around every tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import asyncpg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from domain.core import tenancy, walls
from domain.core.tables import Base, TenantTable, eraser_rights_of, personal_columns, promise_of, rights_of
from migrations.models import models
from migrations.run import configuration, migrate, revisions
from tests.conftest import dsn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from sqlalchemy import URL, Connection

    from domain.core.database import Database
    from tests.conftest import Logins

DIRECTORY_TABLES = {
    "tenants",
    "token_prefixes",
    "hook_tokens",
    "remote_accounts",
    "due_work",
    "rate_buckets",
    "connector_policies",
    "app_deliveries",
}
TENANT_MODELS = [model for model in models() if issubclass(model, TenantTable)]
TENANT_TABLES = {str(model.__table__) for model in TENANT_MODELS}
"""Every table behind the walls, by its name; one outside of `public` with its schema before it."""


@pytest.fixture
async def catalogue(logins: Logins) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn(logins.owner))
    yield connection
    await connection.close()


async def column_of(catalogue: asyncpg.Connection, query: str, *values: Any) -> list[Any]:
    return [row[0] for row in await catalogue.fetch(query, *values)]


async def test_only_the_directory_has_no_walls(catalogue: asyncpg.Connection) -> None:
    tables = "SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = $1::text::regnamespace"
    assert set(await column_of(catalogue, tables, "directory")) == DIRECTORY_TABLES
    sealed = {f"baseline.{table}" for table in await column_of(catalogue, tables, "baseline")}
    assert set(await column_of(catalogue, tables, "public")) | sealed == TENANT_TABLES | {"alembic_version"}


async def test_nothing_in_the_database_keeps_it_from_being_sharded(catalogue: asyncpg.Connection) -> None:
    others = (
        "SELECT relname::text FROM pg_class WHERE relkind IN ('S', 'm', 'v', 'f') AND relnamespace = ANY($1::oid[])"
    )
    ours = await column_of(
        catalogue, "SELECT oid FROM pg_namespace WHERE nspname IN ('public', 'directory', 'baseline')"
    )
    assert await column_of(catalogue, others, ours) == []
    assert await column_of(catalogue, "SELECT tgname::text FROM pg_trigger WHERE NOT tgisinternal") == []
    assert (
        await column_of(
            catalogue, "SELECT typname::text FROM pg_type WHERE typtype = 'e' AND typnamespace = ANY($1::oid[])", ours
        )
        == []
    )


async def test_every_key_index_and_reference_begins_with_the_tenant(catalogue: asyncpg.Connection) -> None:
    indexes = await catalogue.fetch(
        "SELECT indrelid::regclass::text AS of, indexrelid::regclass::text AS name, attname::text AS first "
        "FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0] "
        "WHERE indrelid = ANY($1::text[]::regclass[])",
        sorted(TENANT_TABLES),
    )
    assert {row["of"] for row in indexes} == TENANT_TABLES
    assert [row["name"] for row in indexes if row["first"] != "tenant_id"] == []
    references = await catalogue.fetch(
        "SELECT conname::text AS name, here.attname::text AS here, there.attname::text AS there FROM pg_constraint "
        "JOIN pg_attribute here ON here.attrelid = conrelid AND here.attnum = conkey[1] "
        "JOIN pg_attribute there ON there.attrelid = confrelid AND there.attnum = confkey[1] WHERE contype = 'f'"
    )
    assert references
    assert [row["name"] for row in references if {row["here"], row["there"]} != {"tenant_id"}] == []


async def test_every_tenant_table_has_the_one_wall_for_everyone(catalogue: asyncpg.Connection) -> None:
    walled = await column_of(
        catalogue,
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relrowsecurity AND relforcerowsecurity",
    )
    assert set(walled) == TENANT_TABLES
    policies = await catalogue.fetch(
        "SELECT polrelid::regclass::text AS of, p.* FROM pg_policy JOIN pg_policies p "
        "ON (p.schemaname || '.' || p.tablename)::regclass = polrelid AND p.policyname = polname"
    )
    assert sorted(row["of"] for row in policies) == sorted(TENANT_TABLES)
    setting = "(NULLIF(current_setting('tenure.tenant_id'::text, true), ''::text))::uuid"
    meant = f'(tenant_id = ( SELECT {setting} AS "nullif"))'
    assert {(row["cmd"], row["permissive"], *row["roles"], row["qual"], row["with_check"]) for row in policies} == {
        ("ALL", "PERMISSIVE", "public", meant, meant)
    }


async def rights_in(catalogue: asyncpg.Connection, role: str) -> dict[str, set[str]]:
    """Table by table what a role was granted, as `rights_of` writes it."""
    found = await catalogue.fetch(
        "SELECT table_schema, table_name, privilege_type AS held FROM information_schema.role_table_grants "
        "WHERE grantee = $1 UNION SELECT table_schema, table_name, 'UPDATE (' || column_name || ')' "
        "FROM information_schema.column_privileges c WHERE grantee = $1 AND privilege_type = 'UPDATE' AND NOT EXISTS ("
        "SELECT FROM information_schema.role_table_grants t WHERE t.grantee = $1 AND t.privilege_type = 'UPDATE' "
        "AND (t.table_schema, t.table_name) = (c.table_schema, c.table_name))",
        role,
    )
    rights: dict[str, set[str]] = {}
    for row in found:
        rights.setdefault(f"{row['table_schema']}.{row['table_name']}", set()).add(row["held"])
    return rights


def meant(model: type[Base], rights: tuple[str, ...]) -> tuple[str, set[str]]:
    apart = {
        f"UPDATE ({column})" if right.startswith("UPDATE (") else right
        for right in rights
        for column in right.removeprefix("UPDATE (").removesuffix(")").split(", ")
    }
    return f"{model.__table__.schema or 'public'}.{model.__tablename__}", apart


async def test_the_application_has_exactly_the_rights_of_each_kind(catalogue: asyncpg.Connection) -> None:
    promised = dict(meant(model, rights_of(model)) for model in models())
    assert await rights_in(catalogue, walls.APP) == promised | {"public.alembic_version": {"SELECT"}}


async def test_the_eraser_reaches_marked_columns_only(catalogue: asyncpg.Connection) -> None:
    promised = dict(meant(model, eraser_rights_of(model)) for model in models() if personal_columns(model))
    assert await rights_in(catalogue, walls.ERASER) == promised | {"public.alembic_version": {"SELECT"}}


async def test_nobody_else_was_granted_anything(catalogue: asyncpg.Connection) -> None:
    grantees = await column_of(
        catalogue,
        "SELECT DISTINCT grantee::text FROM information_schema.role_table_grants "
        "WHERE table_schema IN ('public', 'directory', 'baseline') AND grantee <> 'tenure_owner'",
    )
    assert set(grantees) == {walls.APP, walls.ERASER}


@pytest.mark.parametrize("table", sorted(TENANT_TABLES))
async def test_history_cannot_be_rewritten(database: Database, tenant: UUID, table: str) -> None:
    """Whoever may not delete from a table is stopped by PostgreSQL itself."""
    model = next(model for model in TENANT_MODELS if str(model.__table__) == table)
    deletion = f"DELETE FROM {table} WHERE tenant_id = '{tenant}'"
    async with database.unit_of_work(tenant) as work:
        connection = await work.connection()
        if "DELETE" in rights_of(model):
            await connection.exec_driver_sql(deletion)
            return
        with pytest.raises(ProgrammingError, match="permission denied"):
            async with connection.begin_nested():
                await connection.exec_driver_sql(deletion)


async def seen(connection: asyncpg.Connection) -> dict[str, int]:
    return {table: await connection.fetchval(f"SELECT count(*) FROM {table}") for table in sorted(TENANT_TABLES)}


async def test_an_unset_tenant_sees_and_writes_nothing(logins: Logins, tenant: UUID, other_tenant: UUID) -> None:
    connection = await asyncpg.connect(dsn(logins.server))
    try:
        assert set((await seen(connection)).values()) == {0}
        await connection.execute(f"SET {tenancy.SETTING} = ''")
        assert set((await seen(connection)).values()) == {0}
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute(
                "INSERT INTO persisted_documents (tenant_id, digest, document, used_at) VALUES ($1, '', '', now())",
                tenant,
            )
        await connection.execute(f"SET {tenancy.SETTING} = '{tenant.hex}'")
        assert await connection.fetch("SELECT tenant_id FROM tenants") == [(tenant,)]
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await connection.execute("UPDATE tenants SET tenant_id = $1", other_tenant)
    finally:
        await connection.close()


def test_an_unnamed_tenant_opens_nothing() -> None:
    with pytest.raises(tenancy.TenantMissing):
        tenancy.enter(None)  # type: ignore[arg-type]


def test_every_promise_can_be_read_and_every_tail_is_there() -> None:
    for model in models():
        kind, tail = promise_of(model)
        assert set(tail) <= set(model.__table__.columns.keys()), model.__name__
        assert kind.name in {"AO", "ED", "BT", "IM"} or not tail, f"{model.__name__}: {kind} has no tail"


@pytest.fixture
async def empty(cluster: URL, template: str) -> AsyncIterator[URL]:
    """An empty database, as its owner sees it."""
    name = f"empty_{uuid4().hex}"
    superuser = await asyncpg.connect(dsn(cluster))
    await superuser.execute(f"CREATE DATABASE {name} OWNER tenure_owner")
    yield cluster.set(database=name, username="tenure_owner", drivername="postgresql+asyncpg")
    await superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")
    await superuser.close()


async def differences(to: URL) -> list[Any]:
    engine = create_async_engine(to)
    async with engine.connect() as connection:
        found = await connection.run_sync(_compare)
    await engine.dispose()
    return found


def _compare(connection: Connection) -> list[Any]:
    options = {
        "include_schemas": True,
        "compare_type": True,
        "compare_server_default": True,
        "include_name": lambda name, kind, _: kind != "schema" or name in {None, "directory", "baseline"},
        "include_object": lambda _, name, kind, *__: (kind, name) != ("table", "alembic_version"),
    }
    context = MigrationContext.configure(connection, opts=options)
    return list(compare_metadata(context, Base.metadata))


async def test_an_upgraded_database_is_what_the_models_say_and_a_downgrade_leaves_nothing(empty: URL) -> None:
    await migrate(empty)
    await migrate(empty)
    assert await differences(empty) == []

    await migrate(empty, "base")
    connection = await asyncpg.connect(dsn(empty))
    left = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname <> 'alembic_version' "
        "AND relnamespace IN ('public'::regnamespace, 'directory'::regnamespace, 'baseline'::regnamespace)"
    )
    await connection.close()
    assert left == []


async def test_migrations_form_one_line_and_their_files_bear_its_numbers(empty: URL) -> None:
    engine = create_async_engine(empty)
    async with engine.connect() as connection:
        script = ScriptDirectory.from_config(await connection.run_sync(configuration))
    await engine.dispose()
    assert tuple(revision.revision for revision in script.walk_revisions()) == revisions()
