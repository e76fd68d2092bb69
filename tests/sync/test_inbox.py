"""Calls of other sides: believed only when genuine, kept once, split by account, heard by a worker."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import httpx2 as httpx
import msgspec
import pytest
from pydantic import SecretStr
from sqlalchemy import delete, insert, select

from api.app import create_app
from domain.core.events import DueWork
from domain.core.settings import Settings
from domain.customers.model import Customer as CustomerRow
from domain.integrations import actions, queries
from domain.integrations.model import AppDelivery, InboxEvent, IntegrationState
from sync import hooks, inbox
from sync.errands import Errands
from sync.inbox import Splitter
from sync.registry import Registry
from sync.switchboard import Switchboard
from tenure_sdk import (
    Account,
    BodySecret,
    Connector,
    Context,
    Customer,
    Delivery,
    EchoQuery,
    HmacSignature,
    Page,
    Signal,
    fetch,
    stream,
    webhook,
)

if TYPE_CHECKING:
    import asyncio
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database

SECRET = "verifier"


class NoConfig(msgspec.Struct):
    """Nothing to set."""


@dataclass
class Vendor:
    """What the vendor has, for all accounts."""

    rows: dict[str, Customer] = field(default_factory=dict)
    fetched: list[list[str]] = field(default_factory=list)


def vendor_of(side: Vendor) -> type[Connector[NoConfig]]:
    class Books(Connector[NoConfig]):
        """Books with one address for all tenants, and one for each."""

        key, title, version, category = "books", "Books", "1", "crm"

        async def check(self, ctx: Context[NoConfig]) -> Account:
            return Account("1", "Books")

        @stream(Customer, cursor="change")
        async def customers(self, ctx: Context[NoConfig], cursor: Any) -> AsyncIterator[Page]:
            yield Page([])

        @fetch(Customer)
        async def by_id(self, ctx: Context[NoConfig], ids: Sequence[str]) -> list[Customer]:
            side.fetched.append(list(ids))
            return [side.rows[id_] for id_ in ids if id_ in side.rows]

        @webhook(HmacSignature(header="x-books", encoding="base64"), door="app")
        def events(self, delivery: Delivery) -> list[Signal]:
            return [
                Signal("customers", tuple(each["ids"]), account=each["account"], event=each.get("event"))
                for each in delivery.json()["events"]
            ]

        @webhook(BodySecret(), path="notes", challenge=EchoQuery("validationToken"))
        def notes(self, delivery: Delivery) -> list[Signal]:
            return [Signal("customers", (each["id"],), renew="renew" in each) for each in delivery.json()["value"]]

    return Books


@dataclass
class House:
    """A server, two tenants that use the books, and the vendor that calls."""

    database: Database
    board: Switchboard
    client: httpx.AsyncClient
    side: Vendor
    integrations: dict[UUID, UUID]

    async def call(self, *events: dict[str, Any], secret: str = SECRET) -> httpx.Response:
        body = msgspec.json.encode({"events": list(events)})
        signature = b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()
        return await self.client.post("/hooks/app/books/events", content=body, headers={"x-books": signature})

    async def work(self, stopping: asyncio.Event) -> None:
        """What a worker does once a while has passed."""
        await Splitter(self.database, self.board).split()
        async with self.database.directory() as connection:
            await connection.execute(
                DueWork.__table__.update()
                .where(DueWork.kind == inbox.INBOX)
                .values(  # type: ignore[attr-defined]
                    due_at=self.database.clock.now() - timedelta(seconds=1)
                )
            )
        errands = Errands(self.database, self.board, stopping, {inbox.INBOX: inbox.hear})
        await errands.start_due()
        await errands.rest()

    async def names(self, tenant: UUID) -> list[str | None]:
        async with self.database.reading(tenant) as work:
            return sorted(
                await work.all(select(CustomerRow.display_name).where(CustomerRow.tenant_id == tenant)), key=str
            )

    async def kept(self, tenant: UUID) -> list[tuple[str | None, bytes | None]]:
        async with self.database.reading(tenant) as work:
            found = await work.all(select(InboxEvent).where(InboxEvent.tenant_id == tenant).order_by(InboxEvent.id))
        return [(each.outcome, each.body) for each in found]


@pytest.fixture
async def house(database: Database, tenant: UUID, other_tenant: UUID, tmp_path: Path) -> AsyncIterator[House]:
    side = Vendor({"1": Customer(id="1", name="Ada"), "2": Customer(id="2", name="Bea")})
    settings = Settings(data=tmp_path, webhook={"BOOKS": SecretStr(SECRET)}, public_url="https://crm.example.com")
    integrations = {}
    for number, each in enumerate((tenant, other_tenant)):
        async with database.unit_of_work(each) as work:
            await actions.enable(work, "books")
            integration = await actions.create(work, "books", "Books")
            await actions.recognise(work, integration, f"{tenant.hex}-{number}", "Books")
            for state in (IntegrationState.CHECKING, IntegrationState.ACTIVE):
                await actions.move(work, integration, state)
            integrations[each] = integration.id
    async with Switchboard(database, settings, Registry({"books": vendor_of(side)})) as board:
        app = create_app(settings, database, switchboard=board)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://crm.example.com") as client:
            yield House(database, board, client, side, integrations)
    async with database.directory() as connection:
        await connection.execute(delete(DueWork).where(DueWork.tenant_id.in_([tenant, other_tenant])))
        await connection.execute(delete(AppDelivery))


@pytest.fixture
def stopping() -> asyncio.Event:
    import asyncio

    return asyncio.Event()


async def test_each_part_of_a_call_reaches_its_own_tenant_once(
    house: House, tenant: UUID, other_tenant: UUID, stopping: asyncio.Event
) -> None:
    parts = (
        {"account": f"{tenant.hex}-0", "ids": ["1"]},
        {"account": f"{tenant.hex}-1", "ids": ["2"]},
        {"account": "nobody", "ids": ["1"]},
    )
    for _ in range(3):
        assert (await house.call(*parts)).status_code == 200
        await house.work(stopping)
    assert (await house.names(tenant), await house.names(other_tenant)) == (["Ada"], ["Bea"])
    assert (await house.kept(tenant), await house.kept(other_tenant)) == ([("HEARD", None)], [("HEARD", None)])
    assert sorted(house.side.fetched) == [["1"], ["2"]]


async def test_calls_that_cannot_be_read_hold_up_nobody_else_s_and_are_forgotten_in_the_end(
    house: House, tenant: UUID, stopping: asyncio.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "_PORTION", 1)
    now = house.database.clock.now()
    async with house.database.directory() as connection:
        for days in (8, 1):
            waiting = {"connector": "gone", "path": "events", "digest": bytes([days]), "ciphertext": b"?"}
            await connection.execute(insert(AppDelivery).values(**waiting, received_at=now - timedelta(days=days)))
    await house.call({"account": f"{tenant.hex}-0", "ids": ["1"]})
    await house.work(stopping)
    assert await house.names(tenant) == ["Ada"]
    async with house.database.directory() as connection:
        left = await connection.execute(select(AppDelivery.connector, AppDelivery.ciphertext).order_by("connector"))
        assert [tuple(row) for row in left] == [("books", None), ("gone", b"?")]


async def test_an_event_that_comes_in_two_calls_is_one(house: House, tenant: UUID, stopping: asyncio.Event) -> None:
    account = f"{tenant.hex}-0"
    await house.call({"account": account, "ids": ["1"], "event": "e1"})
    await house.call({"account": account, "ids": ["1"], "event": "e1"}, {"account": account, "ids": [], "event": "e0"})
    await house.work(stopping)
    assert len(await house.kept(tenant)) == 2
    assert house.side.fetched == [["1"]]


async def test_who_cannot_sign_is_not_heard(house: House, tenant: UUID, stopping: asyncio.Event) -> None:
    assert (await house.call({"account": f"{tenant.hex}-0", "ids": ["1"]}, secret="other")).status_code == 401
    for path in ("/hooks/app/other/events", "/hooks/app/books/notes", "/hooks/unknown/notes"):
        assert (await house.client.post(path, content=b"{}")).status_code == 404
    assert (await house.client.post("/hooks/app/books/events", content=b"x" * (1 << 21))).status_code == 413
    await house.work(stopping)
    assert (await house.names(tenant), await house.kept(tenant)) == ([], [])


async def test_an_address_of_ones_own_with_a_handshake_and_two_secrets(
    house: House, tenant: UUID, stopping: asyncio.Event
) -> None:
    vault = house.board.remotes.vault
    async with house.database.unit_of_work(tenant) as work:
        _, first = await hooks.rotate(work, vault, house.integrations[tenant])
        path, second = await hooks.rotate(work, vault, house.integrations[tenant])
    asked = await house.client.post(f"{path}/notes", params={"validationToken": "a b+c"})
    assert (asked.status_code, asked.text, asked.headers["content-type"]) == (200, "a b+c", "text/plain; charset=utf-8")
    for secret, status in ((first, 202), (second, 202), ("forged", 401)):
        body = {"value": [{"id": "1", "clientState": secret}]}
        assert (await house.client.post(f"{path}/notes", json=body)).status_code == status
    body = {"value": [{"id": "1", "clientState": second, "renew": True}]}
    await house.client.post(f"{path}/notes", json=body, headers={"x-state": second, "x-other": "kept"})
    async with house.database.reading(tenant) as work:
        *_, last = await work.all(
            select(InboxEvent.headers).where(InboxEvent.tenant_id == tenant).order_by(InboxEvent.id)
        )
    assert (last.get("x-other"), second in str(last)) == ("kept", False)
    await house.work(stopping)
    async with house.database.directory() as connection:
        renewals = select(DueWork.key).where(DueWork.tenant_id == tenant, DueWork.kind == hooks.RENEW)
        assert list(await connection.scalars(renewals)) == [house.integrations[tenant].hex]
    assert await house.names(tenant) == ["Ada"]
    assert await house.kept(tenant) == [("HEARD", None)] * 3
    assert house.side.fetched == [["1"]]


async def test_calls_that_are_not_taken_are_told_to_the_admin(
    house: House, tenant: UUID, stopping: asyncio.Event
) -> None:
    async def refused() -> tuple[int, str | None, bool]:
        async with house.database.reading(tenant) as work:
            found = await queries.integration(work, house.integrations[tenant])
        return found.refused_calls, found.refused_call_reason, found.refused_call_at is not None

    async with house.database.unit_of_work(tenant) as work:
        path, secret = await hooks.rotate(work, house.board.remotes.vault, house.integrations[tenant])
    assert await refused() == (0, None, False)
    for number, body in enumerate(
        ("<html>No</html>", '{"value": [{"id"', '{"value": [{"clientState": "old"}]}'), start=1
    ):
        assert (await house.client.post(f"{path}/notes", content=body)).status_code == 401
        told, reason, _ = await refused()
        assert (told, (reason or "").startswith("The signature of a call does not hold")) == (number, True)
    assert (await house.client.post(f"{path}/notes", content=b"x" * 20_000_000)).status_code == 413
    after = "What it was about comes with the next reading."
    assert await refused() == (4, f"A call was larger than any that is expected, and was not read. {after}", True)
    for body in ({"value": [{"clientState": secret}]}, {"value": [{"clientState": secret, "id": "1"}]}):
        assert (await house.client.post(f"{path}/notes", json=body)).status_code == 202
    await house.work(stopping)
    assert await refused() == (5, f"A call was genuine, and could not be read (KeyError). {after}", True)
    assert await house.kept(tenant) == [("UNREAD", None), ("HEARD", None)]
    assert await house.names(tenant) == ["Ada"]
    async with house.database.unit_of_work(tenant) as work:
        await hooks.rotate(work, house.board.remotes.vault, house.integrations[tenant])
    assert await refused() == (0, None, False)


async def test_what_comes_while_it_is_paused_is_left_to_reading(
    house: House, tenant: UUID, stopping: asyncio.Event
) -> None:
    async with house.database.unit_of_work(tenant) as work:
        integration = await queries.integration(work, house.integrations[tenant])
        await actions.move(work, integration, IntegrationState.PAUSED)
    await house.call({"account": f"{tenant.hex}-0", "ids": ["1"]})
    await house.work(stopping)
    assert (await house.names(tenant), await house.kept(tenant)) == ([], [])
