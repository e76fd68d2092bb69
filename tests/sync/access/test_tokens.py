"""Tokens are renewed once, by one of many, and kept before they are used."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from domain.core.due import Jobs
from domain.core.events import DueWork, Reactions
from domain.integrations import actions, queries
from domain.integrations.model import IntegrationState
from sync.access import idle, tokens
from sync.access.oauth import Token
from sync.worker import Worker
from tenure_sdk import Account, AuthRevoked, ConfigInvalid, RateLimited, Transient
from tests.sync.access.conftest import integrated
from tests.sync.access.vendor import Acme

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.clock import FixedClock
    from sync.access.remotes import Remotes
    from tests.sync.access.vendor import Vendor

LABEL = Account("realm-1", "Craft & Sons")


async def authorised(
    remotes: Remotes, tenant_id: UUID, *, expires_in: int = 3600, refresh: str | None = "refresh-0"
) -> UUID:
    integration_id = await integrated(remotes.database, tenant_id)
    async with remotes.database.unit_of_work(tenant_id) as work:
        token = Token(
            access_token="access-0", refresh_token=refresh, issued_at=work.now,
            expires_at=work.now + timedelta(seconds=expires_in), callback={"realm": "42"},
        )  # fmt: skip
        await tokens.keep_token(work, remotes.vault, integration_id, token)
    return integration_id


async def check(remotes: Remotes, tenant_id: UUID, integration_id: UUID) -> Account:
    async with remotes.open(tenant_id, integration_id) as remote:
        return await remote.check()


async def kept(remotes: Remotes, tenant_id: UUID, integration_id: UUID) -> Token:
    async with remotes.database.reading(tenant_id) as reading:
        issued = await tokens.issued_to(reading, remotes.vault, integration_id)
    assert issued is not None
    return issued.token


async def test_a_good_token_is_used_as_it_is(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    assert await check(remotes, tenant, await authorised(remotes, tenant)) == LABEL
    assert vendor.asked == []


async def test_a_token_is_renewed_before_it_expires(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant)
    clock.move(timedelta(minutes=54))
    await check(remotes, tenant, integration_id)
    assert vendor.grants == []
    clock.move(timedelta(minutes=2))
    await check(remotes, tenant, integration_id)
    assert vendor.asked == [{"grant_type": "refresh_token", "refresh_token": "refresh-0"}]
    assert vendor.headers[-2]["x-acme"] == "1"
    token = await kept(remotes, tenant, integration_id)
    assert (token.access_token, token.refresh_token, token.callback) == ("access-1", "refresh-1", {"realm": "42"})
    assert token.expires_at == clock.now() + timedelta(hours=1)


async def test_many_who_need_it_at_once_renew_it_once(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant)
    vendor.pause = 0.05
    clock.move(timedelta(hours=2))
    found = await asyncio.gather(*(check(remotes, tenant, integration_id) for _ in range(8)))
    assert (found, vendor.grants) == ([LABEL] * 8, ["refresh_token"])


async def test_a_refused_token_is_renewed_though_it_looks_good(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    integration_id = await authorised(remotes, tenant)
    vendor.access_token = "another"
    found = await asyncio.gather(*(check(remotes, tenant, integration_id) for _ in range(4)))
    assert (found, vendor.grants) == ([LABEL] * 4, ["refresh_token"])


async def test_a_vendor_that_tells_no_refresh_token_means_the_old_one(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant)
    vendor.rotates = vendor.tells_refresh = False
    for _ in range(2):
        clock.move(timedelta(hours=2))
        await check(remotes, tenant, integration_id)
    assert [asked["refresh_token"] for asked in vendor.asked] == ["refresh-0", "refresh-0"]


async def test_a_token_of_a_short_life_is_not_renewed_at_every_request(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant, expires_in=1)
    vendor.lives = 60
    clock.move(timedelta(seconds=1))
    for _ in range(3):
        await check(remotes, tenant, integration_id)
    assert vendor.grants == ["refresh_token"]
    clock.move(timedelta(seconds=31))
    await check(remotes, tenant, integration_id)
    assert vendor.grants == ["refresh_token"] * 2


async def test_a_revoked_authorization_is_asked_about_once(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant)
    vendor.refresh_token = "of somebody else"
    clock.move(timedelta(hours=2))
    for _ in range(3):
        with pytest.raises(AuthRevoked, match="authorise"):
            await check(remotes, tenant, integration_id)
    assert vendor.grants == ["refresh_token"]


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ((503, b"<html>down</html>"), Transient),
        ((200, b"<html>sorry</html>"), Transient),
        ((200, {"token_type": "bearer"}), Transient),
        ((400, b"{cut"), Transient),
        ((429, {"error": "slow"}), RateLimited),
        ((400, {"error": "temporarily_unavailable"}), Transient),
        ((401, {"error": "invalid_client", "error_description": "the-apps-secret is wrong"}), ConfigInvalid),
    ],
)
async def test_a_token_endpoint_that_fails_loses_nothing(
    remotes: Remotes,
    tenant: UUID,
    vendor: Vendor,
    clock: FixedClock,
    answer: tuple[int, bytes],
    problem: type[Exception],
) -> None:
    integration_id = await authorised(remotes, tenant)
    clock.move(timedelta(hours=2))
    issued = await kept(remotes, tenant, integration_id)
    vendor.answers = [answer]
    async with remotes.open(tenant, integration_id) as remote:
        with pytest.raises(problem) as raised:
            await remote.check()
    assert "the-apps-secret" not in str(raised.value)
    assert await kept(remotes, tenant, integration_id) == issued
    assert await check(remotes, tenant, integration_id) == LABEL


async def test_a_token_that_still_works_is_used_while_it_cannot_be_renewed(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant)
    vendor.answers = [(503, b"")]
    clock.move(timedelta(minutes=57))
    assert await check(remotes, tenant, integration_id) == LABEL
    assert vendor.grants == ["refresh_token"]


async def test_who_stops_waiting_does_not_stop_the_renewal(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await authorised(remotes, tenant)
    clock.move(timedelta(hours=2))
    vendor.pause = 0.2
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await check(remotes, tenant, integration_id)
    await remotes.tokens.close()
    assert (await kept(remotes, tenant, integration_id)).refresh_token == "refresh-1"


async def test_nobody_has_authorised_yet(remotes: Remotes, tenant: UUID, vendor: Vendor) -> None:
    integration_id = await integrated(remotes.database, tenant)
    with pytest.raises(AuthRevoked, match="Nobody has authorised"):
        await check(remotes, tenant, integration_id)
    assert vendor.asked == []


async def watched(remotes: Remotes, tenant_id: UUID) -> UUID:
    """An integration that is active, with a token that somebody looks after."""
    integration_id = await authorised(remotes, tenant_id)
    async with remotes.database.unit_of_work(tenant_id) as work:
        integration = await queries.integration(work, integration_id)
        for state in ("CHECKING", "ACTIVE"):
            await actions.move(work, integration, IntegrationState(state))
        issued = await tokens.issued_to(work, remotes.vault, integration_id)
        assert issued is not None
        await idle.watch(work, integration_id, Acme.auth, issued.token)
    return integration_id


async def work_off(remotes: Remotes) -> None:
    jobs = Jobs()
    idle.register(jobs, remotes)
    await Worker(remotes.database, asyncio.Event(), Reactions(), jobs).work()


async def due_at(remotes: Remotes, tenant_id: UUID) -> list[tuple[str, datetime]]:
    async with remotes.database.directory() as connection:
        due = select(DueWork.key, DueWork.due_at).where(DueWork.tenant_id == tenant_id, DueWork.kind == "token")
        return [(key, at) for key, at in await connection.execute(due)]


async def test_an_unused_token_is_renewed_once_a_day(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await watched(remotes, tenant)
    day = timedelta(hours=24)
    assert await due_at(remotes, tenant) == [(integration_id.hex, clock.now() + day)]
    for count in (1, 2):
        clock.move(day)
        await work_off(remotes)
        assert vendor.grants == ["refresh_token"] * count
        assert await due_at(remotes, tenant) == [(integration_id.hex, clock.now() + day)]


async def test_a_token_that_is_used_is_not_renewed_beside(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await watched(remotes, tenant)
    clock.move(timedelta(hours=23))
    await check(remotes, tenant, integration_id)
    renewed = clock.now()
    clock.move(timedelta(hours=1))
    await work_off(remotes)
    assert vendor.grants == ["refresh_token"]
    assert await due_at(remotes, tenant) == [(integration_id.hex, renewed + timedelta(hours=24))]


async def test_an_unused_token_that_was_revoked_waits_for_a_person(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await watched(remotes, tenant)
    vendor.refresh_token = "another"
    clock.move(timedelta(hours=24))
    await work_off(remotes)
    assert await due_at(remotes, tenant) == []
    async with remotes.database.reading(tenant) as reading:
        integration = await queries.integration(reading, integration_id)
    assert integration.state == "NEEDS_REAUTH"
    assert "invalid_grant" in (integration.reason or "")


async def test_a_vendor_that_is_away_is_asked_again_in_an_hour(
    remotes: Remotes, tenant: UUID, vendor: Vendor, clock: FixedClock
) -> None:
    integration_id = await watched(remotes, tenant)
    vendor.answers = [(503, b"")]
    clock.move(timedelta(hours=24))
    await work_off(remotes)
    assert await due_at(remotes, tenant) == [(integration_id.hex, clock.now() + timedelta(hours=1))]
