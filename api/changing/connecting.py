"""What an admin does together with the other side: authorise, test, and look before writing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import strawberry

from api import ids
from api.changes import Around, mutation, told_field
from api.changing.inputs import given, needed
from api.changing.integrations import ADMIN, IntegrationInput, done, id_in, locked
from api.reads.mapping import REGISTRY
from api.reference import Reference
from api.replays import Done
from domain.core.problems import Conflict
from domain.core.unit_of_work import Writing
from domain.integrations import actions, model, queries, rules
from domain.integrations.model import Integration, IntegrationState, OutboundChange
from sync import runs
from sync.remote import Remote
from sync.two_way import switching
from tenure_sdk import Account, ConnectorError, Control, Window

_ACCOUNT = {
    "account": (str | None, "The id of the account that was reached."),
    "account_label": (str | None, "How the other side calls it."),
}


class OtherSideRefused(Conflict):
    """The other side did not do it. The message says why; nothing was changed here."""


@contextmanager
def reached() -> Iterator[None]:
    """Tell what the other side refused as a problem of the request."""
    try:
        yield
    except ConnectorError as problem:
        raise OtherSideRefused(str(problem), reason=str(problem)) from problem


@strawberry.type(description="What reading a stream would bring, before anything is switched on.")
class StreamEstimate:
    """What reading a stream would bring."""

    stream = told_field("stream", str, "The name of the stream.")
    enabled = told_field("enabled", bool, "Whether it is read.")
    direction = told_field("direction", model.SyncDirection, "Which way changes go.")
    since = told_field("since", datetime | None, "How far back it is read; null: from the beginning.")
    records = told_field("records", int | None, "How many records there are; null where nobody can say.")


_ESTIMATE = {"estimate": (list[StreamEstimate] | None, "What would be read, stream by stream.")}


@dataclass(frozen=True)
class _Tested:
    """What the other side said: the account, and how many records the streams have that it can count."""

    account: Account
    records: dict[str, int]


async def _tested(around: Around, asked: IntegrationInput) -> _Tested:
    tenant_id, integration_id = around.identity.tenant_id, id_in("ing", asked.id)
    async with around.database.reading(tenant_id) as work:
        known = await queries.settings(work, integration_id)
    with reached():
        async with around.switchboard.remotes.open(tenant_id, integration_id) as remote:
            account = await remote.check()
            countable = {each.stream for each in remote.connector.declared(Control)} & known.keys()
            return _Tested(account, await _counted(remote, {name: known[name].since for name in sorted(countable)}))


async def _counted(remote: Remote, streams: Mapping[str, datetime | None]) -> dict[str, int]:
    """How many records streams have since then; what the other side does not tell now is left out."""
    counted = {}
    for name, since in streams.items():
        with suppress(ConnectorError):
            counted[name] = (await remote.totals(name, Window(since))).count
    return counted


@mutation("integration", "integrations.Integration", scope=ADMIN, also={**_ACCOUNT, **_ESTIMATE}, before=_tested)
async def test_integration(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Ask the other side which account the settings lead to, and how much there is; then it can be switched on."""
    integration = await _taken_up(work, asked)
    tested: _Tested = around.brought
    account = tested.account
    await actions.recognise(work, integration, account.id, account.label)
    await runs.expect(work, integration.id, tested.records)
    if integration.state in {IntegrationState.DRAFT, IntegrationState.NEEDS_REAUTH}:
        await actions.move(work, integration, IntegrationState.CHECKING)
    estimate = [
        {
            "stream": name, "enabled": setting.enabled, "direction": setting.direction,
            "since": setting.since.isoformat() if setting.since else None, "records": tested.records.get(name),
        }
        for name, setting in sorted((await queries.settings(work, integration.id)).items())
    ]  # fmt: skip
    told = {"account": account.id, "account_label": account.label, "estimate": estimate}
    return Done(Reference("Integration", integration.id), told)


async def _taken_up(work: Writing, asked: IntegrationInput) -> Integration:
    """The integration; one that was disconnected is set up again."""
    integration = await locked(work, asked.id)
    if integration.state == IntegrationState.DISCONNECTED:
        await actions.move(work, integration, IntegrationState.DRAFT)
    return integration


_AUTHORIZE = {
    "authorize_url": (str | None, "Where a browser goes to authorise."),
    "expires_at": (datetime | None, "Until when that has to be done."),
}


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_AUTHORIZE, connected=True)
async def begin_authorization(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Begin to authorise at the other side: open the address, and confirm the account here afterwards."""
    integration = await _taken_up(work, asked)
    with reached():
        begun = await around.switchboard.authorizations.begin(work, integration.id, around.identity.principal_id)
    await actions.move(work, integration, IntegrationState.AUTHORIZING)
    told = {"authorize_url": begun.authorize_url, "expires_at": begun.expires_at.isoformat()}
    return Done(Reference("Integration", integration.id), told)


@strawberry.input(description="An authorization that came back; name the account to accept it.")
class ConfirmAuthorizationInput:
    """An authorization that came back."""

    id: strawberry.ID = needed("The integration.")
    account: str | None = given("The id of the account to accept; without it, the account is only shown.", None)


async def _examined(around: Around, asked: ConfirmAuthorizationInput) -> Account:
    who, integration_id = around.identity, id_in("ing", asked.id)
    async with around.database.reading(who.tenant_id) as work:
        await queries.integration(work, integration_id)
    with reached():
        return await around.switchboard.authorizations.examine(who.tenant_id, integration_id, who.principal_id)


class AccountMismatch(Conflict):
    """The authorization leads to another account than the one that was named. Look at it again."""


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_ACCOUNT, before=_examined)
async def confirm_authorization(work: Writing, asked: ConfirmAuthorizationInput, around: Around) -> Done:
    """Show which account was authorised and, where it is named, accept it: only who began can do so."""
    integration = await locked(work, asked.id)
    account: Account = around.brought
    if asked.account is not None:
        if asked.account != account.id:
            raise AccountMismatch(path=("account",), account=account.id)
        await around.switchboard.authorizations.accept(work, integration.id, around.identity.principal_id)
        await actions.move(work, integration, _after_authorizing(integration))
    return Done(Reference("Integration", integration.id), {"account": account.id, "account_label": account.label})


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def cancel_authorization(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Forget an authorization that is under way; what was active before is paused, and can be resumed."""
    integration = await locked(work, asked.id)
    rules.check_state(integration.state, IntegrationState.AUTHORIZING)
    await around.switchboard.authorizations.cancel(work, integration.id)
    if integration.activated_at:
        await actions.move(work, integration, IntegrationState.PAUSED, "An authorization was begun and cancelled.")
    else:
        await actions.move(work, integration, IntegrationState.DRAFT)
    return done(integration)


def _after_authorizing(integration: Integration) -> IntegrationState:
    return IntegrationState.ACTIVE if integration.activated_at else IntegrationState.CHECKING


@strawberry.type(description="A record that would be made or changed at the other side.")
class PushChange:
    """A record that would be made or changed at the other side."""

    op = told_field("op", str, "create, update or delete.")
    type = told_field("type", str, "The type of the record.")
    local_id = told_field("localId", strawberry.ID | None, "Its id here, for `node`: whose record it is.")
    remote_id = told_field("remoteId", str | None, "Its id at the other side; null where it would be made.")
    fields = told_field("fields", list[str], "The fields that would be written.")


_PREVIEW = {
    "creates": (int | None, "How many records would be made at the other side."),
    "updates": (int | None, "How many records would be changed there."),
    "conflicts": (int | None, "How many fields both sides have changed."),
    "doubtful": (int | None, "How many records may be customers of ours, and would wait for a person."),
    "changes": (list[PushChange] | None, "The first 50 changes."),
    "waits_for": (
        list[str] | None,
        "Streams that have to be read to their end first: nothing is sent there before, and none of it is counted.",
    ),
}


async def _previewed(around: Around, asked: IntegrationInput) -> switching.Preview:
    return await switching.preview(
        around.database, around.switchboard.registry, around.identity.tenant_id, id_in("ing", asked.id)
    )


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_PREVIEW, before=_previewed)
async def preview_push(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Say what would be made and changed at the other side if pushing were switched on; nothing is."""
    integration = await locked(work, asked.id)
    seen: switching.Preview = around.brought
    told: dict[str, Any] = {name: getattr(seen, name) for name in ("creates", "updates", "conflicts", "doubtful")}
    told["changes"] = [
        {
            "op": each.op, "type": each.type, "localId": _local_id(each), "remoteId": each.remote_id,
            "fields": each.fields,
        }
        for each in seen.changes
    ]  # fmt: skip
    told["waits_for"] = seen.waits_for
    return Done(Reference("Integration", integration.id), told)


def _local_id(change: OutboundChange) -> str | None:
    kind = REGISTRY.get("".join(part.capitalize() for part in change.type.split("_")))
    return ids.encode(kind.prefix, change.local_id) if kind and kind.prefix else None
