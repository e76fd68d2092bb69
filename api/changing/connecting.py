"""What an admin does together with the other side: authorise, test, look before writing, decide what is doubtful."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import strawberry

from api.changes import Around, mutation
from api.changing.inputs import given, needed, several
from api.changing.integrations import ADMIN, IntegrationInput, done, id_in, locked
from api.reference import Reference
from api.replays import Done
from api.scalars import JSON
from domain.core.problems import Conflict, NotAllowed
from domain.core.unit_of_work import Writing
from domain.integrations import actions
from domain.integrations.model import Integration, IntegrationState
from sync import drift, sweeps
from sync.two_way import conflicts, matching, switching
from tenure_sdk import Account, ConnectorError

_ACCOUNT = {
    "account": (str | None, "The id of the account that was reached."),
    "account_label": (str | None, "How the other side calls it."),
}


class OtherSideRefused(Conflict):
    """The other side did not do it. The message says why; nothing was changed here."""


class PersonNeeded(NotAllowed):
    """Only a person's token can authorise: this one stands for nobody."""


@contextmanager
def reached() -> Iterator[None]:
    """Tell what the other side refused as a problem of the request."""
    try:
        yield
    except ConnectorError as problem:
        raise OtherSideRefused(str(problem)) from problem


async def _account(around: Around, asked: IntegrationInput) -> Account:
    """The account that the settings lead to."""
    tenant_id = around.identity.tenant_id
    with reached():
        async with around.switchboard.remotes.open(tenant_id, id_in("ing", asked.id)) as remote:
            return await remote.check()


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_ACCOUNT, before=_account)
async def test_integration(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Ask the other side which account the settings lead to; where it answers, the integration can be switched on."""
    integration = await locked(work, asked.id)
    account: Account = around.brought
    await actions.recognise(work, integration, account.id, account.label)
    if integration.state in {IntegrationState.DRAFT, IntegrationState.NEEDS_REAUTH}:
        await actions.move(work, integration, IntegrationState.CHECKING)
    return Done(Reference("Integration", integration.id), {"account": account.id, "account_label": account.label})


_AUTHORIZE = {
    "authorize_url": (str | None, "Where a browser goes to authorise."),
    "expires_at": (datetime | None, "Until when that has to be done."),
}


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_AUTHORIZE, connected=True)
async def begin_authorization(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Begin to authorise at the other side: open the address, and confirm the account here afterwards."""
    integration = await locked(work, asked.id)
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
    who = around.identity
    with reached():
        return await around.switchboard.authorizations.examine(who.tenant_id, id_in("ing", asked.id), who.principal_id)


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
    """Forget an authorization that is under way; what was connected before stays as it was."""
    integration = await locked(work, asked.id)
    await around.switchboard.authorizations.cancel(work, integration.id)
    back = IntegrationState.NEEDS_REAUTH if integration.activated_at else IntegrationState.DRAFT
    await actions.move(work, integration, back)
    return done(integration)


def _after_authorizing(integration: Integration) -> IntegrationState:
    return IntegrationState.ACTIVE if integration.activated_at else IntegrationState.CHECKING


_PREVIEW = {
    "creates": (int | None, "How many records would be made at the other side."),
    "updates": (int | None, "How many records would be changed there."),
    "conflicts": (int | None, "How many fields both sides have changed."),
    "doubtful": (int | None, "How many records may be customers of ours, and would wait for a person."),
    "changes": (JSON | None, "The first 50 changes: operation, type, id at the other side and fields."),
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
        {"op": each.op, "type": each.type, "remoteId": each.remote_id, "fields": each.fields} for each in seen.changes
    ]
    return Done(Reference("Integration", integration.id), told)


@strawberry.input(description="A large deletion that waits.")
class BulkDeleteInput:
    """A large deletion that waits."""

    id: strawberry.ID = needed("The deletion.")


@mutation("bulkDelete", "integrations.BulkDelete", scope=ADMIN)
async def approve_bulk_delete(work: Writing, asked: BulkDeleteInput) -> Done:
    """Agree to a large deletion: the records are deleted here, too, and can be restored by the other side."""
    decided = await sweeps.approve(work, id_in("bkd", asked.id))
    return Done(Reference("BulkDelete", decided.id))


@mutation("bulkDelete", "integrations.BulkDelete", scope=ADMIN)
async def reject_bulk_delete(work: Writing, asked: BulkDeleteInput) -> Done:
    """Keep the records that the other side no longer has."""
    decided = await sweeps.reject(work, id_in("bkd", asked.id))
    return Done(Reference("BulkDelete", decided.id))


@strawberry.input(description="Fields of a stream that changed at the other side.")
class AcknowledgeSchemaDriftInput:
    """Fields of a stream that changed."""

    id: strawberry.ID = needed("The integration.")
    stream: str = needed("The name of the stream.")
    fields: list[str] = several("The fields; all that wait without it.")


@mutation("integration", "integrations.Integration", scope=ADMIN)
async def acknowledge_schema_drift(work: Writing, asked: AcknowledgeSchemaDriftInput) -> Done:
    """Say that changed fields are all right: what was left out or stopped for them goes on."""
    integration = await locked(work, asked.id)
    await drift.acknowledge(work, integration.id, asked.stream, asked.fields or None)
    return done(integration)


@strawberry.input(description="A conflict, and whose value both sides shall have.")
class ResolveConflictInput:
    """A conflict, and whose value both sides shall have."""

    id: strawberry.ID = needed("The conflict.")
    choice: conflicts.Choice = needed("Whose value both sides shall have.")
    value: str | None = given("With the choice VALUE: the value.", None)


@mutation("conflict", "integrations.SyncConflict", scope=f"{ADMIN} customers:write", connected=True)
async def resolve_conflict(work: Writing, asked: ResolveConflictInput, around: Around) -> Done:
    """Choose between our value, theirs, and another one; both sides get it."""
    registry = around.switchboard.registry
    resolved = await conflicts.resolve(work, registry, id_in("cft", asked.id), asked.choice, asked.value)
    return Done(Reference("SyncConflict", resolved.id))


@strawberry.input(description="Whether a record of the other side is a customer of ours.")
class DecideLinkCandidateInput:
    """Whether a record of the other side is a customer of ours."""

    id: strawberry.ID = needed("The proposed link.")
    same: bool = needed("Whether both are one.")


@mutation("linkCandidate", "integrations.LinkCandidate", scope=f"{ADMIN} customers:write")
async def decide_link_candidate(work: Writing, asked: DecideLinkCandidateInput) -> Done:
    """Say whether a record of the other side is a customer of ours: both are merged, or the customer is made there."""
    decided = await matching.decide(work, id_in("lkc", asked.id), same=asked.same)
    return Done(Reference("LinkCandidate", decided.id))
