"""Both sides write: every change arrives once, conflicts are objects, and it comes to rest."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Text, cast, func, select, update

from domain.customers import NewCustomer
from domain.integrations.model import IntegrationState, OutboundChange, Ownership
from sync.heartbeat import Halt, Stop
from sync.two_way import comparing, conflicts, sending, switching
from sync.two_way.conflicts import Choice
from tenure_sdk import Customer

if TYPE_CHECKING:
    from domain.core.unit_of_work import Writing
    from tests.sync.two_way.conftest import Books

EVERYONE = lambda _: True  # noqa: E731 - a fault is a function of the change


async def test_who_has_bought_is_made_there_once(books: Books) -> None:
    await books.buyer("Ada", emails=["ada@example.com"], phones=["+442079460000"])
    assert (await books.go_round()).count == 1
    assert books.there() == {"Ada": ("ada@example.com", "+442079460000")}
    for _ in range(3):
        assert (await books.go_round()).count == 0
    assert books.side.writes == [("create", "r1")]
    assert await books.here() == books.there()
    assert await books.changes() == [("create", "SENT")]


async def test_disjoint_edits_of_both_sides_survive(books: Books) -> None:
    ada = await books.buyer("Ada", emails=["ada@example.com"])
    await books.go_round()
    await books.edit(ada, phones=["+442079460000"])
    books.side.put("r1", emails=("ada@new.example",))
    for _ in range(2):
        await books.go_round()
    assert books.there() == {"Ada": ("ada@new.example", "+442079460000")} == await books.here()
    assert books.side.writes == [("create", "r1"), ("update", "r1")]
    assert await books.conflicts() == []


async def test_a_conflict_of_manual_fields_waits_for_a_person_and_nothing_is_written(books: Books) -> None:
    await own(books, name=Ownership.MANUAL)
    ada = await books.buyer("Ada")
    await books.go_round()
    await books.edit(ada, name="Ada Here")
    books.side.put("r1", name="Ada There")
    for _ in range(2):
        await books.go_round()
    (conflict,) = await books.conflicts()
    assert (conflict.field, conflict.ours, conflict.theirs) == ("name", {"value": "Ada Here"}, {"value": "Ada There"})
    assert (list(await books.here()), list(books.there())) == (["Ada Here"], ["Ada There"])
    assert books.side.writes == [("create", "r1")]


@pytest.mark.parametrize(
    ("choice", "value", "expected"),
    [(Choice.OURS, None, "Ada Here"), (Choice.THEIRS, None, "Ada There"), (Choice.VALUE, "Ada Both", "Ada Both")],
)
async def test_what_a_person_chose_both_sides_have(
    books: Books, choice: Choice, value: str | None, expected: str
) -> None:
    await own(books, name=Ownership.MANUAL)
    ada = await books.buyer("Ada")
    await books.go_round()
    await books.edit(ada, name="Ada Here")
    books.side.put("r1", name="Ada There")
    await books.go_round()
    (conflict,) = await books.conflicts()
    async with books.database.unit_of_work(books.tenant) as work:
        await conflicts.resolve(work, books.registry, conflict.id, choice, value)
    for _ in range(2):
        await books.go_round()
    assert (list(await books.here()), list(books.there())) == ([expected], [expected])
    assert await books.conflicts() == []
    async with books.database.unit_of_work(books.tenant) as work:
        with pytest.raises(conflicts.ConflictResolved):
            await conflicts.resolve(work, books.registry, conflict.id, choice, value)


async def test_what_is_left_when_sending_is_asked_to_stop_goes_out_at_once_afterwards(books: Books) -> None:
    await books.pull()
    await books.buyers(NewCustomer(name="Ada"), NewCustomer(name="Bea"))
    async with books.database.unit_of_work(books.tenant) as work:
        first = select(func.min(cast(OutboundChange.id, Text))).where(OutboundChange.tenant_id == books.tenant)
        rests = update(OutboundChange).where(cast(OutboundChange.id, Text) == first.scalar_subquery())
        await work.execute(rests.values(status="WAITING", next_at=work.now + timedelta(hours=1)))
    halt = Halt()
    halt.ask(Stop.SHUTDOWN)
    sent = await sending.send(books.database, books.remote, books.registry, books.tenant, books.id, halt)
    assert (sent.count, sent.again_at is not None and sent.again_at <= books.database.clock.now()) == (0, True)


async def test_a_preview_shows_what_would_be_sent_and_keeps_nothing(
    books: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    transactions: list[Writing] = []
    compare_before = comparing.compare

    async def compare(work: Writing, *given: Any) -> int:
        transactions.append(work)
        return await compare_before(work, *given)

    monkeypatch.setattr(switching, "PORTION", 2)
    monkeypatch.setattr(comparing, "compare", compare)
    await own(books, direction="READ_ONLY")
    books.side.put("7", name="Ada")
    books.side.put("8", name="Cora", emails=("cora@example.com",))
    await books.pull()
    for name in ("Ada", "Bea"):
        await books.buyer(name)
    cora = await books.buyer("Cora K.", emails=["cora@example.com"])
    seen = await switching.preview(books.database, books.registry, books.tenant, books.id)
    assert (seen.creates, seen.updates, seen.conflicts, seen.doubtful) == (1, 1, 0, 1)
    assert [(each.op, (each.record or {})["name"]) for each in seen.changes] == [
        ("update", "Cora K."),
        ("create", "Bea"),
    ]
    assert cora
    assert await books.changes() == []
    assert len({id(work) for work in transactions}) == len(transactions) > 1  # nobody waits for all of it


async def test_a_value_that_they_write_their_way_is_no_change_of_theirs(books: Books) -> None:
    books.side.writes_as = lambda row: Customer(**{**_values(row), "name": (row.name or "").upper()})
    ada = await books.buyer("Ada")
    for _ in range(10):
        await books.go_round()
    assert books.side.writes == [("create", "r1")]
    await books.edit(ada, name="Bea")
    for _ in range(10):
        await books.go_round()
    assert books.side.writes == [("create", "r1"), ("update", "r1")]
    assert list(books.there()) == ["BEA"]


async def test_who_edits_faster_than_it_is_sent_is_asked_nothing(books: Books) -> None:
    ada = await books.buyer("Ada")
    await books.go_round()
    last_digits = iter(range(6))

    async def edit() -> None:
        for digit in last_digits:
            await books.edit(ada, phones=[f"+44207946000{digit}"])
            return

    books.side.meanwhile = edit
    await edit()
    await books.go_round()
    assert await books.conflicts() == []
    assert books.there() == {"Ada": (None, "+442079460005")} == await books.here()
    assert books.side.writes == [("create", "r1"), *[("update", "r1")] * 6]


async def test_systems_that_rewrite_each_other_come_to_rest_and_a_person_is_asked(books: Books) -> None:
    ada = await books.buyer("Ada")
    await books.go_round()
    for _ in range(5):
        books.side.put("r1", name="ADA")
        await books.go_round()
        await books.edit(ada, name="Ada")  # as another system has it
        await books.go_round()
    (conflict,) = await books.conflicts()
    assert (conflict.field, conflict.ours, conflict.theirs) == ("name", {"value": "Ada"}, {"value": "ADA"})
    assert books.side.writes == [("create", "r1"), ("update", "r1"), ("update", "r1")]
    async with books.database.unit_of_work(books.tenant) as work:
        await conflicts.resolve(work, books.registry, conflict.id, Choice.OURS)
    await books.go_round()
    assert (list(books.there()), await books.conflicts()) == (["Ada"], [])


async def test_a_lost_reply_makes_nobody_twice(books: Books) -> None:
    books.side.lose_reply = EVERYONE
    await books.buyer("Ada")
    sent = await books.go_round()
    assert (sent.count, len(books.side.rows)) == (0, 1)
    assert await books.changes() == [("create", "SENDING")]
    await books.pull()  # what was made there must not land as somebody new while nobody knows whose it is
    assert list(await books.here()) == ["Ada"]
    books.side.lose_reply = lambda _: False
    await books.make_due()
    assert (await books.send()).count == 1
    await books.go_round()
    assert (list(books.there()), list(await books.here())) == (["Ada"], ["Ada"])
    assert books.side.writes == [("create", "r1")]


async def test_what_waits_for_the_end_of_a_trouble_is_tried_once_something_comes_through(books: Books) -> None:
    books.side.lose_reply = EVERYONE
    await books.buyer("Ada")
    await books.go_round()
    books.side.lose_reply = lambda _: False
    assert await books.state() == IntegrationState.DEGRADED
    assert (await books.send()).count == 0  # not for a minute
    await books.buyer("Bob")
    assert (await books.send()).count == 2
    assert await books.state() == IntegrationState.ACTIVE
    assert await books.changes() == [("create", "SENT"), ("create", "SENT")]
    assert list(books.there()) == ["Ada", "Bob"]


async def test_an_answer_that_is_given_again_is_not_taken_for_the_present(books: Books) -> None:
    ada = await books.buyer("Ada")
    await books.go_round()
    books.side.lose_reply = EVERYONE
    await books.edit(ada, phones=["+442079460000"])
    await books.go_round()
    books.side.lose_reply = lambda _: False
    books.side.put("r1", name="Ada King")
    for _ in range(3):
        await books.make_due()
        await books.go_round()
    assert await books.here() == {"Ada King": (None, "+442079460000")} == books.there()


async def test_a_page_that_is_older_than_our_own_change_is_read_again(books: Books) -> None:
    ada = await books.buyer("Ada")
    await books.go_round()
    old = books.side.rows["r1"]
    await books.edit(ada, name="Ada King")
    asked_at = books.database.clock.now()
    assert (await books.send()).count == 1
    async with books.database.reading(books.tenant) as work:
        assert await sending.is_behind(work, books.id, [old], asked_at)
        assert not await sending.is_behind(work, books.id, [books.side.rows["r1"]], asked_at)
        assert not await sending.is_behind(work, books.id, [old], books.database.clock.now())


async def test_what_they_do_not_take_is_told_before_it_is_sent_and_holds_up_nobody(books: Books) -> None:
    await books.buyer("A: B")
    await books.buyer("Ada")
    assert (await books.go_round()).count == 1
    assert sorted(await books.changes()) == [("create", "REJECTED"), ("create", "SENT")]
    assert list(books.there()) == ["Ada"]


async def test_a_namesake_over_there_waits_for_a_person(books: Books) -> None:
    books.side.put("7", name="Ada")
    await books.pull()
    await books.buyer("Ada")
    await books.go_round()
    assert books.side.writes == []
    assert await books.changes() == []


async def test_read_only_is_never_written(books: Books) -> None:
    await own(books, direction="READ_ONLY")
    await books.buyer("Ada")
    await books.go_round()
    assert (books.side.writes, await books.changes()) == ([], [])


async def own(books: Books, direction: str = "TWO_WAY", **ownership: Ownership) -> None:
    from domain.integrations import actions, queries
    from domain.integrations.model import SyncDirection

    async with books.database.unit_of_work(books.tenant) as work:
        integration = await queries.integration(work, books.id, lock=True)
        choice = actions.StreamChoice("customers", direction=SyncDirection(direction), ownership=ownership)
        await actions.choose(work, integration, [choice])


def _values(row: Customer) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__struct_fields__}
