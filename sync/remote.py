"""A connector bound to one integration: what the engine asks of the other side, wherever the connector's code runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from tenure_sdk import (
    Action,
    Control,
    Fetch,
    Listing,
    Lookup,
    Push,
    Stream,
    Subscribe,
    Unsupported,
    Webhook,
    Window,
    record_type,
)

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence

    from tenure_sdk import (
        Account,
        Change,
        Connector,
        Context,
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
    )
    from tenure_sdk.connector import Declared


class Remote(Protocol):
    """The other side of one integration. Whatever it cannot do raises Unsupported; errors are ConnectorErrors."""

    connector: type[Connector[Any]]

    async def check(self) -> Account:
        """The account that the settings lead to."""
        ...

    def pages(
        self, stream: str, cursor: Cursor = None, window: Window | None = None
    ) -> AsyncGenerator[Page | LinePage, None]:
        """The pages of a stream after a cursor; who stops early closes it."""
        ...

    async def migrate_cursor(self, stream: str, from_version: str, cursor: Cursor) -> Cursor:
        """A cursor that an earlier version of the connector wrote, as this version writes it."""
        ...

    async def fetch(self, kind: str, ids: Sequence[str]) -> Sequence[Record]:
        """The records of a type (a key of `RECORD_TYPES`) by their ids; what is gone is left out."""
        ...

    async def push(self, change: Change) -> Pushed:
        """Have the other side take over a change."""
        ...

    async def lookup(self, change: Change) -> Pushed | None:
        """What a create has made whose reply was lost; None when it has made nothing."""
        ...

    async def act(self, action: str, given: Any, key: str) -> Any:
        """Do something at the other side; `given` and what comes back are plain JSON values."""
        ...

    async def totals(self, stream: str, window: Window | None = None) -> Totals:
        """How many records a stream has at the other side, with control sums."""
        ...

    def ids(self, stream: str) -> AsyncIterator[Sequence[IdVersion]]:
        """All ids of a stream at the other side."""
        ...

    async def subscribe(
        self, callback_url: str | None, secret: str, current: Sequence[Subscription]
    ) -> Sequence[Subscription]:
        """Have the other side call; without an address, have it stop."""
        ...

    async def signals(self, path: str, delivery: Delivery) -> Sequence[Signal]:
        """What a genuine call of the other side means."""
        ...

    async def custom_fields(self) -> Sequence[Field]:
        """The fields that only this account has."""
        ...


class LoopRemote:
    """A connector that runs in this process, on this event loop."""

    def __init__(self, connector: type[Connector[Any]], context: Callable[[Window | None], Context[Any]]) -> None:
        self.connector = connector
        self._made = connector()
        self._context = context

    async def check(self) -> Account:
        """The account that the settings lead to."""
        return await self._made.check(self._context(None))

    def pages(
        self, stream: str, cursor: Cursor = None, window: Window | None = None
    ) -> AsyncGenerator[Page | LinePage, None]:
        """The pages of a stream after a cursor."""
        declared = self._declared(Stream, lambda each: each.name == stream, f"stream {stream}")
        return declared.read(self._made, self._context(window), cursor)

    async def migrate_cursor(self, stream: str, from_version: str, cursor: Cursor) -> Cursor:
        """A cursor that an earlier version of the connector wrote, as this version writes it."""
        return self._made.migrate_cursor(stream, from_version, cursor)

    async def fetch(self, kind: str, ids: Sequence[str]) -> Sequence[Record]:
        """The records of a type by their ids."""
        found = self._declared(Fetch, lambda each: _is_of(each.record, kind), f"way to fetch {kind}")
        return list(await found.bound(self._made)(self._context(None), list(ids)))

    async def push(self, change: Change) -> Pushed:
        """Have the other side take over a change."""
        pushed: Pushed = await self._of_change(Push, change)(self._context(None), change)
        return pushed

    async def lookup(self, change: Change) -> Pushed | None:
        """What a create has made whose reply was lost."""
        found: Pushed | None = await self._of_change(Lookup, change)(self._context(None), change)
        return found

    async def act(self, action: str, given: Any, key: str) -> Any:
        """Do something at the other side. Raises msgspec.ValidationError where `given` does not fit the action."""
        declared = self._declared(Action, lambda each: each.name == action, f"action {action}")
        done = await declared.bound(self._made)(self._context(None), msgspec.convert(given, declared.takes), key)
        return msgspec.to_builtins(done)

    async def totals(self, stream: str, window: Window | None = None) -> Totals:
        """How many records a stream has at the other side."""
        declared = self._declared(Control, lambda each: each.stream == stream, f"totals of {stream}")
        counted: Totals = await declared.bound(self._made)(self._context(window), window)
        return counted

    def ids(self, stream: str) -> AsyncIterator[Sequence[IdVersion]]:
        """All ids of a stream at the other side."""
        declared = self._declared(Listing, lambda each: each.stream == stream, f"ids of {stream}")
        listed: AsyncIterator[Sequence[IdVersion]] = declared.bound(self._made)(self._context(None))
        return listed

    async def subscribe(
        self, callback_url: str | None, secret: str, current: Sequence[Subscription]
    ) -> Sequence[Subscription]:
        """Have the other side call; without an address, have it stop."""
        declared = self._declared(Subscribe, lambda _: True, "subscriptions")
        return list(await declared.bound(self._made)(self._context(None), callback_url, secret, list(current)))

    async def signals(self, path: str, delivery: Delivery) -> Sequence[Signal]:
        """What a genuine call of the other side means."""
        declared = self._declared(Webhook, lambda each: each.path == path, f"webhook {path}")
        return list(declared.bound(self._made)(delivery))

    async def custom_fields(self) -> Sequence[Field]:
        """The fields that only this account has."""
        return await self._made.custom_fields(self._context(None))

    def _of_change(self, kind: type[Push | Lookup], change: Change) -> Callable[..., Any]:
        name = record_type(change.record)
        declared = self._declared(kind, lambda each: _is_of(each.record, name), f"way to write {name}")
        return declared.bound(self._made)

    def _declared(self, kind: type[Declared], fits: Callable[[Declared], bool], what: str) -> Declared:
        for declared in self.connector.declared(kind):
            if fits(declared):
                return declared
        raise Unsupported(f"{self.connector.title} has no {what}.")


def _is_of(record: type[Any], kind: str) -> bool:
    return bool(record.__struct_config__.tag == kind)
