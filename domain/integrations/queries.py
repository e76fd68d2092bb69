"""How integrations are found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from domain.core.problems import NotFound
from domain.integrations.model import Enablement, Integration, StreamSetting

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading


async def integration(work: Reading, integration_id: UUID, *, lock: bool = False) -> Integration:
    """An integration by its id, kept from others until the transaction ends where `lock` asks. Raises NotFound."""
    wanted = select(Integration).where(Integration.tenant_id == work.tenant_id, Integration.id == integration_id)
    found = await work.one(wanted.with_for_update(key_share=True) if lock else wanted)
    if found is None:
        raise NotFound(id=integration_id)
    return found


async def is_enabled(work: Reading, connector: str) -> bool:
    """Whether the tenant may use a connector."""
    enabled = select(Enablement.enabled).where(
        Enablement.tenant_id == work.tenant_id, Enablement.connector == connector
    )
    return bool(await work.one(enabled))


async def settings(work: Reading, integration_id: UUID) -> dict[str, StreamSetting]:
    """What an admin chose for the streams of an integration, by their names; a stream may have no entry."""
    chosen: Sequence[StreamSetting] = await work.all(
        select(StreamSetting).where(
            StreamSetting.tenant_id == work.tenant_id, StreamSetting.integration_id == integration_id
        )
    )
    return {setting.stream: setting for setting in chosen}
