"""Products that several streams bring at once: who comes second waits, and says what is left to say."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text

from sync.land import merge
from sync.landing.tables import prepare
from sync.runs import Counts
from tenure_sdk import Page, Product

if TYPE_CHECKING:
    from sync.land import Landed

    from .conftest import Landing

MUG = Product(id="p1", sku="M", name="Mug")
BIG_MUG = Product(id="p2", sku="M", name="Big mug", family="cups", tier_rank=2)
CURRENT = "SELECT sku, p.name, f.key, tier_rank FROM products p LEFT JOIN product_families f ON f.id = family_id"

_WAITS = text("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE pid = :pid AND wait_event_type = 'Lock')")


async def second(landing: Landing, record: Product, pid: asyncio.Future[int]) -> Landed:
    async with landing.database.unit_of_work(landing.tenant) as work:
        await prepare(work)
        pid.set_result((await work.rows(text("SELECT pg_backend_pid() AS pid")))[0].pid)
        return await merge(work, landing.run, Page([record]))


async def at_once(landing: Landing, one: Product, other: Product) -> tuple[Landed, Landed]:
    """What two pages bring, of which the second is merged while the first one is not committed yet."""
    pid = asyncio.get_running_loop().create_future()
    async with landing.database.unit_of_work(landing.tenant) as work:
        first = await merge(work, landing.run, Page([one]))
        later = asyncio.create_task(second(landing, other, pid))
        async with asyncio.timeout(10):
            while not (await work.rows(_WAITS, {"pid": await pid}))[0][0]:  # noqa: ASYNC110 - PostgreSQL tells nobody
                await asyncio.sleep(0.01)
    return first, await later


async def test_who_makes_a_product_second_finds_it_and_changes_it(landing: Landing) -> None:
    first, later = await at_once(landing, MUG, BIG_MUG)
    assert (first.counts, later.counts) == (Counts(read=1, created=1), Counts(read=1, updated=1))
    assert await landing.rows(f"{CURRENT} WHERE p.$t AND valid_to IS NULL") == [("M", "Big mug", "cups", 2)]
    assert await landing.rows("SELECT count(*), count(DISTINCT id) FROM products WHERE $t") == [(2, 1)]
    assert await landing.rows(
        "SELECT remote_id, local_id = (SELECT id FROM products p WHERE p.$t LIMIT 1) FROM record_links "
        "WHERE $t AND type = 'product' ORDER BY 1"
    ) == [("p1", True), ("p2", True)]


async def test_two_who_change_a_product_do_so_one_after_the_other(landing: Landing) -> None:
    await landing.records(Product(id="p1", sku="M"))
    _, later = await at_once(landing, MUG, BIG_MUG)
    assert later.counts == Counts(read=1, updated=1)
    assert await landing.rows("SELECT name, valid_to IS NULL FROM products WHERE $t ORDER BY valid_from, valid_to") == [
        (None, False), ("Mug", False), ("Big mug", True),
    ]  # fmt: skip
    gaps = (
        "SELECT count(*) FROM products a JOIN products b USING (tenant_id, id) WHERE a.$t AND a.valid_to = b.valid_from"
    )
    assert await landing.rows(gaps) == [(2,)]


async def test_families_that_two_name_at_once_are_one(landing: Landing) -> None:
    other = Product(id="p3", sku="H", name="Huge mug", family="cups")
    _, later = await at_once(landing, BIG_MUG, other)
    assert later.counts == Counts(read=1, created=1)
    assert await landing.rows(f"{CURRENT} WHERE p.$t ORDER BY sku") == [
        ("H", "Huge mug", "cups", None), ("M", "Big mug", "cups", 2),
    ]  # fmt: skip
