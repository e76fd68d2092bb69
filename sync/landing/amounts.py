"""Amounts of money that records state: whole minor units, or the reason why they cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from domain.core.money import currencies
from sync.landing import cells, lines
from tenure_sdk import Record, Reject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from decimal import Decimal

Stating = TypeVar("Stating", bound=Record)


def known() -> cells.Cells:
    """The cells of amounts by (amount, currency); one of None is null."""
    return cells.Cells(lambda pair: cells.NULL if pair[0] is None else lines.minor(*pair))


def sound(
    records: Sequence[Stating],
    stated: Callable[[Stating], Iterable[tuple[str, Decimal | None, str]]],
    amounts: cells.Cells,
) -> tuple[Sequence[Stating], list[Reject]]:
    """The records whose amounts can be kept, and why the others cannot; `stated` gives (field, amount, currency)."""
    for record in records:
        for _, amount, currency in stated(record):
            amounts[amount, currency]
    if not amounts.unfit:
        return records, []
    rejects = [reject for record in records if (reject := _reject(record, stated(record), amounts))]
    refused = {reject.record_id for reject in rejects}
    return [record for record in records if record.id not in refused], rejects


def _reject(record: Record, stated: Iterable[tuple[str, Decimal | None, str]], amounts: cells.Cells) -> Reject | None:
    for field, amount, currency in stated:
        cell = amounts[amount, currency]
        if isinstance(cell, cells.Unfit):
            named = currency in currencies()
            return Reject(
                None, field if named else "currency", str(amount) if named else currency, str(cell), record.id
            )
    return None
