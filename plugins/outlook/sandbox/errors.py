"""What Graph answers when it refuses: one exception for every refusal, carrying the vendor's code and words."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Refusal(Exception):
    """A request that Graph answers with an error object."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] = NO_HEADERS) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.headers = status, code, message, headers


def bad_request(message: str, code: str = "BadRequest") -> Refusal:
    """A request whose form or value the service does not allow."""
    return Refusal(400, code, message)


def unknown_segment(segment: str) -> Refusal:
    """A path that leads nowhere."""
    return bad_request(f"Resource not found for the segment '{segment}'.")


def not_found() -> Refusal:
    """An item or folder that is not, or is no longer, in the mailbox."""
    return Refusal(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def malformed_id() -> Refusal:
    """Something that never was an id."""
    return bad_request("Id is malformed.", "ErrorInvalidIdMalformed")


def access_denied(message: str = "Access is denied. Check credentials and try again.") -> Refusal:
    """A token whose scopes or mailboxes do not reach this far."""
    return Refusal(403, "ErrorAccessDenied", message)


def unauthenticated(message: str) -> Refusal:
    """No token, an unknown one, or one whose time is over."""
    challenge = 'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    return Refusal(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})


def stale() -> Refusal:
    """A write whose `If-Match` names an older version."""
    message = (
        "The send or update operation could not be performed because the change key passed in the request "
        "does not match the current change key for the item."
    )
    return Refusal(412, "ErrorIrresolvableConflict", message)


def throttled(seconds: float, message: str = "Application is over its MailboxConcurrency limit.") -> Refusal:
    """Too much at once; `Retry-After` may have a fraction, as the vendor's own sample has."""
    return Refusal(429, "ApplicationThrottled", message, {"Retry-After": f"{seconds:.3f}".rstrip("0").rstrip(".")})


def sync_state_lost(fresh: str) -> Refusal:
    """A delta token whose state was evicted; `Location` is where to start anew."""
    message = "The sync state generation is not found; a full synchronization is needed."
    return Refusal(410, "SyncStateNotFound", message, {"Location": fresh})
