"""A small vendor: a token endpoint whose refresh tokens rotate, and an API that wants the newest access token."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import parse_qs

from msgspec import Meta, Struct

from tenure_sdk import Account, ApiKey, ClientCredentials, Connector, Customer, OAuth2, Page, RateLimit, stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tenure_sdk import Context

Secret = Annotated[str, Meta(extra_json_schema={"writeOnly": True})]
CLIENT_ID, CLIENT_SECRET = "the-app", "the-apps-secret"


class Shop(Struct):
    region: str = "eu"
    signing: Secret | None = None


class Acme(Connector[Shop]):
    key, title, version, category = "acme-books", "Acme Books", "1.0", "accounting"
    auth = OAuth2(
        authorize_url="https://login.acme.example/{region}/authorize",
        token_url="https://login.acme.example/{region}/token",
        revoke_url="https://login.acme.example/{region}/revoke",
        scopes=("books", "offline"),
        callback_params=("realm",),
        extra_authorize={"prompt": "consent"},
        extra_token_headers={"X-Acme": "1"},
    )
    hosts = ("api.acme.example",)

    @stream(Customer)
    async def customers(self, ctx: Context[Shop], cursor: Any) -> AsyncIterator[Page]:
        yield Page(records=[])

    async def check(self, ctx: Context[Shop]) -> Account:
        found = await ctx.get("/account")
        return Account(found["id"], found["label"])


class AcmeAlone(Acme):
    """Lets the app itself in."""

    key, title = "acme-alone", "Acme Alone"
    auth = ClientCredentials(
        token_url="https://login.acme.example/{tenant}/token",
        consent_url="https://login.acme.example/consent",
        callback_params=("tenant",),
        scopes=(".default",),
    )


class AcmeKey(Acme):
    """Lets in who has a key."""

    key, title = "acme-key", "Acme Key"
    auth = ApiKey(name="X-Key")
    rate = RateLimit(per_second=5)


@dataclass
class Vendor:
    """The vendor as an ASGI app: what it was asked, and what it answers next."""

    account: dict[str, str] = field(default_factory=lambda: {"id": "realm-1", "label": "Craft & Sons"})
    lives: int = 3600
    rotates: bool = True
    tells_refresh: bool = True
    pause: float = 0.0
    grace: bool = False
    """The refresh token before the newest one is still good, as Intuit's is for a day."""
    answers: list[tuple[int, dict[str, Any] | bytes]] = field(default_factory=list)
    """What the token endpoint answers before it answers rightly."""
    protests: list[int] = field(default_factory=list)
    """For how many seconds the API asks to be left alone, once each."""
    asked: list[dict[str, str]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    refresh_token: str = "refresh-0"
    access_token: str = "access-0"
    challenges: dict[str, str] = field(default_factory=dict)
    revoked: list[str] = field(default_factory=list)
    counter: int = 0
    previous: str = ""

    @property
    def grants(self) -> list[str]:
        return [asked["grant_type"] for asked in self.asked]

    def code(self, challenge: str) -> str:
        """A person authorised: the code of the redirect."""
        code = f"code-{len(self.challenges)}"
        self.challenges[code] = challenge
        return code

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        body = (await receive()).get("body", b"")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        answer: dict[str, Any] | bytes
        extra = [(b"set-cookie", b"session=tenant-a; Path=/"), (b"content-type", b"application/json")]
        if self.protests and not scope["path"].endswith("/token"):
            self.headers.append(headers)
            extra.append((b"retry-after", str(self.protests.pop(0)).encode()))
            status, answer = 429, {"error": "slow down"}
        else:
            status, answer = await self._answered(scope["path"], headers, body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        await send({"type": "http.response.start", "status": status, "headers": extra})
        await send({"type": "http.response.body", "body": content})

    async def _answered(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, Any] | bytes]:
        self.headers.append(headers)
        if path.endswith("/token"):
            return await self._token({name: values[0] for name, values in parse_qs(body.decode()).items()}, headers)
        if path.endswith("/revoke"):
            self.revoked.append(parse_qs(body.decode())["token"][0])
            return 200, {}
        allowed = {f"Bearer {self.access_token}", self.access_token}
        if headers.get("authorization") not in allowed and headers.get("x-key") not in allowed:
            return 401, {"error": "expired"}
        return 200, self.account

    async def _token(self, asked: dict[str, str], headers: dict[str, str]) -> tuple[int, dict[str, Any] | bytes]:
        self.asked.append(asked)
        await asyncio.sleep(self.pause)
        if self.answers:
            return self.answers.pop(0)
        if (
            headers.get("authorization")
            != f"Basic {base64.b64encode(f'{CLIENT_ID}:{CLIENT_SECRET}'.encode()).decode()}"
        ):
            return 401, {"error": "invalid_client", "error_description": f"{CLIENT_SECRET} is wrong"}
        if not self._is_good(asked):
            return 400, {"error": "invalid_grant", "error_description": "Token invalid"}
        self.counter += 1
        self.access_token = f"access-{self.counter}"
        told = {"access_token": self.access_token, "expires_in": self.lives, "token_type": "bearer"}
        if asked["grant_type"] == "client_credentials":
            return 200, told
        if self.rotates:
            self.previous, self.refresh_token = self.refresh_token, f"refresh-{self.counter}"
        return 200, {**told, **({"refresh_token": self.refresh_token} if self.tells_refresh else {})}

    def _is_good(self, asked: dict[str, str]) -> bool:
        match asked["grant_type"]:
            case "refresh_token":
                good = {self.refresh_token, self.previous} if self.grace else {self.refresh_token}
                return asked["refresh_token"] in good
            case "authorization_code":
                digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
                return self.challenges.pop(asked["code"], "") == base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return asked["grant_type"] == "client_credentials"
