"""The errors a request can get, by the codes that clients switch on."""

import traceback
from typing import Any, ClassVar

import structlog

log = structlog.get_logger()

LONGEST_MESSAGE = 300


class RequestRefused(Exception):
    """A top-level error of an answer; `extensions` are added to its code.

    `status` is the HTTP status where the whole request is refused. To those who accept `application/json` only, a
    request that GraphQL itself refuses (`well_formed`) is answered with 200, as GraphQL over HTTP asks.
    """

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 400
    well_formed: ClassVar[bool] = True

    def __init__(self, message: str, *, path: list[str | int] | None = None, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.extensions = extensions

    def formatted(self) -> dict[str, Any]:
        """The error as it stands in an answer."""
        error: dict[str, Any] = {"message": cut(self.message), "extensions": {"code": self.code, **self.extensions}}
        if self.path:
            error["path"] = self.path
        return error

    def errors(self) -> list[dict[str, Any]]:
        """All the errors of an answer that holds nothing else."""
        return [self.formatted()]


class BadUserInput(RequestRefused):
    """An argument that cannot be accepted."""

    code = "BAD_USER_INPUT"


class Malformed(BadUserInput):
    """A request that is no GraphQL request at all."""

    well_formed = False


class Forbidden(RequestRefused):
    """A field that the token's scopes do not reach."""

    code = "FORBIDDEN"
    status = 403


class Unauthenticated(RequestRefused):
    """No token, or one that is not accepted."""

    code = "UNAUTHENTICATED"
    status = 401
    well_formed = False


class CostExceeded(RequestRefused):
    """An operation that asks for more than one request may."""

    code = "MAX_COST_EXCEEDED"


class Throttled(RequestRefused):
    """A token that has spent its budget."""

    code = "THROTTLED"
    status = 429
    well_formed = False

    def __init__(self, message: str, *, retry_after: int) -> None:
        super().__init__(message, retryAfter=retry_after)
        self.retry_after = retry_after


class ParseFailed(RequestRefused):
    """A document that is no GraphQL."""

    code = "GRAPHQL_PARSE_FAILED"


class ValidationFailed(RequestRefused):
    """A document that does not fit the schema."""

    code = "GRAPHQL_VALIDATION_FAILED"

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__(str(faults[0]["message"]))
        self.faults = faults

    def errors(self) -> list[dict[str, Any]]:
        """One error for each fault."""
        extensions = {"code": self.code}
        return [{**fault, "message": cut(fault["message"]), "extensions": extensions} for fault in self.faults]


def unexpected(failed: Exception, request_id: str | None) -> RequestRefused:
    """What is told of a failure that nobody foresaw: nothing but a number, under which the log tells more.

    The log names the error and the places in our code; messages are left out, since they may quote personal values.
    """
    places = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(failed.__traceback__)]
    error = f"{type(failed).__module__}.{type(failed).__qualname__}"
    log.error("request.failed", request_id=request_id, error=error, places=places[-12:])
    return RequestRefused(f"Something went wrong; quote the request id {request_id}.", requestId=request_id)


def cut(message: str) -> str:
    """A message of a sane length, whatever a client wrote into it."""
    return message if len(message) <= LONGEST_MESSAGE else f"{message[: LONGEST_MESSAGE - 1]}…"
