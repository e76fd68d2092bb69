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
        self._intake = intake
        self._engine = intake.engine
        self._authenticator = authenticator
        self._origins = origins
        self._draining = draining
        self._new_id = intake.engine.database.ids

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        origin = headers.get(b"origin")
        if scope["method"] == "OPTIONS":
            await respond(send, 204, self._origins.preflight(origin))
            return
        request_id = self._new_id().hex
        media = media_type(headers.get(b"accept"))
        head: Headers = [(b"x-request-id", request_id.encode()), *self._origins.headers(origin)]
        try:
            request, prepared = await self._admitted(scope, headers, receive, media, request_id)
            if media == STREAM:
                await self._stream(headers, receive, send, head, self._intake.results(prepared), request_id)
                return
            status = 200
            document = told(await self._engine.answer(prepared), prepared, request, headers.get(b"x-cost"))
        except Disconnected:
            return
        except RequestRefused as refused:
            status, document = _status(refused, media), {"errors": refused.errors()}
            head += _headers(refused)
            if media == STREAM and refused.well_formed:
                await self._stream(headers, receive, send, head, only(document), request_id)
                return
        except Exception as failed:  # noqa: BLE001 - whatever it is, the client learns a number and nothing else
            status, document = 500, masked(failed, request_id)
        await respond(
            send, status, [_CONTENT_TYPE[RESPONSE if media == RESPONSE else JSON], _NO_STORE, *head], encode(document)
        )

    async def _admitted(
        self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, media: str | None, request_id: str
    ) -> tuple[Request, Prepared]:
        """The operation of a request that may run now. Raises RequestRefused and Disconnected."""
        identity = await self._authenticator.identify(headers.get(b"authorization"))
        if media is None:
            raise NotAcceptable(f"Accept {RESPONSE}, {JSON} or {STREAM}.")
        request = await _request(scope, headers, receive)
        key = idempotency_key(headers.get(b"idempotency-key"))
        caller = Caller(identity, language(headers.get(b"accept-language")), request_id, key)
        prepared = await self._intake.prepare(request, caller)
        _check(prepared, scope["method"], media)
        await self._intake.pay(prepared)
        return request, prepared

    async def _stream(
        self, headers: dict[bytes, bytes], receive: Receive, send: Send, head: Headers, documents: Documents,
        request_id: str,
    ) -> None:  # fmt: skip
        authorization = headers[b"authorization"]
        endings = (
            token_refused(self._authenticator, authorization), client_left(receive), server_drained(self._draining)
        )  # fmt: skip
        ended = asyncio.create_task(first_of(*endings))
        try:
            await stream(send, head, documents, ended, request_id)
        finally:
            ended.cancel()


async def _request(scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> Request:
    method = scope["method"]
    if method == "POST":
        if not is_json(headers.get(b"content-type")):
            raise NotJSON("Send the request as Content-Type: application/json, in UTF-8.")
        return posted(await body_of(receive, headers.get(b"content-length")))
    if method == "GET":
        return from_query_string(scope["query_string"])
    raise MethodNotAllowed(f"{method} is not taken; use POST or GET.", "GET", "POST")


def _check(prepared: Prepared, method: str, media: str) -> None:
    if prepared.operation.is_subscription and media != STREAM:
        raise BadUserInput(f"Subscriptions come over {STREAM} or WebSocket.")
    if method == "GET" and prepared.operation.is_mutation:
        raise MethodNotAllowed("GET takes no mutations; use POST.", "POST")


def _status(refused: RequestRefused, media: str | None) -> int:
    return 200 if refused.well_formed and media == JSON else refused.status


def _headers(refused: RequestRefused) -> Headers:
    match refused:
        case Unauthenticated():
            return [(b"www-authenticate", b"Bearer")]
        case Throttled():
            return [(b"retry-after", b"%d" % refused.retry_after)]
        case MethodNotAllowed():
            return [(b"allow", ", ".join(refused.allowed).encode())]
        case _:
            return []
