"""What the demo's business spends on winning, keeping and serving its customers, each amount with its date."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypeAlias

from cli.business import catalogue, laws
from tenure_sdk import Case, Cost, Interaction

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cli.business.diary import Diary

Category: TypeAlias = Literal["ACQUISITION_MARKETING", "ACQUISITION_SALES", "RETENTION_MARKETING", "RETENTION_SALES"]
_WEEK = timedelta(days=7)
_GROWS = 0.1
"""By which part everything becomes dearer in a year."""
_WEEKLY: dict[Category, tuple[str, float]] = {
    "ACQUISITION_MARKETING": ("Search advertising", 0.085),
    "ACQUISITION_SALES": ("Tastings and first calls", 0.05),
    "RETENTION_MARKETING": ("Letters and loyalty points", 0.035),
    "RETENTION_SALES": ("Account manager", 0.08),
}
"""What is spent in the first weeks, in euros for each of the customers there will be."""
_CASE = 2.3
"""The logarithm of what the time for a case typically costs (10 euros)."""


def weekly(count: int, until: datetime) -> Iterator[Cost]:
    """What winning and keeping so many customers cost in each week up to now."""
    for week in range(laws.SPAN // _WEEK):
        start = until - laws.SPAN + week * _WEEK
        for category, (what, each) in _WEEKLY.items():
            dearer = (1 + _GROWS * (week * _WEEK / laws.YEAR)) * laws.dice("spent", category, week).lognormvariate(
                0, 0.1
            )
            yield Cost(
                id=f"W{week:03}-{category}", category=category, description=what, amount=_euros(count * each * dearer),
                currency=catalogue.BASE, starts_on=start.date(), ends_on=(start + _WEEK).date(),
            )  # fmt: skip


def of_cases(diary: Diary) -> Iterator[Cost]:
    """What serving a customer cost: the time for each case that was resolved."""
    for record in diary.records:
        if isinstance(record, Interaction) and record.kind == "CASE_RESOLVED" and isinstance(record.payload, Case):
            case = record.payload.case
            yield Cost(
                id=f"{case}-TIME", category="SERVICE", description="Time for a case", currency=catalogue.BASE,
                amount=_euros(laws.dice("case", case).lognormvariate(_CASE, 0.4)), starts_on=record.occurred_at.date(),
                customer=diary.whose, case=case,
            )  # fmt: skip


def _euros(amount: float) -> Decimal:
    return Decimal(f"{amount:.2f}")
