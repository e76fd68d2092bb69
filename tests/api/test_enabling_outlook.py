"""The page on enabling Outlook, followed step by step by an admin of a new tenant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx2

from plugins.outlook.sandbox import OutlookSandbox
from tests.api import desk as desks
from tests.docs.pages import DOCS, blocks

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database

BEA = ("Bea Kunde", "bea@customer.example")
CARL = ("Carl Client", "carl@client.example")
MAILBOX = "office@acme.example"


async def test_the_page_holds(database: Database, tenant: UUID, tmp_path: Path) -> None:
    """At the authorization a person signs in; Bea is a contact, Carl becomes a customer later."""
    sandbox = OutlookSandbox()
    box = sandbox.mailbox(MAILBOX)
    box.add_contact(*BEA)
    for sender in (BEA, CARL, ("Robin", "robin@acme.example")):
        box.receive(sender, f"From {sender[0]}", "A text")
    desk = await desks.opened(database, tenant, tmp_path, outlook=sandbox)

    async def call(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        response = await desk.browser.post(url, headers=dict(headers), content=body)
        return response.status_code, response.content

    sandbox.post = call
    known: dict[str, Any] = {}
    async with desk.app.router.lifespan_context(desk.app):
        for step in blocks(DOCS / "how-to" / "enable-outlook.md", "graphql"):
            if "startSync" in step.text:
                assert await subjects(desk) == ["From Bea Kunde"]
                await desk.caller.do("createCustomer", {"name": CARL[0], "emails": [CARL[1]]})
            variables = {name: value for name, value in known.items() if f"${name}:" in step.text}
            data = await desk.read(step.text, **variables)
            payloads = data if step.text.startswith("mutation") else {}
            assert [each["problems"] for each in payloads.values()] == [[] for _ in payloads], step
            if "createIntegration" in payloads:
                known |= payloads["createIntegration"]["integration"]
            if "beginAuthorization" in payloads:
                await allow(desk, sandbox, payloads["beginAuthorization"]["authorizeUrl"])
            if "createMeeting" in payloads:
                known["meeting"] = payloads["createMeeting"]["remoteId"]
            if "change_meeting" in step.text:
                [event] = box.known("calendar").items.values()
                assert event.fields["location"]["displayName"] == "Room 2"
            if "confirmAuthorization" in payloads and "account" not in known:
                assert payloads["confirmAuthorization"]["accountLabel"] == MAILBOX
                known["account"] = payloads["confirmAuthorization"]["account"]
            await desk.work()
        assert await subjects(desk) == ["From Bea Kunde", "From Carl Client"]
        assert (await desk.integration(known["id"], "state"))["state"] == "ACTIVE"
        assert box.known("calendar").items == {}


async def allow(desk: desks.Desk, sandbox: OutlookSandbox, url: str) -> None:
    """Sign in at Microsoft, and come back."""
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(sandbox.app)) as browser:
        came = await browser.get(f"{url}&sandbox_mailbox={MAILBOX}")
    back = urlsplit(came.headers["location"])
    assert (await desk.browser.get(f"{back.path}?{back.query}")).status_code == 200


async def subjects(desk: desks.Desk) -> list[str]:
    found = await desk.read("{ interactions(first: 9) { nodes { summary } } }")
    return sorted(each["summary"] for each in found["interactions"]["nodes"])
