"""Landing: what an import costs a second of CPU and in memory, and what landing alone costs beside a plain COPY.

Landing alone is `sync.land.merge` of a page of records of one type that are in memory, in a transaction of its own
with its commit: the records are written as COPY reads them, copied into a temporary table, compared with what is
known, the customers whom they mention are found or made, and the rows written into the walled table, into all its
indexes, under its checks. What follows for the customers (totals, stages) and for the run (events, cursor) is left
out: that is not landing of rows, and the import is measured with it.

The plain COPY writes the very rows that this made, as the superuser, into a twin table with the same columns, checks
and indexes, without walls and foreign keys, in pages and transactions of the same size. The ratio is that of rows a
second, by the clock and by the CPU of both processes. The variants add or take away one promise each: its price.
"""

from __future__ import annotations

import gc
import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from bench import cluster, generate, imports
from bench.cluster import SERVER
from bench.generate import Size
from bench.report import Report, Verdict
from domain.core.database import Database, dsn_of
from domain.core.ids import new_id
from domain.tenants import actions as tenants
from sync import runs
from sync.land import merge
from sync.runs import Counts
from tenure_sdk import Account, Interaction, Page, Ref, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path
    from uuid import UUID

    from bench.cluster import Cluster
    from bench.imports import Import
    from bench.options import Options
    from bench.report import Cell

ROUNDS = 3
TIMES = 10
BY_IMPORTER, BY_BOTH, MEGABYTES, GROWTH = 25_000, 8_000, 300, 1.1
TO_COPY, AGAIN = 0.5, 1.6

RECORDS, CUSTOMERS, PAGE = 100_000, 500, 10_000
_FRESH, _ALONE = "landing_fresh", "landing_alone"
_MOST_USED = 20_000
_STREAM = Stream("visits", (Interaction,), cursor=None, deletes="inline", depends_on=())
_TWIN = "twin_of_interactions"

Usage = tuple[str, str]
"""The database and the size of the input."""


async def run(options: Options) -> Report:
    """Import Online Retail into empty tenants of a fresh and of a used database, and land pages beside COPY."""
    # A cluster of its own: nothing else may run in it while its seconds are counted.
    home = options.data / "landing"
    with cluster.running(home) as postgres:
        imported = await _imports(postgres, options, home) if imports.FILE.exists() else {}
        alone = await _variants(postgres)
    return _report(imported, alone)


# A file


async def _imports(postgres: Cluster, options: Options, home: Path) -> dict[Usage, list[Import]]:
    used = await generate.generated(postgres, Size(min(options.size.customers, _MOST_USED)), print)
    taken: dict[Usage, list[Import]] = {("fresh", "once"): [], ("used", "once"): []}
    for _ in range(ROUNDS):
        await postgres.create(_FRESH)
        taken["fresh", "once"].append(await _imported(postgres, _FRESH, imports.FILE, home))
        taken["used", "once"].append(await _imported(postgres, used, imports.FILE, home))
    await postgres.create(_FRESH)
    larger = imports.enlarged(home, TIMES)
    taken["fresh", f"{TIMES} times"] = [await _imported(postgres, _FRESH, larger, home)]
    return taken


async def _imported(postgres: Cluster, database: str, file: Path, home: Path) -> Import:
    slug = f"retail-{new_id().hex[:16]}"
    await imports.open_tenant(postgres, database, slug)
    return imports.measured(postgres, database, slug, file, home)


# Landing alone


class Cost(NamedTuple):
    """Seconds by the clock, and of CPU of both processes."""

    wall: float
    cpu: float


_AS_IT_IS = "as it is"
_VARIANTS = {
    _AS_IT_IS: "",
    "with a foreign key": (
        "ALTER TABLE interactions ADD FOREIGN KEY (tenant_id, customer_id) REFERENCES customers (tenant_id, id)"
    ),
    "without row-level security": "ALTER TABLE interactions DISABLE ROW LEVEL SECURITY",
    "without its indexes but the keys": "DROP INDEX interactions_latest_idx, interactions_occurred_at_idx",
    "without waiting for the disk": f"ALTER ROLE {SERVER} SET synchronous_commit = off",
}
"""What is added to the promises or taken away from them, one at a time."""


@dataclass(frozen=True)
class Alone:
    """One round: what it cost to copy the rows, to land the records, and to land them again."""

    copy: Cost
    first: Cost
    again: Cost


async def _variants(postgres: Cluster) -> dict[str, list[Alone]]:
    taken: dict[str, list[Alone]] = {name: [] for name in _VARIANTS}
    for _ in range(ROUNDS):
        for name, change in _VARIANTS.items():
            taken[name].append(await _round_alone(postgres, change))
    return taken


async def _round_alone(postgres: Cluster, change: str) -> Alone:
    """Land pages of interactions, land them again, and COPY the very rows that they became into a twin table.

    Raises RuntimeError when the second landing changes something.
    """
    await postgres.create(_ALONE)
    connection = await postgres.connect(_ALONE)
    await connection.execute(f"CREATE TABLE {_TWIN} (LIKE interactions INCLUDING ALL)")
    if change:
        await connection.execute(change)
    pages = [_page(start) for start in range(0, RECORDS, PAGE)]
    async with Database(dsn_of(postgres.address(_ALONE, SERVER))) as database:
        tenant_id = await tenants.create_tenant(database, tenants.NewTenant("alone", "Landing alone"))
        first, landed = await _landed(postgres, database, tenant_id, pages)
        again, unchanged = await _landed(postgres, database, tenant_id, pages)
    if (landed.created, unchanged.unchanged) != (RECORDS, RECORDS):
        raise RuntimeError(f"Landing again changed something: {landed}, then {unchanged}.")
    copied = await _copied(postgres, connection)
    await connection.execute(f"ALTER ROLE {SERVER} RESET ALL")
    await connection.close()
    return Alone(copied, first, again)


def _page(start: int) -> Page:
    begin = datetime(2025, 1, 1, tzinfo=UTC)
    return Page(
        records=[
            Interaction(
                id=f"visit-{number}",
                kind="VISIT",
                channel="WEB",
                direction="INBOUND",
                occurred_at=begin + timedelta(minutes=number),
                customer=Ref("customer", f"customer-{number % CUSTOMERS}"),
                summary=f"Looked at page {number % 1_000}",
            )
            for number in range(start, start + PAGE)
        ]
    )


async def _landed(postgres: Cluster, database: Database, tenant_id: UUID, pages: list[Page]) -> tuple[Cost, Counts]:
    async with database.unit_of_work(tenant_id) as work:
        integration = await runs.enabled(work, "bench", Account("1", "Bench"))
        opened = await runs.begin(work, integration, _STREAM, mode="FULL", resume=False)
    found = Counts()
    watch = _Watch(postgres)
    for page in pages:
        async with database.unit_of_work(tenant_id) as work:
            found += (await merge(work, opened, page)).counts
    cost = watch.read()
    async with database.unit_of_work(tenant_id) as work:
        await runs.finish(work, opened)
    return cost, found


async def _copied(postgres: Cluster, connection: Any) -> Cost:
    """What it costs to COPY the rows that landing made, as the superuser, in pages and transactions of its size."""
    pages = [await _written(connection, start) for start in range(0, RECORDS, PAGE)]
    watch = _Watch(postgres)
    for page in pages:
        await connection.copy_to_table(_TWIN, source=_once(page))
    cost = watch.read()
    copied = await connection.fetchval(f"SELECT count(*) FROM {_TWIN}")
    if copied != RECORDS:
        raise RuntimeError(f"{copied} rows were copied instead of {RECORDS}.")
    return cost


class _Watch:
    """What has been used since it was made."""

    def __init__(self, postgres: Cluster) -> None:
        self._postgres = postgres
        gc.collect()  # what was made before is nobody's cost
        self._began = self._used()

    def read(self) -> Cost:
        return Cost(*(now - then for now, then in zip(self._used(), self._began, strict=True)))

    def _used(self) -> Cost:
        return Cost(time.perf_counter(), time.process_time() + self._postgres.cpu())


async def _written(connection: Any, start: int) -> bytes:
    """Rows of the table in the text format of COPY."""
    parts: list[bytes] = []

    async def keep(part: bytes) -> None:
        parts.append(bytes(part))

    rows = f"SELECT * FROM interactions ORDER BY id LIMIT {PAGE} OFFSET {start}"
    await connection.copy_from_query(rows, output=keep)
    return b"".join(parts)


async def _once(page: bytes) -> Any:
    yield page


# The report


def _report(imported: dict[Usage, list[Import]], alone: dict[str, list[Alone]]) -> Report:
    rows = [_import_row(usage, taken) for usage, taken in imported.items()]
    kept = alone[_AS_IT_IS]
    for what, figure in (("plain COPY", "copy"), ("landing alone", "first"), ("landing alone, again", "again")):
        rows.append([what, *_speeds(kept, figure), None, _ratio(kept, "copy", figure).cpu])
    for name, taken in alone.items():
        if name != _AS_IT_IS:
            rows.append([f"landing alone {name}", *_speeds(taken, "first"), None, _ratio(taken, "copy", "first").cpu])
    return Report(
        name="landing",
        title="Landing",
        columns=["", "rows/s of the importer's CPU", "of its and PostgreSQL's", "by the clock", "peak MB", "to COPY"],
        rows=rows,
        verdicts=[*_import_verdicts(imported), *_alone_verdicts(kept)],
        conditions={
            "input": f"UCI Online Retail, {imports.LINES:,} lines" if imported else "Online Retail is not there",
            "rounds": f"{ROUNDS}, interleaved; medians; the larger input once",
            "landing alone": f"{RECORDS:,} visits of {CUSTOMERS} customers, pages of {PAGE:,}",
        },
        notes=[
            (
                "Seconds are of CPU, so that what else a machine does counts less. PostgreSQL's are those of all its "
                "processes. The file's import is the command `tenure import`, start and end included; the tenant is "
                "empty and has a lifecycle. The larger input has invoices and customers of its own for each time."
            ),
            (
                "Landing alone is a page of records in memory that becomes rows in one transaction: written as COPY "
                "reads them, staged, compared with what is known, their customers found or made, and merged into the "
                "walled table; without the settling of its customers. COPY writes the rows that came of it, as the "
                "superuser, into a table with the same columns, checks and indexes, without walls and foreign keys, "
                "page by page. The second landing changed no row."
            ),
        ],
    )


def _import_row(usage: Usage, taken: list[Import]) -> list[Cell]:
    database, size = usage
    speeds = _median(each.by_importer for each in taken), _median(each.by_both for each in taken)
    return [f"import {size}, {database} database", *speeds, None, _median(each.megabytes for each in taken), None]


def _import_verdicts(imported: dict[Usage, list[Import]]) -> Iterator[Verdict]:
    peaks = {usage: _median(each.megabytes for each in taken) for usage, taken in imported.items()}
    for (database, size), taken in imported.items():
        if size == "once":
            by_importer, by_both = (
                _median(getattr(each, name) for each in taken) for name in ("by_importer", "by_both")
            )
            yield Verdict(f"lines for each CPU second of the importer ({database})", by_importer, at_least=BY_IMPORTER)
            yield Verdict(f"lines for each CPU second of both ({database})", by_both, at_least=BY_BOTH)
            yield Verdict(f"megabytes at the peak ({database})", peaks[database, size], at_most=MEGABYTES)
    if imported:
        growth = peaks["fresh", f"{TIMES} times"] / peaks["fresh", "once"]
        yield Verdict(f"memory at {TIMES} times the input, to that at once", growth, at_most=GROWTH)


def _alone_verdicts(taken: list[Alone]) -> Iterator[Verdict]:
    to_copy, again = _ratio(taken, "copy", "first"), _ratio(taken, "first", "again")
    for name, by in (("cpu", "CPU"), ("wall", "clock")):
        what = f"landing alone, to a plain COPY of the same rows, by the {by}"
        yield Verdict(what, getattr(to_copy, name), at_least=TO_COPY)
        yield Verdict(f"landing the same again, to the first time, by the {by}", getattr(again, name), at_least=AGAIN)


def _speeds(taken: list[Alone], figure: str) -> list[Cell]:
    costs: list[Cost] = [getattr(each, figure) for each in taken]
    return [None, RECORDS / _median(cost.cpu for cost in costs), RECORDS / _median(cost.wall for cost in costs)]


def _ratio(taken: list[Alone], of: str, to: str) -> Cost:
    """How many times one cost the other is, in each measure."""
    rounds: list[tuple[Cost, Cost]] = [(getattr(each, of), getattr(each, to)) for each in taken]
    return Cost(
        _median(one.wall / other.wall for one, other in rounds), _median(one.cpu / other.cpu for one, other in rounds)
    )


def _median(figures: Iterable[float]) -> float:
    return float(statistics.median(figures))
