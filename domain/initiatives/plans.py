"""What a comparison is asked for: the parts of an initiative and of its seal that decide how it is measured."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from domain.initiatives.history import Amounts, Mask


class Tier(StrEnum):
    """How sure an answer has to be: a change, a change beside what happens anyway, a change beside the untouched."""

    QUICK = "QUICK"
    STANDARD = "STANDARD"
    RIGOROUS = "RIGOROUS"


class Question(StrEnum):
    """The six questions that are asked of an initiative."""

    FREQUENCY = "FREQUENCY"
    RECENCY = "RECENCY"
    SIZE = "SIZE"
    SERVICE_COST = "SERVICE_COST"
    RESPONSE = "RESPONSE"
    ACQUISITION_AND_RETENTION = "ACQUISITION_AND_RETENTION"


class Selection(StrEnum):
    """How the customers of an initiative were chosen."""

    EVERYONE = "EVERYONE"
    SEGMENT = "SEGMENT"
    LIST = "LIST"
    DEPARTMENTS = "DEPARTMENTS"


class MeasurementKind(StrEnum):
    """When a measurement was taken: before the baseline's length has passed, the first after it, or later.

    EXPLORATORY, whenever: it is of something that was chosen after the seal, and counts as none of them.
    """

    PRELIMINARY = "PRELIMINARY"
    FINAL = "FINAL"
    MONITORING = "MONITORING"
    EXPLORATORY = "EXPLORATORY"


class Missing(StrEnum):
    """Why a figure of money is not known."""

    NO_COST = "NO_COST"
    NO_COST_OF_GOODS = "NO_COST_OF_GOODS"
    NO_PURCHASES = "NO_PURCHASES"
    NO_EQUITY = "NO_EQUITY"
    NO_RATE = "NO_RATE"
    OTHER_CURRENCY = "OTHER_CURRENCY"
    # What the models that value customers lack has the names that it has there.
    NOT_FITTED = "NOT_FITTED"
    TOO_FEW_CUSTOMERS = "TOO_FEW_CUSTOMERS"
    TOO_FEW_REPEAT_CUSTOMERS = "TOO_FEW_REPEAT_CUSTOMERS"
    TOO_SHORT = "TOO_SHORT"
    NO_OPTIMUM = "NO_OPTIMUM"
    SPEND_NOT_INDEPENDENT = "SPEND_NOT_INDEPENDENT"


DEFAULT_MINIMUM_EFFECT = 0.02
"""A change below 2 % is too small to act upon, unless the seal says another."""


class GroupKind(StrEnum):
    """What customers of a group have in common."""

    SEGMENT = "SEGMENT"
    STAGE = "STAGE"


@dataclass(frozen=True, slots=True)
class GroupName:
    """Which segment, or which stage of the tenant's default lifecycle; labels are by language."""

    kind: GroupKind
    key: str
    labels: dict[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """The customers of a segment or a stage, as it was when the days began that are compared with."""

    name: GroupName
    members: Mask


@dataclass(frozen=True, slots=True, eq=False)
class Spent:
    """What the initiative cost on one local day, in minor units of the base currency; None: it waits for a rate."""

    day: int
    amount: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Equity:
    """What each customer was worth at the go-live and at the measurement, in minor units, by one version of a model.

    `margin` is the share of net revenue that it counts; 1 where cost of goods is not known.
    """

    before: Amounts
    after: Amounts
    version: int
    margin: float


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How an initiative is to be compared. Days are ordinals; masks have one truth per customer of the after-history.

    `go_live` is the first day of the initiative (t0), the baseline window is `[go_live - baseline_days, go_live)`, the
    after window `[go_live, measured_on)`. `treated` is the scope as frozen at the seal (None: everyone); `untouched`
    who was left alone (None: everyone else). `departments` says that whole departments were chosen, alone or beside
    others. `selected_on` is the day up to which the customers' behaviour could influence the selection. `seed` comes
    from the seal. `exploratory` are questions that were not sealed: they get no verdict. `sealed_on` and `read_on` are
    the days on which the sealed and the later figures were read. `groups` are looked through for windows of
    opportunity. `minor` is how many minor units make one of the currency; `size_cutoff` the amount above which
    purchases are winsorised (None: worked out anew).
    """

    go_live: int
    baseline_days: int
    measured_on: int
    tier: Tier
    seed: int
    kind: MeasurementKind = MeasurementKind.FINAL
    treated: Mask | None = None
    untouched: Mask | None = None
    selection: Selection = Selection.EVERYONE
    departments: bool = False
    selected_on: int | None = None
    questions: tuple[Question, ...] = tuple(Question)
    exploratory: frozenset[Question] = frozenset()
    minimum_effects: Mapping[Question, float] = field(default_factory=dict)
    sealed_on: int | None = None
    read_on: int | None = None
    acquisition_lag_weeks: int = 0
    spent: tuple[Spent, ...] = ()
    equity: Equity | Missing = Missing.NOT_FITTED
    groups: tuple[Group, ...] = ()
    minor: int = 100
    size_cutoff: float | None = None
    draws: int = 2000

    @property
    def baseline_begins(self) -> int:
        """The first day of the sealed baseline window."""
        return self.go_live - self.baseline_days

    @property
    def after_days(self) -> int:
        """The length of the after window (A)."""
        return self.measured_on - self.go_live

    def minimum_effect(self, question: Question) -> float:
        """The smallest change of this question that is worth being called one."""
        return self.minimum_effects.get(question, DEFAULT_MINIMUM_EFFECT)
