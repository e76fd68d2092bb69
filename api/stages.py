"""Lifecycles and stages over GraphQL: where customers are, and how they got there."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import strawberry

from api import filters, metrics, reading
from api.expose import Node, column, computed, describe, expose, listing, one, page_of, part
from api.purchases import WindowInput
from api.reads.mapping import Argument, Condition, Sought
from api.reads.plan import Sourcing
from api.survivors import survivor
from domain.stages import model, queries, rules, templates

describe(rules.StageKind)
describe(rules.CauseKind)
describe(rules.Movement)
describe(model.NoteKind)
describe(rules.Trigger)

STAY_ARGUMENTS = {
    "lifecycle": Argument(str | None, "The key of the lifecycle; without it the tenant's default one."),
    "asOf": Argument(datetime | None, "As it was believed at this moment; as it is now without it.", pg="timestamptz"),
}


def current_stay(asked: Sourcing) -> str:
    """Where the stay comes from that goes on now, or went on as far as was known at a moment."""
    if asked.has("asOf"):
        return f"{_believed(asked, '{p}.member_ids')} where {{t}}.is_current"
    return f"stage_intervals {{t}} where {{t}}.tenant_id = $1 and {{t}}.customer_id = {{p}}.id and {{t}}.is_current and {_lifecycle(asked, '{t}.lifecycle_key', 'key')}"  # noqa: E501 - one statement


def current_stage(asked: Sourcing) -> str | None:
    """Where the stage alone comes from: a customer's own row shows the one in the default lifecycle."""
    if asked.has("asOf"):
        return None
    shown = "{p}.default_stage_id"
    if asked.has("lifecycle"):
        shown = f"case when starts_with({{p}}.default_stage, {{lifecycle}} || ':') then {shown} end"
    looked_up = f"select i.stage_id from {current_stay(asked).replace('{t}', 'i')} limit 1"
    # The offset keeps PostgreSQL from looking up twice, to see whether there is a stage and which.
    return f"(select coalesce({shown}, ({looked_up})) as stage_id offset 0) {{t}} where {{t}}.stage_id is not null"


def stays(asked: Sourcing) -> str:
    """Where all stays come from, as they are known now or were believed at a moment."""
    if asked.has("asOf"):
        members = "array(select unnest(m.member_ids) from customers m where m.tenant_id = $1 and m.id = p.k)"
        return f"(select p.k as customer_id, b.* from {_believed(asked, members).replace('{t}', 'b')}) {{t}} where true"
    return f"stage_intervals {{t}} where {{t}}.tenant_id = $1 and {_lifecycle(asked, '{t}.lifecycle_key', 'key')}"


def _believed(asked: Sourcing, members: str) -> str:
    lifecycle = f"(select l.id from lifecycles l where l.tenant_id = $1 and {_lifecycle(asked, 'l.id', 'id')})"
    return f"({queries.INTERVALS_AS_OF.format(customers=members, lifecycle=lifecycle, as_of='{asOf}')}) {{t}}"


def _lifecycle(asked: Sourcing, column_: str, name: str) -> str:
    """That a column holds the id or the key of the lifecycle that is asked for, or of the default one."""
    which = "o.key = {lifecycle}" if asked.has("lifecycle") else "o.is_default"
    if name == "key" and asked.has("lifecycle"):
        return f"{column_} = {{lifecycle}}"
    return f"{column_} = (select o.{name} from lifecycles o where o.tenant_id = $1 and {which})"


_WINDOW = {"window": Argument(WindowInput | None, "Only stays that began in this span.")}
_IN_FORCE = (
    "(select v.id from lifecycle_versions v where v.tenant_id = $1 and v.lifecycle_id = p.k"
    " and v.published_at is not null order by v.number desc limit 1)"
)
_FUNNEL = f"""
select s.id as stage_id, s.position, s.place, coalesce(c.entered, 0) as entered,
    coalesce(sum(c.ended_here) over (order by s.place desc), 0)::bigint as reached,
    case when s.place > 1 then coalesce(c.continued, 0) end as continued,
    lag(coalesce(c.entered, 0)) over (order by s.place) as before
from (
    select x.id, x.position, row_number() over (order by x.position) as place from stages x
    where x.tenant_id = $1 and x.lifecycle_version_id = {_IN_FORCE} and x.kind not in ('LOST', 'CHURNED')
) s left join ({queries.FUNNEL.text}) c on c.place = s.place
"""
_CONVERSIONS = f"""
with counted as materialized ({queries.CONVERSIONS.text}), ordered as (
    select x.id, x.key, x.position from stages x where x.tenant_id = $1 and x.lifecycle_version_id = {_IN_FORCE}
)
select s.id as from_id, t.id as stage_id, row_number() over (order by s.position, t.position) as place,
    coalesce(e.customers, 0) as entered, coalesce(c.customers, 0) as converted
from ordered s join ordered t on t.id <> s.id
left join counted e on e.source = s.key and e.target = s.key
left join counted c on c.source = s.key and c.target = t.key
"""
_TIME = f"""
select s.id as stage_id, s.position, coalesce(c.customers, 0) as customers, coalesce(c.visits, 0) as visits,
    c.visit, c.latest, c.cumulative
from (
    select x.id, x.key, x.position from stages x where x.tenant_id = $1 and x.lifecycle_version_id = {_IN_FORCE}
) s left join ({queries.TIME_IN_STAGE.text}) c on c.stage_key = s.key
"""
_MOVEMENTS = f"""
select s.id as stage_id, s.position, m.left_it, m.regressed, m.entered, m.skipped
from (
    select x.id, x.position, row_number() over (order by x.position) as place from stages x
    where x.tenant_id = $1 and x.lifecycle_version_id = {_IN_FORCE} and x.kind not in ('LOST', 'CHURNED')
) s join ({queries.MOVEMENTS.text}) m on m.place = s.place
"""
_PLACES = {
    "tenant": "$1", "lifecycle": "p.k", "now": "{now}",
    "stages": "array(select x.key from stages x where x.tenant_id = $1 and x.lifecycle_version_id = "
    f"{_IN_FORCE} and x.kind not in ('LOST', 'CHURNED') order by x.position)",
}  # fmt: skip


def _measured(asked: Sourcing, sql: str) -> str:
    """A measure of the stages of the lifecycle whose id is `p.k`, within the window that is asked for."""
    places = {
        **_PLACES,
        "since": _begin_of(asked.part("window", "start", pg="date")),
        "until": _begin_of(asked.part("window", "end", pg="date")),
    }
    filled = re.sub(r"(?<!:):([a-z]+)", lambda found: places[found[1]], sql)
    return f"(select p.k as lifecycle_id, x.* from ({filled}) x) {{t}} where true"


def _begin_of(day: str | None) -> str:
    """The moment at which a calendar day begins in the tenant's time zone."""
    if day is None:
        return "null::timestamptz"
    return f"({day}::timestamp at time zone (select b.time_zone from tenants b where b.tenant_id = $1))"


_STAGE = "stages {t} where {t}.tenant_id = $1 and {t}.id = {p}.stage_id"


@expose()
class FunnelStep:
    """How many distinct customers came to a stage, and how many went on to it from the one before."""

    stage = one("stages.Stage", _STAGE, null=False, description="The stage.")
    entered = column(int, sql="{t}.entered", description="Distinct customers who were ever in it.")
    reached = column(
        int, sql="{t}.reached", description="Distinct customers who came to it or further; it never grows."
    )
    continued = column(
        int, sql="{t}.continued", null=True, description="Of those in the stage before, how many came here after it."
    )
    of = column(int, sql="{t}.before", null=True, description="How many were in the stage before.")
    conversion = column(
        Decimal, sql="round({t}.continued::numeric / nullif({t}.before, 0), 4)", null=True,
        description="Continued by of; null where nobody was in the stage before.",
    )  # fmt: skip


@expose()
class StageConversion:
    """How many of those who were in one stage came to another one after it, with other stages between or without."""

    from_stage = one(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1 and {t}.id = {p}.from_id", null=False,
        description="The stage that they were in.",
    )  # fmt: skip
    to_stage = one("stages.Stage", _STAGE, null=False, description="The stage that they came to.")
    of = column(int, sql="{t}.entered", description="Distinct customers who were ever in the first one.")
    converted = column(int, sql="{t}.converted", description="Those of them who came to the other one then or later.")
    rate = column(
        Decimal, sql="round({t}.converted::numeric / nullif({t}.entered, 0), 4)", null=True,
        description="Converted by of; null where nobody was in the first one.",
    )  # fmt: skip


def _seconds(name: str, words: str) -> Any:
    return column(int, sql=f"floor(extract(epoch from {{t}}.{name}))::bigint", null=True, description=words)


@expose()
class TimeInStage:
    """How long customers stay in a stage; medians by Kaplan-Meier, since stays that go on have no end yet."""

    stage = one("stages.Stage", _STAGE, null=False, description="The stage.")
    customers = column(int, sql="{t}.customers", description="Distinct customers who were there.")
    visits = column(int, sql="{t}.visits", description="Their stays.")
    median_seconds = _seconds("visit", "The median of all stays; null while half of them go on.")
    median_latest_seconds = _seconds("latest", "The median of each customer's latest stay.")
    median_cumulative_seconds = _seconds("cumulative", "The median of each customer's stays together.")
    velocity = column(
        Decimal, sql="round(86400 / nullif(extract(epoch from {t}.visit), 0), 6)", null=True,
        description="One by the median of all stays: how many times a day a customer who stays so long would move on.",
    )  # fmt: skip


@expose()
class StageMovements:
    """Which ways customers took at a stage. Whoever enters from outside comes from before the first stage; LOST and
    CHURNED stages stand outside.
    """

    stage = one("stages.Stage", _STAGE, null=False, description="The stage.")
    left = column(int, sql="{t}.left_it", description="Moves from it to another stage.")
    regressed = column(int, sql="{t}.regressed", description="Those of them that led back to an earlier one.")
    regression_rate = column(
        Decimal, sql="round({t}.regressed::numeric / nullif({t}.left_it, 0), 4)", null=True,
        description="Regressed by left; null where nobody left.",
    )  # fmt: skip
    entered = column(int, sql="{t}.entered", description="Moves to it from before it.")
    skipped = column(int, sql="{t}.skipped", description="Moves past it, from before it to after it.")
    skip_rate = column(
        Decimal, sql="round({t}.skipped::numeric / nullif({t}.entered + {t}.skipped, 0), 4)", null=True,
        description="Skipped by skipped and entered together; null where nobody came that far.",
    )  # fmt: skip


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
    funnel = listing(
        "stages.FunnelStep", lambda asked: _measured(asked, _FUNNEL), order="{t}.place", keys="{p}.id",
        link="lifecycle_id", arguments=_WINDOW,
        description="How many distinct customers came how far, by the order of the stages.",
    )  # fmt: skip
    conversions = listing(
        "stages.StageConversion", lambda asked: _measured(asked, _CONVERSIONS), order="{t}.place", keys="{p}.id",
        link="lifecycle_id", arguments=_WINDOW,
        description="How many customers came from each stage to each other one, neighbours or not, also back.",
    )  # fmt: skip
    time_in_stage = listing(
        "stages.TimeInStage", lambda asked: _measured(asked, _TIME), order="{t}.position", keys="{p}.id",
        link="lifecycle_id", arguments=_WINDOW,
        description="How long customers stay in each stage.",
    )  # fmt: skip
    movements = listing(
        "stages.StageMovements", lambda asked: _measured(asked, _MOVEMENTS), order="{t}.position", keys="{p}.id",
        link="lifecycle_id", arguments={"window": Argument(WindowInput | None, "Only moves in this span.")},
        description="Which ways customers took at each stage: on, back, and past it.",
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
    step = column(rules.CanonicalStep)
    kind = column(rules.StageKind)
    rotting_days = column()
    needs = column(
        str, sql="{t}.needs", finish=reading.label_or_none, null=True,
        description="What a customer here typically needs.",
    )  # fmt: skip
    measures = metrics.measures_of_stage()


@expose(model.TransitionRule)
class TransitionRule:
    """When customers move from one stage to another by themselves."""

    position = column()
    from_stage = column()
    to_stage = column()
    trigger = column(rules.Trigger)
    requires_reason = column()


@expose(model.StageInterval)
class TransitionCause:
    """Who or what moved a customer."""

    kind = column(rules.CauseKind, sql="{t}.cause_kind", description="A rule, a person, a connector or a migration.")


@expose(model.StageInterval, prefix="siv", scope="customers:read")
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
    transition = one(
        "stages.StageTransition", "stage_transitions {t} where {t}.tenant_id = $1 and {t}.id = {p}.id", null=False,
        description="The move that began it, or its last correction: `correctTransition` takes its id.",
    )  # fmt: skip


@expose(model.StageTransition, prefix="str", scope="customers:read")
class StageTransition(Node):
    """A move of a customer from one stage to another; a correction is a move of its own."""

    direction = column(rules.Movement)
    occurred_at = column()
    recorded_at = column()
    reason = column(finish=reading.personal)
    cause = part("stages.TransitionCause", description="Who or what moved the customer.")
    lifecycle = one(
        "stages.Lifecycle", "lifecycles {t} where {t}.tenant_id = $1 and {t}.id = {p}.lifecycle_id", null=False,
        description="The lifecycle.",
    )  # fmt: skip
    from_stage = one(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1 and {t}.id = {p}.from_stage_id",
        description="The stage that was left; null when the customer entered the lifecycle.",
    )  # fmt: skip
    to_stage = one(
        "stages.Stage", "stages {t} where {t}.tenant_id = $1 and {t}.id = {p}.to_stage_id",
        description="The stage that was entered; null when the customer left the lifecycle.",
    )  # fmt: skip
    customer = one(
        "customers.Customer",
        survivor("{p}.customer_id"),
        null=False,
        description="Who moved.",
    )


@expose(model.StageNote, prefix="sno", scope="customers:read")
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

_STAGES = """
SELECT l.key AS lifecycle, array_remove(array_agg(DISTINCT s.key), NULL) AS stages
FROM lifecycles l
LEFT JOIN lifecycle_versions v ON v.tenant_id = $1 AND v.lifecycle_id = l.id
LEFT JOIN stages s ON s.tenant_id = $1 AND s.lifecycle_version_id = v.id
WHERE l.tenant_id = $1 GROUP BY l.key
"""


async def named(sought: Sought) -> None:
    """Raises UnknownLifecycle or UnknownStage where a filter names what the tenant never had, in any version."""
    stages = {row["lifecycle"]: row["stages"] for row in await sought.connection.fetch(_STAGES, sought.tenant_id)}
    for lifecycle, keys in _names(sought.arguments):
        if lifecycle is not None and lifecycle not in stages:
            raise queries.UnknownLifecycle(key=lifecycle)
        known = sorted({key for of, each in stages.items() if lifecycle in {None, of} for key in each})
        for key in keys:
            if key not in known:
                nowhere = "No lifecycle has a" if lifecycle is None else f"The lifecycle {lifecycle!r} has no"
                raise rules.UnknownStage(f"{nowhere} stage {key!r}; there are: {', '.join(known)}.", key=key)


def _names(chosen: Mapping[str, Any]) -> Iterator[tuple[str | None, list[str]]]:
    """The lifecycle and the stages that a filter names by their whole keys, and those of the filters within it."""
    key = chosen.get("key") or {}
    yield chosen.get("lifecycle"), [each for each in (key.get("eq"), *(key.get("in") or ())) if each is not None]
    for inner in (*(chosen.get("and") or ()), *(chosen.get("or") or ()), chosen.get("not")):
        if inner is not None:
            yield from _names(inner)


StageFilter = filters.filter_input(
    "StageFilter",
    "Where a customer is now, in one lifecycle.",
    "api.stages",
    lifecycle=Condition(
        str | None, "The key of the lifecycle; without it any.",
        lambda planner, alias, given: f"{alias}.lifecycle_key = {planner.binds.token(given)}",
    ),
    key=filters.text("{t}.stage_key", "The key of the stage."),
    enteredAt=filters.moment("{t}.entered_at", "When the stay began."),
)  # fmt: skip


@strawberry.type(description="A stage of a template.")
class TemplateStage:
    """A stage of a template."""

    key: str = strawberry.field(description="The name in queries.")
    name: str = strawberry.field(description="What people call it.")
    step: rules.CanonicalStep = strawberry.field(description="The step it stands for in every lifecycle.")
    needs: str | None = strawberry.field(description="What a customer here typically needs.")


@strawberry.type(description="A lifecycle as others have found it, to start from.")
class LifecycleTemplate:
    """A lifecycle as others have found it, to start from."""

    key: str = strawberry.field(description="The name by which it is made a lifecycle.")
    name: str = strawberry.field(description="What people call it.")
    description: str = strawberry.field(description="Whom it is for.")
    stages: list[TemplateStage] = strawberry.field(description="Its stages in their order.")


async def _templates(info: strawberry.Info) -> list[LifecycleTemplate]:
    """Every template that ships, and those of the plugins."""
    language = info.context.prepared.ask.language
    brought = info.context.engine.switchboard.registry.templates
    return [
        LifecycleTemplate(
            key=template.key,
            name=template.title.in_locale(language),
            description=template.description.in_locale(language),
            stages=[
                TemplateStage(
                    key=stage.key,
                    name=stage.label.in_locale(language),
                    step=stage.step,
                    needs=stage.needs.in_locale(language) if stage.needs else None,
                )
                for stage in template.lifecycle.stages
            ],
        )
        for template in (*templates.templates(), *brought.values())
    ]


class Queries:
    """What the root offers of stages."""

    lifecycle_templates = computed(
        list[LifecycleTemplate], _templates, description="The lifecycles that a tenant can start from."
    )

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
