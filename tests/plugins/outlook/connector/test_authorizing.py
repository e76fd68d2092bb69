"""A person signs in, or an administrator consents: the whole way, with the sandbox's login host."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr

from domain.core.settings import Settings
from domain.integrations import actions
from plugins.outlook.connector import Outlook
from plugins.outlook.sandbox import OutlookSandbox
from plugins.outlook.sandbox.notifications import TENANT
from sync.access.authorizations import Authorizations
from sync.access.remotes import Remotes
from sync.registry import Registry
from tenure_sdk import Account
from tenure_sdk.http import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from domain.core.database import Database

WHO = uuid4()
OWN = {"own_domains": ["acme.example"]}


@pytest.fixture
def graph() -> OutlookSandbox:
    return OutlookSandbox()


@pytest.fixture
async def remotes(database: Database, graph: OutlookSandbox, tmp_path: Path) -> AsyncIterator[Remotes]:
    oauth: dict[str, Any] = {"OUTLOOK_ID": SecretStr(graph.client_id), "OUTLOOK_SECRET": SecretStr(graph.client_secret)}
    settings = Settings(data=tmp_path, public_url="https://crm.example.com", oauth=oauth)
    transport = {"outlook": httpx.ASGITransport(graph.app)}
    async with Remotes(database, settings, Registry({"outlook": Outlook}), transport) as opened:
        yield opened


async def integrated(remotes: Remotes, tenant: UUID, config: dict[str, Any]) -> UUID:
    async with remotes.database.unit_of_work(tenant) as work:
        await actions.enable(work, "outlook")
        made = await actions.create(work, "outlook", "Outlook")
        made.config = config
        return made.id


async def authorised(remotes: Remotes, tenant: UUID, integration: UUID, **choice: str) -> Account:
    """From the address that a person is sent to, to the account that was accepted."""
    desk = Authorizations(remotes)
    async with remotes.database.unit_of_work(tenant) as work:
        begun = await desk.begin(work, integration, WHO)
    async with httpx.AsyncClient(transport=remotes.transport("outlook")) as browser:
        url = httpx.URL(begun.authorize_url).copy_merge_params(choice)
        answer = await browser.get(url)
    assert answer.status_code == 302, answer.text
    brought = dict(parse_qsl(urlsplit(answer.headers["location"]).query))
    assert (await desk.park(brought.pop("state"), brought)).granted
    await desk.examine(tenant, integration, WHO)
    async with remotes.database.unit_of_work(tenant) as work:
        return await desk.accept(work, integration, WHO)


async def test_a_person_signs_in(remotes: Remotes, tenant: UUID, graph: OutlookSandbox) -> None:
    ana = graph.mailbox("ana@acme.example")
    ana.add_contact("Bea", "bea@customer.example")
    integration = await integrated(remotes, tenant, OWN)
    account = await authorised(remotes, tenant, integration, sandbox_mailbox=ana.address)
    assert account == Account(ana.user_id, "ana@acme.example")
    graph.issuer.expire()
    async with remotes.open(tenant, integration) as remote:
        assert await remote.check() == account


async def test_an_administrator_consents_for_listed_mailboxes(
    remotes: Remotes, tenant: UUID, graph: OutlookSandbox
) -> None:
    boxes = [graph.mailbox(f"{name}@acme.example") for name in ("ana", "cleo", "dora")]
    for box in boxes:
        box.add_contact(f"Of {box.name}", f"{box.name.lower()}@customer.example")
    integration = await integrated(
        remotes, tenant, OWN | {"access": "organisation", "mailboxes": [box.address for box in boxes[:2]]}
    )
    account = await authorised(remotes, tenant, integration)
    assert account == Account(TENANT, "2 mailboxes of acme.example")
    async with remotes.open(tenant, integration) as remote:
        records = [record async for page in remote.pages("contacts") for record in page.records]  # type: ignore[union-attr]
    assert sorted(record.name for record in records) == ["Of Ana", "Of Cleo"]  # type: ignore[attr-defined]


async def test_every_worker_keeps_to_four_requests_at_once(
    remotes: Remotes, tenant: UUID, graph: OutlookSandbox
) -> None:
    ana = graph.mailbox("ana@acme.example")
    items = [ana.receive(("Bea", "bea@customer.example"), f"Mail {number}") for number in range(30)]
    integration = await integrated(remotes, tenant, OWN)
    await authorised(remotes, tenant, integration, sandbox_mailbox=ana.address)
    async with remotes.open(tenant, integration) as remote:
        cursor = [page.cursor async for page in remote.pages("mail")][-1]
        for item in items:
            ana.move_to(item, "archive")
        graph.faults.slow = 0.1  # long enough for the next three to come, however busy the machine is
        found = [record.id async for page in remote.pages("mail", cursor) for record in page.records]  # type: ignore[union-attr]
    assert set(found) == {f"{ana.user_id}/messages/{item.id}" for item in items}
    assert graph.throttle.most_at_once[ana.address] == 4
    assert not any(call.status == 429 for call in graph.calls)
