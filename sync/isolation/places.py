"""Where the code of a connector runs, and how it is opened there."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from domain.integrations.model import Isolation
from sync.isolation.frames import Start, encoded
from sync.isolation.process import Process
from sync.isolation.remote import ProcessRemote
from tenure_sdk import Transient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from logging import Logger

    import msgspec

    from sync.isolation.limits import Limits
    from sync.registry import Origin
    from tenure_sdk import Connector, Host

BEATS = 6
"""How many signs of life fall into the time after which a process without one is ended."""

_UNBLOCKED_WITHIN = 600.0


class ConnectorBlocked(Transient):
    """The operator has blocked this connector; it is used again when it is unblocked."""

    def __init__(self, reason: str | None = None) -> None:
        told = f"The operator has blocked this connector{f': {reason}' if reason else ''}."
        super().__init__(told, retry_after=_UNBLOCKED_WITHIN)


@dataclass(frozen=True)
class Place:
    """Where the code of one connector runs, and with which bounds."""

    connector: str
    origin: Origin | None
    level: Isolation
    limits: Limits
    sandbox: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether it runs in this process. What was handed in here cannot be found by another one."""
        return self.origin is None or self.level is Isolation.LOOP

    def start(self, *, now: datetime, config: msgspec.Struct | None = None, **more: Any) -> Start:
        """What a process of the connector is told first."""
        assert self.origin is not None  # noqa: S101 - it does not run here
        return Start(
            entry=self.origin.entry, key=self.connector, memory=self.limits.memory, cpu=self.limits.cpu,
            beat=self.limits.heartbeat / BEATS, now=now.timestamp(), sandbox=self.sandbox,
            config=encoded(config), **more,
        )  # fmt: skip

    @asynccontextmanager
    async def opened(
        self, connector: type[Connector[Any]], start: Start, host: Host | None, notes: Logger
    ) -> AsyncIterator[ProcessRemote]:
        """The connector in a process of its own, which is gone afterwards."""
        remote = ProcessRemote(connector, lambda: Process(start, host, self.limits, notes))
        try:
            yield remote
        finally:
            await remote.close()
