"""What tenants decide: scopes, roles, and what a token looks like."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from hmac import compare_digest
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.core.money import minor_units
from domain.core.problems import Invalid, NotAllowed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime


class Scope(StrEnum):
    """What a token may do."""

    CUSTOMERS_READ = "customers:read"
    CUSTOMERS_WRITE = "customers:write"
    PII_READ = "pii:read"
    INTERACTIONS_CONTENT = "interactions:content"
    PURCHASES_READ = "purchases:read"
    PURCHASES_WRITE = "purchases:write"
    METRICS_READ = "metrics:read"
    INTEGRATIONS_ADMIN = "integrations:admin"
    TOKENS_ADMIN = "tokens:admin"
    PRIVACY_ADMIN = "privacy:admin"


_VIEWER = {Scope.CUSTOMERS_READ, Scope.PURCHASES_READ, Scope.METRICS_READ}
_AGENT = _VIEWER | {Scope.CUSTOMERS_WRITE, Scope.PURCHASES_WRITE, Scope.PII_READ, Scope.INTERACTIONS_CONTENT}

SCOPES_OF_ROLE: dict[str, frozenset[Scope]] = {
    "VIEWER": frozenset(_VIEWER),
    "AGENT": frozenset(_AGENT),
    "ANALYST": frozenset(_VIEWER),
    "ADMIN": frozenset(Scope),
}
"""The most that a token of a principal in each role can be given."""

LANGUAGES = ("en", "fa")
"""The languages that labels and messages come in."""


class TokenRefused(NotAllowed):
    """The token is unknown, revoked or expired. Ask an administrator for a new one."""


class ScopeMissing(NotAllowed):
    """The token lacks a scope that this needs."""


class UnknownScope(Invalid):
    """There is no such scope, or the principal's role does not allow it."""


class UnknownTimeZone(Invalid):
    """This is no IANA time zone. Use a name such as Europe/London."""


class BadSlug(Invalid):
    """A tenant's short name has 2 to 40 lower-case letters, digits and hyphens, and begins with a letter."""


@dataclass(frozen=True)
class TokenParts:
    """A bearer token taken apart: a public prefix that finds it, and the secret that proves it."""

    prefix: str
    secret: str

    def __str__(self) -> str:
        return f"tnr_{self.prefix}_{self.secret}"

    @property
    def hash(self) -> bytes:
        """What is stored of the secret. It has 190 bits of chance, so one round of SHA-256 is enough."""
        return hashlib.sha256(self.secret.encode()).digest()


_TOKEN = re.compile(r"tnr_([0-9a-f]{12})_([0-9A-Za-z_-]{32})")
_SLUG = re.compile(r"[a-z][a-z0-9-]{1,39}")


def new_token() -> TokenParts:
    """A token that nobody can guess."""
    return TokenParts(secrets.token_hex(6), secrets.token_urlsafe(24))


def parse_token(text: str) -> TokenParts:
    """A token taken apart. Raises TokenRefused for anything that is none."""
    found = _TOKEN.fullmatch(text)
    if found is None:
        raise TokenRefused
    return TokenParts(*found.groups())


def accept_token(
    parts: TokenParts, secret_hash: bytes, *, expires_at: datetime | None, revoked_at: datetime | None, now: datetime
) -> None:
    """Let a token pass or raise TokenRefused."""
    if not compare_digest(parts.hash, secret_hash):
        raise TokenRefused
    if revoked_at is not None or (expires_at is not None and expires_at <= now):
        raise TokenRefused


def check_scopes(wanted: Iterable[str], role: str) -> tuple[Scope, ...]:
    """The scopes by name, if the role allows all of them. Raises UnknownScope for the first that it does not."""
    allowed = SCOPES_OF_ROLE[role]
    for name in wanted:
        if name not in allowed:
            raise UnknownScope(path=("scopes",), scope=name, role=role)
    return tuple(Scope(name) for name in wanted)


def check_tenant(slug: str, time_zone: str, base_currency: str) -> None:
    """Raise for a slug, time zone or currency that is none."""
    if not _SLUG.fullmatch(slug):
        raise BadSlug(slug=slug)
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise UnknownTimeZone(path=("time_zone",), time_zone=time_zone) from unknown
    minor_units(base_currency)
