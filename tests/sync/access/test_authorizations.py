"""An authorization is finished by who began it, for the account that the integration reads, once and in time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from domain.core.settings import Settings
from domain.integrations import queries
from domain.integrations.actions import OtherAccount
from domain.integrations.authorizing import (
    AuthorizationExpired,
    AuthorizationFailed,
    AuthorizationMissing,
    AuthorizationOfAnother,
    AuthorizationPending,
    ConnectorNotReady,
    NothingToAuthorize,
    UnknownState,
)
from domain.integrations.model import Authorization
from sync.access import secrets
from sync.access.authorizations import Authorizations
from sync.access.remotes import Remotes
from tenure_sdk import Account, Transient
from tests.sync.access.conftest import integrated
from tests.sync.access.vendor import CLIENT_ID

if TYPE_CHECKING:
    from domain.core.clock import FixedClock
    from domain.integrations.model import Integration
    from tests.sync.access.vendor import Vendor

ANNA, BEN = uuid4(), uuid4()
ACCOUNT = Account("realm-1", "Craft & Sons")


class Desk:
    """One tenant's authorizations of one integration, as the API drives them."""

    def __init__(self, remotes: Remotes, tenant_id: UUID, integration_id: UUID) -> None:
        self.remotes, self.tenant_id, self.integration_id = remotes, tenant_id, integration_id
        self.all = Authorizations(remotes)

    async def begin(self, principal: UUID = ANNA) -> dict[str, str]:
        async with self.remotes.database.unit_of_work(self.tenant_id) as work:
            begun = await self.all.begin(work, self.integration_id, principal)
        self.url = begun.authorize_url
        return {name: values[0] for name, values in parse_qs(urlsplit(begun.authorize_url).query).items()}

    async def park(self, asked: dict[str, str], vendor: Vendor, **brought: str) -> bool:
        given = {"code": vendor.code(asked.get("code_challenge", "")), "realm": "42", **brought}
        return (await self.all.park(asked["state"], given)).granted

    async def examine(self, principal: UUID = ANNA) -> Account:
        return await self.all.examine(self.tenant_id, self.integration_id, principal)

    async def accept(self, principal: UUID = ANNA) -> Account:
        async with self.remotes.database.unit_of_work(self.tenant_id) as work:
            return await self.all.accept(work, self.integration_id, principal)

    async def check(self) -> Account:
        async with self.remotes.open(self.tenant_id, self.integration_id) as remote:
            return await remote.check()

    async def rows(self) -> list[Authorization]:
        async with self.remotes.database.reading(self.tenant_id) as reading:
            return list(await reading.all(select(Authorization).where(Authorization.tenant_id == self.tenant_id)))

    async def integration(self) -> Integration:
        async with self.remotes.database.reading(self.tenant_id) as reading:
            return await queries.integration(reading, self.integration_id)


@pytest.fixture
async def desk(remotes: Remotes, tenant: UUID) -> Desk:
    return Desk(remotes, tenant, await integrated(remotes.database, tenant))


async def test_from_the_address_to_the_account(desk: Desk, vendor: Vendor) -> None:
    asked = await desk.begin()
    assert urlsplit(desk.url)._replace(query="").geturl() == "https://login.acme.example/eu/authorize"
    assert {name: asked[name] for name in asked if name not in {"state", "code_challenge"}} == {
        "response_type": "code", "client_id": CLIENT_ID, "redirect_uri": "https://crm.example.com/oauth/callback",
        "scope": "books offline", "prompt": "consent", "code_challenge_method": "S256",
    }  # fmt: skip
    with pytest.raises(AuthorizationPending):
        await desk.examine()
    assert await desk.park(asked, vendor)
    assert vendor.asked == []  # the callback parks the code only
    assert (await desk.examine(), await desk.examine()) == (ACCOUNT, ACCOUNT)
    assert vendor.grants == ["authorization_code"]
    assert vendor.asked[0]["redirect_uri"] == "https://crm.example.com/oauth/callback"
    assert await desk.accept() == ACCOUNT
    assert await desk.rows() == []
    integration = await desk.integration()
    assert (integration.account, integration.account_label) == ("realm-1", "Craft & Sons")
    assert await desk.check() == ACCOUNT
    bound = await desk.remotes.bound(desk.tenant_id, desk.integration_id)
    assert (bound.callback, vendor.grants) == ({"realm": "42"}, ["authorization_code"])


async def test_nothing_is_accepted_that_nobody_looked_at(desk: Desk, vendor: Vendor) -> None:
    with pytest.raises(AuthorizationMissing):
        await desk.accept()
    await desk.park(await desk.begin(), vendor)
    with pytest.raises(AuthorizationPending):
        await desk.accept()


async def test_another_principal_is_refused(desk: Desk, vendor: Vendor) -> None:
    await desk.park(await desk.begin(), vendor)
    with pytest.raises(AuthorizationOfAnother):
        await desk.examine(BEN)
    await desk.examine()
    with pytest.raises(AuthorizationOfAnother):
        await desk.accept(BEN)
    assert (await desk.integration()).account is None


async def test_a_state_is_good_once(desk: Desk, vendor: Vendor) -> None:
    asked = await desk.begin()
    await desk.park(asked, vendor)
    with pytest.raises(UnknownState):
        await desk.park(asked, vendor)
    again = await desk.begin()
    assert again["state"] != asked["state"]
    with pytest.raises(UnknownState):
        await desk.park(asked, vendor)
    assert await desk.park(again, vendor)


@pytest.mark.parametrize("spoil", [lambda s: s[:-2], lambda s: "A" + s[1:] if s[0] != "A" else "B" + s[1:],
                                   lambda _: "", lambda _: "é", lambda s: s + s, lambda _: "AAAA"])  # fmt: skip
async def test_a_changed_state_is_refused(desk: Desk, vendor: Vendor, spoil: object) -> None:
    asked = await desk.begin()
    with pytest.raises(UnknownState):
        await desk.park({**asked, "state": spoil(asked["state"])}, vendor)  # type: ignore[operator]
    assert await desk.park(asked, vendor)


async def test_ten_minutes_to_come_back_and_an_hour_to_confirm(desk: Desk, vendor: Vendor, clock: FixedClock) -> None:
    asked = await desk.begin()
    clock.move(timedelta(minutes=10))
    with pytest.raises(AuthorizationExpired):
        await desk.park(asked, vendor)
    asked = await desk.begin()
    clock.move(timedelta(minutes=9, seconds=59))
    await desk.park(asked, vendor)
    clock.move(timedelta(minutes=30))
    await desk.examine()
    clock.move(timedelta(minutes=30))
    with pytest.raises(AuthorizationExpired):
        await desk.accept()


async def test_another_account_than_the_integrations_is_refused(desk: Desk, vendor: Vendor) -> None:
    await desk.park(await desk.begin(), vendor)
    await desk.examine()
    await desk.accept()
    vendor.account = {"id": "realm-2", "label": "Others Ltd"}
    await desk.park(await desk.begin(), vendor)
    with pytest.raises(OtherAccount, match=r"This is the account Others Ltd; the integration reads Craft & Sons\."):
        await desk.examine()
    with pytest.raises(AuthorizationPending):
        await desk.accept()
    assert (await desk.integration()).account == "realm-1"


@pytest.mark.parametrize(
    ("brought", "told"),
    [
        ({"error": "access_denied", "error_description": "No."}, r"The vendor refused: access_denied: No\."),
        ({"realm": ""}, "The vendor's answer has no realm"),
        ({"code": ""}, "The vendor's answer has no code"),
    ],
)
async def test_a_refusal_is_told_in_words(desk: Desk, vendor: Vendor, brought: dict[str, str], told: str) -> None:
    assert not await desk.park(await desk.begin(), vendor, **brought)
    with pytest.raises(AuthorizationFailed, match=told):
        await desk.examine()


async def test_a_code_that_the_vendor_refuses_has_to_be_asked_for_anew(desk: Desk, vendor: Vendor) -> None:
    await desk.park(await desk.begin(), vendor, code="stolen")
    for _ in range(2):
        with pytest.raises(AuthorizationFailed, match="invalid_grant: Token invalid"):
            await desk.examine()
    assert vendor.grants == ["authorization_code"]


async def test_a_vendor_that_fails_meanwhile_is_asked_again(desk: Desk, vendor: Vendor) -> None:
    await desk.park(await desk.begin(), vendor)
    vendor.answers = [(503, b"")]
    with pytest.raises(Transient):
        await desk.examine()
    assert await desk.examine() == ACCOUNT


async def test_an_administrators_consent(remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock) -> None:
    desk = Desk(remotes, tenant, await integrated(remotes.database, tenant, "acme-alone"))
    asked = await desk.begin()
    assert desk.url.startswith("https://login.acme.example/consent?client_id=the-app&redirect_uri=https%3A%2F%2Fcrm.")
    assert set(asked) == {"client_id", "redirect_uri", "state"}
    assert await desk.park(asked, vendor, tenant="the-directory", admin_consent="True")
    await desk.examine()
    await desk.accept()
    clock.move(timedelta(hours=2))
    assert await desk.check() == ACCOUNT
    assert vendor.asked == [{"grant_type": "client_credentials", "scope": ".default"}] * 2


async def test_an_app_of_the_tenants_own_comes_first(
    remotes: Remotes, tenant: UUID, vendor: Vendor, tmp_path: object
) -> None:
    desk = Desk(remotes, tenant, await integrated(remotes.database, tenant))
    async with remotes.database.unit_of_work(tenant) as work:
        own = {"client_id": "own", "client_secret": "its-secret"}
        await secrets.set_secrets(work, remotes.vault, desk.integration_id, own)
    assert (await desk.begin())["client_id"] == "own"


async def test_what_is_missing_is_told_before_anything_begins(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    bare = Settings(data=remotes.settings.data, oauth={})
    integration_id = await integrated(remotes.database, tenant)
    async with Remotes(remotes.database, bare, remotes.registry) as unready:
        desk = Desk(unready, tenant, integration_id)
        with pytest.raises(ConnectorNotReady, match=r"TENURE_OAUTH_ACME_BOOKS_ID .*TENURE_PUBLIC_URL"):
            await desk.begin()
    assert await desk.rows() == []


async def test_a_key_needs_no_authorization(remotes: Remotes, tenant: UUID) -> None:
    desk = Desk(remotes, tenant, await integrated(remotes.database, tenant, "acme-key"))
    with pytest.raises(NothingToAuthorize):
        await desk.begin()


async def test_the_browser_is_led_to_the_sandbox(remotes: Remotes, tenant: UUID) -> None:
    settings = remotes.settings.model_copy(update={"sandboxes": "acme-books=http://127.0.0.1:9001"})
    async with Remotes(remotes.database, settings, remotes.registry) as opened:
        desk = Desk(opened, tenant, await integrated(remotes.database, tenant))
        await desk.begin()
    assert desk.url.startswith("http://127.0.0.1:9001/eu/authorize?")


async def test_nothing_of_an_authorization_can_be_read_in_the_database(desk: Desk, vendor: Vendor) -> None:
    asked = await desk.begin()
    await desk.park(asked, vendor)
    stored = [value for row in await desk.rows() for value in vars(row).values()]
    await desk.examine()
    stored += [value for row in await desk.rows() for value in vars(row).values()]
    text = repr(stored)
    for secret in (asked["state"], "code-0", vendor.access_token, vendor.refresh_token):
        assert secret not in text


async def test_a_token_is_revoked_at_the_vendor(desk: Desk, vendor: Vendor) -> None:
    assert not await desk.all.revoke(desk.tenant_id, desk.integration_id)
    await desk.park(await desk.begin(), vendor)
    await desk.examine()
    await desk.accept()
    assert await desk.all.revoke(desk.tenant_id, desk.integration_id)
    assert vendor.revoked == ["refresh-1"]


async def test_a_cancelled_authorization_is_gone(desk: Desk, vendor: Vendor) -> None:
    asked = await desk.begin()
    async with desk.remotes.database.unit_of_work(desk.tenant_id) as work:
        await desk.all.cancel(work, desk.integration_id)
    with pytest.raises(UnknownState):
        await desk.park(asked, vendor)


async def test_a_state_is_bound_to_its_tenant(desk: Desk, vendor: Vendor, other_tenant: UUID) -> None:
    other = Desk(desk.remotes, other_tenant, await integrated(desk.remotes.database, other_tenant))
    await desk.park(await desk.begin(), vendor)
    with pytest.raises(AuthorizationMissing):
        await other.examine()
