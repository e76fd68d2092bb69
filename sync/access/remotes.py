"""Opens the other side of an integration: its connector, bound to its settings, its secrets and its account."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from domain.core.settings import oauth_name
from domain.core.vault import Vault
from domain.integrations import queries
from sync.access import config, egress, host, secrets, tokens
from sync.access.host import Access
from sync.access.limiter import Limiter
from sync.access.oauth import App, Endpoint
from sync.access.secrets import APP
from sync.access.tokens import Grant, Tokens
from sync.remote import LoopRemote
from tenure_sdk import ClientCredentials, ConfigInvalid, Context, OAuth2

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from datetime import datetime
    from uuid import UUID

    import httpx2 as httpx
    import msgspec

    from domain.core.database import Database
    from domain.core.settings import Settings
    from domain.integrations.model import Integration
    from sync.access.oauth import Token
    from sync.registry import Registry
    from sync.remote import Remote
    from tenure_sdk import Connector, Window
    from tenure_sdk.auth import Auth

CALLBACK = "/oauth/callback"
"""Where vendors send browsers back to, after `TENURE_PUBLIC_URL`."""


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A connector with everything that its requests need, wherever its code runs."""

    connector: type[Connector[Any]]
    integration: Integration
    config: msgspec.Struct
    auth: Auth | None
    host: Access
    client: httpx.AsyncClient
    callback: Mapping[str, str]
    log: logging.Logger
    now: Callable[[], datetime]
    deadline: datetime | None = None

    def remote(self) -> LoopRemote:
        """The other side, asked from this process."""
        return LoopRemote(self.connector, self.context)

    def context(self, window: Window | None) -> Context[Any]:
        """What the connector gets for one piece of work."""
        return Context(
            self.config, now=self.now, log=self.log, client=self.client, host=self.host, auth=self.auth,
            hosts=self.connector.hosts, account=self.integration.account, callback=self.callback, window=window,
            deadline=self.deadline, classify=self.connector().classify,
        )  # fmt: skip


class Remotes:
    """The other sides of all integrations, as one process reaches them; `close` it, or use it with `async with`.

    `transports` lead the requests of a connector elsewhere, by its key: to a sandbox in this process.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        registry: Registry,
        transports: Mapping[str, httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self.database = database
        self.settings = settings
        self.registry = registry
        self.vault = Vault.of(settings)
        self.limiter = Limiter(database)
        self.tokens = Tokens(database, self.vault)
        self._transports = dict(transports or {})
        self._clients: dict[str, httpx.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what must not be cut, and close all connections."""
        await self.tokens.close()
        for client in self._clients.values():
            await client.aclose()
        self._clients.clear()

    @asynccontextmanager
    async def open(
        self, tenant_id: UUID, integration_id: UUID, *, deadline: datetime | None = None
    ) -> AsyncIterator[Remote]:
        """The other side of an integration, in whatever state it is.

        Raises NotFound, UnknownConnector, ConfigInvalid or SecretUnreadable; requests raise what Remote says.
        """
        yield (await self.bound(tenant_id, integration_id, deadline=deadline)).remote()

    async def bound(
        self,
        tenant_id: UUID,
        integration_id: UUID,
        *,
        deadline: datetime | None = None,
        parked: Token | None = None,
    ) -> Bound:
        """The connector of an integration with what its requests need; a parked token takes the place of its own."""
        async with self.database.reading(tenant_id) as reading:
            integration = await queries.integration(reading, integration_id)
            known = await secrets.secrets_of(reading, self.vault, integration_id)
            issued = await tokens.issued_to(reading, self.vault, integration_id)
        connector = self.registry.connector(integration.connector)
        decoded = config.decoded(connector, integration.config, known)
        auth = connector().auth_for(decoded)
        token = parked or (issued and issued.token)
        callback = token.callback if token else {}
        if parked is not None:
            let_in = host.parked(parked)
        elif isinstance(auth, OAuth2 | ClientCredentials):
            endpoint = self.endpoint(connector, auth, decoded, known, callback)
            let_in = host.renewing(self.tokens, Grant(tenant_id, integration_id, auth, endpoint), issued)
        else:
            let_in = host.static(auth, known)
        scope = self._scope(connector, integration, known)
        return Bound(
            connector=connector, integration=integration, config=decoded, auth=auth,
            host=Access(self.limiter, scope, connector.rate, let_in),
            client=self.client(connector.key), callback=callback, log=_log(connector.key, known.values()),
            now=self.database.clock.now, deadline=deadline,
        )  # fmt: skip

    def endpoint(
        self,
        connector: type[Connector[Any]],
        auth: OAuth2 | ClientCredentials,
        decoded: msgspec.Struct,
        known: Mapping[str, Any],
        callback: Mapping[str, str],
    ) -> Endpoint:
        """The token endpoint of an integration's vendor, for the app that it uses. Raises ConfigInvalid."""
        app = self.app(connector.key, known)
        if app is None:
            raise ConfigInvalid(" ".join(self.readiness(connector, known)))
        return Endpoint(
            auth, app, self.transport(connector.key), now=self.database.clock.now,
            url=filled(auth.token_url, decoded, callback), redirect_uri=self.redirect_uri,
        )  # fmt: skip

    def app(self, connector: str, known: Mapping[str, Any]) -> App | None:
        """The app at the vendor: the tenant's own among its secrets, or else the operator's."""
        if all(known.get(name) for name in APP):
            return App(*(str(known[name]) for name in APP))
        found = self.settings.oauth_app(connector)
        return App(found.client_id, found.client_secret.get_secret_value()) if found else None

    def readiness(self, connector: type[Connector[Any]], known: Iterable[str] = ()) -> list[str]:
        """What is missing before the connector can be used, in words; nothing when it is ready.

        `known` are the names of the secrets that the integration has: they may be an app of the tenant's own.
        """
        if not isinstance(connector.auth, OAuth2 | ClientCredentials):
            return []
        missing = []
        if self.settings.oauth_app(connector.key) is None and not set(APP) <= set(known):
            name = oauth_name(connector.key)
            missing.append(
                f"{connector.title} needs an app at the vendor: the operator sets TENURE_OAUTH_{name}_ID and "
                f"TENURE_OAUTH_{name}_SECRET, or the tenant gives client_id and client_secret of its own."
            )
        if self.redirect_uri is None and getattr(connector.auth, "consent_url", "a person authorises") is not None:
            missing.append("The operator sets TENURE_PUBLIC_URL, so that the vendor can send the browser back.")
        return missing

    @property
    def redirect_uri(self) -> str | None:
        """Where vendors send browsers back to; it is registered with each app."""
        return f"{self.settings.public_url}{CALLBACK}" if self.settings.public_url else None

    def client(self, connector: str) -> httpx.AsyncClient:
        """The client that all integrations of a connector share in this process."""
        if connector not in self._clients:
            self._clients[connector] = egress.client(self.transport(connector))
        return self._clients[connector]

    def transport(self, connector: str) -> httpx.AsyncBaseTransport:
        """How a connector's requests leave this process: to the vendor, or to its sandbox."""
        if connector not in self._transports:
            sandbox = self.settings.sandbox_addresses.get(connector)
            self._transports[connector] = egress.Sandboxed(sandbox) if sandbox else egress.Guarded()
        return self._transports[connector]

    def _scope(self, connector: type[Connector[Any]], integration: Integration, known: Mapping[str, Any]) -> str:
        """Whose limit requests count against: that of the app, or of the account; ids stand there as digests."""
        if connector.rate.scope == "app":
            app = self.app(connector.key, known)
            return f"{connector.key}:app:{_digest(app.client_id if app else '')}"
        return f"{connector.key}:account:{_digest(integration.account or integration.id.hex)}"


def filled(template: str, decoded: msgspec.Struct, callback: Mapping[str, str]) -> str:
    """An address with the settings and callback parameters that it names, none of which can lead elsewhere.

    Raises ConfigInvalid where one of them is missing.
    """
    values = {name: getattr(decoded, name) for name in decoded.__struct_fields__} | dict(callback)
    try:
        return template.format_map({name: quote(str(value), safe="") for name, value in values.items()})
    except KeyError as missing:
        raise ConfigInvalid(f"{missing.args[0]} is missing.", key=str(missing.args[0])) from None


def _digest(name: str) -> str:
    return blake2b(name.encode(), digest_size=16).hexdigest()


def _log(connector: str, values: Iterable[Any]) -> logging.Logger:
    """A log for one piece of work that shows none of these values; it belongs to the connector's log."""
    log = logging.Logger(f"tenure.connector.{connector}")  # noqa: LOG001 - one filter each, kept nowhere
    log.parent = logging.getLogger(log.name)
    hidden = [str(value) for value in values if len(str(value)) >= _SHORTEST]

    def redact(record: logging.LogRecord) -> bool:
        text = record.getMessage()
        for value in hidden:
            text = text.replace(value, "***")
        record.msg, record.args = text, None
        return True

    log.addFilter(redact)
    return log


_SHORTEST = 6
"""Shorter values are no secrets, and would make a log unreadable."""
