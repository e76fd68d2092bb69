"""The Outlook sandbox as the conformance kit meets it: filled, changed and watched from behind."""

from __future__ import annotations

import itertools
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from plugins.outlook.acting import CancelMeeting, ChangeMeeting
from plugins.outlook.sandbox import OutlookSandbox
from plugins.outlook.settings import OutlookConfig
from tenure_sdk import CreateMeeting, Delivery, Reply, SendEmail
from tenure_sdk.http import httpx
from tenure_sdk.testing import RemoteSide

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

BEA = ("Bea Kunde", "bea@customer.example")
KINDS = {"mail": "messages", "calendar": "events", "contacts": "contacts"}


class SmallPages(httpx.AsyncBaseTransport):
    """The sandbox in this process, with pages as small as the kit wants them."""

    def __init__(self, sandbox: OutlookSandbox, most: Callable[[], int]) -> None:
        self._inner, self._most = httpx.ASGITransport(sandbox.app), most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        prefer = request.headers.get("prefer", "")
        request.headers["prefer"] = re.sub(r"maxpagesize=\d+", f"maxpagesize={self._most()}", prefer)
        return await self._inner.handle_async_request(request)


class OutlookRemote(RemoteSide):
    """One mailbox in a sandbox of its own."""

    cursors_expire = True
    longest_text = 200

    def __init__(self, account: str = "1") -> None:
        super().__init__(account)
        self.config = OutlookConfig(own_domains=("acme.example",), keep="FULL")
        self.sandbox = OutlookSandbox(now=self.clock.now, seed=int(account))
        self.box = self.sandbox.mailbox(f"ana{account}@acme.example")
        self._numbers = itertools.count(1)
        self._issued: list[str] = []
        self._revoked = False

    def transport(self) -> httpx.AsyncBaseTransport:
        return SmallPages(self.sandbox, lambda: self.page_size)

    def credentials(self) -> Mapping[str, str]:
        if not self._revoked:
            self._issued.append(self.sandbox.tokens_for(self.box.address)["access_token"])
        return {"access_token": self._issued[-1]}

    def expire(self) -> None:
        self.sandbox.issuer.expire()

    def revoke(self) -> None:
        self._revoked = True
        self.expire()

    def seed(self, stream: str, count: int) -> Sequence[str]:
        return [self._name(stream, self._made(stream, f"Seeded {next(self._numbers)}")) for _ in range(count)]

    def seed_text(self, stream: str, text: str) -> str:
        return self._name(stream, self._made(stream, text))

    def seed_bare(self, stream: str) -> str:
        item = self._made(stream, "Bare")
        needed = {"from", "toRecipients", "receivedDateTime", "sentDateTime", "start", "end", "attendees", "iCalUId"}
        item.fields = {name: value for name, value in item.fields.items() if name in {*needed, "displayName"}}
        return self._name(stream, item)

    def spoil(self, stream: str, record_id: str) -> None:
        wrong = {"mail": {"receivedDateTime": "yesterday"}, "calendar": {"subject": ["no", "text"]},
                 "contacts": {"displayName": ["no", "text"]}}  # fmt: skip
        self.box.change(self._item(record_id), wrong[stream])

    def edit(self, stream: str, record_id: str) -> None:
        field = "displayName" if stream == "contacts" else "subject"
        self.box.edit(self._item(record_id), **{field: f"Edited {next(self._numbers)}"})

    def remove(self, stream: str, record_id: str) -> None:
        self.box.delete(self._item(record_id))

    def count(self, stream: str) -> int:
        kind = KINDS[stream].removesuffix("s")
        trash = self.box.known("deleteditems")
        return sum(item.kind == kind and item.folder is not trash for item in self.box.items.values())

    def expire_cursors(self) -> None:
        self.box.evict_delta_tokens()

    def action_input(self, action: str) -> Any:
        if action == "send_email":
            return SendEmail(to=("bea@customer.example",), subject="Our offer", text="Please find it below.")
        if action == "change_meeting":
            return ChangeMeeting(id=self.seed("calendar", 1)[0], title="Changed")
        if action == "cancel_meeting":
            return CancelMeeting(id=self.seed("calendar", 1)[0])
        start = self.clock.now() + timedelta(days=1)
        return CreateMeeting(
            title="Review", starts_at=start, ends_at=start + timedelta(hours=1), attendees=("bea@customer.example",)
        )

    def effects(self, action: str) -> int:
        folder = self.box.known("sentitems" if action == "send_email" else "calendar")
        if action == "change_meeting":
            return sum(item.fields["subject"] == "Changed" for item in folder.items.values())
        return -len(folder.items) if action == "cancel_meeting" else len(folder.items)

    def delivery(self, path: str, stream: str, ids: Sequence[str]) -> Delivery:
        kind = KINDS[stream].title()
        entries = [
            {"id": f"n-{name}", "subscriptionId": "s1", "clientState": self.secret, "changeType": "updated",
             "resource": f"Users/{self.box.user_id}/{kind}/{name.rpartition('/')[2]}", "tenantId": "t"}
            for name in ids
        ]  # fmt: skip
        return self._called({"value": entries})

    def unknown_delivery(self, path: str) -> Delivery:
        return self._called({"value": [{"clientState": self.secret, "lifecycleEvent": "celebrated"}]})

    def challenge(self, path: str) -> tuple[Delivery, Reply]:
        return Delivery(b"", {}, {"validationToken": "Validation: 1 2"}), Reply("Validation: 1 2")

    def _called(self, body: Any) -> Delivery:
        return Delivery(json.dumps(body).encode(), {"content-type": "application/json"})

    def _made(self, stream: str, text: str) -> Any:
        if stream == "mail":
            return self.box.receive(BEA, text, "A text")
        if stream == "calendar":
            return self.box.add_event(text, self.clock.now(), attendees=[BEA])
        return self.box.add_contact(text, f"c{next(self._numbers)}@customer.example")

    def _name(self, stream: str, item: Any) -> str:
        return f"{self.box.user_id}/{KINDS[stream]}/{item.id}"

    def _item(self, record_id: str) -> Any:
        _, kind, name = record_id.split("/")
        return self.box.item(name, kind.removesuffix("s"))  # type: ignore[arg-type]
