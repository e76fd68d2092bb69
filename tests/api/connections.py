"""What a business is connected with: integrations in every state that a mutation takes, and what waits there."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import httpx2

from domain.core.settings import Settings
from domain.integrations.model import (
    BulkDelete,
    DeadLetter,
    Integration,
    LinkCandidate,
    OutboundChange,
    ReconciliationReport,
    RecordLink,
    SchemaDrift,
    SyncConflict,
    SyncRun,
)
from domain.purchases.model import Invoice
from plugins.files.connector import FilesConnector
from plugins.outlook.connector import Outlook
from plugins.quickbooks.connector import QuickBooks
from plugins.quickbooks.sandbox import QuickBooksSandbox
from sync.registry import Registry
from sync.switchboard import Switchboard
from tests.api.business import MORNING
from tests.api.notes import Notes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from tests.api.business import Business, Caller

AT = datetime(2026, 3, 1, tzinfo=UTC)
REALM = "9130"


def board(database: Database, data: Path) -> Switchboard:
    """Connectors whose other sides are in this process; Outlook is there to be enabled, files to be disabled."""
    sandbox = QuickBooksSandbox()
    sandbox.company(REALM)
    oauth: Mapping[str, Any] = {"QUICKBOOKS_ID": sandbox.client_id, "QUICKBOOKS_SECRET": sandbox.client_secret}
    settings = Settings(data=data, public_url="https://crm.example.com", oauth=dict(oauth))
    connectors = {each.key: each for each in (QuickBooks, Outlook, FilesConnector, Notes().connector)}
    transport = httpx2.ASGITransport(sandbox.app)
    return Switchboard(database, settings, Registry(dict(connectors)), {"quickbooks": transport})


async def connect(of: Business, database: Database, board: Switchboard) -> dict[str, str]:
    """Connect a business; the ids of its integrations by their states, and of what waits there."""
    caller = of.caller
    for connector in ("quickbooks", "notes", "files"):
        await caller.do("enableConnector", {"connector": connector}, "connector { key }")
    authorized = await _created(caller, "quickbooks", "authorizing")
    begun = await caller.do("beginAuthorization", {"id": authorized}, "authorizeUrl")
    transport = board.remotes.transport("quickbooks")
    async with httpx2.AsyncClient(transport=transport) as browser:
        came = await browser.post(begun["authorizeUrl"], data={"answer": "allow", "realm": REALM})
    brought = dict(parse_qsl(urlsplit(came.headers["location"]).query))
    await board.authorizations.park(brought.pop("state"), brought)
    made = {"authorizing": authorized, "draft": await _created(caller, "quickbooks", "draft")}
    for state in ("settled", "checking", "active", "paused"):
        made[state] = await _created(caller, "notes", state)
        settings = {"id": made[state], "version": 2, "config": {"book": "main"}}
        await caller.do("updateIntegration", settings, "integration { id }")
        given = {"id": made[state], "secrets": [{"name": "api_key", "value": "open sesame"}]}
        await caller.do("setIntegrationSecrets", given, "integration { id }")
    document = {"customer": of.ada, "occurredAt": MORNING, "currency": "EUR", "total": "20"}
    billed = await caller.do("recordOrder", document, "order { id }")
    booked = await caller.do("recordOrder", document, "order { id }")
    two_way = {"id": authorized, "streams": [{"stream": "invoices", "direction": "TWO_WAY"}]}
    await caller.do("setStreams", two_way, "integration { id }")
    async with database.unit_of_work(caller.identity.tenant_id) as work:
        for state in ("checking", "active", "paused"):
            integration = await work.session.get(Integration, (work.tenant_id, UUID(made[state][4:])))
            assert integration is not None
            integration.state, integration.account, integration.account_label = state.upper(), state, state
        booked_id = UUID(booked["order"]["id"][4:])
        work.add(*_invoice(work, of, UUID(authorized[4:]), booked_id, "q-1"))
        made["booked"] = f"inv_{booked_id.hex}"
        return made | await _seed(work, of, UUID(made["active"][4:]), UUID(billed["order"]["id"][4:]))


async def _created(caller: Caller, connector: str, label: str) -> str:
    made = await caller.do("createIntegration", {"connector": connector, "label": label}, "integration { id }")
    return str(made["integration"]["id"])


def _invoice(
    work: Writing, of: Business, integration_id: UUID, order_id: UUID, remote_id: str
) -> tuple[RecordLink, Invoice]:
    """An invoice that the other side has made, for an order."""
    whose: dict[str, Any] = {"tenant_id": work.tenant_id, "integration_id": integration_id}
    return (
        RecordLink(**whose, type="invoice", remote_id=remote_id, local_id=order_id),
        Invoice(
            tenant_id=work.tenant_id, id=order_id, version=1, order_version=1, customer_id=UUID(of.ada[4:]),
            occurred_at=AT, local_day=AT.date(), recorded_at=AT, currency="EUR", amount=2000, content_hash=b"\1",
            units=Decimal(1), line_count=0, status="OPEN", integration_id=integration_id, remote_id=remote_id,
        ),
    )  # fmt: skip


async def _seed(work: Writing, of: Business, integration_id: UUID, order_id: UUID) -> dict[str, str]:
    """What waits for a person in an integration, and an invoice that its other side has made."""
    whose: dict[str, Any] = {"tenant_id": work.tenant_id, "integration_id": integration_id}
    customer_id = UUID(of.bea[4:])
    run = SyncRun(id=work.ids(), **whose, stream="people", mode="FULL", started_at=AT, counters={})
    deletion = BulkDelete(
        id=work.ids(), **whose, run_id=run.id, stream="people", found=1, known=1, ids=["customer:n9"], recorded_at=AT
    )
    letter = DeadLetter(
        id=work.ids(), **whose, run_id=run.id, stream="people", remote_id="n8", reason="The name is missing.",
        recorded_at=AT,
    )  # fmt: skip
    conflict = SyncConflict(
        id=work.ids(), **whose, type="customer", remote_id="n7", local_id=customer_id, field="name", policy="MANUAL",
        base={"value": ["Be", "Be"]}, ours={"value": "Bea"}, theirs={"value": "Beate"}, recorded_at=AT,
    )  # fmt: skip
    candidate = LinkCandidate(
        id=work.ids(), **whose, type="customer", remote_id="n6", local_id=customer_id,
        because="Both have the same name.", recorded_at=AT,
    )  # fmt: skip
    report = ReconciliationReport(
        id=work.ids(), **whose, started_at=AT, recorded_at=AT, streams=[], compared=0, matching=0, digest=b"\0" * 32
    )
    work.add(
        run, deletion, letter, conflict, candidate, report,
        SchemaDrift(
            **whose, stream="people", field="customer.extra.age", kind="NEW", became="integer", count=1,
            first_seen_at=AT, last_seen_at=AT,
        ),
        OutboundChange(
            id=work.ids(), **whose, type="customer", local_id=customer_id, op="create", fields=["name"], key="k",
            status="REJECTED", error="The name is taken.", recorded_at=AT,
        ),
        RecordLink(**whose, type="customer", remote_id="n7", local_id=customer_id),
        *_invoice(work, of, integration_id, order_id, "i-1"),
    )  # fmt: skip
    return {
        "run": f"run_{run.id.hex}", "deletion": f"bkd_{deletion.id.hex}", "letter": f"dlt_{letter.id.hex}",
        "conflict": f"cft_{conflict.id.hex}", "candidate": f"lkc_{candidate.id.hex}", "report": f"rec_{report.id.hex}",
        "invoice": f"inv_{order_id.hex}",
    }  # fmt: skip
