"""A sandbox with one mailbox, a clock to turn, and a client whose every answer the published description judges."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from plugins.outlook.sandbox import OutlookSandbox
from tenure_sdk.http import httpx
from tests.conftest import SHARED
from tests.judges.graph_openapi import Judge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from plugins.outlook.sandbox import Mailbox

SPECIFICATION = SHARED / "vendors" / "specs" / "msgraph"
IMMUTABLE = {"Prefer": 'IdType="ImmutableId"'}


class Clock:
    """Stands still until it is turned."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 23, 9, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **by: float) -> None:
        self.now += timedelta(**by)


class Judged(httpx.AsyncBaseTransport):
    """Takes requests to the sandbox and shows the answers to the judge."""

    def __init__(self, sandbox: OutlookSandbox, judge: Judge | None) -> None:
        self.inner, self.judge = httpx.ASGITransport(app=sandbox.app), judge
        self.problems: list[str] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        body = await response.aread()
        path = request.url.path
        if self.judge and path.startswith("/v1.0") and "$batch" not in path:
            try:
                plain = msgspec.json.decode(body) if body else None
            except msgspec.DecodeError:
                return response
            self.problems += self.judge.problems(request.method, path, response.status_code, plain)
        return response


@pytest.fixture(scope="session")
def judge() -> Judge | None:
    return Judge(SPECIFICATION) if SPECIFICATION.exists() else None


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sandbox(clock: Clock) -> OutlookSandbox:
    return OutlookSandbox(now=clock)


@pytest.fixture
def ana(sandbox: OutlookSandbox) -> Mailbox:
    return sandbox.mailbox("ana@acme.example")


@pytest.fixture
def transport(sandbox: OutlookSandbox, judge: Judge | None) -> Iterator[Judged]:
    made = Judged(sandbox, judge)
    yield made
    assert made.problems == []


@pytest.fixture
async def graph(sandbox: OutlookSandbox, ana: Mailbox, transport: Judged) -> AsyncIterator[httpx.AsyncClient]:
    """Ana's client: it prefers immutable ids."""
    token = sandbox.tokens_for(ana.address)["access_token"]
    headers = {"Authorization": f"Bearer {token}", **IMMUTABLE}
    async with httpx.AsyncClient(
        transport=transport, base_url="https://graph.microsoft.com/v1.0/", headers=headers
    ) as client:
        yield client


@pytest.fixture
async def login(transport: Judged) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport, base_url="https://login.microsoftonline.com") as client:
        yield client


async def rounds(client: httpx.AsyncClient, url: str, **headers: str) -> tuple[list[dict[str, Any]], str]:
    """A whole round of a delta query: what it gave, and the link for the next one."""
    found: list[dict[str, Any]] = []
    while True:
        response = await client.get(url, headers=headers)
        assert response.status_code == 200, response.text
        body = response.json()
        found += body["value"]
        if "@odata.deltaLink" in body:
            assert "@odata.nextLink" not in body
            return found, body["@odata.deltaLink"]
        url = body["@odata.nextLink"]


def refusal(response: httpx.Response) -> tuple[int, str]:
    """The status and the code of a refusal."""
    return response.status_code, response.json()["error"]["code"]
