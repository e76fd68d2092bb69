"""Random edits on both sides, with replies lost: each survives on both, each true conflict is an object."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from sqlalchemy import select

from domain import customers
from domain.integrations import actions, queries
from domain.integrations.model import Ownership, ReconciliationReport, RecordLink, SyncDirection
from sync import reconcile
from sync.reconcile import Difference
from sync.repair import repair
from sync.two_way import conflicts
from sync.two_way.conflicts import Choice
from tenure_sdk import Customer

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from tests.sync.two_way.conftest import Books

Spot = tuple[str, str]
"""A field of a record: its remote id and the field's name."""

FIELDS = ("name", "emails", "phones")
PEOPLE, FEW_PEOPLE = 170, 34
MADE_HERE = 10
"""How many of them are entered here, and made there by us; the others are there already."""

AT_ONCE = 500
"""How many edits there are before the two sides hear of each other's."""

HERE = 65
"""How many of them are made here."""

BOTH = 15
"""How many of those hit the same field on both sides."""

LOST = 0.3
"""How many replies are lost after the other side has written."""

LEFT_OPEN = 3
"""How many conflicts of the last round nobody decides."""


@dataclass
class Edits:
    """What both sides do at random, and what has to come of it."""

    books: Books
    random: random.Random
    people: dict[str, UUID] = field(default_factory=dict)
    """By remote id."""
    expected: dict[Spot, str] = field(default_factory=dict)
    """What both sides must have."""
    asked: dict[Spot, tuple[str, str]] = field(default_factory=dict)
    """What a person must be asked about: ours and theirs."""
    counter: int = 0

    async def begin(self, people: int) -> None:
        """Have everybody on both sides, most of whom the other side knew first."""
        for number in range(people - MADE_HERE):
            self.books.side.put(f"t{number}", name=self.value("name"))
        await self.books.buyers(*(customers.NewCustomer(name=self.value("name")) for _ in range(MADE_HERE)))
        await self.settle()
        async with self.books.database.reading(self.books.tenant) as work:
            links = await work.rows(
                select(RecordLink.remote_id, RecordLink.local_id).where(RecordLink.tenant_id == self.books.tenant)
            )
        self.people = {link.remote_id: link.local_id for link in links}
        assert len(self.people) == people
        assert self.people.keys() == self.books.side.rows.keys()

    def value(self, name: str) -> str:
        self.counter += 1
        return {
            "name": f"Person {self.counter}",
            "emails": f"p{self.counter}@example.com",
            "phones": f"+44207{self.counter:07d}",
        }[name]

    async def round(self, count: int) -> None:
        """Edits of both sides that neither side knows of the other's."""
        spots = [(id_, name) for id_ in sorted(self.people) for name in FIELDS]
        drawn = self.random.sample(spots, count - BOTH)
        here = {spot: self.value(spot[1]) for spot in drawn[:HERE]}
        there = {spot: self.value(spot[1]) for spot in drawn[HERE - BOTH :]}
        await self.edit_here(here)
        for (id_, name), value in there.items():
            self.books.side.put(id_, **{name: _said(name, value)})
        self.asked = {spot: (here[spot], there[spot]) for spot in here.keys() & there.keys()}
        self.expected |= here | there
        for spot in self.asked:
            del self.expected[spot]

    async def edit_here(self, edits: dict[Spot, str]) -> None:
        changes: defaultdict[str, dict[str, Any]] = defaultdict(dict)
        for (id_, name), value in edits.items():
            changes[id_][name] = value if name == "name" else [value]
        async with self.books.database.unit_of_work(self.books.tenant) as work:
            for id_, said in changes.items():
                known = await customers.customer(work, self.people[id_])
                await customers.update(work, known.id, known.version, customers.Changes(**said))

    async def settle(self) -> None:
        """Rounds until nothing is owed and nothing new is found."""
        for _ in range(10):
            await self.books.react()
            written = 0
            while await self.books.is_owing():
                await self.books.make_due()
                written += (await self.books.send()).count
                if self.random.random() < LOST:  # what was read meanwhile must wait for what was sent
                    await self.books.pull()
            await self.books.pull()
            if not written and not await self.books.is_owing():
                return
        pytest.fail("it does not come to rest")

    async def decide(self, leave: int) -> None:
        """A person looks at every conflict, which is one of those that there have to be, and decides it."""
        found = {(each.remote_id, each.field): each for each in await self.books.conflicts()}
        assert {spot: (_value(each.ours), _value(each.theirs)) for spot, each in found.items()} == self.asked
        async with self.books.database.unit_of_work(self.books.tenant) as work:
            for spot in sorted(found)[leave:]:
                ours, theirs = self.asked.pop(spot)
                choice = self.random.choice(list(Choice))
                chosen = {Choice.OURS: ours, Choice.THEIRS: theirs, Choice.VALUE: self.value(spot[1])}[choice]
                await conflicts.resolve(work, self.books.registry, found[spot].id, choice, chosen)
                self.expected[spot] = chosen
        await self.settle()

    async def here(self) -> dict[Spot, str | None]:
        found: dict[Spot, str | None] = {}
        async with self.books.database.reading(self.books.tenant) as work:
            for id_, customer_id in self.people.items():
                row = await customers.customer(work, customer_id)
                values = zip(FIELDS, (row.display_name, row.primary_email, row.primary_phone), strict=True)
                found |= {(id_, name): value for name, value in values}
        return found

    def there(self) -> dict[Spot, str | None]:
        rows = self.books.side.rows.items()
        return {(id_, name): _plain(getattr(row, name)) for id_, row in rows for name in FIELDS}


@pytest.mark.slow
async def test_every_edit_survives_and_every_conflict_is_an_object(
    books: Books, edits_in_all: int, seed: int, record_property: Callable[[str, object], None]
) -> None:
    record_property("edits", edits_in_all)
    edits = await begun(books, PEOPLE, seed)
    rounds = edits_in_all // AT_ONCE
    for number in range(1, rounds + 1):
        await edits.round(AT_ONCE)
        await edits.settle()
        await edits.decide(leave=LEFT_OPEN if number == rounds else 0)
    here, there = await edits.here(), edits.there()
    expected = edits.expected
    assert {spot: (here[spot], there[spot]) for spot in expected} == {spot: (v, v) for spot, v in expected.items()}
    assert len(edits.asked) == LEFT_OPEN
    assert {spot: (here[spot], there[spot]) for spot in edits.asked} == edits.asked
    assert len(books.side.rows) == PEOPLE
    assert {(id_, name) for id_, _, names in await differing(books) for name in names} == edits.asked.keys()


async def test_exactly_what_was_made_to_differ_is_reported_and_repaired(books: Books, seed: int) -> None:
    edits = await begun(books, FEW_PEOPLE, seed)
    books.side.lose_reply = lambda _: False
    rows, chosen = books.side.rows, edits.random.sample(sorted(edits.people), 10)
    changed, gone, new = chosen[:6], chosen[6:], [f"n{number}" for number in range(5)]
    for id_ in changed:  # behind the back of the cursor, in the same version
        rows[id_] = msgspec.structs.replace(rows[id_], name=edits.value("name"))
    for id_ in gone:
        del rows[id_]
    for id_ in new:
        rows[id_] = Customer(id=id_, version="0", name=edits.value("name"))
    assert sorted(await differing(books)) == sorted(
        [
            *((id_, Difference.DIFFERENT, ()) for id_ in changed),
            *((id_, Difference.MISSING_REMOTE, ()) for id_ in gone),
            *((id_, Difference.MISSING_LOCAL, ()) for id_ in new),
        ]
    )
    async with books.database.reading(books.tenant) as work:
        last = select(ReconciliationReport).where(ReconciliationReport.tenant_id == books.tenant)
        report = await work.one(last.order_by(ReconciliationReport.id.desc()).limit(1))
    assert report is not None
    assert (report.compared, report.matching) == (FEW_PEOPLE + len(new), FEW_PEOPLE - len(chosen))
    assert await repair(books.database, books.remote, books.registry, books.tenant, report.id) == len(chosen) + len(new)
    await edits.settle()
    assert await differing(books) == []
    names = {row.name for row in rows.values()}
    assert len(names) == FEW_PEOPLE - len(gone) + len(new)
    assert names <= (await books.here()).keys()


async def begun(books: Books, people: int, seed: int) -> Edits:
    """Both sides have everybody, each field that both change waits for a person, and replies get lost."""
    async with books.database.unit_of_work(books.tenant) as work:
        integration = await queries.integration(work, books.id, lock=True)
        ownership = dict.fromkeys(FIELDS, Ownership.MANUAL)
        choice = actions.StreamChoice("customers", direction=SyncDirection.TWO_WAY, ownership=ownership)
        await actions.choose(work, integration, [choice])
    chance = random.Random(seed)  # noqa: S311 - the same edits in every run
    books.side.lose_reply = lambda _: chance.random() < LOST
    edits = Edits(books, chance)
    await edits.begin(people)
    return edits


async def differing(books: Books) -> list[tuple[str, Difference, tuple[str, ...]]]:
    report_id = await reconcile.reconcile(books.database, books.remote, books.tenant, books.id, deep=True)
    async with books.database.reading(books.tenant) as work:
        found = await reconcile.differences(work, report_id)
    return [(each.remote_id, each.kind, each.fields) for each in found]


@pytest.fixture
def edits_in_all(request: pytest.FixtureRequest) -> int:
    return 10_000 if request.config.getoption("--full-size") else 1_000


def _said(name: str, value: str) -> Any:
    return value if name == "name" else (value,)


def _plain(value: Any) -> str | None:
    return value if isinstance(value, str | None) else (value[0] if value else None)


def _value(kept: dict[str, Any] | None) -> Any:
    value = (kept or {}).get("value")
    return value[0] if isinstance(value, list) else value
