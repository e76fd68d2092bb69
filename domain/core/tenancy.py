"""The tenant wall: the setting that row-level security reads, and the one way to set it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

SETTING = "tenure.tenant_id"
# In a sub-select, so that a statement reads the setting once, and not for each row that it writes or looks up.
POLICY = f"tenant_id = (SELECT nullif(current_setting('{SETTING}', true), '')::uuid)"


class TenantMissing(RuntimeError):
    """No tenant was named. Every unit of work belongs to exactly one."""


def enter(tenant_id: UUID) -> str:
    """The statement that puts the rest of a transaction behind one tenant's wall.

    A literal, so that it can stand in one simple query with BEGIN and reaches the workers of a sharded cluster;
    it is formatted from a UUID and nothing else. Raises TenantMissing without one.
    """
    if tenant_id is None:
        raise TenantMissing
    return f"SET LOCAL {SETTING} = '{tenant_id.hex}'"


def begin_reading(tenant_id: UUID) -> str:
    """One simple query that opens a read-only snapshot behind a tenant's wall."""
    return f"BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; {enter(tenant_id)}"
