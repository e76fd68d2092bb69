"""Resolvers of what was spent and who bears it, of departments, and of what is pursued."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from domain.customers.folding import mask_text
from tests.api.differential.amounts import money, within

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""
    of = naive.tables
    on(
        "Query",
        costs=lambda _, **asked: naive.page("Cost", naive.current("cost_entries", "Cost"), asked),
        costTotals=lambda _, **asked: _totals(naive, asked.get("window") or {}),
        departments=lambda _, **asked: naive.page(
            "Department", naive.typed("Department", of.all("departments")), asked
        ),
        objectives=lambda _, **asked: naive.page("Objective", naive.typed("Objective", of.all("objectives")), asked),
    )
    on(
        "Cost",
        description=lambda row: naive.masked(mask_text, row["description"]),
        deletedAt=lambda row: row["superseded_at"],
        sharedAt=lambda row: row["allocated_at"],
        total=lambda row: money(row["amount"], row["currency"]),
        baseTotal=lambda row: money(row["base_amount"], row["base_currency"]),
        allocated=lambda row: money(row["allocated_amount"], row["base_currency"]),
        unallocated=lambda row: (
            None if row["allocated_amount"] is None
            else money(row["base_amount"] - row["allocated_amount"], row["base_currency"])
        ),
        customer=lambda row: naive.customer(row["customer_id"]),
        department=lambda row: naive.exactly("departments", row["department_id"], "Department"),
        initiative=lambda row: naive.exactly("initiatives", row["initiative_id"], "Initiative"),
        source=lambda row: row["integration_id"] and {**row, "type": "cost"},
        shares=lambda row, **asked: naive.page(
            "CostShare", _shares(naive, lambda one: one["entry_id"] == row["id"]), asked
        ),
    )  # fmt: skip
    on(
        "CostShare",
        amount=lambda row: money(row["amount_base"], _entry(naive, row)["base_currency"]),
        customer=lambda row: naive.customer(row["customer_id"]),
        cost=lambda row: _entry(naive, row),
    )
    on(
        "Customer",
        costs=lambda row, **asked: naive.page(
            "CostShare", _shares(naive, lambda one: one["customer_id"] in row["member_ids"]), asked
        ),
        department=lambda row: naive.exactly("departments", department_of(naive, row), "Department"),
        departments=lambda row, **asked: naive.page(
            "DepartmentMembership", naive.members("department_members", row, type_="DepartmentMembership"), asked
        ),
    )
    on(
        "DepartmentMembership",
        department=lambda row: naive.exactly("departments", row["department_id"], "Department"),
        since=lambda row: row["valid_from"],
        until=lambda row: row["valid_to"],
    )
    on("Kpi", dueOn=lambda row: row["dueOn"])


def latest(naive: Naive, id_: UUID) -> Row | None:
    """A cost in its latest version, also when it was deleted."""
    versions = naive.typed("Cost", naive.tables.all("cost_entries", lambda row: row["id"] == id_))
    return max(versions, key=lambda row: row["version"], default=None)


def department_of(naive: Naive, customer: Row) -> UUID | None:
    """The department that looks after a customer now: of several members', the one that began last."""
    held = [row for row in naive.members("department_members", customer) if row["valid_to"] is None]
    found = max(held, key=lambda row: (row["valid_from"], row["id"]), default=None)
    return found and found["department_id"]


def _shares(naive: Naive, fits: Callable[[Row], bool]) -> list[Row]:
    return naive.typed("CostShare", naive.tables.all("cost_allocations", fits))


def _entry(naive: Naive, share: Row) -> Row:
    return next(row for row in naive.current("cost_entries", "Cost") if row["id"] == share["entry_id"])


def _totals(naive: Naive, window: Mapping[str, Any]) -> list[Row]:
    """By category, what counts on some days: on the first of a cost, or evenly on all where it is shared by time."""
    found: dict[str, list[Row]] = {}
    for entry in naive.current("cost_entries", "Cost"):
        days = [entry["starts_on"] + timedelta(days=number) for number in range(_length(entry))]
        if any(within(window, day) for day in days):
            found.setdefault(entry["category"], []).append({**entry, "days": days})
    return [_total(naive, category, found[category], window) for category in sorted(found)]


def _length(entry: Row) -> int:
    return int((entry["ends_on"] - entry["starts_on"]).days)


def _total(naive: Naive, category: str, entries: list[Row], window: Mapping[str, Any]) -> Row:
    currency = naive.tenant()["base_currency"]
    unrated = any(entry["base_amount"] is None for entry in entries)
    spent = 0 if unrated else sum(_counted(entry, window) for entry in entries)
    borne = sum(
        share["amount_base"] for entry in entries
        for share in _shares(naive, lambda one, _id=entry["id"]: one["entry_id"] == _id)
        if within(window, share["day"])
    )  # fmt: skip
    return {
        "category": category,
        "spent": None if unrated else money(spent, currency),
        "allocated": None if unrated else money(borne, currency),
        "unallocated": None if unrated else money(spent - borne, currency),
        "missing": "NO_RATE" if unrated else None,
    }


def _counted(entry: Row, window: Mapping[str, Any]) -> int:
    amount, days = entry["base_amount"], entry["days"]
    if entry["rule"] != "BY_TIME":
        return int(amount) if within(window, days[0]) else 0
    whole, odd = divmod(abs(amount), len(days))
    sign = -1 if amount < 0 else 1
    return sign * sum(whole + (number < odd) for number, day in enumerate(days) if within(window, day))
