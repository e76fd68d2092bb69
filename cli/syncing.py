"""`tenure sync` and `tenure reconcile`: have streams read, watch it, and compare both sides."""

from __future__ import annotations

import asyncio
import sys
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple
from uuid import UUID

import typer
from typer.core import TyperGroup

from cli import terminal
from cli.integrations import Name, Tenant, compared
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Iterable, Sequence

    from rich.table import Table

    from domain.core.database import Database
    from domain.core.settings import Settings
    from domain.core.unit_of_work import Reading
    from domain.integrations.model import Integration, ReconciliationReport, SyncRun
    from sync.pull import Pulled
    from sync.reconcile import Found
    from sync.switchboard import Switchboard
    from tenure_sdk import Connector


class OrRun(TyperGroup):
    """A group whose command `run` need not be named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take what is neither a command nor a request for help as what `run` is given."""
        if args and args[0] not in {*self.commands, "-h", "--help"}:
            args = ["run", *args]
        return super().parse_args(ctx, args)


sync = terminal.app("Have streams read, and watch it.")
reconcile = terminal.app("Compare both sides of an integration; `run` need not be written.", cls=OrRun)

ModeName = Literal["INCREMENTAL", "BACKFILL", "FULL", "REBUILD"]

_RECENTLY, _JUST_NOW = timedelta(hours=1), timedelta(minutes=1)
_SHOWN = 20
"""How many differences are printed."""
_TICK = 0.5

_COLUMNS = ("stream", "mode", "read", "of", "new", "changed", "rejected", "rows/s", "ends", "state")


class Watched(NamedTuple):
    """The runs of an integration, and whether more are about to begin."""

    runs: Sequence[SyncRun]
    goes_on: bool


@sync.command("run")
def run_sync(
    integration: Name,
    tenant: Tenant,
    stream: Annotated[list[str] | None, typer.Option(help="A stream; all that are switched on unless given.")] = None,
    mode: Annotated[ModeName, typer.Option(help="How much of it.", case_sensitive=False)] = "INCREMENTAL",
    here: Annotated[bool, typer.Option("--here", help="Read in this process, not in the worker that runs.")] = False,  # noqa: FBT002 - a flag of the command line
    follow: Annotated[bool, typer.Option("--follow", help="Show how far it is until it is over.")] = False,  # noqa: FBT002 - a flag of the command line
    data: Data = None,
) -> None:
    """Have streams read now: by the worker that runs, or here; exit code 1 when one could not be read to its end."""
    settings = terminal.settings(data)
    if here:
        _read_here(settings, tenant, integration, stream or [], mode)
        return
    asked = terminal.run(_requested(settings, tenant, integration, stream or [], mode))
    if follow:
        runs = terminal.run(_status(settings, tenant, integration, follow=True, only=asked.values()))
        if any(run.error for run in runs):
            raise typer.Exit(1)
        return
    for name, run_id in asked.items():
        typer.echo(f"{name}\trun_{run_id.hex}")
    terminal.say(f"Asked the worker. Watch it: tenure sync status {integration} --tenant {tenant} --follow")


@sync.command("status")
def sync_status(
    integration: Name,
    tenant: Tenant,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until everything is read.")] = False,  # noqa: FBT002 - a flag of the command line
    data: Data = None,
) -> None:
    """Print the runs of the last hour: how much is read, how fast, and when they may be over.

    With --follow those of the last minute and all that begin, until nothing is read any more.
    """
    terminal.run(_status(terminal.settings(data), tenant, integration, follow=follow))


@reconcile.command("run")
def run_reconcile(
    integration: Name,
    tenant: Tenant,
    deep: Annotated[bool, typer.Option("--deep", help="Look into every record, whatever its version says.")] = False,  # noqa: FBT002 - a flag of the command line
    data: Data = None,
) -> None:
    """Compare both sides and print the report with its digest; exit code 1 when they are not alike."""
    report, found = terminal.run(_compared(terminal.settings(data), tenant, integration, deep=deep))
    _print_report(report, found)
    if report.matching < report.compared:
        raise typer.Exit(1)


@reconcile.command("verify")
def verify_report(
    report: Annotated[str, typer.Argument(metavar="REPORT", help="The report's id.")], tenant: Tenant, data: Data = None
) -> None:
    """Compute a report's digest again and print it; exit code 1 when the report is not as it was written."""
    is_whole, digest = terminal.run(_verified(terminal.settings(data), tenant, report))
    terminal.say(f"The report {report} is as it was written." if is_whole else f"The report {report} was changed.")
    typer.echo(digest)
    if not is_whole:
        raise typer.Exit(1)


def _read_here(settings: Settings, tenant: str, integration: str, streams: list[str], mode: str) -> None:
    from sync.troubles import Outcome

    pulled = terminal.run(_pulled(settings, tenant, integration, streams, mode))
    for name, done in pulled.items():
        counts = done.counts
        typer.echo(
            f"{name}: {done.outcome.lower()}; {counts.read:,} read, {counts.created:,} new, "
            f"{counts.updated:,} changed, {counts.deleted:,} deleted, {counts.rejected:,} rejected"
            + (f", {counts.unreadable:,} values cannot be read" if counts.unreadable else "")
            + (f", {counts.strangers:,} of nobody known" if counts.strangers else "")
        )
    if any(done.outcome is not Outcome.FINISHED for done in pulled.values()):
        raise typer.Exit(1)


def _print_report(report: ReconciliationReport, found: Sequence[Found]) -> None:
    kinds = ("missing_local", "missing_remote", "different", "awaiting_push", "rejected")
    terminal.table(
        ("stream", "here", "there", "alike", *(kind.replace("_", " ") for kind in kinds)),
        (
            (
                each["stream"], f"{each['local_count']:,}", f"{each['remote_count']:,}", f"{each['matching']:,}",
                *(f"{each[kind]:,}" for kind in kinds),
            )
            for each in report.streams
        ),
    )  # fmt: skip
    for each in found[:_SHOWN]:
        typer.echo(
            f"{each.type} {each.remote_id}: {each.kind.lower().replace('_', ' ')} {', '.join(each.fields)}".rstrip()
        )
    if len(found) > _SHOWN:
        typer.echo(f"and {len(found) - _SHOWN:,} more")
    typer.echo(f"report    rec_{report.id.hex}")
    typer.echo(f"accuracy  {compared(report)}")
    typer.echo(f"digest    {report.digest.hex()}")


async def _requested(settings: Settings, tenant: str, name: str, streams: list[str], mode: str) -> dict[str, UUID]:
    from domain.integrations.model import RunMode
    from domain.tenants.queries import by_slug
    from sync import overview
    from sync.requests import request_sync

    async with terminal.opened(settings) as database:
        async with database.unit_of_work(await by_slug(database, tenant)) as work:
            integration = await overview.named(work, name)
            chosen = await _chosen(work, integration, streams)
            made = await request_sync(work, integration.id, chosen, RunMode(mode))
        return dict(zip(chosen, made, strict=True))


async def _pulled(settings: Settings, tenant: str, name: str, streams: list[str], mode: str) -> dict[str, Pulled]:
    from domain.integrations.model import RunMode
    from sync.pull import pull

    async with _connected(settings, tenant, name) as (database, board, integration):
        connector = board.registry.connector(integration.connector)
        async with database.reading(integration.tenant_id) as reading:
            chosen = await _chosen(reading, integration, streams)
        done = {}
        async with board.remotes.open(integration.tenant_id, integration.id) as remote:
            for stream in _in_order(connector, chosen):
                with terminal.waiting(f"Reading {stream}"):
                    done[stream] = await pull(
                        database, remote, integration.tenant_id, integration.id, stream, mode=RunMode(mode)
                    )
        return done


async def _chosen(work: Reading, integration: Integration, streams: list[str]) -> list[str]:
    """The streams that are named, or all that are switched on. Raises UnknownStream."""
    from domain.integrations import queries, rules

    known = await queries.settings(work, integration.id)
    rules.check_streams(streams, known)
    return streams or sorted(name for name, setting in known.items() if setting.enabled)


def _in_order(connector: type[Connector[Any]], chosen: Iterable[str]) -> list[str]:
    """Streams after those that they depend on."""
    wanted = set(chosen)
    depends = {stream.name: set(stream.depends_on) for stream in connector.streams()}
    return [name for name in TopologicalSorter(depends).static_order() if name in wanted]


async def _compared(
    settings: Settings, tenant: str, name: str, *, deep: bool
) -> tuple[ReconciliationReport, Sequence[Found]]:
    from sync import reconcile as reconciling

    async with _connected(settings, tenant, name) as (database, board, integration):
        async with board.remotes.open(integration.tenant_id, integration.id) as remote:
            with terminal.waiting("Comparing both sides"):
                report_id = await reconciling.reconcile(
                    database, remote, integration.tenant_id, integration.id, deep=deep
                )
        async with database.reading(integration.tenant_id) as reading:
            return await reconciling.report_of(reading, report_id), await reconciling.differences(reading, report_id)


async def _verified(settings: Settings, tenant: str, report: str) -> tuple[bool, str]:
    from domain.core.problems import NotFound
    from domain.tenants.queries import by_slug
    from sync import reconcile as reconciling

    try:
        report_id = UUID(report.removeprefix("rec_"))
    except ValueError as wrong:
        raise NotFound(id=report) from wrong
    async with terminal.opened(settings) as database, database.reading(await by_slug(database, tenant)) as reading:
        is_whole = await reconciling.verify(reading, report_id)
        return is_whole, (await reconciling.report_of(reading, report_id)).digest.hex()


async def _status(
    settings: Settings, tenant: str, name: str, *, follow: bool, only: Collection[UUID] = ()
) -> Sequence[SyncRun]:
    """Print the runs of an integration, or `only` these, and what became of them."""
    from domain.tenants.queries import by_slug
    from sync import overview

    async with terminal.opened(settings) as database:
        tenant_id = await by_slug(database, tenant)
        async with database.reading(tenant_id) as reading:
            integration = await overview.named(reading, name)
            now = reading.now
        if not follow:
            runs = (await _watched(database, integration, now - _RECENTLY)).runs
            terminal.table(_COLUMNS, map(_row, runs))
            return runs
        watching = _watching(database, integration, now - _JUST_NOW, frozenset(only))
        return await (_show(watching) if sys.stdout.isatty() else _tell(watching))


async def _watching(
    database: Database, integration: Integration, since: datetime, only: frozenset[UUID]
) -> AsyncIterator[Sequence[SyncRun]]:
    """The runs again and again, until nothing is read any more; where `only` some are meant, until these are over."""
    watched = Watched((), goes_on=True)
    while watched.goes_on:
        watched = await _watched(database, integration, since, only)
        yield watched.runs
        if watched.goes_on:
            await asyncio.sleep(_TICK)


async def _show(watching: AsyncIterator[Sequence[SyncRun]]) -> Sequence[SyncRun]:
    """One table that changes in its place; what became of the runs."""
    from rich.live import Live

    runs: Sequence[SyncRun] = ()
    with Live(refresh_per_second=4) as live:
        async for runs in watching:
            live.update(_drawn(runs))
    return runs


async def _tell(watching: AsyncIterator[Sequence[SyncRun]]) -> Sequence[SyncRun]:
    """A line whenever a run has come further; what became of the runs."""
    told: dict[UUID, tuple[str, ...]] = {}
    runs: Sequence[SyncRun] = ()
    async for runs in watching:
        for run in runs:
            row = _row(run)
            if told.get(run.id) != row:
                told[run.id] = row
                named = zip(_COLUMNS, row, strict=True)
                typer.echo("  ".join(f"{name} {value}" for name, value in named if value))
    return runs


async def _watched(
    database: Database, integration: Integration, since: datetime, only: frozenset[UUID] = frozenset()
) -> Watched:
    from sync import overview, requests

    async with database.reading(integration.tenant_id) as reading:
        every = await overview.runs_of(reading, integration.id, since)
        waits = not only and await requests.is_due(reading, integration.id)
    runs = [run for run in every if run.id in only] if only else every
    return Watched(runs, goes_on=waits or any(run.ended_at is None and run.error is None for run in runs))


def _drawn(runs: Iterable[SyncRun]) -> Table:
    return terminal.drawn(_COLUMNS, map(_row, runs))


def _row(run: SyncRun) -> tuple[str, ...]:
    """What people see of a run."""
    counts = run.counters
    ends = datetime.fromisoformat(counts["ends_at"]).astimezone() if "ends_at" in counts and not run.ended_at else None
    state = "read" if run.ended_at else "being read" if counts.get("read") or "expected" in counts else "waits"
    return (
        run.stream, run.mode, f"{counts.get('read', 0):,}", f"{counts['expected']:,}" if "expected" in counts else "",
        f"{counts.get('created', 0):,}", f"{counts.get('updated', 0):,}", f"{counts.get('rejected', 0):,}",
        f"{counts['rate']:,}" if "rate" in counts else "", f"{ends:%H:%M:%S}" if ends else "", run.error or state,
    )  # fmt: skip


@asynccontextmanager
async def _connected(
    settings: Settings, tenant: str, name: str
) -> AsyncIterator[tuple[Database, Switchboard, Integration]]:
    """An integration, with what its other side is reached by."""
    from domain.tenants.queries import by_slug
    from sync import overview
    from sync.switchboard import Switchboard

    async with terminal.opened(settings) as database, Switchboard(database, settings) as board:
        async with database.reading(await by_slug(database, tenant)) as reading:
            integration = await overview.named(reading, name)
        yield database, board, integration
