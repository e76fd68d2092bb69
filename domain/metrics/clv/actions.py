"""Models are fitted and customers valued: once a week for every tenant, and whenever somebody asks for it."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, insert, select

from domain.core.database import dsn_of
from domain.metrics.clv.model import CustomerValue, EquityCurve, ModelAttempt, ModelKind, ModelVersion, Shortage
from domain.tenants import queries as tenants

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.metrics.clv.bootstrap import Flows
    from domain.metrics.clv.computing import Curve, FittedModel, Outcome
    from domain.metrics.clv.fitting import NotEnough

FIT_MODELS = "fit_models"
"""The kind of due work that fits the models of a tenant and values its customers."""

EVERY = timedelta(days=7)
"""How often it does."""

_ROWS = 1_000


async def fit_models(database: Database, tenant_id: UUID) -> Outcome | None:
    """Fit all models of a tenant to what is known, value all its customers, and keep both; None where nobody bought.

    The work is done in a thread, outside any transaction; what comes of it is written in one. A model that lacks
    something leaves its earlier versions as they are, and the attempt says what is missing.
    """
    from domain.metrics.clv.computing import compute

    async with database.reading(tenant_id) as reading:
        tenant = await tenants.tenant(reading)
    yesterday = database.clock.now().astimezone(ZoneInfo(tenant.time_zone)).date() - timedelta(1)
    outcome = await asyncio.to_thread(compute, dsn_of(database.url), tenant_id, yesterday)
    if outcome is not None:
        async with database.unit_of_work(tenant_id) as work:
            await _keep(work, outcome, tenant.base_currency)
    return outcome


async def _keep(work: Writing, outcome: Outcome, currency: str) -> None:
    versions = {kind: await _attempt(work, kind, found) for kind, found in outcome.models.items()}
    for curve in outcome.curves:
        work.add(_curve(work, curve, versions, outcome, currency))
    # A projection of the models' latest versions: what was valued by earlier ones is not kept.
    await work.execute(delete(CustomerValue).where(CustomerValue.tenant_id == work.tenant_id))
    rows = list(_rows(work, outcome, versions, currency))
    for start in range(0, len(rows), _ROWS):
        await work.execute(insert(CustomerValue), rows[start : start + _ROWS])


async def _attempt(work: Writing, kind: ModelKind, found: FittedModel | NotEnough) -> UUID | None:
    """Note the attempt; the id of the version, where one came of it."""
    from domain.metrics.clv.computing import FittedModel

    attempt = ModelAttempt(id=work.ids(), kind=kind, at=work.now)
    if isinstance(found, FittedModel):
        version = _version(work, found, await _next_number(work, kind))
        work.add(version)
        await work.flush()
        attempt.version_id = version.id
        if not found.checks.get("independent", True):
            attempt.missing = Shortage.SPEND_NOT_INDEPENDENT
    else:
        attempt.missing, attempt.have, attempt.need = found.missing, found.have, found.need
    work.add(attempt)
    return attempt.version_id


async def _next_number(work: Writing, kind: ModelKind) -> int:
    last = select(func.max(ModelVersion.number)).where(
        ModelVersion.tenant_id == work.tenant_id, ModelVersion.kind == kind
    )  # fmt: skip
    return (await work.one(last) or 0) + 1


def _version(work: Writing, found: FittedModel, number: int) -> ModelVersion:
    return ModelVersion(
        id=work.ids(),
        kind=found.kind,
        number=number,
        fitted_at=work.now,
        training_start=found.training[0],
        training_end=found.training[1],
        customers=found.customers,
        unit=found.unit,
        parameters=dict(zip(found.names, found.fit.parameters, strict=True)),
        covariance={"rows": found.fit.covariance.tolist()},
        log_likelihood=_decimal(found.fit.log_likelihood),
        back_test=dict(found.back_test),
        checks=dict(found.checks),
    )


def _curve(
    work: Writing, curve: Curve, versions: Mapping[ModelKind, UUID | None], outcome: Outcome, currency: str
) -> EquityCurve:  # fmt: skip
    return EquityCurve(
        version_id=versions[curve.kind],
        spend_version_id=versions[ModelKind.GAMMA_GAMMA],
        as_of=outcome.as_of,
        computed_at=work.now,
        currency=currency,
        margin=_decimal(outcome.assumptions.margin),
        customers=curve.customers,
        acquired_per_month=_decimal(curve.acquired_per_month),
        current=_flows(curve.current, 0),
        future=_flows(curve.future, 3),
    )


def _decimal(number: float) -> Decimal:
    return Decimal(f"{number:.6f}")


def _flows(flows: Flows, decimals: int) -> dict[str, Any]:
    return {"point": flows.point.round(decimals).tolist(), "draws": flows.draws.round(decimals).tolist()}


def _rows(
    work: Writing, outcome: Outcome, versions: Mapping[ModelKind, UUID | None], currency: str
) -> Iterator[dict[str, Any]]:
    from domain.metrics.clv.computing import DEFAULT

    valued, assumed = outcome.valued, outcome.assumptions
    shared = {
        "tenant_id": work.tenant_id,
        "valued_at": work.now,
        "as_of": outcome.as_of,
        "currency": currency,
        "horizon_months": assumed.horizon_months,
        "margin": _decimal(assumed.margin),
        "discount": _decimal(assumed.discount),
    }
    for customer, historic, why in zip(valued.ids, valued.historic, valued.historic_missing, strict=True):
        future = valued.future.get(customer)
        if future is None:
            told: Mapping[str, Any] = {"missing": Shortage.NO_PURCHASES}
        else:
            figures = {name: figure for name, figure in future.items() if name != "model"}
            version = versions[future.get("model", DEFAULT)]
            told = {"missing": outcome.missing, **figures, "version_id": version}
        yield {
            "customer_id": customer, "historic": historic, "historic_missing": why, **shared, **_NOTHING, **told,
        }  # fmt: skip


_NOTHING: Mapping[str, Any] = dict.fromkeys(
    ("p_alive", "expected_purchases", "predictive", "predictive_low", "predictive_high", "version_id", "missing")
)
