"""What can happen to tenants, principals and tokens."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from domain.core.due import due
from domain.core.problems import Conflict, NotFound, StaleVersion
from domain.tenants import rules
from domain.tenants.model import (
    ApiToken,
    Calendar,
    IdempotencyKey,
    Principal,
    PrincipalKind,
    Role,
    Tenant,
    TenantEntry,
    TokenPrefix,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing


EXPIRED_ANSWERS = "tenants.expired_answers"
"""The kind of due work that forgets stored answers; due when the first of them expires."""

NOTED_EVERY = timedelta(minutes=5)
"""How exactly the last use of a token is known."""


class SlugTaken(Conflict):
    """Another tenant has this short name. Choose another one."""


@dataclass(frozen=True)
class NewTenant:
    """What a tenant is made from."""

    slug: str
    name: str
    time_zone: str = "UTC"
    calendar: Calendar = Calendar.GREGORIAN
    base_currency: str = "EUR"
    locale: str = "en"


@dataclass(frozen=True)
class IssuedToken:
    """A new token; its secret exists nowhere else and is shown once."""

    token: ApiToken
    secret: rules.TokenParts


async def create_tenant(database: Database, new: NewTenant) -> UUID:
    """Open a tenant: its entry in the directory and its row behind the wall, in one transaction.

    Raises SlugTaken, BadSlug, UnknownTimeZone or UnknownCurrency.
    """
    rules.check_tenant(new.slug, new.time_zone, new.base_currency)
    tenant_id = database.ids()
    try:
        async with database.unit_of_work(tenant_id) as work:
            await work.execute(insert(TenantEntry).values(id=tenant_id, slug=new.slug))
            work.add(
                Tenant(
                    slug=new.slug, name=new.name, time_zone=new.time_zone, calendar=new.calendar,
                    base_currency=new.base_currency, locale=new.locale, vocabulary={},
                    created_at=work.now, updated_at=work.now,
                )
            )  # fmt: skip
            work.audit("tenants.create", f"tenant:{tenant_id.hex}", after={"slug": new.slug})
    except IntegrityError as taken:
        raise SlugTaken(slug=new.slug) from taken
    return tenant_id


async def create_principal(
    work: Writing, name: str, role: Role, kind: PrincipalKind = PrincipalKind.SERVICE
) -> Principal:
    """Let someone or something act for the tenant."""
    principal = Principal(id=work.ids(), kind=kind, name=name, role=role, created_at=work.now)
    work.add(principal)
    work.audit("principals.create", f"principal:{principal.id.hex}", after={"role": role, "kind": kind})
    await work.flush()
    return principal


async def create_token(
    work: Writing, principal: Principal, name: str, scopes: Iterable[str], expires_in: timedelta | None = None
) -> IssuedToken:
    """Issue a token to a principal, within the scopes of its role. Raises UnknownScope."""
    secret = rules.new_token()
    token = ApiToken(
        id=work.ids(), principal_id=principal.id, prefix=secret.prefix, secret_hash=secret.hash, name=name,
        scopes=list(rules.check_scopes(scopes, principal.role)), created_at=work.now,
        expires_at=work.now + expires_in if expires_in else None,
    )  # fmt: skip
    work.add(token)
    await work.execute(insert(TokenPrefix).values(prefix=secret.prefix, tenant_id=work.tenant_id))
    work.audit("tokens.create", f"token:{token.id.hex}", after={"scopes": token.scopes, "prefix": token.prefix})
    return IssuedToken(token, secret)


async def revoke_token(work: Writing, token_id: UUID) -> ApiToken:
    """End a token now; revoking it again changes nothing. Raises NotFound."""
    token = await work.one(select(ApiToken).where(ApiToken.tenant_id == work.tenant_id, ApiToken.id == token_id))
    if token is None:
        raise NotFound(id=token_id)
    if token.revoked_at is None:
        token.revoked_at = work.now
        work.audit("tokens.revoke", f"token:{token.id.hex}")
        await work.flush()
    return token


async def note_token_use(work: Writing, token_id: UUID) -> None:
    """Remember that a token is in use; nothing is written where that was noted some minutes ago."""
    stale = or_(ApiToken.last_used_at.is_(None), ApiToken.last_used_at <= work.now - NOTED_EVERY)
    await work.execute(
        update(ApiToken)
        .where(ApiToken.tenant_id == work.tenant_id, ApiToken.id == token_id, stale)
        .values(last_used_at=work.now)
    )


@due(EXPIRED_ANSWERS)
async def forget_expired_answers(work: Writing, _key: str) -> datetime | None:
    """Remove the stored answers whose time is over, and say when the next one's is."""
    await work.execute(
        delete(IdempotencyKey).where(IdempotencyKey.tenant_id == work.tenant_id, IdempotencyKey.expires_at <= work.now)
    )
    return await work.one(select(func.min(IdempotencyKey.expires_at)).where(IdempotencyKey.tenant_id == work.tenant_id))


async def update_tenant(work: Writing, version: int, changes: Mapping[str, Any]) -> Tenant:
    """Change how a tenant is called and counts. Raises StaleVersion or UnknownTimeZone."""
    tenant = await work.one(select(Tenant).where(Tenant.tenant_id == work.tenant_id).with_for_update())
    if tenant is None:
        raise NotFound
    if tenant.version != version:
        raise StaleVersion(path=("version",), current_version=tenant.version)
    rules.check_tenant(tenant.slug, changes.get("time_zone", tenant.time_zone), tenant.base_currency)
    before = {name: getattr(tenant, name) for name in changes}
    for name, value in changes.items():
        setattr(tenant, name, value)
    tenant.version += 1
    tenant.updated_at = work.now
    work.emit("tenants.TenantChanged", work.tenant_id, fields=sorted(changes))
    work.audit("tenants.update", f"tenant:{work.tenant_id.hex}", before=before, after=dict(changes))
    await work.flush()
    return tenant
