"""A connector bound to one integration that runs in a process of its own."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from sync.isolation.frames import METHODS, Item, page_of, records_of
from tenure_sdk import ContractViolation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from msgspec import Raw

    from sync.isolation.process import Process
    from tenure_sdk import (
        Account,
        Change,
        Connector,
        Cursor,
        Delivery,
        Field,
        IdVersion,
        LinePage,
        Page,
        Pushed,
        Record,
        Signal,
        Subscription,
        Totals,
        Window,
    )


class ProcessRemote:
    """The other side, asked from a process that is started when it is first needed; `close` it.

    Where the process is stopped, what was asked raises ProcessStopped; what is asked next starts another one.
    """

    def __init__(self, connector: type[Connector[Any]], process: Callable[[], Process]) -> None:
        self.connector = connector
        self._new = process
        self._process: Process | None = None
        self._starting = asyncio.Lock()

    async def close(self) -> None:
        """End the process, if there is one."""
        if self._process is not None:
            process, self._process = self._process, None
            await process.end()

    async def check(self) -> Account:
        """The account that the settings lead to."""
        account: Account = await self._done("check")
        return account

    async def pages(
        self, stream: str, cursor: Cursor = None, window: Window | None = None
    ) -> AsyncGenerator[Page | LinePage, None]:
        """The pages of a stream after a cursor."""
        async with aclosing(self._each("pages", stream, cursor, window)) as items:
            async for item in items:
                yield _read(partial(page_of, item))

    async def migrate_cursor(self, stream: str, from_version: str, cursor: Cursor) -> Cursor:
        """A cursor that an earlier version of the connector wrote, as this version writes it."""
        return await self._done("migrate_cursor", stream, from_version, cursor)

    async def fetch(self, kind: str, ids: Sequence[str]) -> Sequence[Record]:
        """The records of a type by their ids."""
        given = await self._given("fetch", kind, list(ids))
        found: Sequence[Record] = _read(partial(records_of, given))
        return found

    async def push(self, change: Change) -> Pushed:
        """Have the other side take over a change."""
        pushed: Pushed = await self._done("push", change)
        return pushed

    async def lookup(self, change: Change) -> Pushed | None:
        """What a create has made whose reply was lost."""
        found: Pushed | None = await self._done("lookup", change)
        return found

    async def act(self, action: str, given: Any, key: str) -> Any:
        """Do something at the other side. Raises msgspec.ValidationError where `given` does not fit the action."""
        return await self._done("act", action, given, key)

    async def totals(self, stream: str, window: Window | None = None) -> Totals:
        """How many records a stream has at the other side."""
        counted: Totals = await self._done("totals", stream, window)
        return counted

    async def ids(self, stream: str) -> AsyncIterator[Sequence[IdVersion]]:
        """All ids of a stream at the other side."""
        async with aclosing(self._each("ids", stream)) as items:
            async for item in items:
                yield _decoded("ids", item.given)

    async def subscribe(
        self, callback_url: str | None, secret: str, current: Sequence[Subscription]
    ) -> Sequence[Subscription]:
        """Have the other side call; without an address, have it stop."""
        made: Sequence[Subscription] = await self._done("subscribe", callback_url, secret, list(current))
        return made

    async def signals(self, path: str, delivery: Delivery) -> Sequence[Signal]:
        """What a genuine call of the other side means."""
        found: Sequence[Signal] = await self._done("signals", path, delivery)
        return found

    async def custom_fields(self) -> Sequence[Field]:
        """The fields that only this account has."""
        fields: Sequence[Field] = await self._done("custom_fields")
        return fields

    async def _running(self) -> Process:
        async with self._starting:
            if self._process is None or not self._process.is_alive:
                await self.close()
                self._process = self._new()
                await self._process.begin()
            return self._process

    async def _given(self, method: str, *given: Any) -> Raw:
        process = await self._running()
        return (await process.ask(process.number(), method, *given)).given

    async def _done(self, method: str, *given: Any) -> Any:
        return _decoded(method, await self._given(method, *given))

    async def _each(self, method: str, *given: Any) -> AsyncGenerator[Item, None]:
        """What is one of many, each asked for when it is wanted; who stops early has the connector stop, too."""
        process = await self._running()
        number = process.number()
        try:
            item = await process.ask(number, method, *given)
            while isinstance(item, Item):
                yield item
                item = await process.following(number)
        except (GeneratorExit, asyncio.CancelledError):
            await process.close(number)
            raise


def _decoded(method: str, given: Raw) -> Any:
    return _read(partial(msgspec.msgpack.decode, given, type=METHODS[method].gives))


def _read(read: Callable[[], Any]) -> Any:
    """What came, as it has to be. Raises ContractViolation where it is something else."""
    try:
        return read()
    except msgspec.MsgspecError as problem:
        raise ContractViolation(f"The connector gave something else than its contract says: {problem}") from None
