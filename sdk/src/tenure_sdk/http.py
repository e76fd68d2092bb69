"""What a connector asks the remote side with: authorised, at the allowed pace, tried again where that is safe."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, overload
from urllib.parse import urlsplit

import httpx2 as httpx
import msgspec
from msgspec import Struct

from tenure_sdk.auth import Auth, Credentials, Outgoing
from tenure_sdk.errors import (
    AuthExpired,
    AuthRevoked,
    Conflict,
    ConnectorError,
    ContractViolation,
    NotFound,
    PermissionDenied,
    RateLimited,
    Transient,
    Unsupported,
)
from tenure_sdk.paging import Answered, Onward, place

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

__all__ = [
    "ATTEMPTS",
    "LARGEST_ANSWER",
    "LONGEST_PAUSE",
    "RETRIES_OF_A_RUN",
    "Answer",
    "Config",
    "Context",
    "Host",
    "Open",
    "Window",
    "default_problem",
    "httpx",
    "retry_after",
]

Config = TypeVar("Config", bound=Struct)
Decoded = TypeVar("Decoded")

LARGEST_ANSWER = 64 * 1024 * 1024
"""Bytes of an answer, unpacked; what is larger is refused before it fills the memory."""

ATTEMPTS = 5
RETRIES_OF_A_RUN = 200
"""How many retries a run may spend in all: a remote side that is down is not to be hammered."""
LONGEST_PAUSE = 30.0
"""Seconds that a request waits before the next attempt; who is asked to wait longer gives its run back."""

_HOST_NAME = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
_JSON = msgspec.json.Decoder(float_hook=Decimal)


class Window(Struct, frozen=True):
    """From when (inclusive) and until when (exclusive) something is asked for; None is open."""

    start: datetime | None = None
    end: datetime | None = None


class Answer(Struct, frozen=True):
    """What the remote side answered."""

    status: int
    headers: Mapping[str, str]
    """By lower-case names."""
    content: bytes
    url: str

    def json(self) -> Any:
        """The answer as JSON, its numbers exact: int or Decimal. Raises Transient where it is no JSON."""
        return self.decoded(_JSON)

    def decoded(self, decoder: msgspec.json.Decoder[Decoded]) -> Decoded:
        """The answer as the decoder's type. Raises Transient where it is no JSON, ContractViolation for another one."""
        try:
            return decoder.decode(self.content)
        except msgspec.ValidationError as problem:
            raise ContractViolation(f"The answer of {_shown(self.url)} has another shape: {problem}") from problem
        except msgspec.DecodeError as problem:
            where = f"The answer of {_shown(self.url)} is no JSON"
            raise Transient(where, unknown_outcome=True) from problem  # a success whose reply was cut


class Host(Protocol):
    """What the host does for the requests of a run."""

    async def credentials(self, refused: str | None = None) -> Credentials:
        """What lets a request in; `refused` is the mark of what the remote side no longer accepts.

        Raises AuthRevoked when somebody has to authorise anew.
        """
        ...

    def admission(self) -> AbstractAsyncContextManager[None]:
        """The right to have one request under way; raises RateLimited when the wait would be long."""
        ...

    async def slow_down(self, seconds: float | None) -> None:
        """The remote side asked to slow down, for so many seconds where it said so."""


class Open:
    """A host without credentials and without limits: for remote sides that need neither."""

    async def credentials(self, refused: str | None = None) -> Credentials:
        """None are needed. Raises AuthRevoked where the remote side thinks otherwise."""
        if refused is not None:
            raise AuthRevoked
        return Credentials({})

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        """Always granted."""
        yield

    async def slow_down(self, seconds: float | None) -> None:
        """Nothing to tell anybody."""


class Context(Generic[Config]):
    """What the host gives a connector for one run: the settings, a log, the time, and requests to the remote side."""

    def __init__(
        self,
        config: Config,
        *,
        now: Callable[[], datetime],
        log: logging.Logger | None = None,
        client: httpx.AsyncClient | None = None,
        host: Host | None = None,
        auth: Auth | None = None,
        hosts: Sequence[str] = (),
        account: str | None = None,
        callback: Mapping[str, str] | None = None,
        window: Window | None = None,
        deadline: datetime | None = None,
        classify: Callable[[Answer], ConnectorError | None] = lambda _: None,
        sleep: Callable[[float], Any] = asyncio.sleep,
    ) -> None:
        self.config = config
        self.log = _redacted(log or logging.getLogger("tenure_sdk.connector"), self._redact)
        self.account = account
        """The id of the remote account; None before it is known."""
        self.callback = dict(callback or {})
        """What the redirect of the authorization brought besides the code (`callback_params`)."""
        self.window = window or Window()
        """What the run is asked for: how far back, and up to when. A stream narrows its reading to it where it can."""
        self.deadline = deadline
        """When the run has to be over; None when it may take its time."""
        self._client = client
        self._host: Host = host or Open()
        self._auth = auth
        self._hosts = tuple(hosts)
        self._classify = classify
        self._now = now
        self._sleep = sleep
        self._retries = RETRIES_OF_A_RUN
        self._secrets: set[str] = set()

    def now(self) -> datetime:
        """The present moment, in UTC. Connectors ask here, so that tests can set it."""
        return self._now()

    @property
    def raw(self) -> httpx.AsyncClient:
        """The HTTP client itself, for what `request` cannot do: nothing is authorised or tried again there."""
        if self._client is None:
            raise Unsupported("This run has no network.")
        return self._client

    @overload
    async def get(self, url: str, *, type: type[Decoded], **how: Any) -> Decoded: ...
    @overload
    async def get(self, url: str, **how: Any) -> Any: ...
    async def get(self, url: str, **how: Any) -> Any:
        """The decoded answer of a GET; `how` is what `request` takes, and `type` what to decode it as."""
        return await self._decoded("GET", url, **how)

    @overload
    async def post(self, url: str, *, type: type[Decoded], **how: Any) -> Decoded: ...
    @overload
    async def post(self, url: str, **how: Any) -> Any: ...
    async def post(self, url: str, **how: Any) -> Any:
        """The decoded answer of a POST; it is tried again only where `idempotent` says that this is safe."""
        return await self._decoded("POST", url, **how)

    async def put(self, url: str, **how: Any) -> Any:
        """The decoded answer of a PUT."""
        return await self._decoded("PUT", url, **how)

    async def patch(self, url: str, **how: Any) -> Any:
        """The decoded answer of a PATCH; it is tried again only where `idempotent` says that this is safe."""
        return await self._decoded("PATCH", url, **how)

    async def delete(self, url: str, **how: Any) -> Any:
        """The decoded answer of a DELETE."""
        return await self._decoded("DELETE", url, **how)

    async def pages(
        self,
        url: str,
        onward: Onward,
        *,
        rows: str = "",
        params: Mapping[str, Any] | None = None,
        **how: Any,
    ) -> AsyncGenerator[list[dict[str, Any]], None]:
        """The rows of a GET, page by page, until `onward` knows of no next one; `how` is what `request` takes.

        `rows` is the place of the rows in the body, with dots between names; "" where the body is their list. Raises
        ContractViolation where no list stands there, since an error must not look like an end, and where a page leads
        to itself.
        """
        address, given = url, dict(params or {})
        while True:
            answer, body = await self._asked(_with_json, "GET", address, params=given, **how)
            found = place(body, rows)
            if not isinstance(found, list):
                raise ContractViolation(f"The answer of {_shown(answer.url)} has no list{rows and f' at {rows}'}.")
            yield found
            step = onward(Answered(given, answer.headers, body, found))
            if step is None:
                return
            following = (step, {}) if isinstance(step, str) else (address, {**given, **step})
            if following == (address, given):
                raise ContractViolation(f"The page after that of {_shown(answer.url)} would be the same one again.")
            address, given = following

    async def request(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 - the HTTP client keeps to it itself
    ) -> Answer:
        """Ask the remote side; a path is one of the connector's first host, an address must be one of its hosts.

        What may be repeated (GET, HEAD, PUT, DELETE, or `idempotent`) is tried again after a failure that may pass,
        and after a token was refreshed. Parameters that are None are left out. Raises a ConnectorError for any answer
        that is no success, by what has to be done next.
        """
        return await self._asked(
            lambda answer: answer, method, url, params=params, json=json, content=content,
            headers=headers, idempotent=idempotent, timeout=timeout,
        )  # fmt: skip

    async def _decoded(self, method: str, url: str, *, type: Any = None, **how: Any) -> Any:  # noqa: A002
        def read(answer: Answer) -> Any:
            if not answer.content and type is None:
                return None
            return answer.decoded(_JSON if type is None else _decoder(type))

        return await self._asked(read, method, url, **how)

    async def _asked(
        self,
        read: Callable[[Answer], Decoded],
        method: str,
        url: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 - the HTTP client keeps to it itself
    ) -> Decoded:
        body = msgspec.json.encode(json) if json is not None else content
        request = Outgoing(
            method, self._allowed(url), {"Accept": "application/json", **(headers or {})},
            {name: _written(value) for name, value in (params or {}).items() if value is not None}, body or b"",
        )  # fmt: skip
        if json is not None:
            request.headers.setdefault("Content-Type", "application/json")
        repeatable = method in _SAFE if idempotent is None else idempotent
        return await self._insist(request, read, timeout=timeout, repeatable=repeatable)

    async def _insist(
        self,
        request: Outgoing,
        read: Callable[[Answer], Decoded],
        *,
        timeout: float,  # noqa: ASYNC109
        repeatable: bool,
    ) -> Decoded:
        refused: str | None = None
        attempt = 1
        while True:
            credentials = await self._host.credentials(refused)
            try:
                return read(await self._once(request, credentials, timeout))
            except AuthExpired as problem:
                if refused is not None:
                    raise AuthRevoked("The remote side refused credentials that were just renewed.") from problem
                refused = credentials.mark
                continue
            except RateLimited as problem:  # nothing was done: it may be sent again, whatever it is
                await self._pause(problem, attempt, problem.retry_after or None)
            except Transient as problem:
                if not repeatable and problem.unknown_outcome:
                    raise
                await self._pause(problem, attempt, problem.retry_after)
            attempt += 1

    async def _pause(self, problem: ConnectorError, attempt: int, asked: float | None) -> None:
        """Wait before the next attempt, or give up: at the last attempt, or when there is no time or budget left."""
        pause = asked if asked is not None else random.uniform(0, min(LONGEST_PAUSE, 0.5 * 2**attempt))  # noqa: S311
        late = self.deadline is not None and self._now() + timedelta(seconds=pause) > self.deadline
        if attempt >= ATTEMPTS or self._retries <= 0 or pause > LONGEST_PAUSE or late:
            raise problem
        self._retries -= 1
        await self._sleep(pause)

    async def _once(self, request: Outgoing, credentials: Credentials, seconds: float) -> Answer:
        self._secrets.update(value for value in credentials.values.values() if len(value) >= 6)
        signed = Outgoing(request.method, request.url, {**request.headers}, {**request.params}, request.content)
        if self._auth is not None:
            await self._auth.apply(signed, credentials)
        async with self._host.admission():
            answer = await self._sent(signed, seconds)
        problem = self._classify(answer) or default_problem(answer, now=self._now())
        if problem is None:
            return answer
        problem.args = tuple(self._redact(str(part)) for part in problem.args)
        if isinstance(problem, RateLimited):
            await self._host.slow_down(problem.retry_after or None)
        raise problem

    async def _sent(self, request: Outgoing, seconds: float) -> Answer:
        where = f"{request.method} {_shown(request.url)}"
        built = self.raw.build_request(
            request.method, httpx.URL(request.url).copy_merge_params(request.params), headers=request.headers,
            content=request.content or None, timeout=seconds,
        )  # fmt: skip
        try:
            response = await self.raw.send(built, stream=True, follow_redirects=False)
            try:
                content = await _read(response, where)
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as problem:
            raise Transient(f"{where}: no connection ({type(problem).__name__})") from None
        except (httpx.TransportError, httpx.DecodingError) as problem:
            raise Transient(f"{where}: no answer ({type(problem).__name__})", unknown_outcome=True) from None
        return Answer(response.status_code, dict(response.headers), content, str(response.url))

    def _allowed(self, url: str) -> str:
        allowed = [self._host_name(host) for host in self._hosts]
        if url.startswith("/"):
            if not allowed:
                raise ContractViolation(f"{url}: the connector names no host")
            url = f"https://{allowed[0]}{url}"
        try:
            parsed = httpx.URL(url)  # by the parser that sends it: two parsers may see two hosts in one address
        except (httpx.InvalidURL, ValueError):
            raise ContractViolation("The connector asks for what is no address.") from None
        plain = parsed.scheme == "https" and parsed.port in {None, 443} and not parsed.userinfo
        if not plain or parsed.raw_host.decode("ascii").lower() not in allowed:
            raise ContractViolation(f"{_shown(url)} is none of the connector's hosts: {', '.join(allowed) or 'none'}")
        return url

    def _host_name(self, template: str) -> str:
        name = _filled(template, self.config).lower()
        if _HOST_NAME.fullmatch(name) is None:
            raise ContractViolation(f"The settings make no host name of {template}.")
        return name

    def _redact(self, text: str) -> str:
        for secret in sorted(self._secrets, key=len, reverse=True):  # one may be the beginning of another
            text = text.replace(secret, "***")
        return text


def _with_json(answer: Answer) -> tuple[Answer, Any]:
    return answer, answer.json()


def default_problem(answer: Answer, *, now: datetime | None = None) -> ConnectorError | None:  # noqa: PLR0911
    """What an answer means where the connector does not know better; None for a success."""
    status, where = answer.status, f"{_shown(answer.url)} answered {answer.status}"
    if 200 <= status < 300:
        return None
    match status:
        case 401:
            return AuthExpired(where)
        case 403:
            return PermissionDenied(where)
        case 404 | 410:
            return NotFound(where)
        case 409 | 412:
            return Conflict(where)
        case 429:
            return RateLimited(retry_after(answer.headers, now=now) or 0.0, where)
        case 503 if (seconds := retry_after(answer.headers, now=now)) is not None:
            return RateLimited(seconds, where)
        case 408:
            return Transient(where)
        case _ if status >= 500:
            return Transient(where, unknown_outcome=True)
        case _:
            return ContractViolation(where)


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """The seconds that `Retry-After` asks for: a number, also a fraction, or an HTTP date; None without one.

    A date is compared with the remote side's own `Date`, and with `now` where it sends none.
    """
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        at = _http_date(value)
        if at is None:
            return None
        seconds = (at - (_http_date(headers.get("date", "")) or now or datetime.now(UTC))).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _http_date(text: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


async def _read(response: httpx.Response, where: str) -> bytes:
    parts, size = [], 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > LARGEST_ANSWER:
            raise ContractViolation(f"{where}: the answer is larger than {LARGEST_ANSWER} bytes")
        parts.append(part)
    return b"".join(parts)


_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def _decoder(wanted: Any) -> msgspec.json.Decoder[Any]:
    if wanted not in _decoders:
        _decoders[wanted] = msgspec.json.Decoder(wanted, float_hook=Decimal)
    return _decoders[wanted]


def _written(value: Any) -> str:
    """A parameter as it stands in an address: `true`, ISO 8601, or as Python writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else str(value)


def _filled(template: str, config: Struct) -> str:
    """A host name or address with the settings that it names."""
    if "{" not in template:
        return template
    return template.format_map({name: getattr(config, name) for name in config.__struct_fields__})


def _shown(url: str) -> str:
    """An address as a log may show it: without its query, which may hold a key or a name."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "An address that is none"
    return f"{parts.hostname}{parts.path}"


class _Redaction(logging.LoggerAdapter[logging.Logger]):
    """A log that shows no secret."""

    def __init__(self, log: logging.Logger, redact: Callable[[str], str]) -> None:
        super().__init__(log, {})
        self._redact = redact

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        if self.isEnabledFor(level):
            kwargs.pop("exc_info", None)  # a traceback may quote what a request carried
            self.logger.log(level, "%s", self._redact(_formatted(str(msg), args)), **kwargs)


def _formatted(text: str, args: tuple[object, ...]) -> str:
    """The text as logging would write it; a text that its values do not fit is no reason to fail."""
    try:
        return text % (args[0] if len(args) == 1 and isinstance(args[0], Mapping) else args) if args else text
    except (TypeError, ValueError, KeyError):
        return f"{text} {args}"


class _WithoutQuery(logging.Filter):
    """Keeps queries out of the HTTP client's own log: a key may stand in one."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(_shown(str(each)) if isinstance(each, httpx.URL) else each for each in record.args)
        return True


logging.getLogger("httpx2").addFilter(_WithoutQuery())


def _redacted(log: logging.Logger, redact: Callable[[str], str]) -> logging.LoggerAdapter[logging.Logger]:
    return _Redaction(log, redact)
