"""Settling: what a page of 1,000 records costs in a tenant ten times larger than another, in buffers and in time.

Both tenants lie in one database and are alike but for their size. In each round both get a page of new orders, each of
another customer, picked at random; then the days and the segments of those customers are settled, in turns. The
buffers are those of EXPLAIN (ANALYZE, BUFFERS) of the very statements, run before in a transaction that is taken back.
Beside it, without a promise: how long it takes to work a new segment out for everybody.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from bench import cluster
from bench.cluster import SERVER
from bench.report import Report, Verdict
from domain.core.database import Database, driver_connection, dsn_of
from domain.metrics import settling as metrics
from domain.metrics.rollups import ACTIVITIES, PURCHASES, activity_days, purchase_days
from domain.segments import actions
from domain.segments import settling as segments
from domain.segments.criteria import DaysSince, Interactions, LifeSpan, Not, Occasions, Since, Spent
from domain.tenants import actions as tenants

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
    from uuid import UUID

    from bench.options import Options
    from bench.report import Cell
    from domain.core.unit_of_work import Writing
    from domain.segments.criteria import Criteria

    Settle = Callable[[Writing, Sequence[UUID]], Awaitable[object]]

ROUNDS = 9
TIMES = 10
PAGE = 1_000
GROWTH = 1.3
_DATABASE = "settling"

CRITERIA: Mapping[str, Criteria] = {
    "repeat": Occasions(gte=2),
    "lately": Occasions(gte=1, within_days=10),
    "quiet": Not(of=Interactions(kinds=("CALL",), gte=1)),
    "rich": Spent(gte=Decimal(15)),
    "long": LifeSpan(gte=5),
    "asleep": DaysSince(what=Since.LAST_PURCHASE, gte=8),
}
"""The segments of both tenants."""

SETTLING: Mapping[str, Settle] = {"metrics": metrics.roll_up, "segments": segments.settle}
"""What is settled, in its order."""


@dataclass(frozen=True)
class Shop:
    """A tenant with many customers, and what its segments took to be worked out for all of them."""

    id: UUID
    customers: int
    published: Mapping[str, float]


class Taken(NamedTuple):
    """What settling took: seconds by the clock, and buffers that were read."""

    seconds: Mapping[str, float]
    buffers: Mapping[str, int]


async def run(options: Options) -> Report:
    """Settle page after page in both tenants, in turns."""
    with cluster.running(options.data / "settling") as postgres:
        await postgres.create(_DATABASE)
        connection = await postgres.connect(_DATABASE)
        async with Database(dsn_of(postgres.address(_DATABASE, SERVER))) as database:
            sizes = max(options.size.customers // TIMES, PAGE), max(options.size.customers, TIMES * PAGE)
            shops = [await opened(connection, database, size) for size in sizes]
            await connection.execute("VACUUM ANALYZE")
            taken: dict[int, list[Taken]] = {size: [] for size in sizes}
            for _ in range(ROUNDS):
                for shop in shops:
                    taken[shop.customers].append(await settled(connection, database, shop))
        await connection.close()
    return _report(shops, taken)


# Two tenants


async def opened(connection: Any, database: Database, size: int) -> Shop:
    """A tenant with so many customers, their days and the segments; `connection` is the superuser's."""
    tenant_id = await tenants.create_tenant(database, tenants.NewTenant(f"tenant-{size}", f"{size} customers"))
    await fill(connection, tenant_id, size)
    published: dict[str, float] = {}
    for key, criteria in CRITERIA.items():
        began = time.perf_counter()
        async with database.unit_of_work(tenant_id) as work:
            segment = await actions.create(work, key, {"en": key}, criteria)
            await segments.run(work, segment.id)
        published[key] = time.perf_counter() - began
    return Shop(tenant_id, size, published)


async def fill(connection: Any, tenant_id: UUID, size: int) -> None:
    """Give a tenant so many customers, each with three orders and three visits, past the walls."""
    await connection.execute(_CUSTOMERS, tenant_id, size)
    for statement in (_ORDERS, _INTERACTIONS, *_DAYS):
        await connection.execute(statement, tenant_id)
    await connection.execute("ANALYZE customers, orders, interactions, refunds, purchase_days, activity_days")


_CUSTOMERS = """
INSERT INTO customers (tenant_id, id, kind, status, root_id, member_ids, first_seen_at, first_purchase_at,
    last_purchase_at, created_at, updated_at)
SELECT $1, id, 'PERSON', 'ACTIVE', id, ARRAY[id], at, at, at + INTERVAL '18 days', at, at
FROM (
    SELECT gen_random_uuid() AS id, date_trunc('day', now()) - (100 + i % 200) * INTERVAL '1 day' AS at
    FROM generate_series(1, $2::int) AS i
) AS made
"""

_ORDERS = """
INSERT INTO orders (tenant_id, id, version, customer_id, kind, status, occurred_at, local_day, recorded_at, currency,
    amount, base_amount, base_currency, units, line_count, content_hash)
SELECT $1, gen_random_uuid(), 1, c.id, 'SALE', 'COMPLETED', bought.at, bought.at::date, bought.at, 'EUR', 1000, 1000,
    'EUR', 1, 0, ''
FROM customers c
CROSS JOIN LATERAL (
    SELECT c.first_purchase_at + place * INTERVAL '9 days' AS at FROM generate_series(0, 2) AS place
) AS bought
WHERE c.tenant_id = $1
ORDER BY bought.at, random()
"""

_INTERACTIONS = """
INSERT INTO interactions (tenant_id, id, revision, customer_id, kind, family, occurred_at, recorded_at, stream,
    remote_id)
SELECT $1, made.id, 1, made.customer_id, 'VISIT', 'VISIT', made.at, made.at, 'visits', made.id::text
FROM (
    SELECT gen_random_uuid() AS id, c.id AS customer_id, c.first_seen_at + place * INTERVAL '4 days' AS at
    FROM customers c CROSS JOIN generate_series(0, 2) AS place
    WHERE c.tenant_id = $1
) AS made
ORDER BY made.at, random()
"""


def _rolled_up(table: str, columns: Sequence[str], days: str) -> str:
    listed = ", ".join(columns)
    sql = f"INSERT INTO {table} (tenant_id, customer_id, day, {listed}) SELECT $1, made.* FROM ({days}) AS made"
    return sql.replace(":tenant", "$1").replace(":zone", "'UTC'")


_DAYS = (
    _rolled_up("purchase_days", PURCHASES, purchase_days(whose="true")),
    _rolled_up("activity_days", ACTIVITIES, activity_days(whose="true")),
)


# A page


async def settled(connection: Any, database: Database, shop: Shop) -> Taken:
    """Give a tenant a page of orders, and settle whom it touches: once to look at the buffers, once by the clock.

    Then the page is taken away again: in the smaller tenant it would soon be most of what there is.
    """
    page = await paged(connection, shop)
    touched = sorted(row["customer_id"] for row in page)
    buffers = await read(database, shop.id, touched)
    seconds: dict[str, float] = {}
    async with database.unit_of_work(shop.id) as work:
        for what, settle in SETTLING.items():
            began = time.perf_counter()
            await settle(work, touched)
            seconds[what] = time.perf_counter() - began
    await connection.execute(_NO_PAGE, shop.id, [row["id"] for row in page])
    async with database.unit_of_work(shop.id) as work:
        for settle in SETTLING.values():
            await settle(work, touched)
    return Taken(seconds, buffers)


async def paged(connection: Any, shop: Shop) -> Sequence[Mapping[str, UUID]]:
    """Give a tenant a page of orders, each of another customer: their ids and customers."""
    found: Sequence[Mapping[str, UUID]] = await connection.fetch(_PAGE_OF_ORDERS, shop.id, PAGE)
    return found


_PAGE_OF_ORDERS = """
INSERT INTO orders (tenant_id, id, version, customer_id, kind, status, occurred_at, local_day, recorded_at, currency,
    amount, base_amount, base_currency, units, line_count, content_hash)
SELECT $1, gen_random_uuid(), 1, c.id, 'SALE', 'COMPLETED', now(), now()::date, now(), 'EUR', 1000, 1000, 'EUR', 1, 0,
    ''
FROM (SELECT id FROM customers WHERE tenant_id = $1 ORDER BY random() LIMIT $2) AS c
RETURNING id, customer_id
"""

_NO_PAGE = "DELETE FROM orders WHERE tenant_id = $1 AND id = ANY($2)"


async def read(database: Database, tenant_id: UUID, touched: Sequence[UUID]) -> dict[str, int]:
    """How many buffers settling these customers reads, by what is settled; nothing is kept."""
    said: dict[str, list[tuple[str, Any]]] = {}
    async with _taken_back(database, tenant_id) as work:
        bare = await driver_connection(await work.connection())
        for what, settle in SETTLING.items():
            async with _heard(bare) as said[what]:
                await settle(work, touched)
    async with _taken_back(database, tenant_id) as work:
        bare = await driver_connection(await work.connection())
        return {what: sum([await _explained(bare, *each) for each in heard]) for what, heard in said.items()}


@asynccontextmanager
async def _taken_back(database: Database, tenant_id: UUID) -> AsyncIterator[Writing]:
    with suppress(_TakenBack):
        async with database.unit_of_work(tenant_id) as work:
            yield work
            raise _TakenBack


class _TakenBack(Exception):
    """Ends a transaction of which nothing is to be kept."""


@asynccontextmanager
async def _heard(connection: Any) -> AsyncIterator[list[tuple[str, Any]]]:
    """The statements that are run in the meantime and read or write rows, with their values."""
    said: list[tuple[str, Any]] = []

    def hear(run: Any) -> None:
        if run.query.lstrip().startswith(_READING):
            said.append((run.query, run.args))

    with connection.query_logger(hear):
        yield said
    await asyncio.sleep(0)  # the driver tells of a statement a little later


_READING = ("WITH", "SELECT", "INSERT", "UPDATE", "DELETE")


async def _explained(connection: Any, statement: str, values: Any) -> int:
    """The buffers that a statement reads; it is run for that."""
    said = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", *values)
    (top,) = orjson.loads(said) if isinstance(said, str | bytes) else said
    return int(top["Plan"]["Shared Hit Blocks"] + top["Plan"]["Shared Read Blocks"])


# The report


def _report(shops: Sequence[Shop], taken: Mapping[int, Sequence[Taken]]) -> Report:
    small, large = shops
    rows: list[list[Cell]] = []
    grown: dict[str, float] = {}
    for measure, unit in (("buffers", 1), ("seconds", 1_000)):
        by_size = {size: {what: unit * _median(getattr(each, measure)[what] for each in of) for what in SETTLING}
                   for size, of in taken.items()}  # fmt: skip
        for what in SETTLING:
            one, other = (by_size[shop.customers][what] for shop in shops)
            name = "milliseconds" if measure == "seconds" else measure
            rows.append([f"{name} of {what}", one, other, other / one])
            grown[f"{what}, in {measure if measure == 'buffers' else 'time'}"] = other / one
    rows += [[f"seconds to publish {key!r} anew", small.published[key], large.published[key], None] for key in CRITERIA]
    return Report(
        name="settling",
        title="Settling a page",
        columns=["", f"{small.customers:,} customers", f"{large.customers:,} customers", "ratio"],
        rows=rows,
        verdicts=[
            Verdict(f"a tenant {TIMES} times larger, to the other: {what}", ratio, at_most=GROWTH)
            for what, ratio in grown.items()
        ],
        conditions={
            "page": f"{PAGE:,} orders of as many customers, picked at random",
            "rounds": f"{ROUNDS}, in turns; medians",
            "tenants": "3 orders and 3 visits of each customer to begin with; in one database",
            "segments": ", ".join(CRITERIA),
        },
    )


def _median(figures: Iterable[float]) -> float:
    return float(statistics.median(figures))
