"""What a comparison found: immutable, and ready to be stored as JSON. Changes are fractions: -0.15 is -15 %."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from domain.initiatives.plans import GroupName, Missing, Question, Tier


class Verdict(StrEnum):
    """The answer to a question."""

    BETTER = "BETTER"
    WORSE = "WORSE"
    NO_EVIDENCE = "NO_EVIDENCE"


class Overall(StrEnum):
    """The answer to all questions together."""

    GOOD_FIT = "GOOD_FIT"
    SWITCH = "SWITCH"
    MIXED = "MIXED"
    NO_EVIDENCE = "NO_EVIDENCE"


class Reason(StrEnum):
    """Why a question has no answer."""

    NOT_MEASURED = "NOT_MEASURED"
    TOO_SMALL = "TOO_SMALL"
    TOO_FEW = "TOO_FEW"
    PLACEBO = "PLACEBO"
    PLACEBO_IMPOSSIBLE = "PLACEBO_IMPOSSIBLE"
    NO_OVERLAP = "NO_OVERLAP"
    PRE_TREND = "PRE_TREND"
    SELECTED_ON_BASELINE = "SELECTED_ON_BASELINE"
    FEW_UNITS = "FEW_UNITS"
    OPPOSED = "OPPOSED"
    EXPLORATORY = "EXPLORATORY"
    NO_RATE = "NO_RATE"


class Flag(StrEnum):
    """What weakens a baseline or a comparison without forbidding it."""

    RETROSPECTIVE = "RETROSPECTIVE"
    SEASONALITY = "SEASONALITY"
    IMMATURE = "IMMATURE"
    LATE = "LATE"
    LATE_DATA = "LATE_DATA"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"
    LOW_SAMPLE = "LOW_SAMPLE"
    BASELINE_TOO_SHORT = "BASELINE_TOO_SHORT"
    CEILING_RAISED = "CEILING_RAISED"
    SELECTED_ON_BASELINE = "SELECTED_ON_BASELINE"
    EXPLORATORY = "EXPLORATORY"
    UNKNOWN_COSTS = "UNKNOWN_COSTS"
    UNRATED_SALES = "UNRATED_SALES"
    UNRATED_COSTS = "UNRATED_COSTS"


class Method(StrEnum):
    """How the change was found: before and after, beside matched untouched customers, or by the weeks of a series."""

    BEFORE_AFTER = "BEFORE_AFTER"
    MATCHED = "MATCHED"
    TIME_SERIES = "TIME_SERIES"


class Measure(StrEnum):
    """What is measured for a question. Each question has one measure, the last one has two."""

    FREQUENCY = "FREQUENCY"
    RECENCY = "RECENCY"
    SIZE = "SIZE"
    SERVICE_COST = "SERVICE_COST"
    RESPONSE = "RESPONSE"
    ACQUISITION_COST = "ACQUISITION_COST"
    RETENTION_COST = "RETENTION_COST"

    @property
    def higher_is_better(self) -> bool:
        """Whether a rise is what a business wishes for."""
        return self in {Measure.FREQUENCY, Measure.SIZE, Measure.RESPONSE}


class Span(msgspec.Struct, frozen=True):
    """The local days `[first, last)`, as ordinals."""

    first: int
    last: int

    @property
    def days(self) -> int:
        """How many days these are."""
        return self.last - self.first


class Interval(msgspec.Struct, frozen=True):
    """Where a figure lies, as surely as the comparison says (95 % where it says nothing)."""

    low: float
    high: float

    def excludes(self, value: float) -> bool:
        """Whether the value lies outside."""
        return value < self.low or value > self.high


class Ratio(msgspec.Struct, frozen=True):
    """A value with what it is made of; the value is null where the denominator is zero, never zero."""

    value: float | None
    numerator: float
    denominator: float
    n: int


class Placebo(msgspec.Struct, frozen=True):
    """What the same method found where nothing was done: the changes at the fake go-lives, and at the true one."""

    changes: tuple[float, ...]
    at_go_live: float

    @property
    def low(self) -> float:
        """The deepest fall that came by itself."""
        return min(self.changes)

    @property
    def high(self) -> float:
        """The highest rise that came by itself."""
        return max(self.changes)


class Detectable(msgspec.Struct, frozen=True):
    """The smallest rise and the smallest fall that would have been seen four times out of five, both above 0.

    Without a fall none could have been seen: it would have to be of more than everything.
    """

    rise: float
    fall: float | None


class MeasureAnswer(msgspec.Struct, frozen=True):
    """One measure before and after, its change, and what may be said of it.

    `change` is the fraction by which `after` differs from `expected`, what the treated would have come to as the
    untouched or the weeks before tell; where nothing tells, from `before`. `interval` is its 95 % interval,
    `judged_interval` the wider one that the verdict rests on because several questions were asked.
    """

    measure: Measure
    before: Ratio
    after: Ratio
    expected: float | None
    change: float | None
    absolute: float | None
    interval: Interval | None
    judged_interval: Interval | None
    placebo: Placebo | None
    pre_trend: float | None
    verdict: Verdict | None
    reason: Reason | None
    detectable: Detectable | None


class QuestionAnswer(msgspec.Struct, frozen=True):
    """The answer to a question; no verdict at QUICK, nor, with EXPLORATORY, of what was chosen after the seal."""

    question: Question
    verdict: Verdict | None
    reason: Reason | None
    minimum_effect: float
    measures: tuple[MeasureAnswer, ...]


class Battery(msgspec.Struct, frozen=True):
    """The fake go-lives at which the same method was tried, and the length of the windows on both sides of them."""

    days: int
    go_lives: tuple[int, ...]


class Groups(msgspec.Struct, frozen=True):
    """How many customers the comparison rests on, in how many units that are drawn together, and who fell out.

    Untouched and unmatched are counted at RIGOROUS only.
    """

    treated: int
    treated_units: int
    treated_erased: int
    untouched: int | None = None
    untouched_units: int | None = None
    untouched_erased: int | None = None
    matched: int | None = None


class Figures(msgspec.Struct, frozen=True):
    """The plain figures of a window over the panel: what happened, without any claim."""

    span: Span
    active_customers: int
    occasions: int
    occasions_per_active: float | None
    size: float | None
    size_median: float | None
    size_winsorised: float | None
    units_per_occasion: float | None
    repeat_rate: float | None


class StartingPoint(msgspec.Struct, frozen=True):
    """How many of those with exactly one purchase bought again: in the baseline, in the compared window, and after."""

    baseline: Ratio
    before: Ratio
    after: Ratio
    change: float | None
    interval: Interval | None
    placebo: Placebo | None
    verdict: Verdict | None
    reason: Reason | None


class Estimate(msgspec.Struct, frozen=True):
    """A figure of money with its 95 % interval."""

    value: float
    interval: Interval


class PaidBack(msgspec.Struct, frozen=True):
    """The local day from which the gain stays above the cost, at the point and at both ends of the interval.

    Null: not within the days that were measured.
    """

    day: int | None
    earliest: int | None
    latest: int | None


class GainBasis(StrEnum):
    """What is taken off the net amount of purchases before it counts as a gain."""

    CONTRIBUTION = "CONTRIBUTION"
    NET_REVENUE = "NET_REVENUE"


class CustomerReturn(msgspec.Struct, frozen=True):
    """Return on customer, and the equity that it rests on at both ends: of those whom the initiative was for."""

    value: Estimate
    equity_before: float
    equity_after: float
    version: int


class Returns(msgspec.Struct, frozen=True):
    """What the initiative brought and cost, in minor units, and what follows from it.

    `shown_to_have_paid` is false as soon as the lower end of the return's interval is below zero. What cannot be known
    is null, with the reason beside it: no return and no payback without gain, cost, and cost of goods. NET_REVENUE says
    that the gain has the cost of goods in it, which is not known. The cost is null while any of it waits for a rate.
    """

    gain: Estimate | None
    gain_basis: GainBasis
    gain_missing: Missing | None
    cost: float | None
    roi: Estimate | None
    roi_missing: Missing | None
    payback: PaidBack | None
    return_on_customer: CustomerReturn | None
    return_on_customer_missing: Missing | None
    shown_to_have_paid: bool


class Spread(msgspec.Struct, frozen=True):
    """How a measure was spread over the customers of a panel: the value of all, and the customers at 0, 1 ... 100 %.

    `mean_log` and `sd_log` are of log(1 + value), the value in the unit in which it is shown.
    """

    mean: float | None
    n: int
    quantiles: tuple[float, ...]
    mean_log: float | None
    sd_log: float | None


class Spreads(msgspec.Struct, frozen=True):
    """How a measure was spread before and after: what a single customer is placed in."""

    measure: Measure
    before: Spread
    after: Spread


class Alike(msgspec.Struct, frozen=True):
    """The customers left alone who had bought alike: so often in the baseline, and so often in its last half."""

    occasions: int
    recent: int
    customers: int
    before: dict[Measure, float | None]
    after: dict[Measure, float | None]


class Opportunity(msgspec.Struct, frozen=True):
    """A window of opportunity: a group that is worse than it was itself, or than the other groups, in one measure.

    `others` is the mean of the other groups; `at_stake` what a year brings more when the group comes up to the mean of
    all, in minor units, of what `basis` says; null where the measure has no price.
    """

    group: GroupName
    measure: Measure
    customers: int
    value: float
    baseline: float | None
    others: float | None
    worse_than_baseline: bool
    worse_than_others: bool
    p_value: float
    at_stake: float | None
    basis: GainBasis


class Bought(msgspec.Struct, frozen=True):
    """Purchases of some customers, and what they were worth in minor units, by week; null while any of it waits."""

    customers: int
    occasions: tuple[float, ...]
    amount: tuple[float | None, ...]


class Weekly(msgspec.Struct, frozen=True):
    """The whole weeks of those who are compared, counted from go-live: week 0 begins on it, `first` is the first one.

    It is the first of the baseline, or of the compared days where these begin earlier: all were customers by then.

    `anyway` is what each week from week 0 on would have come to by what the answer on frequency compares it with; empty
    where there is nothing to compare with.
    """

    first: int
    treated: Bought
    anyway: tuple[float, ...]


class Comparison(msgspec.Struct, frozen=True):
    """Everything that a measurement found. `overall` is null unless it is the FINAL one, and always at QUICK.

    `baseline` is the sealed window, `before` the days that `after` is compared with; `retained` bought in the baseline
    and after. The figures and spreads are of the treated; `alike` is empty where nobody left alone was compared with.
    The windows of opportunity are of all customers, in order of their worth.
    """

    tier: Tier
    method: Method
    baseline: Span
    before: Span
    after: Span
    groups: Groups
    figures_baseline: Figures
    figures_before: Figures
    figures_after: Figures
    retained: int
    answers: tuple[QuestionAnswer, ...]
    overall: Overall | None
    battery: Battery | None
    starting_point: StartingPoint | None
    returns: Returns | None
    opportunities: tuple[Opportunity, ...]
    spreads: tuple[Spreads, ...]
    alike: tuple[Alike, ...]
    weekly: Weekly
    flags: tuple[Flag, ...]

    def answer(self, question: Question) -> QuestionAnswer:
        """The answer to this question. Raises KeyError when it was not asked."""
        return {answer.question: answer for answer in self.answers}[question]
