"""What filters mean, in plain Python: what is not known to hold does not hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from operator import eq, ge, le, lt
from typing import TYPE_CHECKING, Any

from tests.api.differential import spending
from tests.api.differential.things import read_id

if TYPE_CHECKING:
    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row

Condition = Callable[["Naive", Any, "Row"], bool]


def _text(column: str) -> Condition:
    def holds(_: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        value = row[column]
        tests = {
            "eq": lambda wanted: value == wanted,
            "in": lambda wanted: value in wanted,
            "contains": lambda wanted: value is not None and wanted in value,
            "startsWith": lambda wanted: value is not None and value.startswith(wanted),
            "isNull": lambda wanted: (value is None) == wanted,
        }
        return all(tests[name](wanted) for name, wanted in asked.items() if wanted is not None)

    return holds


def _time(column: str) -> Condition:
    def holds(_: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        value = row[column]
        tests = {
            "gte": lambda wanted: value is not None and value >= wanted,
            "lt": lambda wanted: value is not None and value < wanted,
            "isNull": lambda wanted: (value is None) == wanted,
        }
        return all(tests[name](wanted) for name, wanted in asked.items() if wanted is not None)

    return holds


def _same_id(column: str, prefix: str) -> Condition:
    def holds(_: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        wanted = [read_id(asked["eq"], prefix)] if asked.get("eq") is not None else None
        among = [read_id(each, prefix) for each in asked["in"]] if asked.get("in") is not None else None
        return all(ids is None or row[column] in ids for ids in (wanted, among))

    return holds


def _same_customer(column: str) -> Condition:
    def root(naive: Naive, id_: Any) -> Any:
        return (naive.customer(id_) or {}).get("id")

    def holds(naive: Naive, asked: Mapping[str, Any], row: Row) -> bool:
        mine = root(naive, row[column])
        wanted = [read_id(asked["eq"], "cus")] if asked.get("eq") is not None else None
        among = [read_id(each, "cus") for each in asked["in"]] if asked.get("in") is not None else None
        return all(ids is None or (mine and mine in {root(naive, each) for each in ids}) for ids in (wanted, among))

    return holds


def _in_department(naive: Naive, asked: Mapping[str, Any], row: Row) -> bool:
    return _same_id("department", "dep")(naive, asked, {"department": spending.department_of(naive, row)})


_DOCUMENT: dict[str, Condition] = {
    "customer": _same_customer("customer_id"),
    "hasCustomer": lambda _, asked, row: (row["customer_id"] is not None) == asked,
    "number": _text("number"),
    "occurredAt": _time("occurred_at"),
    "currency": _text("currency"),
    "integration": _same_id("integration_id", "ing"),
}
CONDITIONS: dict[str, dict[str, Condition]] = {
    "CustomerFilter": {
        "id": _same_customer("id"),
        "kind": _text("kind"),
        "displayName": _text("display_name"),
        "country": _text("country"),
        "firstSeenAt": _time("first_seen_at"),
        "firstPurchaseAt": _time("first_purchase_at"),
        "lastPurchaseAt": _time("last_purchase_at"),
        "updatedAt": _time("updated_at"),
        "stage": lambda naive, asked, row: any(
            stay["customer_id"] == row["id"] and stay["is_current"] and naive.fits("StageFilter", asked, stay)
            for stay in naive.tables.rows["stage_intervals"]
        ),
        "organisation": lambda naive, asked, row: (
            (found := naive.customer(row["organisation_id"])) is not None and naive.fits("CustomerFilter", asked, found)
        ),
        "orders": lambda naive, asked, row: any(
            order["customer_id"] in row["member_ids"] and naive.fits("OrderFilter", asked, order)
            for order in naive.current("orders", "Order")
        ),
        "interactions": lambda naive, asked, row: naive.has_interactions(asked, row),
        "attribute": lambda naive, asked, row: naive.has_attribute(asked, row),
        "segment": lambda naive, asked, row: all(
            any(
                (member["segment_id"], member["customer_id"]) == (read_id(one, "seg"), row["id"])
                for one in ([wanted] if operator == "eq" else wanted)
                for member in naive.tables.rows["segment_members"]
            )
            for operator, wanted in asked.items()
            if wanted is not None
        ),
        "department": _in_department,
        "metric": lambda naive, asked, row: any(
            (each["key"], each["customer_id"]) == (asked["key"], row["id"])
            and (asked.get("gte") is None or each["value"] >= asked["gte"])
            and (asked.get("lte") is None or each["value"] <= asked["lte"])
            for each in naive.tables.rows["metric_values"]
        ),
    },
    "CostFilter": {
        "category": _text("category"),
        "startsOn": _time("starts_on"),
        "endsOn": _time("ends_on"),
        "rule": _text("rule"),
        "customer": _same_customer("customer_id"),
        "campaignKey": _text("campaign_key"),
        "caseKey": _text("case_key"),
        "department": _same_id("department_id", "dep"),
        "initiative": _same_id("initiative_id", "ini"),
        "integration": _same_id("integration_id", "ing"),
        "isShared": lambda _, asked, row: (row["allocated_at"] is not None) == asked,
    },
    "StageFilter": {
        "lifecycle": lambda _, asked, row: row["lifecycle_key"] == asked,
        "key": _text("stage_key"),
        "enteredAt": _time("entered_at"),
    },
    "InteractionFilter": {
        "kind": _text("kind"),
        "channel": _text("channel"),
        "direction": _text("direction"),
        "occurredAt": _time("occurred_at"),
        "recordedAt": _time("recorded_at"),
        "integration": _same_id("integration_id", "ing"),
        "machineSuspected": lambda _, asked, row: row["machine_suspected"] == asked,
    },
    "OrderFilter": {**_DOCUMENT, "kind": _text("kind"), "status": _text("status"), "channel": _text("channel")},
    "RefundFilter": _DOCUMENT,
    "InvoiceFilter": {
        **{name: condition for name, condition in _DOCUMENT.items() if name != "occurredAt"},
        "issuedAt": _time("occurred_at"),
        "dueOn": _time("due_on"),
        "status": _text("status"),
    },
    "PaymentFilter": {**_DOCUMENT, "status": _text("status"), "method": _text("method")},
    "CreditNoteFilter": _DOCUMENT,
    "ContractFilter": {
        **{name: condition for name, condition in _DOCUMENT.items() if name != "occurredAt"},
        "startedAt": _time("occurred_at"),
        "status": _text("status"),
        "plan": _text("plan"),
        "termEndsOn": _time("term_ends_on"),
        "endedOn": _time("ended_on"),
    },
    "OpportunityFilter": {
        **{name: condition for name, condition in _DOCUMENT.items() if name != "occurredAt"},
        "openedAt": _time("opened_at"),
        "status": _text("status"),
        "stage": _text("stage"),
        "closedOn": _time("closed_on"),
        "expectedCloseOn": _time("expected_close_on"),
    },
    "IntegrationFilter": {
        "id": _same_id("id", "ing"),
        "connector": _text("connector"),
        "account": _text("account"),
        "label": _text("label"),
        "state": _text("state"),
    },
    "ProductFilter": {"sku": _text("sku"), "name": _text("name")},
}


def fits_value(row: Row, name: str, wanted: Any) -> bool:
    """Whether the value of an attribute is what a field of AttributeFilter asks."""
    if wanted is None:
        return True
    kind, operator = re.fullmatch("([a-z]+)(Gte|Lte|Lt|)", name).groups()  # type: ignore[union-attr]
    value = row["integer_value" if kind == "decimal" else f"{kind}_value"]
    if value is None:
        return False
    if kind == "decimal":
        value = Decimal(value) / 1_000_000
    return bool(_COMPARE[operator](value, wanted))


_COMPARE = {"Gte": ge, "Lte": le, "Lt": lt, "": eq}
