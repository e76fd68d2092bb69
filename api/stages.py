"""Lifecycles and stages over GraphQL: where customers are, and how they got there."""

import strawberry

from api import filters, reading
from api.expose import Node, column, describe, expose, listing, one, page_of, part
from api.reads.mapping import Argument
from domain.stages import model

describe(model.StageKind)
describe(model.CanonicalStep)
describe(model.CauseKind)
describe(model.NoteKind)
describe(model.Trigger)

LIFECYCLE = Argument(str | None, "The key of the lifecycle; without it the tenant's default one.")


@expose(model.Lifecycle, prefix="lcy")
class Lifecycle(Node):
    """A way that customers go, from the first stage to the last; a customer can be in several at once."""

    key = column()
    name = column(str, sql="{t}.labels", finish=reading.label, description="What people call it.")
    is_default = column()
    template_key = column()
    created_at = column()
    version = column(
        int, sql="coalesce((select max(v.number) from lifecycle_versions v where v.tenant_id = $1"
        " and v.lifecycle_id = {t}.id and v.published_at is not null), 0)",
        description="The number of the version in force; 0 before the first is published.",
    )  # fmt: skip
    stages = listing(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1", order="{t}.position", link="lifecycle_version_id",
        keys="(select v.id from lifecycle_versions v where v.tenant_id = $1 and v.lifecycle_id = {p}.id"
        " and v.published_at is not null order by v.number desc limit 1)",
        description="The stages of the version in force, in their order.",
    )  # fmt: skip
    rules = listing(
        "stages.TransitionRule", "transition_rules {t} where {t}.tenant_id = $1", order="{t}.position",
        link="lifecycle_version_id",
        keys="(select v.id from lifecycle_versions v where v.tenant_id = $1 and v.lifecycle_id = {p}.id"
        " and v.published_at is not null order by v.number desc limit 1)",
        description="The rules by which customers move by themselves, in the order in which they are tried.",
    )  # fmt: skip
    versions = listing(
        "stages.LifecycleVersion", "lifecycle_versions {t} where {t}.tenant_id = $1", order="{t}.number desc",
        keys="{p}.id", link="lifecycle_id", description="All versions, the newest first.",
    )  # fmt: skip


@expose(model.LifecycleVersion)
class LifecycleVersion:
    """The stages and rules of a lifecycle as they were published together."""

    number = column()
    created_at = column()
    published_at = column()
    stages = listing(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1", order="{t}.position", keys="{p}.id",
        link="lifecycle_version_id", description="The stages of this version, in their order.",
    )  # fmt: skip


@expose(model.Stage, prefix="stg")
class Stage(Node):
    """A stage of a lifecycle."""

    key = column()
    name = column(str, sql="{t}.labels", finish=reading.label, description="What people call it.")
    position = column()
    step = column(model.CanonicalStep)
    kind = column(model.StageKind)
    rotting_days = column()
    needs = column(
        str, sql="{t}.needs", finish=reading.label_or_none, null=True,
        description="What a customer here typically needs.",
    )  # fmt: skip


@expose(model.TransitionRule)
class TransitionRule:
    """When customers move from one stage to another by themselves."""

    position = column()
    from_stage = column()
    to_stage = column()
    trigger = column(model.Trigger)
    requires_reason = column()


@expose(model.StageInterval)
class TransitionCause:
    """Who or what moved a customer."""

    kind = column(model.CauseKind, sql="{t}.cause_kind", description="A rule, a person, a connector or a migration.")


@expose(model.StageInterval, prefix="siv")
class StageInterval(Node):
    """A stay of a customer in a stage."""

    lifecycle = one(
        "stages.Lifecycle", "lifecycles {t} where {t}.tenant_id = $1 and {t}.id = {p}.lifecycle_id", null=False,
        description="The lifecycle that the stage belongs to.",
    )  # fmt: skip
    stage = one(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1 and {t}.id = {p}.stage_id", null=False,
        description="The stage.",
    )  # fmt: skip
    visit = column()
    entered_at = column()
    exited_at = column()
    is_current = column()
    seconds = column(
        int, sql="floor(extract(epoch from coalesce({t}.exited_at, {now}) - {t}.entered_at))::bigint",
        description="How long the stay has lasted, up to now while it goes on.",
    )  # fmt: skip
    cause = part("stages.TransitionCause", description="Who or what moved the customer here.")


@expose(model.StageNote, prefix="sno")
class StageNote(Node):
    """What a customer needs, suffers from, or is planned to be given in a stage."""

    kind = column(model.NoteKind)
    text = column(finish=reading.personal)
    source = column()
    occurred_at = column()
    recorded_at = column()
    stage = one(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1 and {t}.id = {p}.stage_id", null=False,
        description="The stage in which it was so.",
    )  # fmt: skip


StageIntervalConnection = page_of(StageInterval, "stays in stages")
StageNoteConnection = page_of(StageNote, "notes")

StageFilter = filters.filter_input(
    "StageFilter",
    "Where a customer is now, in one lifecycle.",
    "api.stages",
    lifecycle=filters.Condition(
        str | None, "The key of the lifecycle; without it any.",
        lambda planner, alias, given: f"{alias}.lifecycle_key = {planner.binds.token(given)}",
    ),
    key=filters.text("{t}.stage_key", "The key of the stage."),
    enteredAt=filters.moment("{t}.entered_at", "When the stay began."),
)  # fmt: skip


class Queries:
    """What the root offers of stages."""

    lifecycles = listing(
        "stages.Lifecycle", "lifecycles {t} where {t}.tenant_id = $1", order="{t}.key",
        description="Every lifecycle of the tenant.",
    )  # fmt: skip
    lifecycle = one(
        "stages.Lifecycle", "lifecycles {t} where {t}.tenant_id = $1 and {t}.key = {key}",
        arguments={"key": Argument(str, "The key of the lifecycle.")},
        description="One lifecycle by its key.",
    )  # fmt: skip


__all__ = ["Lifecycle", "Queries", "Stage", "StageFilter", "StageInterval", "StageIntervalConnection", "strawberry"]
