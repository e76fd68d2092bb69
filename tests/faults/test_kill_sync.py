"""Workers die at any moment while both vendors and people here write, and replies get lost: nothing is, or is twice."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.faults.sync_world import LOST, Nursery, World, world

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins
    from tests.faults.sync_world import Call

    Begun = Callable[..., AbstractAsyncContextManager[World]]

MOMENT = 60.0
"""Seconds in which a moment has to come for which a worker is to die; then it dies anyway."""

AWAKE = 20.0
"""Seconds in which what must not happen has to show, if it does: that a worker goes on which woke up too late."""

LANDED_IN: dict[str, Callable[[World], Awaitable[None]]] = {
    "remote_records": World.meet_in_outlook,
    "identity_claims": World.meet_in_outlook,
    "customer_facts": World.meet_in_books,
    "interactions": World.invite,
    "invoices": World.bill,
    "outbox_events": World.meet_in_books,
}
"""Tables that a landing transaction writes, the earlier ones and the later ones, each with what lands in it."""

DAY = timedelta(days=1)


@dataclass
class Killer:
    """Kills the worker of a world at chosen moments, and counts how often the moment came."""

    world: World
    hit: dict[str, int] = field(default_factory=dict)

    async def after_commit(self) -> None:
        """Between the vendor's commit and ours: the vendor has written, and nobody hears of it."""
        world = self.world
        await world.random.choice((world.call_here, world.meet_here, world.meet_in_books, world.meet_in_outlook))()
        await world.deliver()
        await self._dies("commit", lambda call: call.is_write)

    async def after_creation(self) -> None:
        """The same, where Outlook has made a contact: nothing but a look shows that it has."""
        await self.world.meet_in_books()
        await self.world.deliver()
        await self._dies("commit", lambda call: call.is_write and call.path.endswith("/contacts"))

    async def in_landing(self) -> None:
        """Inside a landing transaction: it waits for a table that is locked, and dies there."""
        await self._dies_in(self.world.random.choice(list(LANDED_IN)))

    async def in_landing_of_contacts(self) -> None:
        """The same, with a page that is not told again: where its cursor has moved, what it says is lost."""
        self.world.workers.kill()
        before = await self._cursor("contacts")

        async def has_moved() -> bool:
            return bool(await self._cursor("contacts") != before)

        await self._dies_in("remote_records", has_moved)

    async def _dies_in(self, table: str, then: Callable[[], Awaitable[bool]] | None = None) -> None:
        async def waits() -> bool:
            return await self._waits_for(table)

        async with self._locked(table):
            await LANDED_IN[table](self.world)
            await self.world.deliver()
            await self._worker()
            if await _comes(waits):
                self._count("landing")
            if then is not None:
                await _comes(then, AWAKE)
            self.world.workers.kill()

    async def _cursor(self, stream: str) -> str | None:
        found = "SELECT cursor ->> 'cursor' FROM stream_states WHERE tenant_id = $1 AND stream = $2"
        return await self.world.superuser.fetchval(found, self.world.tenant, stream)

    async def in_refresh(self) -> None:
        """Inside a renewal: the vendor has given a new token, and nobody hears of it."""
        self._expire()
        await self.world.go_on(1)
        await self._dies("refresh", lambda call: call.is_refresh)

    async def after_refresh(self) -> None:
        """At the first use of a new token, when the one before is good for nothing any more."""
        grace, self.world.quickbooks.authorizations.grace = self.world.quickbooks.authorizations.grace, timedelta(0)
        lost, self.world.wires["quickbooks"].lost = self.world.wires["quickbooks"].lost, 0.0
        renewed: list[bool] = []

        def uses(call: Call) -> bool:
            renewed.extend([True] * (call.is_refresh and call.vendor == "quickbooks"))
            return bool(renewed) and call.vendor == "quickbooks" and not call.is_refresh and call.status == 200

        self._expire()
        await self.world.meet_in_books()
        await self.world.deliver()
        await self._dies("first use", uses)
        self.world.wires["quickbooks"].lost = lost
        self.world.quickbooks.authorizations.grace = grace

    async def anywhere(self) -> None:
        """At any moment."""
        await self.world.go_on(2)
        await self._worker()
        await asyncio.sleep(self.world.random.uniform(0.05, 1.0))
        self.world.workers.kill()
        self._count("anywhere")

    async def sleeps(self) -> None:
        """A worker sleeps over its lease while it reads, another one takes its work over, and then it wakes up."""
        sleeper = await self._worker()
        await self.world.meet_in_books()
        held = await self._falls_asleep(sleeper)
        self.world.workers.pid = None
        await self.world.workers.start()
        async with asyncio.timeout(60):
            while not all(fence > held[lane] for lane, fence in (await self._fences(list(held))).items()):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        await self.world.rest()
        before = await self._fences(list(held))
        os.kill(sleeper, signal.SIGCONT)
        fallen = await self._have_fallen(before)
        os.kill(sleeper, signal.SIGKILL)
        self.world.wrong += [f"the fence of {lane} fell" for lane in fallen]
        self._count("sleep")

    async def _falls_asleep(self, sleeper: int) -> dict[str, int]:
        """Stop a worker that reads customers, while it holds leases and is in no transaction; their fences."""
        reads, sleeps = asyncio.Event(), asyncio.Event()

        async def wait(call: Call) -> None:
            if call.method == "GET" and "customer" in call.path + call.query.lower():
                reads.set()
                await sleeps.wait()

        wire = self.world.wires["quickbooks"]
        wire.hold = wait
        async with asyncio.timeout(60):
            await reads.wait()
            os.kill(sleeper, signal.SIGSTOP)
            while await self._has_begun() or not (held := await self._held_by(sleeper)):
                os.kill(sleeper, signal.SIGCONT)
                await asyncio.sleep(0.05)
                os.kill(sleeper, signal.SIGSTOP)
        wire.hold = None
        sleeps.set()
        return held

    async def _have_fallen(self, before: dict[str, int]) -> list[str]:
        """The lanes whose fence falls below what it was, while one that wakes up goes on."""
        fallen: list[str] = []
        with suppress(TimeoutError):
            async with asyncio.timeout(AWAKE):
                while not fallen:
                    await asyncio.sleep(0.05)
                    after = await self._fences(list(before))
                    fallen = [lane for lane in before if after[lane] < before[lane]]
        return fallen

    async def _dies(self, what: str, when: Callable[[Call], bool]) -> None:
        dead = asyncio.Event()

        def dies(call: Call) -> bool:
            if dead.is_set() or not when(call):
                return False
            self.world.workers.kill()
            self._count(what)
            dead.set()
            return True

        self._watch(dies)
        await self._worker()
        with suppress(TimeoutError):
            async with asyncio.timeout(MOMENT):
                await dead.wait()
        self._watch(lambda _: False)
        self.world.workers.kill()

    def _watch(self, watch: Callable[[Call], bool]) -> None:
        for wire in self.world.wires.values():
            wire.watch = watch

    def _count(self, what: str) -> None:
        self.hit[what] = self.hit.get(what, 0) + 1

    async def _worker(self) -> int:
        return self.world.workers.pid or await self.world.workers.start()

    def _expire(self) -> None:
        self.world.quickbooks.authorizations.expire_access()
        self.world.outlook.issuer.expire()

    async def _fences(self, lanes: list[str]) -> dict[str, int]:
        found = "SELECT stream, fence FROM stream_states WHERE tenant_id = $1 AND stream = ANY($2)"
        return {
            row["stream"]: row["fence"] for row in await self.world.superuser.fetch(found, self.world.tenant, lanes)
        }

    async def _held_by(self, pid: int) -> dict[str, int]:
        """The fences of the streams that a worker is reading."""
        found = "SELECT stream, fence FROM stream_states WHERE tenant_id = $1 AND lease_owner LIKE $2 AND stream !~ '#'"
        rows = await self.world.superuser.fetch(found, self.world.tenant, f"%:{pid}")
        return {row["stream"]: row["fence"] for row in rows}

    @asynccontextmanager
    async def _locked(self, table: str) -> AsyncIterator[None]:
        other = await self.world.other()
        async with other.transaction():
            await other.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            yield
        await other.close()

    async def _has_begun(self) -> bool:
        """Whether somebody is in a transaction, a moment after."""
        await asyncio.sleep(0.2)
        begun = """
        SELECT EXISTS (
            SELECT FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in transaction%'
        )
        """
        return bool(await self.world.superuser.fetchval(begun))

    async def _waits_for(self, table: str) -> bool:
        waits = """
        SELECT EXISTS (
            SELECT FROM pg_locks WHERE relation = to_regclass($1) AND NOT granted
                AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        )
        """
        return bool(await self.world.superuser.fetchval(waits, table))


async def _comes(when: Callable[[], Awaitable[bool]], patience: float = MOMENT) -> bool:
    """Whether a moment comes in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(patience):
            while not await when():  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.01)
            return True
    return False


MOMENTS: dict[str, Callable[[Killer], Awaitable[None]]] = {
    "commit": Killer.after_commit,
    "landing": Killer.in_landing,
    "refresh": Killer.in_refresh,
    "first use": Killer.after_refresh,
    "anywhere": Killer.anywhere,
}
EVERY_TWENTY = {"commit": 7, "landing": 7, "refresh": 2, "first use": 1, "anywhere": 3}
"""How many of twenty kills fall where."""


@pytest.fixture(scope="module")
async def nursery(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Nursery]:
    async with Nursery(tmp_path_factory.mktemp("keys")).ready() as made:
        yield made


@pytest.fixture
def begun(database: Database, logins: Logins, tenant: UUID, nursery: Nursery, seed: int) -> Begun:
    """Begins the world of a test."""
    return partial(world, database, logins, tenant, nursery, seed=seed)


@pytest.fixture
def kills(request: pytest.FixtureRequest) -> int:
    if not request.config.getoption("--full-size"):
        return 20
    return 500 if os.environ.get("FULL") == "1" else 60


@pytest.mark.slow
async def test_kills_anywhere_lose_nothing_and_make_nothing_twice(
    begun: Begun, kills: int, record_property: Callable[[str, object], None]
) -> None:
    async with begun() as between:
        killer = Killer(between)
        for wire in between.wires.values():
            wire.lost = LOST
        moments = [name for name, count in EVERY_TWENTY.items() for _ in range(count)] * max(1, kills // 20)
        between.random.shuffle(moments)
        for name in moments[:kills]:
            await MOMENTS[name](killer)
        await between.settle()
        for what, count in {"kills": kills, **killer.hit}.items():
            record_property(what, count)
        assert await between.faults_found() == []
        assert sum(killer.hit.values()) >= kills * 3 // 4, killer.hit


PLANTED: dict[str, tuple[Callable[[Killer], Awaitable[None]], str]] = {
    "cursor_before_records": (Killer.in_landing_of_contacts, r"people, not|customers, not|is \[\] here"),
    "no_lookup": (Killer.after_creation, r"in_outlook, not"),
    "refresh_token_after_use": (Killer.after_refresh, r"quickbooks is NEEDS_REAUTH"),
    "fence_ignored": (Killer.sleeps, r"the fence of .* fell"),
    "no_echo_suppression": (Killer.anywhere, r"writes about .* and no end|^conflicts: "),
}
"""The moment at which each planted fault has to show, and as what."""

OFTEN = {
    "cursor_before_records": ("landing", 6),
    "no_lookup": ("commit", 4),
    "refresh_token_after_use": ("first use", 2),
    "no_echo_suppression": ("anywhere", 4),
}
"""At how many random moments of a kind each planted fault has to show as well."""


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
@pytest.mark.usefixtures("at_full_size")
async def test_a_planted_fault_shows_at_its_moment(begun: Begun, fault: str) -> None:
    moment, sign = PLANTED[fault]
    found = await found_after(moment, begun(fault=fault, first=1))
    assert [each for each in found if re.search(sign, each)] != []


@pytest.mark.slow
@pytest.mark.parametrize("fault", PLANTED)
@pytest.mark.usefixtures("at_full_size")
async def test_the_same_moment_does_no_harm_without_the_fault(begun: Begun, fault: str) -> None:
    moment, _ = PLANTED[fault]
    assert await found_after(moment, begun(first=1)) == []


async def found_after(
    moment: Callable[[Killer], Awaitable[None]], a_world: AbstractAsyncContextManager[World]
) -> list[str]:
    """What is wrong with a world after a moment that came when all was calm."""
    async with a_world as between:
        await between.settle()
        killer = Killer(between)
        await moment(killer)
        if not between.wrong:
            await between.settle()
        assert sum(killer.hit.values()) == 1
        assert not any(each.startswith("no rest") for each in between.wrong), between.wrong  # else it shows nothing
        return await between.faults_found()


@pytest.mark.slow
@pytest.mark.parametrize("fault", OFTEN)
@pytest.mark.usefixtures("at_full_size")
async def test_a_planted_fault_makes_the_run_fail(begun: Begun, fault: str) -> None:
    moment, count = OFTEN[fault]
    async with begun(fault=fault) as between:
        killer = Killer(between)
        for _ in range(count):
            await MOMENTS[moment](killer)
        await between.settle()
        assert [found for found in await between.faults_found() if re.search(PLANTED[fault][1], found)] != []


@pytest.mark.slow
async def test_writes_reach_zero_within_two_rounds_of_the_last_change(begun: Begun) -> None:
    async with begun() as between:
        await between.settle()
        for _ in range(10):
            await between.go_on(3)
            await asyncio.sleep(0.5)
        await between.settle()
        before = between.writes
        assert before
        await between.rounds(2)
        await between.rest()
        assert between.writes == before
        assert await between.faults_found() == []
