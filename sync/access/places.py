"""Where each secret that is kept in the database belongs; none opens in the place of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.core.vault import Place

if TYPE_CHECKING:
    from uuid import UUID


def integration_secret(tenant_id: UUID, integration_id: UUID, name: str) -> Place:
    """A secret of an integration, or its token."""
    return Place(tenant_id, integration_id, name)


def authorization(tenant_id: UUID, authorization_id: UUID, field: str) -> Place:
    """The `verifier`, the `code` or the `token` of an authorization under way."""
    return Place(tenant_id, authorization_id, field)


def outgoing_webhook(tenant_id: UUID) -> Place:
    """What a tenant's outgoing webhook is signed with."""
    return Place(tenant_id, "outgoing_webhook", "secret")


def app_delivery(connector: str, digest: bytes) -> Place:
    """The body of a call to an app's address, before it is known whose it is."""
    return Place(None, f"{connector}:{digest.hex()}", "app_delivery")
