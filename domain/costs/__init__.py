"""What customers cost: entries by category, and the share of each that falls on whom."""

from __future__ import annotations

from domain.costs.actions import NewCost, change_cost, delete_cost, record_cost
from domain.costs.queries import entry, per_customer, summary
from domain.costs.rules import AllocationRule, CostCategory
from domain.costs.settling import settle, settle_base_amounts, settle_entries

__all__ = [
    "AllocationRule",
    "CostCategory",
    "NewCost",
    "change_cost",
    "delete_cost",
    "entry",
    "per_customer",
    "record_cost",
    "settle",
    "settle_base_amounts",
    "settle_entries",
    "summary",
]
