"""Whether this process lives, and whether it should be given requests."""

from collections.abc import Awaitable, Callable

import asyncpg
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from domain.core.database import Database
from migrations.run import revisions

Endpoint = Callable[[Request], Awaitable[JSONResponse]]


def routes(database: Database, is_draining: Callable[[], bool]) -> list[Route]:
    """`/livez` and `/readyz`, open to everybody: they tell nothing but a state."""

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> JSONResponse:
        reason = "draining" if is_draining() else await _fault(database)
        if reason is None:
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "not ready", "reason": reason}, status_code=503)

    return [Route("/livez", live), Route("/readyz", ready)]


async def _fault(database: Database) -> str | None:
    """Why the database cannot serve: it does not answer, or it has another shape than this version knows."""
    try:
        async with database.directory() as connection:
            found = await connection.scalar(text("SELECT version_num FROM alembic_version"))
    except (SQLAlchemyError, asyncpg.PostgresError, OSError):
        return "the database does not answer"
    return None if found == revisions()[0] else "the database has another version"
