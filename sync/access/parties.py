"""An integration with all that is known of it: its connector, its settings joined with their secrets, its token."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from domain.integrations import queries
from sync.access import config, secrets, tokens
from sync.access.oauth import App
from sync.access.readiness import APP
from tenure_sdk import ConfigInvalid, ConnectorError, ContractViolation

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

    import msgspec

    from domain.core.settings import Settings
    from domain.core.unit_of_work import Reading
    from domain.core.vault import Vault
    from domain.integrations.model import Integration
    from sync.access.tokens import Issued
    from sync.registry import Registry
    from tenure_sdk import Connector
    from tenure_sdk.auth import Auth


@dataclass(frozen=True, kw_only=True)
class Party:
    """One integration, ready to be asked for."""

    integration: Integration
    connector: type[Connector[Any]]
    config: msgspec.Struct = field(repr=False)
    secrets: Mapping[str, Any] = field(repr=False)
    auth: Auth | None
    issued: Issued | None

    def app(self, settings: Settings) -> App | None:
        """The app at the vendor: the tenant's own among its secrets, or else the operator's."""
        if all(self.secrets.get(name) for name in APP):
            return App(*(str(self.secrets[name]) for name in APP))
        found = settings.oauth_app(self.connector.key)
        return App(found.client_id, found.client_secret.get_secret_value()) if found else None

    def filled(self, template: str, callback: Mapping[str, str]) -> str:
        """An address with the settings and callback parameters that it names, none of which can lead elsewhere.

        Raises ConfigInvalid where one of them is missing.
        """
        values = {name: getattr(self.config, name) for name in self.config.__struct_fields__} | dict(callback)
        try:
            return template.format_map({name: quote(str(value), safe="") for name, value in values.items()})
        except KeyError as missing:
            raise ConfigInvalid(f"{missing.args[0]} is missing.", key=str(missing.args[0])) from None

    def pace_scope(self, settings: Settings) -> str:
        """Whose limit requests count against: that of the app, or of the account; ids stand there as digests."""
        key = self.connector.key
        if self.connector.rate.scope == "app":
            app = self.app(settings)
            return f"{key}:app:{_digest(app.client_id if app else '')}"
        return f"{key}:account:{_digest(self.integration.account or self.integration.id.hex)}"


async def party(reading: Reading, registry: Registry, vault: Vault, integration_id: UUID) -> Party:
    """An integration by its id. Raises NotFound, UnknownConnector, SecretUnreadable, or a ConnectorError."""
    integration = await queries.integration(reading, integration_id)
    known = await secrets.secrets_of(reading, vault, integration_id)
    connector = registry.connector(integration.connector)
    decoded = config.decoded(connector, integration.config, known)
    return Party(
        integration=integration, connector=connector, config=decoded, secrets=known,
        auth=_auth(connector, decoded), issued=await tokens.issued_to(reading, vault, integration_id),
    )  # fmt: skip


def _auth(connector: type[Connector[Any]], decoded: msgspec.Struct) -> Auth | None:
    """How the connector is let in with these settings. Raises ConfigInvalid, or ContractViolation where it breaks."""
    try:
        return connector().auth_for(decoded)
    except ConnectorError:
        raise
    except Exception as problem:
        raise ContractViolation(f"The connector failed unexpectedly ({type(problem).__name__}).") from problem


def _digest(name: str) -> str:
    """A digest that PostgreSQL can make, too: `quota` of integrations finds their buckets by it."""
    return sha256(name.encode()).digest()[:16].hex()
