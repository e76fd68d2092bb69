"""The server: what is served where."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graphql import GraphQLSchema
from starlette.applications import Starlette

from api import health
from api.auth import Authenticator
from api.engine import Engine
from api.schema import core
from api.transport.asgi import Receive, Scope, Send
from api.transport.cors import Origins
from api.transport.http import GraphQLOverHTTP
from api.transport.intake import Intake
from domain.core.database import Database
from domain.core.settings import Settings

PATH = "/graphql"


class Server(Starlette):
    """The ASGI application; GraphQL requests go past Starlette's middleware and routes."""

    def __init__(self, settings: Settings, database: Database, schema: GraphQLSchema) -> None:
        self.is_draining = False
        self._authenticator = Authenticator(database)
        intake = Intake(Engine(database, schema))
        self._http = GraphQLOverHTTP(intake, self._authenticator, Origins(settings.origins))
        super().__init__(routes=health.routes(database, lambda: self.is_draining), lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"] == PATH:
            await self._http(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def drain(self) -> None:
        """Say from now on that no more requests should come."""
        self.is_draining = True

    @asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        self.drain()
        await self._authenticator.close()


def create_app(settings: Settings, database: Database, schema: GraphQLSchema = core) -> Server:
    """The server over one open database."""
    return Server(settings, database, schema)
