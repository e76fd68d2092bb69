from __future__ import annotations

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select, text, update
from sqlalchemy.event import listen, remove

from domain import customers
from domain.core.clock import FixedClock
from domain.core.database import Database, driver_connection
from domain.core.events import OutboxEvent
from domain.core.problems import DomainError, NotFound
from domain.core.tables import personal_columns
from domain.customers import Address, NewCustomer, edges, queries
from domain.customers.edges import AlreadyMerged, AlreadyUndone, EdgeNotFound, MergedWithItself, MergeVetoed
from domain.customers.merging import CandidateDecided, NothingToMerge
from domain.customers.model import (
    AttributeType,
    ConsentDecision,
    Customer,
    CustomerAttribute,
    CustomerFact,
    CustomerKind,
    CustomerWord,
    IdentityClaim,
    IdentityEdge,
)
from domain.customers.queries import within
from domain.interactions.model import Interaction
from tests.conftest import new_tenant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing
    from tests.conftest import Logins

CHILDREN = ("customer_facts", "identity_claims", "customer_relations", "consent_events", "interactions", "orders")


async def made(database: Database, tenant: UUID, *new: NewCustomer) -> list[UUID]:
    async with database.unit_of_work(tenant) as work:
        return [(await customers.create(work, each)).id for each in new]


async def people(database: Database, tenant: UUID, *names: str) -> list[UUID]:
    """Customers who share nothing, with an interaction each."""
    ids = await made(database, tenant, *(NewCustomer(name=name, emails=[f"{name}@people.example"]) for name in names))
    async with database.unit_of_work(tenant) as work:
        for id_ in ids:
            mine = work.ids()
            work.add(
                Interaction(
                    id=mine, revision=1, customer_id=id_, kind="NOTE", family="NOTE", occurred_at=work.now,
                    recorded_at=work.now, stream="manual", remote_id=mine.hex, summary="met",
                )
            )  # fmt: skip
    return ids


async def projected(reading: Reading) -> dict[UUID, tuple[Any, ...]]:
    """What the tables say of every customer: its root, where it went, its members and status."""
    rows = await reading.all(select(Customer).where(Customer.tenant_id == reading.tenant_id))
    return {row.id: (row.root_id, row.merged_into, tuple(row.member_ids), row.status) for row in rows}


async def shown(reading: Reading) -> list[tuple[Any, ...]]:
    """Everything that heads, words and attributes show, versions and times of change aside."""
    left_out = {"version", "updated_at", "tenant_id"}
    columns = [column for column in Customer.__table__.columns if column.name not in left_out]
    heads = await reading.rows(select(*columns).where(Customer.tenant_id == reading.tenant_id).order_by(Customer.id))
    words = await reading.rows(
        select(CustomerWord.customer_id, CustomerWord.word).where(CustomerWord.tenant_id == reading.tenant_id)
    )
    values = await reading.rows(
        select(CustomerAttribute.customer_id, CustomerAttribute.key).where(
            CustomerAttribute.tenant_id == reading.tenant_id
        )
    )
    return [*map(tuple, heads), *sorted(map(tuple, words)), *sorted(map(tuple, values))]


async def children(reading: Reading) -> str:
    """The digest of every row that belongs to a customer."""
    digest = hashlib.sha256()
    for table in CHILDREN:
        rows = text(f"SELECT t::text AS row FROM {table} t WHERE tenant_id = :tenant ORDER BY 1")
        for (row,) in await reading.rows(rows, {"tenant": reading.tenant_id}):
            digest.update(row.encode())
    return digest.hexdigest()


async def events(reading: Reading, like: str) -> list[tuple[UUID, dict[str, Any]]]:
    found = await reading.all(
        select(OutboxEvent)
        .where(OutboxEvent.tenant_id == reading.tenant_id, OutboxEvent.name == like)
        .order_by(OutboxEvent.id)
    )
    return [(event.subject, event.body) for event in found]


async def test_a_merge_shows_everything_on_the_survivor_and_rewrites_nothing(database: Database, tenant: UUID) -> None:
    ada, lovelace, byron = await people(database, tenant, "ada", "lovelace", "byron")
    async with database.reading(tenant) as reading:
        before = await children(reading)
    async with database.unit_of_work(tenant) as work:
        merged = await customers.merge(work, ada, [lovelace], reason="the same person")
    async with database.reading(tenant) as reading:
        assert await children(reading) == before
        assert await projected(reading) == {
            ada: (ada, None, (ada, lovelace), "ACTIVE"),
            lovelace: (ada, ada, (), "MERGED"),
            byron: (byron, None, (byron,), "ACTIVE"),
        }
        head = await customers.customer(reading, lovelace)
        assert [email["address"] for email in head.emails or []] == ["ada@people.example", "lovelace@people.example"]
        assert [email["isPrimary"] for email in head.emails or []] == [True, False]
        assert await customers.by_email(reading, "lovelace@people.example") == [ada]
        assert await events(reading, "customers.CustomersMerged") == [
            (ada, {"customers": [ada.hex, lovelace.hex], "batch": merged.batch_id.hex})
        ]
        words = await reading.all(
            select(CustomerWord.customer_id).where(CustomerWord.tenant_id == tenant, CustomerWord.word == "lovelace")
        )
        assert words == [ada]
        log = await reading.all(select(IdentityEdge).where(IdentityEdge.tenant_id == tenant))
        assert [(edge.kind, edge.into_id, edge.customer_id, edge.reason) for edge in log] == [
            ("MERGE", ada, lovelace, "the same person")
        ]


async def test_who_brings_nothing_changes_nothing_that_is_shown(database: Database, tenant: UUID) -> None:
    ada, nobody = await made(database, tenant, NewCustomer(emails=["hand@x.example"]), NewCustomer())
    days = [datetime(2026, 1, day, tzinfo=UTC) for day in (2, 1, 3)]
    async with database.unit_of_work(tenant) as work:
        for day in days:
            for source, is_primary in (("crm:main", False), ("crm:main", True), ("manual", False)):
                said = {"customer_id": ada, "source": source, "valid_from": day}
                email, parts = f"{source[:3]}{is_primary:d}{day.day}@x.example", {"city": f"{source} {day.day}"}
                claim = IdentityClaim(
                    id=work.ids(), scheme="email", value=email, normalised=email, strength="WEAK",
                    is_primary=is_primary, **said,
                )  # fmt: skip
                work.add(claim, CustomerFact(id=work.ids(), key="address", json_value=parts, recorded_at=day, **said))
        await customers.refresh_heads(work, [ada])
        alone = await customers.customer(work, ada)
        emails, addresses = alone.emails or [], alone.addresses or []
    assert [email["address"].partition("@")[0] for email in emails] == [
        "hand", "crm11", "crm12", "crm13", "man01", "man02", "man03", "crm01", "crm02", "crm03",
    ]  # fmt: skip
    assert [address["city"] for address in addresses] == [
        "manual 3", "manual 2", "manual 1", "crm:main 3", "crm:main 2", "crm:main 1",
    ]  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, ada, [nobody])
        merged = await customers.customer(work, ada)
        assert (merged.emails, merged.addresses) == (emails, addresses)


async def test_merge_then_unmerge_is_the_identity(database: Database, tenant: UUID) -> None:
    ids = await people(database, tenant, "ada", "lovelace", "byron")
    async with database.unit_of_work(tenant) as work:
        await work.execute(
            update(Customer)
            .where(Customer.tenant_id == tenant, Customer.id == ids[1])
            .values(first_seen_at=datetime(2020, 1, 1, tzinfo=UTC))
        )
    async with database.reading(tenant) as reading:
        before = await shown(reading), await children(reading), await projected(reading)
    async with database.unit_of_work(tenant) as work:
        merged = await customers.merge(work, ids[0], ids[1:])
    async with database.reading(tenant) as reading:
        assert (await customers.customer(reading, ids[0])).first_seen_at == datetime(2020, 1, 1, tzinfo=UTC)
    async with database.unit_of_work(tenant) as work:
        parted = await customers.unmerge(work, batch_id=merged.batch_id)
    assert parted.survivors == {id_: id_ for id_ in ids}
    async with database.reading(tenant) as reading:
        assert (await shown(reading), await children(reading), await projected(reading)) == before
        assert await events(reading, "customers.CustomersUnmerged") == [
            (id_, {"customers": [id_.hex], "batch": parted.batch_id.hex}) for id_ in sorted(ids)
        ]


async def test_what_is_shown_can_be_made_again_from_what_was_said(database: Database, tenant: UUID) -> None:
    async with database.unit_of_work(tenant) as work:
        await customers.define_attribute(work, "tier", AttributeType.TEXT, {"en": "Tier"})
    acme = customers_of_kind("ORGANISATION")("Acme")
    (acme_id,) = await made(database, tenant, acme)
    whole = NewCustomer(
        name="Ada", emails=["ada@x.example"], phones=["+31201234567"], addresses=[Address(city="Delft", country="NL")],
        attributes={"tier": "gold"}, organisation_id=acme_id,
    )  # fmt: skip
    ada, eva = await made(database, tenant, whole, NewCustomer(name="Eva", emails=["eva@x.example"]))
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, eva, [ada])
    async with database.reading(tenant) as reading:
        stands = await shown(reading)
    async with database.unit_of_work(tenant) as work:
        emptied = ("country", "organisation_id", *personal_columns(Customer))
        await work.execute(update(Customer).where(Customer.tenant_id == tenant).values(dict.fromkeys(emptied)))
        for beside in (CustomerWord, CustomerAttribute):
            await work.execute(delete(beside).where(beside.tenant_id == tenant))
        assert await shown(work) != stands
        await customers.refresh_heads(work, [ada, acme_id])
        assert await shown(work) == stands


async def test_any_merge_of_several_is_undone_alone(database: Database, tenant: UUID) -> None:
    a, b, c, d = await people(database, tenant, "anna", "bertha", "clara", "dora")
    async with database.unit_of_work(tenant) as work:
        first = await customers.merge(work, a, [b])
        await customers.merge(work, c, [d])
        await customers.merge(work, a, [c])
    async with database.unit_of_work(tenant) as work:
        await customers.unmerge(work, first.edges)
    async with database.reading(tenant) as reading:
        assert {id_: state[0] for id_, state in (await projected(reading)).items()} == {a: a, b: b, c: a, d: a}
        assert await customers.resolve(reading, d) == a


async def test_what_cannot_be_merged_changes_nothing(database: Database, tenant: UUID, other_tenant: UUID) -> None:
    a, b, c = await people(database, tenant, "anna", "bertha", "clara")
    (foreign,) = await people(database, other_tenant, "fred")
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, a, [b])
        vetoed = await customers.veto(work, b, c)
    async with database.reading(tenant) as reading:
        before = await shown(reading), await children(reading), await events(reading, "customers.CustomersMerged")
    refused: Sequence[tuple[UUID, list[UUID], type[DomainError]]] = (
        (a, [], NothingToMerge), (a, [a], MergedWithItself), (a, [b], AlreadyMerged), (b, [a], AlreadyMerged),
        (a, [c], MergeVetoed), (c, [b], MergeVetoed), (a, [foreign], NotFound), (foreign, [a], NotFound),
        (a, [database.ids()], NotFound),
    )  # fmt: skip
    for into, absorbed, problem in refused:
        with pytest.raises(problem) as caught:
            async with database.unit_of_work(tenant) as work:
                await customers.merge(work, into, absorbed)
        if problem is MergeVetoed:
            assert [edge.id for edge in caught.value.details["evidence"]] == list(vetoed.edges)
    async with database.reading(tenant) as reading:
        after = await shown(reading), await children(reading), await events(reading, "customers.CustomersMerged")
    assert after == before


async def test_what_was_undone_or_never_was_cannot_be_undone(
    database: Database, tenant: UUID, other_tenant: UUID
) -> None:
    a, b = await people(database, tenant, "anna", "bertha")
    async with database.unit_of_work(tenant) as work:
        merged = await customers.merge(work, a, [b])
        await customers.unmerge(work, merged.edges)
    for named in ({"edge_ids": merged.edges}, {"batch_id": merged.batch_id}):
        with pytest.raises(AlreadyUndone):
            async with database.unit_of_work(tenant) as work:
                await customers.unmerge(work, **named)  # type: ignore[arg-type]
        with pytest.raises(EdgeNotFound):
            async with database.unit_of_work(other_tenant) as work:
                await customers.unmerge(work, **named)  # type: ignore[arg-type]


async def test_two_merges_of_the_same_customers_wait_for_each_other(database: Database, tenant: UUID) -> None:
    a, b, c = await people(database, tenant, "anna", "bertha", "clara")
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with database.unit_of_work(tenant) as work:
            await customers.merge(work, a, [b])
            locked.set()
            await go_on.wait()

    async def second() -> None:
        await locked.wait()
        async with database.unit_of_work(tenant) as work:
            await customers.merge(work, b, [c])

    async with asyncio.TaskGroup() as group:
        group.create_task(first())
        waiting = group.create_task(second())
        await locked.wait()
        await asyncio.sleep(0.2)
        assert not waiting.done()
        go_on.set()
    async with database.reading(tenant) as reading:
        assert await projected(reading) == {
            a: (a, None, (a, b, c), "ACTIVE"), b: (a, a, (), "MERGED"), c: (a, a, (), "MERGED")
        }  # fmt: skip


async def test_of_two_opposite_merges_at_once_one_is_refused(database: Database, tenant: UUID) -> None:
    a, b = await people(database, tenant, "anna", "bertha")

    async def merge(into: UUID, absorbed: UUID) -> str:
        try:
            async with database.unit_of_work(tenant) as work:
                await customers.merge(work, into, [absorbed])
        except AlreadyMerged:
            return "refused"
        return "merged"

    assert sorted(await asyncio.gather(merge(a, b), merge(b, a))) == ["merged", "refused"]
    async with database.reading(tenant) as reading:
        assert len(await reading.all(select(IdentityEdge).where(IdentityEdge.tenant_id == tenant))) == 1


async def test_two_who_bring_the_same_identifier_at_once_become_one(database: Database, tenant: UUID) -> None:
    same = NewCustomer(name="Ada", emails=["ada@x.example"])
    one, other = await asyncio.gather(made(database, tenant, same), made(database, tenant, same))
    async with database.reading(tenant) as reading:
        assert await customers.resolve(reading, *one) == await customers.resolve(reading, *other)
        assert len(await projected(reading)) == 2


@pytest.mark.anyio
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    deeds=st.lists(
        st.tuples(
            st.sampled_from(["merge", "merge", "merge", "veto", "unmerge"]), st.integers(0, 4), st.integers(0, 4)
        ),
        max_size=9,
    )
)
async def test_the_projections_are_what_the_log_says(database: Database, deeds: list[tuple[str, int, int]]) -> None:
    tenant = await new_tenant(database)
    ids = await bare(database, tenant, 5)
    async with database.reading(tenant) as reading:
        untouched = await children(reading)
    for deed, one, other in deeds:
        try:
            async with database.unit_of_work(tenant) as work:
                await _do(work, deed, ids[one], ids[other])
        except DomainError:
            continue
    async with database.reading(tenant) as reading:
        log = await queries.edges_of(reading, ids)
        roots = {id_: edges.components(log).get(id_, id_) for id_ in ids}
        members = edges.members(roots)
        assert await projected(reading) == {
            id_: (
                root,
                None if root == id_ else root,
                members.get(id_, ()),
                "ACTIVE" if root == id_ else "MERGED",
            )
            for id_, root in roots.items()
        }
        names = {id_: f"n{place}" for place, id_ in enumerate(ids)}
        words = await reading.rows(
            select(CustomerWord.customer_id, CustomerWord.word).where(CustomerWord.tenant_id == tenant)
        )
        assert {tuple(row) for row in words} == {(roots[id_], name) for id_, name in names.items()}
        assert await children(reading) == untouched
        stands = await shown(reading)
    async with database.unit_of_work(tenant) as work:
        await customers.refresh_heads(work, ids)
    async with database.reading(tenant) as reading:
        assert await shown(reading) == stands


async def bare(database: Database, tenant: UUID, count: int) -> list[UUID]:
    return await made(database, tenant, *(NewCustomer(name=f"n{place}") for place in range(count)))


async def _do(work: Writing, deed: str, one: UUID, other: UUID) -> None:
    if deed == "merge":
        await customers.merge(work, one, [other])
    elif deed == "veto":
        await customers.veto(work, one, other)
    else:
        log = await queries.edges_of(work, [one, other])
        await customers.unmerge(work, [edge.id for edge in log if edge.kind != "UNMERGE"][:1])


async def test_a_strong_identifier_merges_into_the_older_customer(database: Database, tenant: UUID) -> None:
    old, new = await made(
        database, tenant,
        NewCustomer(name="Ada King", emails=["ada@x.example"]),
        NewCustomer(name="A. King", emails=["ADA@x.example", "ada@y.example"]),
    )  # fmt: skip
    assert new == old
    async with database.reading(tenant) as reading:
        (edge,) = await reading.all(select(IdentityEdge).where(IdentityEdge.tenant_id == tenant))
        head = await customers.customer(reading, old)
        assert await queries.merge_candidates(reading) == []
    assert (edge.kind, edge.into_id, edge.actor) == ("MERGE", old, "system")
    assert edge.evidence == {"shared": [["email", "ada@x.example"]]}
    assert head.member_ids == [old, edge.customer_id]
    assert [email["address"] for email in head.emails or []] == ["ada@x.example", "ada@y.example"]


async def test_verified_identifiers_that_differ_are_proposed_and_not_merged(database: Database, tenant: UUID) -> None:
    a, b = await made(database, tenant, NewCustomer(name="Ada"), NewCustomer(name="Eva"))
    async with database.unit_of_work(tenant) as work:
        for customer, tax_id in ((a, "NL1"), (b, "NL2")):
            await claim(work, customer, "tax_id", tax_id, verified=True)
            await claim(work, customer, "email", "office@x.example")
        await customers.settle_identities(work, [a, b])
    async with database.reading(tenant) as reading:
        (candidate,) = await queries.merge_candidates(reading)
        assert {state[0] for state in (await projected(reading)).values()} == {a, b}
    assert (candidate.left_id, candidate.right_id, candidate.state) == (a, b, "OPEN")
    assert [(feature["name"], feature["weight"]) for feature in candidate.features or []] == [
        ("email", 10.0), ("tax_id", -8.0), ("name", -5.0),
    ]  # fmt: skip
    assert candidate.score == 0


async def test_weak_identifiers_and_equal_names_only_propose(database: Database, tenant: UUID) -> None:
    a, b = await made(
        database, tenant,
        NewCustomer(name="Ada King", phones=["+31201234567"]), NewCustomer(name="ada KING", phones=["+31201234567"]),
    )  # fmt: skip
    assert a != b
    async with database.reading(tenant) as reading:
        (candidate,) = await queries.merge_candidates(reading)
    assert (candidate.left_id, candidate.right_id, candidate.score) == (a, b, 992)
    assert [feature["explanation"] for feature in candidate.features or []] == [
        "Both have the same phone number.", "The names are 100% alike.",
    ]  # fmt: skip


async def test_an_accepted_proposal_merges_and_is_decided_once(database: Database, tenant: UUID) -> None:
    a, b = await made(database, tenant, *[NewCustomer(name="Ada", phones=["+31201234567"])] * 2)
    async with database.reading(tenant) as reading:
        (candidate,) = await queries.merge_candidates(reading)
    async with database.unit_of_work(tenant) as work:
        decided = await customers.decide_candidate(work, candidate.id, accept=True)
    assert (decided.state, decided.decided_by, decided.decided_at is None) == ("ACCEPTED", "system", False)
    async with database.reading(tenant) as reading:
        assert await customers.resolve(reading, b) == a
    with pytest.raises(CandidateDecided):
        async with database.unit_of_work(tenant) as work:
            await customers.decide_candidate(work, candidate.id, accept=False)


async def test_a_rejection_is_remembered_until_it_is_taken_back(database: Database, tenant: UUID) -> None:
    a, b = await made(database, tenant, *[NewCustomer(name="Ada", phones=["+31201234567"])] * 2)
    async with database.reading(tenant) as reading:
        (candidate,) = await queries.merge_candidates(reading)
    async with database.unit_of_work(tenant) as work:
        await customers.decide_candidate(work, candidate.id, accept=False)
        for customer in (a, b):
            await claim(work, customer, "email", "ada@x.example")
        await customers.settle_identities(work, [a, b])
    async with database.reading(tenant) as reading:
        assert await queries.merge_candidates(reading) == []
        assert {state[0] for state in (await projected(reading)).values()} == {a, b}
        (edge,) = await reading.all(select(IdentityEdge).where(IdentityEdge.tenant_id == tenant))
    with pytest.raises(MergeVetoed):
        async with database.unit_of_work(tenant) as work:
            await customers.merge(work, a, [b])
    async with database.unit_of_work(tenant) as work:
        await customers.unmerge(work, [edge.id])
    async with database.reading(tenant) as reading:
        assert [each.id for each in await queries.merge_candidates(reading)] == [candidate.id]


async def test_what_a_person_parted_no_machine_joins_again(database: Database, tenant: UUID) -> None:
    (a,) = set(await made(database, tenant, *[NewCustomer(name="Ada", emails=["ada@x.example"])] * 2))
    async with database.unit_of_work(tenant) as work:
        (edge,) = await work.all(select(IdentityEdge).where(IdentityEdge.tenant_id == tenant))
        await customers.unmerge(work, [edge.id])
        await customers.settle_identities(work, [a, edge.customer_id])
    async with database.reading(tenant) as reading:
        assert {state[0] for state in (await projected(reading)).values()} == {a, edge.customer_id}
        assert await queries.merge_candidates(reading) == []
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, a, [edge.customer_id])


@pytest.mark.parametrize(("holders", "merged"), [(20, True), (21, False)])
async def test_an_identifier_that_many_hold_proves_nothing(
    database: Database, tenant: UUID, holders: int, *, merged: bool
) -> None:
    ids = await bare(database, tenant, holders)
    async with database.unit_of_work(tenant) as work:
        for id_ in ids:
            await claim(work, id_, "email", "info@company.example")
        await customers.settle_identities(work, ids[-1:])
    async with database.reading(tenant) as reading:
        roots = {state[0] for state in (await projected(reading)).values()}
        assert roots == (set(ids[:1]) if merged else set(ids))
        assert await queries.merge_candidates(reading) == []


async def test_a_crowded_identifier_proves_nothing_beside_a_shared_one_either(database: Database, tenant: UUID) -> None:
    ids = await bare(database, tenant, 21)
    async with database.unit_of_work(tenant) as work:
        for id_ in ids:
            await claim(work, id_, "email", "info@company.example")
        for id_ in ids[:2]:
            await claim(work, id_, "phone", "+31201234567")
        await customers.settle_identities(work, ids)
    async with database.reading(tenant) as reading:
        assert {state[0] for state in (await projected(reading)).values()} == set(ids)
        (candidate,) = await queries.merge_candidates(reading)
    assert [feature["name"] for feature in candidate.features or []] == ["phone", "name"]


async def test_who_waited_for_another_merge_comes_after_it(logins: Logins, database: Database, tenant: UUID) -> None:
    a, b, c = await people(database, tenant, "anna", "bertha", "clara")
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, a, [b])
        then = work.now
    clock = FixedClock(then - timedelta(minutes=1))
    async with Database(str(logins.server), clock=clock) as earlier, earlier.unit_of_work(tenant) as work:
        await customers.merge(work, c, [b])
    async with database.reading(tenant) as reading:
        assert {state[0] for state in (await projected(reading)).values()} == {c}
        recorded = select(IdentityEdge.recorded_at).where(IdentityEdge.tenant_id == tenant)
        assert set(await reading.all(recorded)) == {then}


async def test_one_answer_closes_every_proposal_of_the_same_two(database: Database, tenant: UUID) -> None:
    same = {"phones": ["+31201234567"]}
    a, b, c = await made(database, tenant, *(NewCustomer(name=name, **same) for name in ("Ada", "Eva", "Ida")))
    async with database.unit_of_work(tenant) as work:
        await customers.merge(work, a, [b])
        open_ = await queries.merge_candidates(work)
        assert {(each.left_id, each.right_id) for each in open_} == {(a, c), (b, c)}
        await customers.decide_candidate(work, open_[0].id, accept=False)
        assert await queries.merge_candidates(work) == []


async def test_the_number_of_statements_does_not_grow_with_the_customers(database: Database, tenant: UUID) -> None:
    async def settled(count: int) -> int:
        ids = await bare(database, tenant, count)
        statements: list[str] = []
        engine = database.engine.sync_engine
        listen(engine, "before_cursor_execute", heard := lambda *event: statements.append(event[2]))
        async with database.unit_of_work(tenant) as work:
            connection = await driver_connection(await work.connection())
            connection.add_query_logger(direct := lambda query: statements.append(query.query))
            await work.execute(
                update(CustomerFact)
                .where(CustomerFact.tenant_id == tenant, within(CustomerFact.customer_id, ids))
                .values(valid_to=work.now)
            )
            for id_ in ids:
                await claim(work, id_, "external:shop:uk", id_.hex)
            statements.clear()
            await customers.settle_identities(work, ids)
            await customers.refresh_heads(work, ids)
            counted = len(statements)
            connection.remove_query_logger(direct)
        remove(engine, "before_cursor_execute", heard)
        async with database.reading(tenant) as reading:
            assert (await customers.customer(reading, ids[-1])).display_name == ids[-1].hex
        return counted

    assert await settled(3) == await settled(60)


async def test_settling_twice_writes_nothing_more(database: Database, tenant: UUID) -> None:
    ids = await made(
        database, tenant, *[NewCustomer(name="Ada King", phones=["+31201234567"])] * 3,
        *[NewCustomer(name="Eva", emails=["eva@x.example"])] * 2,
    )  # fmt: skip
    async with database.unit_of_work(tenant) as work:
        before = await written(work)
        await customers.settle_identities(work, ids)
        await customers.refresh_heads(work, ids)
        assert await written(work) == before


async def test_a_merge_of_organisations_moves_their_people_with_them(database: Database, tenant: UUID) -> None:
    organisation = customers_of_kind("ORGANISATION")
    acme, acme_bv = await made(database, tenant, organisation("Acme"), organisation("Acme B.V. Holding"))
    (ada,) = await made(database, tenant, NewCustomer(name="Ada", organisation_id=acme_bv))
    async with database.unit_of_work(tenant) as work:
        merged = await customers.merge(work, acme, [acme_bv])
    async with database.reading(tenant) as reading:
        assert (await customers.customer(reading, ada)).organisation_id == acme
    async with database.unit_of_work(tenant) as work:
        await customers.unmerge(work, batch_id=merged.batch_id)
    async with database.reading(tenant) as reading:
        assert (await customers.customer(reading, ada)).organisation_id == acme_bv


async def test_a_merge_keeps_the_most_restrictive_consent(database: Database, tenant: UUID) -> None:
    a, b = await people(database, tenant, "anna", "bertha")
    async with database.unit_of_work(tenant) as work:
        at = work.now - timedelta(days=3)
        await customers.record_consent(work, a, "news", "email", ConsentDecision.GRANTED, occurred_at=at)
        await customers.record_consent(
            work, b, "news", "email", ConsentDecision.DENIED, occurred_at=at - timedelta(days=1)
        )
        await customers.merge(work, a, [b])
        assert await queries.consents(work, b) == {("news", "email"): ConsentDecision.DENIED}
        await customers.record_consent(work, b, "news", "email", ConsentDecision.GRANTED)
        assert await queries.consents(work, a) == {("news", "email"): ConsentDecision.GRANTED}


def customers_of_kind(kind: str) -> Any:
    return lambda name: NewCustomer(kind=CustomerKind(kind), name=name)


async def claim(work: Writing, customer: UUID, scheme: str, value: str, *, verified: bool = False) -> None:
    strength = "WEAK" if scheme == "phone" else "STRONG"
    await work.execute(
        insert(IdentityClaim),
        [
            {
                "tenant_id": work.tenant_id, "id": work.ids(), "customer_id": customer, "scheme": scheme,
                "value": value, "normalised": value, "strength": strength, "source": "crm:main",
                "verified_at": work.now if verified else None, "valid_from": work.now,
            }
        ],
    )  # fmt: skip


async def written(work: Writing) -> list[tuple[Any, ...]]:
    """Which version of each row stands: PostgreSQL's own counter of commands tells a row that was written again."""
    await work.flush()
    tables = ("customers", "customer_words", "customer_attributes", "identity_edges", "merge_candidates")
    return [
        tuple(row)
        for table in tables
        for row in await work.rows(
            text(f"SELECT '{table}', ctid::text, xmin::text FROM {table} WHERE tenant_id = :tenant ORDER BY 2"),
            {"tenant": work.tenant_id},
        )
    ]
