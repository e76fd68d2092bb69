"""Resolvers of what was agreed with customers, and of what may come about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.differential.amounts import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row

_LISTS = {"contracts": "Contract", "opportunities": "Opportunity"}


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""

    def page(table: str, asked: Row, whose: Row | None = None) -> Row:
        found = naive.current(table, _LISTS[table])
        return naive.page(
            _LISTS[table], [row for row in found if whose is None or row["customer_id"] in whose["member_ids"]], asked
        )

    on("Query", **{table: lambda _, _table=table, **asked: page(_table, asked) for table in _LISTS})
    on("Customer", **{table: lambda row, _table=table, **asked: page(_table, asked, row) for table in _LISTS})
    for record, type_ in (("contract", "Contract"), ("opportunity", "Opportunity")):
        on(
            type_,
            customer=lambda row: naive.customer(row["customer_id"]),
            source=lambda row, _record=record: row["integration_id"] and {**row, "type": _record},
        )
    on(
        "Contract",
        startedAt=lambda row: row["occurred_at"],
        mrr=lambda row: money(row["amount"], row["currency"]),
        baseMrr=lambda row: money(row["base_amount"], row["base_currency"]),
        events=lambda row, **asked: naive.page("ContractEvent", _events(naive, row), asked),
    )
    on(
        "ContractEvent",
        mrr=lambda row: money(row["mrr"], row["currency"]),
        baseMrr=lambda row: money(row["base_mrr"], row["base_currency"]),
        product=lambda row: _product(naive, row),
        family=lambda row: naive.exactly(
            "product_families", row["family_id"] or (_product(naive, row) or {}).get("family_id"), "ProductFamily"
        ),
    )
    on(
        "Opportunity",
        amount=lambda row: money(row["amount"], row["currency"]),
        baseAmount=lambda row: money(row["base_amount"], row["base_currency"]),
    )


def _events(naive: Naive, contract: Row) -> list[Row]:
    return [
        {**event, "currency": contract["currency"], "base_currency": contract["base_currency"]}
        for event in naive.tables.rows["contract_events"]
        if (event["contract_id"], event["contract_version"]) == (contract["id"], contract["version"])
    ]


def _product(naive: Naive, event: Row) -> Row | None:
    return next((each for each in naive.products() if each["id"] == event["product_id"]), None)
