"""What is published of the analysis of all purchases: the cut-offs by which anybody can be placed at once."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import TenantTable, one_of


class RfmMeasure(StrEnum):
    """What is scored from 1 to 5."""

    RECENCY = "RECENCY"
    FREQUENCY = "FREQUENCY"
    MONETARY = "MONETARY"


class RfmCutoff(TenantTable):
    """PJ: From which value on a customer has a score; who meets none of a measure's has score 1.

    A score that nobody has, because too many values are equal, has no row: the highest one that is met counts.
    """

    __tablename__ = "rfm_cutoffs"
    __table_args__ = (one_of("measure", RfmMeasure),)

    measure: Mapped[str] = mapped_column(primary_key=True, doc="What is scored.")
    score: Mapped[int] = mapped_column(primary_key=True, doc="The score, 2 to 5.")
    bound: Mapped[int] = mapped_column(
        doc="FREQUENCY (occasions) and MONETARY (minor units): the least value with the score; "
        "RECENCY (days since the last occasion): the greatest."
    )
    window_start: Mapped[date] = mapped_column(doc="The first day that counted.")
    window_end: Mapped[date] = mapped_column(doc="The first day that did not; recency is counted up to it.")
    customers: Mapped[int] = mapped_column(doc="How many customers were ranked.")
    published_at: Mapped[datetime] = mapped_column(doc="When these cut-offs were published.")


class RfmGroup(TenantTable):
    """PJ: A named group of customers: which scores of recency, and of frequency and amount together, it spans.

    The second score is the mean of those of frequency and amount, rounded up at the half. The groups cover every pair
    of scores and do not overlap.
    """

    __tablename__ = "rfm_groups"

    key: Mapped[str] = mapped_column(primary_key=True, doc="The name in segments and filters.")
    position: Mapped[int] = mapped_column(doc="Its place, the best first.")
    recency_from: Mapped[int] = mapped_column(doc="The least score of recency.")
    recency_to: Mapped[int] = mapped_column(doc="The greatest score of recency.")
    value_from: Mapped[int] = mapped_column(doc="The least score of frequency and amount together.")
    value_to: Mapped[int] = mapped_column(doc="The greatest score of frequency and amount together.")
    published_at: Mapped[datetime] = mapped_column(doc="When it was published.")
