"""What customers bought."""

from __future__ import annotations

from domain.purchases.settling import settle_base_amounts, settle_totals

__all__ = ["settle_base_amounts", "settle_totals"]
