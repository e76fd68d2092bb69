"""`tenure integrations`: what is connected for a tenant, and how it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli import terminal
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from domain.core.settings import Settings
    from domain.integrations.model import ReconciliationReport
    from sync.overview import View

integrations = terminal.app("Look at what is connected for a tenant.")

Tenant = Annotated[str, typer.Option(help="The tenant's short name.")]
Name = Annotated[
    str, typer.Argument(metavar="INTEGRATION", help="Its id or, where only one has it, its connector or label.")
]

_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60


@integrations.command("list")
def list_integrations(tenant: Tenant, data: Data = None) -> None:
    """Print every integration: state, lag, records, conflicts, accuracy, and what waits for a person."""
    found = terminal.run(_views(terminal.settings(data), tenant))
    terminal.table(
        ("integration", "connector", "state", "lag", "records", "conflicts", "accuracy", "waits for a person"),
        (
            (
                view.integration.label, view.integration.connector, view.integration.state,
                ago(view.lag) if view.streams else "",
                f"{view.records:,}", f"{view.waiting['conflicts']:,}", compared(view.report),
                "; ".join(view.attention) or "nothing",
            )
            for view in found
        ),
    )  # fmt: skip


@integrations.command("show")
def show_integration(integration: Name, tenant: Tenant, data: Data = None) -> None:
    """Print one integration with its streams, its accuracy and what waits for a person."""
    [view] = terminal.run(_views(terminal.settings(data), tenant, integration))
    of = view.integration
    told = {
        "integration": f"{of.label} (ing_{of.id.hex})",
        "connector": f"{of.connector} {of.connector_version or ''}".rstrip(),
        "account": of.account_label or of.account or "none yet",
        "state": f"{of.state}: {of.reason}" if of.reason else of.state,
        "accuracy": compared(view.report),
        "compared": ", ".join(each["stream"] for each in view.report.streams) if view.report else "nothing yet",
        "waits for a person": "; ".join(view.attention) or "nothing",
    }
    for name, value in told.items():
        typer.echo(f"{name:<20}{value}")
    typer.echo()
    terminal.table(
        ("stream", "direction", "records", "read", "now"),
        (
            (
                stream.name, stream.direction, "" if stream.known is None else f"{stream.known:,}", ago(stream.lag),
                stream.idle_because or ("being read" if stream.is_read else ""),
            )
            for stream in view.streams
        ),
    )  # fmt: skip


def ago(lag: timedelta | None) -> str:
    """A length of time that has gone by, in its largest unit."""
    if lag is None:
        return "never"
    seconds = max(int(lag.total_seconds()), 0)
    for unit, name in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds // unit} {name} ago"
    return f"{seconds} s ago"


def compared(report: ReconciliationReport | None) -> str:
    """The accuracy that a comparison of both sides found, with how many records it is of."""
    from sync.overview import accuracy

    return share(None) if report is None else f"{share(accuracy(report))} of {report.compared:,}"


def share(accuracy: float | None) -> str:
    """An accuracy as people read it; one that is not whole never looks whole."""
    if accuracy is None:
        return "not compared"
    return "100 %" if accuracy == 1 else f"{int(accuracy * 10_000) / 100:.2f} %"


async def _views(settings: Settings, slug: str, name: str | None = None) -> Sequence[View]:
    from domain.tenants.queries import by_slug
    from sync import overview, registry

    known = registry.load(admission=registry.Admission.of(settings))
    async with terminal.opened(settings) as database, database.reading(await by_slug(database, slug)) as reading:
        chosen = await overview.every(reading) if name is None else [await overview.named(reading, name)]
        return [await overview.view(reading, known, each) for each in chosen]
