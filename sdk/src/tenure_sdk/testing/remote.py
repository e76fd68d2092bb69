"""What the conformance kit needs of a remote side: a sandbox or a fake of it, seen from behind the connector's back."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

from tenure_sdk.connector import Change
from tenure_sdk.http import httpx
from tenure_sdk.records import AnyRecord, Customer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from msgspec import Struct

    from tenure_sdk.webhooks import Delivery, Reply


class Missing(Exception):
    """The remote side, as the tests have it, cannot do what a check needs."""


class Clock:
    """The time at the remote side and at the host. It stands still until somebody moves it."""

    def __init__(self, at: datetime = datetime(2026, 3, 2, 9, tzinfo=UTC)) -> None:
        self.at = at

    def now(self) -> datetime:
        """The present moment."""
        return self.at

    def forward(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        """Let time pass instead of waiting, and others have their turn."""
        self.forward(seconds)
        await asyncio.sleep(0)


class RemoteSide:
    """One remote account that the kit fills, changes and watches.

    A connector's tests subclass it, or `FakeRemote`, which does most of it: set `config`, give `app` (an ASGI app) or
    override `transport`, take the time from `clock`, and override what the vendor can do. A check that needs what is
    not overridden fails and says so, unless the tests bypass it with a reason. Ids are the remote side's.

    The kit makes one by its class, with the name of the account: `FakeAcme(account="1")`. Two of them share nothing.
    """

    config: Any = None
    """Settings that lead to this account."""
    app: Any = None
    """The ASGI app that answers, where `transport` is not overridden."""
    callback: Mapping[str, str] = {}
    """What the redirect of the authorization brought besides the code (`OAuth2.callback_params`)."""
    secret: str = "hook-secret-0123456789"  # noqa: S105 - that of an invented account
    """What deliveries are signed with."""
    real: bool = False
    """It is somebody's account: it is read as it is, and never changed (`--live`)."""
    most_pages: int | None = None
    """How many pages of a stream are read; None: all."""
    page_size: int = 5
    """How many records an answer brings at most; the kit sets it higher to measure."""
    large: int = 6_000
    """How many records the checks of size seed."""
    cap: int | None = None
    """How many records an answer of changes brings at most without telling that there are more; None: no such trap."""
    longest_text: int = 40 * 1024
    """How many characters the free text of a record may have."""
    cursors_expire: bool = False
    """`expire_cursors` can be asked for."""
    zone: tzinfo = UTC
    """In which zone the remote side writes its times, where it lets itself be told."""

    def __init__(self, account: str = "1") -> None:
        self.account = account
        self.clock = Clock()

    def transport(self) -> httpx.AsyncBaseTransport:
        """What answers the requests, for all of the connector's hosts."""
        if self.app is None:
            raise Missing("the remote has neither `app` nor `transport`")
        return httpx.ASGITransport(self.app)

    def credentials(self) -> Mapping[str, str]:
        """What lets a request in at this moment, by field, as in `Credentials.values`."""
        return {}

    def expire(self) -> None:
        """What `credentials` has given is refused from now on; it gives something new."""
        raise Missing("`expire` is not overridden")

    def revoke(self) -> None:
        """No credentials are accepted any more."""
        raise Missing("`revoke` is not overridden")

    def seed(self, stream: str, count: int) -> Sequence[str]:
        """Add records to a stream, all changed at the present moment of the clock; their ids."""
        raise Missing("`seed` is not overridden")

    def seed_text(self, stream: str, text: str) -> str:
        """Add a record whose free text (a name, a subject, a description) is this one; its id."""
        raise Missing("`seed_text` is not overridden")

    def seed_bare(self, stream: str) -> str:
        """Add a record that has nothing but what the remote side insists on; its id."""
        raise Missing("`seed_bare` is not overridden")

    def seed_unknown(self, stream: str) -> tuple[str, str, str]:
        """Add a record with a field that the connector cannot know; its id, the field's name and the text in it."""
        raise Missing("`seed_unknown` is not overridden")

    def spoil(self, stream: str, record_id: str) -> None:
        """Put a value of a wrong type into a record."""
        raise Missing("`spoil` is not overridden")

    def edit(self, stream: str, record_id: str) -> None:
        """Change a record as a person there would, so that its version and time of change rise."""
        raise Missing("`edit` is not overridden")

    def remove(self, stream: str, record_id: str) -> None:
        """Delete a record as a person there would."""
        raise Missing("`remove` is not overridden")

    def recreate(self, stream: str, record_id: str) -> None:
        """Bring a deleted record back under the same id."""
        raise Missing("`recreate` is not overridden")

    def count(self, stream: str) -> int:
        """How many records of a stream there are that are not deleted."""
        raise Missing("`count` is not overridden")

    def expire_cursors(self) -> None:
        """Forget the history of changes: a cursor from before is answered as the remote side answers an old one."""
        raise Missing("`expire_cursors` is not overridden")

    def sample(self, record: type[AnyRecord], number: int) -> Change:
        """A change that creates a record the remote side takes; different numbers, different records."""
        if record is not Customer:
            raise Missing(f"`sample` gives no {record.__name__}")
        made = Customer(
            id=f"local-{number}",
            name=f"Sample {number}",
            emails=(f"sample{number}@example.com",),
            phones=(f"+4930{number:07}",),
        )
        return Change(
            op="create", record=made, fields=frozenset({"name", "emails", "phones"}), key=f"{self.account}-{number}"
        )

    def action_input(self, action: str) -> Struct:
        """What an action can be asked with."""
        raise Missing(f"`action_input` gives nothing for {action}")

    def effects(self, action: str) -> int:
        """How often an action was really done."""
        raise Missing(f"`effects` does not count {action}")

    def delivery(self, path: str, stream: str, ids: Sequence[str]) -> Delivery:
        """A genuine call of the remote side, signed with `secret`, that says that these records changed."""
        raise Missing("`delivery` is not overridden")

    def unknown_delivery(self, path: str) -> Delivery:
        """A genuine call about something that the connector does not know."""
        raise Missing("`unknown_delivery` is not overridden")

    def challenge(self, path: str) -> tuple[Delivery, Reply]:
        """The question by which the remote side makes sure that an address is ours, and the answer that it wants."""
        raise Missing("`challenge` is not overridden")
