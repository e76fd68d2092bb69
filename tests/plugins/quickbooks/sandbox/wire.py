"""The sandbox as a connector meets it: HTTP, in process."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import httpx2
import msgspec

if TYPE_CHECKING:
    from plugins.quickbooks.sandbox import QuickBooksSandbox

REALM = "9130"
decode = msgspec.json.Decoder(float_hook=Decimal).decode
encode = msgspec.json.Encoder(decimal_format="number").encode


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    moment: datetime = field(default_factory=lambda: datetime(2026, 3, 8, 9, 59, 50, tzinfo=UTC))

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **span: float) -> None:
        self.moment += timedelta(**span)


@dataclass
class Answer:
    status: int
    body: Any
    headers: httpx2.Headers

    @property
    def error(self) -> tuple[int, str, str]:
        """The status, the code and the type of a refusal."""
        fault = self.body.get("Fault") or self.body["fault"]
        (error,) = fault.get("Error") or fault["error"]
        return self.status, error["code"], fault["type"]


class Wire:
    """An authorised client of one company; every exchange is kept."""

    def __init__(self, sandbox: QuickBooksSandbox, realm: str = REALM) -> None:
        self.realm = realm
        self.token = sandbox.tokens_for(realm)["access_token"]
        self.exchanges: list[tuple[str, bytes, Answer]] = []
        transport = httpx2.ASGITransport(sandbox.app)
        self.http = httpx2.AsyncClient(transport=transport, base_url="https://quickbooks.api.intuit.com")

    async def call(self, method: str, path: str, content: bytes = b"", **options: Any) -> Answer:
        headers = {"authorization": f"Bearer {self.token}", "accept": "application/json"} | options.pop("headers", {})
        address = f"/v3/company/{self.realm}/{path}"
        response = await self.http.request(method, address, content=content, headers=headers, **options)
        answer = Answer(response.status_code, decode(response.content), response.headers)
        self.exchanges.append((path, content, answer))
        return answer

    async def get(self, path: str, **params: str) -> Answer:
        return await self.call("GET", path, params=params)

    async def query(self, text: str) -> Answer:
        return await self.get("query", query=text)

    async def ids(self, text: str) -> list[str]:
        """The ids that a query answers with."""
        answer = await self.query(text)
        assert answer.status == 200, answer.body
        rows = [value for value in answer.body["QueryResponse"].values() if isinstance(value, list)]
        return [row["Id"] for row in rows[0]] if rows else []

    async def post(self, path: str, payload: Any, **params: str) -> Answer:
        return await self.call(
            "POST", path, encode(payload), params=params, headers={"content-type": "application/json"}
        )

    async def send(self, invoice: str, **params: str) -> Answer:
        headers = {"content-type": "application/octet-stream"}
        return await self.call("POST", f"invoice/{invoice}/send", params=params, headers=headers)

    async def made(self, entity: str, payload: Any) -> dict[str, Any]:
        """The object that a create answers with."""
        answer = await self.post(entity.lower(), payload)
        assert answer.status == 200, answer.body
        record: dict[str, Any] = answer.body[entity]
        return record
