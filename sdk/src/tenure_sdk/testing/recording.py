"""Replies of a real vendor, kept for tests: without secrets, and without what says who somebody is."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct, field

from tenure_sdk.http import httpx
from tenure_sdk.testing.remote import Clock, Missing, RemoteSide

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from tenure_sdk.connector import Connector

SECRET = "***"  # noqa: S105 - what stands in the place of one
HEADERS = ("content-type", "date", "etag", "last-modified", "link", "retry-after")
"""What is kept of the headers of a reply."""
PERSONAL = frozenset(
    {
        "address", "addresses", "birth", "birthday", "body", "city", "comment", "comments", "contact", "description",
        "email", "emails", "fax", "iban", "line1", "line2", "line3", "mail", "memo", "message", "mobile", "name",
        "names", "nickname", "note", "notes", "phone", "phones", "postal", "postcode", "preview", "recipient",
        "recipients", "sender", "street", "subject", "surname", "text", "title", "town", "vat", "zip",
    }
)  # fmt: skip
"""Words in the name of a field whose text is masked, with all that stands below it."""

_WORDS = re.compile(r"[A-Z]?[a-z]+\d*|[A-Z]+(?![a-z])|\d+")
_NEVER = frozenset({"id", "ids", "href", "etag", "version"})
"""Words in the name of a field whose text stays, wherever it stands: it leads to something."""
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d.*)?")


_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Exchange(Struct, omit_defaults=True):
    """A request, and what it was answered: as JSON, as text, or as bytes in base 64."""

    method: str
    path: str
    params: dict[str, str]
    status: int
    headers: dict[str, str]
    json: Any = None
    text: str | None = None
    base64: str | None = None


class Recording(Struct, kw_only=True):
    """What a stream was answered, one day."""

    connector: str
    version: str
    stream: str
    at: datetime
    config: dict[str, Any]
    exchanges: list[Exchange] = field(default_factory=list)

    def write(self, file: Path) -> None:
        """Keep it in a file, to be read by people too."""
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(msgspec.json.format(_ENCODER.encode(self), indent=2) + b"\n")


class Redaction:
    """Takes secrets and people out of replies. The same e-mail address becomes the same invented one."""

    def __init__(self, secrets: Collection[str], keep: Collection[str] = ()) -> None:
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)
        self._keep = frozenset(keep)
        self._people: dict[str, str] = {}

    def value(self, value: Any, *, masked: bool = False) -> Any:
        """A value of a reply: text below the name of something personal keeps its shape alone."""
        if isinstance(value, dict):
            return {name: self.value(each, masked=self._masks(name, masked)) for name, each in value.items()}
        if isinstance(value, list):
            return [self.value(each, masked=masked) for each in value]
        return self.text(value, masked=masked) if isinstance(value, str) else value

    def text(self, text: str, *, masked: bool = False) -> str:
        """A text without secrets and addresses; masked, its letters are x and its digits 0."""
        for secret in self._secrets:
            text = text.replace(secret, SECRET)
        if _EMAIL.search(text):
            return _EMAIL.sub(self._person, text) if not masked else self._person(_EMAIL.search(text))
        return _shape(text) if masked and not _MOMENT.fullmatch(text) else text

    def _masks(self, name: str, masked: bool) -> bool:
        words = {word.lower() for word in _WORDS.findall(name)}
        return name not in self._keep and (masked or bool(words & PERSONAL)) and not words & _NEVER

    def _person(self, found: re.Match[str] | None) -> str:
        address = found[0].lower() if found else ""
        return self._people.setdefault(address, f"person{len(self._people) + 1}@example.com")


class Recorder(httpx.AsyncBaseTransport):
    """Passes requests on, and keeps what they were answered."""

    def __init__(self, transport: httpx.AsyncBaseTransport, recording: Recording, redaction: Redaction) -> None:
        self._transport = transport
        self._recording = recording
        self._redaction = redaction

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the remote side does."""
        response = await self._transport.handle_async_request(request)
        content = await response.aread()
        self._recording.exchanges.append(self._kept(request, response, content))
        headers = [pair for pair in response.headers.multi_items() if pair[0] != "content-encoding"]
        return httpx.Response(response.status_code, headers=headers, content=content)

    def _kept(self, request: httpx.Request, response: httpx.Response, content: bytes) -> Exchange:
        clean = self._redaction
        kept = Exchange(
            request.method,
            clean.text(request.url.path),
            {name: clean.text(value) for name, value in request.url.params.items()},
            response.status_code,
            {name: clean.text(response.headers[name]) for name in HEADERS if name in response.headers},
        )
        try:
            kept.json = clean.value(_DECODER.decode(content))
        except msgspec.DecodeError:
            kept.text, kept.base64 = _plain(content)
            kept.text = clean.text(kept.text) if kept.text is not None else None
        return kept


class Recorded(RemoteSide):
    """A remote side that answers what was recorded, and nothing else. Its clock stands where it was."""

    def __init__(self, connector: type[Connector[Any]], file: Path | str) -> None:
        super().__init__()
        recording = msgspec.json.Decoder(Recording, float_hook=Decimal).decode(Path(file).read_bytes())
        self.config = msgspec.convert(recording.config, connector.config_type())
        self.clock = Clock(recording.at)
        self._waiting = list(recording.exchanges)

    def transport(self) -> httpx.AsyncBaseTransport:
        """Each reply once, in the order in which they came."""
        return httpx.MockTransport(self._answer)

    def credentials(self) -> Mapping[str, str]:
        """What stands for those that were used."""
        return dict.fromkeys(("access_token", "api_key", "username", "password"), SECRET)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        for place, kept in enumerate(self._waiting):
            if _same(kept, request):
                del self._waiting[place]
                return httpx.Response(kept.status, headers=kept.headers, content=_content(kept))
        raise Missing(f"no reply to {request.method} {request.url.path} is recorded: record the stream again")


def _same(kept: Exchange, request: httpx.Request) -> bool:
    open_params = {name: value for name, value in kept.params.items() if SECRET not in value}
    asked = {
        name: value for name, value in request.url.params.items() if name in open_params or name not in kept.params
    }
    return (kept.method, kept.path, open_params) == (request.method, request.url.path, asked)


def _content(kept: Exchange) -> bytes:
    if kept.base64 is not None:
        return b64decode(kept.base64)
    return kept.text.encode() if kept.text is not None else _ENCODER.encode(kept.json)


def _plain(content: bytes) -> tuple[str | None, str | None]:
    try:
        return content.decode(), None
    except UnicodeDecodeError:
        return None, b64encode(content).decode()


def _shape(text: str) -> str:
    return re.sub(r"\d", "0", re.sub(r"[^\W\d_]", lambda letter: "X" if letter[0].isupper() else "x", text))
