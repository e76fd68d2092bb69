"""Notifications: gathered, signed, sent, and sent again until they are taken."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from base64 import b64encode
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from plugins.quickbooks.sandbox import calendar

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from random import Random

    from plugins.quickbooks.sandbox.company import Change
    from plugins.quickbooks.sandbox.faults import Faults

    Post = Callable[[str, dict[str, str], bytes], Awaitable[int]]
    """Sends a body with headers to an address, and tells the status of the answer."""

Format = Literal["legacy", "cloudevents"]

RETRIES = (10, 20, 30, 300, 1200, 7200, 14_400, 21_600)
"""Seconds from one attempt to the next; the last one goes on for ever."""
PATIENCE = 3.0
"""Seconds within which a receiver must answer."""
PAST_TENSE = {"Create": "created", "Update": "updated", "Delete": "deleted", "Merge": "merged", "Void": "voided"}


@dataclass
class Delivery:
    """One notification, of changes in any number of companies, and what became of it."""

    changes: Sequence[Change]
    body: bytes
    due: int
    headers: dict[str, str] = field(default_factory=dict)
    """What it was sent with last."""
    attempts: list[tuple[int, int | None]] = field(default_factory=list)
    """When it was sent, and the status of the answer; None when there was none in time."""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver took it."""
        return bool(self.attempts) and self.attempts[-1][1] == 200


class Webhooks:
    """The app's one webhook address, and everything that is sent there."""

    def __init__(
        self, now: Callable[[], datetime], random: Random, faults: Faults, verifier_token: Callable[[], str]
    ) -> None:
        self.url = ""
        self.format: Format = "cloudevents"
        self.deliveries: list[Delivery] = []
        self._now = now
        self._random = random
        self._faults = faults
        self._verifier_token = verifier_token
        self._waiting: list[Change] = []

    def announce(self, change: Change) -> None:
        """Something happened: it goes into the next notification."""
        if self.url:
            self._waiting.append(change)

    @property
    def next_due(self) -> datetime | None:
        """When there is something to send; None when everything was taken."""
        open_ones = [delivery.due for delivery in self.deliveries if not delivery.acknowledged]
        if self._waiting:
            open_ones.append(calendar.stamp_of(self._now()))
        return datetime.fromtimestamp(min(open_ones), UTC) if open_ones else None

    async def deliver(self, post: Post) -> int:
        """Send what is due; later notifications wait until the earliest is taken. How many were taken now."""
        self._gather()
        taken = 0
        for delivery in [each for each in self.deliveries if not each.acknowledged]:
            if delivery.due > calendar.stamp_of(self._now()):
                break
            await self._attempt(delivery, post)
            if not delivery.acknowledged:
                break
            taken += 1
        return taken

    def _gather(self) -> None:
        if not self._waiting:
            return
        changes, self._waiting = self._waiting, []
        parts = [changes]
        if self._faults.webhook_reorder and len(changes) > 1:
            self._random.shuffle(changes)
            parts = [[change] for change in changes]
        for part in parts:
            body = msgspec.json.encode(self._legacy(part) if self.format == "legacy" else self._cloud_events(part))
            times = 2 if self._faults.take("webhook_duplicates") else 1
            self.deliveries += [Delivery(part, body, calendar.stamp_of(self._now())) for _ in range(times)]

    async def _attempt(self, delivery: Delivery, post: Post) -> None:
        wrong = self._faults.take("webhook_wrong_signatures")
        signed = signature("another token" if wrong else self._verifier_token(), delivery.body)
        delivery.headers = {"content-type": "application/json", "intuit-signature": signed}
        try:
            async with asyncio.timeout(PATIENCE):
                status: int | None = await post(self.url, delivery.headers, delivery.body)
        except (OSError, TimeoutError):
            status = None
        sent = calendar.stamp_of(self._now())
        delivery.attempts.append((sent, status))
        delivery.due = sent + RETRIES[min(len(delivery.attempts), len(RETRIES)) - 1]

    @staticmethod
    def _legacy(changes: Sequence[Change]) -> dict[str, Any]:
        realms = dict.fromkeys(change.realm for change in changes)
        return {
            "eventNotifications": [
                {
                    "realmId": realm,
                    "dataChangeEvent": {"entities": [_entity(each) for each in changes if each.realm == realm]},
                }
                for realm in realms
            ]
        }

    def _cloud_events(self, changes: Sequence[Change]) -> list[dict[str, Any]]:
        return [
            {
                "specversion": "1.0",
                "id": self._event_id(),
                "source": "intuit.sandbox",
                "type": f"qbo.{change.entity.lower()}.{PAST_TENSE[change.operation]}.v1",
                "datacontenttype": "application/json",
                "time": calendar.written_in_utc(change.stamp).replace("Z", ".000000000Z"),
                "intuitentityid": change.id,
                "intuitaccountid": change.realm,
                "data": {"deletedId": change.deleted_id} if change.deleted_id else {},
            }
            for change in changes
        ]

    def _event_id(self) -> str:
        digits = f"{self._random.getrandbits(128):032x}"
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def signature(verifier_token: str, body: bytes) -> str:
    """The value of `intuit-signature`: HMAC-SHA256 of the body as it was sent, in base64."""
    return b64encode(hmac.new(verifier_token.encode(), body, hashlib.sha256).digest()).decode()


def _entity(change: Change) -> dict[str, str]:
    entity = {
        "name": change.entity,
        "id": change.id,
        "operation": change.operation,
        "lastUpdated": calendar.written_in_utc(change.stamp).replace("Z", ".000Z"),
    }
    return entity | ({"deletedId": change.deleted_id} if change.deleted_id else {})
