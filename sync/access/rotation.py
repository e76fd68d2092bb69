"""Puts a new key in the place of the installation's old one, while everything goes on."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Text, cast, func, or_, select, text, tuple_, update

from domain.core import secrets as key_file
from domain.core.problems import Conflict
from domain.core.vault import SecretUnreadable, Vault, key_of
from domain.integrations.model import AppDelivery, Authorization, IntegrationSecret, OutgoingWebhook
from domain.tenants.queries import every_tenant
from sync.access import places

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy import ColumnElement, Executable, Select
    from sqlalchemy.orm import InstrumentedAttribute

    from domain.core.database import Database
    from domain.core.tables import Base
    from domain.core.vault import Place

PORTION = 100
"""How many rows one transaction encrypts anew; they are locked for a moment only."""
SETTLED = 60.0
"""Seconds after which nobody writes with the old key any more: every process has seen the new file."""

_LOCK = text("SELECT pg_try_advisory_lock(hashtextextended('tenure.keys', 0))")
_UNLOCK = text("SELECT pg_advisory_unlock(hashtextextended('tenure.keys', 0))")


class RotationUnderWay(Conflict):
    """Another rotation of the keys is under way. Wait until it has ended."""


class Step(StrEnum):
    """How far a rotation is."""

    BEGUN = "BEGUN"
    """There is a new key, with which everything is encrypted; the old one is still read with."""
    FINISHED = "FINISHED"
    """The old key is gone."""


class Rotated(NamedTuple):
    """What a call did."""

    step: Step
    secrets: int
    """How many secrets were encrypted anew."""
    unreadable: int
    """How many could not be read with any key, before as after."""


class _Count(NamedTuple):
    sealed: int = 0
    unreadable: int = 0

    def plus(self, other: _Count) -> _Count:
        return _Count(self.sealed + other.sealed, self.unreadable + other.unreadable)


@dataclass(frozen=True)
class _Kept:
    """A table that keeps secrets: in which columns, and where each belongs."""

    model: type[Base]
    columns: tuple[str, ...]
    place: Callable[[Any, str], Place]

    @property
    def key(self) -> tuple[InstrumentedAttribute[Any], ...]:
        """What a row is known by."""
        return tuple(getattr(self.model, column.name) for column in self.model.__table__.primary_key)


_OF_TENANTS = (
    _Kept(
        IntegrationSecret,
        ("ciphertext",),
        lambda row, _: places.integration_secret(row.tenant_id, row.integration_id, row.name),
    ),
    _Kept(
        Authorization,
        ("verifier", "code", "token"),
        lambda row, column: places.authorization(row.tenant_id, row.id, column),
    ),
    _Kept(OutgoingWebhook, ("ciphertext",), lambda row, _: places.outgoing_webhook(row.tenant_id)),
)
_OF_ALL = _Kept(AppDelivery, ("ciphertext",), lambda row, _: places.app_delivery(row.connector, row.digest))


async def rotate(
    database: Database,
    path: Path,
    *,
    settled: float = SETTLED,
    sleep: Callable[[float], Any] = asyncio.sleep,
) -> Rotated:
    """Make a new key and encrypt all secrets with it; called again, drop the old key.

    Both go on while the server works, and may be repeated after a kill. The old key is dropped only when nothing was
    written with it since: a machine that has not got the new file yet keeps it alive. Raises RotationUnderWay, or
    KeyUnusable where the file cannot be replaced.
    """
    async with _alone(database):
        keys = key_file.read(path)
        begins = len(keys.sealing) == 1
        if begins:
            key_file.write(path, keys.rotated())
        count = await _seal_all(database, Vault(path))
        if begins or count.sealed:
            return Rotated(Step.BEGUN, *count)
        await sleep(max(0.0, settled - _age(path)))
        count = await _seal_all(database, Vault(path))
        if count.sealed:
            return Rotated(Step.BEGUN, *count)
        key_file.write(path, keys.newest_only())
        return Rotated(Step.FINISHED, *count)


def _age(path: Path) -> float:
    """For how many seconds a file has been as it is."""
    return max(0.0, time.time() - path.stat().st_mtime)


@asynccontextmanager
async def _alone(database: Database) -> AsyncIterator[None]:
    """Keep others from rotating meanwhile; whoever dies lets them go on."""
    async with database.directory() as connection:
        if not await connection.scalar(_LOCK):
            raise RotationUnderWay
        try:
            yield
        finally:
            await connection.execute(_UNLOCK)


async def _seal_all(database: Database, vault: Vault) -> _Count:
    """Encrypt whatever another key was used for with the newest one."""
    count = _Count()
    for tenant in await every_tenant(database):
        for kept in _OF_TENANTS:
            count = count.plus(await _seal_tenant(database, vault, kept, tenant.id))
    return count.plus(await _seal_directory(database, vault))


async def _seal_tenant(database: Database, vault: Vault, kept: _Kept, tenant_id: UUID) -> _Count:
    count, after = _Count(), None
    while True:
        async with database.unit_of_work(tenant_id) as work:
            mine = kept.key[0] == tenant_id
            rows = await work.rows(_outdated(kept, vault, after).where(mine))
            for row in rows:
                statement, done = _sealed_anew(kept, vault, row)
                count = count.plus(done)
                if statement is not None:
                    await work.execute(statement)
        if len(rows) < PORTION:
            return count
        after = _key_of_row(kept, rows)


async def _seal_directory(database: Database, vault: Vault) -> _Count:
    count, after = _Count(), None
    while True:
        async with database.directory() as connection:
            rows = (await connection.execute(_outdated(_OF_ALL, vault, after))).all()
            for row in rows:
                statement, done = _sealed_anew(_OF_ALL, vault, row)
                count = count.plus(done)
                if statement is not None:
                    await connection.execute(statement)
        if len(rows) < PORTION:
            return count
        after = _key_of_row(_OF_ALL, rows)


def _outdated(kept: _Kept, vault: Vault, after: tuple[Any, ...] | None) -> Select[Any]:
    """The next rows of a table with a secret that another key was used for, locked for a moment."""
    table = kept.model.__table__
    wanted = select(table).where(or_(*(_is_outdated(getattr(kept.model, name), vault) for name in kept.columns)))
    if after is not None:
        wanted = wanted.where(tuple_(*kept.key) > after)
    return wanted.order_by(*kept.key).limit(PORTION).with_for_update()


def _is_outdated(column: InstrumentedAttribute[Any], vault: Vault) -> ColumnElement[bool]:
    return func.encode(func.substring(column, 2, 4), cast("hex", Text)) != vault.key_id


def _sealed_anew(kept: _Kept, vault: Vault, row: Any) -> tuple[Executable | None, _Count]:
    """How a row is brought to the newest key, and how many secrets of it are."""
    values: dict[str, Any] = {}
    unreadable = 0
    for column in kept.columns:
        sealed = getattr(row, column)
        if sealed is None or key_of(sealed) == vault.key_id:
            continue
        place = kept.place(row, column)
        try:
            values[column] = vault.seal(place, vault.open(place, sealed))
        except SecretUnreadable:
            unreadable += 1
    if not values:
        return None, _Count(0, unreadable)
    marked = {"key_id": vault.key_id} if "key_id" in kept.model.__table__.columns else {}
    this = (column == getattr(row, column.key) for column in kept.key)
    statement = update(kept.model).where(*this).values({**values, **marked})
    return statement.execution_options(synchronize_session=False), _Count(len(values), unreadable)


def _key_of_row(kept: _Kept, rows: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(getattr(rows[-1], column.key) for column in kept.key)
