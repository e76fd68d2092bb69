"""Imports: a connector's stream is read from its beginning to its end, resumed after a crash, or only tried out."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.exc import DBAPIError

from domain.core import planning
from domain.core.problems import Conflict, Invalid
from sync import land, runs, settle, staging
from sync.landing import rejects
from sync.pull import LOST, is_loss
from tenure_sdk import ConfigInvalid, ConnectorError, Context, CursorExpired, LinePage, Page

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping
    from pathlib import Path
    from uuid import UUID

    from domain.core.database import Database
    from domain.core.unit_of_work import Writing
    from sync.runs import Counts, Run
    from tenure_sdk import Account, Connector, Cursor, Record, Stream

    Report = Callable[["Progress"], None]

MODE = "FULL"


class ImportRefused(Invalid):
    """The input cannot be imported as it is. Correct what the message names."""


class ImportInterrupted(Conflict):
    """The import could not be finished. What it has read stays; run it again and it goes on from there."""


@dataclass(frozen=True)
class Progress:
    """How far an import has come: `share` of the input is read, 0 to 1, or nobody knows."""

    share: float | None
    counts: Counts
    reading: bool


@dataclass(frozen=True)
class Imported:
    """What an import has done, or would do (`dry_run`)."""

    run_id: UUID
    counts: Counts
    dry_run: bool
    resumed: bool


@dataclass(frozen=True)
class Preview:
    """The first records as they would be taken, and what would be left out."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    rejects: list[Any]


async def run(
    database: Database,
    tenant_id: UUID,
    connector: type[Connector[Any]],
    config: Mapping[str, Any],
    *,
    dry_run: bool = False,
    rejects_file: Path | None = None,
    report: Report = lambda _: None,
) -> Imported:
    """Read everything that the settings lead to and land it; after a crash, go on where it stopped.

    A second import of the same input changes nothing. A dry run does all of it and takes it back, so its counts are
    those of the real one. Raises ImportRefused for settings or input that cannot be read, StreamBusy while another
    import of the same source is at work.
    """
    reader = Reader.of(connector, config, database)
    account = await reader.check()
    steps = _Steps(database, tenant_id, together=dry_run)
    async with steps.all():
        work_of = _Import(reader, steps, report)
        opened, resumed = await work_of.open(account, resume=not dry_run)
        await work_of.finish_or_interrupt(opened, rejects_file)
    return Imported(opened.id, opened.counts, dry_run, resumed)


async def preview(
    database: Database, connector: type[Connector[Any]], config: Mapping[str, Any], *, limit: int
) -> Preview:
    """The first records of the input as they would be taken. Nothing is written."""
    reader = Reader.of(connector, config, database)
    await reader.check()
    try:
        async for page in reader.pages(None):
            return _preview(page, limit)
    except ConnectorError as problem:
        raise ImportRefused(str(problem)) from problem
    return Preview((), [], [])


def _preview(page: Page | LinePage, limit: int) -> Preview:
    if isinstance(page, LinePage):
        return Preview(page.columns, list(page.rows[:limit]), list(page.rejects[:limit]))
    records = [_shown(record) for record in page.records[:limit]]
    columns = tuple(dict.fromkeys(name for record in records for name in record))
    return Preview(columns, [tuple(map(record.get, columns)) for record in records], list(page.rejects[:limit]))


def _shown(record: Record) -> dict[str, Any]:
    values: dict[str, Any] = msgspec.to_builtins(record)
    return {name: value for name, value in values.items() if value not in (None, (), [], {}, False)}


@dataclass(frozen=True)
class Reader:
    """A connector with its settings, reading one of its streams."""

    connector: Connector[Any]
    context: Context[Any]
    stream: Stream

    @classmethod
    def of(cls, connector: type[Connector[Any]], config: Mapping[str, Any], database: Database) -> Reader:
        """The reader of the connector's first stream. Raises ImportRefused where the settings do not fit it."""
        try:
            settings = msgspec.convert(config, connector.config_type())
        except msgspec.ValidationError as problem:
            raise ImportRefused(f"The settings of {connector.title} are wrong: {problem}.") from problem
        return cls(connector(), Context(settings, now=database.clock.now), connector.streams()[0])

    async def check(self) -> Account:
        """The account behind the settings. Raises ImportRefused where they do not work."""
        try:
            return await self.connector.check(self.context)
        except ConnectorError as problem:
            raise ImportRefused(str(problem)) from problem

    def pages(self, cursor: Cursor) -> AsyncIterator[Page | LinePage]:
        """The pages after a cursor."""
        return self.stream.read(self.connector, self.context, cursor)


class _TakeBack(Exception):
    """Ends a dry run: nothing of it is kept."""


def _take_back() -> None:
    raise _TakeBack


@dataclass
class _Steps:
    """Transactions: one for each step, or one for all of them, which is taken back in the end."""

    database: Database
    tenant_id: UUID
    together: bool
    _shared: Writing | None = field(default=None)

    @asynccontextmanager
    async def all(self) -> AsyncIterator[None]:
        """The span in which the steps are taken."""
        if not self.together:
            yield
            return
        try:
            async with self.database.unit_of_work(self.tenant_id) as work:
                self._shared = work
                yield
                _take_back()
        except _TakeBack:
            self._shared = None

    @asynccontextmanager
    async def step(self) -> AsyncIterator[Writing]:
        """One step."""
        if self._shared is not None:
            yield self._shared
            return
        async with self.database.unit_of_work(self.tenant_id) as work:
            yield work


@dataclass
class _Import:
    """One import at work."""

    reader: Reader
    steps: _Steps
    report: Report

    async def open(self, account: Account, *, resume: bool) -> tuple[Run, bool]:
        """The run to work on, and whether an interrupted one goes on."""
        async with self.steps.step() as work:
            integration = await runs.enabled(work, self.reader.connector.key, account)
            opened = await runs.begin(work, integration, self.reader.stream, mode=MODE, resume=resume)
        return opened, opened.checkpoint != runs.Checkpoint(run=opened.id)

    async def finish_or_interrupt(self, opened: Run, rejects_file: Path | None) -> None:
        """Do all that is left of a run; where that fails, leave it so that the next one can go on."""
        try:
            await self._read(opened)
            await self._make(opened)
            await self._settle(opened)
            async with self.steps.step() as work:
                if rejects_file is not None:
                    await rejects.write(work, opened.id, rejects_file)
                await runs.finish(work, opened)
        except ConfigInvalid as problem:  # the input itself is wrong: there is nothing to go on with
            await self._settle(opened)
            async with self.steps.step() as work:
                await runs.finish(work, opened, error=str(problem))
            raise ImportRefused(str(problem)) from problem
        except (*LOST, DBAPIError) as problem:
            if not is_loss(problem):
                raise
            raise ImportInterrupted(
                "The connection to the database was lost. What was committed stays; import again to go on from there."
            ) from problem
        except ConnectorError as problem:
            await self._settle(opened)
            async with self.steps.step() as work:
                await runs.interrupt(work, opened, str(problem))
            raise ImportInterrupted(
                f"{problem} What was read before stays; a new import goes on from there."
            ) from problem

    async def _read(self, opened: Run) -> None:
        if opened.checkpoint.read:
            return
        try:
            await self._land_pages(opened)
        except CursorExpired:
            async with self.steps.step() as work:
                await runs.restart(work, opened)
            await self._land_pages(opened)

    async def _land_pages(self, opened: Run) -> None:
        async for page in self.reader.pages(opened.checkpoint.cursor):
            async with self._landing(opened) as work:
                if isinstance(page, LinePage) and staging.must_wait(page):
                    await staging.stage(work, opened, page)
                else:
                    merged = await land.merge(work, opened, page, refuse_strangers=True)
                    await land.defer(work, opened, merged, cursor=page.cursor)
            self.report(Progress(page.progress, opened.counts, reading=True))

    async def _make(self, opened: Run) -> None:
        """Make the documents that waited for all their lines."""
        if not opened.checkpoint.staged:
            return
        while not opened.checkpoint.read:
            async with self._landing(opened) as work:
                await staging.describe(work, opened)
            self.report(Progress(None, opened.counts, reading=False))
        more = True
        while more:
            async with self._landing(opened) as work:
                more = await staging.make(work, opened) is not None
            self.report(Progress(None, opened.counts, reading=False))

    async def _settle(self, opened: Run) -> None:
        """Settle whom the import touched, once: a worker does so if this cannot."""
        if not self.steps.together:  # what nobody else can see counts for no statistics
            await planning.refresh(self.steps.database)
        more = True
        while more:
            async with self.steps.step() as work:
                await runs.renew(work, opened)
                more = await settle.some(work)
            self.report(Progress(None, opened.counts, reading=False))

    @asynccontextmanager
    async def _landing(self, opened: Run) -> AsyncIterator[Writing]:
        """A step that lands something, whose customers are settled later."""
        async with self.steps.step() as work:
            await settle.announce(work, opened)
            yield work
