"""What a customer may ask for: a copy of everything that is kept of them, and to be made unreadable."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import typer

from cli import terminal
from cli.tenants import Slug
from cli.terminal import Data

if TYPE_CHECKING:
    from domain.core.settings import Settings
    from domain.customers.model import PrivacyRequest

customers = terminal.app("Export and erase customers.")

CustomerId = Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id, as the API shows it.")]


@customers.command("export")
def export_customer(
    tenant: Slug,
    customer: CustomerId,
    to: Annotated[Path | None, typer.Option(help="The file to write; stdout unless given.")] = None,
    data: Data = None,
) -> None:
    """Write everything that is kept of a customer as JSON."""
    import orjson

    from domain.core.problems import Invalid

    kept = terminal.run(_export(terminal.settings(data), tenant, _id(customer)))
    written = orjson.dumps(kept, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    if to is None:
        typer.echo(written, nl=False)
        return
    try:
        to.touch(mode=0o600)
        to.write_bytes(written)
    except OSError as failed:
        raise Invalid(f"{to} cannot be written: {failed.strerror}.") from failed
    terminal.say(f"Everything that is kept of {customer} is in {to}.")


@customers.command("erase")
def erase_customer(
    tenant: Slug,
    customer: CustomerId,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,  # noqa: FBT002 - a flag of the command line
    data: Data = None,
) -> None:
    """Make a customer unreadable for good, and print the certificate of what was done."""
    erased = _id(customer)
    if not yes:
        typer.confirm(f"Erase {customer} of {tenant} for good?", abort=True, err=True)
    request = terminal.run(_erase(terminal.settings(data), tenant, erased))
    for step in request.steps:
        terminal.say(f"{step['table']}: {step['deed']} {step['rows']}")
    typer.echo((request.certificate or b"").hex())


def _id(text: str) -> UUID:
    """A customer's id, as the API shows it or bare. Raises NotFound for anything that is none."""
    from domain.core.problems import NotFound

    try:
        return UUID(text.removeprefix("cus_"))
    except ValueError as wrong:
        raise NotFound from wrong


async def _export(settings: Settings, slug: str, customer_id: UUID) -> dict[str, Any]:
    from domain.customers import privacy
    from domain.tenants import queries

    async with (
        terminal.opened(settings) as database,
        database.unit_of_work(await queries.by_slug(database, slug)) as work,
    ):
        return await privacy.hand_over(work, customer_id)


async def _erase(settings: Settings, slug: str, customer_id: UUID) -> PrivacyRequest:
    from cli.installation import eraser
    from domain.customers import privacy
    from domain.tenants import queries

    with terminal.waiting("Erasing"):
        async with (
            eraser(settings) as database,
            database.unit_of_work(await queries.by_slug(database, slug)) as work,
        ):
            return await privacy.erase_customer(work, customer_id)
