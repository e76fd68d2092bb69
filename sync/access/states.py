"""The `state` that travels through a browser: signed, so that nobody can finish the authorization of another."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from hashlib import sha256
from typing import NamedTuple
from uuid import UUID

from domain.integrations.authorizing import UnknownState

PURPOSE = "state of an authorization"
_NONCE = 16
_MAC = 32


class State(NamedTuple):
    """What an authorization is bound to."""

    tenant_id: UUID
    authorization_id: UUID
    integration_id: UUID
    principal_id: UUID


def signed(state: State, key: bytes) -> str:
    """A state as it travels; no two are alike."""
    body = b"".join(each.bytes for each in state) + secrets.token_bytes(_NONCE)
    return urlsafe_b64encode(body + _mac(body, key)).decode("ascii").rstrip("=")


def read(text: str, key: bytes) -> State:
    """A state that was signed here. Raises UnknownState for any other text."""
    try:
        whole = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (Error, ValueError):
        raise UnknownState from None
    body, mac = whole[:-_MAC], whole[-_MAC:]
    size = 16 * len(State._fields)
    if len(body) != size + _NONCE or not hmac.compare_digest(_mac(body, key), mac):
        raise UnknownState
    return State(*(UUID(bytes=body[at : at + 16]) for at in range(0, size, 16)))


def digest(text: str) -> bytes:
    """What is kept of a state, to know it when it comes back."""
    return sha256(text.encode()).digest()


def _mac(body: bytes, key: bytes) -> bytes:
    return hmac.digest(key, body, "sha256")
