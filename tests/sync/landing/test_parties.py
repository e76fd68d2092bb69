"""Interactions that name addresses: whom they are shown for, what stays of their text, and who is left alone."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from domain import customers
from domain.core.database import Database
from sync import dead_letters
from sync.land import land
from sync.runs import Counts
from tenure_sdk import Customer, Email, Identity, Interaction, Page, Ref

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from tests.conftest import Logins

    from .conftest import Landing

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
BEA, CARL = "bea@example.org", "carl@example.org"


def mail(*addresses: str, subject: str = "Hello", content: str | None = None) -> Interaction:
    return Interaction(
        id="m1", kind="EMAIL_RECEIVED", occurred_at=NOON, summary=subject, content=content,
        parties=tuple(Identity("email", address) for address in addresses),
        payload=Email(subject=subject, sender=addresses[0], recipients=("us@acme.example",)),
    )  # fmt: skip


async def shown(landing: Landing) -> list[tuple[Any, ...]]:
    """What stands on the timelines: part, name of the customer, summary, revision."""
    return list(
        await landing.rows(
            "SELECT i.part, c.display_name, i.summary, i.revision FROM interactions i"
            " LEFT JOIN customers c ON c.tenant_id = i.tenant_id AND c.id = i.customer_id"
            " WHERE i.$t AND i.superseded_at IS NULL ORDER BY i.part"
        )
    )


async def texts(landing: Landing) -> list[tuple[Any, ...]]:
    return list(
        await landing.rows(
            "SELECT c.display_name, t.content FROM interaction_contents t"
            " JOIN customers c ON c.tenant_id = t.tenant_id AND c.id = t.customer_id WHERE t.$t ORDER BY 1"
        )
    )


async def both(landing: Landing) -> None:
    await landing.records(
        Customer(id="1", name="Bea", emails=("Bea@Example.org", "b@example.org")),
        Customer(id="2", name="Carl", emails=(CARL,)),
    )


async def test_it_is_shown_for_each_who_is_known_by_one_of_the_addresses(landing: Landing) -> None:
    await both(landing)
    landed = await landing.records(mail("BEA@example.org", CARL, "b@example.org", "unknown@example.org"))
    assert landed.counts == Counts(read=1, created=1)
    assert await shown(landing) == [(0, "Bea", "Hello", 1), (1, "Carl", "Hello", 1)]
    assert len(landed.touched) == 2
    assert await landing.rows("SELECT payload ->> 'from', payload -> 'to' FROM interactions WHERE $t LIMIT 1") == [
        ("BEA@example.org", ["us@acme.example"])
    ]
    assert (await landing.records(mail(BEA, CARL))).counts == Counts(read=1, unchanged=0, updated=1)
    assert (await landing.records(mail(BEA, CARL))).counts == Counts(read=1, unchanged=1)


async def test_unknown_addresses_make_nobody(landing: Landing) -> None:
    landed = await landing.records(mail("unknown@example.org", content="Private words"))
    assert landed.counts == Counts(read=1, strangers=1)
    for table in ("customers", "interactions", "interaction_contents", "dead_letters"):
        assert await landing.rows(f"SELECT count(*) FROM {table} WHERE $t") == [(0,)]


async def test_who_sends_just_what_is_to_be_kept_is_told_of_strangers(landing: Landing) -> None:
    async with landing.database.unit_of_work(landing.tenant) as work:
        landed = await land(work, landing.run, Page([mail(BEA, CARL)]), refuse_strangers=True)
    assert landed.counts == Counts(read=1, rejected=1)
    assert await landing.rows("SELECT remote_id, field, value, reason FROM dead_letters WHERE $t") == [
        ("m1", "parties", f"{BEA}, {CARL}", "are of nobody who is known here")
    ]
    await landing.records(Customer(id="2", name="Carl", emails=(CARL,)))
    [(letter,)] = await landing.rows("SELECT id FROM dead_letters WHERE $t")
    async with landing.database.unit_of_work(landing.tenant) as work:
        assert (await dead_letters.retry(work, [letter])).landed == [letter]
    assert await shown(landing) == [(0, "Carl", "Hello", 1)]


async def test_who_becomes_known_later_has_it_when_it_comes_again(landing: Landing) -> None:
    await landing.records(Customer(id="2", name="Carl", emails=(CARL,)))
    await landing.records(mail(BEA, CARL))
    await landing.records(Customer(id="1", name="Bea", emails=(BEA,)))
    assert await shown(landing) == [(0, "Carl", "Hello", 1)]
    assert (await landing.records(mail(BEA, CARL))).counts == Counts(read=1, created=1)
    assert await shown(landing) == [(0, "Carl", "Hello", 1), (1, "Bea", "Hello", 1)]


async def test_who_lost_the_address_keeps_what_happened(landing: Landing) -> None:
    await both(landing)
    await landing.records(mail(BEA, CARL))
    await landing.records(Customer(id="1", name="Bea", emails=("new@example.org",)))
    await landing.records(mail(BEA, CARL, subject="Hello!"))
    assert await shown(landing) == [(0, "Bea", "Hello!", 2), (1, "Carl", "Hello!", 2)]


async def test_merged_customers_have_it_once(landing: Landing) -> None:
    await both(landing)
    ids = dict(await landing.rows("SELECT remote_id, local_id FROM record_links WHERE $t AND type = 'customer'"))
    async with landing.database.unit_of_work(landing.tenant) as work:
        await customers.merge(work, ids["1"], [ids["2"]])
    await landing.records(mail(BEA, CARL))
    assert len(await shown(landing)) == 1


async def test_a_deletion_takes_all_parts_and_the_texts(landing: Landing) -> None:
    await both(landing)
    await landing.records(mail(BEA, CARL, content="The text"))
    landed = await landing.page(Page((), deletes=["m1"]))
    assert landed.counts == Counts(deleted=1)
    assert await shown(landing) == []
    assert await texts(landing) == [("Bea", None), ("Carl", None)]


async def test_texts_stand_apart_and_are_replaced(landing: Landing) -> None:
    await both(landing)
    await landing.records(mail(BEA, CARL))
    assert await texts(landing) == []
    landed = await landing.records(mail(BEA, CARL, content="The text"))
    assert landed.counts == Counts(read=1, unchanged=1)
    assert await texts(landing) == [("Bea", "The text"), ("Carl", "The text")]
    await landing.records(mail(BEA, CARL, subject="Hello!", content="Another text"))
    assert await texts(landing) == [("Bea", "Another text"), ("Carl", "Another text")]
    assert await landing.rows("SELECT count(*) FROM interactions WHERE $t AND payload::text LIKE '%text%'") == [(0,)]
    await landing.records(mail(BEA, CARL, subject="Hello!"))
    assert await texts(landing) == [("Bea", None), ("Carl", None)]


@pytest.fixture
async def eraser(logins: Logins) -> AsyncIterator[Database]:
    async with Database(str(logins.privacy), readers=1, writers=2, key=b"0" * 32) as opened:
        yield opened


async def test_nothing_lands_for_who_was_erased(landing: Landing, eraser: Database) -> None:
    await both(landing)
    note = Interaction(id="n1", kind="EMAIL_SENT", occurred_at=NOON, customer=Ref("customer", "1"), summary="To Bea")
    await landing.records(note, mail(BEA, CARL, content="The text"))
    ids: dict[str, UUID] = dict(
        await landing.rows("SELECT remote_id, local_id FROM record_links WHERE $t AND type = 'customer'")  # type: ignore[arg-type]
    )
    async with eraser.unit_of_work(landing.tenant) as work:
        await customers.erase_customer(work, ids["1"])
    assert await landing.rows("SELECT content FROM interaction_contents WHERE $t ORDER BY content") == [
        ("The text",), (None,)
    ]  # fmt: skip
    landed = await landing.records(
        note, Interaction(id="n2", kind="EMAIL_SENT", occurred_at=NOON, customer=Ref("customer", "1"), summary="New"),
        mail(BEA, CARL, subject="Again", content="The text, again"),
    )  # fmt: skip
    assert landed.counts == Counts(read=3, updated=1, rejected=2)
    rows = await landing.rows(
        "SELECT summary FROM interactions WHERE $t AND superseded_at IS NULL ORDER BY remote_id, part"
    )
    assert rows == [(None,), ("Again",), (None,)]
    assert (
        await landing.rows("SELECT record, reason FROM dead_letters WHERE $t")
        == [(None, "is of a person who was erased")] * 2
    )
    assert await landing.rows("SELECT content FROM interaction_contents WHERE $t ORDER BY content") == [
        ("The text, again",), (None,)
    ]  # fmt: skip
