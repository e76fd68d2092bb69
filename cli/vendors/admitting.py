"""How the demo's tenant lets the vendors in: by the API and the vendors' own pages, as an admin with a browser does."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from cli import terminal
from cli.vendors.dealings import DOMAIN
from domain.core.events import make_due
from domain.tenants.queries import by_slug
from sync import duties, overview, registry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.settings import Settings
    from sync.registry import Registry

LABELS = {"quickbooks": "QuickBooks", "outlook": "Outlook"}
CONFIGS: dict[str, dict[str, Any]] = {
    "quickbooks": {"time_zone": "America/Los_Angeles"},
    "outlook": {"own_domains": [DOMAIN], "keep": "METADATA"},
}
LEFT_ALONE = frozenset({"DISCONNECTED", "QUARANTINED"})
"""The states of integrations that somebody has to take up again by himself."""

LOOK_EVERY = 2.0

_KNOWN = "{ integrations(first: 100) { nodes { id connector state version } } }"


class NotLetIn(Exception):
    """The API or a vendor did not do what an admin asked."""


async def admit(settings: Settings, database: Database, bearer: str) -> None:
    """Have every vendor's integration be authorised and active, or paused where somebody paused it.

    What an admin does by hand at a real vendor is done here at every start, before anything is read.
    """
    from api.app import create_app

    app = create_app(settings, database)
    headers = {"Authorization": f"Bearer {bearer}", "Accept": "application/graphql-response+json"}
    transport = httpx2.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url=str(settings.public_url), headers=headers) as here,
        httpx2.AsyncClient(trust_env=False) as browser,
    ):
        admin = Admin(here, browser)
        known = {each["connector"]: each for each in (await admin.ask(_KNOWN))["integrations"]["nodes"]}
        for connector, label in LABELS.items():
            try:
                await admin.admit(connector, known.get(connector))
            except NotLetIn as problem:
                terminal.say(f"{label} is not connected: {problem}")


async def compare_once_read(database: Database, tenant: str, quiet: Callable[[], Awaitable[None]]) -> None:
    """Have both sides be compared as soon as everything was read once, and not only after an hour.

    `quiet` waits until nothing happens at the vendors for a while: what is on its way would count as missing.
    """
    tenant_id, known = await by_slug(database, tenant), registry.load()
    while not (waiting := await _all_read(database, tenant_id, known)):  # noqa: ASYNC110 - the database tells, not we
        await asyncio.sleep(LOOK_EVERY)
    await quiet()
    async with database.unit_of_work(tenant_id) as work:
        for integration_id in waiting:
            await make_due(work.session, tenant_id, duties.RECONCILE, integration_id.hex, work.now)


async def _all_read(database: Database, tenant_id: UUID, known: Registry) -> list[UUID]:
    """The vendors' integrations once all of their streams were read; nothing before."""
    async with database.reading(tenant_id) as reading:
        ours = [each for each in await overview.every(reading) if each.connector in LABELS]
        views = [await overview.view(reading, known, each) for each in ours]
    return [view.integration.id for view in views] if all(view.lag is not None for view in views) else []


@dataclass(frozen=True)
class Admin:
    """Somebody with a token and a browser."""

    here: httpx2.AsyncClient
    browser: httpx2.AsyncClient

    async def admit(self, connector: str, known: dict[str, Any] | None) -> None:
        """Have one integration be authorised and active."""
        if known is not None and known["state"] in LEFT_ALONE:
            return
        integration = known or await self._create(connector)
        given = {"id": integration["id"]}
        if integration["state"] == "DRAFT":
            await self.do("updateIntegration", **given, version=integration["version"], config=CONFIGS[connector])
        begun = await self.do("beginAuthorization", "authorizeUrl", **given)
        await self._agree(begun["authorizeUrl"])
        account = (await self.do("confirmAuthorization", "account", **given))["account"]
        reached = await self.do("confirmAuthorization", **given, account=account)
        if reached["integration"]["state"] == "CHECKING":
            await self.do("activateIntegration", **given)
        if integration["state"] == "PAUSED":
            await self.do("pauseIntegration", **given)

    async def do(self, mutation: str, also: str = "", **given: Any) -> dict[str, Any]:
        """One mutation of an integration. Raises NotLetIn with its problems."""
        type_ = _input_of(mutation)
        shown = f"integration {{ id state version }} {also} problems {{ code message }}"
        document = f"mutation ($input: {type_}!) {{ {mutation}(input: $input) {{ {shown} }} }}"
        return await self._asked(document, mutation, given)

    async def ask(self, document: str, variables: dict[str, Any] | None = None) -> dict[str, Any]:
        """The data that an operation is answered with. Raises NotLetIn."""
        answer = (await self.here.post("/graphql", json={"query": document, "variables": variables or {}})).json()
        if "errors" in answer:
            raise NotLetIn(answer["errors"][0]["message"])
        return dict(answer["data"])

    async def _create(self, connector: str) -> dict[str, Any]:
        enable = "mutation ($input: ConnectorInput!) { enableConnector(input: $input) { problems { code message } } }"
        await self._asked(enable, "enableConnector", {"connector": connector})
        made = await self.do("createIntegration", connector=connector, label=LABELS[connector])
        return dict(made["integration"])

    async def _asked(self, document: str, mutation: str, given: dict[str, Any]) -> dict[str, Any]:
        payload = (await self.ask(document, {"input": given}))[mutation]
        if payload["problems"]:
            raise NotLetIn(f"{mutation}: {payload['problems'][0]['message']}")
        return dict(payload)

    async def _agree(self, address: str) -> None:
        """Open a vendor's page, which agrees at once, and follow it back to Tenure."""
        back = (await self.browser.get(address)).headers.get("location")
        if back is None or (await self.here.get(back)).status_code != httpx2.codes.OK:
            raise NotLetIn("The vendor did not send the browser back.")


def _input_of(mutation: str) -> str:
    """The name of a mutation's input type."""
    by_id_alone = {"beginAuthorization", "activateIntegration", "pauseIntegration"}
    return "IntegrationInput" if mutation in by_id_alone else f"{mutation[0].upper()}{mutation[1:]}Input"
