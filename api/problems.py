"""The errors a request can get, by the codes that clients switch on."""

from typing import Any, ClassVar


class RequestRefused(Exception):
    """A top-level error of an answer; `extensions` are added to its code."""

    code: ClassVar[str] = "INTERNAL_SERVER_ERROR"
    status: ClassVar[int] = 200

    def __init__(self, message: str, *, path: list[str | int] | None = None, **extensions: Any) -> None:
        super().__init__(message)
        self.message = message
        self.path = path
        self.extensions = extensions

    def formatted(self) -> dict[str, Any]:
        """The error as it stands in an answer."""
        error: dict[str, Any] = {"message": self.message, "extensions": {"code": self.code, **self.extensions}}
        if self.path:
            error["path"] = self.path
        return error


class BadUserInput(RequestRefused):
    """An argument that cannot be accepted."""

    code = "BAD_USER_INPUT"


class Forbidden(RequestRefused):
    """A field that the token's scopes do not reach."""

    code = "FORBIDDEN"


class Unauthenticated(RequestRefused):
    """No token, or one that is not accepted."""

    code = "UNAUTHENTICATED"
    status = 401


class CostExceeded(RequestRefused):
    """An operation that asks for more than one request may."""

    code = "MAX_COST_EXCEEDED"


class Throttled(RequestRefused):
    """A token that has spent its budget."""

    code = "THROTTLED"
    status = 429


class ParseFailed(RequestRefused):
    """A document that is no GraphQL."""

    code = "GRAPHQL_PARSE_FAILED"
    status = 400


class ValidationFailed(RequestRefused):
    """A document that does not fit the schema."""

    code = "GRAPHQL_VALIDATION_FAILED"
    status = 400

    def __init__(self, faults: list[dict[str, Any]]) -> None:
        super().__init__(str(faults[0]["message"]))
        self.faults = faults
