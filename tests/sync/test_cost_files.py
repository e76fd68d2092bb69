"""A file of costs comes in, waits for its rates, is shared, corrected, and comes in again without a change."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from domain import costs, purchases
from domain.core.due import jobs
from domain.costs import CostCategory, settling
from domain.costs.queries import Summary
from sync import imports, registry
from sync.runs import Counts

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database

FILES = registry.load().connector("files")
PEOPLE_MAPPING = """
source = "ledger"
[file]
format = "csv"
[record]
type = "customer"
id = ["id"]
[fields]
name = "name"
department = "department"
updated_at = "since"
"""
COSTS_MAPPING = """
source = "ledger"
[file]
format = "csv"
[record]
type = "cost"
id = ["no"]
[fields]
category = "category"
amount = "amount"
currency = "currency"
starts_on = "from"
ends_on = "to"
customer = "who"
department = "department"
rule = "rule"
"""
PEOPLE = [
    "id,name,department,since", "a,Ada,south,2024-01-01", "b,Bea,south,2024-01-01", "c,Cora,north,2024-01-01",
]  # fmt: skip
HEAD = "no,category,amount,currency,from,to,who,department,rule"
COSTS = [
    "1,SERVICE,12.50,EUR,2024-05-01,2024-06-01,a,,",
    "2,SERVICE,10.01,EUR,2024-05-01,2024-06-01,,south,EQUAL",
    "3,RETENTION_MARKETING,100,USD,2024-05-01,2024-06-01,b,,",
    "4,COGS,7,EUR,2024-05-01,2024-05-02,,,",
    "5,LUCK,7,EUR,2024-05-01,2024-05-02,,,",
]
MAY, JUNE = date(2024, 5, 1), date(2024, 6, 1)


class Ledger:
    """A tenant with files of customers and of costs."""

    def __init__(self, database: Database, tenant: UUID, directory: Path) -> None:
        self.database, self.tenant, self.directory = database, tenant, directory

    async def bring(self, name: str, mapping: str, lines: list[str]) -> Counts:
        file, told = self.directory / f"{name}.csv", self.directory / f"{name}.toml"
        file.write_text("".join(f"{line}\n" for line in lines))
        told.write_text(mapping)
        config = {"file": str(file), "mapping": str(told)}
        return (await imports.run(self.database, self.tenant, FILES, config)).counts

    async def rows(self, statement: str) -> list[tuple[Any, ...]]:
        async with self.database.reading(self.tenant) as reading:
            found = await reading.rows(text(statement.replace("$t", f"tenant_id = '{self.tenant}'")))
        return [tuple(row) for row in found]

    async def work(self) -> None:
        """Weigh and share what is due."""
        due = await self.rows("SELECT kind, key FROM directory.due_work WHERE $t AND kind ^@ 'costs.' ORDER BY 1 DESC")
        async with self.database.unit_of_work(self.tenant) as work:
            for kind, key in due:
                await jobs.by_kind[kind](work, key)

    async def borne(self) -> list[tuple[Any, ...]]:
        return await self.rows(
            """SELECT c.display_name, e.remote_id, a.day, a.amount_base FROM cost_allocations a
            JOIN customers c ON c.tenant_id = a.tenant_id AND c.id = a.customer_id
            JOIN cost_entries e ON e.tenant_id = a.tenant_id AND e.id = a.entry_id AND e.superseded_at IS NULL
            WHERE a.$t ORDER BY 1, 2"""
        )


@pytest.fixture
async def ledger(database: Database, tenant: UUID, tmp_path: Path) -> Ledger:
    made = Ledger(database, tenant, tmp_path)
    assert await made.bring("people", PEOPLE_MAPPING, PEOPLE) == Counts(read=3, created=3)
    return made


async def test_a_file_of_costs_comes_in_and_is_shared_to_the_cent(ledger: Ledger) -> None:
    assert await ledger.bring("costs", COSTS_MAPPING, [HEAD, *COSTS]) == Counts(read=5, created=4, rejected=1)
    assert await ledger.rows("SELECT remote_id, field FROM dead_letters WHERE $t") == [("5", "category")]
    await ledger.work()
    assert await ledger.borne() == [("Ada", "1", MAY, 1250), ("Ada", "2", MAY, 501), ("Bea", "2", MAY, 500)]
    async with ledger.database.reading(ledger.tenant) as reading:
        assert await costs.summary(reading, MAY, JUNE) == {
            CostCategory.SERVICE: Summary(2251, 2251, 0, 0),
            CostCategory.RETENTION_MARKETING: Summary(0, 0, 0, 1),
            CostCategory.COGS: Summary(700, 0, 700, 0),
        }


async def test_what_waited_for_a_rate_is_shared_when_it_comes(ledger: Ledger) -> None:
    await ledger.bring("costs", COSTS_MAPPING, [HEAD, COSTS[2]])
    async with ledger.database.unit_of_work(ledger.tenant) as work:
        await purchases.record_rate(work, MAY, "USD", "EUR", Decimal("0.9"))
        await settling.settle_base_amounts(work)
    await ledger.work()
    assert await ledger.borne() == [("Bea", "3", MAY, 9000)]


async def test_the_same_file_again_changes_nothing_and_a_corrected_line_one_cost(ledger: Ledger) -> None:
    await ledger.bring("costs", COSTS_MAPPING, [HEAD, *COSTS[:2]])
    await ledger.work()
    again = await ledger.bring("costs", COSTS_MAPPING, [HEAD, *COSTS[:2]])
    assert again == Counts(read=2, unchanged=2)
    corrected = [HEAD, COSTS[0].replace("12.50", "-2.50"), COSTS[1]]
    assert await ledger.bring("corrected", COSTS_MAPPING, corrected) == Counts(read=2, updated=1, unchanged=1)
    await ledger.work()
    assert await ledger.borne() == [("Ada", "1", MAY, -250), ("Ada", "2", MAY, 501), ("Bea", "2", MAY, 500)]
