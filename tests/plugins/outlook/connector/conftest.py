"""A mailbox in the sandbox, the connector bound to it, and what a host would have taken over from its pages."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from plugins.outlook.connector import Outlook
from plugins.outlook.sandbox import OutlookSandbox
from plugins.outlook.settings import OutlookConfig
from sync.remote import LoopRemote
from tenure_sdk import Context, Credentials, Window
from tenure_sdk.http import httpx

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from plugins.outlook.sandbox import Mailbox

OWN = "acme.example"
BEA = ("Bea Kunde", "bea@customer.example")
CARL = ("Carl Client", "carl@client.example")
ROBIN = ("Robin Kolleg", f"robin@{OWN}")


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 20, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Side:
    """Both ends: the sandbox, and the connector as a host holds it."""

    sandbox: OutlookSandbox
    clock: Clock
    config: OutlookConfig = field(default_factory=lambda: OutlookConfig(own_domains=(OWN,)))
    callback: Mapping[str, str] = field(default_factory=dict)
    issued: dict[str, Any] | None = None
    slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(Outlook.rate.concurrency))
    slept: list[float] = field(default_factory=list)
    records: dict[str, Any] = field(default_factory=dict)
    """What a host would have now."""
    yielded: list[Any] = field(default_factory=list)
    """Every page of all readings."""

    def box(self, address: str = f"ana@{OWN}") -> Mailbox:
        return self.sandbox.mailbox(address)

    async def credentials(self, refused: str | None = None) -> Credentials:
        if self.issued is None or refused is not None:
            self.issued = (
                self.sandbox.issuer.issue_to_app(frozenset(_all_scopes()))
                if self.config.access == "organisation"
                else self.sandbox.tokens_for(f"ana@{OWN}")
            )
        return Credentials({"access_token": self.issued["access_token"]}, self.issued["access_token"][-8:])

    @asynccontextmanager
    async def admission(self) -> AsyncIterator[None]:
        async with self.slots:
            yield

    async def slow_down(self, seconds: float | None) -> None:
        pass

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.forward(seconds=seconds)

    def context(self, window: Window | None = None) -> Context[Any]:
        made = Outlook()
        return Context(
            self.config, now=self.clock, client=httpx.AsyncClient(transport=httpx.ASGITransport(self.sandbox.app)),
            host=self, auth=made.auth_for(self.config), hosts=Outlook.hosts, callback=self.callback, window=window,
            classify=made.classify, sleep=self._sleep,
        )  # fmt: skip

    @property
    def remote(self) -> LoopRemote:
        return LoopRemote(Outlook, self.context)

    async def read(self, stream: str, cursor: Any = None, *, window: Window | None = None, stop: int = -1) -> Any:
        """Take over the pages after a cursor, `stop` of them at most; the last cursor."""
        async with aclosing(self.remote.pages(stream, cursor, window)) as pages:
            count = 0
            while count != stop and (page := await anext(pages, None)) is not None:
                count += 1
                self.yielded.append(page)
                self.records |= {record.id: record for record in page.records}
                for gone in page.deletes:
                    self.records.pop(gone, None)
                cursor = cursor if page.cursor is None else page.cursor
        return cursor

    def subjects(self) -> list[str]:
        return sorted(record.summary for record in self.records.values())


def _all_scopes() -> tuple[str, ...]:
    from plugins.outlook.sandbox.tokens import GRANTABLE

    return tuple(GRANTABLE)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def side(clock: Clock) -> Side:
    side = Side(OutlookSandbox(now=clock), clock)
    side.box()
    return side


@pytest.fixture
def ana(side: Side) -> Mailbox:
    return side.box()
