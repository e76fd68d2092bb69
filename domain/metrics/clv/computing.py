"""Fits the models of a tenant and values its customers, out of one snapshot; it blocks, so it runs in a thread."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

from domain.metrics.analysis.extract import purchases
from domain.metrics.clv import gamma_gamma, lifetime_value, mbgnbd, pnbd, sbg
from domain.metrics.clv.bootstrap import Customers, Fitted, Flows, Values, values
from domain.metrics.clv.contracted import Contracts, Paying, paying
from domain.metrics.clv.fitting import DAYS_PER_WEEK, Fit, Histories, NotEnough, expected_from_now, fit_buying
from domain.metrics.clv.lifetime_value import Assumptions
from domain.metrics.clv.model import ModelKind, Shortage
from domain.purchases.rules import MissingReason

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from uuid import UUID

    from domain.metrics.analysis.extract import Purchases
    from domain.metrics.clv.fitting import BuyingModel, Numbers

DEFAULT = ModelKind(mbgnbd.KIND)
"""The model of buying by which customers are valued."""

VALUING = (ModelKind(mbgnbd.KIND), ModelKind(pnbd.KIND))
"""The models of buying that value all customers together."""

_CALIBRATION = 2 / 3  # of the time that is known: on so much of it a model is fitted that foretells the rest
_DAYS_PER_MONTH = 30.4375
_SEED = 20_250_101


@dataclass(frozen=True)
class FittedModel:
    """A model that could be fitted: on whom and when, and how it did."""

    kind: ModelKind
    names: tuple[str, ...]
    fit: Fit
    customers: int
    unit: str
    training: tuple[date, date]
    back_test: Mapping[str, Any]
    checks: Mapping[str, Any]


@dataclass(frozen=True)
class Valued:
    """The customers of a tenant in the order of `ids`: what they brought, and what is expected of those who bought."""

    ids: Sequence[UUID]
    historic: Sequence[int | None]
    historic_missing: Sequence[MissingReason | None]
    future: Mapping[UUID, Mapping[str, Any]]
    """By customer, for those who bought or are under contract: the figures of `CustomerValue` that could be told, and
    the model that they are of, where it is not the default one."""


@dataclass(frozen=True)
class Curve:
    """The flows of all customers under a model, and of one who is yet to come."""

    kind: ModelKind
    customers: int
    acquired_per_month: float
    current: Flows
    future: Flows


@dataclass(frozen=True)
class Outcome:
    """Everything that came of a tenant's purchases."""

    as_of: date
    assumptions: Assumptions
    models: Mapping[ModelKind, FittedModel | NotEnough]
    valued: Valued
    curves: Sequence[Curve]
    missing: Shortage | None
    """Why nobody's future is valued."""


@dataclass(frozen=True)
class _History:
    """The customers who bought, in the order of `ids`."""

    ids: Sequence[UUID]
    customers: Customers
    first: date

    def without(self, some: Collection[UUID]) -> _History:
        """The same but for these customers."""
        if not some:
            return self
        gone = set(some)
        kept = np.array([each not in gone for each in self.ids], dtype=bool)
        ids = [each for each in self.ids if each not in gone]
        return replace(self, ids=ids, customers=self.customers.some(kept))


_LAST_DAY = """
SELECT max(day) AS day FROM (
    SELECT day FROM days WHERE orders > 0 UNION ALL SELECT began FROM held UNION ALL SELECT ended FROM held
) WHERE day <= $day
"""
_CUSTOMERS = """
SELECT customer, count(*) - 1 AS x, CAST(max(day) - min(day) AS bigint) AS t_x,
    CAST(CAST($as_of AS date) - min(day) AS bigint) AS T,
    coalesce(avg(net) FILTER (day > first), 0) AS mean
FROM (SELECT *, min(day) OVER (PARTITION BY customer) AS first FROM days WHERE orders > 0 AND day <= $as_of)
GROUP BY customer ORDER BY customer
"""
_AFTER = """
SELECT customer, count(*) FILTER (day > $cut) AS bought
FROM days WHERE orders > 0 AND day <= $as_of
GROUP BY customer HAVING min(day) <= $cut ORDER BY customer
"""
_HISTORIC = """
SELECT customer, CAST(sum(brought) AS bigint) AS brought, count(brought) < count(*) AS unrated,
    sum(uncosted) > 0 AS uncosted
FROM (
    SELECT customer, net + adjusted - cost_of_goods AS brought, uncosted FROM days
    UNION ALL SELECT customer, -amount, 0 FROM costs
    UNION ALL SELECT customer, NULL, 0 FROM untold_costs WHERE customer IS NOT NULL
    UNION ALL SELECT customer, 0, 0 FROM held
)
GROUP BY customer ORDER BY customer
"""
_MARGIN = """
SELECT coalesce(sum(net) FILTER (uncosted = 0), 0), coalesce(sum(cost_of_goods) FILTER (uncosted = 0), 0),
    coalesce(avg(net) * count(*), 0)
FROM days WHERE orders > 0
"""
_CONTRACTS = "SELECT began, ended FROM contracts WHERE began <= $as_of"
# A contract whose revenue waits for a rate says nothing of its customer, whose others then do not either.
_HOLDING = """
SELECT customer, CAST(CAST($as_of AS date) - c.began AS bigint) AS days, CAST(h.mrr AS bigint) AS mrr
FROM held h JOIN contracts c USING (customer, contract)
WHERE h.began <= $as_of AND $as_of < h.ended
    AND customer NOT IN (SELECT customer FROM held WHERE mrr IS NULL AND began <= $as_of AND $as_of < ended)
ORDER BY customer, contract
"""


def compute(dsn: str, tenant_id: UUID, yesterday: date, assumptions: Assumptions | None = None) -> Outcome | None:
    """Fit every model and value every customer; None where nobody bought anything or signed up to yesterday.

    Customers are valued as of the last day on which anything was bought or a contract changed: later than that nothing
    is known. Who is under contract then is valued by the model of renewing, where it could be fitted, everybody else by
    those of buying. Without assumptions the margin is that of the sales whose cost of goods is known, when they are at
    least half of all, and else 1, so that values are of net revenue.
    """
    with purchases(dsn, tenant_id, beside=("costs", "untold_costs", "contracts", "held")) as bought:
        (as_of,) = bought.table(_LAST_DAY, day=yesterday)["day"].to_pylist()
        if as_of is None:
            return None
        assumed = assumptions or Assumptions(margin=_margin(bought))
        history = _history(bought, as_of)
        models = _models(bought, history, as_of)
        under = _under_contract(models, bought, as_of, assumed)
        buying = history.without(under.ids if under else ())
        valued = {kind: values(each, buying.customers, assumed) for kind, each in _fitted(models).items()}
        future = _future(models, buying, assumed, valued.get(DEFAULT)) | (_paid(under) if under else {})
        return Outcome(
            as_of, assumed, models, _valued(bought, future),
            [_curve(kind, each, valued[kind].current, history, under) for kind, each in _fitted(models).items()],
            _why_not(models),
        )  # fmt: skip


def _margin(bought: Purchases) -> float:
    ((costed, cost, everything),) = bought.rows(_MARGIN)
    if costed <= 0 or costed < everything / 2:
        return 1.0
    return float(np.clip(1 - cost / costed, 0, 1))


def _history(bought: Purchases, as_of: date) -> _History:
    found = bought.table(_CUSTOMERS, as_of=as_of)
    x, t_x, age, mean = (_numbers(found, name) for name in ("x", "t_x", "T", "mean"))
    customers = Customers(x, t_x / DAYS_PER_WEEK, age / DAYS_PER_WEEK, mean)
    ids: list[Any] = found["customer"].to_pylist()
    return _History(ids, customers, as_of - timedelta(float(age.max(initial=0))))


def _numbers(table: Any, name: str) -> Numbers:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


# Models


def _models(bought: Purchases, history: _History, as_of: date) -> Mapping[ModelKind, FittedModel | NotEnough]:
    attempts: dict[ModelKind, Callable[[], FittedModel]] = {
        ModelKind(kind): lambda model=model: _buying(model, bought, history, as_of)  # type: ignore[misc]
        for kind, model in lifetime_value.MODELS.items()
    }
    attempts[ModelKind.GAMMA_GAMMA] = lambda: _spending(history, as_of)
    attempts[ModelKind.SBG] = lambda: _staying(bought, as_of)
    return {kind: _attempted(attempt) for kind, attempt in attempts.items()}


def _attempted(attempt: Callable[[], FittedModel]) -> FittedModel | NotEnough:
    try:
        return attempt()
    except NotEnough as missing:
        return missing


def _buying(model: BuyingModel, bought: Purchases, history: _History, as_of: date) -> FittedModel:
    found = fit_buying(model, _grouped(history.customers))
    return FittedModel(
        ModelKind(model.KIND), model.PARAMETERS, found, len(history.ids), "weeks", (history.first, as_of),
        _back_test(model, bought, history, as_of), {},
    )  # fmt: skip


def _grouped(customers: Customers) -> Histories:
    return Histories.of(customers.x, customers.t_x, customers.T)


def _back_test(model: BuyingModel, bought: Purchases, history: _History, as_of: date) -> Mapping[str, Any]:
    """What the model, fitted on the first part of the time, foretold of the rest, beside what came."""
    cut = history.first + timedelta(int((as_of - history.first).days * _CALIBRATION))
    known = _history(bought, cut).customers
    try:
        found = fit_buying(model, _grouped(known))
    except NotEnough as missing:
        return {"missing": missing.missing, "have": missing.have, "need": missing.need}
    weeks = (as_of - cut).days / DAYS_PER_WEEK
    foretold = expected_from_now(model, found.parameters, weeks, known.x, known.t_x, known.T)
    came = _numbers(bought.table(_AFTER, cut=cut, as_of=as_of), "bought")
    return {
        "calibration_end": cut.isoformat(),
        "weeks": round(weeks, 2),
        "customers": len(known),
        "foretold": round(float(foretold.sum()), 1),
        "came": int(came.sum()),
        "mean_absolute_error": round(float(np.abs(foretold - came).mean()), 4),
    }


def _spending(history: _History, as_of: date) -> FittedModel:
    spending = gamma_gamma.Spending.of(history.customers.x, history.customers.mean)
    found = gamma_gamma.fit(spending)
    checks = {"correlation": round(spending.correlation, 4), "independent": spending.independent}
    return FittedModel(
        ModelKind.GAMMA_GAMMA, gamma_gamma.PARAMETERS, found, len(spending.x), "minor units", (history.first, as_of),
        {}, checks,
    )  # fmt: skip


def _staying(bought: Purchases, as_of: date) -> FittedModel:
    contracts = bought.table(_CONTRACTS, as_of=as_of).to_pylist()
    over = [bool(each["ended"] and each["ended"] <= as_of) for each in contracts]
    until = [each["ended"] if ended else as_of for each, ended in zip(contracts, over, strict=True)]
    lasted = [(last - each["began"]).days / _DAYS_PER_MONTH for each, last in zip(contracts, until, strict=True)]
    # A contract that ended was lost with the month that it ended in; one that goes on renewed for each whole month.
    months = [round(each) if ended else int(each) for each, ended in zip(lasted, over, strict=True)]
    found = sbg.fit(sbg.Renewals.of(months, over))
    first = min(each["began"] for each in contracts)
    return FittedModel(ModelKind.SBG, sbg.PARAMETERS, found, len(contracts), "months", (first, as_of), {}, {})


# Values


def _fitted(models: Mapping[ModelKind, FittedModel | NotEnough]) -> Mapping[ModelKind, Fitted]:
    """The models of buying that are there to value customers, each with the model of spending."""
    spending = models[ModelKind.GAMMA_GAMMA]
    if isinstance(spending, NotEnough) or not spending.checks["independent"]:
        return {}
    return {
        kind: Fitted.of(lifetime_value.MODELS[kind], buying.fit, spending.fit, _SEED)
        for kind in VALUING
        if isinstance(buying := models[kind], FittedModel)
    }


def _why_not(models: Mapping[ModelKind, FittedModel | NotEnough]) -> Shortage | None:
    for kind in (DEFAULT, ModelKind.GAMMA_GAMMA):
        found = models[kind]
        if isinstance(found, NotEnough):
            return Shortage(found.missing)
        if not found.checks.get("independent", True):
            return Shortage.SPEND_NOT_INDEPENDENT
    return None


def _future(
    models: Mapping[ModelKind, FittedModel | NotEnough], history: _History, assumed: Assumptions, found: Values | None
) -> dict[UUID, Mapping[str, Any]]:
    """What is expected of each customer who bought: occasions under the default model, and money where it is told."""
    figures: dict[str, Sequence[Any]] = {}
    if isinstance(buying := models[DEFAULT], FittedModel):
        model, parameters = lifetime_value.MODELS[DEFAULT], buying.fit.parameters
        past = (history.customers.x, history.customers.t_x, history.customers.T)
        figures["p_alive"] = _decimals(model.p_alive(parameters, *past))
        figures["expected_purchases"] = _decimals(
            expected_from_now(model, parameters, assumed.horizon_weeks, *past)
        )  # fmt: skip
    if found is not None:
        whole = {"predictive": found.predictive, "predictive_low": found.low, "predictive_high": found.high}
        figures |= {name: np.rint(each).astype(np.int64).tolist() for name, each in whole.items()}
    rows = zip(*figures.values(), strict=True) if figures else ((),) * len(history.ids)
    return {
        customer: dict(zip(figures, row, strict=True)) for customer, row in zip(history.ids, rows, strict=True)
    }  # fmt: skip


def _under_contract(
    models: Mapping[ModelKind, FittedModel | NotEnough], bought: Purchases, as_of: date, assumed: Assumptions
) -> Paying | None:
    """Everybody under contract with what that is worth; None where the model of renewing lacks something."""
    renewing = models[ModelKind.SBG]
    found = bought.table(_HOLDING, as_of=as_of)
    if isinstance(renewing, NotEnough) or not found.num_rows:
        return None
    whose: list[Any] = found["customer"].to_pylist()
    ids = sorted(set(whose))
    places = {customer: place for place, customer in enumerate(ids)}
    contracts = Contracts(
        ids, np.array([places[each] for each in whose]),
        (_numbers(found, "days") / _DAYS_PER_MONTH).astype(np.int64), _numbers(found, "mrr"),
    )  # fmt: skip
    return paying(renewing.fit, contracts, assumed, _SEED)


def _paid(under: Paying) -> dict[UUID, Mapping[str, Any]]:
    """What is expected of each customer under contract: months that are paid, and money; whoever is so is not gone."""
    worth = under.values
    whole = (np.rint(each).astype(np.int64).tolist() for each in (worth.predictive, worth.low, worth.high))
    return {
        customer: {
            "model": ModelKind.SBG, "p_alive": Decimal(1), "expected_purchases": months, "predictive": value,
            "predictive_low": low, "predictive_high": high, "missing": None,
        }
        for customer, months, value, low, high in zip(under.ids, _decimals(under.months), *whole, strict=True)
    }  # fmt: skip


def _decimals(numbers: Numbers) -> Sequence[Decimal]:
    return [Decimal(f"{each:.6f}") for each in numbers]


def _valued(bought: Purchases, future: Mapping[UUID, Mapping[str, Any]]) -> Valued:
    rows = bought.table(_HISTORIC).to_pylist()
    missing = [_unknown(row) for row in rows]
    brought = [None if why else row["brought"] for row, why in zip(rows, missing, strict=True)]
    return Valued([row["customer"] for row in rows], brought, missing, future)


def _unknown(row: Mapping[str, Any]) -> MissingReason | None:
    """Why nobody knows what a customer brought."""
    if row["unrated"]:
        return MissingReason.NO_RATE
    return MissingReason.NO_COST if row["uncosted"] else None


def _curve(kind: ModelKind, fitted: Fitted, current: Flows, history: _History, under: Paying | None) -> Curve:
    months = max(float(history.customers.T.max()) * DAYS_PER_WEEK / _DAYS_PER_MONTH, 1.0)
    customers = len({*history.ids, *(under.ids if under else ())})
    if under:
        paid = under.values.current
        current = Flows(current.point + paid.point, current.draws + paid.draws)
    return Curve(kind, customers, len(history.ids) / months, current, fitted.of_new())
