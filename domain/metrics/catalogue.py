"""How a metric is written: facts about customers in a window, aggregates over them, and a figure made of these.

A metric is one decorated function that says its figure:

    @metric("repeat_purchase_rate", unit=Unit.RATIO, better=Better.HIGHER, en="Repeat purchase rate", fa="...")
    def repeat_purchase_rate() -> Figure:
        \"\"\"Customers with two occasions or more in the window, of those with any.\"\"\"
        return ratio(count(PURCHASES, "occasions >= 2"), count(PURCHASES, "occasions >= 1"))
"""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from domain.core.problems import NotFound
from domain.metrics.rules import Better, Grain, Kind, Unit
from domain.purchases.rules import MissingReason

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from domain.stages.rules import CanonicalStep


class UnknownMetric(NotFound):
    """There is no metric with this key. See metricDefinitions for those that there are."""

    @classmethod
    def among(cls, known: Iterable[str], keys: Sequence[str], path: tuple[str, ...]) -> UnknownMetric:
        """Of these keys, with those that are there and much like them."""
        near = list(dict.fromkeys(name for key in keys for name in get_close_matches(key, [*known])))
        meant = f" Did you mean {' or '.join(near)}?" if near else ""
        message = f"There is no metric {' and no '.join(keys)}.{meant} See metricDefinitions for those that there are."
        return cls(message, path=path, keys=keys, near=near or ["–"])


@dataclass(frozen=True)
class Facts:
    """What is known of customers in each window, as rows.

    `sql` is a SELECT of `n` (the window), `customer_id` (the surviving customer; null for what belongs to nobody) and
    the `columns`; it may use the relations of `domain.metrics.relations` and other facts by their names. There is one
    row for each window and customer, unless its words say otherwise. The columns and their words are public: plugins
    build metrics of them.
    """

    name: str
    sql: str
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        FACTS[self.name] = self


FACTS: dict[str, Facts] = {}
"""All facts, by name."""


@dataclass(frozen=True)
class Aggregate:
    """One number over the rows of some facts, in each window and group.

    `sql` is an aggregate expression over the columns; `{cut}` in it stands for the value of `cut`, which is itself an
    aggregate over the same rows.
    """

    facts: Facts
    sql: str
    cut: str | None = None


def total(of: Facts, what: str, where: str | None = None) -> Aggregate:
    """The sum of an expression; nothing adds up to zero."""
    return Aggregate(of, f"coalesce(sum({what}){_only(where)}, 0)")


def count(of: Facts, where: str | None = None) -> Aggregate:
    """How many rows there are."""
    return Aggregate(of, f"count(*){_only(where)}")


def distinct(of: Facts, what: str = "customer_id", where: str | None = None) -> Aggregate:
    """How many different values there are."""
    return Aggregate(of, f"count(DISTINCT {what}){_only(where)}")


def computed(of: Facts, sql: str) -> Aggregate:
    """Any other aggregate expression."""
    return Aggregate(of, sql)


def _only(where: str | None) -> str:
    return f" FILTER (WHERE {where})" if where else ""


@dataclass(frozen=True)
class Figure:
    """What a value is made of: `scale` times numerator by denominator, or `value` where that is no quotient.

    `n` is what the value rests on. The value is missing for the reason `empty` where there is nothing to divide by,
    and for one of `unknown` where its aggregate is greater than zero. `divides_money`: both parts are in minor units.
    `waiting` counts those of whom the value may still change although their window is over.
    """

    kind: Kind
    numerator: Aggregate
    denominator: Aggregate | None
    n: Aggregate
    scale: str = "1"
    value: Aggregate | None = None
    standard_error: Aggregate | None = None
    empty: MissingReason = MissingReason.DENOMINATOR_ZERO
    unknown: tuple[tuple[Aggregate, MissingReason], ...] = ()
    divides_money: bool = False
    waiting: Aggregate | None = None

    def unless(self, aggregate: Aggregate, reason: MissingReason) -> Figure:
        """The same, missing for a reason where an aggregate is greater than zero."""
        return replace(self, unknown=(*self.unknown, (aggregate, reason)))

    def awaiting(self, waiting: Aggregate) -> Figure:
        """The same, censored where an aggregate is greater than zero: some have not had the time that it takes."""
        return replace(self, waiting=waiting)

    def aggregates(self) -> Iterator[Aggregate]:
        """All that has to be added up for it."""
        yield from self.formula()
        if self.waiting is not None:
            yield self.waiting

    def formula(self) -> Iterator[Aggregate]:
        """All that its value is made of."""
        parts = (self.numerator, self.denominator, self.n, self.value, self.standard_error)
        yield from (part for part in parts if part is not None)
        yield from (aggregate for aggregate, _ in self.unknown)


def sum_of(of: Facts, what: str, where: str | None = None) -> Figure:
    """A sum; it rests on the rows that it adds up."""
    return Figure(Kind.TOTAL, total(of, what, where), None, count(of, where))


def number_of(counted: Aggregate) -> Figure:
    """A number of things or customers."""
    return Figure(Kind.COUNT, counted, None, counted)


def ratio(
    numerator: Aggregate, denominator: Aggregate, *, n: Aggregate | None = None, scale: str = "1",
    empty: MissingReason = MissingReason.DENOMINATOR_ZERO, divides_money: bool = False,
) -> Figure:  # fmt: skip
    """One aggregate by another, never the mean of personal quotients; it rests on the denominator unless `n` says."""
    return Figure(
        Kind.RATIO, numerator, denominator, n or denominator, scale, empty=empty, divides_money=divides_money
    )  # fmt: skip


def mean(of: Facts, what: str, where: str | None = None) -> Figure:
    """The mean of an expression over the rows where it is not null."""
    known = f"{what} IS NOT NULL" if where is None else f"{what} IS NOT NULL AND {where}"
    rows = count(of, known)
    error = Aggregate(
        of, f"stddev_samp({what}){_only(where)} / sqrt(CAST(nullif(count(*){_only(known)}, 0) AS numeric))"
    )
    return Figure(
        Kind.MEAN, total(of, what, where), rows, rows, standard_error=error, empty=MissingReason.NO_DATA
    )  # fmt: skip


def median(of: Facts, what: str, where: str | None = None) -> Figure:
    """The middle value of an expression over the rows where it is not null; of an even number the middle of two."""
    middle = Aggregate(of, f"CAST(percentile_cont(0.5) WITHIN GROUP (ORDER BY {what}){_only(where)} AS numeric)")
    return replace(mean(of, what, where), kind=Kind.MEDIAN, value=middle, standard_error=None)


def winsorised(of: Facts, what: str, where: str | None = None, at: str = "0.99") -> Figure:
    """The mean with what lies above a quantile counted as that quantile, so that a few cannot decide it."""
    cut = f"percentile_disc({at}) WITHIN GROUP (ORDER BY {what}){_only(where)}"
    plain = mean(of, what, where)
    return replace(plain, numerator=Aggregate(of, f"coalesce(sum(least({what}, {{cut}})){_only(where)}, 0)", cut),
                   standard_error=None)  # fmt: skip


class Span(StrEnum):
    """Over which window a customer's own value is read."""

    YEAR = "YEAR"
    """The 365 days up to and with today."""
    LIFETIME = "LIFETIME"
    """All days up to and with today."""


@dataclass(frozen=True)
class Personal:
    """The value of a single customer, compared with all customers over the same window; null below `least` (of n)."""

    figure: Figure
    over: Span = Span.YEAR
    least: int = 1


@dataclass(frozen=True)
class Definition:
    """A metric as it is published: another formula is another version."""

    key: str
    version: int
    unit: Unit
    figure: Figure
    labels: Mapping[str, str]
    words: str
    step: CanonicalStep | None
    better: Better | None
    min_n: int
    marketing_only: bool
    personal: Personal | None
    section: str
    grain: Grain

    @property
    def kind(self) -> Kind:
        """How it is made of its parts."""
        return self.figure.kind

    @property
    def digest(self) -> bytes:
        """The SHA-256 of how it is computed: what has another one is another version."""
        figures = [self.figure, *([self.personal.figure] if self.personal else [])]
        parts = [
            [figure.kind, figure.scale, [[one.facts.sql, one.sql, one.cut] for one in figure.formula()]]
            for figure in figures
        ]
        return hashlib.sha256(msgspec.json.encode([self.unit, self.min_n, parts])).digest()


class Catalogue:
    """All metrics, in the order in which they are written; behind them those that plugins brought."""

    def __init__(self) -> None:
        self._known: dict[str, Definition] = {}
        self._brought: frozenset[str] = frozenset()

    def __iter__(self) -> Iterator[Definition]:
        return iter(self._known.values())

    def __getitem__(self, key: str) -> Definition:
        self.check([key])
        return self._known[key]

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def add(self, definition: Definition) -> None:
        """Take a metric in. Raises ValueError for a key that is taken."""
        if definition.key in self._known:
            message = f"two metrics are called {definition.key}"
            raise ValueError(message)
        self._known[definition.key] = definition

    def is_ours(self, key: str) -> bool:
        """Whether a key is taken by a metric that no plugin brought."""
        return key in self._known and key not in self._brought

    def admit(self, brought: Iterable[Definition]) -> None:
        """Take in what plugins bring, in the place of what plugins brought before."""
        for key in self._brought:
            del self._known[key]
        admitted = {definition.key: definition for definition in brought}
        self._known |= admitted
        self._brought = frozenset(admitted)

    def check(self, keys: Iterable[str], *path: str) -> None:
        """Raises UnknownMetric where one of these keys is none; `path` names them in the input."""
        missed = [key for key in dict.fromkeys(keys) if key not in self._known]
        if missed:
            raise UnknownMetric.among(self._known, missed, path or ("keys",))

    def chosen(self, keys: Iterable[str]) -> Sequence[Definition]:
        """The metrics with these keys, each once, in their order. Raises UnknownMetric."""
        wanted = list(dict.fromkeys(keys))
        self.check(wanted)
        return [self._known[key] for key in wanted]

    def personal(self) -> Sequence[Definition]:
        """Those that have a value for a single customer."""
        return [definition for definition in self if definition.personal is not None]


CATALOGUE = Catalogue()
"""The metrics of `domain.metrics.definitions`, and those that plugins registered."""


def metric(
    key: str, *, unit: Unit, en: str, fa: str, version: int = 1, better: Better | None = None,
    step: CanonicalStep | None = None, min_n: int | None = None, marketing_only: bool = False,
    personal: Personal | None = None, grain: Grain = Grain.DAY,
) -> Callable[[Callable[[], Figure]], Callable[[], Figure]]:  # fmt: skip
    """Publish the figure that a function returns; its docstring is the definition that people read.

    With fewer than `min_n` there is no value; unless it says otherwise, a sum or a number can be zero, and a mean or a
    quotient needs one. `grain` is the shortest period of which it says something: of a day on which a purchase occasion
    is one, a rate of repeat purchases says nothing.
    """

    def register(function: Callable[[], Figure]) -> Callable[[], Figure]:
        figure = function()
        least = 0 if figure.kind in {Kind.TOTAL, Kind.COUNT} else 1
        definition = Definition(
            key=key, version=version, unit=unit, figure=figure, labels={"en": en, "fa": fa},
            words=inspect.getdoc(function) or "", step=step, better=better, min_n=least if min_n is None else min_n,
            marketing_only=marketing_only, personal=personal, section=function.__module__.rpartition(".")[2],
            grain=grain,
        )  # fmt: skip
        CATALOGUE.add(definition)
        return function

    return register
