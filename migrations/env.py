"""What Alembic runs: always on the connection that `migrations.run` hands over."""

from __future__ import annotations

from typing import Any

from alembic import context

from domain.core.tables import SCHEMAS
from migrations.models import Base


def _ours(name: str | None, kind: str, _parents: Any) -> bool:
    return kind != "schema" or name in {None, *SCHEMAS}


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    include_schemas=True,
    include_name=_ours,
    compare_type=True,
    compare_server_default=True,
    transactional_ddl=True,
)
context.run_migrations()
