"""What can be changed of lifecycles and of where customers are."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Optional

import msgspec
import strawberry

from api.changes import Around, mutation
from api.changing.inputs import given, id_of, needed, several, told
from api.reference import Reference
from api.replays import Done
from domain.core.problems import Invalid
from domain.core.unit_of_work import Writing
from domain.interactions.model import InteractionKind
from domain.stages import actions, conditions, rules
from domain.stages.model import NoteKind
from domain.stages.rules import CanonicalStep, StageKind, Trigger

WRITE = "customers:write"
ADMIN = "tokens:admin"


class DefinitionMissing(Invalid):
    """A lifecycle needs a template, or stages of its own. Give one of both."""


@strawberry.input(description="A text for people, in English and, where there is one, in Persian.")
class TextInput:
    """A text for people."""

    en: str = needed("In English.")
    fa: str | None = given("In Persian.", None)

    def told(self) -> rules.Text:
        """The text as the domain takes it."""
        return rules.Text(self.en, self.fa)


@strawberry.input(description="A stage of a lifecycle; the order of the list is the order of the way.")
class StageInput:
    """A stage of a lifecycle."""

    key: str = needed("The name in queries.")
    name: TextInput = needed("What people call it.")
    step: CanonicalStep = needed("The step it stands for in every lifecycle.")
    kind: StageKind = given("Whether a stay here is open or how it ended.", StageKind.OPEN)
    rotting_days: int | None = given("After how many days a stay here has gone on too long.", None)
    needs: TextInput | None = given("What a customer here typically needs.", None)


@strawberry.input(description="How many purchase occasions (distinct days with a completed order).")
class OccasionsInput:
    """How many purchase occasions."""

    gte: int | None = given("So many or more.", None)
    lt: int | None = given("Fewer than so many.", None)


@strawberry.input(description="Interactions of these kinds.")
class InteractionsInput:
    """Interactions of these kinds."""

    kinds: list[InteractionKind] = needed("Any of these kinds.")
    gte: int = given("So many or more.", 1)
    within_days: int | None = given("Within the last days; ever without it.", None)


@strawberry.input(description="The value of an attribute.")
class AttributeIsInput:
    """The value of an attribute."""

    key: str = needed("The key of the attribute.")
    eq: str | None = given("Equal to this.", None)
    is_true: bool | None = given("Yes or no.", None)
    gte: int | None = given("This or more.", None)
    lte: int | None = given("This or less.", None)


@strawberry.input(one_of=True, description="What must hold for a customer to move: exactly one of these.")
class ConditionInput:
    """What must hold for a customer to move."""

    all: list["ConditionInput"] | None = given("All of these.")
    any: list["ConditionInput"] | None = given("At least one of these.")
    not_: Optional["ConditionInput"] = given("Not this.", name="not")
    occasions: OccasionsInput | None = given("How often the customer bought.")
    days_since_last_purchase: int | None = given("The last purchase lies so many days back, or more.")
    days_in_stage: int | None = given("The customer has been in the stage for so many days.")
    interactions: InteractionsInput | None = given("What happened, how often and how recently.")
    attribute: AttributeIsInput | None = given("The value of an attribute.")
    event: str | None = given("Something that happened, by the name of its event.")
    segment: strawberry.ID | None = given("The segment that the customer is in; the rule's trigger is SEGMENT.")

    def plain(self) -> dict[str, Any]:
        """The condition as it is kept."""
        (name, asked), *_ = ((name, value) for name, value in vars(self).items() if value is not strawberry.UNSET)
        made: dict[str, Any] = _PLAIN[name](asked)
        return made


_PLAIN: dict[str, Callable[[Any], dict[str, Any]]] = {
    "all": lambda asked: {"type": "all", "of": [each.plain() for each in asked]},
    "any": lambda asked: {"type": "any_of", "of": [each.plain() for each in asked]},
    "not_": lambda asked: {"type": "not", "of": asked.plain()},
    "occasions": lambda asked: {"type": "occasions", "gte": asked.gte, "lt": asked.lt},
    "days_since_last_purchase": lambda asked: {"type": "since_last_purchase", "days": asked},
    "days_in_stage": lambda asked: {"type": "in_stage_for", "days": asked},
    "interactions": lambda asked: {
        "type": "interactions", "kinds": list(asked.kinds), "gte": asked.gte, "within_days": asked.within_days,
    },
    "attribute": lambda asked: {
        "type": "attribute_is", "key": asked.key, "eq": asked.eq if asked.is_true is None else asked.is_true,
        "gte": asked.gte, "lte": asked.lte,
    },
    "event": lambda asked: {"type": "event", "name": asked},
    "segment": lambda asked: {"type": "in_segment", "segment": str(id_of("seg", asked))},
}  # fmt: skip


@strawberry.input(description="When customers move from one stage to another.")
class RuleInput:
    """When customers move."""

    from_stage: str | None = given("The key of the stage it leads out of; without it, it enters the lifecycle.", None)
    to_stage: str | None = given("The key of the stage it leads into; without it, it leaves the lifecycle.", None)
    trigger: Trigger = needed("What makes the rule look.")
    condition: ConditionInput | None = given("What must hold; always without it.", None)
    requires_reason: bool = given("Whether a person must say why.", default=False)

    def told(self) -> rules.Rule:
        """The rule as the domain takes it."""
        when = conditions.decode(self.condition.plain()) if self.condition else None
        return rules.Rule(
            source=self.from_stage, target=self.to_stage, trigger=self.trigger, when=when,
            requires_reason=self.requires_reason,
        )  # fmt: skip


def _definition(key: str, stages: list[StageInput], moves: list[RuleInput]) -> rules.Lifecycle:
    return rules.Lifecycle(
        key=key,
        stages=tuple(
            rules.Stage(
                key=stage.key, position=position, label=stage.name.told(), step=stage.step, kind=stage.kind,
                rotting_days=stage.rotting_days, needs=stage.needs.told() if stage.needs else None,
            )
            for position, stage in enumerate(stages, 1)
        ),
        rules=tuple(rule.told() for rule in moves),
    )  # fmt: skip


@strawberry.input(description="A lifecycle from a template, or with stages of its own; it comes into force at once.")
class CreateLifecycleInput:
    """A lifecycle."""

    key: str | None = given("The name in queries; the template's without it.", None)
    template: str | None = given("The key of a template.", None)
    name: TextInput | None = given("What people call it, when it is made from stages.", None)
    stages: list[StageInput] = several("Its stages, when it is not made from a template.")
    rules: list[RuleInput] = several("Its rules, when it is not made from a template.")
    is_default: bool = given("Whether it is meant when none is named.", default=False)


@mutation("lifecycle", "stages.Lifecycle", scope=ADMIN, connected=True)
async def create_lifecycle(work: Writing, asked: CreateLifecycleInput, around: Around) -> Done:
    """Make a lifecycle and put it in force."""
    if asked.template:
        made = await actions.create_from_template(
            work, asked.template, key=asked.key, default=asked.is_default,
            brought=around.switchboard.registry.templates,
        )  # fmt: skip
    elif asked.key and asked.stages:
        title = asked.name.told() if asked.name else rules.Text(asked.key)
        definition = _definition(asked.key, asked.stages, asked.rules)
        made = await actions.create_lifecycle(work, definition, title=title, default=asked.is_default)
    else:
        raise DefinitionMissing(path=("stages",))
    return Done(Reference("Lifecycle", made.id))


@strawberry.input(description="Where customers of an old stage stand in the new version.")
class StageMapInput:
    """Where customers of an old stage stand."""

    from_stage: str = needed("The key of the old stage.")
    to_stage: str | None = given("The key of the new one; without it they leave the lifecycle.", None)


@strawberry.input(description="A new version of a lifecycle; customers move with their stages.")
class PublishLifecycleInput:
    """A new version of a lifecycle."""

    lifecycle: str = needed("The key of the lifecycle.")
    stages: list[StageInput] = needed("Its stages from now on.")
    rules: list[RuleInput] = several("Its rules from now on.")
    stage_map: list[StageMapInput] = several("For old stages that are gone; one that keeps its key needs no entry.")


@mutation("lifecycle", "stages.Lifecycle", scope=ADMIN)
async def publish_lifecycle(work: Writing, asked: PublishLifecycleInput) -> Done:
    """Put a new version of a lifecycle in force."""
    stage_map = {entry.from_stage: entry.to_stage for entry in asked.stage_map}
    definition = _definition(asked.lifecycle, asked.stages, asked.rules)
    version = await actions.publish(work, asked.lifecycle, definition, stage_map)
    return Done(Reference("Lifecycle", version.lifecycle_id))


@strawberry.input(description="Where a customer is from now on, or from an earlier moment on.")
class MoveCustomerInput:
    """Where a customer is from now on."""

    customer: strawberry.ID = needed("The customer.")
    lifecycle: str | None = given("The key of the lifecycle; the default one without it.", None)
    to_stage: str | None = given("The key of the stage; without it the customer leaves the lifecycle.", None)
    occurred_at: datetime | None = given("When it happened; now without it.", None)
    reason: str | None = given("Why.", None)


@mutation("transition", "stages.StageTransition", scope=WRITE)
async def move_customer(work: Writing, asked: MoveCustomerInput) -> Done:
    """Move a customer to a stage."""
    customer = id_of("cus", asked.customer)
    made = await actions.move(
        work, customer, asked.to_stage, asked.lifecycle, occurred_at=asked.occurred_at, reason=asked.reason
    )
    return Done(Reference("StageTransition", made))


@strawberry.input(description="What is now believed of an earlier move; the old row stays.")
class CorrectTransitionInput:
    """What is now believed of an earlier move."""

    id: strawberry.ID = needed("The move, or a correction of it: the `transition` of a stay or of the timeline.")
    stage: str | None = given("The stage it really led into; null: it led out. As it was without it.")
    occurred_at: datetime | None = given("When it really happened; as it was without it.", None)
    reason: str = needed("How that is known.")


@mutation("transition", "stages.StageTransition", scope=WRITE)
async def correct_transition(work: Writing, asked: CorrectTransitionInput) -> Done:
    """Correct an earlier move; what was believed before stays readable with `asOf`."""
    made = await actions.correct(
        work, id_of("str", asked.id), stage=told(asked.stage, msgspec.UNSET), occurred_at=asked.occurred_at,
        reason=asked.reason,
    )  # fmt: skip
    return Done(Reference("StageTransition", made))


@strawberry.input(description="A need, a pain point or a plan of a customer in a stage.")
class AddStageNoteInput:
    """A need, a pain point or a plan."""

    customer: strawberry.ID = needed("The customer.")
    lifecycle: str | None = given("The key of the lifecycle; the default one without it.", None)
    stage: str = needed("The key of the stage.")
    kind: NoteKind = needed("A need, a pain point or a plan.")
    text: str = needed("What it says.")
    occurred_at: datetime | None = given("When it was so; now without it.", None)


@mutation("note", "stages.StageNote", scope=WRITE)
async def add_stage_note(work: Writing, asked: AddStageNoteInput) -> Done:
    """Note what a customer needs, suffers from, or shall be given."""
    made = await actions.add_note(
        work, id_of("cus", asked.customer), asked.stage, asked.kind, asked.text, asked.lifecycle,
        occurred_at=asked.occurred_at,
    )  # fmt: skip
    return Done(Reference("StageNote", made.id))
