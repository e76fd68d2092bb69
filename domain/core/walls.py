"""The walls around every tenant, raised from the models after each migration, in the same transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.core import planning, tenancy
from domain.core.tables import DIRECTORY, SCHEMAS, Base, eraser_rights_of, rights_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

APP = "tenure_app"
"""The group role of the application's login: it owns nothing and cannot rewrite history."""

ERASER = "tenure_eraser"
"""The group role that may set personal columns to null, and nothing else."""


def roles() -> Iterator[str]:
    """Statements that create the group roles where they are absent; roles are global to a cluster."""
    for role in (APP, ERASER):
        yield (
            f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') "
            f"THEN CREATE ROLE {role} NOLOGIN; END IF; END $$"
        )


def statements(models: Iterable[type[Base]]) -> Iterator[str]:
    """Statements that give every table its wall and exactly the rights of its kind; safe to run again."""
    for schema in ("public", *SCHEMAS):
        yield f"GRANT USAGE ON SCHEMA {schema} TO {APP}, {ERASER}"
    for model in models:
        table = f"{model.__table__.schema or 'public'}.{model.__tablename__}"
        yield f"REVOKE ALL ON {table} FROM PUBLIC, {APP}, {ERASER}"
        yield f"GRANT {', '.join(rights_of(model))} ON {table} TO {APP}"
        if model.__table__.schema == DIRECTORY:
            continue
        yield f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY"
        yield f"DROP POLICY IF EXISTS tenant ON {table}"
        yield f"CREATE POLICY tenant ON {table} USING ({tenancy.POLICY}) WITH CHECK ({tenancy.POLICY})"
        if rights := eraser_rights_of(model):
            yield f"GRANT {', '.join(rights)} ON {table} TO {ERASER}"
    yield from planning.statements(APP)
