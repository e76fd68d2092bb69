"""Resolvers of initiatives, their seals and what was measured of them."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from domain.initiatives import report
from tests.api.differential.amounts import money

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.api.differential.naive import Naive
    from tests.api.differential.tables import Row

_FOUND = {
    "baselineWindow": "baseline", "beforeWindow": "before", "customers": "groups",
    "figuresBaseline": "figures_baseline", "figuresBefore": "figures_before", "figuresAfter": "figures_after",
    "battery": "battery", "startingPoint": "starting_point", "returns": "returns", "method": "method",
    "opportunities": "opportunities",
}  # fmt: skip
_DETAILS = (
    "unit", "before", "after", "expected", "absolute", "interval", "judged_interval", "placebo", "pre_trend",
    "detectable",
)  # fmt: skip


def add(naive: Naive, on: Callable[..., None]) -> None:
    """What every field shows."""
    of = naive.tables

    def owned(table: str, key: str, row: Row, order: str) -> list[Row]:
        return sorted(of.all(table, lambda one: one[key] == row["id"]), key=lambda one: one[order])

    on(
        "Query",
        initiatives=lambda _, **asked: naive.page(
            "Initiative", naive.typed("Initiative", of.all("initiatives")), asked
        ),
    )
    on(
        "Initiative",
        chosenCustomers=lambda row: len(row["customer_ids"]),
        segments=lambda _: [],
        departments=lambda row: sorted(
            of.all("departments", lambda one: one["id"] in row["department_ids"]), key=lambda one: one["key"].encode()
        ),
        baseline=lambda row: of.one("baseline.seals", lambda one: one["initiative_id"] == row["id"]),
        measurements=lambda row: owned("measurements", "initiative_id", row, "number"),
    )
    on(
        "Baseline",
        seed=lambda row: str(row["seed"]),
        sizeCutoff=lambda row: money(row["size_cutoff"], row["currency"]),
        head=lambda row: row["head"].hex(),
        definitions=lambda row: [
            {"metric": key, "version": version} for key, version in sorted(row["definition_versions"].items())
        ],
        waiting=lambda row: row,
    )
    on(
        "WaitingWindow",
        gaps=lambda row: row["waiting"],
        finalOn=lambda row: row["final_on"] if row["waiting"] else None,
        flags=lambda row: row["waiting"]["flags"] if row["waiting"] else ["INSUFFICIENT_DATA"],
    )
    on(
        "Measurement",
        lateUnrated=lambda row: row["findings"].get("late_unrated", 0),
        lateAmount=lambda row: money(row["late_amount"], row["currency"]),
        answers=lambda row: owned("verdicts", "measurement_id", row, "position"),
        comparisons=lambda row: owned("comparisons", "measurement_id", row, "position"),
        weeks=_weeks,
        report=lambda row: report.page(_told(naive, row), naive.reading.language),
        **{name: lambda row, _key=key: row["findings"][_key] for name, key in _FOUND.items()},
    )
    on("MeasureComparison", **{_camel(key): lambda row, _key=key: row["details"][_key] for key in _DETAILS})
    on(
        "Returns",
        **{
            _camel(name): lambda row, _name=name: money(row[_name], row["currency"])
            for name in ("cost", "gain", "gain_low", "gain_high", "equity_before", "equity_after")
        },
    )
    on(
        "WindowOfOpportunity",
        group=lambda row: row["kind"],
        name=lambda row: row["labels"][naive.reading.language],
        atStake=lambda row: money(row["at_stake"], row["currency"]),
    )


def _weeks(row: Row) -> list[Row]:
    first, bought = row["weekly"]["first"], row["weekly"]["treated"]
    anyway = [*(None for _ in range(first, 0)), *row["weekly"].get("anyway", ())]
    return [
        {
            "number": first + place, "starts_on": row["starts_on"] + timedelta(days=7 * (first + place)),
            "purchases": int(purchases), "amount": money(None if amount is None else int(amount), row["currency"]),
            "anyway": anyway[place] if place < len(anyway) else None,
        }
        for place, (purchases, amount) in enumerate(zip(bought["occasions"], bought["amount"], strict=True))
    ]  # fmt: skip


def _told(naive: Naive, row: Row) -> dict[str, Any]:
    """A measurement with all that belongs to it, as JSON."""
    of = naive.tables

    def rows(table: str) -> list[Any]:
        found = of.all(table, lambda one: one["measurement_id"] == row["id"])
        return [_json(each) for each in sorted(found, key=lambda one: one["position"])]

    seal = of.one("baseline.seals", lambda one: one["id"] == row["seal_id"])
    initiative = of.one("initiatives", lambda one: one["id"] == row["initiative_id"])
    return {
        "initiative": _json(initiative), "seal": _json(seal), "measurement": _json(row),
        "verdicts": rows("verdicts"), "comparisons": rows("comparisons"),
    }  # fmt: skip


def _json(row: Row | None) -> dict[str, Any]:
    return {name: _written(value) for name, value in (row or {}).items()}


def _written(value: Any) -> Any:
    match value:
        case datetime() | date():
            return value.isoformat()
        case bytes():
            return f"\\x{value.hex()}"
        case _:
            return value


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)
