"""What follows from a page for the customers that it touched: in the page's own transaction, set by set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.purchases import settling as purchases

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing


async def touched(work: Writing, customers: Sequence[UUID]) -> None:
    """Bring everything that is derived of these customers up to date."""
    await purchases.settle_totals(work, customers)


async def money(work: Writing) -> None:
    """Convert what waited for an exchange rate, or came in a foreign currency."""
    await purchases.settle_base_amounts(work)
