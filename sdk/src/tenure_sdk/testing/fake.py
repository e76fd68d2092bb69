"""A fake remote side in memory: tables, routes and tokens, so that a connector's tests need no account."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from msgspec import Struct

from tenure_sdk.http import httpx
from tenure_sdk.testing.remote import Clock, Missing, RemoteSide
from tenure_sdk.webhooks import Delivery, HmacSignature, StandardWebhooks, StaticToken, Verifier, standard_signature

Row = dict[str, Any]
Method = TypeVar("Method", bound=Callable[..., Any])


class Call(Struct, frozen=True):
    """One request to a fake remote side."""

    params: Mapping[str, str]
    headers: Mapping[str, str]
    """By lower-case names."""
    body: Any
    """As JSON says; None without one."""


class Refusal(Exception):
    """The fake remote side answers with an error."""

    def __init__(self, status: int, why: str = "") -> None:
        super().__init__(why)
        self.status = status


class Table(Struct, frozen=True, kw_only=True):
    """What the rows of one stream look like at the remote side."""

    new: Callable[[int], Row]
    """A row by its number, without id, version, time of change and mark of deletion: those are the fake's."""
    id: Callable[[int], str] | None = None
    """The id of a row by its number: `str` where the remote side has numbers. None: a letter and the number."""
    text: str = "name"
    """The field that holds free text."""
    optional: tuple[str, ...] = ()
    """Fields that the remote side may leave out."""


def route(method: str, path: str) -> Callable[[Method], Method]:
    """Declares a method as the answer to requests: `def (self, call, **parts of the path)`, which returns JSON."""

    def mark(function: Method) -> Method:
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        function.__dict__["__route__"] = (method, re.compile(pattern))
        return function

    return mark


class FakeRemote(RemoteSide):
    """A remote side of tables. A subclass names them by stream, and writes its routes.

    Every row has `id`, `version` (rises with every change), `changed_at` and `deleted`. Requests need the token that
    `credentials` gives, wherever the connector puts it. `POST`s with an `Idempotency-Key` are done once.
    """

    tables: Mapping[str, Table] = {}
    guarded: bool = True
    """Requests need the token; not so at a remote side that asks nobody."""

    def __init__(self, account: str = "1") -> None:
        super().__init__(account)
        self.rows: dict[str, dict[str, Row]] = {name: {} for name in self.tables}
        self._issue = 1
        self._numbers = 0
        self._replies: dict[str, tuple[int, Any]] = {}
        self._accepted = True

    def credentials(self) -> Mapping[str, str]:
        """One token under every name that a declaration may ask for."""
        token = f"token-{self.account}-{self._issue}-0123456789"
        return dict.fromkeys(("access_token", "api_key", "password"), token) | {"username": f"user-{self.account}"}

    def expire(self) -> None:
        """The next token is the good one."""
        self._issue += 1

    def revoke(self) -> None:
        """No token is good."""
        self._accepted = False

    def transport(self) -> httpx.AsyncBaseTransport:
        """Answers by the routes."""
        return httpx.MockTransport(self._answer)

    def seed(self, stream: str, count: int) -> Sequence[str]:
        """Add rows as `Table.new` makes them."""
        return [self._seeded(stream, {})["id"] for _ in range(count)]

    def seed_text(self, stream: str, text: str) -> str:
        """Add a row with this text."""
        return str(self._seeded(stream, {self.tables[stream].text: text})["id"])

    def seed_bare(self, stream: str) -> str:
        """Add a row without its optional fields."""
        row = self._seeded(stream, {})
        for name in self.tables[stream].optional:
            row.pop(name, None)
        return str(row["id"])

    def seed_unknown(self, stream: str) -> tuple[str, str, str]:
        """Add a row with a field that nobody knows."""
        return str(self._seeded(stream, {"shoe_size": "43"})["id"]), "shoe_size", "43"

    def spoil(self, stream: str, record_id: str) -> None:
        """Put an object where text belongs."""
        self.change(stream, record_id, None, **{self.tables[stream].text: {"no": ["text"]}})

    def edit(self, stream: str, record_id: str) -> None:
        """Give the row another text."""
        self._numbers += 1
        self.change(stream, record_id, None, **{self.tables[stream].text: f"Edited {self._numbers}"})

    def remove(self, stream: str, record_id: str) -> None:
        """Leave a tombstone."""
        self.change(stream, record_id, deleted=True)

    def recreate(self, stream: str, record_id: str) -> None:
        """Take the tombstone away."""
        self.change(stream, record_id, deleted=False)

    def count(self, stream: str) -> int:
        """How many rows are no tombstones."""
        return sum(not row["deleted"] for row in self.rows[stream].values())

    def add(self, stream: str, **values: Any) -> Row:
        """Add a row."""
        self._numbers += 1
        made = self.tables[stream].id
        name = made(self._numbers) if made else f"{stream[0]}{self._numbers:06}"
        row: Row = {"id": name, "version": "1", "changed_at": self.clock.now(), "deleted": False}
        return self.rows[stream].setdefault(name, row | values)

    def change(self, stream: str, record_id: str, version: str | None = None, **values: Any) -> Row:
        """Change a row; refused (409) where `version` is given and not the row's, and (404) where there is none."""
        row = self.rows[stream].get(record_id)
        if row is None:
            raise Refusal(404, f"{stream} has no {record_id}")
        if version is not None and version != row["version"]:
            raise Refusal(409, "the row has another version")
        row.update(values, version=str(int(row["version"]) + 1), changed_at=self.clock.now())
        return row

    def page(self, stream: str, call: Call, *, tombstones: bool = True) -> Row:
        """An answer `{items, next}`: rows in the order of their changes, from a time or a place on.

        The call's `since` is a time, and its `page` the place of a row, not a number of rows, so that a change between
        two pages makes none of them disappear.
        """
        start = datetime.fromisoformat(call.params["since"]) if "since" in call.params else None
        place = tuple(call.params.get("page", "|").split("|"))
        rows = [
            row
            for row in sorted(self.rows[stream].values(), key=_place)
            if (tombstones or not row["deleted"])
            and (start is None or row["changed_at"] >= start)
            and (not place[0] or _place(row) > place)
        ]
        items = rows[: self.page_size]
        more = "|".join(_place(items[-1])) if len(rows) > len(items) else None
        return {"items": [self.shown(row) for row in items], "next": more}

    def shown(self, row: Row) -> Row:
        """A row as an answer has it."""
        return row | {"changed_at": row["changed_at"].astimezone(self.zone).isoformat()}

    def get(self, stream: str, record_id: str) -> Row:
        """A row as an answer has it; refused (404) where it is gone."""
        row = self.rows[stream].get(record_id)
        if row is None or row["deleted"]:
            raise Refusal(404, f"{stream} has no {record_id}")
        return self.shown(row)

    def _seeded(self, stream: str, values: Row) -> Row:
        if stream not in self.tables:
            raise Missing(f"`tables` has no {stream}; it needs a Table by the name of each stream that brings records")
        return self.add(stream, **self.tables[stream].new(self._numbers + 1) | values)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        try:
            status, body = self._routed(request)
        except Refusal as refusal:
            return httpx.Response(refusal.status, json={"error": str(refusal)})
        return httpx.Response(status, content=msgspec.json.encode(body))

    def _routed(self, request: httpx.Request) -> tuple[int, Any]:
        token = self.credentials()["access_token"]
        if self.guarded and not (self._accepted and _has(request, token)):
            raise Refusal(401, "the token is not good")
        key = request.headers.get("idempotency-key") if request.method == "POST" else None
        if key is not None and key in self._replies:
            return self._replies[key]
        for method, pattern, function in self._routes():
            found = pattern.fullmatch(request.url.path)
            if found and method == request.method:
                body = msgspec.json.decode(request.content) if request.content else None
                call = Call(dict(request.url.params), dict(request.headers), body)
                reply = 200, function(self, call, **found.groupdict())
                if key is not None:
                    self._replies[key] = reply
                return reply
        raise Refusal(404, f"no route for {request.method} {request.url.path}")

    def _routes(self) -> Iterator[tuple[str, re.Pattern[str], Callable[..., Any]]]:
        """The routes in the order in which they are written, those of the subclass first."""
        for owner in type(self).__mro__:
            for function in vars(owner).values():
                if hasattr(function, "__route__"):
                    method, pattern = function.__route__
                    yield method, pattern, function


def signed(verifier: Verifier, body: bytes, secret: str, clock: Clock) -> Delivery:
    """A delivery that a shipped verifier believes. Raises Missing for others."""
    at = str(int(clock.now().timestamp()))
    match verifier:
        case HmacSignature(timestamp_header=None):
            headers = {verifier.header.lower(): verifier.prefix + verifier.signature(body, secret)}
        case HmacSignature(timestamp_header=str(name)):
            signature = verifier.signature(at.encode() + b"." + body, secret)
            headers = {verifier.header.lower(): verifier.prefix + signature, name.lower(): at}
        case StandardWebhooks():
            signature = standard_signature(secret, "message-1", at, body)
            headers = {"webhook-id": "message-1", "webhook-timestamp": at, "webhook-signature": signature}
        case StaticToken():
            headers = {verifier.header.lower(): secret}
        case _:
            raise Missing(f"deliveries for {type(verifier).__name__} have to be made by the tests")
    return Delivery(body, headers, received_at=clock.now())


def _place(row: Row) -> tuple[str, str]:
    return row["changed_at"].isoformat(), row["id"]


def _has(request: httpx.Request, token: str) -> bool:
    shown = [*request.headers.values(), str(request.url)]
    with suppress(ValueError):
        shown.append(b64decode(request.headers.get("authorization", "").removeprefix("Basic "), validate=True).decode())
    return any(token in value for value in shown)
