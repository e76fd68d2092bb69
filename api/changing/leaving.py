"""How an integration ends, and who is called: disconnecting, addresses of webhooks in and out."""

from typing import Any

import strawberry

from api.changes import Around, mutation
from api.changing.inputs import given, needed
from api.changing.integrations import ADMIN, IntegrationInput, connector_of, id_in, locked
from api.expose import describe
from api.reference import Reference
from api.replays import Done
from domain.core.events import make_due
from domain.core.problems import Conflict
from domain.core.unit_of_work import Writing
from domain.integrations import queries, rules
from domain.integrations.model import IntegrationState
from sync import hooks, leaving, notices
from sync.leaving import DataPolicy
from tenure_sdk import Subscribe, Webhook

describe(
    DataPolicy,
    KEEP="It stays, with its source.",
    ANONYMISE="It stays, but erasure is asked for of the customers whom nobody else knows.",
    PURGE="Documents, interactions and what was said of customers leave the view; the history keeps them.",
)


@strawberry.input(description="How an integration ends.")
class DisconnectIntegrationInput:
    """How an integration ends."""

    id: strawberry.ID = needed("The integration.")
    data_policy: DataPolicy = needed("What becomes of what it brought.")
    revoke_remote: bool = given("Whether the other side is told to forget our access.", default=False)
    dry_run: bool = given("Only say what would remain; nothing is changed.", default=False)


_REMAINS: dict[str, Any] = {
    "documents": (int | None, "How many documents that it brought stay in view."),
    "interactions": (int | None, "How many interactions that it brought stay in view."),
    "customers": (int | None, "How many of its customer records stay in view."),
    "erasures": (int | None, "For how many customers erasure is asked for."),
    "warnings": (list[str] | None, "What the other side could not be told, with the remedy."),
}


async def _goodbye(around: Around, asked: DisconnectIntegrationInput) -> list[str]:
    """Tell the other side, while the secrets for that are still there; what it could not be told."""
    tenant_id, integration_id = around.identity.tenant_id, id_in("ing", asked.id)
    async with around.database.reading(tenant_id) as work:
        integration = await queries.integration(work, integration_id)
    if asked.dry_run:
        return []
    rules.check_move(integration.state, IntegrationState.DISCONNECTED)
    return await leaving.say_goodbye(
        around.database, around.switchboard, tenant_id, integration_id, revoke=asked.revoke_remote
    )


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_REMAINS, before=_goodbye)
async def disconnect_integration(work: Writing, asked: DisconnectIntegrationInput, around: Around) -> Done:
    """End an integration: nothing is read or written any more, its secrets are gone; say what remains of the rest."""
    integration = await locked(work, asked.id)
    remains = await leaving.remains(work, integration, asked.data_policy)
    if not asked.dry_run:
        await leaving.leave(work, integration, asked.data_policy)
    told = {
        "documents": remains.documents, "interactions": remains.interactions, "customers": remains.customers,
        "erasures": remains.erasures, "warnings": around.brought or [],
    }  # fmt: skip
    return Done(Reference("Integration", integration.id), told)


class NotCalled(Conflict):
    """The other side of this connector calls at no address of an integration, or this server has no public address."""


_ADDRESS: dict[str, Any] = {
    "url": (str | None, "The new address, shown this once."),
    "secret": (str | None, "What calls are signed with, shown this once."),
}


@mutation("integration", "integrations.Integration", scope=ADMIN, also=_ADDRESS, connected=True)
async def rotate_webhook_secret(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Give the other side a new address and secret to call with; the old address is nobody's from now on."""
    integration = await locked(work, asked.id)
    board = around.switchboard
    own = [each for each in connector_of(around, integration).declared(Webhook) if each.door == "integration"]
    if not own or board.settings.public_url is None:
        raise NotCalled
    path, secret = await hooks.rotate(work, board.remotes.vault, integration.id)
    if integration.state in rules.READABLE:
        await make_due(work.session, work.tenant_id, hooks.RENEW, integration.id.hex, work.now)
    url = f"{board.settings.public_url}{path}/{own[0].path}"
    return Done(Reference("Integration", integration.id), secrets={"url": url, "secret": secret})


@mutation("integration", "integrations.Integration", scope=ADMIN, connected=True)
async def renew_subscription(work: Writing, asked: IntegrationInput, around: Around) -> Done:
    """Have the other side call, or go on calling, as soon as there is room; that is renewed by itself in time, too."""
    integration = await locked(work, asked.id)
    rules.check_state(integration.state, *sorted(rules.READABLE))
    board = around.switchboard
    if not connector_of(around, integration).declared(Subscribe) or board.settings.public_url is None:
        raise NotCalled
    await make_due(work.session, work.tenant_id, hooks.RENEW, integration.id.hex, work.now)
    work.audit("integrations.renew_subscription", f"integration:{integration.id.hex}")
    return Done(Reference("Integration", integration.id))


@strawberry.input(description="Where the tenant is told what waits for a person.")
class SetOutgoingWebhookInput:
    """Where the tenant is told what waits for a person."""

    url: str | None = given("A public https address; the one that is set stays without it.", None)
    enabled: bool = given("Whether it is called.", default=True)
    new_secret: bool = given(
        "Whether the signing secret is replaced; the first address always brings one.", default=False
    )


_SECRET: dict[str, Any] = {"secret": (str | None, "What calls are signed with; shown this once, null when it stays.")}


@mutation("webhook", "integrations.OutgoingWebhook", scope=ADMIN, also=_SECRET, connected=True)
async def set_outgoing_webhook(work: Writing, asked: SetOutgoingWebhookInput, around: Around) -> Done:
    """Have an address called when something waits for a person; calls are signed as Standard Webhooks say."""
    vault = around.switchboard.remotes.vault
    secret = await notices.set_webhook(
        work, vault, asked.url, enabled=asked.enabled, new_secret=asked.new_secret
    )  # fmt: skip
    shown = {} if secret is None else {"secret": secret}
    return Done(Reference("OutgoingWebhook", work.tenant_id), secrets=shown)
