"""The secrets of an integration: set and removed, never shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from domain.core.vault import Vault, key_of
from domain.integrations.model import IntegrationSecret
from sync.access.places import integration_secret

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from domain.core.unit_of_work import Reading, Writing

TOKEN = "token"  # noqa: S105 - the name under which a token is kept


async def set_secrets(work: Writing, vault: Vault, integration_id: UUID, given: Mapping[str, Any]) -> None:
    """Keep secrets of an integration in the place of earlier ones; None removes one."""
    for name, value in sorted(given.items()):
        await keep(work, vault, integration_id, name, None if value is None else msgspec.json.encode(value))
    work.audit("integrations.secrets", f"integration:{integration_id.hex}", after={"names": sorted(given)})


async def keep(
    work: Writing,
    vault: Vault,
    integration_id: UUID,
    name: str,
    plain: bytes | None,
    *,
    expires_at: datetime | None = None,
) -> int:
    """Keep one secret, or nothing under its name; how many values it has had."""
    sealed = None if plain is None else vault.seal(integration_secret(work.tenant_id, integration_id, name), plain)
    entry = insert(IntegrationSecret).values(
        tenant_id=work.tenant_id, integration_id=integration_id, name=name, ciphertext=sealed,
        key_id=sealed and key_of(sealed), expires_at=expires_at, updated_at=work.now,
    )  # fmt: skip
    replaced = ("ciphertext", "key_id", "expires_at", "updated_at")
    kept = await work.execute(
        entry.on_conflict_do_update(
            index_elements=["tenant_id", "integration_id", "name"],
            set_={
                **{column: entry.excluded[column] for column in replaced},
                "version": IntegrationSecret.version + 1,
            },
        ).returning(IntegrationSecret.version)
    )
    return int(kept.scalar_one())


async def secrets_of(reading: Reading, vault: Vault, integration_id: UUID) -> dict[str, Any]:
    """All secrets of an integration but its token. Raises SecretUnreadable."""
    rows = await reading.all(
        select(IntegrationSecret).where(
            IntegrationSecret.tenant_id == reading.tenant_id,
            IntegrationSecret.integration_id == integration_id,
            IntegrationSecret.name != TOKEN,
            IntegrationSecret.ciphertext.is_not(None),
        )
    )
    return {row.name: msgspec.json.decode(opened(vault, row)) for row in rows}


async def secret_names(reading: Reading, integration_id: UUID) -> frozenset[str]:
    """The names of the secrets that are kept."""
    return frozenset(
        await reading.all(
            select(IntegrationSecret.name).where(
                IntegrationSecret.tenant_id == reading.tenant_id,
                IntegrationSecret.integration_id == integration_id,
                IntegrationSecret.ciphertext.is_not(None),
            )
        )
    )


def opened(vault: Vault, row: IntegrationSecret) -> bytes:
    """What a row keeps. Raises SecretUnreadable."""
    return vault.open(integration_secret(row.tenant_id, row.integration_id, row.name), row.ciphertext or b"")
