"""What can be changed of segments, and what criteria would give before anything is saved."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Optional

import strawberry
from graphql import GraphQLResolveInfo

from api import ids
from api.changes import mutation
from api.changing.inputs import given, id_of, needed
from api.changing.stages import TextInput
from api.reference import Reference
from api.replays import Done
from api.scalars import CountryCode
from api.segments import SegmentPreview
from domain.core.problems import Invalid
from domain.core.unit_of_work import Writing
from domain.customers.model import CustomerKind
from domain.interactions.model import InteractionKind
from domain.metrics import measured  # noqa: F401 - lets criteria ask about metrics
from domain.segments import actions, criteria, queries
from domain.segments.model import SegmentRole
from domain.stages.rules import CanonicalStep

WRITE = "customers:write"


class SegmentCriteriaMissing(Invalid):
    """A segment needs a template, or a key and criteria of its own. Give one of both."""


@strawberry.input(description="The value of an attribute, written as text: a number, a day or a moment by its type.")
class AttributeCriterionInput:
    """The value of an attribute."""

    key: str = needed("The key of the attribute.")
    eq: str | None = given("Equal to this.", None)
    gte: str | None = given("This or more, this day or later.", None)
    lte: str | None = given("This or less, this day or earlier.", None)


@strawberry.input(description="How many purchase occasions: days with a completed sale that was not wholly refunded.")
class OccasionsCriterionInput:
    """How many purchase occasions."""

    gte: int | None = given("So many or more.", None)
    lt: int | None = given("Fewer than so many.", None)
    within_days: int | None = given("Within the last days; ever without it.", None)


@strawberry.input(description="How many interactions; those of machines are not counted.")
class InteractionsCriterionInput:
    """How many interactions."""

    kinds: list[InteractionKind] | None = given("Of any of these kinds; of any kind without it.", None)
    gte: int | None = given("So many or more.", None)
    lt: int | None = given("Fewer than so many.", None)
    within_days: int | None = given("Within the last days; ever without it.", None)


@strawberry.input(description="What was bought less what was given back, in the tenant's base currency.")
class SpentCriterionInput:
    """What was bought less what was given back."""

    gte: Decimal | None = given("So much or more.", None)
    lt: Decimal | None = given("Less than so much.", None)
    within_days: int | None = given("Within the last days; ever without it.", None)


@strawberry.input(description="How many whole days ago something first or last happened; false where it never did.")
class DaysSinceCriterionInput:
    """How many whole days ago something happened."""

    what: criteria.Since = needed("From when on days are counted.")
    kinds: list[InteractionKind] | None = given("Interactions of these kinds; of any kind without it.", None)
    gte: int | None = given("So many or more.", None)
    lt: int | None = given("Fewer than so many.", None)


@strawberry.input(description="How many days from the first purchase to the last one.")
class LifeSpanCriterionInput:
    """How many days from the first purchase to the last one."""

    gte: int | None = given("So many or more.", None)
    lt: int | None = given("Fewer than so many.", None)


@strawberry.input(description="Where the customer is now; give a stage or a step.")
class InStageCriterionInput:
    """Where the customer is now."""

    lifecycle: str | None = given("The key of the lifecycle; any without it.", None)
    stage: str | None = given("The key of the stage.", None)
    step: CanonicalStep | None = given("The step that the stage stands for.", None)
    gte: int | None = given("For so many days or more.", None)
    lt: int | None = given("For fewer than so many days.", None)


@strawberry.input(description="Where the customer has been; give a stage or a step.")
class EnteredStageCriterionInput:
    """Where the customer has been."""

    lifecycle: str | None = given("The key of the lifecycle; any without it.", None)
    stage: str | None = given("The key of the stage.", None)
    step: CanonicalStep | None = given("The step that the stage stands for.", None)
    within_days: int | None = given("Entered within the last days; ever without it.", None)


@strawberry.input(description="A figure of the customer.")
class MetricCriterionInput:
    """A figure of the customer."""

    key: str = needed("The key of the metric.")
    gte: Decimal | None = given("This or more.", None)
    lte: Decimal | None = given("This or less.", None)
    percentile: bool = given("Whether the bounds are percentiles, from 0 to 100.", default=False)


@strawberry.input(one_of=True, description="Who belongs to a segment: exactly one of these.")
class SegmentCriteriaInput:
    """Who belongs to a segment."""

    all: list["SegmentCriteriaInput"] | None = given("All of these.")
    any: list["SegmentCriteriaInput"] | None = given("At least one of these.")
    not_: Optional["SegmentCriteriaInput"] = given("Not this.", name="not")
    kind: CustomerKind | None = given("A person or an organisation.")
    country: list[CountryCode] | None = given("The primary address is in one of these countries.")
    attribute: AttributeCriterionInput | None = given("The value of an attribute.")
    occasions: OccasionsCriterionInput | None = given("How often the customer bought.")
    interactions: InteractionsCriterionInput | None = given("What happened, how often and how recently.")
    spent: SpentCriterionInput | None = given("How much the customer bought.")
    days_since: DaysSinceCriterionInput | None = given("How long ago something happened.")
    life_span: LifeSpanCriterionInput | None = given("From the first purchase to the last one.")
    in_stage: InStageCriterionInput | None = given("Where the customer is.")
    entered_stage: EnteredStageCriterionInput | None = given("Where the customer has been.")
    metric: MetricCriterionInput | None = given("A figure of the customer.")
    segment: strawberry.ID | None = given("Another segment that the customer is in.")

    def told(self) -> criteria.Criteria:
        """The criteria as the domain takes them. Raises InvalidCriteria or BadUserInput."""
        try:
            return criteria.decode(_plain(self))
        except criteria.InvalidCriteria as problem:
            problem.path = ("criteria", *_misunderstood(self))
            raise


def _misunderstood(asked: SegmentCriteriaInput) -> tuple[str, ...]:
    """The way to the innermost part that is not understood, even alone."""
    (name, value), *_ = ((name, value) for name, value in vars(asked).items() if value is not strawberry.UNSET)
    here = (name.rstrip("_"),)
    inner: list[tuple[tuple[str, ...], SegmentCriteriaInput]] = []
    if name == "not_":
        inner = [(here, value)]
    elif name in {"all", "any"}:
        inner = [((*here, str(place)), part) for place, part in enumerate(value)]
    for path, part in inner:
        try:
            criteria.decode(_plain(part))
        except criteria.InvalidCriteria:
            return (*path, *_misunderstood(part))
    return here


def _plain(asked: SegmentCriteriaInput) -> dict[str, Any]:
    (name, value), *_ = ((name, value) for name, value in vars(asked).items() if value is not strawberry.UNSET)
    if name in _PLAIN:
        return _PLAIN[name](value)
    told = {key: part for key, part in vars(value).items() if part is not None}
    return {"type": _TYPES.get(name, name), **{key: _value(part) for key, part in told.items()}}


def _value(part: Any) -> Any:
    return str(part) if isinstance(part, Decimal) else part


_TYPES = {"attribute": "attribute_is"}
_PLAIN: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "all": lambda asked: {"type": "all", "of": [_plain(each) for each in asked]},
    "any": lambda asked: {"type": "any_of", "of": [_plain(each) for each in asked]},
    "not_": lambda asked: {"type": "not", "of": _plain(asked)},
    "kind": lambda asked: {"type": "kind_is", "kind": asked.value},
    "country": lambda asked: {"type": "country_is", "among": list(asked)},
    "segment": lambda asked: {"type": "in_segment", "segment": str(id_of("seg", asked))},
}


@strawberry.input(description="A segment from a template, or with criteria of its own.")
class CreateSegmentInput:
    """A segment."""

    key: str | None = given("The name in files and reports; the template's without it.", None)
    template: str | None = given("The key of a ready-made segment.", None)
    name: TextInput | None = given("What people call it; the key without it.", None)
    role: SegmentRole = given("What it is for.", SegmentRole.MEASURED)
    criteria: SegmentCriteriaInput | None = given("Who belongs to it, when it is not made from a template.", None)


@mutation("segment", "segments.Segment", scope=WRITE)
async def create_segment(work: Writing, asked: CreateSegmentInput) -> Done:
    """Make a segment; its members are worked out right after, and `stale` says whether that is still to come."""
    if asked.template:
        made = await actions.create_from_template(work, asked.template, key=asked.key)
    elif asked.key and asked.criteria:
        labels = _labels(asked.name) or {"en": asked.key}
        made = await actions.create(work, asked.key, labels, asked.criteria.told(), role=asked.role)
    else:
        raise SegmentCriteriaMissing(path=("criteria",))
    return Done(Reference("Segment", made.id))


@strawberry.input(description="What is to change of a segment; what is left out stays.")
class UpdateSegmentInput:
    """What is to change of a segment."""

    id: strawberry.ID = needed("The segment.")
    version: int = needed("The version that you have seen.")
    name: TextInput | None = given("What people call it.", None)
    role: SegmentRole | None = given("What it is for.", None)
    criteria: SegmentCriteriaInput | None = given("Who belongs to it from now on: a new version.", None)


@mutation("segment", "segments.Segment", scope=WRITE)
async def update_segment(work: Writing, asked: UpdateSegmentInput) -> Done:
    """Change a segment; new criteria count, for all customers at once, when they have been worked out."""
    changed = await actions.update(
        work, id_of("seg", asked.id), asked.version, labels=_labels(asked.name), role=asked.role,
        criteria=asked.criteria.told() if asked.criteria else None,
    )  # fmt: skip
    return Done(Reference("Segment", changed.id))


@strawberry.input(description="A segment that is to be given up.")
class ArchiveSegmentInput:
    """A segment that is to be given up."""

    id: strawberry.ID = needed("The segment.")
    version: int = needed("The version that you have seen.")


@mutation("segment", "segments.Segment", scope=WRITE)
async def archive_segment(work: Writing, asked: ArchiveSegmentInput) -> Done:
    """Give a segment up: nobody is in it any more, its history stays."""
    archived = await actions.archive(work, id_of("seg", asked.id), asked.version)
    return Done(Reference("Segment", archived.id))


@strawberry.input(description="Criteria that are to be tried.")
class PreviewSegmentInput:
    """Criteria that are to be tried."""

    criteria: SegmentCriteriaInput = needed("Who would belong to it.")


async def _previewed(_info: GraphQLResolveInfo[Any], done: Done, _work: Writing) -> SegmentPreview:
    return SegmentPreview(count=done.fields["count"], sample=done.fields["sample"])


@mutation("preview", "segments.SegmentPreview", scope=WRITE, show=_previewed)
async def preview_segment(work: Writing, asked: PreviewSegmentInput) -> Done:
    """Say how many customers criteria fit now, and name the first of them; nothing is saved."""
    found = await queries.preview(work, asked.criteria.told())
    return Done(None, {"count": found.count, "sample": [ids.encode("cus", each) for each in found.sample]})


def _labels(name: TextInput | None) -> dict[str, str] | None:
    if name is None:
        return None
    return {"en": name.en, "fa": name.fa} if name.fa else {"en": name.en}
