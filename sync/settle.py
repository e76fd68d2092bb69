"""What follows from a page for the customers that it touched: in the page's own transaction, set by set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.customers import refresh_heads, settle_identities
from domain.purchases import settling as purchases
from domain.stages import settling as stages

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Writing

PORTION = 1_000
"""How many customers are settled at once: it bounds the memory, however many a page touches."""


async def customers(work: Writing, described: Sequence[UUID], touched: Sequence[UUID]) -> None:
    """Bring everything up to date that is derived of customers.

    `described` are those of whom something new is said: who they are is settled. All who were `touched` get their
    totals and their stages.
    """
    for portion in _portions(described):
        await refresh_heads(work, portion)
        await settle_identities(work, portion)
    for portion in _portions(touched):
        await purchases.settle_totals(work, portion)
        await stages.settle(work, portion)


async def money(work: Writing) -> None:
    """Convert what waited for an exchange rate, or came in a foreign currency."""
    await purchases.settle_base_amounts(work)


def _portions(customers: Sequence[UUID]) -> Iterator[Sequence[UUID]]:
    return (customers[start : start + PORTION] for start in range(0, len(customers), PORTION))
