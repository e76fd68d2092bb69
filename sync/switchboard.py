"""Everything by which one process reaches the other sides: what is installed, how they are opened and authorised."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import structlog

from domain.metrics.catalogue import CATALOGUE
from sync import registry as plugins
from sync.access.authorizations import Authorizations
from sync.access.remotes import Remotes
from sync.registry import Admission

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx2 as httpx

    from domain.core.database import Database
    from domain.core.settings import Settings
    from sync.registry import Registry

log = structlog.get_logger()


class Switchboard:
    """The connectors of this process and the ways to their other sides; `close` it, or use it with `async with`."""

    def __init__(
        self,
        database: Database,
        settings: Settings,
        registry: Registry | None = None,
        transports: Mapping[str, httpx.AsyncBaseTransport] | None = None,
    ) -> None:
        self.settings = settings
        self.registry = plugins.load(admission=Admission.of(settings)) if registry is None else registry
        for plugin in self.registry.report:
            if plugin.error is not None:
                log.warning("plugin.left_out", plugin=plugin.entry, status=plugin.status, error=plugin.error)
        CATALOGUE.admit(self.registry.metrics.values())
        self.remotes = Remotes(database, settings, self.registry, transports)
        self.authorizations = Authorizations(self.remotes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Finish what must not be cut, and close all connections."""
        await self.remotes.close()
