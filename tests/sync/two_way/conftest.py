"""Books that both sides write: a remote side in memory with versions, and a tenant that is connected with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct
from sqlalchemy import delete, select, update

from domain import customers, purchases
from domain.core.due import Jobs
from domain.core.events import DueWork, Reactions
from domain.customers.model import Customer as CustomerRow
from domain.integrations import actions, queries
from domain.integrations.model import Integration, IntegrationState, OutboundChange, SyncConflict, SyncDirection
from sync.heartbeat import Halt
from sync.pull import pull
from sync.registry import Registry
from sync.relay import Relay
from sync.remote import LoopRemote
from sync.two_way import reactions
from sync.two_way.sending import Sent, send
from tenure_sdk import (
    Account,
    Conflict,
    Connector,
    Context,
    Customer,
    IdVersion,
    Limit,
    Page,
    Pushed,
    RecordRejected,
    Transient,
    fetch,
    ids,
    lookup,
    push,
    stream,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from uuid import UUID

    from domain.core.database import Database
    from tenure_sdk import Change

AT = datetime(2026, 1, 1, tzinfo=UTC)
FIELDS = {"name": Limit(max_len=41, forbid=":", required=True), "emails": Limit(most=1), "phones": Limit(most=1)}


class NoConfig(Struct):
    """Nothing to set."""


@dataclass
class Remote:
    """What the other side has, in the order in which it changed, and what goes wrong there."""

    rows: dict[str, Customer] = field(default_factory=dict)
    writes: list[tuple[str, str]] = field(default_factory=list)
    """Every write it accepted: the operation and the id."""
    clock: int = 0
    lose_reply: Callable[[Change], bool] = lambda _: False
    writes_as: Callable[[Customer], Customer] = lambda record: record
    """How it writes down what it is given."""
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """What happens here while it writes."""

    def put(self, id_: str, **said: Any) -> Customer:
        self.clock += 1
        known = self.rows.pop(id_, None)
        moment = AT + timedelta(minutes=self.clock)
        values = {name: getattr(known, name) for name in ("name", "emails", "phones", "kind")} if known else {}
        made = Customer(id=id_, version=str(self.clock), updated_at=moment, **{**values, **said})
        self.rows[id_] = self.writes_as(made)
        return self.rows[id_]


def books_of(side: Remote) -> type[Connector[NoConfig]]:
    class Books(Connector[NoConfig]):
        """The books."""

        key, title, version, category = "books", "Books", "1", "accounting"

        async def check(self, ctx: Context[NoConfig]) -> Account:
            return Account("1", "Books")

        @stream(Customer, cursor="change")
        async def customers(self, ctx: Context[NoConfig], cursor: Any) -> AsyncIterator[Page]:
            rows = [row for row in side.rows.values() if int(row.version or 0) > (cursor or 0)]
            yield Page(rows, cursor=side.clock)

        @fetch(Customer)
        async def by_id(self, ctx: Context[NoConfig], ids: Sequence[str]) -> list[Customer]:
            return [side.rows[id_] for id_ in ids if id_ in side.rows]

        @push(Customer, fields=FIELDS)
        async def push_customer(self, ctx: Context[NoConfig], change: Change) -> Pushed:
            if change.remote_id is not None and side.rows[change.remote_id].version != change.remote_version:
                raise Conflict
            names = {row.name for row in side.rows.values() if row.id != change.remote_id}
            if change.record.name in names:
                raise RecordRejected(change.remote_id, "Another one has this name.", field="name")
            id_ = change.remote_id or f"r{len(side.rows) + 1}"
            said = {name: getattr(change.record, name) for name in change.fields & FIELDS.keys()}
            row = side.put(id_, **said, extra={"key": change.key})
            if side.meanwhile is not None:
                await side.meanwhile()
            side.writes.append((change.op, id_))
            if side.lose_reply(change):
                raise Transient("The reply was lost.", unknown_outcome=True)
            return Pushed(row.id, row.version, row)

        @lookup(Customer)
        async def find(self, ctx: Context[NoConfig], change: Change) -> Pushed | None:
            for row in side.rows.values():
                if row.extra.get("key") == change.key:
                    return Pushed(row.id, row.version, row)
            return None

        @ids("customers")
        async def listed(self, ctx: Context[NoConfig]) -> AsyncIterator[list[IdVersion]]:
            yield [IdVersion(row.id, row.version) for row in side.rows.values()]

    return Books


@dataclass
class Books:
    """One tenant's integration with the books."""

    database: Database
    tenant: UUID
    side: Remote
    registry: Registry
    id: UUID

    @property
    def remote(self) -> LoopRemote:
        connector = self.registry.connectors["books"]
        return LoopRemote(connector, lambda window: Context(NoConfig(), now=self.database.clock.now, window=window))

    async def pull(self) -> None:
        """Read what is new there, and what follows from it here."""
        await pull(self.database, self.remote, self.tenant, self.id, "customers")
        await self.react()

    async def react(self) -> None:
        heard = Reactions()
        reactions.register(heard, Jobs(), self.registry)
        await Relay(self.database, heard).drain(self.tenant)

    async def send(self) -> Sent:
        return await send(self.database, self.remote, self.registry, self.tenant, self.id, Halt())

    async def go_round(self) -> Sent:
        """One round: read, compare, write, and hear of it."""
        await self.pull()
        sent = await self.send()
        await self.react()
        return sent

    async def buyer(self, name: str, **said: Any) -> UUID:
        """A customer by hand, who has bought something."""
        (made,) = (await self.buyers(customers.NewCustomer(name=name, **said))).values()
        return made

    async def buyers(self, *new: customers.NewCustomer) -> dict[str | None, UUID]:
        """Customers by hand, who have all bought something; their ids by name."""
        ids = {}
        async with self.database.unit_of_work(self.tenant) as work:
            for each in new:
                ids[each.name] = (await customers.create(work, each)).id
                order = purchases.NewOrder(
                    customer_id=ids[each.name], occurred_at=AT, currency="EUR",
                    lines=(purchases.NewLine(description="Tea", quantity=Decimal(1), unit_price=Decimal(5)),),
                )  # fmt: skip
                await purchases.record_order(work, order)
        await self.react()
        return ids

    async def edit(self, customer_id: UUID, **said: Any) -> None:
        async with self.database.unit_of_work(self.tenant) as work:
            known = await customers.customer(work, customer_id)
            await customers.update(work, customer_id, known.version, customers.Changes(**said))
        await self.react()

    async def here(self) -> dict[str | None, tuple[str | None, str | None]]:
        """Every customer here by name: the primary e-mail address and phone."""
        async with self.database.reading(self.tenant) as work:
            rows = await work.all(
                select(CustomerRow).where(CustomerRow.tenant_id == self.tenant, CustomerRow.status == "ACTIVE")
            )
        return {row.display_name: (row.primary_email, row.primary_phone) for row in rows}

    def there(self) -> dict[str | None, tuple[str | None, str | None]]:
        """The same of the other side."""
        return {
            row.name: (row.emails[0] if row.emails else None, row.phones[0] if row.phones else None)
            for row in self.side.rows.values()
        }

    async def make_due(self) -> None:
        """Let what waits for a later time be tried now."""
        async with self.database.unit_of_work(self.tenant) as work:
            await work.execute(
                update(OutboundChange).where(OutboundChange.tenant_id == self.tenant).values(next_at=None)
            )

    async def is_owing(self) -> bool:
        """Whether something is still on its way."""
        return any(status in {"QUEUED", "SENDING", "WAITING"} for _, status in await self.changes())

    async def changes(self) -> list[tuple[str, str]]:
        async with self.database.reading(self.tenant) as work:
            found = await work.all(
                select(OutboundChange).where(OutboundChange.tenant_id == self.tenant).order_by(OutboundChange.id)
            )
        return [(each.op, each.status) for each in found]

    async def state(self) -> str:
        async with self.database.reading(self.tenant) as work:
            return (await queries.integration(work, self.id)).state

    async def conflicts(self) -> list[SyncConflict]:
        async with self.database.reading(self.tenant) as work:
            open_ones = select(SyncConflict).where(
                SyncConflict.tenant_id == self.tenant, SyncConflict.resolution.is_(None)
            )
            return list(await work.all(open_ones.order_by(SyncConflict.field)))


@pytest.fixture
async def books(database: Database, tenant: UUID) -> AsyncIterator[Books]:
    side = Remote()
    registry = Registry({"books": books_of(side)})
    async with database.unit_of_work(tenant) as work:
        await actions.enable(work, "books")
        integration = await actions.create(work, "books", "Our books")
        await actions.recognise(work, integration, "1", "Books")
        for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
            await actions.move(work, integration, state)
        choice = actions.StreamChoice("customers", direction=SyncDirection.TWO_WAY)
        await actions.choose(work, integration, [choice])
    made = Books(database, tenant, side, registry, integration.id)
    await made.pull()
    yield made
    async with database.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.tenant_id == tenant))


__all__ = ["Books", "Integration", "Remote"]
