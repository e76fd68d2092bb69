"""How a connector is let in: what it declares, and what the host does with it. Connectors never see the secrets."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct


class Credentials(Struct, frozen=True):
    """What lets a request in, by field (`api_key`, `username`, `password`, `access_token`)."""

    values: dict[str, str]
    mark: str = ""
    """Which issue of them this is: a refusal names it, so that only one worker asks for a new one."""

    def __repr__(self) -> str:
        return f"Credentials({', '.join(self.values)})"


class Outgoing(Struct):
    """A request before it is sent: what authorization may add to."""

    method: str
    url: str
    headers: dict[str, str]
    params: dict[str, str]
    content: bytes = b""


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key that stands in a header, in the query, or as the user of HTTP Basic."""

    place: Literal["header", "query", "basic_user"] = "header"
    name: str = "Authorization"
    prefix: str = ""
    """What stands before the key: `Bearer `."""

    fields: tuple[str, ...] = ("api_key",)

    async def apply(self, request: Outgoing, credentials: Credentials) -> None:
        """Put the key where the remote side looks for it."""
        key = credentials.values["api_key"]
        if self.place == "query":
            request.params[self.name] = key
        elif self.place == "basic_user":
            request.headers["Authorization"] = _basic(key, "")
        else:
            request.headers[self.name] = f"{self.prefix}{key}"


class Basic(Struct, frozen=True):
    """A user and a password, as HTTP Basic."""

    fields: tuple[str, ...] = ("username", "password")

    async def apply(self, request: Outgoing, credentials: Credentials) -> None:
        """Put them into the Authorization header."""
        request.headers["Authorization"] = _basic(credentials.values["username"], credentials.values["password"])


class OAuth2(Struct, frozen=True, kw_only=True):
    """A person authorises at the remote side (authorization code); the host refreshes the token.

    URLs may name settings: `https://login.example/{directory}/token`.
    """

    authorize_url: str
    token_url: str
    scopes: tuple[str, ...] = ()
    pkce: bool = True
    callback_params: tuple[str, ...] = ()
    """Parameters of the redirect that are kept: QuickBooks says only there which company it is (`realmId`)."""
    extra_authorize: dict[str, str] = {}
    extra_token_headers: dict[str, str] = {}
    token_auth: Literal["basic", "post"] = "basic"  # noqa: S105 - how the client proves itself, no password
    refresh: Literal["rotating", "static"] = "rotating"
    refresh_before: str = "5m"
    """How long before it expires a token is refreshed."""
    idle_refresh: str = "24h"
    """How long a token may lie unused before it is refreshed, so that it does not die."""
    revoke_url: str | None = None

    fields: tuple[str, ...] = ()

    async def apply(self, request: Outgoing, credentials: Credentials) -> None:
        """Show the access token."""
        request.headers["Authorization"] = f"Bearer {credentials.values['access_token']}"


class ClientCredentials(Struct, frozen=True, kw_only=True):
    """The app itself is let in, where an administrator has consented to it once."""

    token_url: str
    scopes: tuple[str, ...] = ()
    token_auth: Literal["basic", "post"] = "basic"  # noqa: S105 - how the client proves itself, no password
    consent_url: str | None = None
    """Where the administrator consents; None where nobody has to."""
    callback_params: tuple[str, ...] = ()
    refresh_before: str = "5m"

    fields: tuple[str, ...] = ()

    async def apply(self, request: Outgoing, credentials: Credentials) -> None:
        """Show the access token."""
        request.headers["Authorization"] = f"Bearer {credentials.values['access_token']}"


class Custom(Struct, frozen=True, kw_only=True):
    """The connector signs each request itself: `async def sign(request, secrets)`, which changes the request."""

    sign: Callable[[Outgoing, Mapping[str, str]], Awaitable[None]]
    fields: tuple[str, ...]
    """The secrets that an admin has to give."""

    async def apply(self, request: Outgoing, credentials: Credentials) -> None:
        """Have the connector sign."""
        await self.sign(request, credentials.values)


Auth: TypeAlias = ApiKey | Basic | OAuth2 | ClientCredentials | Custom


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode('ascii')}"
