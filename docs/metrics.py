# noqa: INP001 - a script beside what it writes
"""The reference pages of the metrics, from the catalogue: one for each metric, and one that lists them."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from domain.metrics import definitions
from domain.metrics.catalogue import CATALOGUE, FACTS, Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from domain.metrics.catalogue import Aggregate, Definition, Facts, Figure

__all__ = ["definitions", "pages"]

NONE = "–"
_SPANS = {Span.YEAR: "the 365 days up to today", Span.LIFETIME: "the whole life"}
_SECTIONS = {
    "purchases": "Purchase history and relationship",
    "costs": "Costs",
    "kpis": "Key figures",
    "contracts": "Contracts",
    "loyalty": "Loyalty and advocacy",
    "usage": "Usage",
    "stages": "Stages",
    "marketing": "Marketing",
}

_INTRODUCTION = """Every figure that Tenure publishes, by what it is about; written by `make docs` from the catalogue.
How they are made is told in [Metrics](../../concepts/metrics.md)."""


def pages() -> Mapping[str, str]:
    """Every page by the name of its file."""
    return {"README.md": _listed(), **{f"{one.key}.md": _page(one) for one in CATALOGUE}}


def _listed() -> str:
    parts = [
        "# Metrics",
        _INTRODUCTION,
    ]
    for section, each in groupby(CATALOGUE, lambda one: one.section):
        rows = [
            f"| [`{one.key}`]({one.key}.md) | {one.labels['en']} | {one.unit} | {one.better or NONE} |" for one in each
        ]
        table = ["| key | name | unit | better |", "| --- | --- | --- | --- |", *rows]
        parts += [f"## {_SECTIONS.get(section, section.replace('_', ' ').capitalize())}", "\n".join(table)]
    parts += ["## Facts", _FACTS, *map(_facts, (facts for facts in FACTS.values() if facts.columns))]
    return "\n\n".join(parts) + "\n"


_FACTS = """What metrics are made of, and what a plugin can build its own of: rows of each customer in each window."""


def _facts(facts: Facts) -> str:
    rows = [f"| `{facts.name}.{name}` | {words} |" for name, words in facts.columns.items()]
    return "\n".join([f"### `{facts.name}`", "", "| fact | meaning |", "| --- | --- |", *rows])


def _page(one: Definition) -> str:
    facts = [
        ("version", str(one.version)),
        ("unit", one.unit),
        ("kind", one.kind),
        ("canonical step", one.step or NONE),
        ("better", one.better or NONE),
        ("minimum n", str(one.min_n)),
        ("marketing only", "yes" if one.marketing_only else "no"),
        ("of a single customer", f"over {_SPANS[one.personal.over]}" if one.personal else "no"),
        ("فارسی", one.labels["fa"]),
    ]
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in facts)])
    parts = [f"# `{one.key}`: {one.labels['en']}", one.words, table, "## What it is made of", _made_of(one.figure)]
    if one.personal is not None and one.personal.figure != one.figure:
        parts += ["## Of a single customer", _made_of(one.personal.figure)]
    return "\n\n".join(parts) + "\n"


def _made_of(figure: Figure) -> str:
    return "\n".join(f"- {name}: {told}" for name, told in _parts(figure))


def _parts(figure: Figure) -> Iterator[tuple[str, str]]:
    yield "numerator", _aggregate(figure.numerator)
    if figure.denominator is not None:
        yield "denominator", _aggregate(figure.denominator)
    if figure.value is not None:
        yield "value", _aggregate(figure.value)
    if figure.scale != "1":
        yield "scale", figure.scale
    yield "n", _aggregate(figure.n)
    if figure.denominator is not None:
        yield "missing", f"`{figure.empty}` where there is nothing to divide by"
    for aggregate, reason in figure.unknown:
        yield "missing", f"`{reason}` where {_aggregate(aggregate)} is greater than zero"


def _aggregate(one: Aggregate) -> str:
    told = " ".join(one.sql.replace("{cut}", one.cut or "").split())
    return f"`{told}` over `{one.facts.name}`"
