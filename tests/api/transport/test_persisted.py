from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
from sqlalchemy import func, select

from api.app import create_app
from api.schema import core
from domain.tenants.model import PersistedDocument
from tests.api.transport.conftest import Token, issue

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.settings import Settings

COUNT = "{ customers(first: 1) { totalCount } }"
NONE = {"data": {"customers": {"totalCount": 0}}}
NOT_FOUND = {"errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"}}]}


def persisted(text: str) -> dict[str, Any]:
    return {"persistedQuery": {"version": 1, "sha256Hash": sha256(text.encode()).hexdigest()}}


async def ask(client: httpx2.AsyncClient, text: str, **more: Any) -> httpx2.Response:
    return await client.post("/graphql", json={"extensions": persisted(text), **more})


async def kept(database: Database, tenant: UUID) -> int:
    async with database.reading(tenant) as reading:
        return await reading.one(
            select(func.count()).select_from(PersistedDocument).where(PersistedDocument.tenant_id == tenant)
        ) or 0  # fmt: skip


async def test_a_digest_is_enough_once_its_document_came(
    database: Database, settings: Settings, client: httpx2.AsyncClient, token: Token
) -> None:
    first = await ask(client, COUNT)
    assert (first.status_code, first.json()) == (400, NOT_FOUND)
    classic = await client.post(
        "/graphql", json={"extensions": persisted(COUNT)}, headers={"Accept": "application/json"}
    )
    assert (classic.status_code, classic.json()) == (200, NOT_FOUND)
    assert (await ask(client, COUNT, query=COUNT)).json() == NONE
    assert (await ask(client, COUNT)).json() == NONE
    transport = httpx2.ASGITransport(create_app(settings, database, core))
    async with httpx2.AsyncClient(transport=transport, base_url="http://tenure", headers=token.headers) as elsewhere:
        assert (await ask(elsewhere, COUNT)).json() == NONE
        digest = persisted(COUNT)["persistedQuery"]["sha256Hash"]
        by_get = f'{{"persistedQuery": {{"version": 1, "sha256Hash": "{digest}"}}}}'
        assert (await elsewhere.get("/graphql", params={"extensions": by_get})).json() == NONE
    assert await kept(database, token.tenant) == 1


async def test_a_tenants_documents_are_its_own(
    database: Database, client: httpx2.AsyncClient, client_of: Callable[..., httpx2.AsyncClient], other_tenant: UUID
) -> None:
    await ask(client, COUNT, query=COUNT)
    other = await issue(database, other_tenant)
    async with client_of(**other.headers) as stranger:
        assert (await ask(stranger, COUNT)).json() == NOT_FOUND


async def test_what_is_refused_is_not_kept(database: Database, client: httpx2.AsyncClient, token: Token) -> None:
    assert (await ask(client, "{ nothing }", query="{ nothing }")).status_code == 400
    assert (await ask(client, "{ nothing }")).json() == NOT_FOUND
    assert await kept(database, token.tenant) == 0


async def test_a_very_long_document_is_answered_and_not_kept(
    database: Database, client: httpx2.AsyncClient, token: Token
) -> None:
    long = COUNT + " " * (64 << 10)
    assert (await ask(client, long, query=long)).json() == NONE
    assert await kept(database, token.tenant) == 0


@pytest.mark.parametrize(
    "extension",
    [
        {"version": 2, "sha256Hash": "0" * 64},
        {"version": 1, "sha256Hash": "0" * 63},
        {"version": 1, "sha256Hash": "x" * 64},
        {"version": 1, "sha256Hash": 1},
        {"version": 1},
        "x",
        {"version": 1, "sha256Hash": "0" * 64},
    ],
)
async def test_a_digest_that_is_none_or_anothers_is_refused(
    database: Database, client: httpx2.AsyncClient, token: Token, extension: Any
) -> None:
    response = await client.post("/graphql", json={"query": COUNT, "extensions": {"persistedQuery": extension}})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT"}
    assert await kept(database, token.tenant) == 0
