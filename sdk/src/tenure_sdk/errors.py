"""What can go wrong at the remote side, grouped by what has to be done next."""

from __future__ import annotations


class ConnectorError(Exception):
    """The connector cannot go on."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class Transient(ConnectorError):
    """The remote side failed for the moment; try again a little later.

    `unknown_outcome` says that a change may have been made all the same: its reply was lost.
    """

    def __init__(
        self, message: str | None = None, *, retry_after: float | None = None, unknown_outcome: bool = False
    ) -> None:
        super().__init__(message or "The remote side failed for the moment; try again a little later.")
        self.retry_after = retry_after
        self.unknown_outcome = unknown_outcome


class RemoteDown(Transient):
    """The remote side has not answered for a while; it is left alone until it does."""


class RateLimited(ConnectorError):
    """The remote side asks to slow down; try again after `retry_after` seconds."""

    def __init__(self, retry_after: float, message: str | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AuthExpired(ConnectorError):
    """The access token has expired; refresh it and try again."""


class AuthRevoked(ConnectorError):
    """The remote side no longer accepts the credentials; somebody has to authorise anew."""


class PermissionDenied(ConnectorError):
    """The credentials do not allow this. `scope` names what is missing, where the remote side says so."""

    def __init__(self, message: str | None = None, *, scope: str | None = None) -> None:
        super().__init__(message or "The credentials do not allow this.")
        self.scope = scope


class RecordRejected(ConnectorError):
    """One record cannot be taken; set it aside and go on with the others."""

    def __init__(self, record_id: str | None, reason: str, *, field: str | None = None) -> None:
        super().__init__(reason)
        self.record_id = record_id
        self.field = field


class Conflict(ConnectorError):
    """The record was changed at the remote side; read it again and merge."""


class NotFound(ConnectorError):
    """The remote side has no such thing."""


class Unsupported(ConnectorError):
    """The remote side, or this connector, cannot do this."""


class CursorExpired(ConnectorError):
    """The cursor is no longer good; read the stream again from the start."""


class ConfigInvalid(ConnectorError):
    """The settings cannot work as they are; somebody has to change them. `key` names the setting."""

    def __init__(self, message: str, *, key: str | None = None) -> None:
        super().__init__(message)
        self.key = key


class ContractViolation(ConnectorError):
    """The connector or its remote side broke the contract; its author has to mend it."""
