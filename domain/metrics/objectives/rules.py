"""What objectives decide: how many there may be at a time, and what a KPI is."""

from __future__ import annotations

from enum import StrEnum

MOST_ACTIVE = 3
"""How many objectives a business can pursue at a time."""


class ObjectiveStatus(StrEnum):
    """Whether an objective is pursued."""

    ACTIVE = "ACTIVE"
    REACHED = "REACHED"
    DROPPED = "DROPPED"


class Direction(StrEnum):
    """On which side of its target a KPI shall be."""

    AT_LEAST = "AT_LEAST"
    AT_MOST = "AT_MOST"
