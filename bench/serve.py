"""One of the servers that are measured, in a process of its own: `python -m bench.serve ours|hand|levels ...`."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID

from bench import hand, levels
from cli import serving
from domain.core.database import Database
from domain.core.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONNECTIONS = 8


def main() -> None:
    """Serve until killed, as `tenure serve` does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("side", choices=("ours", "hand", "levels"))
    parser.add_argument("--database", required=True)
    parser.add_argument("--tenant", required=True, type=UUID)
    parser.add_argument("--port", required=True, type=int)
    options = parser.parse_args()
    app = {
        "ours": partial(_ours, options.database),
        "hand": partial(_bare, hand.Server(options.database, options.tenant, CONNECTIONS)),
        "levels": partial(_bare, levels.Server(options.database, options.tenant, CONNECTIONS)),
    }[options.side]()
    serving.run(_serve(app, options.port))


async def _serve(app: Any, port: int) -> None:
    with serving.bound("127.0.0.1", port) as listening:
        async with app as opened:
            server = serving.Server(opened, lambda: None)
            await serving.answer(server, listening, asyncio.Event())


@asynccontextmanager
async def _ours(database: str) -> AsyncIterator[Any]:
    """The product, with a budget that the load does not use up."""
    from api.app import create_app

    async with Database(database, readers=CONNECTIONS) as opened:
        yield create_app(Settings(database_url=database, budget_per_minute=10**12), opened)


@asynccontextmanager
async def _bare(server: hand.Server) -> AsyncIterator[Any]:
    await server.open()
    yield server


if __name__ == "__main__":
    main()
