"""A client of graphql-transport-ws that says and hears single messages."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.transport.conftest import Token

PROTOCOL = "graphql-transport-ws"


class Talk:
    """One connection, message by message."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def say(self, type_: str, **message: Any) -> None:
        await self.connection.send(json.dumps({"type": type_, **message}))

    async def ask(self, id_: str, query: str, **payload: Any) -> None:
        await self.say("subscribe", id=id_, payload={"query": query, **payload})

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(5):
            return dict(json.loads(await self.connection.recv()))

    async def answer(self, query: str, **payload: Any) -> Any:
        """The data of an operation that has one answer."""
        await self.ask("answer", query, **payload)
        answer = await self.hear()
        assert await self.hear() == {"type": "complete", "id": "answer"}
        return answer["payload"]["data"]

    async def closed(self) -> int | None:
        """The code with which the server ends the connection, after whatever it says before."""
        with suppress(ConnectionClosed):
            while True:
                await self.hear()
        return self.connection.close_code


@asynccontextmanager
async def talking(address: str, *protocols: str) -> AsyncIterator[Talk]:
    spoken = [Subprotocol(name) for name in protocols or (PROTOCOL,)]
    async with connect(f"ws://{address}/graphql", subprotocols=spoken) as opened:
        yield Talk(opened)


@asynccontextmanager
async def introduced(address: str, token: Token) -> AsyncIterator[Talk]:
    async with talking(address) as talk:
        await talk.say("connection_init", payload=token.headers)
        assert await talk.hear() == {"type": "connection_ack"}
        yield talk
