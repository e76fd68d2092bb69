"""What an objective is: a statement, the figures that tell whether it is reached, and whether it is pursued."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import Entity, one_of
from domain.metrics.objectives.rules import MOST_ACTIVE, ObjectiveStatus


class Objective(Entity):
    """CF: What the business wants to reach; each active one takes one of three places."""

    __tablename__ = "objectives"
    __table_args__ = (
        one_of("status", ObjectiveStatus),
        CheckConstraint(f"place BETWEEN 1 AND {MOST_ACTIVE}", name="place"),
        CheckConstraint("(status = 'ACTIVE') = (place IS NOT NULL)", name="active"),
        Index("objectives_place_key", "tenant_id", "place", unique=True, postgresql_where=text("place IS NOT NULL")),
    )

    statement: Mapped[str] = mapped_column(doc="What is to be reached, in words.")
    status: Mapped[str] = mapped_column(doc="Whether it is pursued.")
    place: Mapped[int | None] = mapped_column(doc="Its place among the active ones; no two share one.")
    due_on: Mapped[date | None] = mapped_column(doc="The day by which it is to be reached.")
    kpis: Mapped[list[dict[str, Any]]] = mapped_column(doc="The figures that tell, with their targets.")
    created_at: Mapped[datetime] = mapped_column(doc="When it was made here.")
    updated_at: Mapped[datetime] = mapped_column(doc="When it last changed here.")
    version: Mapped[int] = mapped_column(server_default=text("1"), doc="Counts the changes; guards against lost ones.")
