"""Money, shares and lengths of time, in plain Python."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING, Any

from domain.core.money import minor_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.api.differential.tables import Row


def money(minor: int | None, currency: str | None) -> Row | None:
    if minor is None or currency is None:
        return None
    places = minor_units(currency)
    return {"amount": f"{Decimal(minor).scaleb(-places):.{places}f}", "currency": currency}


def within(window: Mapping[str, Any], day: date) -> bool:
    start, end = window.get("start"), window.get("end")
    return (start is None or day >= start) and (end is None or day < end)


def added_up(parts: dict[str, list[tuple[Row, int | None]]], into: str) -> Row:
    missing = any(minor is None for found in parts.values() for _, minor in found)
    sums = {kind: None if missing else sum(minor or 0 for _, minor in found) for kind, found in parts.items()}
    sales = parts["SALE"]
    gross, refunded, adjusted = sums["SALE"], sums["REFUND"], sums["ADJUSTMENT"]
    average = None
    if gross is not None and sales:
        average = int((Decimal(gross) / len(sales)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    times = [row["occurred_at"] for row, _ in sales]
    return {
        "orders": len(sales), "refunds": len(parts["REFUND"]), "adjustments": len(parts["ADJUSTMENT"]),
        "gross": money(gross, into), "refunded": money(refunded, into), "adjusted": money(adjusted, into),
        "net": None if missing else money(gross - refunded + adjusted, into),  # type: ignore[operator]
        "average": money(average, into), "first_at": min(times, default=None), "last_at": max(times, default=None),
        "missing": "NO_RATE" if missing else None if sales else "NO_ORDERS",
    }  # fmt: skip


def round_half_up(value: Decimal, places: int) -> Decimal:
    """A share as it is shown."""
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def per_day(length: timedelta | None) -> Decimal | None:
    """How often something that takes so long happens in a day."""
    if not length:
        return None
    return round_half_up(Decimal(86_400_000_000) / (length // timedelta(microseconds=1)), 6)


def whole_seconds(length: timedelta | None) -> int | None:
    return None if length is None else length // timedelta(seconds=1)
