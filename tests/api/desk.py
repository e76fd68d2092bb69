"""An admin's desk: a server of its own with a vendor's sandbox behind it, and a worker that is run step by step."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import httpx2
from sqlalchemy import update

from api.app import create_app
from api.schema import core
from domain.core import due, events
from domain.core.events import DueWork
from domain.core.settings import Settings
from domain.tenants import actions as tenants
from domain.tenants.model import Role
from domain.tenants.queries import Identity
from plugins.outlook.connector import Outlook
from plugins.quickbooks.connector import QuickBooks
from plugins.quickbooks.sandbox import QuickBooksSandbox
from sync import duties, worker
from sync.errands import Errands
from sync.inbox import Splitter
from sync.notices import DESTINATION
from sync.registry import Registry
from sync.requests import SYNC
from sync.schedule import SOON, Syncs
from sync.switchboard import Switchboard
from sync.two_way import reactions
from sync.worker import Worker
from tests.api.business import Caller
from tests.api.conftest import ALL_SCOPES
from tests.api.notes import Notes

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from pydantic import SecretStr
    from starlette.types import Receive, Scope, Send

    from api.app import Server
    from api.engine import Engine
    from domain.core.database import Database
    from plugins.outlook.sandbox import OutlookSandbox

REALM = "9130"
PUBLIC = "https://crm.example.com"


@dataclass
class Listener:
    """Whoever is told what waits for a person: keeps the calls, and answers as it was set."""

    status: int = 200
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.calls.append((headers, body))
        await send({"type": "http.response.start", "status": self.status, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@dataclass
class Desk:
    """One tenant's admin, with the server, the vendor and the worker within reach."""

    database: Database
    tenant: UUID
    app: Server
    board: Switchboard
    caller: Caller
    sandbox: QuickBooksSandbox
    notes: Notes
    listener: Listener
    browser: httpx2.AsyncClient
    vendor: httpx2.AsyncClient

    @property
    def engine(self) -> Engine:
        return self.app.engine

    async def work(self, rounds: int = 12) -> None:
        """Do everything that is due, until nothing is: readings, errands, events and jobs."""
        stopping = asyncio.Event()
        heard = events.reactions.copy()
        jobs = due.Jobs(dict(due.jobs.by_kind))
        reactions.register(heard, jobs, self.board.registry)
        errands = Errands(
            self.database, self.board, stopping, duties.KINDS, Splitter(self.database, self.board), duties.OF_TENANTS
        )
        syncs = Syncs(self.database, self.board.remotes, self.board.registry, stopping, chance=lambda: 0.0)
        at_work = Worker(self.database, stopping, heard, jobs)
        for _ in range(rounds):
            while await at_work.work():
                pass
            await self._hurry()
            started = await syncs.start_due() + await errands.start_due()
            await syncs.rest()
            await errands.rest()
            if not started and not await at_work.work():
                return

    async def _hurry(self) -> None:
        """Have streams looked at again now that wait a moment for those that they depend on."""
        async with self.database.unit_of_work(self.tenant) as work:
            mine = DueWork.tenant_id == self.tenant, DueWork.kind == SYNC, DueWork.due_at <= work.now + SOON
            await work.execute(update(DueWork).where(*mine).values(due_at=work.now))

    async def read(self, document: str, **variables: Any) -> Any:
        response = await self.caller.answer(document, **variables)
        assert "errors" not in response, response["errors"]
        return response["data"]

    async def integration(self, id_: str, wanted: str) -> Any:
        document = f"query ($id: ID!) {{ node(id: $id) {{ ... on Integration {{ {wanted} }} }} }}"
        return (await self.read(document, id=id_))["node"]

    async def quickbooks(self, label: str = "The books") -> str:
        """A draft integration of QuickBooks."""
        enabled = await self.caller.do("enableConnector", {"connector": "quickbooks"}, "connector { enabled }")
        assert enabled["connector"] == {"enabled": True}
        asked = {"connector": "quickbooks", "label": label}
        return str((await self.caller.do("createIntegration", asked, "integration { id }"))["integration"]["id"])

    async def authorised(self, id_: str, realm: str = REALM) -> None:
        """Have a person authorise at the vendor."""
        begun = await self.caller.do("beginAuthorization", {"id": id_}, "authorizeUrl expiresAt")
        await self.allow(begun["authorizeUrl"], realm)

    async def allow(self, url: str, realm: str = REALM) -> None:
        """Allow at the vendor what its address asks for; the browser comes back to the server."""
        self.sandbox.company(realm)
        came = await self.vendor.post(url, data={"answer": "allow", "realm": realm})
        back = urlsplit(came.headers["location"])
        assert f"{back.scheme}://{back.netloc}" == PUBLIC
        assert {"code", "state", "realmId"} <= parse_qs(back.query).keys()
        page = await self.browser.get(f"{back.path}?{back.query}")
        assert page.status_code == 200

    async def active(self) -> str:
        """An integration of QuickBooks that is active."""
        id_ = await self.quickbooks()
        await self.authorised(id_)
        await self.caller.do("confirmAuthorization", {"id": id_, "account": REALM}, "account")
        await self.caller.do("testIntegration", {"id": id_}, "account")
        await self.caller.do("activateIntegration", {"id": id_}, "integration { state }")
        return id_

    async def colleague(self) -> Caller:
        """Another admin of the same tenant."""
        return Caller(self.engine, await admin_of(self.database, self.tenant, "Ben"))


async def admin_of(database: Database, tenant: UUID, name: str) -> Identity:
    async with database.unit_of_work(tenant) as work:
        admin = await tenants.create_principal(work, name, Role.ADMIN)
        token = (await tenants.create_token(work, admin, "root", sorted(ALL_SCOPES))).token
    return Identity(tenant, admin.id, token.id, ALL_SCOPES, None)


async def opened(
    database: Database, tenant: UUID, data: Path, public: str | None = PUBLIC, outlook: OutlookSandbox | None = None
) -> Desk:
    """A desk, with Outlook where its sandbox is given; close its board in the end."""
    worker.load()
    sandbox, notes, listener = QuickBooksSandbox(), Notes(), Listener()
    sandbox.fill(REALM, customers=12, invoices_each=2)
    oauth: dict[str, SecretStr | str] = {
        "QUICKBOOKS_ID": sandbox.client_id, "QUICKBOOKS_SECRET": sandbox.client_secret,
    }  # fmt: skip
    if outlook is not None:
        oauth |= {"OUTLOOK_ID": outlook.client_id, "OUTLOOK_SECRET": outlook.client_secret}
    settings = Settings(data=data, public_url=public, oauth=oauth)  # type: ignore[arg-type]
    transports = {
        "quickbooks": httpx2.ASGITransport(sandbox.app), DESTINATION: httpx2.ASGITransport(listener),
    }  # fmt: skip
    connectors = {each.key: each for each in (QuickBooks, notes.connector)}
    if outlook is not None:
        transports["outlook"] = httpx2.ASGITransport(outlook.app)
        connectors["outlook"] = Outlook
    board = Switchboard(database, settings, Registry(dict(connectors)), transports)
    app = create_app(settings, database, core, board)
    return Desk(
        database, tenant, app, board, Caller(app.engine, await admin_of(database, tenant, "Anna")), sandbox, notes,
        listener, httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=PUBLIC),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(sandbox.app)),
    )  # fmt: skip
