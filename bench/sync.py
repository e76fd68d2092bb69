"""Syncing: what a worker needs to bring a company's books from a vendor over HTTP into the projected view."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

from bench import books, cluster
from bench.cluster import SERVER
from bench.report import Report, Verdict
from domain.core.database import Database, dsn_of
from domain.core.settings import Settings
from domain.core.vault import Vault
from domain.integrations import actions
from domain.integrations.model import IntegrationState
from domain.stages import actions as stages
from domain.tenants import actions as tenants
from sync.access import tokens
from sync.access.oauth import Token

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from bench.books import Books
    from bench.cluster import Cluster
    from bench.options import Options

MOST_CUSTOMERS, INVOICES_EACH = 20_000, 9
PROMISED = ("customers", "invoices")
STREAMS = ("items", "customers", "invoices", "payments")
BY_WORKER, MEGABYTES = 15_000, 200
_DATABASE = "sync"


@dataclass(frozen=True)
class Stream:
    """What reading a stream cost: seconds of the worker's CPU, of PostgreSQL's, and by the clock."""

    name: str
    records: int
    worker: float
    postgres: float
    wall: float


async def run(options: Options) -> Report:
    """Bring the books of one company into an empty tenant, and compare every total with the vendor's."""
    # A cluster of its own: nothing else may run in it while its seconds are counted.
    home = options.data / "sync"
    customers = min(options.size.customers, MOST_CUSTOMERS)
    with cluster.running(home) as postgres, books.opened(customers, INVOICES_EACH) as there:
        await postgres.create(_DATABASE)
        settings = Settings(
            database_url=dsn_of(postgres.address(_DATABASE, SERVER)), data=home,
            sandboxes=f"quickbooks={there.address}",
        )  # fmt: skip
        async with Database(settings.database_url or "") as database:
            tenant_id, integration_id = await _connected(database, settings, there)
            read, megabytes = await _read(postgres, settings, tenant_id, integration_id)
            await _compare(database, tenant_id, there)
    return _report(read, megabytes, there)


async def _connected(database: Database, settings: Settings, there: Books) -> tuple[UUID, UUID]:
    """A tenant with a lifecycle and nothing else, connected to the company."""
    tenant_id = await tenants.create_tenant(database, tenants.NewTenant("sync", "Sync", base_currency="USD"))
    async with database.unit_of_work(tenant_id) as work:
        await stages.create_from_template(work, "buyer", default=True)
        await actions.enable(work, "quickbooks")
        integration = await actions.create(work, "quickbooks", "Our books")
        await actions.configure(work, integration, integration.version, config={"home_country": "US"})
        await actions.recognise(work, integration, books.REALM, "Sandbox Company")
        token = Token(
            access_token=there.token["access_token"], refresh_token=there.token["refresh_token"],
            issued_at=work.now, expires_at=work.now + timedelta(seconds=there.token["expires_in"]),
            callback={"realmId": books.REALM},
        )  # fmt: skip
        await tokens.keep_token(work, Vault.of(settings), integration.id, token)
        for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
            await actions.move(work, integration, state)
    return tenant_id, integration.id


async def _read(
    postgres: Cluster, settings: Settings, tenant_id: UUID, integration_id: UUID
) -> tuple[list[Stream], float]:
    """Every stream as the worker's process reads it, and its peak of memory."""
    read: list[Stream] = []
    used = postgres.cpu()
    async for told in _said_by_worker(settings, tenant_id, integration_id):
        if "megabytes" in told:
            return read, told["megabytes"]
        before, used = used, postgres.cpu()
        read.append(Stream(told["stream"], told["records"], told["cpu"], used - before, told["wall"]))
    raise RuntimeError("The worker ended before it had read everything.")


async def _said_by_worker(settings: Settings, tenant_id: UUID, integration_id: UUID) -> AsyncIterator[dict[str, Any]]:
    environment = {
        **os.environ,
        "TENURE_DATABASE_URL": str(settings.database_url),
        "TENURE_DATA": str(settings.data),
        "TENURE_SANDBOXES": settings.sandboxes,
        # What a vendor's app is called: nothing is renewed within the hour that its token lasts.
        "TENURE_OAUTH_QUICKBOOKS_ID": "bench",
        "TENURE_OAUTH_QUICKBOOKS_SECRET": "bench",
    }
    command = ("-m", "bench.pulls", str(tenant_id), str(integration_id), *STREAMS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, env=environment, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    async for line in process.stdout:
        yield json.loads(line)
    await process.wait()


_TOTALS = text("""
SELECT
    (SELECT count(*) FROM customers WHERE tenant_id = :tenant AND status = 'ACTIVE') AS customers,
    (SELECT count(*) FROM products WHERE tenant_id = :tenant AND valid_to IS NULL) AS items,
    bills.count AS invoices, payments.count AS payments, bills.amount AS billed, bills.balance AS owed,
    payments.amount AS received,
    (SELECT sum(orders) FROM customer_totals WHERE tenant_id = :tenant) AS settled_orders,
    (SELECT count(*) FROM customers WHERE tenant_id = :tenant AND primary_email IS NOT NULL
        AND primary_phone IS NOT NULL AND first_purchase_at IS NOT NULL) AS complete,
    (SELECT count(DISTINCT customer_id) FROM stage_intervals WHERE tenant_id = :tenant) AS staged
FROM (
    SELECT count(*), sum(amount) AS amount, sum(balance) AS balance FROM invoices
    WHERE tenant_id = :tenant AND superseded_at IS NULL
) AS bills
CROSS JOIN (
    SELECT count(*), sum(amount) AS amount FROM payments WHERE tenant_id = :tenant AND superseded_at IS NULL
) AS payments
""")


async def _compare(database: Database, tenant_id: UUID, there: Books) -> None:
    """Raises RuntimeError where a total here is not the vendor's, or something that follows from it is missing."""
    async with database.reading(tenant_id) as reading:
        ((*figures,),) = await reading.rows(_TOTALS, {"tenant": tenant_id})
    expected = asdict(there)
    wanted = [expected[name] for name in ("customers", "items", "invoices", "payments", "billed", "owed", "received")]
    wanted += [there.invoices, there.customers, there.customers]
    if [int(figure or 0) for figure in figures] != wanted:
        raise RuntimeError(f"Here and there are not the same: {figures}, not {wanted}.")


def _report(read: list[Stream], megabytes: float, there: Books) -> Report:
    promised = [each for each in read if each.name in PROMISED]
    rows: list[list[Any]] = [[each.name, each.records, *_figures([each])] for each in read]
    records = sum(each.records for each in promised)
    rows.append([" and ".join(PROMISED), records, *_figures(promised)])
    speed = records / sum(each.worker for each in promised)
    return Report(
        name="sync",
        title="Syncing",
        columns=["", "records", "worker's CPU s", "PostgreSQL's CPU s", "by the clock s", "records/s of the worker's"],
        rows=rows,
        verdicts=[
            Verdict("records for each CPU second of the worker", speed, at_least=BY_WORKER),
            Verdict("megabytes of the worker at its peak", megabytes, at_most=MEGABYTES),
        ],
        conditions={
            "books": f"{there.customers:,} customers with an e-mail address and a phone each, {there.invoices:,} "
            f"invoices of {books.LINES} lines, {there.payments:,} payments",
            "measured at": datetime.now(UTC).date().isoformat(),
        },
        notes=[
            (
                "One worker reads one company from QuickBooks' sandbox, a process of its own, over HTTP on loopback, "
                "page by page into an empty tenant with a lifecycle: from the vendor's JSON to rows, timeline, totals, "
                "stages and proposals, as `tenure worker` does. Seconds are of CPU, of the worker while it reads and "
                "of all processes of PostgreSQL. By the clock it is the pace that QuickBooks allows: 500 requests a "
                "minute, of 1,000 rows."
            ),
            "Afterwards every total was compared with the vendor's, to the cent, and with what is settled from it.",
        ],
    )


def _figures(streams: list[Stream]) -> list[float]:
    worker = sum(each.worker for each in streams)
    return [
        worker, sum(each.postgres for each in streams), sum(each.wall for each in streams),
        sum(each.records for each in streams) / worker,
    ]  # fmt: skip
