"""A tenant with purchases that a test makes up: written as the rollups would write them, many at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from sqlalchemy import Uuid, bindparam, text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.core.database import Database

TODAY = date(2026, 7, 1)


@dataclass
class Book:
    """Customers with the days on which they bought, and for how much."""

    customers: list[UUID] = field(default_factory=list)
    seen: dict[UUID, date] = field(default_factory=dict)
    days: list[tuple[UUID, date, int]] = field(default_factory=list)

    def customer(self, *bought: date, amount: int = 1000, seen: date | None = None) -> UUID:
        """A customer who bought on these days."""
        made = uuid4()
        self.customers.append(made)
        self.seen[made] = seen or min(bought, default=TODAY)
        self.days += [(made, day, amount) for day in bought]
        return made


async def write(database: Database, tenant: UUID, book: Book) -> None:
    """Put a book into a tenant."""
    people = [{"id": str(one), "seen": book.seen[one].isoformat()} for one in book.customers]
    await _insert(database, tenant, _CUSTOMERS, people)
    await add_days(database, tenant, book.days)


async def add_days(database: Database, tenant: UUID, days: Iterable[tuple[UUID, date, int]]) -> None:
    rows = [{"customer_id": str(of), "day": day.isoformat(), "amount": amount} for of, day, amount in days]
    await _insert(database, tenant, _DAYS, rows)


async def unrate(database: Database, tenant: UUID, days: Iterable[tuple[UUID, date]]) -> None:
    """Have what was bought on these days wait for an exchange rate."""
    await _insert(database, tenant, _UNRATE, [{"customer_id": str(of), "day": day.isoformat()} for of, day in days])


async def spend(database: Database, tenant: UUID, *costs: tuple[str, date, int, int | None, UUID | None]) -> None:
    """Record costs: category, first day, days, minor units (None: it waits for a rate) and for which initiative."""
    rows: list[dict[str, object]] = [
        {"id": str(uuid4()), "category": category, "starts_on": first.isoformat(), "minor": minor,
         "ends_on": (first + timedelta(days=days)).isoformat(), "initiative_id": initiative and str(initiative)}
        for category, first, days, minor, initiative in costs
    ]  # fmt: skip
    await _insert(database, tenant, _COSTS, rows)


def every(step: int, first: date, count: int) -> list[date]:
    """So many days, each so many after the one before."""
    return [first + timedelta(days=step * place) for place in range(count)]


async def _insert(database: Database, tenant: UUID, sql: str, rows: list[dict[str, object]]) -> None:
    async with database.unit_of_work(tenant) as work:
        statement = text(sql).bindparams(bindparam("tenant", type_=Uuid()))
        await work.execute(statement, {"tenant": tenant, "rows": json.dumps(rows)})


_CUSTOMERS = """
    INSERT INTO customers (tenant_id, id, kind, status, root_id, member_ids, first_seen_at, created_at, updated_at)
    SELECT :tenant, id, 'PERSON', 'ACTIVE', id, ARRAY[id], seen + time '12:00', now(), now()
    FROM json_to_recordset(CAST(:rows AS json)) AS given (id uuid, seen date)
"""
_DAYS = """
    INSERT INTO purchase_days (tenant_id, customer_id, day, orders, paid_orders, gross, net, cash_refunds, adjusted,
        units, paid_units, returned_units, cost_of_goods, uncosted, unrated)
    SELECT :tenant, customer_id, day, 1, CASE WHEN amount > 0 THEN 1 ELSE 0 END, amount, amount, 0, 0, 1,
        CASE WHEN amount > 0 THEN 1 ELSE 0 END, 0, amount / 2, 0, 0
    FROM json_to_recordset(CAST(:rows AS json)) AS given (customer_id uuid, day date, amount bigint)
"""
_UNRATE = """
    UPDATE purchase_days d SET net = 0, gross = 0, cost_of_goods = 0, uncosted = 1, unrated = 1
    FROM json_to_recordset(CAST(:rows AS json)) AS given (customer_id uuid, day date)
    WHERE d.tenant_id = :tenant AND d.customer_id = given.customer_id AND d.day = given.day
"""
_COSTS = """
    INSERT INTO cost_entries (tenant_id, id, version, category, starts_on, ends_on, currency, amount, base_amount,
        base_currency, initiative_id, recorded_at, content_hash)
    SELECT :tenant, id, 1, category, starts_on, ends_on, 'USD', 1, minor, CASE WHEN minor IS NOT NULL THEN 'EUR' END,
        initiative_id, now(), ''
    FROM json_to_recordset(CAST(:rows AS json)) AS given
        (id uuid, category text, starts_on date, ends_on date, minor bigint, initiative_id uuid)
"""
