"""GraphQL over HTTP, as its specification says; written against bare ASGI, since every request passes here."""

import asyncio

from api.auth import Authenticator
from api.engine import Prepared, encode
from api.problems import BadUserInput, Malformed, RequestRefused, Throttled, Unauthenticated
from api.transport.asgi import Disconnected, Headers, Receive, Scope, Send, respond
from api.transport.bodies import Request, body_of, from_query_string, idempotency_key, posted
from api.transport.cors import Origins
from api.transport.intake import Caller, Intake, masked, told
from api.transport.lifetime import client_left, first_of, server_drained, token_refused
from api.transport.negotiation import JSON, RESPONSE, STREAM, is_json, language, media_type
from api.transport.streams import Documents, only, stream

_CONTENT_TYPE = {name: (b"content-type", f"{name}; charset=utf-8".encode()) for name in (RESPONSE, JSON)}
_NO_STORE = (b"cache-control", b"no-store")


class MethodNotAllowed(Malformed):
    """A method that this operation does not take."""

    status = 405

    def __init__(self, message: str, *allowed: str) -> None:
        super().__init__(message)
        self.allowed = allowed


class NotAcceptable(Malformed):
    """None of the media types that we can answer with is accepted."""

    status = 406


class NotJSON(Malformed):
    """A body of another media type than JSON."""

    status = 415


class GraphQLOverHTTP:
    """Answers POST and GET, and the preflights of browsers."""

    def __init__(self, intake: Intake, authenticator: Authenticator, origins: Origins, draining: asyncio.Event) -> None:
        self.intake = intake
        self.engine = intake.engine
        self.authenticator = authenticator
        self.origins = origins
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] == "OPTIONS":
            await respond(send, 204, self.origins.preflight(headers.get(b"origin")))
        else:
            await _Exchange(self, scope, headers, receive, send).run()


class _Exchange:
    """One request and its response."""

    def __init__(
        self, server: GraphQLOverHTTP, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send
    ) -> None:
        self._server = server
        self._method: str = scope["method"]
        self._query_string: bytes = scope["query_string"]
        self._headers = headers
        self._receive = receive
        self._send = send
        self._media = media_type(headers.get(b"accept"))
        self._request_id = server.engine.database.ids().hex
        self._head: Headers = [
            (b"x-request-id", self._request_id.encode()), *server.origins.headers(headers.get(b"origin"))
        ]  # fmt: skip

    async def run(self) -> None:
        """Answer, whatever happens."""
        try:
            request, prepared = await self._admitted()
            shows_cost = self._headers.get(b"x-cost")
            if self._media == STREAM:
                await self._stream(self._server.intake.results(prepared, request, shows_cost))
                return
            document = told(await self._server.engine.answer(prepared), prepared, request, shows_cost)
            status, body = 200, encode(document)
        except Disconnected:
            return
        except RequestRefused as refused:
            if self._media == STREAM and refused.well_formed:
                await self._stream(only({"errors": refused.errors()}))
                return
            status, body = _status(refused, self._media), encode({"errors": refused.errors()})
            self._head += _head_of(refused)
        except Exception as failed:  # noqa: BLE001 - whatever it is, the client learns a number and nothing else
            status, body = 500, encode(masked(failed, self._request_id))
        content_type = _CONTENT_TYPE[RESPONSE if self._media == RESPONSE else JSON]
        await respond(self._send, status, [content_type, _NO_STORE, *self._head], body)

    async def _admitted(self) -> tuple[Request, Prepared]:
        """The operation that was asked for, if it may run now. Raises RequestRefused and Disconnected."""
        identity = await self._server.authenticator.identify(self._headers.get(b"authorization"))
        if self._media is None:
            raise NotAcceptable(f"Accept {RESPONSE}, {JSON} or {STREAM}.")
        request = await self._request()
        key = idempotency_key(self._headers.get(b"idempotency-key"))
        caller = Caller(identity, language(self._headers.get(b"accept-language")), self._request_id, key)
        prepared = await self._server.intake.prepare(request, caller)
        _check(prepared, self._method, self._media)
        await self._server.intake.pay(prepared)
        return request, prepared

    async def _request(self) -> Request:
        if self._method == "POST":
            if not is_json(self._headers.get(b"content-type")):
                raise NotJSON("Send the request as Content-Type: application/json, in UTF-8.")
            return posted(await body_of(self._receive, self._headers.get(b"content-length")))
        if self._method == "GET":
            return from_query_string(self._query_string)
        raise MethodNotAllowed(f"{self._method} is not taken; use POST or GET.", "GET", "POST")

    async def _stream(self, documents: Documents) -> None:
        ended = asyncio.create_task(
            first_of(
                token_refused(self._server.authenticator, self._headers[b"authorization"]),
                client_left(self._receive),
                server_drained(self._server.draining),
            )
        )
        try:
            await stream(self._send, self._head, documents, ended, self._request_id)
        finally:
            ended.cancel()


def _check(prepared: Prepared, method: str, media: str) -> None:
    if prepared.operation.is_subscription and media != STREAM:
        raise BadUserInput(f"Subscriptions come over {STREAM} or WebSocket.")
    if method == "GET" and prepared.operation.is_mutation:
        raise MethodNotAllowed("GET takes no mutations; use POST.", "POST")


def _status(refused: RequestRefused, media: str | None) -> int:
    return 200 if refused.well_formed and media == JSON else refused.status


def _head_of(refused: RequestRefused) -> Headers:
    match refused:
        case Unauthenticated():
            return [(b"www-authenticate", b"Bearer")]
        case Throttled():
            return [(b"retry-after", b"%d" % refused.retry_after)]
        case MethodNotAllowed():
            return [(b"allow", ", ".join(refused.allowed).encode())]
        case _:
            return []
