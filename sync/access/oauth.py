"""What is said to the token endpoint of a vendor; Authlib speaks the protocol."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import httpx2 as httpx
import msgspec

from sync.access import egress
from tenure_sdk import AuthRevoked, ConfigInvalid, OAuth2, RateLimited, Transient
from tenure_sdk.http import retry_after

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from authlib.integrations.httpx_client import AsyncOAuth2Client

    from tenure_sdk import ClientCredentials

PATIENCE = 30.0
"""Seconds that a token endpoint has to answer."""

_TERMINAL = {"invalid_grant", "interaction_required", "consent_required", "access_denied"}
_HARD_EXPIRY = ("x_refresh_token_hard_expires_in", "x_refresh_token_expires_in", "refresh_token_expires_in")
"""In how many seconds a refresh token ends, as vendors tell it; a hard end is not moved by a refresh."""


class Token(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What lets requests in until it expires, and what it is renewed with."""

    access_token: str
    refresh_token: str | None = None
    issued_at: datetime
    expires_at: datetime | None = None
    refresh_ends_at: datetime | None = None
    """When somebody has to authorise anew at the latest, where the vendor tells it."""
    scope: str | None = None
    callback: dict[str, str] = {}
    """What the redirect of the authorization brought besides the code."""
    revoked: bool = False
    """The vendor refused it for good; it is not asked again."""

    def __repr__(self) -> str:
        return f"Token(issued_at={self.issued_at!s}, expires_at={self.expires_at!s}, revoked={self.revoked})"

    def is_fresh(self, now: datetime, before: timedelta) -> bool:
        """Whether it can still be used; it is renewed `before` it expires, or in the middle of a shorter life."""
        if self.expires_at is None:
            return True
        return now < self.expires_at - min(before, (self.expires_at - self.issued_at) / 2)

    def is_valid(self, now: datetime) -> bool:
        """Whether it has not expired yet."""
        return self.expires_at is None or now < self.expires_at


class App(msgspec.Struct, frozen=True):
    """The client that a vendor knows: the operator's, or a tenant's own."""

    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"App({self.client_id!r})"


class Endpoint:
    """The token endpoint of a vendor, as one app may use it."""

    def __init__(
        self,
        auth: OAuth2 | ClientCredentials,
        app: App,
        transport: httpx.AsyncBaseTransport,
        *,
        now: Callable[[], datetime],
        url: str,
        redirect_uri: str | None = None,
    ) -> None:
        self._auth, self._app, self._transport = auth, app, transport
        self._now = now
        self._url = url
        self._redirect_uri = redirect_uri

    def authorize_url(self, url: str, state: str, verifier: str | None) -> str:
        """Where a browser goes, for a person to authorise or an administrator to consent."""
        if not isinstance(self._auth, OAuth2):
            asked = {"client_id": self._app.client_id, "redirect_uri": self._redirect_uri or "", "state": state}
            return f"{url}{'&' if '?' in url else '?'}{urlencode(asked)}"
        made, _ = self._client().create_authorization_url(
            url, state=state, code_verifier=verifier, scope=self._scope(), **self._auth.extra_authorize
        )
        return str(made)

    async def exchanged(self, code: str, verifier: str | None, callback: Mapping[str, str]) -> Token:
        """The token that a code stands for. Raises AuthRevoked where the vendor does not accept the code."""
        told = await self._asked(
            lambda client: client.fetch_token(
                self._url, grant_type="authorization_code", code=code, code_verifier=verifier, **self._headers()
            )
        )
        return self._token(told, callback)

    async def granted(self, callback: Mapping[str, str]) -> Token:
        """A token for the app itself. Raises AuthRevoked where the vendor does not let it in."""
        told = await self._asked(
            lambda client: client.fetch_token(self._url, grant_type="client_credentials", scope=self._scope())
        )
        return self._token(told, callback)

    async def refreshed(self, old: Token) -> Token:
        """A new token for an old one; what the vendor does not tell again stays. Raises AuthRevoked."""
        told = await self._asked(
            lambda client: client.refresh_token(self._url, refresh_token=old.refresh_token, **self._headers())
        )
        new = self._token(told, old.callback)
        return msgspec.structs.replace(
            new,
            refresh_token=new.refresh_token or old.refresh_token,
            refresh_ends_at=new.refresh_ends_at or old.refresh_ends_at,
            scope=new.scope or old.scope,
        )

    async def revoke(self, url: str, token: Token) -> None:
        """Tell the vendor that the token is no longer used. Raises Transient where it does not listen."""
        async with self._client() as client:
            try:
                await client.revoke_token(url, token=token.refresh_token or token.access_token, **self._headers())
            except httpx.HTTPError as problem:
                raise Transient(f"The vendor did not hear the revocation ({type(problem).__name__})") from None

    async def _asked(self, question: Callable[[AsyncOAuth2Client], Awaitable[Mapping[str, Any]]]) -> Mapping[str, Any]:
        from authlib.integrations.base_client import OAuthError

        async with self._client() as client:
            client.register_compliance_hook("access_token_response", _checked)
            client.register_compliance_hook("refresh_token_response", _checked)
            try:
                told = await question(client)
            except OAuthError as problem:
                raise _problem(str(problem.error), self._hidden(problem.description)) from None
            except (httpx.TransportError, httpx.DecodingError) as problem:
                raise Transient(f"The token endpoint did not answer ({type(problem).__name__})") from None
            except (httpx.HTTPStatusError, ValueError):
                raise Transient("The token endpoint gave no answer of the protocol") from None
        if not isinstance(told.get("access_token"), str):
            raise Transient("The token endpoint gave no token")
        return told

    def _client(self) -> AsyncOAuth2Client:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        return AsyncOAuth2Client(
            self._app.client_id,
            self._app.client_secret,
            token_endpoint_auth_method=f"client_secret_{self._auth.token_auth}",
            revocation_endpoint_auth_method=f"client_secret_{self._auth.token_auth}",
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            transport=egress.Shared(self._transport),
            trust_env=False,
            follow_redirects=False,
            cookies=egress.no_cookies(),
            timeout=PATIENCE,
        )

    def _scope(self) -> str | None:
        return " ".join(self._auth.scopes) or None

    def _headers(self) -> dict[str, Any]:
        extra = self._auth.extra_token_headers if isinstance(self._auth, OAuth2) else {}
        return {
            "headers": {
                "Accept": "application/json",
                "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
                **extra,
            }
        }

    def _token(self, told: Mapping[str, Any], callback: Mapping[str, str]) -> Token:
        now = self._now()
        ends = next((end for name in _HARD_EXPIRY if (end := _after(now, told.get(name)))), None)
        return Token(
            access_token=told["access_token"],
            refresh_token=told.get("refresh_token"),
            issued_at=now,
            expires_at=_after(now, told.get("expires_in")),
            refresh_ends_at=ends,
            scope=told.get("scope") if isinstance(told.get("scope"), str) else None,
            callback=dict(callback),
        )

    def _hidden(self, text: object) -> str:
        """What a vendor says, short and without our secret."""
        return str(text or "").replace(self._app.client_secret, "***")[:200]


def _checked(response: httpx.Response) -> httpx.Response:
    """The answer of a token endpoint, unless it has to be asked again later."""
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
        raise RateLimited(retry_after(response.headers) or 0.0, "The token endpoint asks to slow down")
    if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
        raise Transient(f"The token endpoint answered {response.status_code}")
    return response


def _problem(code: str, description: str) -> AuthRevoked | ConfigInvalid | Transient:
    told = f"{code}: {description}" if description else code
    if code in _TERMINAL:
        return AuthRevoked(f"The vendor no longer accepts the authorization ({told}); somebody has to authorise anew.")
    if re.fullmatch(r"temporarily_unavailable|server_error|slow_down", code):
        return Transient(f"The token endpoint is not available ({told})")
    return ConfigInvalid(f"The vendor does not accept the app ({told}). Check its id, its secret and its rights.")


def _after(now: datetime, seconds: object) -> datetime | None:
    try:
        return (now + timedelta(seconds=float(str(seconds)))).astimezone(UTC) if seconds is not None else None
    except (ValueError, OverflowError):
        return None
