"""What can happen to integrations: they are made, move from state to state, and are told what to read and write."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from domain.core import events
from domain.core.events import DueWork
from domain.core.problems import Conflict, StaleVersion
from domain.integrations import queries, rules
from domain.integrations.model import (
    DriftPolicy,
    Enablement,
    Integration,
    IntegrationSecret,
    IntegrationState,
    RemoteAccount,
    StreamSetting,
    StreamState,
    SyncDirection,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, timedelta

    from domain.core.unit_of_work import Writing


class NotEnabled(Conflict):
    """The connector is not enabled for this tenant. Enable it first."""


class InUse(Conflict):
    """The connector still has integrations that are connected. Disconnect them first."""


class AccountTaken(Conflict):
    """Another integration of this connector has this account. Take that one up again instead."""


class OtherAccount(Conflict):
    """The authorization leads to another account than the integration's. Authorise with the account it has."""


@dataclass(frozen=True)
class StreamChoice:
    """What an admin chooses for a stream; what is None stays as it is."""

    stream: str
    enabled: bool | None = None
    direction: SyncDirection | None = None
    since: datetime | None = None
    every: timedelta | None = None
    ownership: Mapping[str, str] = field(default_factory=dict)


async def enable(work: Writing, connector: str) -> None:
    """Let the tenant use a connector; doing it again changes nothing."""
    if not await queries.is_enabled(work, connector):
        await _set_enabled(work, connector, enabled=True)


async def disable(work: Writing, connector: str) -> None:
    """Take a connector from the tenant again. Raises InUse while it has integrations that are connected."""
    connected = select(Integration.id).where(
        Integration.tenant_id == work.tenant_id,
        Integration.connector == connector,
        Integration.state != IntegrationState.DISCONNECTED,
    )
    if await work.all(connected.limit(1)):
        raise InUse(connector=connector)
    if await queries.is_enabled(work, connector):
        await _set_enabled(work, connector, enabled=False)


async def create(work: Writing, connector: str, label: str, *, version: str | None = None) -> Integration:
    """Begin an integration, as a draft without an account. Raises NotEnabled."""
    if not await queries.is_enabled(work, connector):
        raise NotEnabled(connector=connector)
    made = Integration(
        id=work.ids(), connector=connector, label=label, config={}, connector_version=version,
        state=IntegrationState.DRAFT, state_since=work.now, created_at=work.now, updated_at=work.now,
    )  # fmt: skip
    work.add(made)
    await work.flush()
    work.audit("integrations.create", _subject(made), after={"connector": connector})
    return made


async def configure(
    work: Writing, integration: Integration, expected_version: int, *, label: str | None = None,
    config: Mapping[str, Any] | None = None, drift_policy: DriftPolicy | None = None,
) -> Integration:  # fmt: skip
    """Change how an integration is called and set up; `config` is valid, and holds no secret. Raises StaleVersion."""
    if integration.version != expected_version:
        raise StaleVersion(path=("version",), current_version=integration.version)
    changed = {
        name: value
        for name, value in (("label", label), ("config", config), ("drift_policy", drift_policy))
        if value is not None and value != getattr(integration, name)
    }
    for name, value in changed.items():
        setattr(integration, name, value)
    if changed:
        _touch(work, integration)
        work.audit("integrations.update", _subject(integration), after={"changed": sorted(changed)})
    await work.flush()
    return integration


async def move(work: Writing, integration: Integration, to: IntegrationState, reason: str | None = None) -> None:
    """Bring an integration into another state, and tell of it; staying where it is changes nothing but the reason.

    Raises WrongState.
    """
    if integration.state == to:
        integration.reason = reason
        return
    rules.check_move(integration.state, to)
    before, integration.state = integration.state, to
    integration.reason, integration.state_since = reason, work.now
    if to == IntegrationState.ACTIVE and integration.activated_at is None:
        integration.activated_at = work.now
    _touch(work, integration)
    work.audit("integrations.move", _subject(integration), before={"state": before}, after={"state": to})
    work.emit("integrations.StateChanged", integration.id, before=before, state=to, reason=reason)
    if to == IntegrationState.NEEDS_REAUTH:
        work.emit("integrations.NeedsReauth", integration.id, reason=reason)
    await work.flush()


def check_account(integration: Integration, account: str, label: str) -> None:
    """Raises OtherAccount where an integration already reads another account than this."""
    if integration.account is not None and integration.account != account:
        raise OtherAccount(
            f"This is the account {label}; the integration reads {integration.account_label or integration.account}. "
            "Authorise with that one, or make a new integration for this one.",
            account=account,
        )


async def recognise(work: Writing, integration: Integration, account: str, label: str) -> None:
    """Note which account an integration reads: once and for ever. Raises OtherAccount, or AccountTaken."""
    check_account(integration, account, label)
    if integration.account is None:
        taken = select(Integration.id).where(
            Integration.tenant_id == work.tenant_id,
            Integration.connector == integration.connector,
            Integration.account == account,
        )
        if await work.all(taken):
            raise AccountTaken(account=account)
    entry = upsert(RemoteAccount).values(
        connector=integration.connector, account=account, tenant_id=work.tenant_id, integration_id=integration.id
    )
    await work.execute(entry.on_conflict_do_nothing())
    integration.account, integration.account_label = account, label
    _touch(work, integration)
    await work.flush()


async def choose(work: Writing, integration: Integration, choices: Sequence[StreamChoice]) -> None:
    """Set what is read and written, from when, how often, and who wins. The names are those of the connector."""
    known = await queries.settings(work, integration.id)
    for choice in choices:
        setting = known.get(choice.stream)
        if setting is None:
            setting = StreamSetting(
                integration_id=integration.id, stream=choice.stream, enabled=True, direction=SyncDirection.READ_ONLY,
                ownership={}, quarantined_fields=[],
            )  # fmt: skip
            work.add(setting)
        _apply(choice, setting)
        setting.updated_at = work.now
        work.audit(
            "integrations.choose", _subject(integration),
            after={"stream": choice.stream, "enabled": setting.enabled, "direction": setting.direction},
        )  # fmt: skip
    if timed := [choice.stream for choice in choices if choice.since is not None]:
        await work.execute(  # so much there was of another time
            update(StreamState)
            .where(
                StreamState.tenant_id == work.tenant_id, StreamState.integration_id == integration.id,
                StreamState.stream.in_(timed),
            )
            .values(expected_count=None)
        )  # fmt: skip
    _touch(work, integration)
    await events.make_due(work.session, work.tenant_id, "sync", f"{integration.id.hex}:", work.now)  # plan them anew
    await work.flush()


async def detach(work: Writing, integration: Integration, reason: str) -> None:
    """End an integration: nothing of it is read, written or due any more, its secrets are gone, its records stay."""
    await move(work, integration, IntegrationState.DISCONNECTED, reason)
    await work.execute(
        delete(RemoteAccount).where(
            RemoteAccount.tenant_id == work.tenant_id, RemoteAccount.integration_id == integration.id
        )
    )
    await work.execute(
        delete(DueWork).where(
            DueWork.tenant_id == work.tenant_id, DueWork.key.startswith(integration.id.hex, autoescape=True)
        )
    )
    await work.execute(
        update(IntegrationSecret)
        .where(IntegrationSecret.tenant_id == work.tenant_id, IntegrationSecret.integration_id == integration.id)
        .values(ciphertext=None, key_id=None, updated_at=work.now)
    )


async def _set_enabled(work: Writing, connector: str, *, enabled: bool) -> None:
    entry = upsert(Enablement).values(
        tenant_id=work.tenant_id, connector=connector, enabled=enabled, updated_at=work.now
    )
    values = {"enabled": enabled, "updated_at": work.now}
    await work.execute(entry.on_conflict_do_update(index_elements=["tenant_id", "connector"], set_=values))
    work.audit("connectors.enable" if enabled else "connectors.disable", f"connector:{connector}")


def _apply(choice: StreamChoice, setting: StreamSetting) -> None:
    if choice.enabled is not None:
        setting.enabled = choice.enabled
    if choice.direction is not None:
        setting.direction = choice.direction
    if choice.since is not None:
        setting.since = choice.since
    if choice.every is not None:
        setting.every_seconds = int(choice.every.total_seconds())
    setting.ownership = {**setting.ownership, **choice.ownership}


def _touch(work: Writing, integration: Integration) -> None:
    integration.version += 1
    integration.updated_at = work.now


def _subject(integration: Integration) -> str:
    return f"integration:{integration.id.hex}"
