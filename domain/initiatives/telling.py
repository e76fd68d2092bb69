"""What a measurement found, as it is kept and shown: days as dates, money in units of its currency."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from domain.core.money import minor_units
from domain.initiatives.findings import Measure
from domain.initiatives.statistics.tallies import MONEY

if TYPE_CHECKING:
    from domain.initiatives.findings import (
        Comparison,
        Estimate,
        MeasureAnswer,
        Opportunity,
        Placebo,
        Returns,
        StartingPoint,
    )
    from domain.initiatives.statistics.individuals import IndividualAnswer

UNITS = {Measure.FREQUENCY: "PER_YEAR", Measure.RECENCY: "DAYS", Measure.RESPONSE: "SHARE"}
"""What the measures that are no money are measured in."""

_RATIOS = ("before", "after")


def findings(of: Comparison, currency: str) -> dict[str, Any]:
    """A whole comparison without its answers and its weeks, which are kept apart.

    Spreads and those who are alike are kept as they were computed, since a customer is placed in them as such.
    """
    told: dict[str, Any] = msgspec.to_builtins(of)
    for name in ("baseline", "before", "after"):
        told[name] = {"start": day(told[name]["first"]), "end": day(told[name]["last"])}
    del told["answers"], told["weekly"]
    return told | {
        "battery": of.battery
        and {"days": of.battery.days, "go_lives": [day(each) for each in of.battery.go_lives]},
        "starting_point": of.starting_point and _starting_point(of.starting_point),
        "returns": of.returns and _returns(of.returns, currency),
        "opportunities": [_opportunity(each, currency) for each in of.opportunities],
    }  # fmt: skip


def measure(of: MeasureAnswer, currency: str) -> dict[str, Any]:
    """One measure; the numerators and values of money are in units of the currency, and so is a change in it."""
    told: dict[str, Any] = msgspec.to_builtins(of)
    told |= {"unit": UNITS.get(of.measure, "MONEY"), "placebo": of.placebo and _placebo(of.placebo)}
    if of.measure not in MONEY:
        return told
    for name in _RATIOS:
        told[name] |= {key: _major(told[name][key], currency) for key in ("value", "numerator")}
    return told | {name: _major(told[name], currency) for name in ("expected", "absolute")}


def individual(of: IndividualAnswer, currency: str) -> dict[str, Any]:
    """One measure of one customer; values of money are in units of the currency."""
    told: dict[str, Any] = msgspec.to_builtins(of) | {"unit": UNITS.get(of.measure, "MONEY")}
    if of.measure not in MONEY:
        return told
    for name in _RATIOS:
        told[name] |= {key: _major(told[name][key], currency) for key in ("value", "mean")}
    return told | {name: _major(told[name], currency) for name in ("alike_before", "alike_after")}


def day(ordinal: int | None) -> str | None:
    """A local day as a date."""
    return None if ordinal is None else date.fromordinal(ordinal).isoformat()


def _major(minor: float | None, currency: str) -> float | None:
    return None if minor is None else minor / 10 ** minor_units(currency)


def _placebo(of: Placebo) -> dict[str, Any]:
    return {"changes": list(of.changes), "at_go_live": of.at_go_live, "low": of.low, "high": of.high}


def _starting_point(of: StartingPoint) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(of)
    return told | {"placebo": of.placebo and _placebo(of.placebo)}


def _returns(of: Returns, currency: str) -> dict[str, Any]:
    payback, customer = of.payback, of.return_on_customer
    return {
        "currency": currency,
        "cost": None if of.cost is None else round(of.cost),
        **_ends("gain", of.gain, whole=True),
        **_ends("roi", of.roi),
        **_ends("return_on_customer", customer.value if customer else None),
        "equity_before": customer and round(customer.equity_before),
        "equity_after": customer and round(customer.equity_after),
        "equity_model": customer and customer.version,
        "gain_basis": of.gain_basis,
        "gain_missing": of.gain_missing,
        "roi_missing": of.roi_missing,
        "return_on_customer_missing": of.return_on_customer_missing,
        "payback_on": day(payback.day) if payback else None,
        "payback_earliest": day(payback.earliest) if payback else None,
        "payback_latest": day(payback.latest) if payback else None,
        "shown_to_have_paid": of.shown_to_have_paid,
    }


def _opportunity(of: Opportunity, currency: str) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(of)
    group: dict[str, Any] = told.pop("group")
    if of.measure in MONEY:
        told |= {name: _major(told[name], currency) for name in ("value", "baseline", "others")}
    stake = None if of.at_stake is None else round(of.at_stake)
    return {**told, **group, "unit": UNITS.get(of.measure, "MONEY"), "currency": currency, "at_stake": stake}


def _ends(name: str, of: Estimate | None, *, whole: bool = False) -> dict[str, float | None]:
    """A figure with both ends of its interval."""
    values = (of.value, of.interval.low, of.interval.high) if of else (None, None, None)
    return {
        key: round(value) if whole and value is not None else value
        for key, value in zip((name, f"{name}_low", f"{name}_high"), values, strict=True)
    }
