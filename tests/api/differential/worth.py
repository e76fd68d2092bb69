"""Resolvers of what customers are worth, and of the models that say so."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tests.api.differential.amounts import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""
    of = naive.tables
    on("Query", models=lambda _: _latest_attempts(naive))
    on("Model", version=lambda row: _latest_version(naive, row["kind"]))
    on(
        "ModelVersion",
        parameters=lambda row: [
            {"name": name, "value": _plain(value)}
            for name, value in sorted(row["parameters"].items(), key=lambda each: each[0].encode())
        ],
        backTest=lambda row: _back_test(row["back_test"]),
    )
    on(
        "Customer",
        lifetimeValue=lambda row: of.one("customer_values", lambda value: value["customer_id"] == row["id"]),
    )
    on(
        "LifetimeValue",
        **{name: _amount(column) for name, column in _AMOUNTS.items()},
        model=lambda row: of.one("model_versions", lambda version: version["id"] == row["version_id"]),
    )


_AMOUNTS = {
    "historic": "historic",
    "predictive": "predictive",
    "predictiveLow": "predictive_low",
    "predictiveHigh": "predictive_high",
}


def _amount(column: str) -> Callable[[Row], Any]:
    return lambda row: money(row[column], row["currency"])


def _latest_attempts(naive: Naive) -> list[Row]:
    latest: dict[str, Row] = {}
    for row in sorted(naive.tables.all("model_attempts"), key=lambda row: (row["at"], row["id"])):
        latest[row["kind"]] = row
    return [latest[kind] for kind in sorted(latest)]


def _latest_version(naive: Naive, kind: str) -> Row | None:
    versions = naive.tables.all("model_versions", lambda row: row["kind"] == kind)
    return max(versions, key=lambda row: row["number"], default=None)


def _back_test(kept: dict[str, Any]) -> Row | None:
    if "came" not in kept:
        return None
    decimals = {name: _plain(kept[name]) for name in ("weeks", "foretold", "mean_absolute_error")}
    return {**kept, **decimals}


def _plain(number: float) -> Decimal:
    """A number as a decimal without zeros at its end."""
    found = Decimal(str(number))
    return found.quantize(Decimal(1)) if found == found.to_integral() else found.normalize()
