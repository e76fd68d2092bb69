"""What customers are worth: models of every kind, what they lacked, and the values of some customers."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from domain.metrics.clv.model import CustomerValue, ModelAttempt, ModelKind, ModelVersion, Shortage
from domain.purchases.rules import MissingReason

if TYPE_CHECKING:
    from domain.customers.model import Customer
    from tests.api.differential.world import World

_BACK_TEST = {
    "calibration_end": "2026-01-31", "weeks": 13.0, "customers": 120, "foretold": 80.5, "came": 77,
    "mean_absolute_error": 0.4125,
}  # fmt: skip

_OF_CUSTOMERS = list(Shortage)[len(ModelKind) :]
"""What values lack; the models lack the others."""


async def customers(world: World, people: dict[str, Customer]) -> None:
    """Versions and attempts of every model, and a value of nearly everybody who is there."""
    versions = []
    for at, kind in enumerate(ModelKind):
        for number in range(1, 1 + at % 3):
            versions.append(_version(world, kind, number))
            await world.add(versions[-1])
        world.work.add(_attempt(world, kind, 1, None))
        world.work.add(_attempt(world, kind, 2, list(Shortage)[at]))
    survivors = [each for each in people.values() if each.root_id == each.id and each.status == "ACTIVE"]
    valued = [who for at, who in enumerate(survivors) if at % 7 != 6]
    for at, who in enumerate(valued):
        world.work.add(_value(world, who, at, versions[at % len(versions)]))
    await world.work.flush()


def _version(world: World, kind: ModelKind, number: int) -> ModelVersion:
    return ModelVersion(
        id=world.id(), kind=kind, number=number, fitted_at=world.moment(), training_start=date(2025, 3, 1),
        training_end=date(2026, 3, 1 + number), customers=100 + number, unit="weeks",
        parameters={"r": 0.5 * number, "alpha": 6.25, "a": 1e-07, "b": 120.0}, covariance={"rows": []},
        log_likelihood=Decimal("-9582.4"), back_test=_BACK_TEST if number > 1 else {"missing": "TOO_SHORT"}, checks={},
    )  # fmt: skip


def _attempt(world: World, kind: ModelKind, day: int, missing: Shortage | None) -> ModelAttempt:
    lacks: dict[str, Any] = {"missing": missing, "have": 3, "need": 30} if missing else {}
    return ModelAttempt(id=world.id(), kind=kind, at=datetime(2026, 3, day, tzinfo=UTC), **lacks)


def _value(world: World, who: Customer, at: int, version: ModelVersion) -> CustomerValue:
    shared = {
        "customer_id": who.id, "valued_at": world.moment(), "as_of": date(2026, 3, 1) - timedelta(days=at),
        "currency": "EUR", "historic": None if at % 5 == 2 else 1_000 * at - 2_500,
        "historic_missing": MissingReason.NO_COST if at % 5 == 2 else None, "horizon_months": 36,
        "margin": Decimal("0.4"), "discount": Decimal("0.1"),
    }  # fmt: skip
    if at % 2:
        return CustomerValue(**shared, missing=_OF_CUSTOMERS[at // 2 % len(_OF_CUSTOMERS)])
    return CustomerValue(
        **shared, version_id=version.id, p_alive=Decimal("0.7266") / (1 + at), expected_purchases=Decimal("1.226"),
        predictive=10_000 + at, predictive_low=9_000 - at, predictive_high=12_345,
    )  # fmt: skip
