"""What a client sends and accepts, by its headers; each header's text is read once and remembered."""

from collections.abc import Iterator
from functools import lru_cache

from domain.tenants.rules import LANGUAGES

RESPONSE = "application/graphql-response+json"
JSON = "application/json"
STREAM = "text/event-stream"

_REMEMBERED = 512
_OFFERED = {RESPONSE: RESPONSE, JSON: JSON, "application/*": JSON, "*/*": JSON, STREAM: STREAM}


@lru_cache(_REMEMBERED)
def media_type(accept: bytes | None) -> str | None:
    """What to answer with: the wanted type of the highest weight, or None where nothing that we have is wanted."""
    if not accept:
        return JSON
    return next((_OFFERED[name] for name in _by_weight(accept) if name in _OFFERED), None)


@lru_cache(_REMEMBERED)
def language(accept_language: bytes | None) -> str:
    """The language of labels and messages: of those that we have the one that is wanted most, else English."""
    wanted = (name.partition("-")[0] for name in _by_weight(accept_language or b""))
    return next((name for name in wanted if name in LANGUAGES), LANGUAGES[0])


@lru_cache(_REMEMBERED)
def is_json(content_type: bytes | None) -> bool:
    """Whether a body is said to be JSON in UTF-8."""
    name, *parameters = (part.strip() for part in (content_type or b"").decode("latin-1").lower().split(";"))
    charsets = [part.partition("=")[2].strip('" ') for part in parameters if part.startswith("charset")]
    return name == JSON and all(charset in {"utf-8", "utf8"} for charset in charsets)


def _by_weight(header: bytes) -> Iterator[str]:
    """The names in a header, those with the greatest q-value first; those with q=0 are left out."""
    weighed = [_weighed(part) for part in header.decode("latin-1").lower().split(",")]
    return (name for name, weight in sorted(weighed, key=lambda entry: -entry[1]) if weight > 0)


def _weighed(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip() for piece in part.split(";"))
    weight = next((piece[2:] for piece in parameters if piece.startswith("q=")), "1")
    try:
        return name, float(weight)
    except ValueError:
        return name, 0.0
