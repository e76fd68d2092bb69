"""Initiatives over GraphQL: what the business did, what was sealed before it, and whether it made things better."""

from datetime import date
from enum import Enum
from typing import Any

import orjson
import strawberry

from api import ids
from api.expose import Node, amount, column, describe, embedded, entry, expose, listing, many, one, page_of, part
from api.reading import Reader, label
from api.reads.completion import loads
from api.reads.mapping import Argument, Sought
from api.reads.mapping import Order as By
from domain.initiatives import findings, individually, model, plans, queries, report, telling
from domain.initiatives.model import InitiativeKind, InitiativeStatus
from domain.metrics.reading import Snapshot

SCOPE = "metrics:read"


def _named(enum: type[Enum], name: str, **words: str) -> None:
    """An enum under a name that stands for itself in the whole schema."""
    made: Any = describe(enum, **words)
    made.__strawberry_definition__.name = name


describe(InitiativeKind, CRM_ROLLOUT="A system or a way of working was introduced.", OTHER="Anything else.")
describe(
    InitiativeStatus,
    PLANNED="Its baseline is not sealed yet.",
    SEALED="Its baseline is sealed; it waits to be measured.",
    MEASURED="It was measured at least once.",
)
_named(
    plans.Tier,
    "MeasurementTier",
    QUICK="The change and its direction beside what happens anyway; no verdict.",
    STANDARD="Before and after, judged beside fake go-lives of earlier times.",
    RIGOROUS="Beside customers like them who were left alone; without any, by the weeks of a series.",
)
_named(
    plans.Question,
    "InitiativeQuestion",
    FREQUENCY="Do customers buy more often?",
    RECENCY="Did they buy more recently?",
    SIZE="Are their purchases larger?",
    SERVICE_COST="Do they cost less to serve?",
    RESPONSE="Do they respond better to marketing?",
    ACQUISITION_AND_RETENTION="Do winning and keeping customers cost less?",
)
_named(
    plans.Selection,
    "ScopeSelection",
    EVERYONE="It is for everybody.",
    SEGMENT="By segments, as they were when the baseline began.",
    LIST="By hand, one by one.",
    DEPARTMENTS="All customers of some departments.",
)
_named(
    plans.MeasurementKind,
    "MeasurementKind",
    PRELIMINARY="Before as many days have passed as the baseline has.",
    FINAL="The first one after that; it alone has an overall verdict.",
    MONITORING="Any later one.",
    EXPLORATORY="Of segments or at a tier chosen after the seal: it counts as none of the others and has no verdict.",
)
_named(
    findings.Verdict,
    "Verdict",
    BETTER="It got better, and not by chance.",
    WORSE="It got worse, and not by chance.",
    NO_EVIDENCE="Nothing shows that anything changed.",
)
_named(
    findings.Overall,
    "OverallVerdict",
    GOOD_FIT="Something got better and nothing worse.",
    SWITCH="Something got worse and nothing better.",
    MIXED="Some things got better and others worse.",
    NO_EVIDENCE="Nothing shows that anything changed.",
)
_named(
    findings.Reason,
    "NoEvidenceReason",
    NOT_MEASURED="There is nothing to measure it by.",
    TOO_SMALL="The change is smaller than what matters, or than what chance brings.",
    TOO_FEW="There are too few customers or weeks.",
    PLACEBO="The same comparison shows as much where nothing was done.",
    PLACEBO_IMPOSSIBLE="The sealed history is too short to try the comparison where nothing was done.",
    NO_OVERLAP="Those chosen were like nobody who was left alone.",
    PRE_TREND="Those chosen went another way than the others before it began.",
    SELECTED_ON_BASELINE="Customers were chosen by what they did inside the baseline.",
    FEW_UNITS="There are fewer than five departments on a side.",
    OPPOSED="Two measures of the question went opposite ways.",
    EXPLORATORY="It was chosen after the seal. There is no verdict at all, not even that there is no evidence.",
    NO_RATE="More than 1 % of the days with purchases, or any cost, wait for an exchange rate.",
)
_named(
    findings.Flag,
    "MeasurementFlag",
    RETROSPECTIVE="The baseline was sealed after go-live.",
    SEASONALITY="Other parts of the year are compared.",
    IMMATURE="The latest days were read at a younger age than the sealed ones.",
    LATE="Measuring began after the slowest repeat purchasers had time to come again.",
    LATE_DATA="Something of the days before go-live became known after the seal; see `lateOccasions`.",
    INSUFFICIENT_DATA="Nobody bought twice within the baseline: no date follows from it.",
    LOW_SAMPLE="Fewer than ten customers buy repeatedly.",
    BASELINE_TOO_SHORT="Some gaps between purchases are longer than half of the baseline.",
    CEILING_RAISED="The ceiling of the wait was raised to its floor.",
    SELECTED_ON_BASELINE="Customers were chosen by what they did inside the baseline.",
    EXPLORATORY="Something was chosen after the seal; it has no verdict.",
    UNKNOWN_COSTS="The cost of some goods is not known; see `gainBasis`.",
    UNRATED_SALES="Some sales wait for an exchange rate; they are in no amount.",
    UNRATED_COSTS="Some costs wait for an exchange rate; what rests on them is not told.",
)
_named(
    plans.GroupKind,
    "OpportunityGroup",
    SEGMENT="A segment.",
    STAGE="A stage of the default lifecycle.",
)
_named(
    plans.Missing,
    "ReturnMissingReason",
    NO_COST="No cost of the initiative is recorded.",
    NO_COST_OF_GOODS="Of more than half of what was bought it is not known what the goods cost.",
    NO_PURCHASES="Nothing was bought on one of the sides.",
    NO_EQUITY="The customers were worth nothing at the go-live.",
    NO_RATE="More than 1 % of the days with purchases, a cost of service or one of the initiative waits for a rate.",
    OTHER_CURRENCY="The customers were valued in another currency than that of the seal.",
    NOT_FITTED="No worker has fitted a model of buying yet.",
    TOO_FEW_CUSTOMERS="Too few customers have bought.",
    TOO_FEW_REPEAT_CUSTOMERS="Too few customers have bought again.",
    TOO_SHORT="Too little time has gone by since the first purchases.",
    NO_OPTIMUM="No parameters of the model are likelier than all others.",
    SPEND_NOT_INDEPENDENT="How much customers spend goes with how often they buy, which the model rules out.",
)
_named(
    individually.IndividualState,
    "IndividualState",
    COMPARED="He was compared.",
    NOT_MEASURED="The initiative was not measured yet, or before customers could be placed.",
    NOT_SEALED="He was first seen after the baseline was sealed.",
    OUT_OF_SCOPE="The initiative was not for him.",
    ERASED="He was erased.",
)
_named(
    findings.GainBasis,
    "GainBasis",
    CONTRIBUTION="Cost of goods and of service.",
    NET_REVENUE="Cost of service; of more than half of what was bought it is not known what the goods cost.",
)
_named(
    findings.Method,
    "ComparisonMethod",
    BEFORE_AFTER="Before and after.",
    MATCHED="Beside customers like them who were left alone.",
    TIME_SERIES="By the level and the slope of a weekly series.",
)
_named(
    findings.Measure,
    "InitiativeMeasure",
    FREQUENCY="Days with a purchase in a year of each customer.",
    RECENCY="Days from the last purchase to the end of the window, at most its length.",
    SIZE="What a purchase is worth.",
    SERVICE_COST="What serving a customer costs in a year.",
    RESPONSE="Campaigns answered, of those delivered.",
    ACQUISITION_COST="What winning a customer costs.",
    RETENTION_COST="What keeping a customer costs.",
)


class MeasureUnit(Enum):
    """What a measure is counted in."""

    PER_YEAR = "PER_YEAR"
    DAYS = "DAYS"
    SHARE = "SHARE"
    MONEY = "MONEY"


describe(MeasureUnit, MONEY="Units of the measurement's currency.", SHARE="A fraction of 1.")


def _kept(annotation: Any, name: str, description: str, *, null: bool = True) -> Any:
    return entry(annotation, name, null=null, description=description)


def _inside(target: str, name: str, description: str, *, null: bool = True) -> Any:
    return embedded(f"initiatives.{target}", name, many=False, null=null, description=description)


@expose()
class Span:
    """Local days, from the first up to but without the end."""

    start = _kept(date, "start", "The first day.", null=False)
    end = _kept(date, "end", "The first day after it.", null=False)


@expose()
class Range:
    """Where a figure lies."""

    low = _kept(float, "low", "The lower end.", null=False)
    high = _kept(float, "high", "The upper end.", null=False)


@expose()
class Ratio:
    """A value with what it is made of; null, never zero, where there is nothing to divide by."""

    value = _kept(float, "value", "The value.")
    numerator = _kept(float, "numerator", "What is divided.", null=False)
    denominator = _kept(float, "denominator", "What it is divided by.", null=False)
    n = _kept(int, "n", "How many customers, or weeks, are in it.", null=False)


@expose()
class Placebo:
    """What the same comparison finds where nothing was done."""

    changes = _kept(list[float], "changes", "The changes at the fake go-lives, the latest first.", null=False)
    low = _kept(float, "low", "The deepest fall that came by itself.", null=False)
    high = _kept(float, "high", "The highest rise that came by itself.", null=False)
    at_go_live = _kept(
        float, "at_go_live", "The change at the true go-live, with windows of the same length.", null=False
    )


@expose()
class Detectable:
    """The smallest changes that would have been seen four times out of five; fractions above 0."""

    rise = _kept(float, "rise", "The smallest rise.", null=False)
    fall = _kept(float, "fall", "The smallest fall; null where none could have been seen, not even of everything.")


@expose()
class Battery:
    """The fake go-lives at which a comparison was tried."""

    days = _kept(int, "days", "How long the windows on both sides are.", null=False)
    go_lives = _kept(list[date], "go_lives", "The first days after each.", null=False)


@expose()
class ComparedCustomers:
    """How many customers a measurement rests on; those left alone are counted where they are compared with."""

    treated = _kept(int, "treated", "Customers whom it was for and who had bought before the baseline.", null=False)
    treated_units = _kept(int, "treated_units", "They, with an organisation and its people as one.", null=False)
    treated_erased = _kept(int, "treated_erased", "Those of them who were erased since; they are left out.", null=False)
    untouched = _kept(int, "untouched", "Customers who were left alone.")
    untouched_units = _kept(int, "untouched_units", "They, with an organisation and its people as one.")
    untouched_erased = _kept(int, "untouched_erased", "Those of them who were erased since; they are left out.")
    matched = _kept(int, "matched", "Treated customers who found somebody like them.")


@expose()
class PanelFigures:
    """What the customers of a measurement did in a window: plain figures, no claim."""

    active_customers = _kept(int, "active_customers", "Those who bought.", null=False)
    occasions = _kept(int, "occasions", "Their purchases: distinct customers and days.", null=False)
    occasions_per_active = _kept(float, "occasions_per_active", "Purchases of each who bought.")
    units_per_occasion = _kept(float, "units_per_occasion", "Units of each purchase.")
    repeat_rate = _kept(float, "repeat_rate", "Of those who bought, the share who did so twice or more.")


@expose()
class StartingPoint:
    """How many of those with exactly one purchase bought again: in the baseline, in the compared window, and after."""

    baseline = _inside("Ratio", "baseline", "In the baseline.", null=False)
    before = _inside("Ratio", "before", "In the window that is compared with.", null=False)
    after = _inside("Ratio", "after", "After go-live.", null=False)
    change = _kept(float, "change", "The change, a fraction.")
    interval = _inside("Range", "interval", "Where the change lies (95 %).")
    placebo = _inside("Placebo", "placebo", "What the same comparison finds where nothing was done.")
    verdict = _kept(findings.Verdict, "verdict", "What may be said of it.")
    reason = _kept(findings.Reason, "reason", "Why there is no evidence.")


@expose()
class Returns:
    """What an initiative brought and cost, with the ends of each 95 % interval."""

    cost = amount("cost", "currency", description="What it cost; null while any of it waits for a rate.")
    gain = amount("gain", "currency", description="What it brought beyond what was to be expected.")
    gain_low = amount("gain_low", "currency", description="The lower end of it.")
    gain_high = amount("gain_high", "currency", description="The upper end of it.")
    gain_basis = _kept(findings.GainBasis, "gain_basis", "What is taken off before it counts as a gain.")
    gain_missing = _kept(plans.Missing, "gain_missing", "Why the gain is not known.")
    roi = _kept(float, "roi", "Return on investment: (gain - cost) / cost.")
    roi_low = _kept(float, "roi_low", "The lower end of it.")
    roi_high = _kept(float, "roi_high", "The upper end of it.")
    roi_missing = _kept(plans.Missing, "roi_missing", "Why the return is not known.")
    return_on_customer = _kept(float, "return_on_customer", "(Cash from customers + change of equity) / equity before.")
    return_on_customer_low = _kept(float, "return_on_customer_low", "The lower end of it.")
    return_on_customer_high = _kept(float, "return_on_customer_high", "The upper end of it.")
    return_on_customer_missing = _kept(plans.Missing, "return_on_customer_missing", "Why it is not known.")
    equity_before = amount(
        "equity_before", "currency", description="What the customers whom it was for were worth at the go-live."
    )
    equity_after = amount("equity_after", "currency", description="The same at the end of what was measured.")
    equity_model = _kept(int, "equity_model", "Which version of the model of buying valued both.")
    payback_on = _kept(date, "payback_on", "The day from which the gain stays above the cost.")
    payback_earliest = _kept(date, "payback_earliest", "The earliest that this day may be.")
    payback_latest = _kept(date, "payback_latest", "The latest that this day may be.")
    shown_to_have_paid = _kept(bool, "shown_to_have_paid", "Whether even the lower end of the return is not below 0.",
                               null=False)  # fmt: skip


@expose()
class WindowOfOpportunity:
    """A segment or stage that is worse in a measure than it was itself, or than the other groups.

    Who is in it was decided when the compared days began. At most one in ten of all windows is there by chance.
    """

    group = _kept(plans.GroupKind, "kind", "What the customers have in common.", null=False)
    key = _kept(str, "key", "The key of the segment or stage.", null=False)
    name = entry(str, "labels", finish=label, description="What people call it.")
    measure = _kept(findings.Measure, "measure", "In what it is worse.", null=False)
    unit = _kept(MeasureUnit, "unit", "What that is counted in.", null=False)
    customers = _kept(int, "customers", "How many customers it rests on, 30 or more.", null=False)
    value = _kept(float, "value", "What it is in the days that were measured.", null=False)
    baseline = _kept(float, "baseline", "What it was in the days that are compared with.")
    others = _kept(float, "others", "What it is in the other groups, by their customers.")
    worse_than_baseline = _kept(bool, "worse_than_baseline", "Whether it is worse than before.", null=False)
    worse_than_others = _kept(bool, "worse_than_others", "Whether it is worse than the others.", null=False)
    p_value = _kept(float, "p_value", "How often chance alone would make it as much worse.", null=False)
    at_stake = amount(
        "at_stake", "currency",
        description="What a year brings more when it comes up to the mean of all groups; null where that has no price.",
    )  # fmt: skip
    basis = _kept(findings.GainBasis, "basis", "What is taken off before it counts as at stake.", null=False)


@expose()
class Gaps:
    """The gaps between purchases of repeat purchasers within the baseline, from which the wait follows; in days."""

    repeat_purchasers = _kept(int, "repeat_purchasers", "Customers who bought twice or more.", null=False)
    top_decile = _kept(int, "top_decile", "The tenth of them who bought most often.", null=False)
    median_gap = _kept(float, "median_gap", "The median of the top decile's mean gaps.", null=False)
    mean_gap = _kept(float, "mean_gap", "Their mean.", null=False)
    largest_gap = _kept(float, "largest_gap", "The largest of them.", null=False)
    floor_days = _kept(int, "floor_days", "Rule 1: the median in whole days.", null=False)
    floor_days_strict = _kept(int, "floor_days_strict", "Rule 1, strictly: the largest in whole days.", null=False)
    ceiling_days = _kept(int, "ceiling_days", "Rule 2: the gap of the slowest of all.", null=False)
    ceiling_days_robust = _kept(int, "ceiling_days_robust", "Rule 2, robustly: the 95th percentile.", null=False)


@expose(model.BaselineSnapshot)
class WaitingWindow:
    """When an initiative can be measured, and when that counts."""

    earliest_measurement_on = column(description="Before it no measurement is taken; null where nobody bought twice.")
    preliminary_begin_by = column(description="A first measurement after it is late; null where nobody bought twice.")
    final_on = column(
        date, sql="case when {t}.waiting is not null then {t}.final_on end", null=True,
        description="The first measurement from it on is the final one; null where nobody bought twice.",
    )  # fmt: skip
    gaps = embedded(
        "initiatives.Gaps", "{t}.waiting", many=False, null=True,
        description="Where the dates come from; null where nobody bought twice: insufficient data.",
    )  # fmt: skip
    flags = column(
        list[findings.Flag],
        sql="array(select jsonb_array_elements_text(coalesce({t}.waiting -> 'flags', '[\"INSUFFICIENT_DATA\"]')))",
        description="What weakens these dates.",
    )


@expose()
class SealedDefinition:
    """The version of a metric's definition that was in force when a baseline was sealed."""

    metric = _kept(str, "metric", "The key of the metric.", null=False)
    version = _kept(int, "version", "The version of its definition.", null=False)


_DEFINITIONS = (
    "(select coalesce(jsonb_agg(jsonb_build_object('metric', x.key, 'version', x.value) order by x.key collate \"C\"),"
    " '[]') from jsonb_each({t}.definition_versions) as x)"
)


@expose(model.BaselineSnapshot, prefix="bas", by_id="baseline.seals {t} where {t}.tenant_id = $1 and {t}.id = {k}",
        scope=SCOPE)  # fmt: skip
class Baseline(Node):
    """What was known before an initiative, sealed for good."""

    sealed_at = column()
    watermark = column()
    time_zone = column()
    go_live_on = column()
    first_day = column()
    baseline_days = column()
    tier = column(plans.Tier)
    selection = column(plans.Selection)
    selected_on = column()
    treated = column()
    customers = column()
    days = column()
    questions = column(list[plans.Question])
    is_retrospective = column()
    paid_only = column()
    seed = column(str, sql="{t}.seed::text", description="Where the random draws of every comparison begin.")
    size_cutoff = amount(
        "{t}.size_cutoff", "{t}.currency", description="The 99th percentile of purchases; larger ones count as it."
    )
    head = column(
        str, sql="encode({t}.head, 'hex')", description="The last hash of the chain; keep it to prove the rest."
    )
    definitions = embedded(
        "initiatives.SealedDefinition", _DEFINITIONS, description="The metrics that the questions rest on, by key."
    )
    waiting = part("initiatives.WaitingWindow", description="When the initiative can be measured.")


@expose(model.Verdict)
class InitiativeAnswer:
    """The answer to one question."""

    question = column(plans.Question)
    verdict = column(findings.Verdict)
    reason = column(findings.Reason)
    minimum_effect = column(float, description="The smallest change that was called one before; a fraction.")


def _of_measure(target: str, name: str, description: str, *, null: bool = True) -> Any:
    return embedded(
        f"initiatives.{target}", f"nullif({{t}}.details -> '{name}', 'null')", many=False, null=null,
        description=description,
    )  # fmt: skip


def _figure(name: str, description: str) -> Any:
    return column(float, sql=f"({{t}}.details ->> '{name}')::float8", null=True, description=description)


@expose(model.Comparison)
class MeasureComparison:
    """One measure before and after, its change, and what may be said of it."""

    measure = column(findings.Measure)
    question = column(plans.Question)
    unit = column(MeasureUnit, sql="{t}.details ->> 'unit'", description="What it is counted in.")
    before = _of_measure("Ratio", "before", "In the window that is compared with.", null=False)
    after = _of_measure("Ratio", "after", "After go-live.", null=False)
    expected = _figure("expected", "What it would have come to, as the customers left alone or the weeks before tell.")
    change = column()
    absolute = _figure("absolute", "The change in the measure's unit.")
    interval = _of_measure("Range", "interval", "Where the change lies (95 %).")
    judged_interval = _of_measure("Range", "judged_interval", "The wider one for several questions at once.")
    placebo = _of_measure("Placebo", "placebo", "What the same comparison finds where nothing was done.")
    pre_trend = _figure("pre_trend", "The same at a fake go-live in the middle of the baseline, in standard errors.")
    detectable = _of_measure("Detectable", "detectable", "The smallest change that could have been seen.")
    verdict = column(findings.Verdict)
    reason = column(findings.Reason)


def _found(target: str, name: str, description: str, *, null: bool = True) -> Any:
    return embedded(
        f"initiatives.{target}", f"nullif({{t}}.findings -> '{name}', 'null')", many=False, null=null,
        description=description,
    )  # fmt: skip


@expose()
class MeasuredWeek:
    """What those who are compared bought in a week: a bar of the picture, and where the line beside it stands."""

    number = _kept(int, "number", "Counted from go-live: week 0 begins on it, week -1 ends before it.", null=False)
    starts_on = _kept(date, "starts_on", "The first day of the week.", null=False)
    purchases = _kept(int, "purchases", "Their purchases: distinct customers and days.", null=False)
    amount = amount(
        "amount",
        "currency",
        description="What they came to, less what was returned; null while any of it waits for a rate.",
    )
    anyway = _kept(
        float, "anyway",
        "How many purchases would have come anyway, by what the answer on frequency compares with: the days before, "
        "the same week of the year before, a line that is prolonged, or those left alone who were matched. Null "
        "before go-live, and where there is nothing to compare with.",
    )  # fmt: skip


_WEEKS = (
    "(select coalesce(jsonb_agg(jsonb_build_object('number', w.number, 'starts_on', {t}.starts_on + 7 * w.number,"
    " 'purchases', w.purchases::numeric::int, 'currency', {t}.currency,"
    " 'amount', round(({t}.weekly -> 'treated' -> 'amount' ->> w.place)::numeric),"
    " 'anyway', case when w.number >= 0 then {t}.weekly -> 'anyway' -> w.number end)"
    " order by w.number), '[]') from (select x.value as purchases, x.place::int - 1 as place,"
    " ({t}.weekly ->> 'first')::int + x.place::int - 1 as number from jsonb_array_elements("
    "{t}.weekly -> 'treated' -> 'occasions') with ordinality as x(value, place)) as w)"
)


def _written(stored: Any, reader: Reader) -> str:
    return report.page(loads(stored), reader.language)


@expose(model.Measurement, prefix="mea", scope=SCOPE)
class Measurement(Node):
    """What was found when an initiative was measured."""

    number = column()
    kind = column(plans.MeasurementKind)
    measured_at = column()
    watermark = column()
    starts_on = column()
    ends_on = column()
    is_late = column()
    tier = column(plans.Tier)
    overall = column(findings.Overall)
    flags = column(list[findings.Flag])
    next_on = column()
    method = column(findings.Method, sql="{t}.findings ->> 'method'", description="How the changes were found.")
    late_occasions = column()
    late_amount = amount(
        "{t}.late_amount", "{t}.currency", null=False,
        description="What they are worth, as far as exchange rates are known.",
    )  # fmt: skip
    late_unrated = column(
        int, sql="coalesce(({t}.findings ->> 'late_unrated')::int, 0)",
        description="How many documents of them wait for an exchange rate: they are in no amount.",
    )  # fmt: skip
    baseline_window = _found("Span", "baseline", "The sealed baseline.", null=False)
    before_window = _found("Span", "before", "The days that are compared with.", null=False)
    customers = _found("ComparedCustomers", "groups", "Whom it rests on.", null=False)
    figures_baseline = _found("PanelFigures", "figures_baseline", "What they did in the baseline.", null=False)
    figures_before = _found("PanelFigures", "figures_before", "What they did in the compared window.", null=False)
    figures_after = _found("PanelFigures", "figures_after", "What they did after go-live.", null=False)
    battery = _found("Battery", "battery", "The fake go-lives; null where there are none.")
    starting_point = _found("StartingPoint", "starting_point", "How many one-time buyers bought again.")
    returns = _found("Returns", "returns", "What it brought and cost; null where that cannot be known.")
    weeks = embedded(
        "initiatives.MeasuredWeek", _WEEKS,
        description="The whole weeks of those who are compared, since the baseline or the compared days began.",
    )  # fmt: skip
    opportunities = embedded(
        "initiatives.WindowOfOpportunity", "coalesce({t}.findings -> 'opportunities', '[]')",
        description="Windows of opportunity: where customers could do better, the most money at stake first.",
    )  # fmt: skip
    answers = listing(
        "initiatives.InitiativeAnswer", "verdicts {t} where {t}.tenant_id = $1", order="{t}.position", keys="{p}.id",
        link="measurement_id", description="The answer to each question.",
    )  # fmt: skip
    comparisons = listing(
        "initiatives.MeasureComparison", "comparisons {t} where {t}.tenant_id = $1", order="{t}.position",
        keys="{p}.id", link="measurement_id", description="The measures behind the answers.",
    )  # fmt: skip
    report = column(
        str, sql=f"({queries.TOLD.format(tenant='$1', measurement='{t}.id')})", finish=_written,
        description="All of it as a page for people, in Markdown, without pictures; `weeks` has the figures of one.",
    )  # fmt: skip


@expose(model.Initiative, prefix="ini", scope=SCOPE)
class Initiative(Node):
    """Something the business did, or is about to do, and whether it made things better."""

    name = column()
    kind = column(InitiativeKind)
    status = column(InitiativeStatus)
    go_live_on = column()
    baseline_days = column()
    tier = column(plans.Tier)
    questions = column(list[plans.Question])
    paid_only = column()
    strict_floor = column()
    robust_ceiling = column()
    chosen_customers = column(
        int, sql="cardinality({t}.customer_ids)", description="How many customers were chosen by hand."
    )
    segments = listing(
        "segments.Segment", "segments {t} where {t}.tenant_id = $1", order="{t}.key", keys="{p}.segment_ids", link="id",
        description="The segments that it is for.",
    )  # fmt: skip
    departments = listing(
        "departments.Department", "departments {t} where {t}.tenant_id = $1", order="{t}.key",
        keys="{p}.department_ids", link="id", scope="customers:read", description="The departments that do it.",
    )  # fmt: skip
    baseline = one(
        "initiatives.Baseline", "baseline.seals {t} where {t}.tenant_id = $1 and {t}.initiative_id = {p}.id",
        description="Its sealed baseline; null before it is sealed.",
    )  # fmt: skip
    measurements = listing(
        "initiatives.Measurement", "measurements {t} where {t}.tenant_id = $1", order="{t}.number", keys="{p}.id",
        link="initiative_id", description="What was found, the first measurement first.",
    )  # fmt: skip
    created_at = column()
    updated_at = column()
    version = column()


@expose()
class IndividualValue:
    """A value of one customer in a window, beside the customers of the measurement."""

    value = _kept(float, "value", "His value; null where it is not known, such as a rate over less than 30 days.")
    mean = _kept(float, "mean", "That of all of them together.")
    percentile = _kept(float, "percentile", "How many in a hundred have less; of equals half counts.")
    z = _kept(float, "z", "How far log(1 + value) lies above the mean, in standard deviations; from 30 customers on.")


@expose()
class IndividualMeasure:
    """One measure of one customer, before and after."""

    measure = _kept(findings.Measure, "measure", "What is compared.", null=False)
    unit = _kept(MeasureUnit, "unit", "What it is counted in.", null=False)
    before = _inside("IndividualValue", "before", "In the window that is compared with.", null=False)
    after = _inside("IndividualValue", "after", "After go-live.", null=False)
    change = _kept(float, "change", "His change, a fraction.")
    usual = _inside("Range", "usual", "How much he changed at the fake go-lives, when nothing was done.")
    alike_before = _kept(
        float, "alike_before", "What those came to who were left alone and had bought as he had: before."
    )
    alike_after = _kept(float, "alike_after", "The same after go-live.")


@expose()
class IndividualComparison:
    """One customer before and after an initiative: beside himself and beside the mean. It is no evidence."""

    state = column(individually.IndividualState, sql="{t}.state", description="Whether he was compared, or why not.")
    measurement = column(
        int, sql="{t}.measurement", null=True, description="The number of the measurement whose days are compared."
    )
    currency = column(str, sql="{t}.currency", null=True, description="The currency of amounts.")
    before_window = embedded(
        "initiatives.Span", "{t}.before", many=False, null=True, description="The days that are compared with."
    )
    after_window = embedded(
        "initiatives.Span", "{t}.after", many=False, null=True, description="The days since go-live."
    )
    measures = embedded(
        "initiatives.IndividualMeasure", "{t}.measures", description="Each measure; empty where he was not compared."
    )


_INDIVIDUAL = (
    "(select r.* from tenants b, jsonb_to_record({found}) as r(state text, measurement int, currency text,"
    " before jsonb, after jsonb, measures jsonb) where b.tenant_id = $1 and r.state is not null) {t} where true"
)


async def _individual(sought: Sought) -> str:
    snapshot = Snapshot(sought.connection, sought.tenant_id, sought.reader.now)
    initiative, customer = (
        ids.reader("ini")(sought.arguments["initiative"]),
        ids.reader("cus")(sought.arguments["customer"]),
    )
    found = await individually.compared(snapshot, initiative, customer)
    return orjson.dumps(_told(found)).decode()


def _told(of: individually.Individual | None) -> dict[str, Any]:
    """The row that is shown; where there is nothing to show, one without a state."""
    if of is None:
        return {}
    return {
        "state": of.state,
        "measurement": of.number,
        "currency": of.currency,
        "before": _span(of.before),
        "after": _span(of.after),
        "measures": [telling.individual(each, of.currency or "") for each in of.answers],
    }


def _span(of: findings.Span | None) -> dict[str, Any] | None:
    return None if of is None else {"start": telling.day(of.first), "end": telling.day(of.last)}


InitiativeConnection = page_of(Initiative, "initiatives")


class Queries:
    """What the root offers of initiatives."""

    individual_comparison = one(
        "initiatives.IndividualComparison", _INDIVIDUAL, find=_individual, scope=SCOPE,
        arguments={
            "initiative": Argument(strawberry.ID, "The initiative."),
            "customer": Argument(strawberry.ID, "The customer, by any id that he ever had."),
        },
        description="One customer before and after an initiative, as measured last; null where either is not known.",
    )  # fmt: skip
    initiatives = many(
        "initiatives.Initiative", "initiatives {t} where {t}.tenant_id = $1",
        orders={"ID": By("{t}.id", "id")}, default=(("ID", True),), scope=SCOPE,
        description="What the business did to make things better, the newest first.",
    )  # fmt: skip
