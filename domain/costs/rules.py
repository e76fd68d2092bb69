"""What costs decide: which categories and rules there are, and how an amount is shared without losing a cent."""

from __future__ import annotations

from enum import StrEnum


class CostCategory(StrEnum):
    """What money was spent for."""

    ACQUISITION_MARKETING = "ACQUISITION_MARKETING"
    ACQUISITION_SALES = "ACQUISITION_SALES"
    RETENTION_MARKETING = "RETENTION_MARKETING"
    RETENTION_SALES = "RETENTION_SALES"
    SERVICE = "SERVICE"
    INITIATIVE = "INITIATIVE"
    COGS = "COGS"


class AllocationRule(StrEnum):
    """How a cost is shared among customers."""

    EQUAL = "EQUAL"
    BY_TOUCH = "BY_TOUCH"
    BY_REVENUE = "BY_REVENUE"
    BY_TIME = "BY_TIME"
