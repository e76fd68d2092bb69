"""Metrics that plugins bring, as the domain has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.metrics import catalogue, definitions
from domain.metrics.catalogue import FACTS, Definition, Facts, Personal, Span
from domain.metrics.rules import Better, Grain, Kind, Unit
from domain.stages.rules import CanonicalStep
from tenure_sdk import metrics as sdk

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["definitions", "translated"]


def translated(given: object) -> Definition:
    """A plugin's metric as one of ours. Raises TypeError for what is none, and ValueError for one that cannot be."""
    if not isinstance(given, sdk.Metric):
        raise TypeError(f"{type(given).__name__} is no Metric")
    if not given.key.isidentifier():
        raise ValueError(f"{given.key!r} is no key: use letters, digits and underscores")
    figure = _figure(given)
    least = 0 if figure.kind in {Kind.TOTAL, Kind.COUNT} else 1
    return Definition(
        key=given.key, version=given.version, unit=Unit(given.unit), figure=figure,
        labels={"en": given.label.en, "fa": given.label.fa or given.label.en}, words=given.description,
        step=CanonicalStep(given.step) if given.step else None, better=Better(given.better) if given.better else None,
        min_n=least if given.min_n is None else given.min_n, marketing_only=given.marketing_only,
        grain=Grain(given.grain),
        personal=Personal(figure, Span(given.personal), least) if given.personal else None, section="plugins",
    )  # fmt: skip


def _figure(given: sdk.Metric) -> catalogue.Figure:
    numerator = _aggregate(given.numerator)
    if given.denominator is not None:
        return catalogue.ratio(numerator, _aggregate(given.denominator))
    if isinstance(given.numerator, sdk.CustomerCount):
        return catalogue.number_of(numerator)
    rows = catalogue.count(numerator.facts, _only(numerator.facts, given.numerator.where))
    return catalogue.Figure(Kind.TOTAL, numerator, None, rows)


def _aggregate(given: sdk.Aggregate) -> catalogue.Aggregate:
    if isinstance(given, sdk.CustomerCount):
        facts = _facts(given.facts)
        return catalogue.distinct(facts, "customer_id", _only(facts, given.where))
    name, _, fact = given.fact.partition(".")
    facts = _facts(name)
    return catalogue.total(facts, _column(facts, fact), _only(facts, given.where))


def _facts(name: str) -> Facts:
    if name not in FACTS or not FACTS[name].columns:
        known = ", ".join(sorted(name for name, facts in FACTS.items() if facts.columns))
        raise ValueError(f"there are no facts {name!r}; there are: {known}")
    return FACTS[name]


def _column(facts: Facts, fact: str) -> str:
    if fact not in facts.columns:
        raise ValueError(f"{facts.name} has no fact {fact!r}; it has: {', '.join(facts.columns)}")
    return fact


def _only(facts: Facts, where: Iterable[sdk.Where]) -> str | None:
    """The conditions as SQL: of names that were checked, and of whole numbers."""
    bounds = [
        f"{_column(facts, each.fact)} {operator} {int(bound)}"
        for each in where
        for operator, bound in ((">=", each.at_least), ("<", each.below))
        if bound is not None
    ]
    return " AND ".join(bounds) or None
