"""Tokens: what the vendor's OAuth gives out, renews, and takes back.

An access token lives an hour. A refresh token lives 100 days from its last use and at most five years; its value
changes when it is used more than 24 hours after it was given out, and the previous value dies 24 hours after that.
"""

from __future__ import annotations

import hashlib
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from random import Random

ACCESS_LIFE = timedelta(hours=1)
REFRESH_LIFE = timedelta(days=100)
HARD_LIFE = timedelta(days=5 * 365)
CODE_LIFE = timedelta(minutes=10)
DAY = timedelta(hours=24)


class Denied(Exception):
    """A refusal of the token endpoint, by its OAuth error."""

    def __init__(self, error: str, status: int = 400) -> None:
        super().__init__(error)
        self.error = error
        self.status = status


@dataclass
class Connection:
    """What one person once allowed the app for one company."""

    realm: str
    scope: str
    authorised_at: datetime
    refresh_token: str
    rotated_at: datetime
    used_at: datetime
    previous: dict[str, datetime] = field(default_factory=dict)
    """Earlier values of the refresh token, and when they die."""
    revoked: bool = False


@dataclass
class Access:
    """An access token."""

    connection: Connection
    expires_at: datetime
    calls: int = 0


@dataclass(frozen=True)
class Code:
    """An authorization code, good for one exchange."""

    realm: str
    scope: str
    redirect_uri: str
    expires_at: datetime
    challenge: str | None


class Authorizations:
    """All codes and tokens that were given out."""

    def __init__(self, now: Callable[[], datetime], random: Random) -> None:
        self.rotate_on_every_call = False
        self.grace = DAY
        """How long the previous refresh token lives after a rotation."""
        self.refreshes = 0
        """How often the token endpoint renewed a token."""
        self._now = now
        self._random = random
        self._codes: dict[str, Code] = {}
        self._accesses: dict[str, Access] = {}
        self._by_refresh_token: dict[str, Connection] = {}

    def allow(self, realm: str, scope: str, redirect_uri: str, challenge: str | None) -> str:
        """A person agrees: the code that the redirect carries."""
        code = self._secret("AB")
        self._codes[code] = Code(realm, scope, redirect_uri, self._now() + CODE_LIFE, challenge)
        return code

    def exchange(self, code: str, redirect_uri: str, verifier: str | None) -> Connection:
        """The connection that a code opens, once."""
        found = self._codes.pop(code, None)
        if not found or found.expires_at <= self._now() or found.redirect_uri != redirect_uri:
            raise Denied("invalid_grant")
        if found.challenge is not None and found.challenge != _challenge(verifier or ""):
            raise Denied("invalid_grant")
        return self.connect(found.realm, found.scope)

    def connect(self, realm: str, scope: str, refresh_token: str | None = None) -> Connection:
        """A new connection; one with a refresh token was given out before, as after a restart."""
        now = self._now()
        connection = Connection(realm, scope, now, refresh_token or self._secret("RT"), now, now)
        self._by_refresh_token[connection.refresh_token] = connection
        return connection

    def of(self, refresh_token: str) -> Connection | None:
        """The connection that a refresh token was given out for."""
        return self._by_refresh_token.get(refresh_token)

    def refresh(self, token: str) -> Connection:
        """The connection of a refresh token, whose value may have changed with this use."""
        now = self._now()
        connection = self._by_refresh_token.get(token)
        if not connection or not self._is_alive(connection, token, now):
            raise Denied("invalid_grant")
        self.refreshes += 1
        connection.used_at = now
        if self.rotate_on_every_call or now - connection.rotated_at >= DAY:
            connection.previous[connection.refresh_token] = now + self.grace
            connection.refresh_token = self._secret("RT")
            connection.rotated_at = now
            self._by_refresh_token[connection.refresh_token] = connection
        return connection

    def answer(self, connection: Connection, *, with_hard_expiry: bool = False) -> dict[str, Any]:
        """The token endpoint's answer, with a new access token."""
        now = self._now()
        access = self._secret("eyJ")
        self._accesses[access] = Access(connection, now + ACCESS_LIFE)
        hard = int((connection.authorised_at + HARD_LIFE - now).total_seconds())
        answer = {
            "token_type": "bearer",
            "expires_in": int(ACCESS_LIFE.total_seconds()),
            "access_token": access,
            "refresh_token": connection.refresh_token,
            "x_refresh_token_expires_in": min(int(REFRESH_LIFE.total_seconds()), hard),
        }
        return answer | ({"x_refresh_token_hard_expires_in": hard} if with_hard_expiry else {})

    def access(self, token: str, calls: int | None = None) -> Connection | None:
        """The connection that an access token speaks for; None when it does not, or not after so many calls."""
        found = self._accesses.get(token)
        if not found or found.connection.revoked or found.expires_at <= self._now():
            return None
        if calls is not None and found.calls >= calls:
            return None
        found.calls += 1
        return found.connection

    def revoke(self, token: str) -> bool:
        """End the connection that a token of either kind belongs to; whether there was one."""
        access = self._accesses.get(token)
        connection = access.connection if access else self._by_refresh_token.get(token)
        if not connection or connection.revoked:
            return False
        connection.revoked = True
        return True

    def expire_access(self) -> None:
        """All access tokens are dead; refresh tokens are not."""
        self._accesses.clear()

    @staticmethod
    def _is_alive(connection: Connection, token: str, now: datetime) -> bool:
        if connection.revoked or now >= min(connection.used_at + REFRESH_LIFE, connection.authorised_at + HARD_LIFE):
            return False
        return token == connection.refresh_token or connection.previous.get(token, now) > now

    def _secret(self, prefix: str) -> str:
        made = f"{prefix}{self._random.getrandbits(256):064x}"
        return self._secret(prefix) if made in self._by_refresh_token else made


def _challenge(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier."""
    return urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
