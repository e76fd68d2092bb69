"""What a login may do, and why the server refuses one that may do too much or too little."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from domain.core import walls
from domain.core.problems import DomainError
from domain.core.tables import SCHEMAS, TenantTable, eraser_rights_of, rights_of
from migrations import run as migrations
from migrations.models import models

if TYPE_CHECKING:
    from collections.abc import Iterator

    from domain.core.tables import Base

    Right = tuple[str, str]

OLDEST_SERVER = 15
_GROUPS = {walls.APP: "TENURE_DATABASE_URL", walls.ERASER: "TENURE_DATABASE_ERASER_URL"}


class RefusedToStart(DomainError):
    """This installation cannot be used as it is set up."""

    code = "REFUSED_TO_START"


async def check_server(connection: Any) -> None:
    """Refuse a PostgreSQL that is too old."""
    version = connection.get_server_version()
    if version.major < OLDEST_SERVER:
        raise RefusedToStart(
            f"The server is PostgreSQL {version.major}; Tenure needs {OLDEST_SERVER} or newer. "
            f"Upgrade it, or let TENURE_DATABASE_URL name a newer server."
        )


async def check_login(connection: Any, group: str = walls.APP) -> None:
    """Refuse a login that any wall would not stop, or that has another right than its group gives it.

    Rights count however they are held: by the login itself, by PUBLIC, or by any role that it is or could become.
    """
    login = await connection.fetchval("SELECT current_user")
    await _refuse_power(connection, login, group)
    await _refuse_ownership(connection, login, group)
    await _refuse_creation(connection, login)
    await check_shape(connection, login, group)
    await _refuse_missing_walls(connection)
    given = _given(group)
    held = await _held(connection, {table for table, _ in given})
    if extra := sorted(held - given):
        raise RefusedToStart(
            f"The login {login} has rights beyond its own: {_spoken(extra)}. "
            f"Revoke them from it, from PUBLIC and from the roles it is a member of; {group} alone is enough."
        )
    if missing := sorted(given - held):
        raise RefusedToStart(
            f"The login {login} lacks {_spoken(missing)}. Let the owner run: GRANT {group} TO {login}; "
            f"if that does not help, run `tenure migrate`."
        )


async def check_shape(connection: Any, login: str, group: str = walls.APP) -> None:
    """Refuse a database that another version of Tenure shaped, or none."""
    found = await revision_of(connection, login, group)
    known = migrations.revisions()
    if found is None:
        raise RefusedToStart("The database has no tables of Tenure yet. Run `tenure migrate`.")
    if found not in known:
        raise RefusedToStart(f"A newer Tenure migrated the database (to {found}). Start that version, or a later one.")
    if found != known[0]:
        raise RefusedToStart(f"The database is at {found}, this version needs {known[0]}. Run `tenure migrate`.")


async def revision_of(connection: Any, login: str, group: str = walls.APP) -> str | None:
    """Which migration the database has reached; None before the first."""
    if await connection.fetchval("SELECT to_regclass('public.alembic_version')") is None:
        return None
    if not await connection.fetchval("SELECT has_table_privilege('public.alembic_version', 'SELECT')"):
        raise RefusedToStart(f"The login {login} is no member of {group}. Let the owner run: GRANT {group} TO {login}")
    revision: str | None = await connection.fetchval("SELECT version_num FROM public.alembic_version")
    return revision


_BECOMES = "pg_has_role(current_user, role.oid, 'MEMBER')"
_SCHEMAS = ["public", *SCHEMAS]
_POWERS = {
    "is a superuser": "rolsuper",
    "passes row-level security (BYPASSRLS)": "rolbypassrls",
    "can give itself any role (CREATEROLE)": "rolcreaterole",
    "can read the whole cluster (REPLICATION)": "rolreplication",
    "can reach the server's files and programs": (
        "rolname IN ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')"
    ),
}


async def _refuse_power(connection: Any, login: str, group: str) -> None:
    for deed, condition in _POWERS.items():
        role = await connection.fetchval(
            f"SELECT rolname FROM pg_roles role WHERE {condition} AND {_BECOMES} ORDER BY rolname <> current_user"
        )
        if role is not None:
            raise RefusedToStart(
                f"The login {login} {deed}{'' if role == login else f' through {role}'}, so no wall between tenants "
                f"would stop it. {_own_login(group)}"
            )


async def _refuse_ownership(connection: Any, login: str, group: str) -> None:
    owned = await connection.fetchval(
        "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = ANY($1::text[]::regnamespace[]) "
        "AND pg_has_role(current_user, relowner, 'MEMBER') ORDER BY relname LIMIT 1",
        await _schemas(connection),
    )
    if owned is not None:
        raise RefusedToStart(
            f"The login {login} owns tables ({owned}), so it could take their walls down. {_own_login(group)}"
        )


async def _refuse_creation(connection: Any, login: str) -> None:
    for schema in await _schemas(connection):
        holder = await connection.fetchval(
            f"SELECT rolname FROM pg_roles role WHERE has_schema_privilege(oid, $1, 'CREATE') AND {_BECOMES}", schema
        )
        if holder is not None:
            raise RefusedToStart(
                f"The login {login} may create things in the schema {schema}. "
                f"Let the owner run: REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {holder}"
            )


async def _refuse_missing_walls(connection: Any) -> None:
    tables = [_qualified(model) for model in models() if issubclass(model, TenantTable)]
    open_table = await connection.fetchval(
        "SELECT name FROM unnest($1::text[]) name LEFT JOIN pg_class ON oid = to_regclass(name) "
        "WHERE NOT coalesce(relrowsecurity AND relforcerowsecurity, false) ORDER BY name LIMIT 1",
        tables,
    )
    if open_table is not None:
        raise RefusedToStart(
            f"The table {open_table.removeprefix('public.')} has no wall between tenants. Run `tenure migrate`."
        )


async def _schemas(connection: Any) -> list[str]:
    found = await connection.fetch("SELECT nspname FROM pg_namespace WHERE nspname = ANY($1::text[])", _SCHEMAS)
    return [row["nspname"] for row in found]


_HELD = f"""
    WITH role AS (SELECT oid FROM pg_roles role WHERE {_BECOMES}),
    relation AS (SELECT name, to_regclass(name)::oid AS oid FROM unnest($1::text[]) name)
    SELECT name, kind AS held FROM relation, role,
        unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) kind
    WHERE has_table_privilege(role.oid, relation.oid, kind)
    UNION
    SELECT name, 'UPDATE (' || attname || ')' FROM relation, role, pg_attribute
    WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
        AND has_column_privilege(role.oid, relation.oid, attnum, 'UPDATE')
"""


async def _held(connection: Any, tables: set[str]) -> set[Right]:
    return _plain({(row["name"], row["held"]) for row in await connection.fetch(_HELD, list(tables))})


def _given(group: str) -> set[Right]:
    """What the members of a group have; whoever erases is a member of the application's group too."""
    given: set[Right] = {("public.alembic_version", "SELECT")}
    for model in models():
        rights = rights_of(model) + (eraser_rights_of(model) if group == walls.ERASER else ())
        given |= {(_qualified(model), right) for right in _apart(rights)}
    return _plain(given)


def _qualified(model: type[Base]) -> str:
    return f"{model.__table__.schema or 'public'}.{model.__tablename__}"


def _apart(rights: tuple[str, ...]) -> Iterator[str]:
    """Rights as PostgreSQL writes them in GRANT, one column at a time."""
    for right in rights:
        columns = re.search(r"\((.*)\)", right)
        yield from (f"UPDATE ({column})" for column in columns[1].split(", ")) if columns else (right,)


def _plain(rights: set[Right]) -> set[Right]:
    """Rights without those on columns of a table that may be updated as a whole."""
    whole = {table for table, right in rights if right == "UPDATE"}
    return {(table, right) for table, right in rights if table not in whole or not right.startswith("UPDATE (")}


def _spoken(rights: list[Right]) -> str:
    listed = ", ".join(f"{right} on {table}" for table, right in rights[:3])
    return listed if len(rights) <= 3 else f"{listed} and {len(rights) - 3} more"


def _own_login(group: str) -> str:
    return (
        f"Make a login of its own (CREATE ROLE tenure_server LOGIN PASSWORD '...'; GRANT {group} TO tenure_server) "
        f"and name it in {_GROUPS[group]}."
    )
