from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert, select, text, update

from domain.core.audit import AuditEntry
from domain.core.events import DueWork, OutboxEvent
from domain.core.ids import new_id
from domain.customers.model import Customer
from domain.interactions.model import Interaction
from domain.stages import actions, history, model, queries, rules, settling, transitions
from domain.stages.conditions import Occasions
from domain.stages.model import Lifecycle, NoteKind, StageInterval, StageNote, StageTransition
from domain.stages.rules import CanonicalStep, CauseKind, Movement, Rule, Stage, StageKind, Text, Trigger
from domain.stages.templates import KEYS, UnknownTemplate, template

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing

DAY = timedelta(days=1)
START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def way(*keys: str, ways: tuple[Rule, ...] = (), key: str = "way") -> rules.Lifecycle:
    """A lifecycle over these stages; one that ends with `!` is LOST."""
    stages = tuple(
        Stage(
            key=name.rstrip("!"), position=place, label=Text(en=name), step=CanonicalStep.AWARE,
            kind=StageKind.LOST if name.endswith("!") else StageKind.OPEN,
        )
        for place, name in enumerate(keys, start=1)
    )  # fmt: skip
    return rules.Lifecycle(key=key, stages=stages, rules=ways)


WAY = way("lead", "trial", "client", "lost!")


async def customer(work: Writing, *, root: UUID | None = None, first_seen_at: datetime = START) -> UUID:
    made = new_id()
    values = {
        "tenant_id": work.tenant_id, "id": made, "kind": "PERSON", "status": "MERGED" if root else "ACTIVE",
        "root_id": root or made, "merged_into": root, "member_ids": [] if root else [made],
        "first_seen_at": first_seen_at, "created_at": work.now, "updated_at": work.now,
    }  # fmt: skip
    await work.execute(insert(Customer), values)
    return made


async def merge(work: Writing, absorbed: UUID, into: UUID) -> None:
    of = (Customer.tenant_id == work.tenant_id, Customer.id == absorbed)
    await work.execute(update(Customer).where(*of).values(root_id=into, merged_into=into, status="MERGED"))


async def unmerge(work: Writing, absorbed: UUID) -> None:
    of = (Customer.tenant_id == work.tenant_id, Customer.id == absorbed)
    await work.execute(update(Customer).where(*of).values(root_id=absorbed, merged_into=None, status="ACTIVE"))


async def visits(database: Database, tenant: UUID, who: UUID, **options: Any) -> list[tuple[str, int, int, int | None]]:
    """Stage, visit, entered and left, in days since START."""
    async with database.reading(tenant) as reading:
        found = await queries.history(reading, who, **options)
    return [(one.stage, one.visit, day(one.entered_at), one.exited_at and day(one.exited_at)) for one in found]


def day(at: datetime) -> int:
    return (at - START).days


async def everything(database: Database, tenant: UUID) -> dict[str, list[Any]]:
    """All that a refused deed must leave as it was."""
    async with database.reading(tenant) as reading:
        return {
            model.__tablename__: sorted(
                [tuple(row) for row in await reading.rows(select(model.__table__).where(model.tenant_id == tenant))],
                key=str,
            )
            for model in (
                StageTransition, StageInterval, StageNote, Interaction, OutboxEvent, AuditEntry, Lifecycle, Customer,
                DueWork,
            )
        }  # fmt: skip


@pytest.fixture
async def way_of(database: Database, tenant: UUID) -> UUID:
    """The tenant's default lifecycle, without rules: whoever is moved is moved by hand."""
    async with database.unit_of_work(tenant) as work:
        return (await actions.create_lifecycle(work, WAY, title=Text(en="Way"))).id


@pytest.fixture
async def ada(database: Database, tenant: UUID) -> UUID:
    async with database.unit_of_work(tenant) as work:
        return await customer(work)


@pytest.mark.parametrize("key", KEYS)
async def test_every_template_becomes_a_lifecycle_and_reads_back_as_it_was(
    database: Database, tenant: UUID, key: str
) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_from_template(work, key)
    async with database.reading(tenant) as reading:
        found = await queries.lifecycle(reading, key)
        assert await queries.lifecycle(reading) == found
    assert found.definition == template(key).lifecycle
    assert (found.number, found.is_default, found.labels["en"]) == (1, True, template(key).title.en)


async def test_a_tenant_has_one_default_lifecycle(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_from_template(work, "buyer")
        await actions.create_from_template(work, "buyer", key="retail_buyer")
        await actions.create_from_template(work, "saas", default=True)
    async with database.reading(tenant) as reading:
        found = await queries.lifecycles(reading)
    assert [(one.key, one.is_default) for one in found] == [("buyer", False), ("retail_buyer", False), ("saas", True)]


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        (lambda work: actions.create_from_template(work, "moon"), UnknownTemplate),
        (lambda work: actions.create_from_template(work, "buyer", key="Buyer 2"), actions.BadLifecycleKey),
        (lambda work: actions.create_from_template(work, "buyer", key="way"), actions.LifecycleExists),
        (lambda work: actions.publish(work, "way"), actions.NothingToPublish),
        (lambda work: actions.publish(work, "moon", WAY), queries.UnknownLifecycle),
        (lambda work: actions.draft_version(work, way("a", "b", key="moon")), queries.UnknownLifecycle),
        (lambda work: actions.publish(work, "way", way("a", "b"), {"moon": "a"}), rules.UnknownStage),
        (lambda work: actions.publish(work, "way", way("a", "b"), {"lead": "moon"}), rules.UnknownStage),
    ],
)
async def test_a_refused_lifecycle_changes_nothing(
    database: Database, tenant: UUID, way_of: UUID, deed: Callable[[Writing], Awaitable[Any]], problem: type[Exception]
) -> None:
    await refused(database, tenant, deed, problem)


async def refused(
    database: Database, tenant: UUID, deed: Callable[[Writing], Awaitable[Any]], problem: type[Exception]
) -> Exception:
    before = await everything(database, tenant)
    with pytest.raises(problem) as raised:
        async with database.unit_of_work(tenant) as work:
            await deed(work)
    assert type(raised.value) is problem
    assert await everything(database, tenant) == before
    return raised.value


async def test_a_draft_is_in_force_only_when_it_is_published(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, WAY, title=Text(en="Way"), draft=True)
    async with database.reading(tenant) as reading:
        assert await queries.lifecycles(reading) == []
        with pytest.raises(queries.UnknownLifecycle):
            await queries.lifecycle(reading, "way")
    async with database.unit_of_work(tenant) as work:
        await actions.draft_version(work, way("lead", "client"))
        await actions.publish(work, "way")
    async with database.reading(tenant) as reading:
        found = await queries.lifecycle(reading, "way")
    assert (found.number, found.definition) == (2, way("lead", "client"))


async def test_a_move_is_logged_projected_told_and_shown_on_the_timeline(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        entered = await actions.move(work, ada, "lead", occurred_at=START, reason="met at the fair")
    async with database.unit_of_work(tenant) as work:
        left = await actions.move(work, ada, None, occurred_at=START + 3 * DAY)
    assert await visits(database, tenant, ada) == [("lead", 1, 0, 3)]
    after = await everything(database, tenant)
    async with database.reading(tenant) as reading:
        log = await reading.all(
            select(StageTransition).where(StageTransition.tenant_id == tenant).order_by(StageTransition.id)
        )
        shown = await reading.all(select(Interaction).where(Interaction.tenant_id == tenant).order_by(Interaction.id))
        told = await reading.all(select(OutboxEvent).where(OutboxEvent.tenant_id == tenant).order_by(OutboxEvent.id))
    assert [(row.id, row.direction, row.cause_kind, row.actor, row.reason) for row in log] == [
        (entered, "FORWARD", "PERSON", "system", "met at the fair"),
        (left, None, "PERSON", "system", None),
    ]
    assert [(one.id, one.kind, one.family, one.customer_id, one.occurred_at, one.payload) for one in shown] == [
        (entered, "STAGE_CHANGED", "STAGE", ada, START, {"lifecycle": "way", "to_stage": "lead"}),
        (left, "STAGE_CHANGED", "STAGE", ada, START + 3 * DAY, {"lifecycle": "way", "from_stage": "lead"}),
    ]
    assert [(event.name, event.subject, event.body) for event in told] == [
        (
            "stages.StageEntered",
            ada,
            {"lifecycle": "way", "from_stage": None, "stage": "lead", "transition": entered.hex},
        ),
        ("stages.CustomersMoved", ada, {"customers": [ada.hex]}),
        ("stages.StageLeft", ada, {"lifecycle": "way", "from_stage": "lead", "stage": None, "transition": left.hex}),
        ("stages.CustomersMoved", ada, {"customers": [ada.hex]}),
    ]
    assert [row.id for row in await intervals(database, tenant)] == [entered]
    assert len(after["audit_entries"]) == 5  # the tenant, its lifecycle, the publishing, and both moves of a person


async def intervals(database: Database, tenant: UUID) -> list[Any]:
    async with database.reading(tenant) as reading:
        rows = await reading.rows(
            select(StageInterval.__table__).where(StageInterval.tenant_id == tenant).order_by(StageInterval.id)
        )
    return list(rows)


async def shown(database: Database, tenant: UUID) -> dict[UUID, str | None]:
    """The stage that the row of each customer shows, by its key and by its id alike."""
    stages = model.Stage
    async with database.reading(tenant) as reading:
        rows = await reading.rows(
            select(Customer.id, Customer.default_stage, stages.key)
            .outerjoin(stages, (stages.tenant_id == Customer.tenant_id) & (stages.id == Customer.default_stage_id))
            .where(Customer.tenant_id == tenant)
        )
    assert [row.default_stage and row.default_stage.partition(":")[2] for row in rows] == [row.key for row in rows]
    return {row.id: row.default_stage for row in rows}


async def test_the_direction_is_seen_from_the_customers_own_history(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    for nth, stage in enumerate(["trial", "lead", "trial", "client", "lost", "lead"]):
        async with database.unit_of_work(tenant) as work:
            await actions.move(work, ada, stage, "way", occurred_at=START + nth * DAY)
    async with database.reading(tenant) as reading:
        directions = await reading.all(
            select(StageTransition.direction).where(StageTransition.tenant_id == tenant).order_by(StageTransition.id)
        )
    assert directions == [
        Movement.SKIP, Movement.REGRESSION, Movement.REENTRY, Movement.FORWARD, Movement.FORWARD, Movement.REENTRY
    ]  # fmt: skip
    assert (await visits(database, tenant, ada))[-2:] == [("lost", 1, 4, 5), ("lead", 2, 5, None)]


async def test_a_back_dated_move_starts_from_the_stage_of_that_time(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.move(work, ada, "lead", occurred_at=START)
        await actions.move(work, ada, "client", occurred_at=START + 9 * DAY)
    async with database.unit_of_work(tenant) as work:
        before = work.now
        await actions.move(work, ada, "trial", occurred_at=START + 5 * DAY)
    assert await visits(database, tenant, ada) == [("lead", 1, 0, 5), ("trial", 1, 5, 9), ("client", 1, 9, None)]
    earlier = before - timedelta(microseconds=1)
    assert await visits(database, tenant, ada, as_of=earlier) == [("lead", 1, 0, 9), ("client", 1, 9, None)]
    assert await visits(database, tenant, ada, as_of=START) == []


def by_hand(source: str | None, target: str | None, *, reason: bool = False) -> Rule:
    return Rule(source=source, target=target, trigger=Trigger.MANUAL, requires_reason=reason)


GUIDED = way(
    "lead", "client", "lost!", key="guided",
    ways=(by_hand(None, "lead"), by_hand("lead", "client"), by_hand("lead", "lost", reason=True)),
)  # fmt: skip


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        (lambda work, ada: actions.move(work, ada, "lead", "way"), rules.SameStage),
        (lambda work, ada: actions.move(work, ada, "lead", "way", cause=CauseKind.CONNECTOR), rules.SameStage),
        (lambda work, ada: actions.move(work, ada, "moon", "way"), rules.UnknownStage),
        (lambda work, ada: actions.move(work, ada, "moon", "way", cause=CauseKind.CONNECTOR), rules.UnknownStage),
        (lambda work, ada: actions.move(work, ada, "client", "moon"), queries.UnknownLifecycle),
        (lambda work, ada: actions.move(work, ada, "trial", "guided"), rules.UnknownStage),
        (lambda work, ada: actions.move(work, ada, None, "guided"), rules.StageNotReachable),
        (lambda work, ada: actions.move(work, ada, "lost", "guided", reason=" "), rules.ReasonRequired),
        (lambda work, ada: actions.move(work, new_id(), "client", "way"), queries.UnknownCustomer),
        (
            lambda work, ada: actions.move(work, ada, "client", "way", occurred_at=work.now + DAY),
            actions.MoveInFuture,
        ),
        (lambda work, ada: actions.add_note(work, ada, "moon", NoteKind.NEED, "a van"), rules.UnknownStage),
        (lambda work, ada: actions.add_note(work, ada, "lead", NoteKind.NEED, " "), actions.EmptyNote),
        (lambda work, ada: actions.add_note(work, new_id(), "lead", NoteKind.NEED, "x"), queries.UnknownCustomer),
    ],
)
async def test_a_refused_move_changes_nothing(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID,
    deed: Callable[[Writing, UUID], Awaitable[Any]], problem: type[Exception],
) -> None:  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, GUIDED, title=Text(en="Guided"))
        await actions.move(work, ada, "lead", "way")
        await actions.move(work, ada, "lead", "guided")
    await refused(database, tenant, lambda work: deed(work, ada), problem)


async def test_what_belongs_to_another_tenant_is_as_unknown_as_what_was_invented(
    database: Database, tenant: UUID, other_tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        theirs = await actions.move(work, ada, "lead")
    async with database.unit_of_work(other_tenant) as work:
        await actions.create_lifecycle(work, WAY, title=Text(en="Way"))
    for foreign, invented in (
        (lambda work: actions.move(work, ada, "lead"), lambda work: actions.move(work, new_id(), "lead")),
        (
            lambda work: actions.correct(work, theirs, stage="trial", reason="typo"),
            lambda work: actions.correct(work, new_id(), stage="trial", reason="typo"),
        ),
    ):
        answers = []
        for deed in (foreign, invented):
            with pytest.raises((queries.UnknownCustomer, history.ForeignTransition)) as raised:
                async with database.unit_of_work(other_tenant) as work:
                    await deed(work)
            answers.append((raised.value.name, raised.value.code, raised.value.message, raised.value.path))
        assert answers[0] == answers[1]


async def test_a_correction_is_a_new_row_and_as_of_still_finds_what_was_believed(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        await actions.move(work, ada, "lead", occurred_at=START)
        mistaken = await actions.move(work, ada, "client", occurred_at=START + 5 * DAY)
    async with database.unit_of_work(tenant) as work:
        corrected = await actions.correct(
            work, mistaken, stage="trial", occurred_at=START + 2 * DAY, reason="it was the trial"
        )
        first = work.now
    assert await visits(database, tenant, ada) == [("lead", 1, 0, 2), ("trial", 1, 2, None)]
    assert [row.id for row in await intervals(database, tenant)][-1] == corrected
    async with database.unit_of_work(tenant) as work:
        undone = await actions.correct(work, corrected, stage="lead", reason="it never happened")
    assert await visits(database, tenant, ada) == [("lead", 1, 0, None)]
    assert await visits(database, tenant, ada, as_of=first) == [("lead", 1, 0, 2), ("trial", 1, 2, None)]
    async with database.reading(tenant) as reading:
        log = await reading.rows(
            select(StageTransition.id, StageTransition.corrects, StageTransition.reason)
            .where(StageTransition.tenant_id == tenant)
            .order_by(StageTransition.id)
        )
        shown = await reading.rows(
            select(Interaction.revision, Interaction.payload, Interaction.superseded_at.is_(None))
            .where(Interaction.tenant_id == tenant, Interaction.id == mistaken)
            .order_by(Interaction.revision)
        )
        audited = await reading.rows(
            select(AuditEntry.before, AuditEntry.after)
            .where(AuditEntry.tenant_id == tenant, AuditEntry.action == "stages.correct")
            .order_by(AuditEntry.position)
        )
    assert [tuple(row) for row in log][1:] == [
        (mistaken, None, None),
        (corrected, mistaken, "it was the trial"),
        (undone, mistaken, "it never happened"),
    ]
    assert [tuple(row) for row in shown] == [
        (1, {"lifecycle": "way", "from_stage": "lead", "to_stage": "client"}, False),
        (2, {"lifecycle": "way", "from_stage": "lead", "to_stage": "trial"}, False),
    ]
    assert [(row.before["stage"], row.after["stage"]) for row in audited] == [("client", "trial"), ("trial", "lead")]


@pytest.mark.parametrize(
    ("deed", "problem"),
    [
        (lambda work, it: actions.correct(work, it, stage="moon", reason="x"), rules.UnknownStage),
        (lambda work, it: actions.correct(work, it, stage="trial", reason=" "), rules.ReasonRequired),
        (lambda work, it: actions.correct(work, it, stage="lead", reason="x"), actions.NothingToCorrect),
        (lambda work, it: actions.correct(work, it, reason="x"), actions.NothingToCorrect),
        (
            lambda work, it: actions.correct(work, it, occurred_at=work.now + DAY, reason="x"),
            actions.MoveInFuture,
        ),
    ],
)
async def test_a_refused_correction_changes_nothing(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID,
    deed: Callable[[Writing, UUID], Awaitable[Any]], problem: type[Exception],
) -> None:  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        it = await actions.move(work, ada, "lead")
    await refused(database, tenant, lambda work: deed(work, it), problem)


async def test_publishing_moves_customers_with_their_stages(database: Database, tenant: UUID, way_of: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        kept, moved, dropped = [await customer(work) for _ in range(3)]
        for who, stage in ((kept, "lead"), (moved, "trial"), (dropped, "client")):
            await actions.move(work, who, stage, occurred_at=START)
    new = way("lead", "pilot", "owner")
    problem = await refused(
        database, tenant, lambda work: actions.publish(work, "way", new, {"trial": "pilot"}), rules.IncompleteStageMap
    )
    assert isinstance(problem, rules.IncompleteStageMap)
    assert problem.details == {"missing": ("client",)}
    async with database.unit_of_work(tenant) as work:
        await actions.publish(work, "way", new, {"trial": "pilot", "client": None})
    assert await visits(database, tenant, kept) == [("lead", 1, 0, None)]
    assert [visit[:2] for visit in await visits(database, tenant, moved)] == [("trial", 1), ("pilot", 1)]
    assert [visit[:2] for visit in await visits(database, tenant, dropped)] == [("client", 1)]
    assert [row.stage_key for row in await intervals(database, tenant) if row.is_current] == ["lead", "pilot"]
    async with database.reading(tenant) as reading:
        now = await queries.lifecycle(reading, "way")
        made = await reading.rows(
            select(StageTransition.customer_id, StageTransition.cause_id, StageTransition.direction)
            .where(StageTransition.tenant_id == tenant, StageTransition.cause_kind == "MIGRATION")
            .order_by(StageTransition.customer_id)
        )
    assert [tuple(row) for row in made] == [(moved, now.version_id, None), (dropped, now.version_id, None)]
    assert (now.number, now.moved) == (2, {"trial": "pilot", "client": None})


async def test_a_stage_that_is_no_more_is_left_also_after_an_unmerge(
    database: Database, tenant: UUID, way_of: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        survivor, absorbed = await customer(work), await customer(work)
        await actions.move(work, absorbed, "trial", occurred_at=START)
        await actions.move(work, survivor, "lead", occurred_at=START + DAY)
        await merge(work, absorbed, survivor)
        await settling.settle(work, [absorbed, survivor])
    assert await visits(database, tenant, survivor) == [("trial", 1, 0, 1), ("lead", 1, 1, None)]
    async with database.unit_of_work(tenant) as work:
        await actions.publish(work, "way", way("lead", "pilot"), {"trial": "pilot"})
    async with database.unit_of_work(tenant) as work:
        await actions.publish(work, "way", way("lead", "client"), {"pilot": "client"})
    async with database.unit_of_work(tenant) as work:
        await unmerge(work, absorbed)
        assert await settling.settle(work, [absorbed, survivor]) == 1
    assert await visits(database, tenant, survivor) == [("lead", 1, 1, None)]
    assert [visit[:2] for visit in await visits(database, tenant, absorbed)] == [("trial", 1), ("client", 1)]


async def test_a_merge_combines_histories_and_an_unmerge_restores_them(
    database: Database, tenant: UUID, way_of: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        survivor, absorbed = await customer(work), await customer(work)
        for nth, who, stage in (
            (0, absorbed, "lead"),
            (2, survivor, "lead"),
            (4, absorbed, "trial"),
            (6, survivor, "client"),
        ):
            await actions.move(work, who, stage, occurred_at=START + nth * DAY)
    apart = await intervals(database, tenant)
    assert await shown(database, tenant) == {survivor: "way:client", absorbed: "way:trial"}
    async with database.unit_of_work(tenant) as work:
        await merge(work, absorbed, survivor)
        await transitions.rebuild_intervals(work, [absorbed, survivor])
    together = [("lead", 1, 0, 4), ("trial", 1, 4, 6), ("client", 1, 6, None)]
    assert await visits(database, tenant, survivor) == together
    assert await visits(database, tenant, absorbed) == together  # the old id answers with the survivor
    assert {row.customer_id for row in await intervals(database, tenant)} == {survivor}
    assert await shown(database, tenant) == {survivor: "way:client", absorbed: None}
    async with database.unit_of_work(tenant) as work:
        await unmerge(work, absorbed)
        await transitions.rebuild_intervals(work, [absorbed])  # whoever is asked first takes what is theirs
        await transitions.rebuild_intervals(work, [survivor])
    assert await intervals(database, tenant) == apart
    assert await shown(database, tenant) == {survivor: "way:client", absorbed: "way:trial"}


async def test_a_customers_row_shows_its_stage_in_the_default_lifecycle_only(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    seen = []
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, way("new", "old", key="other"), title=Text(en="Other"))
    for lifecycle, stage in (("way", "lead"), ("other", "new"), ("way", "lost"), ("way", None), ("way", "trial")):
        async with database.unit_of_work(tenant) as work:
            await actions.move(work, ada, stage, lifecycle)
        seen.append((await shown(database, tenant))[ada])
    assert seen == ["way:lead", "way:lead", "way:lost", None, "way:trial"]
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, way("open", "done", key="third"), title=Text(en="Third"), default=True)
    assert (await shown(database, tenant))[ada] is None
    async with database.unit_of_work(tenant) as work:
        await actions.move(work, ada, "open", "third")
    assert (await shown(database, tenant))[ada] == "third:open"


async def test_the_intervals_can_be_rebuilt_from_the_log(database: Database, tenant: UUID, way_of: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        people = [await customer(work) for _ in range(3)]
        for nth, stage in enumerate(["lead", "trial", "lead", "client", None, "lead"]):
            for who in people:
                await actions.move(work, who, stage, occurred_at=START + nth * DAY)
    before = await intervals(database, tenant)
    assert len(before) == 15
    assert await shown(database, tenant) == dict.fromkeys(people, "way:lead")
    async with database.unit_of_work(tenant) as work:
        await work.execute(
            text("DELETE FROM stage_intervals WHERE tenant_id = :tenant AND visit = 1"), {"tenant": tenant}
        )
        await work.execute(
            text("UPDATE stage_intervals SET exited_at = NULL WHERE tenant_id = :tenant"), {"tenant": tenant}
        )
        for who, stage in zip(people, ("way:trial", None, "elsewhere:lead"), strict=True):
            await work.execute(update(Customer).where(Customer.id == who).values(default_stage=stage))
        await transitions.rebuild_intervals(work, people)
    assert await intervals(database, tenant) == before
    assert await shown(database, tenant) == dict.fromkeys(people, "way:lead")


async def test_a_note_says_what_a_customer_needs_in_a_stage(
    database: Database, tenant: UUID, way_of: UUID, ada: UUID
) -> None:
    async with database.unit_of_work(tenant) as work:
        note = await actions.add_note(
            work, ada, "trial", NoteKind.PAIN_POINT, " The set-up is slow. ", occurred_at=START, source="interview"
        )
    assert (note.customer_id, note.kind, note.text, note.source, note.occurred_at, note.author) == (
        ada, "PAIN_POINT", "The set-up is slow.", "interview", START, "system"
    )  # fmt: skip


async def test_old_ids_lead_to_the_survivor(database: Database, tenant: UUID, way_of: UUID, ada: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        old = await customer(work, root=ada)
        await actions.move(work, old, "lead", occurred_at=START)
    assert {row.customer_id for row in await intervals(database, tenant)} == {ada}


async def test_publishing_has_the_rules_look_at_everybody_soon(database: Database, tenant: UUID, ada: UUID) -> None:
    ways = (Rule(source=None, target="lead", trigger=Trigger.EVENT, when=Occasions(lt=1)),)
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, way("lead", "client", ways=ways), title=Text(en="Way"))
        published = work.now
    async with database.reading(tenant) as reading:
        due = await reading.rows(select(DueWork.kind, DueWork.due_at).where(DueWork.tenant_id == tenant))
    assert (settling.STAGE_RULES, published) in [tuple(row) for row in due]
    async with database.unit_of_work(tenant) as work:
        assert await settling.settle_due(work, "") is None
    assert await visits(database, tenant, ada) == [("lead", 1, 0, None)]


async def test_another_systems_word_pins_the_stage_as_a_persons_does(
    database: Database, tenant: UUID, ada: UUID
) -> None:
    ways = (Rule(source="lead", target="client", trigger=Trigger.EVENT),)
    async with database.unit_of_work(tenant) as work:
        await actions.create_lifecycle(work, way("lead", "client", ways=ways), title=Text(en="Way"))
        integration = new_id()
        await actions.move(work, ada, "lead", occurred_at=START, cause=CauseKind.CONNECTOR, cause_id=integration)
    (stay,) = await intervals(database, tenant)
    assert (stay.stage_key, stay.cause_kind, stay.cause_id, stay.is_current) == ("lead", "CONNECTOR", integration, True)
