"""Subscriptions and what they send: change notifications and lifecycle notifications, with retries.

Notifications wait in an outbox until `OutlookSandbox.deliver` sends them. One that is not taken with 2xx is sent again
after 10 seconds, then ever later, for four hours at most; then it is lost and `missed` tells of it. The times of the
retries are UNVERIFIED. After `reauthorizationRequired` a subscription holds its notifications back until it is
reauthorised or renewed.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import quote, urlsplit

import msgspec

from plugins.outlook.sandbox import ids, inputs
from plugins.outlook.sandbox.calls import GRAPH, Answer
from plugins.outlook.sandbox.errors import Refusal, access_denied, bad_request
from plugins.outlook.sandbox.paging import listing
from plugins.outlook.sandbox.times import moment, stamp

if TYPE_CHECKING:
    from plugins.outlook.sandbox.application import OutlookSandbox
    from plugins.outlook.sandbox.calls import Call
    from plugins.outlook.sandbox.mailbox import Mailbox
    from plugins.outlook.sandbox.store import ChangeType, Folder, Item

Lifecycle = Literal["reauthorizationRequired", "subscriptionRemoved", "missed"]

LONGEST, SHORTEST = timedelta(minutes=4230), timedelta(minutes=45)
"""The longest life is [MS21]'s; newer pages are said to allow 10,080 minutes (UNVERIFIED)."""
HANDSHAKE_SECONDS = 10.0
RETRIES = tuple(timedelta(seconds=each) for each in (10, 60, 300, 900, 1800, 3600, 3600, 3600))
TENANT = ids.guid("tenant")
_RESOURCE = re.compile(
    r"^/?(?P<owner>me|users/[^/]+|users\('[^']+'\))/"
    r"(?:mailfolders(?:/(?P<one>[^/]+)|\('(?P<other>[^']+)'\))/(?P<inside>messages)|(?P<all>messages|events|contacts))$",
    re.IGNORECASE,
)
_KINDS = {"messages": "message", "events": "event", "contacts": "contact"}


class Delivered(NamedTuple):
    """What a round of deliveries came to: posts that were taken, posts that were not, notifications that wait."""

    accepted: int
    refused: int
    waiting: int


@dataclass
class Subscription:
    """What an app wants to hear about."""

    id: str
    address: str
    kind: str
    folder: str | None
    changes: frozenset[str]
    expires: datetime
    immutable: bool
    shown: dict[str, Any]
    held: bool = False

    @property
    def client_state(self) -> str | None:
        """The secret that every notification carries."""
        state: str | None = self.shown["clientState"]
        return state


@dataclass
class Waiting:
    """A notification on its way."""

    subscription: Subscription
    url: str
    payload: dict[str, Any]
    due: datetime
    tries: int = 0


@dataclass
class Notifier:
    """The subscriptions of all mailboxes, and the notifications that wait."""

    sandbox: OutlookSandbox
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    count: int = 0

    def live(self) -> dict[str, Subscription]:
        """The subscriptions whose time is not over."""
        now = self.sandbox.now()
        for key in [key for key, each in self.subscriptions.items() if each.expires <= now]:
            del self.subscriptions[key]
        return self.subscriptions

    def changed(self, mailbox: Mailbox, item: Item, folder: Folder, change: ChangeType) -> None:
        """Tell who wants to know of a change."""
        for each in self.live().values():
            if (each.address, each.kind) != (mailbox.address, item.kind) or change not in each.changes:
                continue
            if each.folder in {None, folder.key}:
                self.count += 1
                told = {"id": ids.guid("notification", self.count), **_notification(each, mailbox, item, change)}
                self._wait(each, each.shown["notificationUrl"], told)

    def lifecycle(self, subscription: Subscription, event: Lifecycle) -> None:
        """Tell what happens to a subscription itself, if it asked to be told."""
        url = subscription.shown["lifecycleNotificationUrl"]
        if url:
            self._wait(subscription, url, _common(subscription) | {"lifecycleEvent": event})

    async def deliver(self, post: Any) -> Delivered:
        """Send what is due, one post for each URL."""
        now = self.sandbox.now()
        due = [
            each
            for each in self.waiting
            if each.due <= now and not (each.subscription.held and "changeType" in each.payload)
        ]
        accepted = refused = 0
        if self.sandbox.faults.reordered_notifications:
            self.sandbox.random.shuffle(due)
        for url in dict.fromkeys(each.url for each in due):
            batch = [each for each in due if each.url == url]
            if await self._taken(post, url, batch):
                accepted += 1
                sent = {id(each) for each in batch}
                self.waiting = [each for each in self.waiting if id(each) not in sent]
            else:
                refused += 1
                self._postpone(batch)
        return Delivered(accepted, refused, len(self.waiting))

    async def _taken(self, post: Any, url: str, batch: list[Waiting]) -> bool:
        faults, value = self.sandbox.faults, []
        for each in batch:
            forged = {"clientState": "forged"} if self.sandbox.happens(faults.forged_notifications) else {}
            twice = 2 if self.sandbox.happens(faults.duplicated_notifications) else 1
            value += [each.payload | forged] * twice
        try:
            status, _ = await post(url, {"Content-Type": "application/json"}, msgspec.json.encode({"value": value}))
        except Exception:  # noqa: BLE001  whatever keeps the receiver from answering, the notification was not taken
            return False
        return bool(200 <= status < 300)

    def _postpone(self, batch: list[Waiting]) -> None:
        for each in batch:
            if each.tries < len(RETRIES):
                each.due = self.sandbox.now() + RETRIES[each.tries]
                each.tries += 1
                continue
            self.waiting = [other for other in self.waiting if other is not each]
            if "changeType" in each.payload:
                self.lifecycle(each.subscription, "missed")

    def _wait(self, subscription: Subscription, url: str, payload: dict[str, Any]) -> None:
        self.waiting.append(Waiting(subscription, url, payload, self.sandbox.now()))


async def create_subscription(call: Call) -> Answer:
    """A new subscription, once both URLs have answered the handshake."""
    wanted = inputs.read(call.request.body, inputs.Subscription)
    mailbox, kind, folder = _resource(call, wanted.resource)
    changes = _changes(wanted.change_type)
    lifecycle_url = wanted.lifecycle_notification_url or None
    for url in dict.fromkeys(filter(None, (wanted.notification_url, lifecycle_url))):
        await _handshake(call, url)
    notifier = call.sandbox.notifier
    notifier.count += 1
    key = ids.guid("subscription", notifier.count)
    expires = _expiry(call, wanted.expiration_date_time)
    shown = {
        "id": key,
        "resource": wanted.resource,
        "applicationId": call.sandbox.client_id,
        "changeType": wanted.change_type,
        "clientState": wanted.client_state or None,
        "notificationUrl": wanted.notification_url,
        "notificationQueryOptions": None,
        "lifecycleNotificationUrl": lifecycle_url,
        "creatorId": mailbox.user_id,
        "includeResourceData": None,
        "latestSupportedTlsVersion": wanted.latest_supported_tls_version or "v1_2",
        "encryptionCertificate": None,
        "encryptionCertificateId": None,
        "notificationUrlAppId": None,
    }
    made = Subscription(key, mailbox.address, kind, folder, changes, expires, call.preferences.immutable_ids, shown)
    notifier.subscriptions[key] = made
    return Answer(201, _shown(made))


def list_subscriptions(call: Call) -> Answer:
    """The subscriptions of the mailboxes that the token reaches."""
    found = [each for each in call.sandbox.notifier.live().values() if call.grant.address in {None, each.address}]
    return listing(call, found, _entry, "subscriptions")


def get_subscription(call: Call) -> Answer:
    """One subscription."""
    return Answer(200, _shown(_subscription(call)))


def renew_subscription(call: Call) -> Answer:
    """A later end, and an end to holding notifications back."""
    found = _subscription(call)
    found.expires = _expiry(call, inputs.read(call.request.body, inputs.Renewal).expiration_date_time)
    found.held = False
    return Answer(200, _shown(found))


def reauthorize_subscription(call: Call) -> Answer:
    """The answer to `reauthorizationRequired`."""
    _subscription(call).held = False
    return Answer(204)


def delete_subscription(call: Call) -> Answer:
    """No more notifications."""
    del call.sandbox.notifier.subscriptions[_subscription(call).id]
    return Answer(204)


def _subscription(call: Call) -> Subscription:
    found = call.sandbox.notifier.live().get(call.ids["subscription"])
    if found is None or call.grant.address not in {None, found.address}:
        raise Refusal(404, "ResourceNotFound", "The object was not found.")
    return found


def _resource(call: Call, resource: str) -> tuple[Mailbox, str, str | None]:
    """The mailbox, the kind of item and the folder that a resource names."""
    found = _RESOURCE.match(resource)
    if found is None:
        raise bad_request(f"Resource '{resource}' is not supported.", "InvalidRequest")
    if found["owner"].lower() == "me":
        if call.grant.address is None:
            raise bad_request("/me request is only valid with delegated authentication flow.")
        mailbox = call.mailbox
    else:
        name = re.sub(r"^users(?:/|\(')|'\)$", "", found["owner"], flags=re.IGNORECASE)
        mailbox = call.sandbox.reached(call.grant, name)
    name = found["one"] or found["other"]
    kind = _KINDS[(found["inside"] or found["all"]).lower()]
    if f"{'Mail' if kind == 'message' else 'Calendars' if kind == 'event' else 'Contacts'}.Read" not in _readable(call):
        raise access_denied()
    return mailbox, kind, mailbox.folder(name, "message").key if name else None


def _readable(call: Call) -> set[str]:
    return {each.removesuffix("Write") for each in call.grant.scopes}


def _changes(text: str) -> frozenset[str]:
    names = frozenset(name.strip() for name in text.split(","))
    if not names <= {"created", "updated", "deleted"}:
        raise bad_request("Invalid 'changeType' attribute.", "InvalidRequest")
    return names


def _expiry(call: Call, text: str) -> datetime:
    now = call.sandbox.now()
    asked = moment(text).astimezone(UTC)
    if asked <= now:
        raise bad_request("Subscription expiration must be in the future.", "ValidationError")
    if asked > now + LONGEST:
        raise bad_request("Subscription expiration can only be 4230 minutes in the future.", "ValidationError")
    return max(asked, now + SHORTEST)


async def _handshake(call: Call, url: str) -> None:
    """Ask a URL to send back a token, within ten seconds."""
    if urlsplit(url).scheme != "https" and not call.sandbox.plain_notifications:
        raise bad_request("The notification URL must use HTTPS.", "InvalidRequest")
    token = f"Validation: Testing client application reachability for subscription {ids.guid(url, call.sandbox.now())}"
    where = f"{url}{'&' if '?' in url else '?'}validationToken={quote(token, safe='')}"
    try:
        posted = call.sandbox.post(where, {"Content-Type": "text/plain; charset=utf-8"}, b"")
        status, body = await asyncio.wait_for(posted, HANDSHAKE_SECONDS)
    except Exception:  # noqa: BLE001  whatever keeps the receiver from answering, it was not reached
        raise bad_request("Subscription validation request timed out.", "ValidationError") from None
    if status != 200 or body.decode(errors="replace") != token:
        message = "Subscription validation request failed. Response must exactly match validationToken query parameter."
        raise bad_request(message, "ValidationError")


def _entry(subscription: Subscription) -> dict[str, Any]:
    return subscription.shown | {"expirationDateTime": stamp(subscription.expires)}


def _shown(subscription: Subscription) -> dict[str, Any]:
    return {"@odata.context": f"{GRAPH}/$metadata#subscriptions/$entity", **_entry(subscription)}


def _common(subscription: Subscription) -> dict[str, Any]:
    return {
        "subscriptionId": subscription.id,
        "subscriptionExpirationDateTime": stamp(subscription.expires),
        "clientState": subscription.client_state,
        "tenantId": TENANT,
    }


def _notification(subscription: Subscription, mailbox: Mailbox, item: Item, change: ChangeType) -> dict[str, Any]:
    identity = item.id if subscription.immutable else ids.default_id(item.key, item.moves)
    collection = {"message": "Messages", "event": "Events", "contact": "Contacts"}[item.kind]
    resource = f"Users/{mailbox.user_id}/{collection}/{identity}"
    data = {
        "@odata.type": f"#Microsoft.Graph.{item.kind.title()}",
        "@odata.id": resource,
        "@odata.etag": item.etag,
        "id": identity,
    }
    return _common(subscription) | {"changeType": change, "resource": resource, "resourceData": data}
