"""A connector that is not shipped, and that misbehaves as its settings say; processes of the tests load it by name."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tenure_sdk import (
    Account,
    ApiKey,
    Connector,
    Customer,
    Delivery,
    HmacSignature,
    IdVersion,
    Invoice,
    LinePage,
    Order,
    Page,
    RateLimited,
    Signal,
    Totals,
    action,
    fetch,
    ids,
    stream,
    totals,
    webhook,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tenure_sdk import Context

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
COLUMNS = ("line", "document", "type", "occurred_at", "currency", "quantity", "unit_price")
CLOSED = "closed"


class OddConfig(Struct):
    """What goes wrong, and where it may write that it came so far."""

    fault: str = ""
    file: str = ""
    at_once: bool = False
    """It goes wrong before the first page, not after it."""


class Given(Struct):
    """What the action takes."""

    number: int


class Odd(Connector[OddConfig]):
    """The odd one."""

    key, title, version, category = "odd", "Odd", "1", "crm"
    hosts = ("api.odd.example",)
    auth = ApiKey(name="x-key")

    async def check(self, ctx: Context[OddConfig]) -> Account:
        """Tells what the process knows of its surroundings."""
        if ctx.config.fault == "request":
            found = await ctx.get("/account")
            return Account(found["id"], found["label"])
        told = {"pid": os.getpid(), "environ": dict(os.environ), "modules": sorted(sys.modules)}
        return Account(json.dumps(told), "Odd")

    @stream(Customer, cursor="change")
    async def customers(self, ctx: Context[OddConfig], cursor: Any) -> AsyncIterator[Page]:
        start = cursor or 0
        if ctx.config.at_once:
            await misbehave(ctx)
        yield Page([Customer(id=str(start), name="Before", updated_at=AT)], cursor=start + 1)
        await misbehave(ctx)
        yield Page([Customer(id=str(start + 1), name="After")], cursor=start + 2)

    @stream(Order, Invoice)
    async def documents(self, ctx: Context[OddConfig], cursor: Any) -> AsyncIterator[Page]:
        yield Page(
            [
                Order(id="1", occurred_at=AT, currency="EUR", total=Decimal("12.30"), extra={"n": 1}),
                Order(id="2", occurred_at=AT, currency="euros", total=Decimal(5)),
                Customer(id="3"),  # nothing of this stream
            ],
            deletes=("9",), cursor={"after": [1, "x", None]}, progress=0.5,
        )  # fmt: skip

    @stream(Order)
    async def lines(self, ctx: Context[OddConfig], cursor: Any) -> AsyncIterator[LinePage]:
        yield LinePage(COLUMNS, [(1, "A", "order", AT, "EUR", Decimal(2), Decimal("0.10"))], complete=True, cursor="c")

    @stream(Customer)
    async def endless(self, ctx: Context[OddConfig], cursor: Any) -> AsyncIterator[Page]:
        try:
            while True:
                yield Page([], cursor=1)
        finally:
            Path(ctx.config.file).write_text(CLOSED)  # noqa: ASYNC240 - a line

    @fetch(Customer)
    async def by_id(self, ctx: Context[OddConfig], ids: Sequence[str]) -> list[Customer]:
        return [Customer(id=each, name=f"Customer {each}") for each in ids]

    @totals("customers")
    async def count(self, ctx: Context[OddConfig], window: Any = None) -> Totals:
        raise RateLimited(7.5, "Slowly.")

    @ids("customers")
    async def listed(self, ctx: Context[OddConfig]) -> AsyncIterator[list[IdVersion]]:
        yield [IdVersion("1", "a")]
        yield [IdVersion("2")]

    @action("double", Given, Given)
    async def double(self, ctx: Context[OddConfig], given: Given, key: str) -> Given:
        return Given(2 * given.number)

    @webhook(HmacSignature(header="x-odd"), door="app")
    def events(self, delivery: Delivery) -> list[Signal]:
        if delivery.body == b"end":
            os._exit(3)
        return [Signal("customers", (each["id"],), account=each["account"]) for each in delivery.json()]


class Detached(Odd):
    """Another one, whose code no process can load."""

    key = "detached"


async def misbehave(ctx: Context[OddConfig]) -> None:  # noqa: C901, PLR0912 - each fault is one line
    match ctx.config.fault:
        case "block":
            time.sleep(60)  # noqa: ASYNC251 - on purpose
        case "memory":
            hoard = []
            while True:
                hoard.append(bytes(16 * 1024 * 1024))
        case "cpu":
            threading.Thread(target=spin, daemon=True).start()
            await asyncio.sleep(60)
        case "SystemExit":
            raise SystemExit(4)
        case "task":
            asyncio.get_running_loop().create_task(leave())
            await asyncio.sleep(60)
        case "exit":
            os._exit(5)
        case "hang":
            await asyncio.Event().wait()
        case "stdout":
            while True:
                sys.stdout.write("flood" * 10_000)
        case "log":
            while True:
                for _ in range(1000):
                    ctx.log.info("flood")
                await asyncio.sleep(0)
        case "garbage":
            shout(b"\xff\xff\xff\xff garbage")
            await asyncio.sleep(60)
        case "raise":
            raise KeyError("a customer's name")
        case "log-line":
            ctx.log.warning("the key is %s", "secret-of-tenant")


async def leave() -> None:
    raise SystemExit(6)


def spin() -> None:
    while True:
        pass


def shout(garbage: bytes) -> None:
    """Write to every socket of the process, that to the server among them."""
    for link in Path("/proc/self/fd").iterdir():
        if link.is_symlink() and str(link.readlink()).startswith("socket:"):
            os.write(int(link.name), garbage)
