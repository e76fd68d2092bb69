"""What customers bought."""

from __future__ import annotations

from domain.purchases.actions import (
    External,
    NewOrder,
    NewRefund,
    cancel_order,
    change_order,
    record_order,
    record_rate,
    record_refund,
)
from domain.purchases.catalogue import NewProduct, define_family, define_product
from domain.purchases.contracts import NewEvent
from domain.purchases.queries import OrderNotFound, customer_totals, order, order_totals
from domain.purchases.rules import NewLine, OrderTotals, RevenueView, Window
from domain.purchases.selling import NewContract, NewOpportunity, Version, record_contract, record_opportunity
from domain.purchases.settling import settle_base_amounts, settle_totals

__all__ = [
    "External",
    "NewContract",
    "NewEvent",
    "NewLine",
    "NewOpportunity",
    "NewOrder",
    "NewProduct",
    "NewRefund",
    "OrderNotFound",
    "OrderTotals",
    "RevenueView",
    "Version",
    "Window",
    "cancel_order",
    "change_order",
    "customer_totals",
    "define_family",
    "define_product",
    "order",
    "order_totals",
    "record_contract",
    "record_opportunity",
    "record_order",
    "record_rate",
    "record_refund",
    "settle_base_amounts",
    "settle_totals",
]
