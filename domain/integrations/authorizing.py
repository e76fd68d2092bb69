"""Why an authorization at a vendor is not begun, not finished, or refused."""

from __future__ import annotations

from domain.core.problems import Conflict, Invalid, NotAllowed


class ConnectorNotReady(Conflict):
    """Something is missing before this connector can be used; the message says what."""


class NothingToAuthorize(Conflict):
    """Nobody has to authorise this connector at the vendor. Set its secrets and test it."""


class UnknownState(Invalid):
    """This is no answer to an authorization that is under way here. Begin it again."""


class AuthorizationMissing(Conflict):
    """No authorization is under way. Begin one."""


class AuthorizationExpired(Conflict):
    """The authorization was not finished in time. Begin it again."""


class AuthorizationPending(Conflict):
    """Nobody has authorised at the vendor yet. Open the address that was given, or begin again."""


class AuthorizationFailed(Conflict):
    """The vendor did not grant the authorization. Begin it again."""


class AuthorizationOfAnother(NotAllowed):
    """Somebody else began this authorization. Only who began it can finish it; begin one of your own."""
