"""Tells plugins what happened (`on_event`): at least once, each plugin by itself, and only for tenants that use it.

What was delivered to our own reactions is remembered as due work in the same transaction, for tenants with a plugin
that listens; a task of its own tells it. A plugin that raises or takes too long is counted, and not told it again.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import SQLAlchemyError

from domain.core.events import DueWork, OutboxEvent
from domain.integrations.model import Enablement
from sync import figures
from sync.relay import told
from tenure_sdk import hooks

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import ColumnElement

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from sync.registry import Listener

log = structlog.get_logger()

HOOK_DUE = "hook"
"""The kind of due work that tells plugins of an event; its key is the event's id."""

HOOK = "on_event"

EVERY = 1.0
"""Seconds between two looks at what is to be told."""

LONGEST = 5.0
"""Seconds that a plugin gets for one event."""

_CLAIM = timedelta(minutes=5)
_PORTION = 200


@dataclass
class Listening:
    """The plugins that listen, and what they are still to be told."""

    database: Database
    listeners: Sequence[Listener]
    stopping: asyncio.Event
    longest: float = LONGEST
    _threads: dict[str, _Thread] = field(default_factory=dict)

    async def remember(self, work: Writing, events: Sequence[UUID]) -> None:
        """Have these events of a tenant told, if a plugin of its listens; in the transaction that delivers them."""
        if not events or not await self._for_tenant(work):
            return
        entries = [
            {"tenant_id": work.tenant_id, "kind": HOOK_DUE, "key": event.hex, "due_at": work.now} for event in events
        ]
        await work.execute(insert(DueWork).values(entries).on_conflict_do_nothing())

    async def run(self) -> None:
        """Tell what is due until `stopping` is set; what is under way then is told again."""
        while self.listeners and not self.stopping.is_set():
            with suppress(OSError, SQLAlchemyError):  # while the database is away, what is due stays due
                while not self.stopping.is_set() and await self.tell():
                    pass
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), EVERY)

    async def tell(self) -> int:
        """Tell a portion of what is due; how many events that were."""
        due = (
            select(DueWork.tenant_id, DueWork.key, DueWork.due_at)
            .where(DueWork.kind == HOOK_DUE, DueWork.due_at <= self.database.clock.now())
            .order_by(DueWork.due_at, DueWork.key)
            .limit(_PORTION)
        )
        async with self.database.directory() as connection:
            entries = (await connection.execute(due)).all()
        for entry in entries:
            await self._tell(entry.tenant_id, entry.key, entry.due_at)
        return len(entries)

    async def _tell(self, tenant_id: UUID, key: str, due_at: Any) -> None:
        mine = _entry(tenant_id, key)
        async with self.database.unit_of_work(tenant_id) as work:
            until = work.now + _CLAIM
            claimed = await work.execute(update(DueWork).where(*mine, DueWork.due_at == due_at).values(due_at=until))
            if not claimed.rowcount:
                return
            wanted = select(OutboxEvent).where(OutboxEvent.tenant_id == tenant_id, OutboxEvent.id == UUID(key))
            event, listeners = await work.one(wanted), await self._for_tenant(work)
        if event is not None:
            await asyncio.gather(*(self._tell_one(listener, _shown(event), tenant_id) for listener in listeners))
        async with self.database.unit_of_work(tenant_id) as work:
            await work.execute(delete(DueWork).where(*mine))

    async def _tell_one(self, listener: Listener, event: hooks.Event, tenant_id: UUID) -> None:
        """Call one plugin; nothing that it does goes further than a count."""
        notes = logging.getLogger(f"tenure.plugin.{listener.plugin}")
        thread = self._threads.setdefault(listener.plugin, _Thread(listener.plugin))
        try:
            async with asyncio.timeout(self.longest):
                await thread.call(listener, event, hooks.EventContext(tenant=tenant_id.hex, log=notes))
        except Exception as failure:  # noqa: BLE001 - a plugin may fail in any way; the others are told
            figures.HOOK_ERRORS.labels(listener.plugin, HOOK).inc()
            log.warning("hook.failed", plugin=listener.plugin, hook=HOOK, about=event.name, **told(failure))

    async def _for_tenant(self, work: Reading) -> Sequence[Listener]:
        """The plugins with a connector that is enabled for the tenant."""
        if not self.listeners:
            return ()
        enabled: Collection[str] = await work.all(
            select(Enablement.connector).where(Enablement.tenant_id == work.tenant_id, Enablement.enabled.is_(True))
        )
        return [listener for listener in self.listeners if not listener.connectors.isdisjoint(enabled)]


class StillBusy(Exception):
    """The plugin has not come back from what it was told before."""


class _Thread:
    """Where one plugin's code runs: a thread with a loop of its own, so that what blocks there blocks nobody else."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._busy = False

    async def call(self, listener: Listener, event: hooks.Event, context: hooks.EventContext) -> None:
        """Tell the plugin, and wait until it has heard. Raises StillBusy, or whatever the plugin raises."""
        if self._busy:
            raise StillBusy
        self._busy = True
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()

        def settle(failure: BaseException | None) -> None:
            self._busy = False
            if not done.done():
                done.set_exception(failure) if failure else done.set_result(None)

        def tell() -> None:
            failure: BaseException | None = None
            try:
                asyncio.run(_heard(listener, event, context))
            except (Exception, SystemExit, KeyboardInterrupt, GeneratorExit) as raised:  # noqa: BLE001
                failure = raised if isinstance(raised, Exception) else RuntimeError(type(raised).__name__)
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(settle, failure)

        # A daemon: a plugin that never comes back must not keep the server from ending.
        threading.Thread(target=tell, name=f"plugin {self._name}", daemon=True).start()
        await done


async def _heard(listener: Listener, event: hooks.Event, context: hooks.EventContext) -> None:
    hearing = listener.hear(event=event, context=context)
    if inspect.isawaitable(hearing):
        await hearing


def _shown(event: OutboxEvent) -> hooks.Event:
    return hooks.Event(
        id=event.id.hex, name=event.name, subject=event.subject.hex, body=dict(event.body),
        occurred_at=event.occurred_at,
    )  # fmt: skip


def _entry(tenant_id: UUID, key: str) -> tuple[ColumnElement[bool], ...]:
    return DueWork.tenant_id == tenant_id, DueWork.kind == HOOK_DUE, DueWork.key == key
