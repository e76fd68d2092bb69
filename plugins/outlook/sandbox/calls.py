"""A request and its answer inside the sandbox, apart from how they travel: alone or inside a batch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from plugins.outlook.sandbox.store import check_version

if TYPE_CHECKING:
    from collections.abc import Mapping

    from plugins.outlook.sandbox.application import OutlookSandbox
    from plugins.outlook.sandbox.mailbox import Mailbox
    from plugins.outlook.sandbox.odata import Options, Preferences
    from plugins.outlook.sandbox.store import Item
    from plugins.outlook.sandbox.tokens import Grant

GRAPH = "https://graph.microsoft.com/v1.0"


@dataclass(frozen=True)
class Request:
    """What came in. Header names are in lower case."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass
class Answer:
    """What goes out: a JSON object, or nothing."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """The body as bytes."""
        return b"" if self.body is None else msgspec.json.encode(self.body)


@dataclass(frozen=True)
class Call:
    """An authorised request to one endpoint. `owner` is how the path names the mailbox: `me` or `users/{id}`."""

    sandbox: OutlookSandbox
    request: Request
    grant: Grant
    mailbox: Mailbox
    owner: str
    path: str
    ids: Mapping[str, str]
    options: Options
    preferences: Preferences

    def link(self, query: str) -> str:
        """The same endpoint with other options, under the vendor's own address."""
        return f"{GRAPH}/{self.path}?{query}"

    def context(self, what: str) -> str:
        """What `@odata.context` says of an answer."""
        return f"{GRAPH}/$metadata#users('{self.mailbox.user_id}')/{what}"

    def check_version(self, item: Item) -> None:
        """Refuse a write that is based on an older version."""
        check_version(item, self.request.headers.get("if-match"))
