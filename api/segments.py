"""Segments over GraphQL: who belongs together, since when, why, and how fresh that is."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import strawberry

from api import filters, ids, reading
from api.expose import Node, column, computed, describe, embedded, entry, expose, many, one, page_of
from api.reads.mapping import Condition, Order
from api.survivors import survivor
from domain.interactions.model import InteractionKind
from domain.segments import criteria, model, queries, templates
from domain.stages.rules import CanonicalStep

READ = "metrics:read"

describe(
    model.SegmentRole,
    STARTING_POINT="What success is measured from, such as one-time buyers.",
    MEASURED="What is watched over time.",
    TARGET="Where customers shall come to.",
)
describe(model.MembershipChange, ENTER="The customer came in.", EXIT="The customer went out.")
describe(criteria.Since)


class CriterionType(StrEnum):
    """What a condition of a segment asks about, or why somebody went out of it."""

    ALL = "ALL"
    ANY_OF = "ANY_OF"
    NOT = "NOT"
    KIND_IS = "KIND_IS"
    COUNTRY_IS = "COUNTRY_IS"
    ATTRIBUTE_IS = "ATTRIBUTE_IS"
    OCCASIONS = "OCCASIONS"
    INTERACTIONS = "INTERACTIONS"
    SPENT = "SPENT"
    DAYS_SINCE = "DAYS_SINCE"
    LIFE_SPAN = "LIFE_SPAN"
    IN_STAGE = "IN_STAGE"
    ENTERED_STAGE = "ENTERED_STAGE"
    METRIC = "METRIC"
    IN_SEGMENT = "IN_SEGMENT"
    MERGED = "MERGED"
    ERASED = "ERASED"
    ARCHIVED = "ARCHIVED"


describe(
    CriterionType,
    ALL="Every one of the conditions below it.",
    ANY_OF="At least one of the conditions below it.",
    NOT="Not the condition below it.",
    OCCASIONS="How many days with a purchase.",
    SPENT="What was bought less what was given back.",
    DAYS_SINCE="How many days ago something first or last happened.",
    LIFE_SPAN="How many days from the first purchase to the last one.",
    MERGED="The customer was merged into another one.",
    ERASED="The customer was erased.",
    ARCHIVED="The segment was given up.",
)


def _flat(tree: Mapping[str, Any], path: str = "") -> Iterator[dict[str, Any]]:
    """The conditions of a tree, each before those below it, with the way to it."""
    parts = tree.get("of", [])
    yield {**{name: value for name, value in tree.items() if name != "of"}, "path": path}
    for place, each in enumerate(parts if isinstance(parts, list) else [parts]):
        yield from _flat(each, f"{path}.{place}" if path else str(place))


def _conditions(stored: Any, _reader: Any) -> list[dict[str, Any]]:
    return list(_flat(stored))


def _reasons(stored: Sequence[Mapping[str, Any]], _reader: Any) -> list[dict[str, Any]]:
    """The conditions in the end, a denied one with its mark."""
    return [
        {**reason["of"], "isDenied": True, "path": ""} if reason["type"] == "not" else {**reason, "path": ""}
        for reason in stored
    ]


def _written(value: Any, _reader: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _segment_id(value: str, _reader: Any) -> str:
    return f"seg_{value.replace('-', '')}"


@expose()
class SegmentCriterion:
    """One condition of a segment: what it asks about, and the bounds and names that it has."""

    path = entry(str, "path", description="Where it stands in the tree, as `0.1`: the second part of the first one.")
    type = entry(CriterionType, "type", finish=lambda name, _: name.upper(), description="What it asks about.")
    is_denied = entry(
        bool, "isDenied", finish=lambda found, _: bool(found), description="Whether it must not hold (in reasons only)."
    )
    gte = entry(str, "gte", null=True, finish=_written, description="At least this.")
    lt = entry(str, "lt", null=True, finish=_written, description="Less than this.")
    lte = entry(str, "lte", null=True, finish=_written, description="At most this.")
    eq = entry(str, "eq", null=True, finish=_written, description="Equal to this.")
    within_days = entry(int, "within_days", null=True, description="Within the last days.")
    key = entry(str, "key", null=True, description="The key of the attribute or of the metric.")
    kind = entry(str, "kind", null=True, description="A person or an organisation.")
    among = entry(list[str], "among", null=True, description="One of these.")
    kinds = entry(list[InteractionKind], "kinds", null=True, description="Interactions of these kinds.")
    what = entry(criteria.Since, "what", null=True, description="From when on days are counted.")
    lifecycle = entry(str, "lifecycle", null=True, description="The key of the lifecycle.")
    stage = entry(str, "stage", null=True, description="The key of the stage.")
    step = entry(CanonicalStep, "step", null=True, description="The step that a stage stands for.")
    percentile = entry(bool, "percentile", null=True, description="Whether the bounds are percentiles.")
    segment = entry(strawberry.ID, "segment", null=True, finish=_segment_id, description="The segment to be in.")


def _run(which: str) -> str:
    """The last run that was published, or the last one of all."""
    return (
        f"segment_runs {{t}} where {{t}}.tenant_id = $1 and {{t}}.segment_id = {{p}}.id {which}"
        " order by {t}.watermark desc, {t}.id desc"
    )


def _published(name: str) -> str:
    return (
        f"(select r.{name} from segment_runs r where r.tenant_id = $1 and r.segment_id = {{t}}.id"
        " and r.published_at is not null order by r.watermark desc, r.id desc limit 1)"
    )


def _newest(name: str) -> str:
    return (
        f"(select v.{name} from segment_versions v where v.tenant_id = $1 and v.segment_id = {{t}}.id"
        " order by v.number desc limit 1)"
    )


_BY_ID = {"ID": Order("{t}.id", "id")}


@expose(model.SegmentRun)
class SegmentRun:
    """A segment was worked out for everybody; one that failed left the members as they were."""

    watermark = column()
    evaluated = column()
    entered = column()
    exited = column()
    milliseconds = column()
    error = column()
    published_at = column()


@expose(model.SegmentVersion, prefix="sgv", scope=READ)
class SegmentVersion(Node):
    """The criteria of a segment, as they were written at one time."""

    number = column()
    criteria = embedded(
        "segments.SegmentCriterion", "{t}.criteria", finish=_conditions,
        description="Who belongs to it: every condition of the tree, each before those below it.",
    )  # fmt: skip
    created_at = column()
    published_at = column()


@expose(model.SegmentMembershipEvent, prefix="sge", scope=READ)
class SegmentMembershipEvent(Node):
    """A customer came into a segment or went out of it."""

    change = column(model.MembershipChange)
    at = column()
    because = embedded(
        "segments.SegmentCriterion", "{t}.because", finish=_reasons,
        description="The conditions that hold for who came, or hold no more for who went.",
    )  # fmt: skip
    customer = one(
        "customers.Customer", survivor("{p}.customer_id"), null=False, scope="customers:read",
        description="Who came or went.",
    )  # fmt: skip
    segment = one(
        "segments.Segment", "segments {t} where {t}.tenant_id = $1 and {t}.id = {p}.segment_id", null=False,
        description="The segment.",
    )  # fmt: skip
    version = one(
        "segments.SegmentVersion",
        "segment_versions {t} where {t}.tenant_id = $1 and {t}.id = {p}.segment_version_id",
        null=False, description="By which criteria it was decided.",
    )  # fmt: skip


def history(**options: Any) -> Any:
    """A page of comings and goings, the latest first."""
    return many(
        "segments.SegmentMembershipEvent", "segment_membership_events {t} where {t}.tenant_id = $1",
        orders={"AT": Order("{t}.at"), **_BY_ID}, default=(("AT", True),), scope=READ, **options,
    )  # fmt: skip


@expose(model.Segment, prefix="seg", scope=READ)
class Segment(Node):
    """Customers who have something in common, by criteria that the business wrote down."""

    key = column()
    name = column(str, sql="{t}.labels", finish=reading.label, description="What people call it.")
    role = column(model.SegmentRole)
    template_key = column()
    created_at = column()
    updated_at = column()
    archived_at = column()
    version = column()
    criteria = embedded(
        "segments.SegmentCriterion", _newest("criteria"), finish=_conditions,
        description="Who is to belong to it: every condition of the newest version, each before those below it.",
    )  # fmt: skip
    last_run_at = column(
        datetime, sql=_published("published_at"), null=True,
        description="When it was last worked out for everybody; null before the first time.",
    )  # fmt: skip
    watermark = column(
        datetime, sql=_published("watermark"), null=True,
        description="What was known here until then counted for everybody; what came later counts for whom it touched.",
    )  # fmt: skip
    stale = column(
        bool, null=False, sql="({t}.archived_at is null and (coalesce({t}.due_at <= {now}, false)"
        f" or {{t}}.published_version_id is distinct from {_newest('id')}))",
        description="Whether its members are still those of older criteria, or of an earlier day.",
    )  # fmt: skip
    last_run = one("segments.SegmentRun", _run(""), description="The last time that it was worked out, or was to be.")
    members = many(
        "customers.Customer",
        "(select c.*, m.segment_id, m.since, m.because from segment_members m join customers c on c.tenant_id = $1"
        " and c.id = m.customer_id where m.tenant_id = $1) {t} where {t}.tenant_id = $1",
        orders=_BY_ID, default=(("ID", False),), keys="{p}.id", link="segment_id", page="customers.SegmentMember",
        description="Who is in it, since when, and why.",
    )  # fmt: skip
    versions = many(
        "segments.SegmentVersion", "segment_versions {t} where {t}.tenant_id = $1",
        orders={"NUMBER": Order("{t}.number", "number"), **_BY_ID}, default=(("NUMBER", True),), keys="{p}.id",
        link="segment_id", description="Its criteria of all times, the newest first.",
    )  # fmt: skip
    history = history(
        keys="{p}.id", link="segment_id", description="Who came and went, when and why, the latest first."
    )


def membership() -> dict[str, Any]:
    """What is told of a membership beside the two that it joins."""
    return {
        "since": column(),
        "because": embedded(
            "segments.SegmentCriterion", "{t}.because", finish=_reasons,
            description="The conditions that held when the customer came.",
        ),
    }  # fmt: skip


SegmentConnection = page_of(Segment, "segments")
SegmentVersionConnection = page_of(SegmentVersion, "versions of a segment")
SegmentMembershipEventConnection = page_of(SegmentMembershipEvent, "comings and goings")
CustomerSegmentConnection = page_of(
    Segment, "segments of a customer", "CustomerSegment", model.SegmentMember, **membership()
)


def of_customer() -> Any:
    """The segments that a customer is in."""
    return many(
        "segments.Segment",
        "(select s.*, m.customer_id, m.since, m.because from segment_members m join segments s on s.tenant_id = $1"
        " and s.id = m.segment_id where m.tenant_id = $1) {t} where {t}.tenant_id = $1",
        orders={"KEY": Order("{t}.key", "text"), **_BY_ID}, default=(("KEY", False),), keys="{p}.id",
        link="customer_id", page="segments.CustomerSegment",
        description="The segments that the customer is in, by key, since when, and why.",
    )  # fmt: skip


def _is_in(planner: Any, alias: str, part: Mapping[str, Any]) -> str:
    """That a customer is in a segment, or in one of several."""
    made = []
    for operator in ("eq", "in"):
        given = part.get(operator)
        if given is not None:
            inner = f"t{planner.number()}"
            wanted = planner.binds.token(given, _segment_ids, "uuid[]")
            made.append(
                f"exists (select from segment_members {inner} where {inner}.tenant_id = $1"
                f" and {inner}.customer_id = {alias}.id and {inner}.segment_id = any({wanted}))"
            )
    return " and ".join(made) or "true"


def _segment_ids(given: str | list[str]) -> list[Any]:
    return [ids.reader("seg")(one_) for one_ in ([given] if isinstance(given, str) else given)]


IS_IN = Condition(
    filters.IdFilter, "A segment that the customer is in.", _is_in, scope=READ,
    check=filters.known("seg", "segments", queries.UnknownSegment),
)  # fmt: skip
"""The condition of a customer filter on segments."""


@strawberry.type(description="A ready-made segment, to be made as it stands or crossed with others.")
class SegmentTemplate:
    """A ready-made segment."""

    key: str = strawberry.field(description="The name by which it is made a segment.")
    name: str = strawberry.field(description="What people call it.")
    description: str = strawberry.field(description="Who is in it.")
    role: model.SegmentRole = strawberry.field(description="What it is for.")


async def _templates(info: strawberry.Info) -> list[SegmentTemplate]:
    language = info.context.prepared.ask.language
    return [
        SegmentTemplate(
            key=template.key, name=template.title.in_locale(language),
            description=template.description.in_locale(language), role=model.SegmentRole(template.role),
        )
        for template in templates.templates()
    ]  # fmt: skip


@strawberry.type(description="Whom criteria fit now.")
class SegmentPreview:
    """Whom criteria fit now."""

    count: int = strawberry.field(description="How many customers.")
    sample: list[strawberry.ID] = strawberry.field(description="The first of them, up to ten; `nodes` shows them.")


class Queries:
    """What the root offers of segments."""

    segments = many(
        "segments.Segment", "segments {t} where {t}.tenant_id = $1 and {t}.archived_at is null",
        orders={"KEY": Order("{t}.key", "text"), **_BY_ID}, default=(("KEY", False),),
        description="The segments of the tenant by key, without those that were given up.",
    )  # fmt: skip
    segment_templates = computed(
        list[SegmentTemplate], _templates, description="The ready-made segments that a tenant can start from."
    )
