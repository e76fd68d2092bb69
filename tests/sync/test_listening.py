"""Plugins hear what happens at tenants that use them: at least once, each by itself, and harm nobody."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, select

from domain.core.events import DueWork, OutboxEvent, Reactions
from domain.integrations import actions
from sync import figures
from sync.listening import HOOK_DUE, Listening
from sync.registry import Listener
from sync.relay import Relay

if TYPE_CHECKING:
    from collections.abc import Callable

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from tenure_sdk import Event, EventContext

Heard = list[tuple[str, str]]


@pytest.fixture
async def quiet(database: Database, tenant: UUID) -> Database:
    """The database with nothing to be told in it."""
    async with database.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.kind == HOOK_DUE))
    return database


def listening(database: Database, *hear: Callable[..., Any], longest: float = 5.0) -> Listening:
    listeners = [Listener(f"plugin{number}", frozenset({"acme"}), each) for number, each in enumerate(hear)]
    return Listening(database, listeners, asyncio.Event(), longest)


async def happened(database: Database, tenant: UUID, *names: str) -> list[UUID]:
    """Events of a tenant, in the outbox."""
    subject = uuid4()
    async with database.unit_of_work(tenant) as work:
        for name in names:
            work.emit(name, subject, number=1)
    async with database.reading(tenant) as reading:
        of = select(OutboxEvent.id).where(OutboxEvent.tenant_id == tenant, OutboxEvent.subject == subject)
        return list(await reading.all(of.order_by(OutboxEvent.id)))


async def enable(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.enable(work, "acme")


async def delivered(database: Database, to: Listening, tenant: UUID, reactions: Reactions | None = None) -> None:
    await Relay(database, reactions or Reactions(), remember=to.remember).drain(tenant)


def errors(plugin: str) -> float:
    return figures.HOOK_ERRORS.labels(plugin, "on_event")._value.get()


async def test_each_event_is_told_once_settled_to_sync_and_async_plugins(quiet: Database, tenant: UUID) -> None:
    heard: list[tuple[str, Event]] = []

    async def waits(*, event: Event, context: EventContext) -> None:
        await asyncio.sleep(0)
        heard.append((context.tenant, event))

    def plain(*, event: Event, context: EventContext) -> None:
        heard.append((context.tenant, event))

    async def react(work: Writing, event: OutboxEvent) -> None:
        """One of ours."""

    await enable(quiet, tenant)
    ids = await happened(quiet, tenant, "things.Made", "things.Changed")
    to = listening(quiet, waits, plain)
    await delivered(quiet, to, tenant, Reactions({"things.Made": [react]}))
    assert heard == []
    assert await to.tell() == 2
    assert await to.tell() == 0
    assert sorted((tenant_id, event.id, event.name) for tenant_id, event in heard) == sorted(
        2 * [(tenant.hex, ids[0].hex, "things.Made"), (tenant.hex, ids[1].hex, "things.Changed")]
    )
    assert heard[0][1].body == {"number": 1}


async def test_a_tenant_that_does_not_use_the_plugin_is_none_of_its_business(quiet: Database, tenant: UUID) -> None:
    heard: Heard = []
    to = listening(quiet, lambda **told: heard.append(told["event"].name))
    await happened(quiet, tenant, "things.Made")
    await delivered(quiet, to, tenant)
    assert (await to.tell(), heard) == (0, [])
    await enable(quiet, tenant)
    await happened(quiet, tenant, "things.Made")
    await delivered(quiet, to, tenant)
    async with quiet.unit_of_work(tenant) as work:
        await actions.disable(work, "acme")
    assert (await to.tell(), heard) == (1, [])  # it was disabled before it could be told


async def test_what_a_plugin_raises_is_counted_and_the_others_are_told(quiet: Database, tenant: UUID) -> None:
    heard: Heard = []

    def fails(**_: Any) -> None:
        raise KeyError("a name")

    async def leaves(**_: Any) -> None:
        raise SystemExit(1)

    before = errors("plugin0"), errors("plugin1")
    to = listening(quiet, fails, leaves, lambda **told: heard.append(told["event"].name))
    await enable(quiet, tenant)
    await happened(quiet, tenant, "things.Made")
    await delivered(quiet, to, tenant)
    await to.tell()
    assert heard == ["things.Made"]
    assert (errors("plugin0"), errors("plugin1")) == (before[0] + 1, before[1] + 1)


async def test_a_plugin_that_blocks_holds_up_itself_only(quiet: Database, tenant: UUID) -> None:
    heard: Heard = []

    async def blocks(**_: Any) -> None:
        time.sleep(1.0)  # noqa: ASYNC251 - on purpose

    before = errors("plugin0")
    to = listening(quiet, blocks, lambda **told: heard.append(told["event"].name), longest=0.2)
    await enable(quiet, tenant)
    await happened(quiet, tenant, "things.Made", "things.Changed", "things.Lost")
    await delivered(quiet, to, tenant)
    began = time.monotonic()
    assert await to.tell() == 3
    assert time.monotonic() - began < 0.9
    assert heard == ["things.Made", "things.Changed", "things.Lost"]
    assert errors("plugin0") == before + 3


async def test_who_dies_while_telling_leaves_it_to_another(quiet: Database, tenant: UUID) -> None:
    heard: Heard = []

    async def dies(**_: Any) -> None:
        await asyncio.sleep(30)

    await enable(quiet, tenant)
    await happened(quiet, tenant, "things.Made")
    first = listening(quiet, dies)
    await delivered(quiet, first, tenant)
    telling = asyncio.create_task(first.tell())
    await asyncio.sleep(0.3)
    telling.cancel()
    await asyncio.gather(telling, return_exceptions=True)
    async with quiet.directory() as connection:
        await connection.execute(
            DueWork.__table__.update().where(DueWork.kind == HOOK_DUE).values(due_at=quiet.clock.now())
        )
    assert await listening(quiet, lambda **told: heard.append(told["event"].name)).tell() == 1
    assert heard == ["things.Made"]
