"""What opportunities decide: which statements about a sale that may come about fit together."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.core.problems import Invalid
from domain.purchases import rules

if TYPE_CHECKING:
    from datetime import datetime
    from decimal import Decimal


class OpportunityStatus(StrEnum):
    """How far a possible sale has come."""

    OPEN = "OPEN"
    WON = "WON"
    LOST = "LOST"


class ClosingUnclear(Invalid):
    """An opportunity that was won or lost was closed at a moment, an open one was not. Correct status or moment."""


class ClosedBeforeOpened(Invalid):
    """An opportunity cannot be closed before it was opened."""


class AmountIncomplete(Invalid):
    """An amount comes with its currency. Give both or neither."""


class ProbabilityOutOfRange(Invalid):
    """A probability lies between 0 and 1."""


@dataclass(frozen=True)
class Prospect:
    """What an opportunity may bring, in minor units, and how likely that is; None where nobody says."""

    amount: int | None
    probability: Decimal | None


def check_closing(status: OpportunityStatus, opened_at: datetime, closed_at: datetime | None) -> None:
    """Who is won or lost was closed, after it was opened. Raises ClosingUnclear or ClosedBeforeOpened."""
    if (closed_at is None) != (status == OpportunityStatus.OPEN):
        raise ClosingUnclear(path=("closedAt",), status=status)
    if closed_at is not None and closed_at < opened_at:
        raise ClosedBeforeOpened(path=("closedAt",))


def prospect(amount: Decimal | None, currency: str | None, probability: Decimal | None) -> Prospect:
    """What an opportunity may bring, as it is kept.

    Raises AmountIncomplete, ProbabilityOutOfRange, NegativeAmount or what `rules.to_money` and `rules.to_numeric` do.
    """
    if (amount is None) != (currency is None):
        raise AmountIncomplete(path=("amount",))
    minor = None if amount is None or currency is None else rules.to_money(amount, currency, "amount")
    if minor is not None:
        rules.check_not_negative(minor, "amount")
    likely = None if probability is None else rules.to_numeric(probability, "probability")
    if likely is not None and not 0 <= likely <= 1:
        raise ProbabilityOutOfRange(path=("probability",))
    return Prospect(minor, likely)
