"""Costs as tests record them, and the worker's part of sharing them."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol
from uuid import UUID

import pytest
from sqlalchemy import Uuid, bindparam, delete, select, text

from domain import costs
from domain.core.due import jobs
from domain.core.events import DueWork
from domain.costs import CostCategory, NewCost
from domain.costs.queries import by_day
from domain.costs.settling import SHARE, WEIGH
from sync.relay import Relay

if TYPE_CHECKING:
    from domain.core.database import Database

MAY, JUNE = date(2026, 5, 1), date(2026, 6, 1)


class Spend(Protocol):
    """Records a cost of May and returns its id."""

    async def __call__(self, amount: str, **says: Any) -> UUID: ...


class Borne(Protocol):
    """Does what is due, and tells who bears what of an entry, in minor units, by customer."""

    async def __call__(self, entry_id: UUID) -> dict[UUID, int]: ...


def may(**says: Any) -> NewCost:
    """A cost of May."""
    return NewCost(**{"category": CostCategory.SERVICE, "currency": "EUR", "starts_on": MAY, "ends_on": JUNE, **says})


@pytest.fixture
def spend(database: Database, tenant: UUID) -> Spend:
    async def record(amount: str, **says: Any) -> UUID:
        async with database.unit_of_work(tenant) as work:
            return (await costs.record_cost(work, may(amount=Decimal(amount), **says))).id

    return record


async def catch_up(database: Database, tenant: UUID) -> list[tuple[str, UUID]]:
    """Deliver what happened, then weigh and share what is due, now or soon; which entries these were."""
    await Relay(database).drain(tenant)
    due = select(DueWork.kind, DueWork.key).where(DueWork.tenant_id == tenant, DueWork.kind.in_([WEIGH, SHARE]))
    done = []
    async with database.unit_of_work(tenant) as work:
        for entry in await work.rows(due.order_by(DueWork.kind.desc(), DueWork.key)):
            await jobs.by_kind[entry.kind](work, entry.key)
            same = (DueWork.tenant_id == tenant, DueWork.kind == entry.kind, DueWork.key == entry.key)
            await work.execute(delete(DueWork).where(*same))
            done.append((entry.kind, UUID(entry.key)))
    return done


async def shares(database: Database, tenant: UUID, entry_id: UUID) -> dict[tuple[UUID, date], int]:
    """Who bears what of an entry on which day."""
    async with database.reading(tenant) as reading:
        rows = await reading.rows(_SHARES, {"tenant": tenant, "entry": entry_id})
    return {(row.customer_id, row.day): row.minor for row in rows}


_EVER = by_day("DATE '2000-01-01'", "DATE '2100-01-01'", "a.entry_id = :entry")
_SHARES = text(f"SELECT * FROM ({_EVER}) AS told WHERE minor <> 0").bindparams(
    bindparam("tenant", type_=Uuid()), bindparam("entry", type_=Uuid())
)


@pytest.fixture
def borne(database: Database, tenant: UUID) -> Borne:
    async def tell(entry_id: UUID) -> dict[UUID, int]:
        await catch_up(database, tenant)
        found: dict[UUID, int] = {}
        for (customer, _), minor in (await shares(database, tenant, entry_id)).items():
            found[customer] = found.get(customer, 0) + minor
        return found

    return tell


def noon(day: int, month: int = 5) -> datetime:
    """Noon of a day of 2026."""
    return datetime.fromisoformat(f"2026-{month:02}-{day:02}T12:00:00Z")
