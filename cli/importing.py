"""`tenure import`: a file becomes customers, purchases and what happened."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import terminal
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from domain.core.settings import Settings
    from sync.imports import Imported, Preview, Progress

CONNECTOR = "files"


def import_file(
    file: Annotated[Path, typer.Argument(help="The file: CSV, fixed width, JSON Lines or Parquet.")],
    mapping: Annotated[Path, typer.Option(help="The mapping (TOML) that says what its columns mean.")],
    tenant: Annotated[str, typer.Option(help="The tenant's short name.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Count what would happen, change nothing.")] = False,  # noqa: FBT002 - a flag of the command line
    preview: Annotated[int | None, typer.Option(help="Show the first records, change nothing.", min=1)] = None,
    rejects: Annotated[Path | None, typer.Option(help="Write what was left out here, as CSV.")] = None,
    data: Data = None,
) -> None:
    """Import a file; again changes nothing, and after a crash it goes on where it stopped."""
    settings = terminal.settings(data)
    config = {"file": str(file), "mapping": str(mapping)}
    if preview is not None:
        _show(terminal.run(_preview(settings, tenant, config, preview)))
        return
    done = terminal.run(_import(settings, tenant, config, rejects, dry_run=dry_run))
    counts = done.counts
    would = "would be " if dry_run else ""
    terminal.say(
        f"{file.name}: {counts.read:,} lines read; {would}created {counts.created:,}, {would}updated "
        f"{counts.updated:,}, unchanged {counts.unchanged:,}, rejected {counts.rejected:,}."
    )
    if counts.doubles:
        terminal.say(f"{counts.doubles:,} lines are of records that come again further down: the last line counts.")
    if counts.unreadable:
        terminal.say(f"{counts.unreadable:,} values cannot be read; their records landed without them.")
    if (counts.rejected or counts.unreadable) and rejects is None:
        terminal.say("Import again with --rejects FILE to see what was left out, and why.")


async def _import(
    settings: Settings, tenant: str, config: dict[str, str], rejects: Path | None, *, dry_run: bool
) -> Imported:
    from domain.tenants.queries import by_slug
    from sync import imports, registry

    connector = registry.load().connector(CONNECTOR)
    async with terminal.opened(settings) as database:
        tenant_id = await by_slug(database, tenant)
        with _bar() as report:
            return await imports.run(
                database, tenant_id, connector, config, dry_run=dry_run, rejects_file=rejects, report=report
            )


async def _preview(settings: Settings, tenant: str, config: dict[str, str], limit: int) -> Preview:
    from domain.tenants.queries import by_slug
    from sync import imports, registry

    connector = registry.load().connector(CONNECTOR)
    async with terminal.opened(settings) as database:
        await by_slug(database, tenant)
        return await imports.preview(database, connector, config, limit=limit)


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress
    from rich.console import Console

    shown = (progress.TextColumn("{task.description}"), progress.TextColumn("{task.fields[found]}"))
    columns = (shown[0], progress.BarColumn(), shown[1], progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("Reading", total=1.0, found="")

        def report(now: Progress) -> None:
            bar.update(
                task,
                description="Reading" if now.reading else "Making documents",
                completed=now.share,
                total=1.0 if now.share is not None else None,
                found=f"{now.counts.read:,} lines, {now.counts.created:,} new",
            )

        yield report


def _show(found: Preview) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*found.columns)
    for row in found.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    console = Console()
    console.print(table)
    for reject in found.rejects:
        console.print(f"line {reject.line}: {reject.field or ''} {reject.reason}", markup=False)
