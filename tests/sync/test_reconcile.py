"""Reconciliation: exactly the differences that there are, all of them repaired, in a report to be recomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import select, text

from domain.core.events import OutboxEvent
from domain.core.problems import NotFound
from domain.integrations.model import ReconciliationReport
from sync import reconcile, sweeps
from sync.reconcile import Difference, Found, differences
from sync.repair import RepairDirection, repair
from tenure_sdk import Transient
from tests import snapshots
from tests.sync.two_way.conftest import books

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from tests.conftest import Logins
    from tests.sync.two_way.conftest import Books

__all__ = ["books"]


async def compared(books: Books, *, deep: bool = False) -> tuple[ReconciliationReport, list[Found]]:
    report_id = await reconcile.reconcile(books.database, books.remote, books.tenant, books.id, deep=deep)
    async with books.database.reading(books.tenant) as work:
        report = await work.one(
            select(ReconciliationReport).where(
                ReconciliationReport.tenant_id == books.tenant, ReconciliationReport.id == report_id
            )
        )
        assert report is not None
        assert await reconcile.verify(work, report_id)
        return report, await differences(work, report_id)


def kinds(found: list[Found]) -> dict[str, str]:
    return {each.remote_id: each.kind for each in found}


async def filled(books: Books, count: int) -> None:
    for number in range(count):
        books.side.put(str(number), name=f"Customer {number}", emails=(f"c{number}@example.com",))
    await books.pull()


async def test_what_is_alike_is_found_alike(books: Books) -> None:
    await filled(books, 30)
    report, found = await compared(books, deep=True)
    assert (report.compared, report.matching, found) == (30, 30, [])
    assert report.streams[0]["remote_count"] == report.streams[0]["local_count"] == 30


async def test_seeded_differences_are_found_exactly_and_repaired(books: Books) -> None:
    await filled(books, 40)
    for number in range(5):
        books.side.rows.pop(str(number))
    for number in range(5, 12):
        books.side.put(str(number), name=f"Renamed {number}")
    for number in range(40, 48):
        books.side.put(str(number), name=f"New {number}")
    report, found = await compared(books)
    assert kinds(found) == {
        **{str(number): Difference.MISSING_REMOTE for number in range(5)},
        **{str(number): Difference.DIFFERENT for number in range(5, 12)},
        **{str(number): Difference.MISSING_LOCAL for number in range(40, 48)},
    }
    assert (report.compared, report.matching) == (48, 28)
    assert await repair(books.database, books.remote, books.registry, books.tenant, report.id) == 20
    report, found = await compared(books, deep=True)
    assert (report.compared, report.matching, found) == (43, 43, [])


async def test_what_was_made_there_by_a_change_of_unknown_outcome_is_not_repaired_into_somebody_new(
    books: Books,
) -> None:
    books.side.lose_reply = lambda _: True
    await books.buyer("Ada")
    await books.go_round()
    report, found = await compared(books)
    assert kinds(found)["r1"] == Difference.MISSING_LOCAL
    with pytest.raises(Transient):
        await repair(books.database, books.remote, books.registry, books.tenant, report.id)
    assert list(await books.here()) == ["Ada"]
    books.side.lose_reply = lambda _: False
    await books.make_due()
    await books.send()
    await repair(books.database, books.remote, books.registry, books.tenant, report.id)
    assert (list(await books.here()), list(books.there())) == (["Ada"], ["Ada"])


async def test_what_differs_can_be_sent_as_it_is_here(books: Books) -> None:
    await filled(books, 4)
    books.side.put("1", name="Renamed")
    books.side.put("9", name="Only there")
    report, _ = await compared(books)
    repaired = await repair(books.database, books.remote, books.registry, books.tenant, report.id, RepairDirection.PUSH)
    assert repaired == 1
    await books.send()
    assert (books.side.writes, books.side.rows["1"].name) == ([("update", "1")], "Customer 1")
    assert books.side.rows["9"].name == "Only there"
    report, found = await compared(books, deep=True)
    assert kinds(found) == {"9": Difference.MISSING_LOCAL}
    assert (report.compared, report.matching) == (5, 4)


async def test_what_is_on_its_way_is_told_apart(books: Books) -> None:
    await filled(books, 3)
    await books.buyer("Ada")
    await books.buyer("A: B")
    report, found = await compared(books)
    assert sorted(kinds(found).values()) == [Difference.AWAITING_PUSH, Difference.AWAITING_PUSH]
    assert (report.compared, report.matching) == (5, 3)
    await books.send()
    report, found = await compared(books)
    assert sorted(kinds(found).values()) == [Difference.REJECTED]
    assert (report.compared, report.matching) == (5, 4)


async def test_comparing_changes_nothing_but_the_report(books: Books, logins: Logins) -> None:
    await filled(books, 5)
    books.side.put("1", name="Renamed")
    async with snapshots.opened(logins) as looking, looking.only_changes(REPORTED):
        await compared(books, deep=True)


async def test_a_forged_report_shows(books: Books) -> None:
    await filled(books, 3)
    report, _ = await compared(books)
    async with books.database.reading(books.tenant) as work:
        forged = reconcile.digest_of(books.id, report.started_at, [{**report.streams[0], "matching": 2}], [])
        assert forged != report.digest
        with pytest.raises(NotFound):
            await reconcile.verify(work, books.id)
        names = await work.all(select(OutboxEvent.name).where(OutboxEvent.tenant_id == books.tenant))
    assert list(names).count("integrations.Reconciled") == 1


REPORTED = ("reconciliation_reports", "reconciliation_differences", "outbox_events", "directory.due_work")


async def test_ids_are_compared_in_one_pass_over_both_sides(database: Database, tenant: UUID) -> None:
    """Looked up one by one, 200,000 ids are not through after 20 seconds; in one pass they take 3."""
    compared = text("EXPLAIN " + reconcile._ONLY_ONE_SIDE.format(known=sweeps.KNOWN["customer"]))
    binds = {"tenant": tenant, "integration": tenant, "run": tenant}
    async with database.reading(tenant) as reading:
        plan = [row[0] for row in (await reading.session.execute(compared, binds)).all()]
    assert not [line for line in plan if "SubPlan" in line]


async def test_so_many_differences_can_be_written_down_as_there_are(database: Database, tenant: UUID) -> None:
    missing = [Found("customer", str(number), Difference.MISSING_LOCAL) for number in range(33_000)]
    async with database.reading(tenant) as reading:
        assert await reconcile._local_ids(reading, tenant, missing) == {}
