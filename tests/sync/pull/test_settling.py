from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from domain.core import due
from domain.stages import actions as stages
from sync import settle
from sync.heartbeat import Halt, Stop
from sync.troubles import Outcome
from tenure_sdk import Order, OrderLine, Ref, Transient

if TYPE_CHECKING:
    from domain.core.database import Database
    from tests.sync.pull.conftest import Shop, Side

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
TOTALS = "SELECT orders, occasions FROM customer_totals WHERE $t ORDER BY customer_id"
WAITING = "SELECT count(*) FROM unsettled_customers WHERE $t"
ENTERED = "SELECT count(*) FROM stage_transitions WHERE $t"


def buy(side: Side, *, times: int, customers: int = 2) -> None:
    """Orders of each customer, one after the other as time goes by."""
    side.orders += [
        Order(
            id=f"{customer}-{time}", customer=Ref("customer", str(customer)), occurred_at=DAY + timedelta(days=time),
            currency="EUR", lines=(OrderLine(quantity=Decimal(1), unit_price=Decimal(10)),),
        )
        for time in range(times)
        for customer in range(customers)
    ]  # fmt: skip


async def break_off(number: int) -> None:
    if number == 1:
        raise Transient("The line is gone.")


@pytest.fixture(autouse=True)
async def lifecycle(shop: Shop) -> None:
    async with shop.database.unit_of_work(shop.tenant) as work:
        await stages.create_from_template(work, "buyer", default=True)


async def test_a_run_that_has_ended_leaves_nobody_waiting(shop: Shop, side: Side) -> None:
    side.customers(2)
    await shop.pull()
    buy(side, times=12)
    assert (await shop.pull("orders")).outcome is Outcome.FINISHED
    assert await shop.rows(TOTALS) == [(12, 12), (12, 12)]
    assert await shop.rows(WAITING) == [(0,)]


async def test_whom_a_broken_run_touched_waits_with_the_page_and_the_next_run_settles(shop: Shop, side: Side) -> None:
    side.customers(2)
    await shop.pull()
    before = await shop.rows(ENTERED)
    buy(side, times=12)
    side.before_page = break_off
    assert (await shop.pull("orders")).outcome is not Outcome.FINISHED
    assert await shop.rows("SELECT count(*) FROM orders WHERE $t") == [(10,)]
    assert await shop.rows(TOTALS) == []
    assert await shop.rows(ENTERED) == before
    assert await shop.rows(WAITING) == [(2,)]
    side.before_page = None
    await shop.pull("orders")
    assert await shop.rows(TOTALS) == [(12, 12), (12, 12)]
    assert await shop.rows(WAITING) == [(0,)]


async def test_a_worker_settles_them_a_minute_later_where_no_run_does(shop: Shop, side: Side) -> None:
    side.customers(2)
    await shop.pull()
    buy(side, times=12)
    side.before_page = break_off
    await shop.pull("orders")
    key = f"{shop.id.hex}:orders"
    ((due_at, since),) = await shop.rows(
        "SELECT due_at, (SELECT min(since) FROM unsettled_customers WHERE $t) FROM directory.due_work "
        f"WHERE $t AND kind = 'settle' AND key = '{key}'"
    )
    assert due_at - since == settle.SOON
    async with shop.database.unit_of_work(shop.tenant) as work:
        assert await due.jobs.by_kind[settle.SETTLE](work, key) is None
        await shop.forget_due(work, settle.SETTLE, key)
    assert await shop.rows(TOTALS) == [(5, 5), (5, 5)]
    assert await shop.rows(WAITING) == [(0,)]


async def test_whom_a_page_touches_right_now_is_left_to_wait(shop: Shop, side: Side, database: Database) -> None:
    side.customers(2)
    await shop.pull()
    ((first,), (second,)) = await shop.rows("SELECT id FROM customers WHERE $t ORDER BY id")
    async with database.unit_of_work(shop.tenant) as work:
        await settle.note(work, [first, second])
    async with database.unit_of_work(shop.tenant) as page:
        await settle.note(page, [second])
        await settle.noted(database, shop.tenant, Halt())
        assert await shop.rows("SELECT customer_id FROM unsettled_customers WHERE $t") == [(second,)]
    await settle.noted(database, shop.tenant, Halt())
    assert await shop.rows(WAITING) == [(0,)]


async def test_a_halt_leaves_them_to_a_worker(shop: Shop, side: Side, database: Database) -> None:
    side.customers(2)
    await shop.pull()
    ((first,), (second,)) = await shop.rows("SELECT id FROM customers WHERE $t")
    async with database.unit_of_work(shop.tenant) as work:
        await settle.note(work, sorted([first, second]))
    halt = Halt()
    halt.ask(Stop.SHUTDOWN)
    await settle.noted(database, shop.tenant, halt)
    assert await shop.rows(WAITING) == [(2,)]
