"""The texts of mails and meetings: who may read them, and that each reading is known afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from api.ids import encode
from api.problems import Forbidden
from domain.core.audit import AuditEntry
from domain.interactions.model import InteractionContent
from tests.api.seeding import START, customer, interaction

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from domain.core.database import Database

    Ask = Callable[..., Awaitable[dict[str, Any]]]

TEXTS = """{ interactions(first: 2) { edges { node {
    ... on EmailInteraction { subject content } ... on MeetingInteraction { title words: content }
} } } }"""


@pytest.fixture
async def mails(database: Database, tenant: UUID) -> list[UUID]:
    """Three mails, the first one without a text."""
    async with database.unit_of_work(tenant) as work:
        ada = customer(work, "Ada")
        await work.flush()
        made = []
        for day, text in ((1, None), (2, "Come at noon."), (3, "The secret offer")):
            of = {"kind": "EMAIL_SENT", "family": "EMAIL", "payload": {"subject": f"Mail {day}"}}
            row = interaction(work, ada.id, day, **of)
            made.append(row.id)
            if text:
                work.add(InteractionContent(interaction_id=row.id, customer_id=ada.id, content=text, recorded_at=START))
    return made


async def readings(database: Database, tenant: UUID) -> Sequence[AuditEntry]:
    async with database.reading(tenant) as reading:
        return await reading.all(
            select(AuditEntry).where(AuditEntry.tenant_id == tenant, AuditEntry.action == "interactions.read_content")
        )


async def test_texts_are_read_and_the_reading_is_audited(
    ask: Ask, database: Database, tenant: UUID, mails: list[UUID]
) -> None:
    found = await ask(TEXTS)
    assert [edge["node"] for edge in found["data"]["interactions"]["edges"]] == [
        {"subject": "Mail 3", "content": "The secret offer"},
        {"subject": "Mail 2", "content": "Come at noon."},
    ]
    (entry, *_) = await readings(database, tenant)
    assert entry.after == {"interactions": sorted(str(each) for each in mails[1:])}
    assert entry.actor.startswith("principal:")


async def test_one_reading_is_one_entry(ask: Ask, database: Database, tenant: UUID, mails: list[UUID]) -> None:
    one = "query ($id: ID!) { node(id: $id) { ... on EmailInteraction { content } } }"
    assert (await ask(one, id=encode("int", mails[0])))["data"] == {"node": {"content": None}}
    assert await readings(database, tenant) == []
    assert (await ask(one, id=encode("int", mails[2])))["data"] == {"node": {"content": "The secret offer"}}
    assert [entry.after for entry in await readings(database, tenant)] == [{"interactions": [str(mails[2])]}]


async def test_what_is_not_a_text_is_read_without_an_entry(
    ask: Ask, database: Database, tenant: UUID, mails: list[UUID]
) -> None:
    found = await ask("{ interactions(first: 9) { edges { node { summary ... on EmailInteraction { subject } } } } }")
    assert len(found["data"]["interactions"]["edges"]) == 3
    assert await readings(database, tenant) == []


async def test_texts_need_their_scope(ask: Ask, mails: list[UUID]) -> None:
    with pytest.raises(Forbidden, match="interactions:content"):
        await ask(TEXTS, scopes=frozenset({"customers:read", "pii:read"}))
