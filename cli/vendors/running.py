"""The vendors of the demo at work: they listen on this machine, remember, call back, and something happens there."""

from __future__ import annotations

import asyncio
import re
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec
import uvicorn
from pydantic import SecretStr

from cli import serving
from cli.vendors.dealings import COMPANY, MAILBOX, Dealings
from cli.vendors.journal import Allowed, Clock, Entry, Happened, Journal, Opened, Written
from domain.core.clock import SystemClock

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
    from pathlib import Path

    from domain.core.settings import Settings

HOST = "127.0.0.1"
KEYS = ("quickbooks", "outlook")
NAME = "Demo Trading Ltd"
EVERY, MOST = timedelta(seconds=20), 5_000
"""Something new happens so often, until so much has happened that telling it again would take long."""

_WRITES = {"quickbooks": re.compile(r"/v3/company/(?!.*/query)"), "outlook": re.compile(r"/v1\.0/(?!subscriptions)")}
"""The paths at which requests other than GET change what a vendor has."""
_TOKENS = {"quickbooks": re.compile(r"/oauth2/v1/tokens/bearer"), "outlook": re.compile(r"/[^/]+/oauth2/v2\.0/token")}
"""The paths at which a vendor gives out tokens."""


@dataclass
class Vendors:
    """QuickBooks and Outlook, as sandboxes of this process."""

    journal: Journal
    sockets: Mapping[str, socket.socket]
    clock: Clock = field(default_factory=lambda: Clock(SystemClock().now))

    def __post_init__(self) -> None:
        made = {entry.name: entry.load() for entry in entry_points(group="tenure.sandboxes") if entry.name in KEYS}
        self.quickbooks, self.outlook = (made[key](now=self.clock) for key in KEYS)
        self.outlook.plain_notifications = True
        self.outlook.post = self._post
        self._dealings: Dealings | None = None
        self._happened = 0
        self._last_at = self.clock()

    @property
    def addresses(self) -> dict[str, str]:
        """Where each listens."""
        return {key: serving.address(self.sockets[key]) for key in KEYS}

    def settings(self, chosen: Settings, public_url: str) -> Settings:
        """Settings with which all that is meant for the vendors goes to the sandboxes, as the app that they know."""
        oauth: dict[str, str] = {}
        for key, sandbox in (("QUICKBOOKS", self.quickbooks), ("OUTLOOK", self.outlook)):
            oauth |= {f"{key}_ID": sandbox.client_id, f"{key}_SECRET": sandbox.client_secret}
        own = {
            "public_url": public_url,
            "sandboxes": ",".join(f"{key}={address}" for key, address in self.addresses.items()),
            "oauth": {name: SecretStr(value) for name, value in oauth.items()},
            "webhook": {"QUICKBOOKS": SecretStr(self.quickbooks.verifier_token)},
        }
        return chosen.model_copy(update=own)

    async def remember(self, customers: int) -> None:
        """Have everything be there that was there before; at the first start, a past with so many customers."""
        entries = self.journal.read()
        if not entries:
            entries = [Opened(self.clock(), customers)]
            self.journal.write(entries[0])
        for entry in entries:
            await self._tell(entry)
            await asyncio.sleep(0)

    @contextmanager
    def approving(self) -> Iterator[None]:
        """Meanwhile whoever asks to be let in is let in at once, as if a person had agreed."""
        self.quickbooks.auto_approve = self.outlook.auto_approve = True
        try:
            yield
        finally:
            self.quickbooks.auto_approve = self.outlook.auto_approve = False

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Answer requests while this lasts."""
        apps = {key: Noting(sandbox, key, self.clock, self.journal.write) for key, sandbox in self._by_key().items()}
        servers = {key: Server(app) for key, app in apps.items()}
        serving_ = {asyncio.create_task(server.serve(sockets=[self.sockets[key]])) for key, server in servers.items()}
        try:
            yield
        finally:
            for server in servers.values():
                server.should_exit = True
            await asyncio.wait(serving_)

    async def live(self, address: str) -> None:
        """Have something happen now and then, and tell whoever listens at the address of it, for ever."""
        self.quickbooks.webhooks.url = f"{address}/hooks/app/quickbooks/events"
        self._last_at = self.clock()
        while True:
            if self.clock() >= self._last_at + EVERY and self._happened < MOST:
                self._last_at = self.clock()
                await self.happen()
            await self.quickbooks.deliver(self._post_status)
            await self.outlook.deliver()
            await asyncio.sleep(1)

    async def quiet(self) -> None:
        """Wait until what happened last was told, and nothing new happens for a while."""
        while not EVERY / 4 < self.clock() - self._last_at < EVERY / 2:  # noqa: ASYNC110 - time goes by
            await asyncio.sleep(1)

    async def happen(self) -> None:
        """Have one more thing happen."""
        entry = Happened(self.clock())
        self.journal.write(entry)
        await self._tell(entry)

    async def _tell(self, entry: Entry) -> None:
        match entry:
            case Opened():
                books = self.quickbooks.company(COMPANY, NAME)
                self._dealings = Dealings(books, self.outlook, self.clock.at, entry.customers)
                self._dealings.tell_the_past(entry.at)
            case Happened():
                assert self._dealings is not None  # noqa: S101 - a journal begins with its opening
                self._happened += 1
                with self.clock.at(entry.at):
                    self._dealings.go_on()
            case Written():
                with self.clock.at(entry.at):
                    await self._write_again(entry)
            case Allowed():
                with self.clock.at(entry.at):
                    self._by_key()[entry.vendor].allow_again(entry.account, entry.scope, entry.refresh_token)

    async def _write_again(self, entry: Written) -> None:
        sandbox = self._by_key()[entry.vendor]
        token = sandbox.tokens_for(COMPANY if entry.vendor == "quickbooks" else MAILBOX)["access_token"]
        headers = {**entry.headers, "authorization": f"Bearer {token}"}
        transport = httpx2.ASGITransport(sandbox.app)
        async with httpx2.AsyncClient(transport=transport, base_url=f"https://{sandbox.hosts[0]}") as client:
            await client.request(entry.method, entry.target, headers=headers, content=entry.body)

    def _by_key(self) -> dict[str, Any]:
        return dict(zip(KEYS, (self.quickbooks, self.outlook), strict=True))

    async def _post(self, url: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            answer = await client.post(url, headers=dict(headers), content=body)
            return answer.status_code, answer.content

    async def _post_status(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        try:
            return (await self._post(url, headers, body))[0]
        except httpx2.HTTPError as unheard:
            raise OSError(str(unheard)) from unheard


@contextmanager
def opened(journal: Path) -> Iterator[Vendors]:
    """The vendors, on free ports of this machine."""
    with ExitStack() as stack:
        yield Vendors(Journal(journal), {key: stack.enter_context(serving.bound(HOST, 0)) for key in KEYS})


class Server(uvicorn.Server):
    """uvicorn for a sandbox: silent, and stopped by us."""

    def __init__(self, app: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False,
                timeout_graceful_shutdown=1,
            )
        )  # fmt: skip

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Leave the signals to the program."""
        return nullcontext()


@dataclass(frozen=True)
class Noting:
    """A sandbox that notes what it takes over from Tenure, and whom it lets in, before it says so."""

    sandbox: Any
    vendor: str
    now: Callable[[], Any]
    keep: Callable[[Entry], None]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["method"] != "GET":
            if _TOKENS[self.vendor].fullmatch(scope["path"]):
                await self.sandbox.app(scope, receive, self._noting_tokens(send))
                return
            if _WRITES[self.vendor].match(scope["path"]):
                await self._write(scope, receive, send)
                return
        await self.sandbox.app(scope, receive, send)

    def _noting_tokens(self, send: Any) -> Callable[[Any], Awaitable[None]]:
        async def told(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.body":
                self._note(message.get("body", b""))
            await send(message)

        return told

    def _note(self, answer: bytes) -> None:
        """Note whom an answer of the token endpoint lets in; a refusal lets nobody in."""
        token = msgspec.json.decode(answer).get("refresh_token")
        if token is not None:
            account, scope = self.sandbox.allowed_by(token)
            self.keep(Allowed(self.now(), self.vendor, account, scope, token))

    async def _write(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            part = await receive()
            body, more = body + part.get("body", b""), part.get("more_body", False)

        async def read() -> dict[str, Any]:
            return {"type": "http.request", "body": body}

        async def told(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] < httpx2.codes.MULTIPLE_CHOICES:
                self.keep(self._written(scope, body))
            await send(message)

        await self.sandbox.app(scope, read, told)

    def _written(self, scope: Mapping[str, Any], body: bytes) -> Written:
        raw, query = scope["raw_path"].decode("ascii"), scope["query_string"].decode("ascii")
        dropped = {b"authorization", b"host", b"content-length", b"connection", b"transfer-encoding"}
        headers = {name.decode(): value.decode() for name, value in scope["headers"] if name not in dropped}
        target = f"{raw}?{query}" if query else raw
        return Written(self.now(), self.vendor, scope["method"], target, headers, body)
