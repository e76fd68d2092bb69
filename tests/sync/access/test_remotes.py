"""The other side of an integration is opened with its own settings and secrets, which show nowhere."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx2
import pytest
from sqlalchemy import select

from domain.core.audit import AuditEntry
from domain.core.problems import NotFound
from domain.integrations.model import IntegrationSecret
from sync.access import secrets
from sync.access.readiness import missing, redirect_uri
from sync.access.remotes import Remotes
from tenure_sdk import Account, AuthRevoked, ConfigInvalid, RateLimited
from tests.sync.access.conftest import integrated
from tests.sync.access.vendor import Acme, AcmeAlone, AcmeKey

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.clock import FixedClock
    from tests.sync.access.vendor import Vendor

KEY = "the-key-of-the-shop"


async def with_secrets(remotes: Remotes, tenant_id: UUID, **given: str | None) -> UUID:
    integration_id = await integrated(remotes.database, tenant_id, "acme-key")
    async with remotes.database.unit_of_work(tenant_id) as work:
        await secrets.set_secrets(work, remotes.vault, integration_id, given)
    return integration_id


async def check(remotes: Remotes, tenant_id: UUID, integration_id: UUID) -> Account:
    async with remotes.open(tenant_id, integration_id) as remote:
        return await remote.check()


async def test_a_key_lets_requests_in(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    vendor.access_token = KEY
    integration_id = await with_secrets(remotes, tenant, api_key=KEY)
    assert await check(remotes, tenant, integration_id) == Account("realm-1", "Craft & Sons")
    assert vendor.headers[-1]["x-key"] == KEY


async def test_a_key_that_is_refused_waits_for_a_person(remotes: Remotes, tenant: UUID) -> None:
    with pytest.raises(AuthRevoked):
        await check(remotes, tenant, await with_secrets(remotes, tenant, api_key=KEY))


async def test_a_key_that_is_missing_or_removed_is_named(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    integration_id = await with_secrets(remotes, tenant, api_key=KEY)
    async with remotes.database.unit_of_work(tenant) as work:
        await secrets.set_secrets(work, remotes.vault, integration_id, {"api_key": None})
        assert await secrets.secret_names(work, integration_id) == frozenset()
    with pytest.raises(ConfigInvalid, match="The secret api_key is missing"):
        await check(remotes, tenant, integration_id)
    assert vendor.headers == []


async def test_another_tenants_integration_is_not_found(remotes: Remotes, tenant: UUID, other_tenant: UUID) -> None:
    integration_id = await with_secrets(remotes, tenant, api_key=KEY)
    with pytest.raises(NotFound):
        await check(remotes, other_tenant, integration_id)


async def test_a_new_value_replaces_the_old_one_for_good(remotes: Remotes, tenant: UUID) -> None:
    integration_id = await with_secrets(remotes, tenant, api_key="first value")
    async with remotes.database.unit_of_work(tenant) as work:
        await secrets.set_secrets(work, remotes.vault, integration_id, {"api_key": "second value"})
        rows = await work.all(select(IntegrationSecret).where(IntegrationSecret.tenant_id == tenant))
        assert [(row.name, row.version) for row in rows] == [("api_key", 2)]
        assert await secrets.secrets_of(work, remotes.vault, integration_id) == {"api_key": "second value"}


async def test_secrets_show_nowhere(remotes: Remotes, tenant: UUID, caplog: pytest.LogCaptureFixture) -> None:
    signing = "the-signing-key"
    integration_id = await with_secrets(remotes, tenant, api_key=KEY, signing=signing)
    bound = await remotes.bound(tenant, integration_id)
    with caplog.at_level(logging.DEBUG):
        bound.log.warning("signing with %s", signing)
        ctx = bound.context(None)
        ctx.log.warning("asking with %s and %s", signing, KEY)
        ctx.log.info("nothing secret: %d rows", 7)
    async with remotes.database.reading(tenant) as reading:
        rows = await reading.all(select(IntegrationSecret).where(IntegrationSecret.tenant_id == tenant))
        entries = await reading.all(select(AuditEntry).where(AuditEntry.tenant_id == tenant))
    stored = [value for row in (*rows, *entries) for value in vars(row).values()]
    text = repr((bound, bound.host, remotes, stored)) + caplog.text + repr(await bound.host.credentials())
    assert "nothing secret: 7 rows" in caplog.text
    for hidden in (KEY, signing):
        assert hidden not in text


def test_what_is_missing_is_told_with_its_remedy(remotes: Remotes) -> None:
    ready = remotes.settings
    bare = ready.model_copy(update={"oauth": {}, "public_url": None})
    assert [missing(ready, connector) for connector in (Acme, AcmeAlone, AcmeKey)] == [[], [], []]
    assert missing(bare, AcmeKey) == []
    app, address = missing(bare, AcmeAlone)
    assert "TENURE_OAUTH_ACME_ALONE_ID and TENURE_OAUTH_ACME_ALONE_SECRET" in app
    assert "TENURE_PUBLIC_URL" in address
    assert missing(bare, Acme, known=("client_id", "client_secret")) == [address]
    assert (redirect_uri(bare), redirect_uri(ready)) == (None, "https://crm.example.com/oauth/callback")


async def test_all_integrations_of_a_connector_share_one_client(remotes: Remotes, tenant: UUID) -> None:
    first = await remotes.bound(tenant, await with_secrets(remotes, tenant, api_key=KEY))
    second = await remotes.bound(tenant, await with_secrets(remotes, tenant, api_key=KEY))
    assert first.client is second.client
    assert remotes.client("acme-books") is not first.client


async def test_a_protest_of_the_vendor_holds_every_worker(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    vendor.access_token = KEY
    integration_id = await with_secrets(remotes, tenant, api_key=KEY)
    vendor.protests = [120]
    for _ in range(2):
        with pytest.raises(RateLimited) as limited:
            await check(remotes, tenant, integration_id)
        assert 119 < limited.value.retry_after <= 120
    transports = {"acme-key": httpx2.ASGITransport(vendor)}
    async with Remotes(remotes.database, remotes.settings, remotes.registry, transports) as others:
        with pytest.raises(RateLimited):
            await check(others, tenant, integration_id)
        assert len(vendor.headers) == 1
        clock.move(timedelta(seconds=120))
        assert (await check(others, tenant, integration_id)).id == "realm-1"


async def test_pace_is_kept_for_each_account_apart(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    vendor.access_token = KEY
    vendor.protests = [120]
    slow, other = [await with_secrets(remotes, tenant, api_key=KEY) for _ in range(2)]
    with pytest.raises(RateLimited):
        await check(remotes, tenant, slow)
    assert (await check(remotes, tenant, other)).id == "realm-1"
