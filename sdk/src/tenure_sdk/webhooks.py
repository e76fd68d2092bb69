"""How a remote side's calls are believed: who may have sent them, and what they say has changed."""

from __future__ import annotations

import binascii
import hashlib
import hmac
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, Protocol

import msgspec
from msgspec import Struct

from tenure_sdk.pages import Merge

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_SIGNALS = 10_000


class Delivery(Struct, frozen=True):
    """One call of the remote side, as it came."""

    body: bytes
    headers: dict[str, str]
    """By lower-case names."""
    query: dict[str, str] = {}
    url: str = ""
    """The whole address that was called, as the remote side knows it."""
    received_at: datetime = datetime.min.replace(tzinfo=UTC)

    def json(self) -> Any:
        """The body as JSON. Raises ValueError where it is none."""
        return msgspec.json.decode(self.body)


class Signal(Struct, frozen=True):
    """Something changed at the remote side: records to be fetched, records that are gone, or a stream to be read."""

    stream: str
    """The name of the stream; with neither ids nor deletes it is read as a whole, from its cursor."""
    ids: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    account: str | None = None
    """Which remote account it is about, where one address serves several."""
    event: str | None = None
    """The remote side's own id of the event, by which a repeated one is known."""
    merges: tuple[Merge, ...] = ()
    """Records that the remote side merged; those that are gone stand in `deleted`, too."""
    renew: bool = False
    """The promise to call is about to end, or has ended: what `@subscribe` declares is asked at once."""


class Reply(Struct, frozen=True):
    """What is answered at once."""

    body: str
    status: int = 200
    content_type: str = "text/plain; charset=utf-8"
    headers: dict[str, str] = {}


class Verifier(Protocol):
    """Decides whether a call is genuine; compares in constant time, and accepts any of several secrets."""

    def holds(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether one of the secrets vouches for the delivery."""
        ...


class Challenge(Protocol):
    """Answers the question by which a remote side makes sure that an address is ours."""

    def reply(self, delivery: Delivery) -> Reply | None:
        """The answer; None when nothing was asked."""
        ...


class HmacSignature(Struct, frozen=True, kw_only=True):
    """An HMAC of the raw body in a header."""

    header: str
    algorithm: Literal["sha256", "sha1", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = ""
    """What stands before the signature: `sha256=`."""
    timestamp_header: str | None = None
    """A header with seconds since 1970 that is signed before the body, with a dot between them."""
    tolerance: float = 300.0
    """How many seconds such a timestamp may be off."""

    def holds(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether the header has the signature of the raw body by one of the secrets."""
        given = delivery.headers.get(self.header.lower(), "")
        if not given.startswith(self.prefix):
            return False
        signed = delivery.body
        if self.timestamp_header is not None:
            at = delivery.headers.get(self.timestamp_header.lower(), "")
            if not _is_recent(at, delivery.received_at, self.tolerance):
                return False
            signed = at.encode() + b"." + signed
        wanted = [self.signature(signed, secret) for secret in secrets if secret]
        return _is_one_of(given.removeprefix(self.prefix), wanted)

    def signature(self, signed: bytes, secret: str) -> str:
        """The signature of what is signed, as the header has it after its prefix."""
        digest = hmac.new(secret.encode(), signed, getattr(hashlib, self.algorithm)).digest()
        return digest.hex() if self.encoding == "hex" else b64encode(digest).decode("ascii")


class StandardWebhooks(Struct, frozen=True):
    """The signature of the Standard Webhooks specification: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""

    tolerance: float = 300.0

    def holds(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether one of the signatures is by one of the secrets, and the timestamp is recent."""
        name, at = delivery.headers.get("webhook-id", ""), delivery.headers.get("webhook-timestamp", "")
        if not name or not _is_recent(at, delivery.received_at, self.tolerance):
            return False
        wanted = [standard_signature(secret, name, at, delivery.body) for secret in secrets if secret]
        given = delivery.headers.get("webhook-signature", "").split()
        return any(_is_one_of(signature, wanted) for signature in given)


class StaticToken(Struct, frozen=True):
    """A secret that the remote side sends in a header."""

    header: str

    def holds(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether the header has one of the secrets."""
        return _is_one_of(delivery.headers.get(self.header.lower(), ""), secrets)


class BodySecret(Struct, frozen=True):
    """A secret that stands in every entry of a JSON body: Microsoft Graph's `clientState`."""

    entries: str = "value"
    field: str = "clientState"

    def holds(self, delivery: Delivery, secrets: Sequence[str]) -> bool:
        """Whether every entry has one of the secrets, and there is one."""
        try:
            entries = delivery.json()[self.entries]
            found = [str(entry[self.field]) for entry in entries]
        except (ValueError, LookupError, TypeError):
            return False
        return bool(found) and all(_is_one_of(secret, secrets) for secret in found)


class EchoQuery(Struct, frozen=True):
    """A question in the query that is answered with itself: Microsoft Graph's `validationToken`."""

    name: str

    def reply(self, delivery: Delivery) -> Reply | None:
        """The value of the parameter as plain text; None without it."""
        value = delivery.query.get(self.name)
        return None if value is None else Reply(value)


def standard_signature(secret: str, name: str, at: str, body: bytes) -> str:
    """The signature of a message by Standard Webhooks; the secret is base64, with or without `whsec_` before it."""
    try:
        key = b64decode(secret.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = secret.encode()
    digest = hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{b64encode(digest).decode('ascii')}"


def _is_recent(at: str, now: datetime, tolerance: float) -> bool:
    try:
        moment = datetime.fromtimestamp(int(at), UTC)
    except (ValueError, OverflowError, OSError):
        return False
    return abs(now - moment) <= timedelta(seconds=tolerance)


def _is_one_of(given: str, wanted: Sequence[str]) -> bool:
    return bool(given) and any(hmac.compare_digest(given.encode(), each.encode()) for each in wanted)
