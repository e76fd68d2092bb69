"""How tenants, principals and tokens are found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from domain.core.problems import NotFound
from domain.core.statements import statement
from domain.tenants import rules
from domain.tenants.model import ApiToken, Principal, TenantEntry, TokenPrefix

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading


@dataclass(frozen=True)
class Identity:
    """Who asks: the tenant, the principal and what the token may do."""

    tenant_id: UUID
    principal_id: UUID
    token_id: UUID
    scopes: frozenset[str]
    expires_at: datetime | None


class ThisTenant(NamedTuple):
    """What records are read by: the zone of a tenant's days, the currency of its totals, the language of its labels."""

    slug: str
    time_zone: str
    base_currency: str
    locale: str


async def authenticate(database: Database, token: str) -> Identity:
    """Who a bearer token stands for. Raises TokenRefused when it is unknown, revoked or expired."""
    parts = rules.parse_token(token)
    async with database.directory() as connection:
        tenant_id = await connection.scalar(
            select(TokenPrefix.tenant_id)
            .join(TenantEntry, TenantEntry.id == TokenPrefix.tenant_id)
            .where(TokenPrefix.prefix == parts.prefix, TenantEntry.status == "ACTIVE")
        )
    if tenant_id is None:
        raise rules.TokenRefused
    async with database.reading(tenant_id) as reading:
        held = await reading.one(
            select(ApiToken)
            .join(Principal, (Principal.tenant_id == ApiToken.tenant_id) & (Principal.id == ApiToken.principal_id))
            .where(
                ApiToken.tenant_id == tenant_id, ApiToken.prefix == parts.prefix, Principal.disabled_at.is_(None)
            )
        )  # fmt: skip
    if held is None:
        raise rules.TokenRefused
    rules.accept_token(
        parts, held.secret_hash, expires_at=held.expires_at, revoked_at=held.revoked_at, now=database.clock.now()
    )
    return Identity(tenant_id, held.principal_id, held.id, frozenset(held.scopes), held.expires_at)


async def tenant(reading: Reading) -> ThisTenant:
    """The tenant of this transaction."""
    found = await reading.rows(_TENANT, {"tenant": reading.tenant_id})
    if not found:
        raise NotFound
    return ThisTenant._make(found[0])


_TENANT = statement(f"SELECT {', '.join(ThisTenant._fields)} FROM tenants WHERE tenant_id = :tenant")


async def by_slug(database: Database, slug: str) -> UUID:
    """The id of the tenant with a short name. Raises NotFound."""
    async with database.directory() as connection:
        found: UUID | None = await connection.scalar(select(TenantEntry.id).where(TenantEntry.slug == slug))
    if found is None:
        raise NotFound(f"There is no tenant called {slug}. `tenure tenants list` shows those there are.")
    return found


async def every_tenant(database: Database) -> Sequence[TenantEntry]:
    """The directory's entries, by short name: for the operator only."""
    async with database.directory() as connection:
        found = await connection.execute(select(TenantEntry).order_by(TenantEntry.slug))
        return [TenantEntry(id=row.id, slug=row.slug, status=row.status) for row in found]


async def tokens(reading: Reading) -> Sequence[ApiToken]:
    """Every token of the tenant, the newest first."""
    return await reading.all(
        select(ApiToken).where(ApiToken.tenant_id == reading.tenant_id).order_by(ApiToken.id.desc())
    )
