"""A real account on the bench (`--live`): it is read, and never changed."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tenure_sdk.account import real_account
from tenure_sdk.http import httpx
from tenure_sdk.testing.remote import Clock, Missing, RemoteSide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tenure_sdk.connector import Connector

LIVE = ("AUT-1", "STR-1", "STR-2", "STR-3", "STR-4", "CUR-1", "SCH-4")
"""The checks that do nothing but read."""


class WallClock(Clock):
    """The time as it is; it passes by itself."""

    def now(self) -> datetime:
        """The present moment."""
        return datetime.now(UTC)

    def forward(self, seconds: float) -> None:
        """Nobody can."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


class LiveAccount(RemoteSide):
    """The account that the environment names. The beginning of each stream is read, and what fills it is left alone."""

    real = True
    most_pages = 20

    def __init__(
        self,
        connector: type[Connector[Any]],
        *,
        account: str = "1",
        environment: Mapping[str, str] = os.environ,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        super().__init__(account)
        if account != "1":
            raise Missing("the environment names one account")
        named = real_account(connector, environment)
        self.config = named.config
        self.clock = WallClock()
        self._values = named.values
        self._transport = transport

    def transport(self) -> httpx.AsyncBaseTransport:
        """The network."""
        return self._transport or httpx.AsyncHTTPTransport()

    def credentials(self) -> Mapping[str, str]:
        """Those of the environment."""
        return self._values
