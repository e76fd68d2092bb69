"""Landing: what an import costs a second of CPU and in memory, and what landing alone costs beside a plain COPY."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench import cluster, generate, imports
from bench.cluster import SERVER
from bench.generate import Size
from bench.report import Report, Verdict
from domain.core.database import Database, dsn_of
from domain.core.ids import new_id
from domain.tenants import actions as tenants
from sync import runs
from sync.land import land
from tenure_sdk import Account, Interaction, Page, Ref, Stream

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from bench.cluster import Cluster
    from bench.imports import Import
    from bench.options import Options
    from bench.report import Cell
    from sync.runs import Counts

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
        alone = [await _round_alone(postgres, number) for number in range(ROUNDS)]
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


@dataclass(frozen=True)
class Alone:
    """One round: seconds of CPU of both processes to copy the rows, to land the records, and to land them again."""

    copy: float
    first: float
    again: float


async def _round_alone(postgres: Cluster, number: int) -> Alone:
    """Land pages of interactions, land them again, and COPY the very rows that they became into a twin table.

    Raises RuntimeError when the second landing changes something.
    """
    await postgres.create(_ALONE)
    pages = [_page(start) for start in range(0, RECORDS, PAGE)]
    async with Database(dsn_of(postgres.address(_ALONE, SERVER))) as database:
        tenant_id = await tenants.create_tenant(database, tenants.NewTenant(f"alone-{number}", "Landing alone"))
        first, landed = await _landed(postgres, database, tenant_id, pages)
        again, unchanged = await _landed(postgres, database, tenant_id, pages)
    if (landed.created, unchanged.unchanged) != (RECORDS, RECORDS):
        raise RuntimeError(f"Landing again changed something: {landed}, then {unchanged}.")
    return Alone(await _copied(postgres), first, again)


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


async def _landed(postgres: Cluster, database: Database, tenant_id: UUID, pages: list[Page]) -> tuple[float, Counts]:
    async with database.unit_of_work(tenant_id) as work:
        integration = await runs.enabled(work, "bench", Account("1", "Bench"))
        opened = await runs.begin(work, integration, _STREAM, mode="FULL", resume=False)
    used = time.process_time() + postgres.cpu()
    for page in pages:
        async with database.unit_of_work(tenant_id) as work:
            await land(work, opened, page)
    used = time.process_time() + postgres.cpu() - used
    async with database.unit_of_work(tenant_id) as work:
        await runs.finish(work, opened)
    return used, opened.counts


async def _copied(postgres: Cluster) -> float:
    """Seconds of CPU to COPY the rows that landing made, as the superuser, in pages and transactions of its size."""
    connection = await postgres.connect(_ALONE)
    await connection.execute(f"CREATE TABLE {_TWIN} (LIKE interactions INCLUDING ALL)")
    pages = [await _written(connection, start) for start in range(0, RECORDS, PAGE)]
    used = time.process_time() + postgres.cpu()
    for page in pages:
        await connection.copy_to_table(_TWIN, source=_once(page))
    used = time.process_time() + postgres.cpu() - used
    copied = await connection.fetchval(f"SELECT count(*) FROM {_TWIN}")
    await connection.close()
    if copied != RECORDS:
        raise RuntimeError(f"{copied} rows were copied instead of {RECORDS}.")
    return used


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


def _report(imported: dict[Usage, list[Import]], alone: list[Alone]) -> Report:
    rows: list[list[Cell]] = []
    verdicts: list[Verdict] = []
    for (database, size), taken in imported.items():
        figures = [_median(taken, name) for name in ("by_importer", "by_both", "megabytes")]
        rows.append([f"import {size}, {database} database", *figures])
        if size == "once":
            verdicts += [
                Verdict(f"lines for each CPU second of the importer ({database})", figures[0], at_least=BY_IMPORTER),
                Verdict(f"lines for each CPU second of both ({database})", figures[1], at_least=BY_BOTH),
                Verdict(f"megabytes at the peak ({database})", figures[2], at_most=MEGABYTES),
            ]
    if imported:
        once = _median(imported["fresh", "once"], "megabytes")
        growth = _median(imported["fresh", f"{TIMES} times"], "megabytes") / once
        verdicts.append(Verdict(f"memory at {TIMES} times the input, to that at once", growth, at_most=GROWTH))
    copy, first, again = (_median(alone, name) for name in ("copy", "first", "again"))
    rows += [
        [what, None, RECORDS / used, None]
        for what, used in (("plain COPY", copy), ("landing alone", first), ("landing alone, again", again))
    ]
    verdicts += [
        Verdict("landing alone, to a plain COPY of the same rows", _ratio(alone, "copy", "first"), at_least=TO_COPY),
        Verdict("landing the same again, to the first time", _ratio(alone, "first", "again"), at_least=AGAIN),
    ]
    return Report(
        name="landing",
        title="Landing",
        columns=["", "rows/s of the importer's CPU", "rows/s of its and PostgreSQL's CPU", "peak MB"],
        rows=rows,
        verdicts=verdicts,
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
                "Landing alone begins with records in memory, makes their customers and settles them. COPY writes the "
                "rows that came of it, as the superuser, into a table with the same columns, checks and indexes, "
                "without walls "
                "and foreign keys, page by page. The second landing changed no row."
            ),
        ],
    )


def _ratio(taken: list[Alone], of: str, to: str) -> float:
    return float(statistics.median(getattr(each, of) / getattr(each, to) for each in taken))


def _median(taken: list[Any], figure: str) -> float:
    return float(statistics.median(getattr(each, figure) for each in taken))
