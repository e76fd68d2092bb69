from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from domain.core import audit
from domain.core.tenancy import TenantMissing
from domain.tenants import actions, queries, rules
from domain.tenants.model import ApiToken, Role

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from domain.core.database import Database


async def issue(database: Database, tenant: UUID, **options: timedelta) -> actions.IssuedToken:
    async with database.unit_of_work(tenant) as work:
        principal = await actions.create_principal(work, "front end", Role.VIEWER)
        return await actions.create_token(work, principal, "web", ["customers:read"], **options)


async def test_a_token_stands_for_its_tenant_and_scopes(database: Database, tenant: UUID) -> None:
    issued = await issue(database, tenant)
    identity = await queries.authenticate(database, str(issued.secret))
    assert identity == queries.Identity(
        tenant, issued.token.principal_id, issued.token.id, frozenset({"customers:read"}), None
    )


async def test_only_the_hash_of_the_secret_is_kept(database: Database, tenant: UUID) -> None:
    issued = await issue(database, tenant)
    async with database.reading(tenant) as reading:
        rows = await reading.rows(select(ApiToken.__table__).where(ApiToken.tenant_id == tenant))
    assert len(rows) == 1
    assert issued.secret.secret not in repr(rows)


@pytest.mark.parametrize("spoil", [lambda t: t[:-1] + ("A" if t[-1] != "A" else "B"), lambda t: "tnr_x", lambda t: ""])
async def test_a_spoilt_token_is_refused(database: Database, tenant: UUID, spoil: Callable[[str], str]) -> None:
    issued = await issue(database, tenant)
    with pytest.raises(rules.TokenRefused):
        await queries.authenticate(database, spoil(str(issued.secret)))


async def test_a_revoked_or_expired_token_is_refused(database: Database, tenant: UUID) -> None:
    expired = await issue(database, tenant, expires_in=timedelta(microseconds=1))
    revoked = await issue(database, tenant)
    async with database.unit_of_work(tenant) as work:
        await actions.revoke_token(work, revoked.token.id)
    for token in (expired, revoked):
        with pytest.raises(rules.TokenRefused):
            await queries.authenticate(database, str(token.secret))


async def test_a_role_bounds_the_scopes(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        principal = await actions.create_principal(work, "viewer", Role.VIEWER)
        with pytest.raises(rules.UnknownScope):
            await actions.create_token(work, principal, "too much", ["tokens:admin"])


async def test_a_unit_of_work_without_a_tenant_is_an_exception(database: Database) -> None:
    with pytest.raises(TenantMissing):
        async with database.unit_of_work(None):  # type: ignore[arg-type]
            pass


async def test_the_audit_chain_shows_what_happened_and_cannot_be_altered(database: Database, tenant: UUID) -> None:
    await issue(database, tenant)
    async with database.reading(tenant) as reading:
        head = await audit.verify(reading)
        actions_taken = await reading.all(
            select(audit.AuditEntry.action)
            .where(audit.AuditEntry.tenant_id == tenant)
            .order_by(audit.AuditEntry.position)
        )
    assert head.length == 3
    assert actions_taken == ["tenants.create", "principals.create", "tokens.create"]
    async with database.unit_of_work(tenant) as work:
        with pytest.raises(Exception, match="permission denied"):
            await work.execute(text("UPDATE audit_entries SET actor = 'x' WHERE tenant_id = :t"), {"t": tenant})
