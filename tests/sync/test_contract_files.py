"""A file of contracts comes in, comes in again without a change, and is told anew when more has happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from sync import imports, registry
from sync.runs import Counts

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from sync.imports import Imported

FILES = registry.load().connector("files")
MAPPING = """
source = "crm"
[file]
format = "csv"
[record]
type = "contract"
id = ["no"]
[fields]
number = "no"
customer = "who"
currency = { constant = "EUR" }
kind = "what"
occurred_at = "on"
mrr = "mrr"
product = "sku"
"""
LINES = [
    "no,who,what,on,mrr,sku", "1,a,start,2024-05-01,10,CRM", "2,b,start,2024-05-02,20,CRM",
    "1,a,upgrade,2024-06-01,15,", "3,a,renew,2024-06-01,5,CRM",
]  # fmt: skip


async def bring(database: Database, tenant: UUID, folder: Path, lines: list[str], *, dry_run: bool = False) -> Imported:
    (folder / "contracts.csv").write_text("\n".join(lines))
    (folder / "mapping.toml").write_text(MAPPING)
    given = {"file": str(folder / "contracts.csv"), "mapping": str(folder / "mapping.toml")}
    return await imports.run(database, tenant, FILES, given, dry_run=dry_run, rejects_file=folder / "rejects.csv")


async def test_a_file_of_contracts(database: Database, tenant: UUID, tmp_path: Path) -> None:
    async def contracts() -> list[tuple[object, ...]]:
        statement = text(
            "SELECT number, version, status, amount, event_count FROM contracts WHERE superseded_at IS NULL"
        )
        async with database.reading(tenant) as reading:
            return sorted(tuple(row) for row in await reading.rows(statement))

    tried = await bring(database, tenant, tmp_path, LINES, dry_run=True)
    assert (tried.counts, await contracts()) == (Counts(read=3, created=2, rejected=1), [])
    assert (await bring(database, tenant, tmp_path, LINES)).counts == Counts(read=3, created=2, rejected=1)
    assert await contracts() == [("1", 1, "ACTIVE", 1500, 2), ("2", 1, "ACTIVE", 2000, 1)]
    refused = "A contract begins with a START. Give its first event, too."
    assert (tmp_path / "rejects.csv").read_text().splitlines()[1:] == [f'5,3,events.0,,"{refused}"']
    ended = [*LINES[:4], "2,b,cancel,2024-07-01,,"]
    assert (await bring(database, tenant, tmp_path, ended)).counts == Counts(read=2, updated=1, unchanged=1)
    assert await contracts() == [("1", 1, "ACTIVE", 1500, 2), ("2", 2, "ENDED", 0, 2)]
