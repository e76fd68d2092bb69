"""Who may do what: the tokens that login.microsoftonline.com issues, their ends, and what they reach."""

from __future__ import annotations

import random
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any

from plugins.outlook.sandbox.errors import unauthenticated

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

SHORTEST, LONGEST = 3600, 5400
"""Seconds that an access token is good for: drawn between these for each."""
REFRESHABLE = timedelta(days=90)
CODE_LIVES = timedelta(minutes=10)
SCOPES = "offline_access User.Read Mail.ReadWrite Mail.Send Calendars.ReadWrite Contacts.ReadWrite"
GRANTABLE = frozenset(
    {
        *SCOPES.split(),
        "openid",
        "profile",
        "email",
        "Mail.Read",
        "Calendars.Read",
        "Contacts.Read",
        "MailboxSettings.Read",
    }
)
PREFIX = "https://graph.microsoft.com/"


@dataclass
class Grant:
    """What an access token allows: one person's mailbox, or as an app those that an administrator listed."""

    address: str | None
    scopes: frozenset[str]
    expires: datetime
    calls: int = 0
    ended: bool = False


@dataclass
class Code:
    """An authorisation that waits to be exchanged, once."""

    address: str
    scopes: frozenset[str]
    redirect_uri: str
    challenge: str | None
    expires: datetime
    used: bool = False


@dataclass
class Refresh:
    """A refresh token: replaced at each use, the old one stays good."""

    address: str
    scopes: frozenset[str]
    expires: datetime
    revoked: bool = False


class Failure(Exception):
    """What the token endpoint refuses, with its AADSTS number."""

    def __init__(self, error: str, number: int, text: str, status: int = 400) -> None:
        super().__init__(f"{error}: AADSTS{number}: {text}")
        self.error, self.number, self.text, self.status = error, number, text, status


@dataclass
class Issuer:
    """The tokens given out so far."""

    now: Callable[[], datetime]
    seed: int
    codes: dict[str, Code] = field(default_factory=dict)
    refreshes: dict[str, Refresh] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    needs_mfa: set[str] = field(default_factory=set)
    count: int = 0

    def code(self, address: str, scopes: frozenset[str], redirect_uri: str, challenge: str | None) -> str:
        """A code for a person who agreed."""
        text = self._secret("0.AX")
        self.codes[text] = Code(address, scopes, redirect_uri, challenge, self.now() + CODE_LIVES)
        return text

    def exchange(self, code: str, redirect_uri: str, verifier: str | None) -> dict[str, Any]:
        """Tokens for a code."""
        found = self.codes.get(code)
        if found is None or found.expires <= self.now():
            raise Failure(
                "invalid_grant",
                70008,
                "The provided authorization code or refresh token has expired due to inactivity.",
            )
        if found.used:
            raise Failure(
                "invalid_grant",
                54005,
                "OAuth2 Authorization code was already redeemed, please retry with a new valid code.",
            )
        if found.redirect_uri != redirect_uri:
            raise Failure(
                "invalid_client",
                50011,
                "The redirect URI specified in the request does not match the one of the authorization.",
            )
        if found.challenge is not None and found.challenge != _challenge(verifier or ""):
            raise Failure(
                "invalid_grant",
                501481,
                "The Code_Verifier does not match the code_challenge supplied in the authorization request.",
            )
        found.used = True
        return self.issue(found.address, found.scopes)

    def refresh(self, token: str, scopes: frozenset[str] | None) -> dict[str, Any]:
        """New tokens for a refresh token."""
        found = self.refreshes.get(token)
        if found is None:
            raise Failure("invalid_grant", 9002313, "Invalid request. Request is malformed or invalid.")
        if found.revoked:
            raise Failure(
                "invalid_grant",
                50173,
                "The provided grant has expired due to it being revoked, a fresh auth token is needed.",
            )
        if found.expires <= self.now():
            raise Failure("invalid_grant", 700082, "The refresh token has expired due to inactivity.")
        if found.address in self.needs_mfa:
            raise Failure(
                "interaction_required",
                50076,
                "Due to a configuration change made by your administrator, or because you moved to a new location, "
                "you must use multi-factor authentication to access the resource.",
            )
        if scopes is not None and not scopes <= found.scopes:
            raise Failure(
                "invalid_grant",
                65001,
                "The user or administrator has not consented to use the application with these scopes.",
            )
        return self.issue(found.address, found.scopes)

    def issue(self, address: str, scopes: frozenset[str]) -> dict[str, Any]:
        """A token set for a person."""
        answer = self._access(Grant(address, scopes, self.now()))
        answer["scope"] = " ".join(sorted(PREFIX + each for each in scopes - {"offline_access"}))
        if "offline_access" in scopes:
            answer["refresh_token"] = self._secret("0.AR")
            self.know(answer["refresh_token"], address, scopes)
        return answer

    def know(self, refresh_token: str, address: str, scopes: frozenset[str]) -> None:
        """Have a refresh token be good that was given out before."""
        self.refreshes[refresh_token] = Refresh(address, scopes, self.now() + REFRESHABLE)

    def issue_to_app(self, scopes: frozenset[str]) -> dict[str, Any]:
        """An access token for the app itself; there is no refresh token."""
        return self._access(Grant(None, scopes, self.now()))

    def grant(self, authorization: str, most_calls: int | None) -> Grant:
        """What the bearer of a token may do; `most_calls` ends each token early."""
        scheme, _, token = authorization.partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise unauthenticated("Access token is empty.")
        found = self.grants.get(token.strip())
        if found is None:
            raise unauthenticated("CompactToken validation failed with reason code: 80049217.")
        found.calls += 1
        if found.ended or found.expires <= self.now() or (most_calls is not None and found.calls > most_calls):
            found.ended = True
            raise unauthenticated("Lifetime validation failed, the token is expired.")
        return found

    def revoke(self, address: str) -> None:
        """The person's password was changed, or an administrator ended all sessions."""
        for refresh in self.refreshes.values():
            refresh.revoked = refresh.revoked or refresh.address == address
        self.expire(address)

    def expire(self, address: str | None = None) -> None:
        """End the access tokens of a person, or all; refresh tokens stay good."""
        for grant in self.grants.values():
            grant.ended = grant.ended or address is None or grant.address == address

    def _access(self, grant: Grant) -> dict[str, Any]:
        lasts = random.Random(f"{self.seed}/{self.count}").randrange(SHORTEST, LONGEST)  # noqa: S311  made-up lifetimes
        token = self._secret("eyJ0eXAi")
        grant.expires = self.now() + timedelta(seconds=lasts)
        self.grants[token] = grant
        return {"token_type": "Bearer", "expires_in": lasts, "ext_expires_in": lasts, "access_token": token}

    def _secret(self, prefix: str) -> str:
        self.count += 1
        made = blake2b(f"{self.seed}/{prefix}/{self.count}".encode(), digest_size=32).digest()
        secret = f"{prefix}.{urlsafe_b64encode(made).decode().rstrip('=')}"
        return self._secret(prefix) if secret in self.refreshes else secret


def _challenge(verifier: str) -> str:
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
