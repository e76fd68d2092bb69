"""What is missing before a connector can be used here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.core.settings import oauth_name
from tenure_sdk import ClientCredentials, OAuth2

if TYPE_CHECKING:
    from collections.abc import Iterable

    from domain.core.settings import Settings
    from tenure_sdk import Connector
    from tenure_sdk.auth import Auth

CALLBACK = "/oauth/callback"
"""Where vendors send browsers back to, after `TENURE_PUBLIC_URL`."""
APP = ("client_id", "client_secret")
"""The names of the secrets that make an app of the tenant's own."""


def redirect_uri(settings: Settings) -> str | None:
    """Where vendors send browsers back to, to be registered with each app; None before the public address is set."""
    return f"{settings.public_url}{CALLBACK}" if settings.public_url else None


def missing(
    settings: Settings, connector: type[Connector[Any]], *, known: Iterable[str] = (), auth: Auth | None = None
) -> list[str]:
    """What is missing before a connector can be used, in words with the remedy; nothing when it is ready.

    `known` are the names of the secrets that an integration has: they may be an app of the tenant's own. `auth` is how
    the connector is let in with the settings of an integration, where they choose.
    """
    let_in = auth or connector.auth
    if not isinstance(let_in, OAuth2 | ClientCredentials):
        return []
    found = []
    if settings.oauth_app(connector.key) is None and not set(APP) <= set(known):
        name = oauth_name(connector.key)
        found.append(
            f"{connector.title} needs an app at the vendor: the operator sets TENURE_OAUTH_{name}_ID and "
            f"TENURE_OAUTH_{name}_SECRET, or the tenant sets the secrets client_id and client_secret of its own app."
        )
    if needs_a_person(let_in) and redirect_uri(settings) is None:
        found.append("The operator sets TENURE_PUBLIC_URL, so that the vendor can send the browser back.")
    return found


def needs_a_person(auth: Auth | None) -> bool:
    """Whether somebody has to authorise, or to consent, at the vendor."""
    return isinstance(auth, OAuth2) or (isinstance(auth, ClientCredentials) and auth.consent_url is not None)
