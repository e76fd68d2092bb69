from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from domain.core.unit_of_work import Writing
from domain.integrations import actions, queries
from domain.integrations.actions import StreamChoice
from domain.integrations.model import IntegrationState, RunMode, StreamState
from sync import heartbeat, land, requests, runs
from sync.pull import StreamNotRead
from sync.runs import Counts, StreamBusy
from sync.troubles import Outcome
from tenure_sdk import (
    AuthRevoked,
    ConfigInvalid,
    ContractViolation,
    CursorExpired,
    Customer,
    Order,
    Page,
    PermissionDenied,
    Product,
    RateLimited,
    Transient,
    Window,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.conftest import Logins
    from tests.sync.pull.conftest import Shop, Side


def failing(at: int, problem: Exception) -> Callable[[int], Awaitable[None]]:
    """What the remote side does instead of a page."""

    async def fail(number: int) -> None:
        if number == at:
            raise problem

    return fail


async def test_who_was_faster_with_the_same_is_no_mistake_of_the_connector(
    shop: Shop, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def overtaken(*_: object) -> None:
        raise IntegrityError("", None, asyncpg.UniqueViolationError()) from asyncpg.UniqueViolationError()

    side.customers(2)
    with monkeypatch.context() as patched:
        patched.setattr(land, "merge", overtaken)
        assert (await shop.pull()).outcome is Outcome.PARKED
    found = await shop.integration()
    assert (found.state, found.reason) == (IntegrationState.DEGRADED, "Others wrote the same at the same time.")
    assert (await shop.pull()).counts == Counts(read=2, created=2)
    assert (await shop.integration()).state == IntegrationState.ACTIVE


async def test_a_stream_is_read_to_its_end_and_then_only_what_is_new(shop: Shop, side: Side) -> None:
    side.customers(25)
    first = await shop.pull()
    assert (first.outcome, first.counts) == (Outcome.FINISHED, Counts(read=25, created=25))
    assert await shop.names() == {f"Customer {number}" for number in range(25)}
    side.customers(3, first=25)
    second = await shop.pull()
    assert (second.outcome, second.counts) == (Outcome.FINISHED, Counts(read=3, created=3))
    assert side.asked == [None, 25]
    of_first, of_second = (
        [
            (f"integrations.{name}", {"run": str(run.run_id and run.run_id.hex), "stream": "customers"})
            for name in ("RunStarted", "RunEnded")
        ]
        for run in (first, second)
    )
    assert await shop.events() == [*of_first, ("integrations.StreamRead", {"stream": "customers"}), *of_second]
    assert (await shop.integration()).connector_version == "1"


@pytest.mark.parametrize("committed", range(5))
async def test_a_run_goes_on_after_the_last_page_that_landed(shop: Shop, side: Side, committed: int) -> None:
    side.customers(45)
    side.before_page = failing(committed, Transient("Gone for a moment."))
    first = await shop.pull()
    assert (first.outcome, first.counts.read) == (Outcome.PARKED, committed * 10)
    side.before_page = None
    second = await shop.pull()
    assert (second.outcome, second.run_id, second.counts) == (
        Outcome.FINISHED, first.run_id, Counts(read=45, created=45),
    )  # fmt: skip
    assert side.asked == [None, committed * 10 or None]
    assert (await shop.integration()).state == IntegrationState.ACTIVE


async def test_rows_with_equal_stamps_and_rows_twice_on_a_page_count_once(shop: Shop, side: Side) -> None:
    stamp = datetime(2026, 1, 1, tzinfo=UTC)
    side.rows = [Customer(id=str(number), name="first", updated_at=stamp) for number in range(5)]
    side.rows += [Customer(id="2", name="last", updated_at=stamp), Customer(id="3", name="older", updated_at=None)]
    side.rows.append(Customer(id="4", name="stale", updated_at=stamp - timedelta(days=1)))
    pulled = await shop.pull()
    assert pulled.counts == Counts(read=8, created=5, doubles=3)
    assert sorted(await shop.rows("SELECT display_name FROM customers WHERE $t")) == [
        ("first",), ("first",), ("first",), ("last",), ("older",),
    ]  # fmt: skip


async def test_a_record_that_breaks_the_contract_is_set_aside_whole_and_its_page_lands(shop: Shop, side: Side) -> None:
    side.customers(3)
    side.rows[1] = Customer(id="1", name=7)  # type: ignore[arg-type]
    side.mangle = lambda _, page: Page([*page.records, Product(id="p", sku="p")], cursor=page.cursor)
    pulled = await shop.pull()
    assert (pulled.outcome, pulled.counts) == (Outcome.FINISHED, Counts(read=4, created=2, rejected=2))
    letters = await shop.rows("SELECT remote_id, type, field, reason, record FROM dead_letters WHERE $t ORDER BY 1")
    assert [row[:4] for row in letters] == [
        ("1", "customer", "name", "Expected `str | null`, got `int`"),
        ("p", "product", "type", "is Product; the stream customers brings customer"),
    ]
    assert letters[0][4]["name"] == 7


async def test_a_stream_of_which_much_cannot_be_taken_is_paused(shop: Shop, side: Side) -> None:
    side.size = 100
    side.customers(300)
    for number in range(100, 120):
        side.rows[number] = Customer(id=str(number), name=1)  # type: ignore[arg-type]
    pulled = await shop.pull()
    assert (pulled.outcome, pulled.counts.rejected, pulled.counts.read) == (Outcome.STREAM_PAUSED, 20, 200)
    assert (await shop.state()).paused_reason == "20 of 200 records could not be taken."
    assert await shop.events("integrations.RecordsRejected") == [
        (
            "integrations.RecordsRejected",
            {"run": (await shop.runs())[0].id.hex, "stream": "customers", "rejected": 20, "read": 200},
        )
    ]
    with pytest.raises(StreamNotRead, match="20 of 200"):
        await shop.pull()
    async with shop.database.unit_of_work(shop.tenant) as work:
        await requests.resume_stream(work, shop.id, "customers")
    assert (await shop.pull()).counts == Counts(read=100, created=100)


@pytest.mark.parametrize(
    ("cursor", "said"),
    [
        (datetime(2026, 1, 1, tzinfo=UTC), "no JSON"),
        (float("nan"), "no JSON"),
        ("x" * 16_385, "16387 bytes"),
        ({"access_token": "x"}, "secret"),
        (["tell-nobody"], "secret"),
        ("a\0b", "cannot be kept"),
    ],
)
async def test_a_page_that_breaks_the_contract_leaves_nothing(shop: Shop, side: Side, cursor: Any, said: str) -> None:
    side.customers(15)
    side.mangle = lambda number, page: Page(page.records, cursor=cursor) if number else page
    pulled = await shop.pull(secrets=["tell-nobody"])
    assert (pulled.outcome, pulled.counts.read) == (Outcome.FAILED, 10)
    assert said in str((await shop.runs())[0].error)
    side.mangle = None
    assert (await shop.pull()).counts == Counts(read=15, created=15)


async def test_a_page_is_at_most_five_thousand_rows(shop: Shop, side: Side) -> None:
    side.size = 5_001
    side.customers(5_001)
    assert (await shop.pull()).outcome is Outcome.FAILED
    assert await shop.names() == set()


async def test_a_cursor_that_is_too_old_has_everything_read(shop: Shop, side: Side) -> None:
    side.customers(15)
    await shop.pull()
    side.customers(5, first=15)

    async def expire(_: int) -> None:
        if side.asked[-1] is not None:
            raise CursorExpired

    side.before_page = expire
    pulled = await shop.pull()
    assert (pulled.outcome, pulled.mode, pulled.counts) == (
        Outcome.FINISHED, RunMode.FULL, Counts(read=20, created=5, unchanged=15),
    )  # fmt: skip
    assert [(run.mode, run.error) for run in await shop.runs()] == [
        ("INCREMENTAL", None), ("INCREMENTAL", "The cursor is no longer good; read the stream again from the start."),
        ("FULL", None),
    ]  # fmt: skip


async def test_what_was_deleted_before_a_cursor_was_lost_is_found_missing(shop: Shop, side: Side) -> None:
    side.customers(30)
    await shop.pull()
    for _ in range(2):
        side.rows.pop(0)
    side.customers(5, first=30)

    async def expire(_: int) -> None:
        if side.asked[-1] is not None:
            raise CursorExpired

    side.before_page = expire
    assert (await shop.pull()).outcome is Outcome.FINISHED
    gone = await shop.rows("SELECT remote_id FROM remote_records WHERE $t AND deleted ORDER BY remote_id")
    assert [row[0] for row in gone] == ["0", "1"]


async def test_a_reading_from_the_start_cannot_expire(shop: Shop, side: Side) -> None:
    side.customers(5)
    side.before_page = failing(0, CursorExpired())
    assert (await shop.pull()).outcome is Outcome.FAILED
    assert [run.mode for run in await shop.runs()] == ["INCREMENTAL", "FULL"]


async def test_a_new_version_of_the_connector_rewrites_the_cursor(shop: Shop, side: Side) -> None:
    side.customers(10)
    await shop.pull()
    side.customers(2, first=10)
    shop.connector.version = "2"
    shop.connector.migrate_cursor = lambda _self, stream, before, cursor: cursor if before == "1" else None  # type: ignore[assignment, method-assign]
    assert (await shop.pull()).counts == Counts(read=2, created=2)
    assert ((await shop.state()).cursor_version, (await shop.integration()).connector_version) == ("2", "2")


@pytest.mark.parametrize(
    ("problem", "state"),
    [
        (RateLimited(30), IntegrationState.RATE_LIMITED),
        (Transient("Down."), IntegrationState.DEGRADED),
        (AuthRevoked(), IntegrationState.NEEDS_REAUTH),
        (ConfigInvalid("No such company."), IntegrationState.PAUSED),
        (PermissionDenied("No scope."), IntegrationState.ACTIVE),
    ],
)
async def test_what_the_remote_side_says_decides_who_waits(
    shop: Shop, side: Side, problem: Exception, state: IntegrationState
) -> None:
    side.customers(15)
    side.before_page = failing(1, problem)
    pulled = await shop.pull()
    integration = await shop.integration()
    assert (integration.state, pulled.counts.read) == (state, 10)
    assert (pulled.again_at is not None) == isinstance(problem, RateLimited | Transient)
    assert integration.reason == (str(problem) if state != IntegrationState.ACTIVE else None)
    assert (await shop.state()).paused_reason == (str(problem) if isinstance(problem, PermissionDenied) else None)
    assert len(await shop.living()) == 10
    assert (await shop.pull("orders")).outcome is Outcome.FINISHED if pulled.again_at else True


async def test_a_connector_that_breaks_five_times_is_quarantined_and_no_other(shop: Shop, side: Side) -> None:
    side.customers(15)
    side.before_page = failing(0, ZeroDivisionError("secret 4711"))
    outcomes = [(await shop.pull()).outcome for _ in range(5)]
    assert outcomes == [Outcome.FAILED] * 4 + [Outcome.INTEGRATION_STOPPED]
    integration = await shop.integration()
    assert (integration.state, integration.failures) == (IntegrationState.QUARANTINED, 5)
    assert integration.reason == "The connector failed unexpectedly (ZeroDivisionError)."
    with pytest.raises(StreamNotRead):
        await shop.pull()


async def test_failures_count_in_a_row_only(shop: Shop, side: Side) -> None:
    side.customers(15)
    side.before_page = failing(0, ContractViolation())
    for _ in range(4):
        await shop.pull()
    side.before_page = None
    await shop.pull()
    assert ((await shop.integration()).failures, (await shop.state()).failures) == (0, 0)


async def test_of_two_runs_the_older_one_loses(shop: Shop, side: Side) -> None:
    side.customers(25)

    async def overtaken(number: int) -> None:
        if number == 2:
            side.before_page = None
            async with shop.database.unit_of_work(shop.tenant) as work:
                await work.execute(
                    update(StreamState).where(StreamState.tenant_id == shop.tenant).values(lease_until=work.now)
                )
            younger.append(asyncio.create_task(shop.pull()))
            await asyncio.wait(younger)

    younger: list[asyncio.Task[Any]] = []
    side.before_page = overtaken
    older = await shop.pull()
    assert (older.outcome, (await younger[0]).outcome) == (Outcome.LOST, Outcome.FINISHED)
    assert len(await shop.living()) == 25
    (run,) = await shop.runs()
    assert (run.counters["read"], run.counters["created"], run.error) == (25, 25, None)


async def test_a_stream_that_is_being_read_is_busy_but_its_past_can_be_read_beside_it(shop: Shop, side: Side) -> None:
    side.customers(25)
    tried: list[Any] = []

    async def meanwhile(number: int) -> None:
        if number == 1 and not tried:
            tried.append("busy")
            with pytest.raises(StreamBusy):
                await shop.pull()
            tried.append(await shop.pull(mode=RunMode.BACKFILL, window=Window(datetime(2020, 1, 1, tzinfo=UTC))))

    side.before_page = meanwhile
    present = await shop.pull()
    past = tried[1]
    assert (present.outcome, past.outcome) == (Outcome.FINISHED, Outcome.FINISHED)
    assert (present.counts.read, past.counts.read) == (25, 25)
    assert present.counts.created + past.counts.created == 25
    side.customers(1, first=25)
    assert (await shop.pull()).counts.read == 1
    assert [run.mode for run in await shop.runs()] == ["INCREMENTAL", "BACKFILL", "INCREMENTAL"]


async def test_a_slow_remote_side_does_not_cost_the_lease_and_a_cancellation_is_heard(
    shop: Shop, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heartbeat, "EVERY", 0.05)
    side.customers(25)

    async def stall(number: int) -> None:
        if number == 1:
            (run,) = await shop.runs()
            async with shop.database.unit_of_work(shop.tenant) as work:
                await requests.cancel(work, run.id)
            await asyncio.Event().wait()

    side.before_page = stall
    async with asyncio.timeout(10):
        pulled = await shop.pull()
    assert (pulled.outcome, pulled.counts.read) == (Outcome.CANCELLED, 10)
    (run,) = await shop.runs()
    assert (run.error, run.ended_at is not None, run.cancelled_at is not None) == ("Cancelled.", True, True)
    side.before_page = None
    assert (await shop.pull()).counts.read == 15
    async with shop.database.unit_of_work(shop.tenant) as work:
        with pytest.raises(requests.RunOver):
            await requests.cancel(work, run.id)


async def test_a_run_that_waits_is_cancelled_at_once(shop: Shop, side: Side) -> None:
    side.customers(25)
    side.before_page = failing(1, Transient())
    parked = await shop.pull()
    assert parked.run_id is not None
    async with shop.database.unit_of_work(shop.tenant) as work:
        await requests.cancel(work, parked.run_id)
    (run,) = await shop.runs()
    assert (run.error, run.ended_at is not None) == ("Cancelled.", True)
    side.before_page = None
    assert (await shop.pull()).counts.read == 15


async def test_a_reset_cursor_reads_everything_again(shop: Shop, side: Side) -> None:
    side.customers(15)
    await shop.pull()
    async with shop.database.unit_of_work(shop.tenant) as work:
        await requests.reset_cursor(work, shop.id, "customers")
    assert (await shop.pull()).counts == Counts(read=15, unchanged=15)


async def test_a_rebuild_takes_what_is_unchanged_for_new(shop: Shop, side: Side) -> None:
    side.customers(3)
    side.orders.append(Order(id="o", occurred_at=datetime(2026, 1, 1, tzinfo=UTC), currency="EUR", total=Decimal(1)))
    for stream in ("customers", "orders"):
        await shop.pull(stream)
    before = await shop.rows("SELECT max(xmin::text::bigint) FROM remote_records WHERE $t")
    assert (await shop.pull(mode=RunMode.REBUILD)).outcome is Outcome.FINISHED
    assert await shop.rows("SELECT max(xmin::text::bigint) FROM remote_records WHERE $t") > before
    assert (await shop.pull("orders", mode=RunMode.REBUILD)).counts.updated == 1


async def test_a_run_tells_how_far_it_has_come(shop: Shop, side: Side) -> None:
    side.customers(25)
    shown: list[dict[str, Any]] = []

    async def look(number: int) -> None:
        if number == 2:
            while (counters := (await shop.runs())[0].counters)["read"] < 20:  # noqa: ASYNC110 - another task commits
                await asyncio.sleep(0.01)
            shown.append(counters)

    side.before_page = look
    await shop.pull()
    assert (shown[0]["read"], shown[0]["expected"]) == (20, 25)
    assert shown[0]["rate"] > 0
    assert datetime.fromisoformat(shown[0]["ends_at"]).tzinfo is not None
    assert ((await shop.state()).expected_count, (await shop.state()).read_until is not None) == (25, True)


async def test_what_was_counted_before_it_was_switched_on_is_not_counted_again(shop: Shop, side: Side) -> None:
    async def expected() -> int | None:
        return (await shop.runs())[-1].counters.get("expected")

    async def told(count: int) -> None:
        async with shop.database.unit_of_work(shop.tenant) as work:
            await runs.expect(work, shop.id, {"customers": count})

    async with shop.database.unit_of_work(shop.tenant) as work:
        integration = await queries.integration(work, shop.id)
        await runs.expect(work, shop.id, {"customers": 9})
        await actions.choose(work, integration, [StreamChoice("customers", since=datetime(2020, 1, 1, tzinfo=UTC))])
    assert (await shop.state()).expected_count is None  # nine of another time
    await told(7)
    side.customers(25)
    await shop.pull()
    assert await expected() == 7
    await told(8)
    assert (await shop.state()).expected_count == 7
    await shop.pull(mode=RunMode.FULL)
    assert await expected() == 25


@pytest.mark.parametrize("asked", [None, datetime(2019, 1, 1, tzinfo=UTC)])
async def test_what_is_asked_for_goes_as_far_back_as_its_stream_unless_it_says_so(
    shop: Shop, side: Side, asked: datetime | None
) -> None:
    since = datetime(2020, 1, 1, tzinfo=UTC)
    window = None if asked is None else Window(asked)
    async with shop.database.unit_of_work(shop.tenant) as work:
        integration = await queries.integration(work, shop.id)
        await actions.choose(work, integration, [StreamChoice("customers", since=since)])
        [run] = await requests.request_sync(work, shop.id, ["customers"], RunMode.FULL, window)
    await shop.pull(mode=RunMode.FULL, request=run)
    [found] = await shop.runs()
    assert (found.id, found.window_start, found.window_end) == (run, asked or since, None)


async def test_a_page_that_fails_as_it_is_committed_is_undone_and_read_again(
    shop: Shop, side: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    side.customers(35)
    committed = Writing.complete
    calls = 0

    async def fail_once(work: Writing) -> None:
        nonlocal calls
        await committed(work)
        calls += 1
        if calls == 4:  # the opening, the estimate, the first page, the second one
            raise ZeroDivisionError

    monkeypatch.setattr(Writing, "complete", fail_once)
    first = await shop.pull()
    assert (first.outcome, first.counts.read, len(await shop.living())) == (Outcome.FAILED, 10, 10)
    second = await shop.pull()
    assert (second.outcome, second.counts) == (Outcome.FINISHED, Counts(read=35, created=35))
    assert side.asked == [None, 10]


KILLED = """
import asyncio, sys
from uuid import UUID
from domain.core.database import Database
from tests.sync.pull.conftest import Shop, Side, connector_of
from sync import pull

async def main() -> None:
    side = Side()
    side.customers(45)
    async def stall(number: int) -> None:
        if number == 3:
            while len(await shop.living()) < 30:
                await asyncio.sleep(0.01)
            print("three pages", flush=True)
            await asyncio.Event().wait()
    side.before_page = stall
    async with Database(sys.argv[1], readers=2, writers=4) as database:
        shop = Shop(database, UUID(sys.argv[2]), side, connector_of(side), UUID(sys.argv[3]))
        await shop.pull()

asyncio.run(main())
"""


async def test_a_process_that_is_killed_leaves_whole_pages_and_another_goes_on(
    shop: Shop, side: Side, logins: Logins
) -> None:
    address = logins.server.render_as_string(hide_password=False)
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-c", KILLED, address, str(shop.tenant), str(shop.id), stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    async with asyncio.timeout(60):
        assert await killed.stdout.readline() == b"three pages\n"
        killed.send_signal(signal.SIGKILL)
        await killed.wait()
    assert len(await shop.living()) == 30
    side.customers(45)
    pulled = await shop.pull()
    assert (pulled.outcome, pulled.counts) == (Outcome.FINISHED, Counts(read=45, created=45))
    assert side.asked == [30]
