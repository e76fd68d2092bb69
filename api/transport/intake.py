"""What every transport does with a request before it runs, and with one that fails."""

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import structlog

from api.engine import Ask, Engine, Prepared
from api.problems import Malformed
from api.transport.bodies import Request
from domain.tenants.queries import Identity

log = structlog.get_logger()


@dataclass(frozen=True)
class Caller:
    """Who asks, and what the transport knows of the asking."""

    identity: Identity
    language: str
    request_id: str
    idempotency_key: str | None = None


class Intake:
    """Makes operations ready to run: every refusal that needs no run comes from here."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    async def prepare(self, request: Request, caller: Caller) -> Prepared:
        """The operation that a request asks for. Raises RequestRefused."""
        if request.query is None:
            raise Malformed("The request has no query.")
        return self.engine.prepare(
            Ask(
                request.query, caller.identity, caller.language, request.operation_name, request.variables,
                caller.request_id, caller.idempotency_key,
            )
        )  # fmt: skip


def masked(failed: Exception, request_id: str) -> dict[str, Any]:
    """The answer to a request that failed unexpectedly: nothing but a number, under which the log tells more.

    The log names the error and the places in our code; messages are left out, since they may quote personal values.
    """
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(failed.__traceback__)]
    error = f"{type(failed).__module__}.{type(failed).__qualname__}"
    log.error("request.failed", request_id=request_id, error=error, places=places[-12:])
    message = f"Something went wrong; quote the request id {request_id}."
    return {"errors": [{"message": message, "extensions": {"code": "INTERNAL_SERVER_ERROR", "requestId": request_id}}]}


def wants_cost(headers: Mapping[bytes, bytes], request: Request) -> bool:
    """Whether an answer should say what it cost."""
    return headers.get(b"x-cost") == b"1" or request.extensions.get("cost") is True
