"""What was measured of initiatives, as a page; and whether what was sealed before them is what it was."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cli import terminal
from cli.integrations import Tenant
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.settings import Settings
    from domain.core.unit_of_work import Reading
    from domain.initiatives.model import BaselineSnapshot

initiative = terminal.app("What initiatives brought.")
baseline = terminal.app("The sealed baselines of initiatives.")

BROKEN = 1
"""The exit code where a seal is not what it was, or a head that was kept is in no chain."""


@initiative.command("report")
def report(
    initiative_id: Annotated[str, typer.Argument(metavar="INITIATIVE", help="Its id, as the API shows it.")],
    tenant: Tenant,
    out: Annotated[Path, typer.Option(help="The directory to write to.")] = Path("initiative-report"),
    data: Data = None,
) -> None:
    """Write the latest measurement of an initiative as a page of Markdown with its pictures beside it."""
    from domain.core.problems import Invalid

    told, language = terminal.run(_told(terminal.settings(data), tenant, _id(initiative_id)))
    with terminal.waiting("Drawing"):
        files = _files(told, language)
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (out / name).write_bytes(content)
    except OSError as failed:
        raise Invalid(f"{out} cannot be written: {failed.strerror}.") from failed
    typer.echo(out / "report.md")


@baseline.command("verify")
def verify(
    tenant: Tenant,
    head: Annotated[
        list[str] | None, typer.Option(metavar="HEX", help="A head that was kept; can be given several times.")
    ] = None,
    data: Data = None,
) -> None:
    """Recompute every sealed baseline of a tenant, and say which chain still contains a head that was kept.

    Exit code 1 when a baseline is not what was sealed, or no intact chain contains the head.
    """
    kept = [_head(each) for each in head or []]
    found = terminal.run(_verified(terminal.settings(data), tenant))
    terminal.table(("Initiative", "Sealed", "Customers", "Days", "State", "Head of the chain"), map(_row, found))
    places = [_place(each, found) for each in kept]
    if kept:
        terminal.table(
            ("Kept head", "Where it is"),
            ((of, at or "IN NO INTACT CHAIN") for of, at in zip(kept, places, strict=True)),
        )
    if any(each.broken for each in found) or None in places:
        raise typer.Exit(BROKEN)


class _Verified(NamedTuple):
    """An initiative with its seal, which may be gone, the hashes of its chain, and what is wrong with it."""

    initiative_id: UUID
    header: BaselineSnapshot | None
    chain: Sequence[bytes]
    broken: str | None


def _head(text: str) -> str:
    """A head, or its beginning, in small digits."""
    if not re.fullmatch("[0-9a-fA-F]{16,64}", text):
        message = "Give a head as it was printed: 64 hexadecimal digits, or the first 16 that a report shows."
        raise typer.BadParameter(message, param_hint="--head")
    return text.lower()


def _place(head: str, found: Sequence[_Verified]) -> str | None:
    """Where an intact chain has a hash that begins so."""
    for each in found:
        hashes = [] if each.broken else [one.hex() for one in each.chain]
        for place, one in enumerate(hashes):
            if one.startswith(head):
                at = "the head" if place == len(hashes) - 1 else f"link {place} of {len(hashes) - 1}"
                return f"{at} of ini_{each.initiative_id.hex}"
    return None


def _row(found: _Verified) -> tuple[str, ...]:
    header, name = found.header, f"ini_{found.initiative_id.hex}"
    if header is None:
        return name, "", "", "", found.broken or "", ""
    counted = f"{header.customers:,}", f"{header.days:,}"
    return name, f"{header.sealed_at:%Y-%m-%d}", *counted, found.broken or "intact", header.head.hex()


def _id(text: str) -> UUID:
    """An initiative's id, as the API shows it or bare. Raises UnknownInitiative for anything that is none."""
    from uuid import UUID

    from domain.initiatives.queries import UnknownInitiative

    try:
        return UUID(text.removeprefix("ini_"))
    except ValueError as wrong:
        raise UnknownInitiative(id=text) from wrong


async def _told(settings: Settings, slug: str, initiative_id: UUID) -> tuple[dict[str, Any], str]:
    from domain.initiatives import queries
    from domain.tenants import queries as tenants

    async with (
        terminal.opened(settings) as database,
        database.reading(await tenants.by_slug(database, slug)) as reading,
    ):
        latest = await queries.latest_measurement(reading, initiative_id)
        return await queries.told(reading, latest), (await tenants.tenant(reading)).locale


def _files(told: dict[str, Any], locale: str) -> dict[str, bytes]:
    """The page and its pictures, by the names of their files."""
    from domain.initiatives import pictures
    from domain.initiatives import report as written

    language = locale.partition("-")[0]
    language = language if language in written.LANGUAGES else written.LANGUAGES[0]
    drawn = pictures.draw(told, language)
    page = written.page(told, language, [(name, shows) for name, (shows, _) in drawn.items()])
    return {"report.md": page.encode(), **{name: picture for name, (_, picture) in drawn.items()}}


async def _verified(settings: Settings, slug: str) -> list[_Verified]:
    """Every initiative that was sealed."""
    from domain.initiatives import queries, seal
    from domain.initiatives.model import InitiativeStatus
    from domain.tenants import queries as tenants

    async with (
        terminal.opened(settings) as database,
        database.reading(await tenants.by_slug(database, slug)) as reading,
    ):
        headers = {header.initiative_id: header for header in await queries.seals(reading)}
        found = [
            _Verified(id_, header, await seal.hashes(reading, header), await _broken(reading, header))
            for id_, header in headers.items()
        ]
        found += [
            _Verified(each.id, None, (), "GONE: it was sealed, and the seal is not there")
            for each in await queries.initiatives(reading)
            if each.status != InitiativeStatus.PLANNED and each.id not in headers
        ]
    return found


async def _broken(reading: Reading, header: BaselineSnapshot) -> str | None:
    from domain.initiatives import seal

    try:
        await seal.read(reading, header)
    except seal.SealBroken as broken:
        return f"BROKEN at {', '.join(f'{name} {value}' for name, value in broken.details.items())}"
    return None
