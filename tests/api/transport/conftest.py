"""The server in this process, its callers, and what it wrote."""

from __future__ import annotations

import asyncio
import socket
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2
import pytest
import uvicorn

from api.app import Server, create_app
from api.schema import core
from domain.core.clock import FixedClock
from domain.core.settings import Settings
from domain.tenants import actions as tenants
from domain.tenants.model import Role
from domain.tenants.rules import Scope

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from datetime import timedelta
    from uuid import UUID

    from graphql import GraphQLSchema

    from domain.core.database import Database

ORIGIN = "https://shop.example"


@dataclass(frozen=True)
class Token:
    """An issued token: its text, whose it is, and its id."""

    text: str
    tenant: UUID
    id: UUID

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


async def issue(
    database: Database, tenant: UUID, scopes: frozenset[str] = frozenset(Scope), expires_in: timedelta | None = None
) -> Token:
    async with database.unit_of_work(tenant) as work:
        principal = await tenants.create_principal(work, "Tests", Role.ADMIN)
        issued = await tenants.create_token(work, principal, "tests", sorted(scopes), expires_in)
        return Token(str(issued.secret), tenant, issued.token.id)


@pytest.fixture
async def token(database: Database, tenant: UUID) -> Token:
    return await issue(database, tenant)


@pytest.fixture
def settings() -> Settings:
    return Settings(cors_origins=f"{ORIGIN}, http://localhost:*")


@pytest.fixture
def clock(database: Database, monkeypatch: pytest.MonkeyPatch) -> FixedClock:
    fixed = FixedClock(database.clock.now())
    monkeypatch.setattr(database, "clock", fixed)
    return fixed


@pytest.fixture
def schema() -> GraphQLSchema:
    """The schema that is served; a module that needs other fields brings its own."""
    return core  # type: ignore[no-any-return]


@pytest.fixture
async def app(settings: Settings, database: Database, schema: GraphQLSchema) -> AsyncIterator[Server]:
    made = create_app(settings, database, schema)
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
def client_of(app: Server) -> Callable[..., httpx2.AsyncClient]:
    """A client of the server without any headers but those that are given."""

    def made(**headers: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://tenure", headers=headers)

    return made


@pytest.fixture
async def client(client_of: Callable[..., httpx2.AsyncClient], token: Token) -> AsyncIterator[httpx2.AsyncClient]:
    """A client that sends a token and accepts the GraphQL media type."""
    async with client_of(**token.headers, Accept="application/graphql-response+json") as opened:
        yield opened


async def post(client: httpx2.AsyncClient, query: str, **more: Any) -> httpx2.Response:
    headers = more.pop("headers", {})
    return await client.post("/graphql", json={"query": query, **more}, headers=headers)


class Listening(uvicorn.Server):
    """uvicorn inside a test: signals are the test runner's."""

    def capture_signals(self) -> AbstractContextManager[None]:
        return nullcontext()


@pytest.fixture
async def address(app: Server) -> AsyncIterator[str]:
    """Host and port of the server behind a real uvicorn, as `tenure serve` runs it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(
            app, http="httptools", ws="websockets-sansio", ws_max_size=1 << 20, lifespan="off", log_config=None,
            timeout_graceful_shutdown=5,
        )  # fmt: skip
        server = Listening(config)
        serving = asyncio.create_task(server.serve(sockets=[listening]))
        while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
            await asyncio.sleep(0.01)
        yield f"127.0.0.1:{listening.getsockname()[1]}"
        app.drain()
        server.should_exit = True
        await serving
