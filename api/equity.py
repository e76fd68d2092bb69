"""What customers are worth over GraphQL: lifetime values, the models behind them, equity, and cohort retention."""

import asyncio
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any

import orjson

from api.expose import amount, column, describe, embedded, entry, expose, listing, one, part
from api.purchases import WindowInput
from api.reads.mapping import Argument, Sought
from api.scalars import decimal_text
from domain.metrics import queries as metrics
from domain.metrics.analysis.cohorts import Cohort, RetentionMode, beside, cohorts
from domain.metrics.analysis.extract import purchases
from domain.metrics.clv import model
from domain.metrics.clv.queries import Worth, customer_equity, why_not
from domain.metrics.reading import Snapshot
from domain.metrics.rules import Grain, Periods
from domain.purchases.rules import MissingReason, Window

SCOPE = "metrics:read"


class EquityModel(StrEnum):
    """A model of buying by which customers can be valued."""

    MBG_NBD = "MBG_NBD"
    PARETO_NBD = "PARETO_NBD"


describe(
    model.ModelKind,
    MBG_NBD="Buying, until a customer silently stops at some purchase, the first one included; the default.",
    PARETO_NBD="Buying, until a customer silently stops at some moment.",
    BG_NBD="As MBG_NBD, but nobody stops at the first purchase; for published figures, never for churn.",
    SBG="Renewing a contract, period by period.",
    GAMMA_GAMMA="Spending on an occasion.",
)
describe(EquityModel, MBG_NBD="MBG/NBD, the default.", PARETO_NBD="Pareto/NBD.")
describe(
    model.Shortage, "ModelShortage",
    NOT_FITTED="No worker has fitted the model yet.",
    TOO_FEW_CUSTOMERS="Too few customers have bought.",
    TOO_FEW_REPEAT_CUSTOMERS="Too few customers have bought again.",
    TOO_SHORT="Too little time has gone by since the first purchases.",
    TOO_FEW_CONTRACTS="Too few contracts have ended or come up for renewal.",
    NO_OPTIMUM="No parameters are likelier than all others: the customers are too much alike, or too few.",
    SPEND_NOT_INDEPENDENT="How much customers spend goes with how often they buy, which its model rules out.",
    NO_PURCHASES="The customer has bought nothing.",
)  # fmt: skip
describe(
    RetentionMode,
    ON="Who bought in the period.",
    ON_OR_AFTER="Who bought in the period or later; the last periods are flagged, since some may yet come back.",
    CONTRACTUAL="Who is under contract on the first day after the period, of those who first came under one then.",
)


@expose()
class ModelParameter:
    """A parameter of a model."""

    name = entry(str, "name", description="Its name in the literature.")
    value = entry(Decimal, "value", description="Its value.")


@expose()
class BackTest:
    """What a model, fitted on the first part of the time, foretold of the rest, beside what came."""

    calibration_end = entry(date, "calibrationEnd", description="The last day of what it was fitted on.")
    weeks = entry(Decimal, "weeks", description="How long the rest was.")
    customers = entry(int, "customers", description="How many customers were known then.")
    foretold = entry(Decimal, "foretold", description="Purchase occasions that were foretold of them.")
    came = entry(int, "came", description="Those that came.")
    mean_absolute_error = entry(Decimal, "meanAbsoluteError", description="By how much it erred per customer.")


# Numbers of JSON as decimals, without powers of ten and zeros at their end.
_PARAMETERS = (
    "(select coalesce(jsonb_agg(jsonb_build_object('name', x.key, 'value', trim_scale(x.value::text::numeric)::text)"
    " order by x.key collate \"C\"), '[]') from jsonb_each({t}.parameters) as x)"
)


def _tested(key: str) -> str:
    return f"trim_scale(({{t}}.back_test->>'{key}')::numeric)::text"


_BACK_TEST = (
    "case when {t}.back_test->'came' is not null then jsonb_build_object("
    "'calibrationEnd', {t}.back_test->>'calibration_end', 'customers', {t}.back_test->'customers',"
    f" 'weeks', {_tested('weeks')}, 'foretold', {_tested('foretold')}, 'came', {{t}}.back_test->'came',"
    f" 'meanAbsoluteError', {_tested('mean_absolute_error')}) end"
)


@expose(model.ModelVersion)
class ModelVersion:
    """A model as it was fitted once."""

    kind = column(model.ModelKind)
    number = column()
    fitted_at = column()
    training_start = column()
    training_end = column()
    customers = column()
    unit = column()
    log_likelihood = column()
    parameters = embedded("equity.ModelParameter", _PARAMETERS, description="The parameters of greatest likelihood.")
    back_test = embedded(
        "equity.BackTest", _BACK_TEST, many=False, null=True,
        description="How it did where the outcome is known; null where the first part alone was too little.",
    )  # fmt: skip


@expose(model.ModelAttempt)
class Model:
    """A model of the tenant: when it was last fitted, and what was missing then."""

    kind = column(model.ModelKind)
    at = column()
    missing = column(model.Shortage)
    have = column()
    need = column()
    version = one(
        "equity.ModelVersion",
        "model_versions {t} where {t}.tenant_id = $1 and {t}.kind = {p}.kind and {t}.number = (select max(v.number)"
        " from model_versions v where v.tenant_id = $1 and v.kind = {p}.kind)",
        description="The latest version; an older one where nothing came of the last attempt.",
    )  # fmt: skip


@expose(model.CustomerValue, scope=SCOPE)
class LifetimeValue:
    """What a customer has been worth, and is expected to be worth; the probability and the money have their model."""

    as_of = column()
    historic = amount(
        "{t}.historic", "{t}.currency",
        description="Net revenue less cost of goods and allocated costs so far; null where any of it is not known.",
    )  # fmt: skip
    historic_missing = column(MissingReason)
    predictive = amount(
        "{t}.predictive", "{t}.currency", description="The discounted margin expected within the horizon."
    )
    predictive_low = amount("{t}.predictive_low", "{t}.currency", description="The lower end of its 95 % interval.")
    predictive_high = amount("{t}.predictive_high", "{t}.currency", description="The upper end of its 95 % interval.")
    p_alive = column()
    expected_purchases = column()
    horizon_months = column()
    margin = column()
    discount = column()
    missing = column(model.Shortage)
    model = one(
        "equity.ModelVersion", "model_versions {t} where {t}.tenant_id = $1 and {t}.id = {p}.version_id",
        description="The model of buying, or of renewing a contract, behind it.",
    )  # fmt: skip


def of_customer() -> Any:
    """What a customer is worth."""
    return one(
        "equity.LifetimeValue", "customer_values {t} where {t}.tenant_id = $1 and {t}.customer_id = {p}.id",
        scope=SCOPE,
        description="What the customer has been worth and is expected to be worth, as valued last; null before that.",
    )  # fmt: skip


def _worth(name: str) -> dict[str, Any]:
    return {
        "value": amount(f"{{t}}.{name}", "{t}.currency", description="The expected amount."),
        "low": amount(f"{{t}}.{name}_low", "{t}.currency", description="The lower end of its 95 % interval."),
        "high": amount(f"{{t}}.{name}_high", "{t}.currency", description="The upper end of its 95 % interval."),
    }


@expose(also=_worth("current"))
class CurrentEquity:
    """What the customers of today are expected to bring."""


@expose(also=_worth("future"))
class FutureEquity:
    """What customers are expected to bring who are yet to come, at the pace of the training window.

    What it will cost to win them is not taken off.
    """


@expose(also=_worth("total"))
class TotalEquity:
    """What the customers of today and those who are yet to come are expected to bring together."""


@expose()
class CustomerEquity:
    """What customers are worth together, under a model and the assumptions that are stated with it."""

    missing = column(model.Shortage, sql="{t}.missing", null=True, description="Why nothing is known.")
    as_of = column(date, sql="{t}.as_of", null=True, description="The day at which customers are valued.")
    model_version = column(int, sql="{t}.number", null=True, description="Which version of the model.")
    customers = column(int, sql="{t}.customers", null=True, description="How many customers there are today.")
    acquired_per_month = column(
        Decimal, sql="{t}.acquired_per_month", null=True, description="How many customers come in a month."
    )
    horizon_months = column(int, sql="{t}.horizon_months", description="How far it looks.")
    margin = column(
        Decimal, sql="{t}.margin", null=True, description="The share of net revenue that is counted; 1 is all of it."
    )
    discount = column(Decimal, sql="{t}.discount", description="The rate by which a year discounts.")
    monthly_cost = column(
        Decimal, sql="{t}.monthly_cost", description="What keeping a customer costs a month, in the base currency."
    )
    current = part("equity.CurrentEquity", description="The customers of today.")
    future = part("equity.FutureEquity", description="Those who are yet to come.")
    total = part("equity.TotalEquity", description="Both.")


_AMOUNTS = ("current", "future", "total")
_EQUITY = (
    "(select r.* from tenants b, jsonb_to_record({found}) as r(missing text, as_of date, number bigint,"
    " currency text, customers bigint, acquired_per_month numeric, horizon_months bigint, margin numeric,"
    " discount numeric, monthly_cost numeric, "
    + ", ".join(f"{name} bigint, {name}_low bigint, {name}_high bigint" for name in _AMOUNTS)
    + ") where b.tenant_id = $1) {t} where true"
)


async def _equity(sought: Sought) -> str:
    asked = sought.arguments
    snapshot = Snapshot(sought.connection, sought.tenant_id, sought.reader.now)
    kind = model.ModelKind(asked.get("model") or EquityModel.MBG_NBD)
    margin, discount = asked.get("margin"), asked.get("discount")
    months = asked.get("horizonMonths")
    months = 36 if months is None else months
    share = None if margin is None else float(margin)
    yearly = 0.1 if discount is None else float(discount)
    stated = {
        "horizon_months": months,
        "margin": share,
        "discount": yearly,
        "monthly_cost": asked.get("monthlyCost") or 0,
    }
    cost = asked.get("monthlyCost") or Decimal()
    found = await customer_equity(snapshot, kind, months, share, yearly, cost)
    if found is None:
        return _json({**stated, "missing": await why_not(snapshot, kind)})
    worth = {name: _spread(name, getattr(found, name)) for name in _AMOUNTS}
    return _json(
        {
            **stated,
            "margin": found.assumptions.margin,
            "as_of": found.as_of,
            "number": found.number,
            "currency": found.currency,
            "customers": found.customers,
            "acquired_per_month": found.acquired_per_month,
            **worth["current"],
            **worth["future"],
            **worth["total"],
        }
    )


def _spread(name: str, worth: Worth) -> dict[str, int]:
    return {name: worth.value, f"{name}_low": worth.low, f"{name}_high": worth.high}


def _json(found: Mapping[str, Any]) -> str:
    return orjson.dumps(found, default=str).decode()


@expose()
class CohortCell:
    """How many customers of a cohort were retained so many periods later."""

    later = entry(int, "later", description="How many periods after the cohort's own, which is 0.")
    retained = entry(int, "retained", description="How many customers.")
    share = entry(Decimal, "share", description="Their share of the cohort.")
    complete = entry(bool, "complete", description="Whether the period is over.")
    censored = entry(
        bool, "censored",
        description="Whether some may yet come back: less time has gone by than nine in ten customers let pass.",
    )  # fmt: skip


@expose()
class CohortRow:
    """Those whose first purchase ever, or first contract, was in a period."""

    start = entry(date, "start", description="The first day of the period.")
    end = entry(date, "end", description="The first day after it.")
    label = entry(str, "label", description="What it is called in the tenant's calendar.")
    customers = entry(int, "customers", description="How many they are.")
    cells = embedded("equity.CohortCell", "cells", description="Their own period, and each later one.")


@expose()
class CohortTable:
    """How many customers of each cohort bought again, or were still under contract, how many periods later."""

    as_of = column(date, sql="{t}.as_of", description="The last day that counts.")
    cohorts = embedded("equity.CohortRow", "{t}.cohorts", description="The cohorts in their order.")


_TABLE = (
    "(select r.* from tenants b, jsonb_to_record({found}) as r(as_of date, cohorts jsonb)"
    " where b.tenant_id = $1) {t} where true"
)


async def _retention(sought: Sought) -> str:
    """The table, from a snapshot of all purchases of its own; worked out in a thread, while others are served."""
    asked = sought.arguments
    setting = await metrics.setting_of(Snapshot(sought.connection, sought.tenant_id, sought.reader.now))
    as_of = setting.day_of(sought.reader.now) - timedelta(days=1)
    window = Window(asked["window"].get("start"), asked["window"].get("end"))
    calendar, grain = setting.periods, Grain(asked["grain"])
    found = await asyncio.to_thread(
        _cohorts, sought.address, sought.tenant_id, window, grain, RetentionMode(asked["mode"]), calendar, as_of
    )
    return _json({"as_of": as_of, "cohorts": [_row(each, calendar, grain) for each in found]})


def _cohorts(
    address: str, tenant_id: Any, window: Window, grain: Grain, mode: RetentionMode, calendar: Periods, as_of: date
) -> tuple[Cohort, ...]:
    with purchases(address, tenant_id, beside=beside(mode)) as found:
        return cohorts(found, window, grain, mode, calendar, as_of)


def _row(cohort: Cohort, calendar: Periods, grain: Grain) -> dict[str, Any]:
    return {
        "start": cohort.start,
        "end": cohort.end,
        "label": calendar.label(cohort.start, grain),
        "customers": cohort.customers,
        "cells": [
            {
                "later": cell.later,
                "retained": cell.retained,
                "share": decimal_text(round(Decimal(cell.retained) / cohort.customers, 4)),
                "complete": cell.complete,
                "censored": cell.censored,
            }
            for cell in cohort.cells
        ],
    }


class Queries:
    """What the root offers of what customers are worth."""

    models = listing(
        "equity.Model",
        "(select distinct on (a.kind) a.* from model_attempts a where a.tenant_id = $1"
        " order by a.kind, a.at desc, a.id desc) {t} where true",
        order="{t}.kind", scope=SCOPE,
        description="The models that were fitted or tried, each with its latest version.",
    )  # fmt: skip
    customer_equity = one(
        "equity.CustomerEquity", _EQUITY, null=False, find=_equity, scope=SCOPE,
        arguments={
            "horizonMonths": Argument(int | None, "How far to look, 1 to 60 months; 36 without it."),
            "margin": Argument(
                Decimal | None,
                "The share of net revenue that stays, 0 to 1; without it as the cost of goods says where it is known, "
                "and else 1.",
            ),
            "discount": Argument(Decimal | None, "The rate by which a year discounts; 0.10 without it."),
            "monthlyCost": Argument(
                Decimal | None, "What keeping a customer costs a month, in the base currency; 0 without it."
            ),
            "model": Argument(EquityModel | None, "The model of buying; MBG_NBD without it."),
        },
        description="What the customers of today and those who are yet to come are worth.",
    )  # fmt: skip
    cohort_retention = one(
        "equity.CohortTable", _TABLE, null=False, find=_retention, scope=SCOPE,
        arguments={
            "window": Argument(WindowInput, "In which days a cohort's period has to begin; an open side is no limit."),
            "grain": Argument(Grain, "How long the periods are."),
            "mode": Argument(RetentionMode, "When a customer counts as retained."),
        },
        description="How many customers of each cohort bought again, or stayed under contract, how many periods later.",
    )  # fmt: skip


__all__ = ["CohortTable", "CustomerEquity", "LifetimeValue", "Model", "ModelVersion", "Queries", "of_customer"]
