"""A remote side in memory, the connector that reads it, and the tenant that it is read for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from msgspec import Struct
from sqlalchemy import delete, select, text

from domain.core.events import DueWork, OutboxEvent
from domain.integrations.model import Integration, StreamState, SyncRun
from sync import runs
from sync.pull import Pulled, pull
from sync.remote import LoopRemote
from tenure_sdk import (
    Account,
    Connector,
    Context,
    Customer,
    IdVersion,
    Order,
    Page,
    Record,
    Totals,
    fetch,
    ids,
    stream,
    totals,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing

PAGE = 10


class NoConfig(Struct):
    """Nothing to set."""


@dataclass
class Side:
    """What the remote side has, and what goes wrong there."""

    rows: list[Customer] = field(default_factory=list)
    """In the order in which they changed."""
    orders: list[Order] = field(default_factory=list)
    size: int = PAGE
    before_page: Callable[[int], Awaitable[None]] | None = None
    """What happens before a page, by its number in this reading, from 0."""
    mangle: Callable[[int, Page], Any] | None = None
    """What becomes of a page on its way."""
    asked: list[Any] = field(default_factory=list)
    """The cursors that readings began with."""
    account: str = "1"

    def customers(self, count: int, *, first: int = 0, **said: Any) -> list[Customer]:
        made = [Customer(id=str(number), name=f"Customer {number}", **said) for number in range(first, first + count)]
        self.rows += made
        return made

    async def page(self, number: int, records: Sequence[Record], cursor: Any, **more: Any) -> Any:
        if self.before_page is not None:
            await self.before_page(number)
        made = Page(records, cursor=cursor, **more)
        return made if self.mangle is None else self.mangle(number, made)


def connector_of(side: Side) -> type[Connector[NoConfig]]:
    """A connector whose streams go by a cursor."""

    class Shop(Connector[NoConfig]):
        """The shop."""

        key, title, version, category = "shop", "Shop", "1", "commerce"

        async def check(self, ctx: Context[NoConfig]) -> Account:
            return Account(side.account, "Shop")

        @stream(Customer, cursor="change", deletes="inline")
        async def customers(self, ctx: Context[NoConfig], cursor: Any) -> AsyncIterator[Page]:
            side.asked.append(cursor)
            rows = side.rows
            for number, start in enumerate(range(cursor or 0, len(rows), side.size)):
                end = min(start + side.size, len(rows))
                yield await side.page(number, rows[start:end], end)

        @stream(Order, cursor="change", depends_on=("customers",))
        async def orders(self, ctx: Context[NoConfig], cursor: Any) -> AsyncIterator[Page]:
            for number, start in enumerate(range(cursor or 0, len(side.orders), side.size)):
                yield await side.page(number, side.orders[start : start + side.size], start + side.size)

        @fetch(Customer)
        async def by_id(self, ctx: Context[NoConfig], ids: Sequence[str]) -> list[Customer]:
            return [row for row in side.rows if row.id in ids]

        @ids("customers")
        async def listed(self, ctx: Context[NoConfig]) -> AsyncIterator[list[IdVersion]]:
            yield [IdVersion(row.id) for row in side.rows]

        @totals("customers")
        async def count(self, ctx: Context[NoConfig], window: Any = None) -> Totals:
            return Totals(len(side.rows))

    return Shop


def club_of(side: Side) -> type[Connector[NoConfig]]:
    """A connector whose stream is read whole every time."""

    class Club(Connector[NoConfig]):
        """The club."""

        key, title, version, category = "club", "Club", "1", "crm"

        async def check(self, ctx: Context[NoConfig]) -> Account:
            return Account(side.account, "Club")

        @stream(Customer, deletes="snapshot")
        async def everyone(self, ctx: Context[NoConfig], cursor: Any) -> AsyncIterator[Page]:
            side.asked.append(cursor)
            for number, start in enumerate(range(cursor or 0, len(side.rows), side.size)):
                yield await side.page(number, side.rows[start : start + side.size], start + side.size)

    return Club


@dataclass
class Shop:
    """One tenant's integration with a remote side."""

    database: Database
    tenant: UUID
    side: Side
    connector: type[Connector[NoConfig]]
    id: UUID

    @property
    def remote(self) -> LoopRemote:
        return LoopRemote(
            self.connector, lambda window: Context(NoConfig(), now=self.database.clock.now, window=window)
        )

    async def pull(self, stream: str = "customers", **how: Any) -> Pulled:
        return await pull(self.database, self.remote, self.tenant, self.id, stream, **how)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows of a statement; `$t` stands for the tenant's predicate."""
        async with self.database.reading(self.tenant) as reading:
            found = await reading.rows(text(statement.replace("$t", f"tenant_id = '{self.tenant}'")))
        return [tuple(row) for row in found]

    async def names(self) -> set[str]:
        return {name for (name,) in await self.rows("SELECT display_name FROM customers WHERE $t")}

    async def living(self) -> set[str]:
        """The remote ids of the customers that are not deleted."""
        found = await self.rows("SELECT remote_id FROM remote_records WHERE $t AND type = 'customer' AND NOT deleted")
        return {remote_id for (remote_id,) in found}

    async def forget_due(self, work: Writing, kind: str, key: str) -> None:
        """Take an entry of due work, as the worker does before it runs a job again."""
        await work.execute(
            delete(DueWork).where(DueWork.tenant_id == self.tenant, DueWork.kind == kind, DueWork.key == key)
        )

    async def integration(self) -> Integration:
        async with self.database.reading(self.tenant) as reading:
            found = await reading.one(select(Integration).where(Integration.tenant_id == self.tenant))
        assert found is not None
        return found

    async def state(self, lane: str = "customers") -> StreamState:
        async with self.database.reading(self.tenant) as reading:
            found = await reading.one(
                select(StreamState).where(StreamState.tenant_id == self.tenant, StreamState.stream == lane)
            )
        assert found is not None
        return found

    async def runs(self) -> Sequence[SyncRun]:
        async with self.database.reading(self.tenant) as reading:
            return await reading.all(select(SyncRun).where(SyncRun.tenant_id == self.tenant).order_by(SyncRun.id))

    async def events(self, *names: str) -> list[tuple[str, dict[str, Any]]]:
        """What was told, by name and body, without the pages that landed."""
        told = select(OutboxEvent).where(OutboxEvent.tenant_id == self.tenant).order_by(OutboxEvent.id)
        async with self.database.reading(self.tenant) as reading:
            found = await reading.all(told)
        return [
            (event.name, event.body)
            for event in found
            if (event.name in names if names else event.name != "integrations.PageLanded")
        ]


@pytest.fixture
def side() -> Side:
    return Side()


@pytest.fixture
async def shop(database: Database, tenant: UUID, side: Side) -> Shop:
    return await connected(database, tenant, side, connector_of(side))


@pytest.fixture
async def club(database: Database, tenant: UUID, side: Side) -> Shop:
    return await connected(database, tenant, side, club_of(side))


async def connected(database: Database, tenant: UUID, side: Side, connector: type[Connector[NoConfig]]) -> Shop:
    """An integration of the tenant with the remote side."""
    async with database.unit_of_work(tenant) as work:
        integration = await runs.enabled(work, connector.key, Account(side.account, connector.title))
    return Shop(database, tenant, side, connector, integration.id)
