"""Nothing goes to a stream that was never read to its end: who and what is there already is not known yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from domain.integrations.model import StreamState

if TYPE_CHECKING:
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from tenure_sdk import Connector

IS_READ = StreamState.read_until.is_not(None)
"""A stream is read after those that it depends on, so that theirs was read to its end, too."""


async def missing(work: Reading, integration_id: UUID, connector: type[Connector[Any]]) -> list[str]:
    """The streams of an integration that were never read to their end, in the order of their declaration."""
    read = await _read(work, integration_id)
    return [stream.name for stream in connector.streams() if stream.name not in read]


async def awaited(work: Reading, integration_id: UUID, connector: type[Connector[Any]]) -> dict[str, str]:
    """The types of records that are not sent yet, each with the stream that has to be read first."""
    read = await _read(work, integration_id)
    known = {kind for stream in connector.streams() if stream.name in read for kind in stream.types}
    return {kind: stream.name for stream in connector.streams() for kind in stream.types if kind not in known}


async def _read(work: Reading, integration_id: UUID) -> set[str]:
    found = select(StreamState.stream).where(
        StreamState.tenant_id == work.tenant_id, StreamState.integration_id == integration_id, IS_READ
    )
    return set(await work.all(found))
