"""From the bytes of a request to what is asked: nothing too large, too deep or of the wrong shape gets further."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import orjson

from api.problems import Malformed
from api.transport.asgi import Disconnected, Receive

MOST_BYTES = 1 << 20
DEEPEST = 32
"""How deep objects and lists may be nested in variables."""

_LONGEST_KEY = 255


class TooLarge(Malformed):
    """A body that is not even read to its end."""

    status = 413


@dataclass(frozen=True)
class Request:
    """A GraphQL request as every transport carries it."""

    query: str | None
    variables: Mapping[str, Any] = field(default_factory=dict)
    operation_name: str | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)


async def body_of(receive: Receive, content_length: bytes | None) -> bytes:
    """The body of a request. Raises TooLarge, whether or not its length was announced, and Disconnected."""
    if content_length is not None and content_length.isdigit() and int(content_length) > MOST_BYTES:
        raise _too_large()
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > MOST_BYTES:
            raise _too_large()
        if not message.get("more_body"):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def posted(body: bytes) -> Request:
    """The request that a JSON body holds. Raises Malformed."""
    return request_of(_json(body, "The body"))


def from_query_string(query_string: bytes) -> Request:
    """The request that a URL holds. Raises Malformed."""
    try:
        given: dict[str, Any] = dict(parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict"))
    except ValueError as unreadable:
        raise Malformed("The query string cannot be read.") from unreadable
    for name in ("variables", "extensions"):
        if name in given:
            given[name] = _json(given[name] or "null", name)
    return request_of(given)


def request_of(given: Any) -> Request:
    """A request from decoded JSON. Raises Malformed."""
    if not isinstance(given, dict):
        raise Malformed("A request is a JSON object with a query; batches are not taken.")
    query = _part(given, "query", str)
    variables = _part(given, "variables", dict) or {}
    name = _part(given, "operationName", str)
    extensions = _part(given, "extensions", dict) or {}
    if variables and is_deep(variables):
        raise Malformed(f"The variables are nested deeper than {DEEPEST}.")
    return Request(query, variables, name, extensions)


def is_deep(value: Any) -> bool:
    """Whether a decoded value is nested deeper than is accepted."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, (dict, list))]
        if not level:
            return False
    return True


def idempotency_key(header: bytes | None) -> str | None:
    """The key that an Idempotency-Key header gives. Raises Malformed."""
    if header is None:
        return None
    if not 1 <= len(header) <= _LONGEST_KEY or not all(0x20 < byte < 0x7F for byte in header):
        raise Malformed(f"An Idempotency-Key has 1 to {_LONGEST_KEY} visible ASCII characters.")
    return header.decode("ascii")


def _inside(value: Any) -> Any:
    return value.values() if isinstance(value, dict) else value


def _json(text: bytes | str, what: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as wrong:
        raise Malformed(f"{what} cannot be read as JSON: {wrong}.") from wrong


def _part(given: dict[str, Any], name: str, of: type) -> Any:
    value = given.get(name)
    if value is not None and not isinstance(value, of):
        raise Malformed(f"{name} must be {'an object' if of is dict else 'a string'}.")
    return value


def _too_large() -> TooLarge:
    return TooLarge(f"A body may have at most {MOST_BYTES} bytes.")
