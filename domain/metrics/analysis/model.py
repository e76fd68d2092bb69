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
    """PJ: From which value on a customer has a score; the highest one that is met counts, and 1 where none is.

    A score that nobody has, because too many values are equal, has no row.
    """

    __tablename__ = "rfm_cutoffs"
    __table_args__ = (one_of("measure", RfmMeasure),)

    measure: Mapped[str] = mapped_column(primary_key=True, doc="What is scored.")
    score: Mapped[int] = mapped_column(primary_key=True, doc="The score, 1 to 5.")
    bound: Mapped[int] = mapped_column(
        doc="FREQUENCY (occasions) and MONETARY (minor units): the least value with the score; "
        "RECENCY (days since the last occasion): the greatest."
    )
    window_start: Mapped[date] = mapped_column(doc="The first day that counted.")
    window_end: Mapped[date] = mapped_column(doc="The first day that did not; recency is counted up to it.")
    customers: Mapped[int] = mapped_column(doc="How many customers were ranked by this measure.")
    published_at: Mapped[datetime] = mapped_column(doc="When these cut-offs were published.")
