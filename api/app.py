"""The server: what is served where."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from graphql import GraphQLSchema
from starlette.applications import Starlette

from api import health, webhooks
from api.auth import Authenticator
from api.engine import Engine
from api.schema import core
from api.transport.asgi import Receive, Scope, Send
from api.transport.cors import Origins
from api.transport.http import GraphQLOverHTTP
from api.transport.intake import Intake
from api.transport.sockets import Sockets
from domain.core.database import Database
from domain.core.settings import Settings
from sync.switchboard import Switchboard

PATH = "/graphql"


class Server(Starlette):
    """The ASGI application; GraphQL goes past Starlette's middleware and routes."""

    def __init__(self, settings: Settings, database: Database, schema: GraphQLSchema, switchboard: Switchboard) -> None:
        self.engine = Engine(database, schema, settings.budget_per_minute, switchboard)
        self._draining = asyncio.Event()
        self.authenticator = Authenticator(database)
        intake = Intake(self.engine)
        self._graphql: dict[str, Any] = {
            "http": GraphQLOverHTTP(intake, self.authenticator, Origins(settings.origins), self._draining),
            "websocket": Sockets(intake, self.authenticator, self._draining),
        }
        super().__init__(
            routes=[*health.routes(database, self._draining.is_set), *webhooks.routes(database, switchboard)],
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "lifespan" and scope["path"] == PATH:
            await self._graphql[scope["type"]](scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def drain(self) -> None:
        """Ask for no more requests, and end the subscriptions, which have no end of their own."""
        self._draining.set()

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        async with self.engine.hints:
            yield
        self.drain()
        await self.authenticator.close()
        await self.engine.switchboard.close()


def create_app(
    settings: Settings, database: Database, schema: GraphQLSchema = core, switchboard: Switchboard | None = None
) -> Server:
    """The server over one open database; `switchboard` is how it reaches the other sides of integrations."""
    return Server(settings, database, schema, switchboard or Switchboard(database, settings))
