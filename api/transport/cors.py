"""Which browsers may call: those on the origins that the installation names."""

import re
from collections.abc import Iterable

from api.transport.asgi import Headers

_PREFLIGHT: Headers = [
    (b"access-control-allow-methods", b"GET, POST"),
    (b"access-control-allow-headers", b"Authorization, Content-Type, Idempotency-Key, Accept-Language, X-Cost"),
    (b"access-control-max-age", b"600"),
]
_READABLE: Headers = [(b"access-control-expose-headers", b"Retry-After, X-Request-Id"), (b"vary", b"Origin")]


class Origins:
    """The origins that may call; `http://localhost:*` is one on any port."""

    def __init__(self, allowed: Iterable[str]) -> None:
        patterns = [re.escape(origin.rstrip("/")).replace(r":\*", r"(:\d+)?") for origin in allowed]
        self._allowed = re.compile("|".join(patterns)) if patterns else None

    def headers(self, origin: bytes | None) -> Headers:
        """The headers that let a page of this origin read an answer; none where the origin is not allowed."""
        if self._allowed is None or origin is None or not self._allowed.fullmatch(origin.decode("latin-1")):
            return []
        return [(b"access-control-allow-origin", origin), *_READABLE]

    def preflight(self, origin: bytes | None) -> Headers:
        """The headers that answer a browser's question before its request."""
        known = self.headers(origin)
        return [*known, *_PREFLIGHT] if known else []
