from __future__ import annotations

import asyncio
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from domain.core.due import jobs
from sync import imports, registry, runs, settle, staging
from sync.imports import ImportInterrupted, ImportRefused
from sync.landing.rejects import guarded
from sync.runs import Counts
from tenure_sdk import Context, LinePage, Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from tenure_sdk import Cursor, Page

FILES = registry.load().connector("files")
MAPPING = """
source = "till"
[file]
format = "csv"
[record]
type = "order"
id = ["doc"]
[fields]
occurred_at = "at"
customer = "who"
currency = { constant = "EUR" }
sku = "sku"
quantity = "qty"
unit_price = "price"
"""
CALLS = """
source = "telephone"
[file]
format = "csv"
[record]
type = "interaction"
id = ["id"]
[fields]
kind = { constant = "CALL" }
occurred_at = "at"
parties = "with"
"""
LINES = ["doc,at,who,sku,qty,price", "1,2024-05-01,a,x,1,1.00", "2,2024-05-02,b,y,2,2.50", "1,2024-05-01,a,z,3,1.10"]
DONE = Counts(read=3, created=7)


class Shop:
    """A tenant with a file to import."""

    def __init__(self, database: Database, tenant: UUID, directory: Path) -> None:
        self.database, self.tenant, self.directory = database, tenant, directory
        self.mapping = directory / "mapping.toml"
        self.mapping.write_text(MAPPING)
        self.file = self.write("sales.csv", LINES)

    def write(self, name: str, lines: Sequence[str]) -> Path:
        path = self.directory / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return path

    async def bring(self, file: Path | None = None, **options: Any) -> imports.Imported:
        config = {"file": str(file or self.file), "mapping": str(self.mapping)}
        return await imports.run(self.database, self.tenant, options.pop("connector", FILES), config, **options)

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.database.reading(self.tenant) as reading:
            found = await reading.rows(text(statement.replace("$t", f"tenant_id = '{self.tenant}'")))
        return [tuple(row) for row in found]

    async def figures(self) -> list[tuple[Any, ...]]:
        return await self.rows("SELECT number, amount, line_count FROM orders WHERE $t ORDER BY number")


FIGURES = [("1", 430, 2), ("2", 500, 1)]


@pytest.fixture
def shop(database: Database, tenant: UUID, tmp_path: Path) -> Shop:
    return Shop(database, tenant, tmp_path)


async def test_a_file_comes_in_and_coming_again_changes_nothing(shop: Shop) -> None:
    first = await shop.bring()
    assert (first.counts, first.resumed) == (DONE, False)
    assert await shop.figures() == FIGURES
    again = await shop.bring(shop.write("another-name.csv", LINES))
    assert (again.counts, again.resumed) == (Counts(read=3, unchanged=7), False)
    assert await shop.rows("SELECT connector, account FROM integrations WHERE $t") == [("files", "till")]
    assert await shop.rows("SELECT count(*) FROM sync_runs WHERE $t AND ended_at IS NOT NULL") == [(2,)]
    assert await shop.rows("SELECT cursor, lease_owner FROM stream_states WHERE $t") == [(None, None)]
    assert await shop.rows("SELECT count(*) FROM staged_lines WHERE $t") == [(0,)]


async def test_a_dry_run_counts_the_same_and_leaves_nothing(shop: Shop, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    shop.file = shop.write("sales.csv", [*LINES, "3,never,a,x,1,1"])
    tried = await shop.bring(dry_run=True, rejects_file=rejects)
    assert tried.counts == Counts(read=4, created=7, rejected=1)
    assert (
        rejects.read_text()
        == "line,record,field,value,reason\n5,3,occurred_at,never,is no date like 2011-12-09 or 2011-12-09T12:50:00\n"
    )
    for table in ("integrations", "sync_runs", "orders", "customers", "dead_letters", "outbox_events", "staged_lines"):
        assert await shop.rows(f"SELECT count(*) FROM {table} WHERE $t") == [(0,)], table
    assert (await shop.bring()).counts == tried.counts


async def test_rejects_are_kept_and_no_spreadsheet_runs_them(shop: Shop, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    shop.file = shop.write("sales.csv", [*LINES, "3,=1+1,a,x,1,1", "3,2024-05-01,a,x,-,1"])
    assert (await shop.bring(rejects_file=rejects)).counts.rejected == 2
    assert [line.split(",")[:4] for line in rejects.read_text().splitlines()] == [
        ["line", "record", "field", "value"],
        ["5", "3", "occurred_at", "'=1+1"],
        ["6", "3", "quantity", "'-"],
    ]
    assert await shop.rows("SELECT line, value FROM dead_letters WHERE $t ORDER BY line") == [(5, "=1+1"), (6, "-")]


async def test_what_concerns_nobody_who_is_known_is_listed(shop: Shop, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    shop.mapping.write_text(CALLS, encoding="utf-8")
    done = await shop.bring(
        shop.write("calls.csv", ["id,at,with", "c7,2024-05-01,nobody@example.org"]), rejects_file=rejects
    )
    assert done.counts == Counts(read=1, rejected=1)
    assert rejects.read_text().splitlines()[1:] == ["2,c7,parties,nobody@example.org,are of nobody who is known here"]
    assert await shop.rows("SELECT count(*) FROM interactions WHERE $t") == [(0,)]


PEOPLE = """
source = "shop"
[file]
format = "csv"
[record]
type = "customer"
id = ["id"]
[fields]
emails = "email"
phones = "phone"
"attribute.since" = "since"
"""


async def test_rejects_that_only_landing_knows_have_their_line_field_and_value_once(shop: Shop, tmp_path: Path) -> None:
    rejects = tmp_path / "rejects.csv"
    shop.mapping.write_text(PEOPLE)
    file = shop.write("people.csv", ["id,email,phone,since", "1,bad@@,,", "2,,12,", "3,,,2024-01-01"])
    told = [
        "2,1,emails,bad@@,is no e-mail address",
        "3,2,phones,12,is no phone number; without an address in a country it needs its country code",
        "4,3,attributes.since,2024-01-01,is no attribute of this tenant; defined are: none",
    ]
    assert (await shop.bring(file, rejects_file=rejects)).counts == Counts(read=3, created=2, rejected=1, unreadable=2)
    assert rejects.read_text().splitlines()[1:] == told
    assert (await shop.bring(file, rejects_file=rejects)).counts == Counts(
        read=3, unchanged=2, rejected=1, unreadable=2
    )
    assert rejects.read_text().splitlines()[1:] == told
    assert await shop.rows("SELECT field, count(*) FROM dead_letters WHERE $t AND landed GROUP BY 1 ORDER BY 1") == [
        ("emails", 1), ("phones", 1)
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["=1", "+1", "-1", "@a", "\ta", "\ra"])
def test_a_formula_gets_an_apostrophe(value: str) -> None:
    assert guarded(value) == f"'{value}"


async def test_a_preview_shows_the_first_records_and_writes_nothing(shop: Shop) -> None:
    found = await imports.preview(shop.database, FILES, {"file": str(shop.file), "mapping": str(shop.mapping)}, limit=2)
    assert [row[found.columns.index("document")] for row in found.rows] == ["1", "2"]
    assert await shop.rows("SELECT count(*) FROM integrations WHERE $t") == [(0,)]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "is empty"),
        (["doc,at,who"], "has no column"),
        (["\0\1\2\3"], "is binary"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_and_changes_nothing(
    shop: Shop, lines: list[str], reason: str
) -> None:
    with pytest.raises(ImportRefused, match=reason):
        await shop.bring(shop.write("bad.csv", lines))
    assert await shop.rows("SELECT count(*) FROM integrations WHERE $t") == [(0,)]


async def test_a_file_found_to_be_broken_on_the_way_is_refused_and_nothing_of_it_stays(shop: Shop) -> None:
    with pytest.raises(ImportRefused, match="is truncated"):
        await shop.bring(shop.write("bad.csv", [*LINES, '3,2024-05-01,"a']))
    for table in ("orders", "customers", "products", "staged_lines", "interactions"):
        assert await shop.rows(f"SELECT count(*) FROM {table} WHERE $t") == [(0,)], table
    assert await shop.rows("SELECT ended_at IS NOT NULL, error LIKE '%truncated%' FROM sync_runs WHERE $t") == [
        (True, True)
    ]
    assert await shop.rows("SELECT cursor, lease_owner FROM stream_states WHERE $t") == [(None, None)]
    assert (await shop.bring()).counts == DONE


class Failing(FILES):  # type: ignore[misc,valid-type]
    """Reads one line for each page, and fails before the third."""

    fails = True

    async def lines(self, ctx: Context[Any], cursor: Cursor) -> AsyncIterator[Page | LinePage]:
        done = cursor or 0
        async for page in super().lines(ctx, None):
            for place, row in enumerate(page.rows, 1):
                if place == 3 and self.fails:
                    raise Transient("The disk is gone for a moment.")
                if place > done:
                    yield LinePage(page.columns, [row], complete=False, cursor=place)

    lines.__tenure__ = FILES.lines.__tenure__  # type: ignore[attr-defined]


class Recovered(Failing):
    fails = False


async def test_an_interrupted_import_goes_on_where_it_stopped(shop: Shop) -> None:
    with pytest.raises(ImportInterrupted, match="The disk is gone"):
        await shop.bring(connector=Failing)
    assert await shop.rows("SELECT count(*) FROM staged_lines WHERE $t") == [(2,)]
    assert await shop.rows("SELECT ended_at, error FROM sync_runs WHERE $t") == [
        (None, "The disk is gone for a moment.")
    ]
    done = await shop.bring(connector=Recovered)
    assert (done.counts, done.resumed) == (DONE, True)
    assert await shop.figures() == FIGURES
    assert await shop.rows("SELECT count(*), count(ended_at), count(error) FROM sync_runs WHERE $t") == [(1, 1, 0)]


async def test_lines_that_a_crash_of_the_database_lost_are_read_again(shop: Shop) -> None:
    with pytest.raises(ImportInterrupted):
        await shop.bring(connector=Failing)
    async with shop.database.unit_of_work(shop.tenant) as work:
        await work.execute(text("DELETE FROM staged_lines WHERE tenant_id = :t AND line = 2"), {"t": shop.tenant})
    done = await shop.bring(connector=Recovered)
    assert (done.counts, done.resumed) == (DONE, False)
    assert await shop.figures() == FIGURES
    assert await shop.rows("SELECT count(*), count(ended_at), count(error) FROM sync_runs WHERE $t") == [(2, 2, 1)]


async def test_another_file_begins_anew(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    async def crash(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr(staging, "describe", crash)
        with pytest.raises(asyncio.CancelledError):
            await shop.bring()
    assert await shop.rows("SELECT count(*) FROM staged_lines WHERE $t") == [(3,)]
    # The lease names this process, which lives; time passes.
    async with shop.database.unit_of_work(shop.tenant) as work:
        await work.execute(
            text("UPDATE stream_states SET lease_until = lease_until - interval '2 minutes' WHERE tenant_id = :t"),
            {"t": shop.tenant},
        )
    other = await shop.bring(shop.write("other.csv", LINES[:3]))
    assert other.counts == Counts(read=2, created=6)
    assert await shop.figures() == [("1", 100, 1), ("2", 500, 1)]


async def test_documents_are_made_in_batches_that_resume(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BATCH_LINES", 1)
    make, calls = staging.make, []

    async def once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise Transient("Gone.")
        return await make(*given)

    monkeypatch.setattr(staging, "make", once)
    with pytest.raises(ImportInterrupted):
        await shop.bring()
    assert await shop.figures() == FIGURES[:1]
    done = await shop.bring()
    assert (done.counts, done.resumed) == (DONE, True)
    assert await shop.figures() == FIGURES
    assert len(calls) == 4  # one, the failure, the second document, nothing more


async def test_customers_are_settled_once_and_by_a_worker_where_the_import_was_killed(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(*_: object) -> bool:
        raise asyncio.CancelledError

    settled: list[int] = []

    async def projections(work: Writing, touched: Sequence[UUID]) -> None:
        settled.append(len(touched))
        await made(work, touched)

    made = settle.projections
    monkeypatch.setattr(staging, "BATCH_LINES", 1)
    monkeypatch.setattr(settle, "projections", projections)
    totals = "SELECT occasions FROM customer_totals WHERE $t"
    with monkeypatch.context() as patched:
        patched.setattr(settle, "some", crash)
        with pytest.raises(asyncio.CancelledError):
            await shop.bring()
    assert await shop.figures() == FIGURES
    assert (await shop.rows(totals), settled) == ([], [])
    async with shop.database.unit_of_work(shop.tenant) as work:
        await jobs.by_kind[settle.SETTLE](work, "")
    assert (await shop.rows(totals), settled) == ([(1,), (1,)], [2])
    assert await shop.rows("SELECT count(*) FROM unsettled_customers WHERE $t") == [(0,)]


async def test_customers_are_described_in_batches_that_resume(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(staging, "BATCH_CUSTOMERS", 1)
    describe, calls = staging.describe, []

    async def once(*given: Any) -> Any:
        calls.append(given)
        if len(calls) == 2:
            raise Transient("Gone.")
        return await describe(*given)

    monkeypatch.setattr(staging, "describe", once)
    with pytest.raises(ImportInterrupted):
        await shop.bring()
    assert await shop.rows("SELECT remote_id FROM record_links WHERE $t AND type = 'customer'") == [("a",)]
    done = await shop.bring()
    assert (done.counts, done.resumed) == (DONE, True)
    assert await shop.figures() == FIGURES
    assert await shop.rows("SELECT count(*) FROM products WHERE $t") == [(3,)]
    assert len(calls) == 4  # one, the failure, the second customer, nothing more


async def test_a_second_import_of_the_same_source_waits(shop: Shop) -> None:
    async with shop.database.unit_of_work(shop.tenant) as work:
        integration = await runs.enabled(work, "files", (await FILES().check(context(shop))))
        await runs.begin(work, integration, FILES.streams()[0], mode="FULL")
    with pytest.raises(runs.StreamBusy, match=str(os.getpid())):
        await shop.bring()


async def test_a_run_that_lost_its_lease_writes_nothing_more(shop: Shop) -> None:
    account = await FILES().check(context(shop))
    async with shop.database.unit_of_work(shop.tenant) as work:
        integration = await runs.enabled(work, "files", account)
        first = await runs.begin(work, integration, FILES.streams()[0], mode="FULL")
    async with shop.database.unit_of_work(shop.tenant) as work:
        work.now += runs.LEASE + timedelta(seconds=1)
        second = await runs.begin(work, integration, FILES.streams()[0], mode="FULL")
    assert second.fence == first.fence + 1
    with pytest.raises(runs.LeaseLost):
        async with shop.database.unit_of_work(shop.tenant) as work:
            await runs.advance(work, first, Counts(read=1))
    assert await shop.rows("SELECT counters -> 'read' FROM sync_runs WHERE $t") == [(0,)]


def context(shop: Shop) -> Context[Any]:
    config = FILES.config_type()(file=str(shop.file), mapping=str(shop.mapping))
    return Context(config, now=shop.database.clock.now)
