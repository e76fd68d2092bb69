from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest

from domain.core.clock import FixedClock
from domain.tenants import documents

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.database import Database


@pytest.fixture
def clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> FixedClock:
    fixed = FixedClock(database.clock.now())
    monkeypatch.setattr(database, "clock", fixed)
    return fixed


async def keep(database: Database, tenant: UUID, *texts: str) -> None:
    for text in texts:
        async with database.unit_of_work(tenant) as work:
            await documents.keep(work, sha256(text.encode()).digest(), text)


async def known(database: Database, tenant: UUID, *texts: str) -> list[str]:
    async with database.reading(tenant) as reading:
        found = [await documents.document(reading, sha256(text.encode()).digest()) for text in texts]
    return [text for text in found if text is not None]


async def test_the_documents_kept_longest_ago_are_forgotten(
    database: Database, tenant: UUID, other_tenant: UUID, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST", 2)
    await keep(database, other_tenant, "a")
    for text in ("a", "b", "a", "c"):
        clock.move(timedelta(days=2))
        await keep(database, tenant, text)
    assert await known(database, tenant, "a", "b", "c") == ["a", "c"]
    assert await known(database, other_tenant, "a") == ["a"]


async def test_the_documents_of_a_tenant_have_a_size_together(
    database: Database, tenant: UUID, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST_BYTES", 10)
    for text in ("123456", "1234", "1"):
        clock.move(timedelta(seconds=1))
        await keep(database, tenant, text)
    assert await known(database, tenant, "123456", "1234", "1") == ["1234", "1"]


async def test_a_document_that_was_kept_today_is_not_written_again(
    database: Database, tenant: UUID, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "MOST", 1)
    await keep(database, tenant, "a")
    clock.move(timedelta(hours=1))
    await keep(database, tenant, "b")
    clock.move(timedelta(hours=1))
    await keep(database, tenant, "b")
    assert await known(database, tenant, "a", "b") == ["b"]
