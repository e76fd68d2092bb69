"""Purchases of a tenant, as the rollups leave them."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import insert

from domain.metrics.model import PurchaseDay

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from uuid import UUID

    from domain.core.database import Database

BEGIN = date(2026, 1, 1)


def day(number: int) -> date:
    return BEGIN + timedelta(number)


async def bought(database: Database, tenant: UUID, days: Mapping[UUID, Iterable[int | tuple[int, int | None]]]) -> None:
    """Rows of `purchase_days`: days counted from 1 January 2026, each worth 100 or the amount beside it.

    Without an amount (None) it waits for an exchange rate.
    """
    zeros = dict.fromkeys(
        ("cash_refunds", "adjusted", "units", "paid_units", "returned_units", "cost_of_goods", "uncosted"), 0
    )
    rows = [
        {
            "tenant_id": tenant, "customer_id": customer, "day": day(number), "orders": 1,
            "paid_orders": int(amount != 0), "gross": amount or 0, "net": amount or 0, "unrated": int(amount is None),
            **zeros,
        }
        for customer, numbers in days.items()
        for number, amount in (each if isinstance(each, tuple) else (each, 100) for each in numbers)
    ]  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        await work.execute(insert(PurchaseDay), rows)
