"""What is sealed before an initiative, and that every change of it shows."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import asyncpg
import pytest
from sqlalchemy import text

from domain.core.problems import NotEnoughData
from domain.customers import departments, privacy
from domain.initiatives import actions, queries, reading, seal, sealing
from domain.initiatives.model import SealedPart
from domain.initiatives.statistics.windows import WindowBeforeData
from domain.initiatives.waiting import TooEarly
from domain.metrics.catalogue import CATALOGUE
from tests.conftest import KEY, dsn
from tests.domain.initiatives import evidence
from tests.domain.initiatives.conftest import BASELINE, FIRST, LIVE

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database
    from domain.initiatives.model import BaselineSnapshot
    from tests.conftest import Logins
    from tests.domain.conftest import Unchanged


async def planned(database: Database, tenant: UUID, **asked: object) -> UUID:
    proposal = actions.Proposal(**{"name": "Extra support", "go_live_on": LIVE, "baseline_days": BASELINE, **asked})
    async with database.unit_of_work(tenant) as work:
        return (await actions.create(work, proposal)).id


async def sealed(database: Database, tenant: UUID, **asked: object) -> BaselineSnapshot:
    made = await planned(database, tenant, **asked)
    async with database.unit_of_work(tenant) as work:
        return await actions.seal_baseline(work, made)


async def opened(database: Database, tenant: UUID, header: BaselineSnapshot) -> seal.Parts:
    async with database.reading(tenant) as work:
        return await seal.read(work, await queries.seal_of(work, header.initiative_id))


async def test_a_seal_holds_who_was_there_and_what_they_did(
    database: Database, tenant: UUID, book: evidence.Book
) -> None:
    header = await sealed(database, tenant)
    parts = await opened(database, tenant, header)

    who, did, links = parts[SealedPart.CUSTOMERS], parts[SealedPart.DAYS], parts[SealedPart.LINKS]
    assert header.customers == len(who["pseudonym"]) == 21
    assert set(links["customer_id"]) == set(book.customers[:21])
    assert all(who["is_treated"])
    assert (header.treated, header.selection, header.selected_on) == (21, "EVERYONE", None)
    assert header.first_day == FIRST
    assert header.days == len(did["day"]) == sum(day < LIVE for _, day, _ in book.days)
    assert sum(did["amount"]) == sum(amount for _, day, amount in book.days if day < LIVE)
    assert sum(did["contribution"]) == sum(amount - amount // 2 for _, day, amount in book.days if day < LIVE)
    assert header.is_retrospective
    assert header.definition_versions == {
        key: CATALOGUE[key].version
        for key in ("frequency", "recency", "size_of_transaction", "cost_to_serve", "response_rate",
                    "acquisition_cost", "retention_cost")
    }  # fmt: skip
    assert sum(parts[SealedPart.NEWCOMERS]["customers"]) == 7  # in whole weeks: those of the first two days are in none
    assert (header.earliest_measurement_on, header.final_on) == (LIVE + timedelta(days=10), date(2026, 4, 30))
    first = links["customer_id"].index(book.customers[0])
    days = [day for pseudonym, day in zip(did["pseudonym"], did["day"], strict=True) if pseudonym == first]
    assert days == evidence.every(10, FIRST, 10)


async def test_orders_of_nothing_are_left_out_where_only_paid_ones_count(
    database: Database, tenant: UUID, book: evidence.Book
) -> None:
    header = await sealed(database, tenant, paid_only=True)
    parts = await opened(database, tenant, header)
    assert sum(parts[SealedPart.DAYS]["occasions"]) == sum(amount > 0 for _, day, amount in book.days if day < LIVE)
    nobody = parts[SealedPart.LINKS]["customer_id"].index(book.customers[20])
    assert parts[SealedPart.CUSTOMERS]["first_occasion_on"][nobody] is None


async def test_some_customers_are_treated_and_frozen(database: Database, tenant: UUID, book: evidence.Book) -> None:
    header = await sealed(database, tenant, customer_ids=book.customers[:5])
    parts = await opened(database, tenant, header)
    links = parts[SealedPart.LINKS]["customer_id"]
    treated = {of for of, is_so in zip(links, parts[SealedPart.CUSTOMERS]["is_treated"], strict=True) if is_so}
    assert treated == set(book.customers[:5])
    assert (header.selection, header.treated) == ("LIST", 5)


@pytest.mark.parametrize("joins_later", [False, True])
async def test_departments_are_as_they_were_when_the_baseline_began(
    database: Database, tenant: UUID, book: evidence.Book, joins_later: bool
) -> None:
    """Who left for another department after go-live was there; who came from one was not; who had none is taken in."""
    long_ago, after = _noon(LIVE - timedelta(days=BASELINE + 10)), _noon(LIVE + timedelta(days=5))
    left, came, new = book.customers[:3]
    async with database.unit_of_work(tenant) as work:
        south, north = [await departments.define_department(work, key, key.title()) for key in ("south", "north")]
        for who, moves in {
            left: [(south, long_ago), (north, after)],
            came: [(north, long_ago), (south, after)],
            new: [(south, after)] if joins_later else [],
        }.items():
            for department, since in moves:
                await departments.assign_department(work, who, department.id, since)
    header = await sealed(database, tenant, department_ids=[south.id])
    parts = await opened(database, tenant, header)
    who, links = parts[SealedPart.CUSTOMERS], parts[SealedPart.LINKS]["customer_id"]
    belongs = {of: each for of, each in zip(links, who["department_id"], strict=True) if each}
    treated = {of for of, is_so in zip(links, who["is_treated"], strict=True) if is_so}
    chosen_by = (after if joins_later else long_ago).date()
    assert belongs == {left: south.id, came: north.id} | ({new: south.id} if joins_later else {})
    assert treated == {left} | ({new} if joins_later else set())
    assert (header.selection, header.selected_on) == ("DEPARTMENTS", chosen_by)


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)


async def test_a_baseline_is_sealed_once(
    database: Database, tenant: UUID, book: evidence.Book, unchanged: Unchanged
) -> None:
    header = await sealed(database, tenant)
    async with unchanged():
        with pytest.raises(actions.AlreadySealed):
            async with database.unit_of_work(tenant) as work:
                await actions.seal_baseline(work, header.initiative_id)


async def test_what_becomes_known_later_changes_no_seal(database: Database, tenant: UUID, book: evidence.Book) -> None:
    header = await sealed(database, tenant)
    before = await opened(database, tenant, header)
    await evidence.add_days(database, tenant, [(book.customers[0], FIRST + timedelta(days=5), 7777)])
    assert await opened(database, tenant, header) == before


async def test_the_chain_tells_what_was_altered(
    database: Database, tenant: UUID, book: evidence.Book, logins: Logins
) -> None:
    header = await sealed(database, tenant)
    superuser = await asyncpg.connect(dsn(logins.superuser))
    tampering = {
        "seals SET tier = 'QUICK'": "seals SET tier = 'STANDARD'",
        "sealed_days SET amount = amount + 1": "sealed_days SET amount = amount - 1",
        "sealed_days SET unrated = NULL": "sealed_days SET unrated = 0",
        "sealed_days mine SET unrated = NULL"
        " WHERE day = (SELECT min(day) FROM baseline.sealed_days WHERE tenant_id = mine.tenant_id)":
            "sealed_days SET unrated = 0",
        "sealed_customers SET is_treated = false": "sealed_customers SET is_treated = true",
        "sealed_newcomers SET customers = customers + 1": "sealed_newcomers SET customers = customers - 1",
        "sealed_links SET key = '\\x00' || key": "sealed_links SET key = substring(key FROM 2)",
        "seal_batches SET position = position + 10": "seal_batches SET position = position - 10",
    }  # fmt: skip
    try:
        for done, undone in tampering.items():
            await superuser.execute(f"UPDATE baseline.{done}")
            with pytest.raises(seal.SealBroken):
                await opened(database, tenant, header)
            await superuser.execute(f"UPDATE baseline.{undone}")
    finally:
        await superuser.close()
    await opened(database, tenant, header)


async def test_a_seal_says_what_waits_for_a_rate(database: Database, tenant: UUID, book: evidence.Book) -> None:
    """Sales of a day, by customer, and costs by category and week; neither is in any amount."""
    who, day = book.customers[0], FIRST + timedelta(days=10)
    await evidence.unrate(database, tenant, [(who, day)])
    await evidence.spend(database, tenant, ("SERVICE", LIVE - timedelta(days=10), 4, None, None),
                         ("SERVICE", LIVE - timedelta(days=1), 2, 800, None))  # fmt: skip
    parts = await opened(database, tenant, await sealed(database, tenant))
    did, costs = parts[SealedPart.DAYS], parts[SealedPart.COSTS]
    waiting = [place for place, unrated in enumerate(did["unrated"]) if unrated]
    place = parts[SealedPart.LINKS]["customer_id"].index(who)
    assert [(did["pseudonym"][at], did["day"][at], did["amount"][at], did["unrated"][at]) for at in waiting] == [
        (place, day, 0, 1)
    ]
    assert list(zip(costs["week"], costs["amount"], costs["unrated"], strict=True)) == [
        (LIVE - timedelta(days=14), 0, 1), (LIVE - timedelta(days=7), 400, 1),
    ]  # fmt: skip


async def test_a_seal_of_before_that_was_kept_still_holds(
    database: Database, tenant: UUID, book: evidence.Book, logins: Logins
) -> None:
    """What it does not say may wait: a purchase of nothing of which nobody knows what it left."""
    await evidence.unrate(database, tenant, [(book.customers[0], FIRST + timedelta(days=10))])
    await evidence.spend(database, tenant, ("SERVICE", LIVE - timedelta(days=1), 1, 800, None))
    header = await sealed(database, tenant)
    parts = await opened(database, tenant, header)
    older = {part: {name: rows for name, rows in of.items() if name != "unrated"} for part, of in parts.items()}
    chain = seal.chained(header, older)
    superuser = await asyncpg.connect(dsn(logins.superuser))
    try:
        for table in ("sealed_days", "sealed_costs"):
            await superuser.execute(f"UPDATE baseline.{table} SET unrated = NULL WHERE seal_id = $1", header.id)
        await superuser.executemany(
            "UPDATE baseline.seal_batches SET digest = $3, hash = $4 WHERE seal_id = $1 AND position = $2",
            [(header.id, link.position, link.digest, link.hash) for link in chain.links],
        )
        await superuser.execute("UPDATE baseline.seals SET head = $2 WHERE id = $1", header.id, chain.head)
    finally:
        await superuser.close()
    found = await opened(database, tenant, header)
    assert set(found[SealedPart.DAYS]["unrated"]) == set(found[SealedPart.COSTS]["unrated"]) == {None}
    window = reading.Window(header.first_day, LIVE, "UTC", paid_only=False)
    before = sealing.of_parts(found, window, LIVE)
    assert (before.unrated.sum(), before.weeks.unrated) == (1, {"SERVICE": frozenset()})


async def test_the_application_can_neither_change_nor_remove_a_seal(
    database: Database, tenant: UUID, book: evidence.Book
) -> None:
    await sealed(database, tenant)
    for deed in ("UPDATE baseline.sealed_days SET amount = 0", "DELETE FROM baseline.seals"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.unit_of_work(tenant) as work:
                await work.execute(text(deed))


async def test_erasing_a_customer_leaves_the_figures_and_nobody_behind_them(
    database: Database, tenant: UUID, book: evidence.Book, logins: Logins
) -> None:
    header = await sealed(database, tenant)
    before = await opened(database, tenant, header)
    erased = book.customers[3]
    async with (
        type(database)(str(logins.privacy), readers=1, writers=1, clock=database.clock, key=KEY) as eraser,
        eraser.unit_of_work(tenant) as work,
    ):
        request = await privacy.erase_customer(work, erased)
    assert {"table": "sealed_links", "deed": "emptied", "rows": 1} in request.steps

    after = await opened(database, tenant, header)
    place = before[SealedPart.LINKS]["customer_id"].index(erased)
    assert after[SealedPart.LINKS]["customer_id"][place] is None
    assert after[SealedPart.LINKS]["key"][place] is None
    assert {part: rows for part, rows in after.items() if part != SealedPart.LINKS} == {
        part: rows for part, rows in before.items() if part != SealedPart.LINKS
    }


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ({"go_live_on": date(2030, 1, 1)}, TooEarly),
        ({"go_live_on": FIRST}, NotEnoughData),
        ({"baseline_days": 101}, WindowBeforeData),
    ],
)
async def test_what_cannot_be_sealed_is_refused(
    database: Database, tenant: UUID, book: evidence.Book, unchanged: Unchanged, asked: dict[str, object],
    problem: type[Exception],
) -> None:  # fmt: skip
    made = await planned(database, tenant, **asked)
    async with unchanged():
        with pytest.raises(problem):
            async with database.unit_of_work(tenant) as work:
                await actions.seal_baseline(work, made)


@pytest.mark.parametrize(("robust", "flags"), [
    (False, []), (True, ["CEILING_RAISED"]),
])  # fmt: skip
async def test_a_ceiling_below_the_floor_is_raised_and_flagged_where_it_is_asked_for(
    database: Database, tenant: UUID, robust: bool, flags: list[str]
) -> None:
    """Nine buy twice on two days, one three times 25 days apart: the 95th percentile of gaps is 15 days."""
    book = evidence.Book()
    for _ in range(9):
        book.customer(*evidence.every(1, LIVE - timedelta(days=50), 2))
    book.customer(*evidence.every(25, LIVE - timedelta(days=55), 3), seen=FIRST)
    book.customer(FIRST)
    await evidence.write(database, tenant, book)
    header = await sealed(database, tenant, robust_ceiling=robust)
    assert header.waiting is not None
    assert (header.earliest_measurement_on, header.preliminary_begin_by) == (LIVE + timedelta(days=25),) * 2
    assert list(header.waiting["flags"]) == flags


async def test_nothing_is_sealed_where_nothing_is_known(database: Database, tenant: UUID, unchanged: Unchanged) -> None:
    made = await planned(database, tenant)
    async with unchanged():
        with pytest.raises(NotEnoughData) as refused:
            async with database.unit_of_work(tenant) as work:
                await actions.seal_baseline(work, made)
    assert refused.value.details == {"have": 0, "need": 2, "of": "days from the first purchase to go-live"}


@pytest.mark.parametrize(("chosen", "advised"), [((), 50), ((5, 8), 49)])
async def test_a_baseline_before_which_nobody_bought_is_refused_with_one_that_works(
    database: Database, tenant: UUID, book: evidence.Book, unchanged: Unchanged, chosen: tuple[int, ...], advised: int
) -> None:
    """The first purchases of all are 100 days before go-live, those of customers 5 and 8 are 98 days before it."""
    customers = [book.customers[number] for number in chosen]
    made = await planned(database, tenant, baseline_days=100, customer_ids=customers)
    async with unchanged():
        with pytest.raises(NotEnoughData, match=rf"Choose at most {advised} days\.") as refused:
            async with database.unit_of_work(tenant) as work:
                await actions.seal_baseline(work, made)
    needed = {"have": 0, "need": 1, "of": "customers who bought before the baseline begins"}
    assert refused.value.details == needed
    header = await sealed(database, tenant, baseline_days=advised, customer_ids=customers)
    assert header.treated == (len(chosen) or 21)


async def test_where_the_baseline_begins_before_everything_a_shorter_one_that_works_is_named(
    database: Database, tenant: UUID, book: evidence.Book
) -> None:
    with pytest.raises(WindowBeforeData, match=r"Choose at most 50 days\."):
        await sealed(database, tenant, baseline_days=400)


async def test_who_never_bought_before_go_live_is_nobody_to_compare(
    database: Database, tenant: UUID, book: evidence.Book
) -> None:
    with pytest.raises(NotEnoughData, match=r"Wait until they have bought for longer\."):
        await sealed(database, tenant, customer_ids=book.customers[21:])


async def test_where_nobody_bought_twice_there_is_no_date(database: Database, tenant: UUID) -> None:
    book = evidence.Book()
    for _ in range(3):
        book.customer(LIVE - timedelta(days=70))
    await evidence.write(database, tenant, book)
    header = await sealed(database, tenant)
    assert (header.waiting, header.earliest_measurement_on, header.preliminary_begin_by) == (None, None, None)
