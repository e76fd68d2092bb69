"""What is kept of fitted models, and what they say each customer is worth."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from domain.core.tables import Entity, TenantTable, one_of
from domain.purchases.rules import MissingReason


class ModelKind(StrEnum):
    """A model of how customers buy, stay or spend."""

    MBG_NBD = "MBG_NBD"
    PARETO_NBD = "PARETO_NBD"
    BG_NBD = "BG_NBD"
    SBG = "SBG"
    GAMMA_GAMMA = "GAMMA_GAMMA"


class Shortage(StrEnum):
    """What a model lacks, or why a figure of a customer is not known."""

    NOT_FITTED = "NOT_FITTED"
    TOO_FEW_CUSTOMERS = "TOO_FEW_CUSTOMERS"
    TOO_FEW_REPEAT_CUSTOMERS = "TOO_FEW_REPEAT_CUSTOMERS"
    TOO_SHORT = "TOO_SHORT"
    TOO_FEW_CONTRACTS = "TOO_FEW_CONTRACTS"
    NO_OPTIMUM = "NO_OPTIMUM"
    SPEND_NOT_INDEPENDENT = "SPEND_NOT_INDEPENDENT"
    NO_PURCHASES = "NO_PURCHASES"


class ModelVersion(Entity):
    """IM: A model as it was fitted once: parameters, likelihood, what it was fitted on, and its back-test."""

    __tablename__ = "model_versions"
    __table_args__ = (one_of("kind", ModelKind), UniqueConstraint("tenant_id", "kind", "number"))

    kind: Mapped[str] = mapped_column(doc="Which model it is.")
    number: Mapped[int] = mapped_column(doc="Counts the versions of a kind from 1.")
    fitted_at: Mapped[datetime] = mapped_column(doc="When it was fitted.")
    training_start: Mapped[date] = mapped_column(doc="The first day of what it was fitted on.")
    training_end: Mapped[date] = mapped_column(doc="The last day of what it was fitted on; customers are valued at it.")
    customers: Mapped[int] = mapped_column(doc="How many customers it was fitted on.")
    unit: Mapped[str] = mapped_column(doc="In what its parameters count time or money.")
    parameters: Mapped[dict[str, Any]] = mapped_column(doc="The parameters of greatest likelihood, by name.")
    covariance: Mapped[dict[str, Any]] = mapped_column(doc="Of the parameters' logarithms: `rows`, in their order.")
    log_likelihood: Mapped[Decimal] = mapped_column(doc="The logarithm of the likelihood at these parameters.")
    back_test: Mapped[dict[str, Any]] = mapped_column(doc="Fitted on the first part: what it foretold of the rest.")
    checks: Mapped[dict[str, Any]] = mapped_column(doc="What the model presumes, as measured.")


class ModelAttempt(Entity):
    """AO: An attempt to fit a model: the version that came of it, and what was missing for it to be made or used."""

    __tablename__ = "model_attempts"
    __table_args__ = (
        one_of("kind", ModelKind),
        one_of("missing", Shortage),
        ForeignKeyConstraint(["tenant_id", "version_id"], ["model_versions.tenant_id", "model_versions.id"]),
    )

    kind: Mapped[str] = mapped_column(doc="Which model it was.")
    at: Mapped[datetime] = mapped_column(doc="When it was tried.")
    version_id: Mapped[UUID | None] = mapped_column(doc="What came of it.")
    missing: Mapped[str | None] = mapped_column(doc="What there is too little of, or what the model presumes in vain.")
    have: Mapped[int | None] = mapped_column(doc="How much of it there is.")
    need: Mapped[int | None] = mapped_column(doc="How much of it is needed.")


class EquityCurve(TenantTable):
    """IM: What all customers together are expected to spend, month by month, under a model and each draw of it.

    Equity is linear in these flows, so any horizon, margin and discount follows from them without a new computation.
    """

    __tablename__ = "equity_curves"
    __table_args__ = (
        ForeignKeyConstraint(["tenant_id", "version_id"], ["model_versions.tenant_id", "model_versions.id"]),
        ForeignKeyConstraint(["tenant_id", "spend_version_id"], ["model_versions.tenant_id", "model_versions.id"]),
    )

    version_id: Mapped[UUID] = mapped_column(primary_key=True, doc="The model of buying.")
    spend_version_id: Mapped[UUID] = mapped_column(doc="The model of spending.")
    as_of: Mapped[date] = mapped_column(doc="The day at which customers are valued.")
    computed_at: Mapped[datetime] = mapped_column(doc="When it was computed.")
    currency: Mapped[str] = mapped_column(doc="The currency of the flows.")
    margin: Mapped[Decimal] = mapped_column(doc="The share of net revenue that stays, as known then.")
    customers: Mapped[int] = mapped_column(doc="How many current customers there are.")
    acquired_per_month: Mapped[Decimal] = mapped_column(doc="New customers a month, as in the training window.")
    current: Mapped[dict[str, Any]] = mapped_column(doc="Flows of current customers in minor units: point and draws.")
    future: Mapped[dict[str, Any]] = mapped_column(doc="Flows of one customer from the day of the first purchase.")


class CustomerValue(TenantTable):
    """PJ: What a surviving customer has been worth, and is expected to be worth, as of a day under a model version."""

    __tablename__ = "customer_values"
    __table_args__ = (
        one_of("missing", Shortage),
        one_of("historic_missing", MissingReason),
        ForeignKeyConstraint(["tenant_id", "version_id"], ["model_versions.tenant_id", "model_versions.id"]),
    )

    customer_id: Mapped[UUID] = mapped_column(primary_key=True)
    valued_at: Mapped[datetime] = mapped_column(doc="When it was computed.")
    as_of: Mapped[date] = mapped_column(doc="The last day that is known.")
    currency: Mapped[str] = mapped_column(doc="The currency of the amounts.")
    historic: Mapped[int | None] = mapped_column(
        doc="Net revenue less cost of goods and allocated costs, in minor units; null where any of it is not known."
    )
    historic_missing: Mapped[str | None] = mapped_column(
        doc="Why it is null: a rate that is missing, or else the cost of some goods."
    )
    version_id: Mapped[UUID | None] = mapped_column(
        doc="The model of buying, or of renewing a contract; null while none could be fitted."
    )
    p_alive: Mapped[Decimal | None] = mapped_column(
        doc="The probability that the customer still buys; 1 under contract."
    )
    expected_purchases: Mapped[Decimal | None] = mapped_column(
        doc="Purchase occasions expected within the horizon; of a contract, the months that are paid."
    )
    predictive: Mapped[int | None] = mapped_column(doc="The discounted margin expected, in minor units.")
    predictive_low: Mapped[int | None] = mapped_column(doc="The lower end of its 95 % interval.")
    predictive_high: Mapped[int | None] = mapped_column(doc="The upper end of its 95 % interval.")
    horizon_months: Mapped[int] = mapped_column(doc="How far the prediction looks.")
    margin: Mapped[Decimal] = mapped_column(doc="The share of net revenue that stays.")
    discount: Mapped[Decimal] = mapped_column(doc="The rate by which a year discounts.")
    missing: Mapped[str | None] = mapped_column(doc="Why the prediction is not known.")
