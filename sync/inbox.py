"""The inbox: what other sides tell us, kept at the door and heard afterwards; each event has its effect once.

A call is verified, known by the event's id or by its body, stored and answered; what it means is found out by a worker.
An app's address serves many tenants: such a call is kept encrypted, split by remote account, and each part goes into
the inbox of its own tenant. Accounts that nobody has here are dropped and counted.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy import case, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from domain.core.events import make_due
from domain.core.problems import DomainError
from domain.integrations import queries, rules
from domain.integrations.model import AppDelivery, HookToken, InboxEvent, Integration, RemoteAccount, StreamSetting
from sync import figures, hooks
from sync.access import places, secrets
from sync.isolation.places import ConnectorBlocked
from sync.isolation.process import ProcessStopped
from sync.pull import StreamNotRead
from sync.registry import UnknownConnector
from sync.relay import told
from sync.requests import SYNC, key_of
from sync.signals import fetch_signalled
from tenure_sdk import Delivery, Fetch, Reply, Signal, Unsupported, Webhook

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    from domain.core.database import Database
    from domain.core.unit_of_work import Reading, Writing
    from sync.errands import Trip
    from sync.remote import Remote
    from sync.switchboard import Switchboard
    from tenure_sdk import Connector, Merge

log = structlog.get_logger()

INBOX = "inbox"
"""The kind of due work that hears what an integration was told; its key is the integration."""

TOGETHER = timedelta(seconds=2)
"""How long what comes is gathered, so that a burst about the same records is fetched once."""

KNOWN_FOR = timedelta(days=7)
"""How long a call is remembered, to know it when it comes again."""

_FORGED = (
    "The signature of a call does not hold: it has another secret than this address was given out with, is too old, or "
    "came from somebody else. Give the other side the address and secret of rotateWebhookSecret."
)
TOO_LARGE = "A call was larger than any that is expected, and was not read."
_UNREADABLE = "A call was genuine, and could not be read ({failure})."
MOST_ATTEMPTS = 5
_PORTION = 500
_UNSPLIT = (AppDelivery.ciphertext.is_not(None), AppDelivery.attempts < MOST_ATTEMPTS)


class UnknownHook(DomainError):
    """Nobody is called at this address."""

    code = "UNKNOWN_HOOK"


class NotGenuine(DomainError):
    """The signature of this call does not hold."""

    code = "NOT_GENUINE"


@dataclass(frozen=True)
class Doors:
    """Where calls come in."""

    database: Database
    board: Switchboard

    async def of_integration(self, token: str, path: str, delivery: Delivery) -> Reply:
        """Keep a call to the address of one integration. Raises UnknownHook or NotGenuine; then nothing is kept."""
        owner = await self._owner(token)
        try:
            async with self.database.unit_of_work(owner.tenant_id) as work:
                integration = await queries.integration(work, owner.integration_id)
                declared = _declared(self.board.registry.connector(integration.connector), path, "integration")
                known = await secrets.secrets_of(work, self.board.remotes.vault, integration.id)
                if declared.challenge is not None and (reply := declared.challenge.reply(delivery)) is not None:
                    return reply
                valid = [known[name] for name in (hooks.SECRET, hooks.FORMER) if known.get(name)]
                _check(declared, delivery, valid)
                # The secret itself is no part of what is kept: some send it in a header.
                headers = {
                    name: value for name, value in delivery.headers.items() if not any(each in value for each in valid)
                }
                await _keep(
                    work, integration.id, sha256(delivery.body).hexdigest(), path, body=delivery.body, headers=headers
                )
        except NotGenuine:
            await self._refused(owner, _FORGED)
            raise
        return Reply("", status=202)

    async def too_large(self, token: str) -> None:
        """Tell the admin of a call that was too large to be read. Raises UnknownHook."""
        await self._refused(await self._owner(token), TOO_LARGE)

    async def _owner(self, token: str) -> Any:
        """Whose address a token is: tenant and integration. Raises UnknownHook."""
        async with self.database.directory() as connection:
            row = (
                await connection.execute(
                    select(HookToken.tenant_id, HookToken.integration_id).where(HookToken.digest == hooks.digest(token))
                )
            ).one_or_none()
        if row is None or row.tenant_id is None:
            raise UnknownHook
        return row

    async def _refused(self, owner: Any, why: str) -> None:
        async with self.database.unit_of_work(owner.tenant_id) as work:
            await _note_refused(work, owner.integration_id, why)

    async def of_app(self, connector: str, path: str, delivery: Delivery) -> Reply:
        """Keep a call to the address of an app, until it is split. Raises UnknownHook or NotGenuine."""
        installed = self.board.registry.connectors.get(connector)
        secret = self.board.settings.webhook_secret(connector)
        if installed is None or secret is None:
            raise UnknownHook
        declared = _declared(installed, path, "app")
        if declared.challenge is not None and (reply := declared.challenge.reply(delivery)) is not None:
            return reply
        _check(declared, delivery, [secret])
        digest = sha256(delivery.body).digest()
        sealed = self.board.remotes.vault.seal(places.app_delivery(connector, digest), delivery.body)
        async with self.database.directory() as connection:
            entry = insert(AppDelivery).values(
                connector=connector, digest=digest, path=path, ciphertext=sealed,
                received_at=self.database.clock.now(),
            )  # fmt: skip
            await connection.execute(entry.on_conflict_do_nothing())
        return Reply("")


@dataclass(frozen=True)
class Splitter:
    """Splits what came to the addresses of apps."""

    database: Database
    board: Switchboard

    async def split(self) -> None:
        """Give every part of what waits to the tenant whose account it is about; forget what is too old to come again.

        Each connector has its own turn: what one cannot read waits, and holds up nobody else's.
        """
        async with self.database.directory() as connection:
            old = AppDelivery.received_at < self.database.clock.now() - KNOWN_FOR
            await connection.execute(delete(AppDelivery).where(old))
            connectors = list(await connection.scalars(select(AppDelivery.connector).where(*_UNSPLIT).distinct()))
        await asyncio.gather(*map(self._split_all, connectors))

    async def _split_all(self, connector: str) -> None:
        """Split the calls for one connector; while it cannot be asked at all, they wait."""
        try:
            async with self.board.remotes.unbound(connector) as remote:
                for row in await self._waiting(connector):
                    await self._split(row, remote)
        except (ConnectorBlocked, UnknownConnector) as unasked:
            log.warning("hook.waiting", connector=connector, reason=type(unasked).__name__)

    async def _waiting(self, connector: str) -> Sequence[Any]:
        waiting = select(AppDelivery.connector, AppDelivery.digest, AppDelivery.path, AppDelivery.ciphertext)
        mine = waiting.where(AppDelivery.connector == connector, *_UNSPLIT)
        async with self.database.directory() as connection:
            return (await connection.execute(mine.order_by(AppDelivery.received_at).limit(_PORTION))).all()

    async def _split(self, row: Any, remote: Remote) -> None:
        entry = (AppDelivery.connector == row.connector, AppDelivery.digest == row.digest)
        try:
            body = self.board.remotes.vault.open(places.app_delivery(row.connector, row.digest), row.ciphertext)
            signals = await remote.signals(row.path, Delivery(body, {}))
            for account, parts in _by_account(signals).items():
                await self._give(row, account, parts)
        except Exception as failure:  # noqa: BLE001 - a call that cannot be read is tried again, and then left alone
            log.warning("hook.unread", connector=row.connector, **told(failure))
            async with self.database.directory() as connection:
                await connection.execute(update(AppDelivery).where(*entry).values(attempts=AppDelivery.attempts + 1))
            return
        async with self.database.directory() as connection:
            await connection.execute(update(AppDelivery).where(*entry).values(ciphertext=None))

    async def _give(self, row: Any, account: str, parts: Sequence[Signal]) -> None:
        async with self.database.directory() as connection:
            owners = (
                await connection.execute(
                    select(RemoteAccount.tenant_id, RemoteAccount.integration_id).where(
                        RemoteAccount.connector == row.connector, RemoteAccount.account == account
                    )
                )
            ).all()
        if not owners:
            figures.UNKNOWN_ACCOUNTS.labels(row.connector).inc()
        for owner in owners:
            async with self.database.unit_of_work(owner.tenant_id) as work:
                for place, signal in enumerate(parts):
                    key = signal.event or f"{row.digest.hex()}:{account}:{place}"
                    await _keep(work, owner.integration_id, key, row.path, signals=[signal])


async def hear(trip: Trip) -> datetime | None:
    """Find out what an integration was told, and fetch it: records by their ids, whole streams where it names none."""
    async with trip.database.reading(trip.tenant_id) as work:
        events = await _unheard(work, trip.integration_id)
    wanted: defaultdict[str, tuple[dict[str, None], dict[str, None], dict[Merge, None]]]
    wanted = defaultdict(lambda: ({}, {}, {}))
    renews, unread = False, list[UUID]()
    for event in events:
        try:
            heard = await _heard(trip, event)
        except _Unread as failure:
            unread.append(event.id)
            async with trip.database.unit_of_work(trip.tenant_id) as work:
                await _note_refused(work, trip.integration_id, _UNREADABLE.format(failure=failure))
            continue
        for signal in heard:
            renews = renews or signal.renew
            ids, deleted, merges = wanted[signal.stream]
            ids.update(dict.fromkeys(signal.ids))
            deleted.update(dict.fromkeys(signal.deleted))
            merges.update(dict.fromkeys(signal.merges))
    for stream, (ids, deleted, merges) in wanted.items():
        await _follow(trip, stream, list(ids), list(deleted), list(merges))
    async with trip.database.unit_of_work(trip.tenant_id) as work:
        if renews:
            await make_due(work.session, trip.tenant_id, hooks.RENEW, trip.integration_id.hex, work.now)
        await work.execute(
            update(InboxEvent)
            .where(InboxEvent.tenant_id == trip.tenant_id, InboxEvent.id.in_([event.id for event in events]))
            .values(
                processed_at=work.now, outcome=case((InboxEvent.id.in_(unread), "UNREAD"), else_="HEARD"), body=None
            )
        )
    return trip.database.clock.now() if len(events) == _PORTION else None


async def _follow(trip: Trip, stream: str, ids: list[str], deleted: list[str], merges: list[Merge]) -> None:
    """Fetch what was named; have the stream read where nothing was, or where its records cannot be fetched."""
    known = {each.name: each for each in trip.remote.connector.streams()}.get(stream)
    if known is None:
        return
    can_fetch = all(
        any(each.record is record for each in trip.remote.connector.declared(Fetch)) for record in known.records
    )
    if (ids or deleted) and can_fetch:
        try:
            await fetch_signalled(
                trip.database, trip.remote, trip.tenant_id, trip.integration_id, stream, ids, deleted, merges=merges
            )
        except (StreamNotRead, Unsupported):
            return
        return
    async with trip.database.unit_of_work(trip.tenant_id) as work:
        enabled = select(StreamSetting.enabled).where(
            StreamSetting.tenant_id == trip.tenant_id, StreamSetting.integration_id == trip.integration_id,
            StreamSetting.stream == stream,
        )  # fmt: skip
        if await work.one(enabled) is not False:
            await make_due(work.session, trip.tenant_id, SYNC, key_of(trip.integration_id, stream), work.now)


class _Unread(Exception):
    """The connector cannot read an event; what it was about is left to polling."""


async def _heard(trip: Trip, event: InboxEvent) -> Sequence[Signal]:
    """What an event says. Raises _Unread."""
    if event.signals is not None:
        return [msgspec.convert(each, Signal) for each in event.signals]
    try:
        delivery = Delivery(event.body or b"", {name: str(value) for name, value in event.headers.items()})
        return await trip.remote.signals(event.path, delivery)
    except ProcessStopped:
        raise  # counted: it would be stopped again and again
    except Exception as failure:  # whatever a connector raises here is its own failure
        log.warning("hook.unread", connector=trip.remote.connector.key, **told(failure))
        raise _Unread(type(failure).__name__) from failure


async def _note_refused(work: Writing, integration_id: UUID, why: str) -> None:
    """Have the admin see that calls are not taken. Nothing is lost: the other side is read on schedule."""
    await work.execute(
        update(Integration)
        .where(Integration.tenant_id == work.tenant_id, Integration.id == integration_id)
        .values(
            refused_calls=Integration.refused_calls + 1, refused_call_at=work.now,
            refused_call_reason=f"{why} What it was about comes with the next reading.",
        )
    )  # fmt: skip


async def _unheard(work: Reading, integration_id: UUID) -> Sequence[InboxEvent]:
    return await work.all(
        select(InboxEvent)
        .where(
            InboxEvent.tenant_id == work.tenant_id, InboxEvent.integration_id == integration_id,
            InboxEvent.processed_at.is_(None),
        )
        .order_by(InboxEvent.id)
        .limit(_PORTION)
    )  # fmt: skip


async def _keep(
    work: Writing, integration_id: UUID, key: str, path: str, *, body: bytes | None = None,
    headers: dict[str, str] | None = None, signals: Iterable[Signal] | None = None,
) -> None:  # fmt: skip
    """Keep an event of an integration that is at work, unless it came before."""
    integration = await queries.integration(work, integration_id)
    if integration.state not in rules.READABLE:
        return  # reading begins anew when it is switched on again
    entry = insert(InboxEvent).values(
        tenant_id=work.tenant_id, id=work.ids(), integration_id=integration_id, key=key, path=path, body=body,
        headers=headers or {}, signals=None if signals is None else [msgspec.to_builtins(each) for each in signals],
        received_at=work.now,
    )  # fmt: skip
    kept = await work.execute(entry.on_conflict_do_nothing(index_elements=["tenant_id", "integration_id", "key"]))
    if kept.rowcount:
        await make_due(work.session, work.tenant_id, INBOX, integration_id.hex, work.now + TOGETHER)


def _declared(connector: type[Connector[Any]], path: str, door: str) -> Webhook:
    for declared in connector.declared(Webhook):
        if declared.path == path and declared.door == door:
            return declared
    raise UnknownHook


def _check(declared: Webhook, delivery: Delivery, valid: Sequence[str]) -> None:
    try:
        genuine = bool(valid) and declared.verifier.holds(delivery, valid)
    except Exception as failure:  # a verifier may be the connector's own
        log.warning("hook.unverified", **told(failure))
        raise NotGenuine from failure
    if not genuine:
        raise NotGenuine


def _by_account(signals: Iterable[Signal]) -> dict[str, list[Signal]]:
    found: defaultdict[str, list[Signal]] = defaultdict(list)
    for signal in signals:
        found[signal.account or ""].append(signal)
    return found
