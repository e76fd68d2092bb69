"""The world of the kill matrix: a tenant between two vendors, all three changed by people, and the ledger of it.

The vendors are the sandboxes, served over HTTP in this process behind a wire that loses replies after the vendor has
committed. The wire sees every call, so it knows the very moment in which a worker is to die.
"""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from subprocess import PIPE
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import asyncpg
import msgspec
import uvicorn

from cli import serving
from domain import customers, purchases
from domain.core.problems import StaleVersion
from domain.core.settings import Settings
from domain.integrations import actions
from domain.integrations.model import IntegrationState, SyncDirection
from plugins.outlook.sandbox import OutlookSandbox
from plugins.quickbooks.sandbox import QuickBooksSandbox
from sync import reconcile
from sync.access import tokens
from sync.access.oauth import Token
from sync.inbox import Doors
from sync.switchboard import Switchboard
from tenure_sdk import ConnectorError, Delivery
from tests.conftest import dsn
from tests.faults.sync_worker import Order

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from domain.core.database import Database
    from tests.conftest import Logins

OWN = "ours.example"
MAILBOX = f"ana@{OWN}"
STREAMS = {
    "quickbooks": {"customers": "TWO_WAY", "items": None, "invoices": None, "payments": None},
    "outlook": {"contacts": "TWO_WAY", "mail": None, "calendar": None},
}
"""What is read of each vendor, and what is written there, too."""

FIRST = 3
"""How many people each side knows in the beginning."""

MOST_WRITES = 12
"""How often the vendors are told to write of a person at most, in all."""

EVERY = timedelta(seconds=10)
"""How often the vendors are asked what they have not called about."""

LOST = 0.3
"""The share of the vendors' answers to writes that are lost after the vendor has committed."""

PATIENCE = 240.0
"""Seconds in which less has to be left to do, once nothing goes wrong any more, until everything is at rest."""


FOR_A_PERSON = ("refused", "conflicts", "dead letters", "doubtful")
"""What nobody but a person ends."""


@dataclass
class Call:
    """A call of the worker that a vendor has carried out."""

    vendor: str
    method: str
    path: str
    query: str
    status: int

    @property
    def is_refresh(self) -> bool:
        """Whether a token was renewed."""
        return self.method == "POST" and "/oauth2/" in self.path and self.status == 200

    @property
    def is_write(self) -> bool:
        """Whether it changed what the vendor has."""
        if self.method == "GET" or self.status >= 300:
            return False
        return not any(part in self.path for part in ("/query", "/$batch", "/oauth2/", "/subscriptions"))


@dataclass
class Wire:
    """What lies between the worker and a vendor."""

    vendor: str
    app: Any
    random: random.Random
    lost: float = 0.0
    writes: int = 0
    """How many writes the vendor has carried out."""
    watch: Callable[[Call], bool] = lambda _: False
    """Told of every call before it is answered; whether the answer is lost for it."""
    hold: Callable[[Call], Awaitable[None]] | None = None
    """How long a call waits for its answer."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """One call."""
        kept: list[Any] = []

        async def keep(message: Any) -> None:
            kept.append(message)

        await self.app(scope, receive, keep)
        query = scope["query_string"].decode()
        call = Call(self.vendor, scope["method"], scope["path"], query, kept[0]["status"])
        self.writes += call.is_write
        is_lost = (call.is_write or call.is_refresh) and self.random.random() < self.lost
        if self.hold is not None:
            await self.hold(call)
        if self.watch(call) or is_lost:
            kept = [
                {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000000")]},
                {"type": "http.response.body", "body": b"{", "more_body": True},
            ]
        for message in kept:
            await send(message)


class Server(uvicorn.Server):
    """uvicorn for a sandbox: silent, and stopped by us."""

    def __init__(self, app: Any) -> None:
        super().__init__(uvicorn.Config(app, lifespan="off", log_config=None, log_level="critical", ws="none"))

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to pytest."""
        return nullcontext()


@asynccontextmanager
async def listening(wire: Wire) -> AsyncIterator[str]:
    """The address at which a vendor answers meanwhile."""
    with serving.bound("127.0.0.1", 0) as bound:
        server = Server(wire)
        running = asyncio.create_task(server.serve(sockets=[bound]))
        while not server.started:  # noqa: ASYNC110 - the server has no event for it
            await asyncio.sleep(0.01)
        yield serving.address(bound)
        server.should_exit = server.force_exit = True
        await running


@dataclass
class Nursery:
    """The process that workers come from."""

    directory: Path
    """Where their keys lie."""
    _is_warm: bool = False

    @asynccontextmanager
    async def ready(self) -> AsyncIterator[Nursery]:
        """It, while this lasts."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TENURE_")}
        with self._log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.faults.sync_worker", stdin=PIPE, stdout=PIPE, stderr=log, env=kept,
                cwd=Path(__file__).parents[2],
            )  # fmt: skip
        try:
            yield self
        finally:
            self._process.kill()
            await self._process.wait()

    async def bear(self, order: Order) -> int:
        """A worker, by its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(order) + b"\n")
        return int(await self._heard())

    @asynccontextmanager
    async def warmed(self, environment: dict[str, str]) -> AsyncIterator[bool]:
        """Work in the nursery itself meanwhile, so that it knows what its workers need; whether it does not yet."""
        if self._is_warm:
            yield False
            return
        self._is_warm = True
        pid = await self.bear(Order(environment, stays=True))
        yield True
        os.kill(pid, signal.SIGTERM)
        assert await self._heard() == b"back\n"

    @property
    def last_words(self) -> str:
        """The end of what its workers wrote into their log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-30:])

    @property
    def _log(self) -> Path:
        return self.directory / "workers.log"

    async def _heard(self) -> bytes:
        assert self._process.stdout is not None
        return await self._process.stdout.readline()


@dataclass
class Workers:
    """Starts workers, kills them, and has the next one there at once."""

    nursery: Nursery
    environment: dict[str, str]
    fault: str = ""
    pid: int | None = None
    ended: list[str] = field(default_factory=list)
    """What was last heard of workers that ended by themselves."""

    async def start(self) -> int:
        """A worker."""
        self.pid = await self.nursery.bear(Order(self.environment, self.fault))
        return self.pid

    def kill(self) -> None:
        """End the worker as a power cut does."""
        self._signal(signal.SIGKILL)
        self.pid = None

    def look(self) -> None:
        """Note it where the worker has ended by itself."""
        self._signal(0)

    def _signal(self, number: int) -> None:
        if self.pid is None:
            return
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            self.ended.append(f"worker {self.pid} has ended by itself: {self.nursery.last_words}")
            self.pid = None


@dataclass
class Person:
    """Somebody whom all sides know by an e-mail address, and what they have to say of him in the end."""

    email: str
    name: str
    phone: str
    in_books: bool
    """Whether QuickBooks has to know him."""
    mails: int = 0


@dataclass
class World:
    """All three sides, and what they have to be in the end."""

    database: Database
    superuser: asyncpg.Connection
    tenant: UUID
    workers: Workers
    board: Switchboard
    quickbooks: QuickBooksSandbox
    outlook: OutlookSandbox
    wires: dict[str, Wire]
    integrations: dict[str, UUID]
    realm: str
    random: random.Random
    other: Callable[[], Awaitable[asyncpg.Connection]]
    """Another connection to the database."""
    wrong: list[str] = field(default_factory=list)
    """What was seen to go wrong on the way."""
    people: list[Person] = field(default_factory=list)
    invoices: int = 0
    events: int = 0
    counter: int = 0
    item: str = ""
    """What is sold."""

    @property
    def books(self) -> Any:
        """The company's books, for a person who works in QuickBooks."""
        return self.quickbooks.company(self.realm)

    @property
    def box(self) -> Any:
        """The mailbox, for the person whose it is."""
        return self.outlook.mailbox(MAILBOX)

    # What people do

    def somebody(self, *, in_books: bool) -> Person:
        self.counter += 1
        made = Person(f"p{self.counter}@customer.example", f"Person {self.counter}", self._phone(), in_books)
        self.people.append(made)
        return made

    async def meet_here(self) -> None:
        """Somebody new buys something."""
        person = self.somebody(in_books=True)
        async with self.database.unit_of_work(self.tenant) as work:
            new = customers.NewCustomer(name=person.name, emails=[person.email], phones=[person.phone])
            made = await customers.create(work, new)
            line = purchases.NewLine(description="Tea", quantity=Decimal(1), unit_price=Decimal(5))
            at = datetime.now(UTC)
            await purchases.record_order(
                work, purchases.NewOrder(customer_id=made.id, occurred_at=at, currency="USD", lines=(line,))
            )

    async def meet_in_books(self) -> None:
        """Somebody new is entered in QuickBooks."""
        person = self.somebody(in_books=True)
        self.books.create(
            "Customer", DisplayName=person.name, PrimaryEmailAddr={"Address": person.email},
            PrimaryPhone={"FreeFormNumber": person.phone},
        )  # fmt: skip

    async def meet_in_outlook(self) -> None:
        """Somebody new is noted in Outlook."""
        person = self.somebody(in_books=False)
        self.box.add_contact(person.name, person.email, mobilePhone=person.phone)

    async def call_here(self) -> None:
        """Somebody's number changes here."""
        person = self._anybody()
        found = await self._here(person)
        if found is None:
            return
        person.phone = self._phone()
        while True:
            with suppress(StaleVersion):  # a page landed just then: whoever types it looks again
                async with self.database.unit_of_work(self.tenant) as work:
                    known = await customers.customer(work, found)
                    await customers.update(work, known.id, known.version, customers.Changes(phones=[person.phone]))
                return

    async def rename_there(self) -> None:
        """Somebody's name changes: in QuickBooks where that knows him, else in Outlook."""
        person = self._anybody()
        row, contact = self._in_books(person), self._in_outlook(person)
        self.counter += 1
        if row:
            person.name = f"Person {self.counter}"
            self.books.edit("Customer", row[0]["Id"], DisplayName=person.name)
        elif contact and not person.in_books:
            person.name = f"Person {self.counter}"
            self.box.edit(contact[0], displayName=person.name)

    async def bill(self) -> None:
        """QuickBooks has an invoice more."""
        rows = list(self.books.records("Customer"))
        if rows:
            sold = {"ItemRef": {"value": self.item}, "UnitPrice": 20, "Qty": 1}
            line = {"Amount": 20, "DetailType": "SalesItemLineDetail", "SalesItemLineDetail": sold}
            self.books.create("Invoice", CustomerRef={"value": self.random.choice(rows)["Id"]}, Line=[line])
            self.invoices += 1

    async def write_mail(self) -> None:
        """A customer writes; mail of others is not read."""
        person = self._anybody()
        if await self._here(person) is None:
            return
        person.mails += 1
        self.counter += 1
        self.box.receive((person.name, person.email), f"Mail {self.counter}")

    async def invite(self) -> None:
        """A customer is met; meetings with others are not read."""
        person = self._anybody()
        if await self._here(person) is None:
            return
        self.counter += 1
        self.events += 1
        start = datetime.now(UTC) + timedelta(days=1)
        self.box.add_event(f"Meeting {self.counter}", start, attendees=[(person.name, person.email)])

    async def go_on(self, count: int) -> None:
        """So many things happen, anywhere."""
        for _ in range(count):
            await self.random.choice((self.meet_here, self.call_here, *self._there))()
        await self.deliver()

    async def go_on_there(self, count: int) -> None:
        """So many things happen at the vendors."""
        for _ in range(count):
            await self.random.choice(self._there)()

    @property
    def _there(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (
            self.meet_in_books, self.meet_in_outlook, self.rename_there, self.bill, self.write_mail, self.invite,
        )  # fmt: skip

    async def deliver(self) -> None:
        """The vendors call about what has happened."""
        await self.quickbooks.deliver(self._call)
        await self.outlook.deliver(self.hook)

    async def _call(self, _: str, headers: Mapping[str, str], body: bytes) -> int:
        doors = Doors(self.database, self.board)
        return (await doors.of_app("quickbooks", "events", Delivery(body, dict(headers)))).status

    async def hook(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Outlook calls at the door of its integration."""
        place = urlsplit(url)
        *_, token, path = place.path.split("/")
        called = Delivery(body, {n.lower(): v for n, v in headers.items()}, dict(parse_qsl(place.query)), url)
        reply = await Doors(self.database, self.board).of_integration(token, path, called)
        return reply.status, reply.body.encode()

    def _phone(self) -> str:
        self.counter += 1
        return f"+1650{2_000_000 + self.counter}"

    def _anybody(self) -> Person:
        return self.random.choice(self.people)

    async def _here(self, person: Person) -> UUID | None:
        found = "SELECT id FROM customers WHERE tenant_id = $1 AND primary_email = $2 AND status = 'ACTIVE'"
        return await self.superuser.fetchval(found, self.tenant, person.email)

    def _in_books(self, person: Person) -> list[Any]:
        rows = self.books.records("Customer")
        return [row for row in rows if (row.get("PrimaryEmailAddr") or {}).get("Address") == person.email]

    def _in_outlook(self, person: Person) -> list[Any]:
        items = self.box.folder("contacts", "contact").items.values()
        return [item for item in items if person.email in {each["address"] for each in item.fields["emailAddresses"]}]

    # How it ends

    @property
    def writes(self) -> int:
        """How much the vendors were told to write."""
        return sum(wire.writes for wire in self.wires.values())

    async def rounds(self, count: int) -> None:
        """Have every stream read so many times more."""
        read = (
            "SELECT min(n) FROM (SELECT count(*) AS n FROM sync_runs WHERE tenant_id = $1 GROUP BY stream) AS streams"
        )
        for _ in range(count):
            before = await self.superuser.fetchval(read, self.tenant)
            async with asyncio.timeout(PATIENCE):
                while await self.superuser.fetchval(read, self.tenant) == before:
                    await self.superuser.execute(
                        "UPDATE directory.due_work SET due_at = now() "
                        "WHERE tenant_id = $1 AND kind = 'sync' AND due_at > now() + interval '4 seconds'", self.tenant
                    )  # fmt: skip
                    await asyncio.sleep(0.1)

    async def settle(self, patience: float = PATIENCE) -> None:
        """Nothing goes wrong any more: wait until nothing happens any more, or it is plain that it never will."""
        for wire in self.wires.values():
            wire.lost, wire.watch = 0.0, lambda _: False
        if self.workers.pid is None:
            await self.workers.start()
        await self.rest(patience)

    async def rest(self, patience: float = PATIENCE) -> None:
        """Wait until all was read once more and nothing came of it, or it is plain that this will never be."""
        owing, fewest, before, since = {}, None, None, None
        try:
            async with asyncio.timeout(patience) as waiting:
                while not await self._is_hopeless() and not (since and await self._was_read_since(since)):
                    await self.deliver()
                    await asyncio.sleep(0.3)
                    owing = await self.owing()
                    left = sum(owing.values())
                    if fewest is None or left < fewest:
                        fewest = left
                        waiting.reschedule(asyncio.get_running_loop().time() + patience)
                    now = (self.writes, await self._landed())
                    if now != before or any(owing[what] for what in owing if not what.startswith(FOR_A_PERSON)):
                        since = None
                    elif since is None:
                        since = datetime.now(UTC)
                        await self._read_soon()
                    before = now
        except TimeoutError:
            self.wrong.append(f"no rest, and for {patience:.0f} s nothing less to do: {owing}")

    async def _read_soon(self) -> None:
        await self.superuser.execute(
            "UPDATE directory.due_work SET due_at = now() WHERE tenant_id = $1 AND kind = 'sync' AND due_at > now()",
            self.tenant,
        )

    async def _was_read_since(self, moment: datetime) -> bool:
        """Whether every stream has been read whole by a run that began after a moment."""
        read = """
        SELECT count(*) FROM stream_states
        WHERE tenant_id = $1 AND integration_id = ANY($2) AND stream !~ '#' AND read_until > $3
        """
        found = await self.superuser.fetchval(read, self.tenant, list(self.integrations.values()), moment)
        return bool(found >= sum(map(len, STREAMS.values())))

    async def _is_hopeless(self) -> bool:
        """Whether the worker is gone, an integration waits for a person, or there is no end to what is written."""
        if self.writes > MOST_WRITES * len(self.people):
            self.wrong.append(f"{self.writes} writes about {len(self.people)} people, and no end")
        self.workers.look()
        given_up = "SELECT count(*) FROM integrations WHERE tenant_id = $1 AND state IN ('NEEDS_REAUTH', 'QUARANTINED')"
        return bool(self.wrong or self.workers.ended or await self.superuser.fetchval(given_up, self.tenant))

    async def owing(self) -> dict[str, int]:
        """What is on its way or waits for something."""
        rows = await self.superuser.fetch(_OWING, self.tenant)
        return {row["what"]: row["count"] for row in rows}

    async def _landed(self) -> Any:
        return await self.superuser.fetchval(
            "SELECT max(id::text) FROM outbox_events WHERE tenant_id = $1 AND name <> 'integrations.RunStarted' "
            "AND name <> 'integrations.RunEnded'",
            self.tenant,
        )

    async def faults_found(self) -> list[str]:
        """Everything that is lost, twice, stuck or different; nothing, where all is well."""
        found = [*self.wrong, *self.workers.ended]
        found += [f"{what}: {count}" for what, count in (await self.owing()).items() if count]
        for row in await self.superuser.fetch(
            "SELECT connector, state, reason FROM integrations WHERE tenant_id = $1 AND state <> 'ACTIVE'", self.tenant
        ):
            found.append(f"{row['connector']} is {row['state']}: {row['reason']}")
        for person in self.people:
            found += await self._wrong_about(person)
        found += await self._wrong_counts()
        return found + [each for key in self.integrations for each in await self._inaccurate(key)]

    async def _wrong_about(self, person: Person) -> list[str]:
        here = await self.superuser.fetch(
            "SELECT display_name, primary_phone FROM customers "
            "WHERE tenant_id = $1 AND primary_email = $2 AND status = 'ACTIVE'",
            self.tenant, person.email,
        )  # fmt: skip
        sides = {
            "here": [tuple(row) for row in here],
            "in QuickBooks": [
                (row["DisplayName"], (row.get("PrimaryPhone") or {}).get("FreeFormNumber"))
                for row in self._in_books(person)
            ],
            "in Outlook": [
                (item.fields["displayName"], item.fields.get("mobilePhone")) for item in self._in_outlook(person)
            ],
        }
        right = [(person.name, person.phone)]
        wanted = {"here": right, "in QuickBooks": right if person.in_books else [], "in Outlook": right}
        wrong = [side for side in sides if sides[side] != wanted[side]]
        return [f"{person.email} is {sides[side]} {side}, not {wanted[side]}" for side in wrong]

    async def _wrong_counts(self) -> list[str]:
        counted = await self.superuser.fetchrow(_COUNTS, self.tenant)
        mails = sum(person.mails for person in self.people)
        wanted = {
            "customers": len(self.people), "invoices": self.invoices, "mails": mails, "meetings": self.events,
            "in_books": sum(person.in_books for person in self.people), "in_outlook": len(self.people),
        }  # fmt: skip
        there = {
            "in_books": sum(1 for _ in self.books.records("Customer")),
            "in_outlook": len(self.box.folder("contacts", "contact").items),
        }
        has = {**dict(counted), **there}
        return [f"{has[name]} {name}, not {count}" for name, count in wanted.items() if has[name] != count]

    async def _inaccurate(self, key: str) -> list[str]:
        async with self.board.remotes.open(self.tenant, self.integrations[key]) as remote:
            try:
                report_id = await reconcile.reconcile(
                    self.database, remote, self.tenant, self.integrations[key], deep=True
                )
            except ConnectorError as problem:
                return [f"{key} cannot be compared: {problem!r}"]
        async with self.database.reading(self.tenant) as work:
            differing = await reconcile.differences(work, report_id)
        report = await self.superuser.fetchrow(
            "SELECT compared, matching FROM reconciliation_reports WHERE id = $1", report_id
        )
        if report["compared"] and report["compared"] == report["matching"]:
            return []
        return [f"{key}: {report['matching']} of {report['compared']} are alike", *map(str, differing)]


_OWING = """
SELECT 'changes that are open' AS what, count(*) AS count FROM outbound_changes
    WHERE tenant_id = $1 AND status IN ('QUEUED', 'SENDING', 'WAITING')
UNION ALL SELECT 'refused: ' || coalesce(string_agg(left(error, 80), '; '), ''), count(*) FROM outbound_changes
    WHERE tenant_id = $1 AND status IN ('REJECTED', 'CONFLICTED')
UNION ALL SELECT 'calls that nobody has heard', count(*) FROM inbox_events
    WHERE tenant_id = $1 AND processed_at IS NULL
UNION ALL SELECT 'events that were not delivered', count(*) FROM outbox_events
    WHERE tenant_id = $1 AND delivered_at IS NULL AND name NOT IN ('integrations.RunStarted', 'integrations.RunEnded')
UNION ALL SELECT 'conflicts', count(*) FROM sync_conflicts WHERE tenant_id = $1 AND resolution IS NULL
UNION ALL SELECT 'dead letters', count(*) FROM dead_letters WHERE tenant_id = $1 AND resolution IS NULL
UNION ALL SELECT 'doubtful links', count(*) FROM link_candidates WHERE tenant_id = $1 AND decision IS NULL
UNION ALL SELECT 'things that nobody does', count(*) FROM directory.due_work
    WHERE tenant_id = $1 AND due_at <= now() - interval '1 minute'
"""

_COUNTS = """
SELECT (SELECT count(*) FROM customers WHERE tenant_id = $1 AND status = 'ACTIVE') AS customers,
    (SELECT count(*) FROM invoices WHERE tenant_id = $1 AND superseded_at IS NULL) AS invoices,
    (SELECT count(*) FROM interactions WHERE tenant_id = $1 AND kind = 'EMAIL_RECEIVED') AS mails,
    (SELECT count(*) FROM interactions WHERE tenant_id = $1 AND kind = 'MEETING') AS meetings
"""


@asynccontextmanager
async def world(
    database: Database, logins: Logins, tenant: UUID, nursery: Nursery, *, fault: str = "",
    first: int = FIRST, seed: int = 7,
) -> AsyncIterator[World]:  # fmt: skip
    """A tenant that is connected with both vendors, each with people whom the others do not know."""
    chance = random.Random(seed)  # noqa: S311 - the same world in every run
    quickbooks, outlook = QuickBooksSandbox(seed=seed), OutlookSandbox(seed=seed)
    quickbooks.throttling.lift()
    quickbooks.authorizations.rotate_on_every_call = True
    quickbooks.webhooks.url = "https://crm.example.com/hooks/app/quickbooks/events"
    realm = str(UUID(int=tenant.int).int % 10**15)
    wires = {key: Wire(key, each.app, chance) for key, each in (("quickbooks", quickbooks), ("outlook", outlook))}
    async with listening(wires["quickbooks"]) as books_at, listening(wires["outlook"]) as mail_at:
        environment = {
            "TENURE_DATABASE_URL": dsn(logins.server), "TENURE_DATA": str(nursery.directory),
            "TENURE_METRICS_PORT": "0",
            "TENURE_SANDBOXES": f"quickbooks={books_at},outlook={mail_at}", "TENURE_LOG_LEVEL": "WARNING",
            "TENURE_PUBLIC_URL": "https://crm.example.com",
            "TENURE_WEBHOOK_QUICKBOOKS_SECRET": quickbooks.verifier_token,
        }  # fmt: skip
        for key, sandbox in (("QUICKBOOKS", quickbooks), ("OUTLOOK", outlook)):
            environment |= {
                f"TENURE_OAUTH_{key}_ID": sandbox.client_id, f"TENURE_OAUTH_{key}_SECRET": sandbox.client_secret
            }  # fmt: skip
        settings = _settings(environment)
        connect = partial(asyncpg.connect, dsn(logins.superuser))
        superuser = await connect()
        workers = Workers(nursery, environment, fault)
        try:
            async with Switchboard(database, settings) as board:
                made = World(
                    database, superuser, tenant, workers, board, quickbooks, outlook, wires, {}, realm, chance, connect
                )
                made.item = str(made.books.create("Item", Name="Tea", IncomeAccountRef={"value": "79"})["Id"])
                outlook.post = made.hook
                await _connect(made)
                for _ in range(first):
                    await made.meet_here()
                    await made.meet_in_books()
                    await made.meet_in_outlook()
                async with nursery.warmed(environment) as is_working:
                    if is_working:
                        await made.rest()
                yield made
        finally:
            workers.kill()
            await superuser.execute("DELETE FROM directory.due_work WHERE tenant_id = $1", tenant)
            await superuser.close()


def _settings(environment: Mapping[str, str]) -> Settings:
    names = {name: value for name, value in environment.items() if name.startswith("TENURE_")}
    oauth = {n.removeprefix("TENURE_OAUTH_"): v for n, v in names.items() if n.startswith("TENURE_OAUTH_")}
    return Settings.from_env(
        data=names["TENURE_DATA"], sandboxes=names["TENURE_SANDBOXES"], public_url=names["TENURE_PUBLIC_URL"],
        oauth=oauth, webhook={"QUICKBOOKS": names["TENURE_WEBHOOK_QUICKBOOKS_SECRET"]},
    )  # fmt: skip


async def _connect(world: World) -> None:
    """Both integrations, authorised and active, written where their streams go both ways."""
    about: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, str]]] = {
        "quickbooks": (world.realm, {}, world.quickbooks.tokens_for(world.realm), {"realmId": world.realm}),
        "outlook": (world.box.user_id, {"own_domains": [OWN]}, world.outlook.tokens_for(MAILBOX), {}),
    }
    for key, (account, config, issued, callback) in about.items():
        async with world.database.unit_of_work(world.tenant) as work:
            await actions.enable(work, key)
            integration = await actions.create(work, key, key)
            await actions.configure(work, integration, integration.version, config=config)
            await actions.recognise(work, integration, account, key)
            token = Token(
                access_token=issued["access_token"], refresh_token=issued["refresh_token"], issued_at=work.now,
                expires_at=work.now + timedelta(hours=1), callback=callback,
            )  # fmt: skip
            await tokens.keep_token(work, world.board.remotes.vault, integration.id, token)
            declared = world.board.registry.connector(key).streams()
            choices = [
                actions.StreamChoice(
                    stream.name, enabled=stream.name in STREAMS[key], every=EVERY,
                    direction=SyncDirection.TWO_WAY if STREAMS[key].get(stream.name) else None,
                )
                for stream in declared
            ]  # fmt: skip
            await actions.choose(work, integration, choices)
            for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
                await actions.move(work, integration, state)
            world.integrations[key] = integration.id
