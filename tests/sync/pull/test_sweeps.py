from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select

from domain.core.unit_of_work import Actor
from domain.integrations.model import BulkDelete, RunMode
from sync import sweeps
from sync.troubles import Outcome
from sync.two_way import sending
from tenure_sdk import Customer, Merge, Page, Transient
from tests.sync.pull.test_pull import failing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.sync.pull.conftest import Shop, Side


async def bulk_deletes(shop: Shop) -> Sequence[BulkDelete]:
    async with shop.database.reading(shop.tenant) as reading:
        return await reading.all(select(BulkDelete).where(BulkDelete.tenant_id == shop.tenant).order_by(BulkDelete.id))


async def carry_out(shop: Shop) -> int:
    """Do what is due of bulk deletes, portion by portion; how many there were."""
    done = 0
    while due := await shop.rows(
        f"SELECT key FROM directory.due_work WHERE $t AND kind = '{sweeps.APPLY}' ORDER BY key"
    ):
        (key,) = due[0]
        async with shop.database.unit_of_work(shop.tenant) as work:
            await shop.forget_due(work, sweeps.APPLY, key)
            await sweeps.apply(work, key)
        done += 1
    return done


async def test_what_a_whole_reading_does_not_bring_is_gone_and_can_come_back(club: Shop, side: Side) -> None:
    side.customers(30)
    await club.pull("everyone")
    gone = side.rows.pop(7)
    assert (await club.pull("everyone")).counts.deleted == 1
    assert await club.living() == {row.id for row in side.rows}
    side.rows.append(gone)
    assert (await club.pull("everyone")).counts.updated <= 1
    assert await club.living() == {row.id for row in side.rows}
    assert await club.rows("SELECT count(*) FROM seen_records WHERE $t") == [(0,)]


async def test_what_came_by_another_way_during_a_whole_reading_is_not_gone(club: Shop, side: Side) -> None:
    side.customers(15)
    await club.pull("everyone")
    gone = side.rows.pop(12)
    (everyone,) = club.remote.connector.streams()

    async def be_called(number: int) -> None:
        if number == 1:  # the page where it would stand has been read
            async with club.database.unit_of_work(club.tenant) as work:
                await sending.land_aside(work, club.id, everyone, Page([Customer(id="late", name="Late")]))

    side.before_page = be_called
    assert (await club.pull("everyone")).counts.deleted == 1
    assert await club.living() == {"late", *(row.id for row in side.rows)}
    side.before_page = None
    assert (await club.pull("everyone")).counts.deleted == 1
    assert await club.living() == {row.id for row in side.rows} - {gone.id}


async def test_rows_that_did_not_change_are_not_written(club: Shop, side: Side) -> None:
    side.customers(30)
    await club.pull("everyone")
    written = "SELECT remote_id, xmin::text, updated_at FROM remote_records WHERE $t ORDER BY 1"
    before = await club.rows(written)
    assert (await club.pull("everyone")).counts.unchanged == 30
    assert await club.rows(written) == before


async def test_a_reading_that_breaks_off_deletes_nothing_and_its_rest_deletes_rightly(club: Shop, side: Side) -> None:
    side.customers(40)
    await club.pull("everyone")
    del side.rows[35:]
    side.before_page = failing(2, Transient())
    assert (await club.pull("everyone")).outcome is Outcome.PARKED
    assert len(await club.living()) == 40
    side.before_page = None
    assert (await club.pull("everyone")).counts.deleted == 5
    assert await club.living() == {row.id for row in side.rows}


async def test_a_large_sweep_waits_for_a_person_who_agrees(
    club: Shop, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeps, "PORTION", 10)
    side.customers(60)
    await club.pull("everyone")
    del side.rows[25:]
    assert (await club.pull("everyone")).counts.deleted == 0
    (waiting,) = await bulk_deletes(club)
    assert (waiting.found, waiting.known, waiting.decision) == (35, 60, None)
    assert waiting.ids == sorted(f"customer:{number}" for number in range(25, 60))
    assert len(await club.living()) == 60
    await club.pull("everyone")  # asks the same again: no second question
    assert [each.id for each in await bulk_deletes(club)] == [waiting.id]
    assert [name for name, _ in await club.events("integrations.BulkDeleteWaiting")] == [
        "integrations.BulkDeleteWaiting"
    ]
    principal = waiting.id
    async with club.database.unit_of_work(club.tenant, actor=Actor(principal)) as work:
        await sweeps.approve(work, waiting.id)
    assert await carry_out(club) == 4
    assert await club.living() == {row.id for row in side.rows}
    (applied,) = await bulk_deletes(club)
    assert (applied.decision, applied.decided_by, applied.applied_at is not None) == ("APPROVED", principal, True)
    async with club.database.unit_of_work(club.tenant) as work:
        with pytest.raises(sweeps.AlreadyDecided):
            await sweeps.reject(work, waiting.id)


async def test_what_a_person_refuses_to_delete_stays(club: Shop, side: Side) -> None:
    side.customers(60)
    await club.pull("everyone")
    del side.rows[25:]
    await club.pull("everyone")
    (waiting,) = await bulk_deletes(club)
    async with club.database.unit_of_work(club.tenant) as work:
        await sweeps.reject(work, waiting.id)
    side.rows.pop()
    assert (await club.pull("everyone")).counts.deleted == 1
    assert len(await club.living()) == 59
    assert len(await bulk_deletes(club)) == 1


async def test_a_later_reading_that_is_whole_again_closes_the_question(club: Shop, side: Side) -> None:
    rows = side.customers(60)
    await club.pull("everyone")
    del side.rows[25:]
    await club.pull("everyone")
    side.rows[25:] = rows[25:]
    await club.pull("everyone")
    (closed,) = await bulk_deletes(club)
    assert closed.decision == "SUPERSEDED"
    assert len(await club.living()) == 60


async def test_a_record_that_cannot_be_taken_any_more_is_not_gone(club: Shop, side: Side) -> None:
    side.customers(5)
    await club.pull("everyone")
    side.rows[2] = Customer(id="2", name=5)  # type: ignore[arg-type]
    pulled = await club.pull("everyone")
    assert (pulled.counts.rejected, pulled.counts.deleted) == (1, 0)
    assert len(await club.living()) == 5


async def test_reading_all_of_a_stream_that_tells_its_deletes_drops_nothing(shop: Shop, side: Side) -> None:
    side.customers(30)
    await shop.pull()
    del side.rows[10:]
    assert (await shop.pull(mode=RunMode.FULL)).counts.deleted == 0
    assert len(await shop.living()) == 30


async def test_two_records_that_the_other_side_merged_are_one_customer(shop: Shop, side: Side) -> None:
    side.customers(3)
    await shop.pull()
    side.customers(1, first=3)
    side.mangle = lambda _, page: Page(page.records, cursor=page.cursor, merges=[Merge("customer", "1", "0")])
    await shop.pull()
    roots = await shop.rows(
        "SELECT l.remote_id, c.root_id FROM record_links l JOIN customers c ON c.tenant_id = l.tenant_id "
        f"AND c.id = l.local_id WHERE l.tenant_id = '{shop.tenant}' ORDER BY 1"
    )
    by_id = dict(roots)
    assert by_id["0"] == by_id["1"]
    assert len(set(by_id.values())) == 3
    assert await shop.living() == {"0", "2", "3"}
    ((evidence,),) = await shop.rows("SELECT evidence FROM identity_edges WHERE $t")
    assert {**evidence, "run": ""} == {"source": "shop:1", "gone": "1", "into": "0", "run": ""}
