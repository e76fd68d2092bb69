"""What a person does at the other side so that it tells of changes by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from domain.core.settings import oauth_name
from tenure_sdk import Subscribe, Webhook

if TYPE_CHECKING:
    from domain.core.settings import Settings
    from tenure_sdk import Connector

NEEDS_ADDRESS = "The operator sets TENURE_PUBLIC_URL, so that there is an address to call."


def app_url(settings: Settings, connector: type[Connector[Any]]) -> str | None:
    """The address to register with the operator's app; None where there is none, or the public address is not set."""
    found = next((each for each in connector.declared(Webhook) if each.door == "app"), None)
    if found is None or settings.public_url is None:
        return None
    return f"{settings.public_url}/hooks/app/{connector.key}/{found.path}"


def steps(settings: Settings, connector: type[Connector[Any]]) -> list[str]:
    """What is to be done, step by step, with the address to copy; nothing for a connector that hears no calls."""
    hooks = connector.declared(Webhook)
    if not hooks:
        return []
    if settings.public_url is None:
        return [NEEDS_ADDRESS]
    if (url := app_url(settings, connector)) is not None:
        return [
            f"Whoever keeps the app at the vendor registers this address for its calls: {url}",
            *connector.webhook_help,
            *_secret_of_app(settings, connector),
        ]
    if connector.declared(Subscribe):
        return [f"Nothing: an active integration asks {connector.title} to call, and renews that in time."]
    return [
        "rotateWebhookSecret of the integration shows an address and a secret, once: register both at the vendor.",
        *connector.webhook_help,
    ]


def _secret_of_app(settings: Settings, connector: type[Connector[Any]]) -> list[str]:
    """What is missing before calls to the app's address are believed."""
    if settings.webhook_secret(connector.key) is not None:
        return []
    name = f"TENURE_WEBHOOK_{oauth_name(connector.key)}_SECRET"
    return [f"The operator sets {name} to the secret that the vendor signs calls with: before, none is believed."]
