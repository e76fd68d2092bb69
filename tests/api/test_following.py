from __future__ import annotations

import asyncio
from base64 import b64encode
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from api.engine import Ask, Engine
from api.problems import Forbidden
from api.schema import core
from domain import customers, interactions, segments
from domain.interactions.model import InteractionKind
from domain.segments.criteria import Interactions, Occasions
from domain.stages import actions as stages
from domain.stages import rules
from tests.api.conftest import identity

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from domain.tenants.queries import Identity

SOON = 10.0
BEGIN = b64encode(f"0|{'0' * 32}".encode()).decode()
BEYOND = b64encode(f"{2**63}|{'0' * 32}".encode()).decode()
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
ACTIVITY = """subscription ($customer: ID!, $after: String) { customerActivity(customer: $customer, after: $after) {
  cursor interaction { id kind summary customer { displayName } ... on NoteInteraction { text } } } }"""
MOVES = """subscription ($lifecycle: String, $after: String) { stageTransitions(lifecycle: $lifecycle, after: $after) {
  cursor transition { lifecycle { key } toStage { key } customer { displayName } } } }"""

MEMBERS = """subscription ($segment: ID, $after: String) { segmentMemberships(segment: $segment, after: $after) {
  cursor membership { change segment { key } customer { displayName } because { type } } } }"""


@pytest.fixture(scope="module")
async def followed(database: Database) -> AsyncIterator[Engine]:
    """An engine that hears what happens."""
    engine = Engine(database, core)
    async with engine.hints:
        yield engine


class Follower:
    """Somebody who follows a subscription."""

    def __init__(self, documents: Any) -> None:
        self._documents = documents
        self.cursor = ""

    async def hear(self, wanted: str) -> Any:
        """What the next event shows in one of its fields."""
        async with asyncio.timeout(SOON):
            document = await anext(self._documents)
        (event,) = document["data"].values()
        self.cursor = event["cursor"]
        return event[wanted]

    async def summaries(self, number: int) -> list[str]:
        """The summaries of the next interactions."""
        return [(await self.hear("interaction"))["summary"] for _ in range(number)]

    async def hears_nothing(self, for_: float = 1.5) -> None:
        """No event comes."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(for_):
                await anext(self._documents)


@asynccontextmanager
async def following(engine: Engine, who: Identity, document: str, **variables: Any) -> AsyncIterator[Follower]:
    """Follow a subscription; it has begun when the block does."""
    prepared = engine.prepare(Ask(document, who, variables=variables))
    async with aclosing(engine.subscribe(prepared)) as documents:
        yield Follower(documents)


async def refused(engine: Engine, who: Identity, document: str, **variables: Any) -> Any:
    """The only document of a subscription that cannot begin."""
    async with aclosing(engine.subscribe(engine.prepare(Ask(document, who, variables=variables)))) as documents:
        return [each async for each in documents]


async def made(database: Database, tenant: UUID, name: str, **more: Any) -> UUID:
    async with database.unit_of_work(tenant) as work:
        return (await customers.create(work, customers.NewCustomer(name=name, **more))).id


async def note(work: Writing, customer: UUID, summary: str) -> None:
    told = interactions.NewInteraction(
        InteractionKind.NOTE, work.now, customer, summary=summary, payload={"text": "Said so."}
    )
    await interactions.record(work, told)


AHEAD = text("""
SELECT count(*) FROM interactions
WHERE tenant_id = :tenant AND recorded_in >= pg_snapshot_xmin(pg_current_snapshot())::text::bigint
""")


async def past(database: Database, tenant: UUID) -> None:
    """Wait until everything recorded so far is behind the horizon, whoever else has a transaction open."""
    async with asyncio.timeout(60):
        while True:
            async with database.reading(tenant) as reading:
                ((count,),) = await reading.rows(AHEAD, {"tenant": tenant})
            if not count:
                return
            await asyncio.sleep(0.05)


async def test_what_is_recorded_from_now_on_is_heard_with_what_was_asked_of_it(
    followed: Engine, database: Database, tenant: UUID
) -> None:
    ada = await made(database, tenant, "Ada")
    async with database.unit_of_work(tenant) as work:
        await note(work, ada, "before")
    await past(database, tenant)
    async with following(followed, identity(tenant), ACTIVITY, customer=f"cus_{ada.hex}") as follower:
        heard = asyncio.create_task(follower.hear("interaction"))
        while not heard.done():  # following begins some time after it was asked for
            async with database.unit_of_work(tenant) as work:
                await note(work, ada, "after")
            await asyncio.wait([heard], timeout=1.0)
    interaction = await heard
    assert interaction.pop("id").startswith("int_")
    assert interaction == {
        "kind": "NOTE", "summary": "after", "customer": {"displayName": "Ada"}, "text": "Said so.",
    }  # fmt: skip


async def test_an_organisation_is_followed_with_its_people_and_with_who_was_merged(
    followed: Engine, database: Database, tenant: UUID
) -> None:
    acme = await made(database, tenant, "Acme", kind="ORGANISATION")
    ada, twin = [await made(database, tenant, "Ada", organisation_id=acme) for _ in range(2)]
    stranger = await made(database, tenant, "Bea")
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, ada, [twin])
        for who, summary in ((acme, "acme"), (stranger, "bea"), (ada, "ada"), (twin, "twin")):
            await note(work, who, summary)
    async with following(followed, identity(tenant), ACTIVITY, customer=f"cus_{acme.hex}", after=BEGIN) as follower:
        assert await follower.summaries(3) == ["acme", "ada", "twin"]
        await follower.hears_nothing()


async def test_who_resumes_misses_nothing_although_transactions_end_in_another_order(
    followed: Engine, database: Database, tenant: UUID
) -> None:
    ada = await made(database, tenant, "Ada")
    asked = {"customer": f"cus_{ada.hex}"}
    async with database.unit_of_work(tenant) as work:
        await note(work, ada, "first")
    async with following(followed, identity(tenant), ACTIVITY, after=BEGIN, **asked) as follower:
        assert await follower.summaries(1) == ["first"]
    async with database.unit_of_work(tenant) as slow:
        await note(slow, ada, "begun early, ended late")
        async with database.unit_of_work(tenant) as fast:
            await note(fast, ada, "begun late, ended early")
        async with following(followed, identity(tenant), ACTIVITY, after=follower.cursor, **asked) as waiting:
            await waiting.hears_nothing()
    async with following(followed, identity(tenant), ACTIVITY, after=follower.cursor, **asked) as resumed:
        assert await resumed.summaries(1) == ["begun early, ended late"]
    async with following(followed, identity(tenant), ACTIVITY, after=resumed.cursor, **asked) as resumed:
        assert await resumed.summaries(1) == ["begun late, ended early"]
        await resumed.hears_nothing()


async def test_a_burst_is_heard_once_each_and_in_order(followed: Engine, database: Database, tenant: UUID) -> None:
    ada = await made(database, tenant, "Ada")
    async with following(
        followed, identity(tenant), ACTIVITY, customer=f"cus_{ada.hex}", after=BEGIN
    ) as follower:  # fmt: skip
        heard = asyncio.create_task(follower.summaries(250))
        for start in range(0, 250, 25):
            async with database.unit_of_work(tenant) as work:
                for number in range(start, start + 25):
                    await note(work, ada, str(number))
        assert await heard == [str(number) for number in range(250)]
        await follower.hears_nothing()


async def test_a_revised_interaction_is_heard_again(followed: Engine, database: Database, tenant: UUID) -> None:
    ada = await made(database, tenant, "Ada")
    told = interactions.NewInteraction(InteractionKind.NOTE, NOON, ada, summary="draft", payload={"text": "Said so."})
    async with database.unit_of_work(tenant) as work:
        recorded = await interactions.record(work, told)
    async with following(
        followed, identity(tenant), ACTIVITY, customer=f"cus_{ada.hex}", after=BEGIN
    ) as follower:  # fmt: skip
        assert await follower.summaries(1) == ["draft"]
        async with database.unit_of_work(tenant) as work:
            await interactions.revise(work, recorded.id, replace(told, summary="final"))
        assert await follower.summaries(1) == ["final"]


async def test_moves_are_followed_in_one_lifecycle_or_in_all(
    followed: Engine, database: Database, tenant: UUID
) -> None:
    ada = await made(database, tenant, "Ada")
    async with database.unit_of_work(tenant) as work:
        for key in ("sales", "support"):
            definition = rules.Lifecycle(key=key, stages=tuple(map(_stage, (1, 2))))
            await stages.create_lifecycle(work, definition, title=rules.Text(key))
        await stages.move(work, ada, "s1", "sales")
        await stages.move(work, ada, "s1", "support")
        await stages.move(work, ada, "s2", "sales")
    begun, helped, gone_on = (
        {"lifecycle": {"key": lifecycle}, "toStage": {"key": stage}, "customer": {"displayName": "Ada"}}
        for lifecycle, stage in (("sales", "s1"), ("support", "s1"), ("sales", "s2"))
    )
    async with following(followed, identity(tenant), MOVES, lifecycle="sales", after=BEGIN) as follower:
        assert [await follower.hear("transition") for _ in range(2)] == [begun, gone_on]
        await follower.hears_nothing()
    async with following(followed, identity(tenant), MOVES, after=BEGIN) as follower:
        assert [await follower.hear("transition") for _ in range(3)] == [begun, helped, gone_on]


def _stage(position: int) -> rules.Stage:
    name = f"s{position}"
    return rules.Stage(key=name, position=position, label=rules.Text(name), step=rules.CanonicalStep.AWARE)


async def test_nobody_follows_what_is_not_there_or_of_another_tenant(
    followed: Engine, database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    foreign = await made(database, other_tenant, "Eve")
    message = "There is no customer like this here. Check it; one of another tenant is none."
    for customer in (f"cus_{foreign.hex}", "cus_" + "0" * 32):
        assert await refused(followed, identity(tenant), ACTIVITY, customer=customer) == [
            {
                "data": None,
                "errors": [
                    {"message": message, "path": ["customerActivity"], "extensions": {"code": "BAD_USER_INPUT"}}
                ],
            }
        ]


@pytest.mark.parametrize(
    ("document", "asked", "message"),
    [
        (ACTIVITY, {"customer": "Ada"}, "This is no id. Use one that an answer gave, as it stands."),
        (
            MOVES, {"lifecycle": "nowhere"},
            "There is no lifecycle like this here. Check it; one of another tenant is none.",
        ),
        (MOVES, {"after": "nonsense"}, "This cursor cannot be read. Use one that an event gave."),
        (MOVES, {"after": BEYOND}, "This cursor cannot be read. Use one that an event gave."),
    ],
)  # fmt: skip
async def test_what_cannot_be_followed_is_said_before_anything_is(
    followed: Engine, tenant: UUID, document: str, asked: dict[str, str], message: str
) -> None:
    (answer,) = await refused(followed, identity(tenant), document, **asked)
    assert [error["message"] for error in answer["errors"]] == [message]


async def test_without_its_scope_nothing_is_followed(followed: Engine, tenant: UUID) -> None:
    with pytest.raises(Forbidden):
        followed.prepare(Ask(MOVES, identity(tenant, frozenset({"customers:write"}))))


async def test_comings_and_goings_are_heard_of_one_segment_or_of_all(
    followed: Engine, database: Database, tenant: UUID
) -> None:
    ada = await made(database, tenant, "Ada")
    async with database.unit_of_work(tenant) as work:
        everybody = await segments.create(work, "everybody", {"en": "Everybody"}, Occasions(gte=0))
        quiet = await segments.create(work, "quiet", {"en": "Quiet"}, Interactions(kinds=("NOTE",), lt=1))
        for segment in (everybody, quiet):
            await segments.run(work, segment.id)
    async with database.unit_of_work(tenant) as work:
        await note(work, ada, "hello")
        await segments.settle(work, [ada])
    entered = {"change": "ENTER", "customer": {"displayName": "Ada"}}
    in_quiet = {"segment": {"key": "quiet"}, "because": [{"type": "INTERACTIONS"}]}
    async with following(followed, identity(tenant), MEMBERS, after=BEGIN) as follower:
        heard = [await follower.hear("membership") for _ in range(3)]
    assert heard == [
        {**entered, "segment": {"key": "everybody"}, "because": [{"type": "OCCASIONS"}]},
        {**entered, **in_quiet},
        {**entered, **in_quiet, "change": "EXIT"},
    ]
    only = f"seg_{quiet.id.hex}"
    async with following(followed, identity(tenant), MEMBERS, after=BEGIN, segment=only) as follower:
        assert await follower.hear("membership") == {**entered, **in_quiet}
