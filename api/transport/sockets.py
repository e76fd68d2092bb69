"""Operations over WebSocket: the protocol graphql-transport-ws; the older graphql-ws is not spoken."""

import asyncio
from contextlib import aclosing, suppress
from typing import Any

import orjson

from api.auth import Authenticator
from api.engine import encode
from api.problems import RequestRefused, Throttled, Unauthenticated
from api.transport.asgi import Disconnected, Receive, Scope, Send
from api.transport.bodies import MOST_BYTES, Request, is_deep, request_of
from api.transport.intake import Caller, Intake, masked
from api.transport.lifetime import GoElsewhere, first_of, server_drained, token_refused
from api.transport.negotiation import language

PROTOCOL = "graphql-transport-ws"
INITIALISED_WITHIN = 5.0
"""Seconds that a client gets to say who it is."""

MOST_OPERATIONS = 100
"""How many operations one connection may have under way."""


class Closed(Exception):
    """The connection is to be closed, with a code of the protocol."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Sockets:
    """Accepts connections and talks on them until they end."""

    def __init__(self, intake: Intake, authenticator: Authenticator, draining: asyncio.Event) -> None:
        self.intake = intake
        self.authenticator = authenticator
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Talk on one connection."""
        await receive()  # websocket.connect
        spoken = PROTOCOL in scope.get("subprotocols", ())
        await send({"type": "websocket.accept", "subprotocol": PROTOCOL if spoken else None})
        if not spoken:
            await _close(send, Closed(4406, f"Use the subprotocol {PROTOCOL}."))
            return
        reason = await _Conversation(self, receive, send).run()
        if isinstance(reason, Closed):
            await _close(send, reason)
        elif not isinstance(reason, Disconnected):
            request_id = self.intake.engine.database.ids().hex
            masked(reason, request_id)
            await _close(send, Closed(1011, f"Something went wrong; quote {request_id}."))


class _Conversation:
    """One connection: who talks, and the operations under way by the ids that the client gave them."""

    def __init__(self, sockets: Sockets, receive: Receive, send: Send) -> None:
        self._sockets = sockets
        self._intake = sockets.intake
        self._receive = receive
        self._send = send
        self._authorization: bytes | None = None
        self._language = language(None)
        self._acknowledged = asyncio.Event()
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> Exception:
        """Talk until something ends it; returns what was the first to do so."""
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._tasks.create_task(self._end_in_time())
                while True:
                    await self._understand(await self._message())
        except ExceptionGroup as ended:
            return ended.exceptions[0]

    async def _message(self) -> dict[str, Any]:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Disconnected
        text = message.get("text")
        if text is None or len(text) > MOST_BYTES:
            raise Closed(4400, f"Messages are JSON text of at most {MOST_BYTES} bytes.")
        try:
            parsed = orjson.loads(text)
        except orjson.JSONDecodeError as wrong:
            raise Closed(4400, "A message is no JSON.") from wrong
        if not isinstance(parsed, dict) or is_deep(parsed):
            raise Closed(4400, "A message is no JSON object, or nested too deeply.")
        return parsed

    async def _understand(self, message: dict[str, Any]) -> None:
        match message:
            case {"type": "connection_init"}:
                await self._initialise(message.get("payload"))
            case {"type": "ping"}:
                await self._tell({"type": "pong"})
            case {"type": "pong"}:
                pass
            case {"type": "subscribe", "id": str(id_), "payload": dict(payload)} if id_:
                await self._begin(id_, payload)
            case {"type": "complete", "id": str(id_)}:
                operation = self._operations.pop(id_, None)
                if operation is not None:
                    operation.cancel()
            case _:
                raise Closed(4400, "A message of an unknown type, or without what its type needs.")

    async def _initialise(self, payload: Any) -> None:
        if self._authorization is not None:
            raise Closed(4429, "Too many initialisation requests")
        given = {name.lower(): value for name, value in payload.items()} if isinstance(payload, dict) else {}
        authorization, wanted = given.get("authorization"), given.get("accept-language")
        if not isinstance(authorization, str):
            raise Closed(4401, "Unauthorized")
        self._authorization = authorization.encode()
        self._language = language(wanted.encode() if isinstance(wanted, str) else None)
        try:
            await self._sockets.authenticator.identify(self._authorization)
        except Unauthenticated as refused:
            raise Closed(4403, "Forbidden") from refused
        self._acknowledged.set()
        await self._tell({"type": "connection_ack"})

    async def _begin(self, id_: str, payload: dict[str, Any]) -> None:
        if not self._acknowledged.is_set():
            raise Closed(4401, "Unauthorized")
        if id_ in self._operations:
            raise Closed(4409, f"Subscriber for {id_[:100]} already exists")
        if len(self._operations) < MOST_OPERATIONS:
            self._operations[id_] = self._tasks.create_task(self._operate(id_, payload))
            return
        refused = Throttled(f"{MOST_OPERATIONS} operations are under way on this connection.", retry_after=1)
        await self._tell({"type": "error", "id": id_, "payload": refused.errors()})

    async def _operate(self, id_: str, payload: dict[str, Any]) -> None:
        """Answer one operation, and say that it is complete or why it failed."""
        request_id = self._intake.engine.database.ids().hex
        try:
            await self._answer(id_, request_of(payload), request_id)
            last: dict[str, Any] = {"type": "complete", "id": id_}
        except RequestRefused as refused:
            last = {"type": "error", "id": id_, "payload": refused.errors()}
        except Exception as failed:  # noqa: BLE001 - whatever it is, the client learns a number and nothing else
            last = {"type": "error", "id": id_, "payload": masked(failed, request_id)["errors"]}
        if self._operations.get(id_) is asyncio.current_task():
            del self._operations[id_]
            await self._tell(last)

    async def _answer(self, id_: str, request: Request, request_id: str) -> None:
        identity = await self._sockets.authenticator.identify(self._authorization)
        prepared = await self._intake.prepare(request, Caller(identity, self._language, request_id))
        await self._intake.pay(prepared)
        async with aclosing(self._intake.results(prepared, request)) as documents:
            async for document in documents:
                await self._tell({"type": "next", "id": id_, "payload": document})

    async def _end_in_time(self) -> None:
        """Ends the connection of a client that does not say who it is, whose token ends, or when the server drains."""
        drained = server_drained(self._sockets.draining)
        reason = await first_of(self._expired(), drained)
        raise Closed(1001, "Connect again.") if isinstance(reason, GoElsewhere) else reason

    async def _expired(self) -> Exception:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._acknowledged.wait(), INITIALISED_WITHIN)
            reason = await token_refused(self._sockets.authenticator, self._authorization or b"")
            return Closed(4403, "Forbidden") if isinstance(reason, Unauthenticated) else reason
        return Closed(4408, "Connection initialisation timeout")

    async def _tell(self, message: dict[str, Any]) -> None:
        await self._send({"type": "websocket.send", "text": encode(message).decode()})


async def _close(send: Send, closed: Closed) -> None:
    with suppress(RuntimeError, OSError):  # the client may have left meanwhile
        await send({"type": "websocket.close", "code": closed.code, "reason": closed.reason})
