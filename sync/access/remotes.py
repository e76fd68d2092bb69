"""Opens the other side of an integration: its connector, bound to its settings, its secrets and its account."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from domain.core.vault import Vault
from sync.access import egress, host, parties, readiness
from sync.access.host import Access
from sync.access.limiter import Limiter
from sync.access.oauth import Endpoint
from sync.access.tokens import Grant, Tokens
from sync.isolation import policies
from sync.isolation.child import no_context
from sync.isolation.limits import Limits
from sync.isolation.places import ConnectorBlocked, Place
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
    from sync.access.host import LetIn
    from sync.access.oauth import Token
    from sync.access.parties import Party
    from sync.registry import Registry
    from sync.remote import Remote
    from tenure_sdk import Connector, Window
    from tenure_sdk.auth import Auth


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A connector with everything that its requests need, wherever its code runs."""

    connector: type[Connector[Any]]
    integration: Integration
    config: msgspec.Struct = field(repr=False)
    auth: Auth | None
    host: Access
    client: httpx.AsyncClient
    callback: Mapping[str, str]
    log: logging.Logger
    now: Callable[[], datetime]
    place: Place
    deadline: datetime | None = None

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Remote]:
        """The other side, asked from where the operator lets the connector's code run."""
        if self.place.is_here:
            yield LoopRemote(self.connector, self.context)
            return
        deadline = self.deadline.timestamp() if self.deadline else None
        start = self.place.start(
            now=self.now(), config=self.config, account=self.integration.account, callback=dict(self.callback),
            deadline=deadline,
        )  # fmt: skip
        async with self.place.opened(self.connector, start, self.host, self.log) as remote:
            yield remote

    def context(self, window: Window | None) -> Context[Any]:
        """What the connector gets for one piece of work."""
        return Context(
            self.config, now=self.now, log=self.log, client=self.client, host=self.host, auth=self.auth,
            hosts=self.connector.hosts, account=self.integration.account, callback=self.callback, window=window,
            deadline=self.deadline, classify=self.connector().classify,
        )  # fmt: skip


class Remotes:
    """The other sides of all integrations, as one process reaches them; `close` it, or use it with `async with`.

    `transports` lead the requests of a connector elsewhere, by its key: to a sandbox in this process, where its code
    then runs, too.
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
        self._limits = Limits.of(settings)
        self.tokens = Tokens(database, self.vault)
        self._transports = dict(transports or {})
        self._here = frozenset(self._transports)
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

        Raises NotFound, UnknownConnector, ConfigInvalid or SecretUnreadable, and ConnectorBlocked; requests raise what
        Remote says.
        """
        bound = await self.bound(tenant_id, integration_id, deadline=deadline)
        async with bound.opened() as remote:
            yield remote

    @asynccontextmanager
    async def unbound(self, connector: str) -> AsyncIterator[Remote]:
        """A connector that serves no integration: it can say what a delivery means, and nothing else.

        Raises UnknownConnector or ConnectorBlocked.
        """
        kind, place = self.registry.connector(connector), await self.place(connector)
        if place.is_here:
            yield LoopRemote(kind, no_context)
            return
        async with place.opened(kind, place.start(now=self.database.clock.now()), None, _log(connector, ())) as remote:
            yield remote

    async def place(self, connector: str) -> Place:
        """Where a connector's code runs. Raises ConnectorBlocked."""
        policy = await policies.of(self.database, connector)
        if policy.blocked:
            raise ConnectorBlocked(policy.reason)
        origin = None if connector in self._here else self.registry.origins.get(connector)
        return Place(
            connector, origin, policies.level(policy, origin), self._limits,
            self.settings.sandbox_addresses.get(connector),
        )  # fmt: skip

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
            party = await parties.party(reading, self.registry, self.vault, integration_id)
        token = parked or (party.issued and party.issued.token)
        let_in = self._let_in(tenant_id, party) if parked is None else host.parked(parked)
        return Bound(
            connector=party.connector, integration=party.integration, config=party.config, auth=party.auth,
            host=Access(self.limiter, party.pace_scope(self.settings), party.connector.rate, let_in),
            client=self.client(party.connector.key), place=await self.place(party.connector.key),
            callback=token.callback if token else {},
            log=_log(party.connector.key, party.secrets.values()), now=self.database.clock.now, deadline=deadline,
        )  # fmt: skip

    def endpoint(self, party: Party, callback: Mapping[str, str]) -> Endpoint:
        """The token endpoint of an integration's vendor, for the app that it uses. Raises ConfigInvalid."""
        auth, app = party.auth, party.app(self.settings)
        if not isinstance(auth, OAuth2 | ClientCredentials):
            raise ConfigInvalid(f"{party.connector.title} has no token with these settings.")
        if app is None:
            missing = readiness.missing(self.settings, party.connector, known=party.secrets, auth=auth)
            raise ConfigInvalid(" ".join(missing))
        return Endpoint(
            auth, app, self.transport(party.connector.key), now=self.database.clock.now,
            url=party.filled(auth.token_url, callback), redirect_uri=readiness.redirect_uri(self.settings),
        )  # fmt: skip

    def _let_in(self, tenant_id: UUID, party: Party) -> LetIn:
        if isinstance(party.auth, OAuth2 | ClientCredentials):
            grant = Grant(tenant_id, party.integration.id, party.auth, partial(self.endpoint, party))
            return host.renewing(self.tokens, grant, party.issued)
        return host.static(party.auth, party.secrets)

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
