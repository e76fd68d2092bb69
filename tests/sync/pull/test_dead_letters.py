from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest

from domain import customers
from domain.core.problems import NotFound
from domain.customers.model import AttributeType
from sync import dead_letters, signals
from sync.dead_letters import LetterResolved
from sync.runs import Counts
from tenure_sdk import Customer, Page, Reject, Unsupported

if TYPE_CHECKING:
    from tests.sync.pull.conftest import Shop, Side


async def letters(shop: Shop) -> list[tuple[Any, ...]]:
    return await shop.rows("SELECT id, remote_id, attempts, resolution FROM dead_letters WHERE $t ORDER BY id")


async def retry(shop: Shop, *letter_ids: UUID) -> dead_letters.Retried:
    async with shop.database.unit_of_work(shop.tenant) as work:
        return await dead_letters.retry(work, letter_ids)


async def test_a_kept_record_lands_as_soon_as_it_can_be_taken(shop: Shop, side: Side) -> None:
    side.rows.append(Customer(id="0", name="Ada", attributes={"tier": "gold"}))
    assert (await shop.pull()).counts == Counts(read=1, rejected=1)
    ((letter, *_),) = await letters(shop)
    refused = await retry(shop, letter)
    assert refused == dead_letters.Retried([], [letter], [])
    assert await letters(shop) == [(letter, "0", 2, None)]
    async with shop.database.unit_of_work(shop.tenant) as work:
        await customers.define_attribute(work, "tier", AttributeType.TEXT, {"en": "Tier"})
    assert (await retry(shop, letter)).landed == [letter]
    assert await shop.names() == {"Ada"}
    assert await letters(shop) == [(letter, "0", 3, "RETRIED")]
    with pytest.raises(LetterResolved):
        await retry(shop, letter)
    assert (await shop.pull()).counts == Counts()


async def test_a_record_of_a_megabyte_is_kept_whole_and_the_others_land(shop: Shop, side: Side) -> None:
    side.rows += [Customer(id="0", name="x" * 1_000_000), Customer(id="1", name="Ada")]
    assert (await shop.pull()).counts == Counts(read=2, created=1, rejected=1)
    assert await shop.names() == {"Ada"}
    assert await shop.rows("SELECT remote_id, field, reason, length(record ->> 'name') FROM dead_letters WHERE $t") == [
        ("0", "name", "is longer than 512 characters", 1_000_000)
    ]
    assert (await shop.integration()).state == "ACTIVE"


async def test_a_record_that_was_not_kept_is_fetched_by_its_id(shop: Shop, side: Side) -> None:
    reject = Reject(None, "name", None, "cannot be read", "0")
    side.mangle = lambda _, page: Page([], cursor=page.cursor, rejects=[reject])
    side.customers(1)
    await shop.pull()
    ((letter, *_),) = await letters(shop)
    assert (await retry(shop, letter)).fetching == [letter]
    ((key,),) = await shop.rows("SELECT key FROM directory.due_work WHERE $t AND kind = 'sync'")
    assert key == f"{shop.id.hex}:customers#letters"
    await signals.fetch_letters(shop.database, shop.remote, shop.tenant, shop.id, "customers")
    assert await letters(shop) == [(letter, "0", 2, "RETRIED")]
    assert await shop.names() == {"Customer 0"}


async def test_a_letter_can_be_discarded_and_is_gone_for_others(shop: Shop, side: Side, other_tenant: UUID) -> None:
    side.rows.append(Customer(id="0", name=1))  # type: ignore[arg-type]
    await shop.pull()
    ((letter, *_),) = await letters(shop)
    async with shop.database.unit_of_work(other_tenant) as work:
        with pytest.raises(NotFound):
            await dead_letters.discard(work, [letter])
    async with shop.database.unit_of_work(shop.tenant) as work:
        await dead_letters.discard(work, [letter])
    assert await letters(shop) == [(letter, "0", 1, "DISCARDED")]
    with pytest.raises(NotFound):
        await retry(shop, uuid4())


async def test_signalled_records_are_fetched_landed_and_deleted(shop: Shop, side: Side) -> None:
    side.customers(15)
    await shop.pull()
    side.rows[3] = Customer(id="3", name="Renamed")
    del side.rows[5]
    counts = await signals.fetch_signalled(
        shop.database, shop.remote, shop.tenant, shop.id, "customers", ["3", "4", "5"], ["6"]
    )
    assert counts == Counts(read=2, updated=1, unchanged=1, deleted=2)
    assert await shop.living() == {str(number) for number in range(15)} - {"5", "6"}
    assert "Renamed" in await shop.names()
    side.customers(1, first=20)
    assert (await shop.pull()).counts.read == 0  # the cursor stands where it stood
    with pytest.raises(Unsupported):
        await signals.fetch_signalled(shop.database, shop.remote, shop.tenant, shop.id, "orders", ["1"])
