"""A connector in its own process is the same to ask as one in this process, and sees nothing of the server."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import time
from contextlib import aclosing
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

from domain.integrations.model import Isolation
from sync import contract
from sync.access.remotes import Remotes
from sync.isolation import policies
from sync.isolation.places import ConnectorBlocked
from sync.isolation.process import ProcessStopped
from sync.isolation.remote import ProcessRemote
from sync.remote import LoopRemote
from tenure_sdk import (
    Customer,
    Delivery,
    IdVersion,
    LinePage,
    Order,
    Page,
    RateLimited,
    Signal,
    Unsupported,
)
from tests.sync.isolation.conftest import API_KEY, CONNECTORS, integrated, opened
from tests.sync.isolation.odd import AT, CLOSED, COLUMNS, Odd

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.settings import Settings

ROOT = Path(__file__).parents[3]


async def test_everything_comes_back_as_it_left(remotes: Remotes, tenant: UUID) -> None:
    async with opened(remotes, tenant) as remote:
        pages = [page async for page in remote.pages("customers", 5)]
        assert [list(page.records) for page in pages] == [
            [Customer(id="5", name="Before", updated_at=AT)],
            [Customer(id="6", name="After")],
        ]
        assert [page.cursor for page in pages] == [6, 7]
        (lines,) = [page async for page in remote.pages("lines")]
        rows = [(1, "A", "order", AT, "EUR", Decimal(2), Decimal("0.10"))]
        assert lines == LinePage(COLUMNS, rows, complete=True, cursor="c", rejects=[])
        assert await remote.fetch("customer", ["1", "2"]) == [
            Customer(id="1", name="Customer 1"), Customer(id="2", name="Customer 2")
        ]  # fmt: skip
        assert [part async for part in remote.ids("customers")] == [[IdVersion("1", "a")], [IdVersion("2")]]
        assert await remote.act("double", {"number": 21}, "key") == {"number": 42}
        assert await remote.migrate_cursor("customers", "0", {"a": [1]}) == {"a": [1]}
        assert await remote.custom_fields() == []


async def test_a_record_that_is_not_sound_is_refused_alone(remotes: Remotes, tenant: UUID) -> None:
    async with opened(remotes, tenant) as remote:
        (page,) = [page async for page in remote.pages("documents")]
    assert isinstance(page, Page)
    stream = next(each for each in Odd.streams() if each.name == "documents")
    checked = contract.check(page, stream)
    sound = Order(id="1", occurred_at=AT, currency="EUR", total=Decimal("12.30"), extra={"n": 1})
    assert isinstance(checked.page, Page)
    assert checked.page.records == [sound]
    refused = [(each.reject.record_id, each.reject.field) for each in checked.refused]
    assert refused == [("2", "currency"), ("3", "type")]
    assert (page.deletes, page.cursor, page.progress) == (["9"], {"after": [1, "x", None]}, 0.5)


async def test_errors_keep_their_class_and_what_they_say(remotes: Remotes, tenant: UUID) -> None:
    async with opened(remotes, tenant) as remote:
        with pytest.raises(RateLimited, match="Slowly") as slow:
            await remote.totals("customers")
        assert slow.value.retry_after == 7.5
        with pytest.raises(Unsupported, match="no way to fetch order"):
            await remote.fetch("order", ["1"])
        with pytest.raises(msgspec.ValidationError, match="number"):
            await remote.act("double", {"number": "x"}, "key")


async def test_the_process_sees_no_address_no_key_and_none_of_our_files(
    remotes: Remotes, tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENURE_DATABASE_URL", "postgresql://server:password@db/tenure")
    monkeypatch.setenv("TENURE_KEY_FILE", "key")
    async with opened(remotes, tenant) as remote:
        told = json.loads((await remote.check()).id)
        pid = remote._process.pid  # type: ignore[union-attr]
        environ, open_files = seen_of(f"/proc/{pid}")
    assert told["pid"] == pid != os.getpid()
    assert b"TENURE" not in environ
    assert b"password" not in environ
    assert {name for name in told["environ"] if name.startswith(("TENURE", "PG"))} == set()
    assert {link.partition(":")[0] for link in open_files} <= {"/dev/null", "socket", "anon_inode"}
    sockets = {link for link in open_files if link.startswith("socket")}
    assert sockets & seen_of("/proc/self")[1] == set()
    ours_only = {"domain", "sqlalchemy", "asyncpg", "sync.access.remotes", "sync.registry", "plugins"}
    assert ours_only & set(told["modules"]) == set()


def seen_of(process: str) -> tuple[bytes, set[str]]:
    """The environment of a process, and what it has open."""
    links = [link for link in Path(process, "fd").iterdir() if link.is_symlink()]
    return Path(process, "environ").read_bytes(), {str(link.readlink()) for link in links}


async def test_each_tenant_has_a_process_of_its_own(remotes: Remotes, tenant: UUID, other_tenant: UUID) -> None:
    async with opened(remotes, tenant) as one, opened(remotes, other_tenant) as other:
        pids = [json.loads((await remote.check()).id)["pid"] for remote in (one, other, one)]
    assert pids[0] == pids[2] != pids[1]


async def test_who_stops_early_has_the_connector_stop_too(remotes: Remotes, tenant: UUID, tmp_path: Path) -> None:
    async with opened(remotes, tenant, file=str(tmp_path / "said")) as remote:
        async with aclosing(remote.pages("endless")) as pages:
            await anext(pages)
        assert (tmp_path / "said").read_text() == CLOSED
        assert await remote.custom_fields() == []


async def test_requests_go_out_from_the_process_with_what_the_server_lends_it(
    database: Database, settings: Settings, tenant: UUID
) -> None:
    asked: list[str] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n\r\n")).decode())
        body = b'{"id": "7", "label": "Seven"}'
        writer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as vendor:
        port = vendor.sockets[0].getsockname()[1]
        to = settings.model_copy(update={"sandboxes": f"odd=http://127.0.0.1:{port}"})
        async with Remotes(database, to, CONNECTORS) as remotes, opened(remotes, tenant, fault="request") as remote:
            assert (await remote.check()).label == "Seven"
    assert len(asked) == 1
    assert f"x-key: {API_KEY}" in asked[0].lower()
    assert "host: api.odd.example" in asked[0].lower()


async def test_its_log_shows_no_secret(remotes: Remotes, tenant: UUID, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "tenure.connector.odd"):
        async with opened(remotes, tenant, fault="log-line") as remote:
            assert len([page async for page in remote.pages("customers")]) == 2
    assert caplog.messages == ["the key is ***"]


async def test_a_process_that_cannot_load_the_connector_says_why(
    remotes: Remotes, tenant: UUID, caplog: pytest.LogCaptureFixture
) -> None:
    integration_id = await integrated(remotes, tenant, "detached")
    async with remotes.open(tenant, integration_id) as remote:
        with pytest.raises(ProcessStopped, match=r"ended by itself \(code 1\)"):
            await remote.check()
    assert "ModuleNotFoundError" in caplog.text


async def test_the_operator_decides_where_a_connector_runs(remotes: Remotes, tenant: UUID) -> None:
    integration_id = await integrated(remotes, tenant)
    try:
        await policies.isolate(remotes.database, "odd", Isolation.LOOP)
        async with remotes.open(tenant, integration_id) as remote:
            assert isinstance(remote, LoopRemote)
        await policies.block(remotes.database, "odd", "It lost orders")
        with pytest.raises(ConnectorBlocked, match="blocked this connector: It lost orders") as blocked:
            async with remotes.open(tenant, integration_id):
                pass
        assert blocked.value.retry_after == 600
        await policies.unblock(remotes.database, "odd")
    finally:
        await policies.isolate(remotes.database, "odd", Isolation.PROCESS)
    async with remotes.open(tenant, integration_id) as remote:
        assert isinstance(remote, ProcessRemote)


async def test_a_delivery_is_read_without_any_integration(remotes: Remotes) -> None:
    async with remotes.unbound("odd") as remote:
        body = b'[{"id": "1", "account": "a"}]'
        assert await remote.signals("events", Delivery(body, {})) == [Signal("customers", ("1",), account="a")]
        with pytest.raises(Unsupported, match="without an integration"):
            await remote.check()
        with pytest.raises(ProcessStopped):
            await remote.signals("events", Delivery(b"end", {}))
        assert await remote.signals("events", Delivery(b"[]", {})) == []


WORKER = """
import asyncio, logging, sys
from datetime import UTC, datetime
from sync.isolation.limits import Limits
from sync.isolation.places import Place
from sync.registry import Origin
from tenure_sdk.http import Open
from tests.sync.isolation.odd import Odd, OddConfig
from domain.integrations.model import Isolation

async def main():
    place = Place("odd", Origin("tests.sync.isolation.odd:Odd", "odd"), Isolation.PROCESS, Limits(heartbeat=3))
    start = place.start(now=datetime.now(UTC), config=OddConfig("block"))
    async with place.opened(Odd, start, Open(), logging.getLogger()) as remote:
        pages = remote.pages("customers")
        await anext(pages)
        blocked = asyncio.create_task(anext(pages))
        print(remote._process.pid, flush=True)
        await blocked

asyncio.run(main())
"""


def test_a_process_ends_with_the_worker_that_was_killed() -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    with worker:
        assert worker.stdout is not None
        pid = int(worker.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    until = time.monotonic() + 2
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.02)
    assert not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether it lives; who inherits it may not have buried it yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
