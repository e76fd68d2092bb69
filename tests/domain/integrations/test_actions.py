"""An integration's life: enabled, made, recognised, switched on and off; what is refused changes nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from domain.core.audit import AuditEntry
from domain.core.events import DueWork, OutboxEvent, make_due
from domain.core.problems import NotFound, StaleVersion
from domain.integrations import actions, queries, rules
from domain.integrations.model import (
    Integration,
    IntegrationSecret,
    IntegrationState,
    Ownership,
    RemoteAccount,
    StreamSetting,
    SyncDirection,
)

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing

BOOKS = "books"
State = IntegrationState


async def made(work: Writing, *states: State) -> Integration:
    await actions.enable(work, BOOKS)
    integration = await actions.create(work, BOOKS, "Our books", version="1.0.0")
    for state in states:
        await actions.move(work, integration, state)
    return integration


async def events(work: Writing) -> list[tuple[str, dict[str, Any]]]:
    found = await work.all(select(OutboxEvent).where(OutboxEvent.tenant_id == work.tenant_id).order_by(OutboxEvent.id))
    return [(event.name, event.body) for event in found]


async def test_a_connector_must_be_enabled_and_cannot_be_taken_from_those_who_use_it(
    database: Database, tenant: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        with pytest.raises(actions.NotEnabled):
            await actions.create(work, BOOKS, "Our books")
        await made(work)
        with pytest.raises(actions.InUse):
            await actions.disable(work, BOOKS)
        assert await queries.is_enabled(work, BOOKS)
        assert not await queries.is_enabled(work, "other")


async def test_states_follow_each_other_and_every_move_is_told(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        integration = await made(work, State.AUTHORIZING, State.CHECKING, State.ACTIVE)
        assert (integration.state, integration.activated_at) == ("ACTIVE", work.now)
        await actions.move(work, integration, State.NEEDS_REAUTH, "The refresh token was refused.")
        with pytest.raises(rules.WrongState, match=r"NEEDS_REAUTH; from there it can become .* not RATE_LIMITED"):
            await actions.move(work, integration, State.RATE_LIMITED)
        subject = integration.id
    async with database.unit_of_work(tenant) as work:
        states = [body.get("state") for name, body in await events(work) if name == "integrations.StateChanged"]
        assert states == ["AUTHORIZING", "CHECKING", "ACTIVE", "NEEDS_REAUTH"]
        assert [name for name, _ in await events(work)].count("integrations.NeedsReauth") == 1
        audited = await work.all(select(AuditEntry.action).where(AuditEntry.tenant_id == tenant))
        assert [audited.count(f"integrations.{deed}") for deed in ("create", "move")] == [1, 4]
        assert (await queries.integration(work, subject)).reason == "The refresh token was refused."


def test_every_state_is_reachable_and_none_is_a_trap() -> None:
    assert rules.MOVES.keys() == {str(state) for state in State}
    reached, frontier = {"DRAFT"}, ["DRAFT"]
    while frontier:
        following = rules.MOVES[frontier.pop()] - reached
        reached |= following
        frontier += following
    assert reached == rules.MOVES.keys()
    assert all(rules.MOVES.values())


async def test_an_account_is_recognised_once(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        first, second = await made(work), await actions.create(work, BOOKS, "Other books")
        await actions.recognise(work, first, "realm-1", "Acme")
        await actions.recognise(work, first, "realm-1", "Acme Ltd")
        with pytest.raises(actions.OtherAccount, match="Beta; the integration reads Acme Ltd"):
            await actions.recognise(work, first, "realm-2", "Beta")
        with pytest.raises(actions.AccountTaken):
            await actions.recognise(work, second, "realm-1", "Acme")
        assert (first.account, first.account_label, second.account) == ("realm-1", "Acme Ltd", None)
        entries = await work.all(select(RemoteAccount.integration_id).where(RemoteAccount.tenant_id == tenant))
        assert entries == [first.id]


async def test_settings_change_on_the_version_they_were_decided_on(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        integration = await made(work)
        await actions.configure(work, integration, 1, label="Books", config={"region": "eu"})
        assert (integration.label, integration.config, integration.version) == ("Books", {"region": "eu"}, 2)
        with pytest.raises(StaleVersion):
            await actions.configure(work, integration, 1, label="Late")
        await actions.configure(work, integration, 2, label="Books")
        assert integration.version == 2


async def test_streams_are_read_only_until_somebody_says_otherwise(database: Database, tenant: UUID) -> None:
    choice = actions.StreamChoice("customers", every=timedelta(hours=1), ownership={"name": Ownership.LOCAL})
    async with database.unit_of_work(tenant) as work:
        integration = await made(work)
        await actions.choose(work, integration, [choice])
        await actions.choose(work, integration, [actions.StreamChoice("customers", direction=SyncDirection.TWO_WAY)])
        setting = (await queries.settings(work, integration.id))["customers"]
        assert (setting.direction, setting.every_seconds, setting.ownership) == ("TWO_WAY", 3600, {"name": "LOCAL"})
    with pytest.raises(rules.UnknownStream, match="no stream orders; it has: customers"):
        rules.check_streams(["customers", "orders"], ["customers"])


def test_who_wins() -> None:
    assert rules.owner_of("balance", "accounting", {}) == "REMOTE"
    assert rules.owner_of("balance", "crm", {}) == "NEWEST"
    assert rules.owner_of("emails", "accounting", {"emails": "MANUAL"}) == "MANUAL"


async def test_detaching_leaves_nothing_due_and_no_secret_and_can_be_taken_up_again(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        integration = await made(work, State.CHECKING, State.ACTIVE)
        await actions.recognise(work, integration, "realm-9", "Acme")
        work.add(
            IntegrationSecret(
                integration_id=integration.id, name="token", ciphertext=b"secret", key_id="1", updated_at=work.now
            )
        )
        for key in (f"{integration.id.hex}:customers", "0" * 32):
            await make_due(work.session, tenant, "sync", key, work.now)
        await actions.detach(work, integration, "An admin disconnected it.")
        due = await work.all(select(DueWork.key).where(DueWork.tenant_id == tenant, DueWork.kind == "sync"))
        kept = await work.all(select(IntegrationSecret.ciphertext).where(IntegrationSecret.tenant_id == tenant))
        assert (due, kept) == (["0" * 32], [None])
        assert await work.all(select(RemoteAccount).where(RemoteAccount.tenant_id == tenant)) == []
        await actions.move(work, integration, State.DRAFT)
        await actions.recognise(work, integration, "realm-9", "Acme")
        assert await work.all(select(StreamSetting).where(StreamSetting.tenant_id == tenant)) == []
    async with database.reading(other_tenant) as elsewhere:
        with pytest.raises(NotFound):
            await queries.integration(elsewhere, integration.id)
