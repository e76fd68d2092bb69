"""The sandbox as one ASGI app for both hosts of the vendor, and what tests and the demo hold it by."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from starlette.requests import Request as HttpRequest

from plugins.outlook.sandbox import batches, filling, ids, login, routing
from plugins.outlook.sandbox.calls import Answer, Call, Request
from plugins.outlook.sandbox.errors import (
    Refusal,
    access_denied,
    bad_request,
    stale,
    throttled,
    unauthenticated,
    unknown_segment,
)
from plugins.outlook.sandbox.faults import Faults
from plugins.outlook.sandbox.mailbox import Mailbox
from plugins.outlook.sandbox.notifications import Delivered, Lifecycle, Notifier
from plugins.outlook.sandbox.odata import Options, Preferences
from plugins.outlook.sandbox.throttling import Throttle
from plugins.outlook.sandbox.times import stamp
from plugins.outlook.sandbox.tokens import SCOPES, Grant, Issuer
from tenure_sdk.http import httpx

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from starlette.types import ASGIApp, Receive, Scope, Send

    from plugins.outlook.sandbox.faults import Fault
    from plugins.outlook.sandbox.mailbox import Person
    from plugins.outlook.sandbox.store import Item

VERSION = "/v1.0/"


class Recorded(NamedTuple):
    """A call that was answered, or would have been: what tests count."""

    method: str
    path: str
    status: int


class OutlookSandbox:
    """Microsoft Graph's mail, calendar, contacts and subscriptions, and login.microsoftonline.com, in memory."""

    key = "outlook"
    hosts: ClassVar[tuple[str, ...]] = ("graph.microsoft.com", "login.microsoftonline.com")

    def __init__(self, *, now: Callable[[], datetime] = lambda: datetime.now(UTC), seed: int = 0) -> None:
        self.now, self.seed = now, seed
        self.random = Random(seed)  # noqa: S311  draws of faults, to be repeated from the seed
        self.client_id = ids.guid("client", seed)
        self.client_secret = f"sandbox~{ids.guid('secret', seed)}"
        self.auto_approve = True
        self.redirect_uris: set[str] = set()
        """The redirect URIs of the app; empty allows every one."""
        self.consented: set[str] = set()
        """The mailboxes that an administrator opened to the app itself."""
        self.plain_notifications = False
        """Whether notification URLs may be plain HTTP, as on a developer's machine; the vendor refuses them."""
        self.post: Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]] = post_over_http
        self.faults = Faults()
        self.lagging: dict[str, datetime] = {}
        """Until when a message that was sent is not found yet, by its key."""
        self.mailboxes: dict[str, Mailbox] = {}
        self.issuer = Issuer(now, seed)
        self.notifier = Notifier(self)
        self.throttle = Throttle(now)
        self.calls: deque[Recorded] = deque(maxlen=100_000)
        self.app: ASGIApp = self._app()

    def mailbox(self, address: str) -> Mailbox:
        """The mailbox of an address, made when it is asked for first."""
        address = address.lower()
        if address not in self.mailboxes:
            made = Mailbox(address, len(self.mailboxes) + 1, self.now)
            made.announce = lambda item, folder, change: self.notifier.changed(made, item, folder, change)
            self.mailboxes[address] = made
        return self.mailboxes[address]

    def fill(self, address: str, *, people: Sequence[Person], mails: int, events: int, contacts: int) -> None:
        """Fill a mailbox with lively, made-up mail, events and contacts with these people."""
        filling.fill(self.mailbox(address), people, mails=mails, events=events, contacts=contacts, seed=self.seed)

    def tokens_for(self, address: str, scopes: str = SCOPES) -> dict[str, Any]:
        """A token set as the token endpoint gives it, without a browser."""
        return self.issuer.issue(self.mailbox(address).address, frozenset(scopes.split()))

    def allowed_by(self, refresh_token: str) -> tuple[str, str] | None:
        """The mailbox that a refresh token is for, and the scopes; None for one that was not given out."""
        found = self.issuer.refreshes.get(refresh_token)
        return None if found is None else (found.address, " ".join(sorted(found.scopes)))

    def allow_again(self, address: str, scopes: str, refresh_token: str) -> None:
        """Have a refresh token be good that was given out before this sandbox was started."""
        self.issuer.know(refresh_token, self.mailbox(address).address, frozenset(scopes.split()))

    def consent_for(self, *addresses: str) -> None:
        """An administrator opens listed mailboxes to the app itself, and no others."""
        self.consented |= {self.mailbox(address).address for address in addresses}

    async def deliver(
        self, post: Callable[[str, Mapping[str, str], bytes], Awaitable[tuple[int, bytes]]] | None = None
    ) -> Delivered:
        """Send the change and lifecycle notifications that are due."""
        return await self.notifier.deliver(post or self.post)

    def tell_lifecycle(self, address: str, event: Lifecycle) -> None:
        """Every subscription of a mailbox is to be reauthorised, is removed, or has missed something."""
        for each in [each for each in self.notifier.live().values() if each.address == address.lower()]:
            self.notifier.lifecycle(each, event)
            each.held = each.held or event == "reauthorizationRequired"
            if event == "subscriptionRemoved":
                del self.notifier.subscriptions[each.id]

    def happens(self, chance: float) -> bool:
        """A draw."""
        return self.random.random() < chance

    def carry(self, fields: Mapping[str, Any]) -> None:
        """A sent mail arrives in those of the recipients' mailboxes that are here."""
        copied = {
            name: value
            for name, value in fields.items()
            if name not in {"bccRecipients", "isRead", "isDraft", "categories", "flag"}
        }
        people = [each for name in ("toRecipients", "ccRecipients", "bccRecipients") for each in fields.get(name, [])]
        for address in dict.fromkeys((each["emailAddress"].get("address") or "").lower() for each in people):
            if address in self.mailboxes:
                box = self.mailboxes[address]
                box.put("message", box.known("inbox"), {**copied, "isRead": False})

    def invite(self, organizer: Mailbox, event: Item) -> None:
        """An event arrives in those of the attendees' calendars that are here."""
        for each in event.fields.get("attendees", []):
            address = (each["emailAddress"].get("address") or "").lower()
            if address in self.mailboxes and address != organizer.address:
                box = self.mailboxes[address]
                answer = {"response": "notResponded", "time": "0001-01-01T00:00:00Z"}
                copied = {**event.fields, "isOrganizer": False, "transactionId": None, "responseStatus": answer}
                box.put("event", box.known("calendar"), copied)

    def update_copies(self, event: Item, fields: Mapping[str, Any]) -> None:
        """What the organizer changed shows in the attendees' calendars too; what is each person's own does not."""
        shared = {
            name: value
            for name, value in fields.items()
            if name in {"subject", "start", "end", "location", "body", "recurrence"}
        }
        for box, copy in self._copies(event) if shared else ():
            box.edit(copy, **shared)

    def cancel_copies(self, event: Item) -> None:
        """A meeting that its organizer deletes is shown as cancelled to those invited."""
        for box, copy in self._copies(event):
            box.edit(copy, isCancelled=True, subject=f"Canceled: {copy.fields.get('subject', '')}")

    def reached(self, grant: Grant, name: str) -> Mailbox:
        """The mailbox that a path names by address or user id, if the token reaches it."""
        found = next((box for box in self.mailboxes.values() if name.lower() in {box.address, box.user_id}), None)
        if grant.address is None and found is not None and found.address not in self.consented:
            raise access_denied(
                "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy settings."
            )
        if grant.address is not None and (found is None or found.address != grant.address):
            raise access_denied()
        if found is None:
            raise Refusal(
                404,
                "Request_ResourceNotFound",
                f"Resource '{name}' does not exist or one of its queried reference-property objects are not present.",
            )
        return found

    async def answer(self, request: Request) -> Answer:
        """The answer to one request of either host, apart from faults."""
        try:
            if request.path.startswith(VERSION):
                return await self._graph(request)
            await asyncio.sleep(self.faults.slow)
            return login.answer(self, request)
        except Refusal as refusal:
            return self._refused(request, refusal)

    def _app(self) -> ASGIApp:
        """The ASGI app: a function, since servers take a bound method for an app of the older kind."""

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            await self._serve(scope, receive, send)

        return app

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        http = HttpRequest(scope, receive)
        headers: dict[str, str] = {}
        for name, value in http.headers.items():
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        raw = scope.get("raw_path") or scope["path"].encode()
        request = Request(
            http.method, raw.decode("ascii", "replace"), scope["query_string"].decode(), headers, await http.body()
        )
        fault = self.faults.next(request, self.random)
        answer = self._prevented(request, fault) or await self.answer(request)
        self.calls.append(Recorded(request.method, request.path, answer.status))
        await _sent(answer, fault, send)

    async def _graph(self, request: Request) -> Answer:
        parts = routing.segments(request.path.removeprefix(VERSION))
        grant = self.issuer.grant(request.headers.get("authorization", ""), self.faults.expire_token_after)
        if parts == ["$batch"]:
            return await batches.answer(self, request)
        owner, mailbox, parts = self._owner(grant, parts)
        route, names = routing.found(request.method, parts)
        if not grant.scopes & set(route.needed()):
            raise access_denied()
        path = "/".join((owner, *parts[1:])) if owner else "/".join(parts)
        options = Options.read(request.query, route.options)
        preferences = Preferences.read(request.headers.get("prefer", ""))
        call = Call(self, request, grant, mailbox, owner, path, names, options, preferences)
        with self.throttle.admitted(mailbox.address):
            await asyncio.sleep(self.faults.slow)
            found = route.answer(call)
            answer = await found if inspect.isawaitable(found) else found
        if preferences.applied():
            answer.headers["Preference-Applied"] = preferences.applied()
        return answer

    def _owner(self, grant: Grant, parts: list[str]) -> tuple[str, Mailbox, list[str]]:
        """How the path names the mailbox, the mailbox, and the path with `{owner}` in its place."""
        if not parts:
            raise unknown_segment("")
        first = parts[0].lower()
        if first == "me":
            if grant.address is None:
                raise bad_request("/me request is only valid with delegated authentication flow.")
            return "me", self.mailboxes[grant.address], ["{owner}", *parts[1:]]
        if first == "users" and len(parts) > 1:
            return f"users/{parts[1]}", self.reached(grant, parts[1]), ["{owner}", *parts[2:]]
        if first != "subscriptions":
            raise unknown_segment(parts[0])
        # A subscription names its mailbox in its body; until then an app's token stands for any that it reaches.
        if grant.address is None:
            return "", self.mailbox(next(iter(sorted(self.consented)))), parts
        return "", self.mailboxes[grant.address], parts

    def _prevented(self, request: Request, fault: Fault | None) -> Answer | None:
        """The answer of a fault that comes before the request has any effect."""
        refusals = {
            "throttled": throttled(self.faults.retry_after),
            "failed": Refusal(500, "InternalServerError", "An internal server error occurred."),
            "unavailable": Refusal(
                503, "ServiceUnavailable", "The service is temporarily unavailable.", {"Retry-After": "3"}
            ),
        }
        if fault in refusals:
            return self._refused(request, refusals[fault])
        if fault == "expired" and request.path.startswith(VERSION):
            self.issuer.expire()
            return self._refused(request, unauthenticated("Lifetime validation failed, the token is expired."))
        if fault == "conflict" and "if-match" in request.headers:
            return self._refused(request, stale())
        return None

    def _refused(self, request: Request, refusal: Refusal) -> Answer:
        about: dict[str, Any] = {
            "date": stamp(self.now()).removesuffix("Z"),
            "request-id": ids.guid("request", len(self.calls), request.path),
            "client-request-id": request.headers.get("client-request-id", ids.guid("client-request", len(self.calls))),
        }
        if refusal.status == 429:
            about["status"] = "429"
        error = {"code": refusal.code, "message": refusal.message, "innerError": about}
        return Answer(refusal.status, {"error": error}, dict(refusal.headers))

    def _copies(self, event: Item) -> list[tuple[Mailbox, Item]]:
        uid = event.fields.get("iCalUId") or ""
        boxes = self.mailboxes.values()
        return [(box, copy) for box in boxes for copy in box.found("iCalUId", uid) if copy is not event]


async def post_over_http(url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Send a notification as the vendor does."""
    async with httpx.AsyncClient(timeout=10.0) as client:
        response = await client.post(url, headers=dict(headers), content=body)
        return response.status_code, response.content


async def _sent(answer: Answer, fault: Fault | None, send: Send) -> None:
    """Send an answer, unless a fault spoils it on the way."""
    body, headers = answer.encoded(), {"Content-Type": "application/json", **answer.headers}
    if fault == "truncated":
        body = body[: len(body) // 2]
    elif fault == "html":
        body, headers["Content-Type"] = (
            b"<html><body><h1>Our services aren't available right now</h1></body></html>",
            "text/html",
        )
    if not body:
        headers.pop("Content-Type", None)
    full = len(body) + (1 if fault == "dropped" else 0)
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    raw.append((b"content-length", str(full).encode()))
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    if fault == "dropped":
        # In process the client sees what a broken connection gives; a server closes the connection on any error.
        raise httpx.RemoteProtocolError("Server disconnected without sending a response.")
    await send({"type": "http.response.body", "body": body})
