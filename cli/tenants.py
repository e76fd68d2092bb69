"""Tenants, their tokens and their audit logs, for the operator."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import terminal
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from domain.core.audit import Head
    from domain.core.settings import Settings
    from domain.tenants.actions import IssuedToken, NewTenant
    from domain.tenants.model import ApiToken, TenantEntry

tenants = terminal.app("Open and list tenants.")
tokens = terminal.app("Issue, list and revoke API tokens.")
audit = terminal.app("Check the audit log.")

Slug = Annotated[str, typer.Argument(metavar="TENANT", help="The tenant's short name.")]
RoleName = Literal["VIEWER", "AGENT", "ANALYST", "ADMIN"]
CalendarName = Literal["GREGORIAN", "JALALI"]
LanguageName = Literal["en", "fa"]

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def duration(text: str) -> timedelta:
    """A length of time such as 15m, 12h or 30d."""
    found = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", text)
    if found is None:
        raise typer.BadParameter(f"{text} is no length of time: write 15m, 12h or 30d.")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


@tenants.command("create")
def create_tenant(
    slug: Annotated[str, typer.Argument(help="The short name that commands use.")],
    name: Annotated[str | None, typer.Option(help="The name of the business; the slug unless given.")] = None,
    time_zone: Annotated[str, typer.Option(help="The IANA time zone in which its days begin.")] = "UTC",
    currency: Annotated[str, typer.Option(help="The currency of its totals (ISO 4217).")] = "EUR",
    calendar: Annotated[
        CalendarName, typer.Option(help="The calendar of its days.", case_sensitive=False)
    ] = "GREGORIAN",
    locale: Annotated[LanguageName, typer.Option(help="The language of its labels.")] = "en",
    data: Data = None,
) -> None:
    """Open a tenant and print its id."""
    from domain.tenants.actions import NewTenant
    from domain.tenants.model import Calendar

    new = NewTenant(
        slug=slug, name=name or slug, time_zone=time_zone, calendar=Calendar(calendar), base_currency=currency,
        locale=locale,
    )  # fmt: skip
    typer.echo(terminal.run(_create_tenant(terminal.settings(data), new)))


@tenants.command("list")
def list_tenants(data: Data = None) -> None:
    """Print every tenant: short name, status, id."""
    for entry in terminal.run(_every_tenant(terminal.settings(data))):
        typer.echo(f"{entry.slug}\t{entry.status}\t{entry.id}")


@tokens.command("create")
def create_token(
    tenant: Slug,
    scope: Annotated[
        list[str] | None, typer.Option(help="What it may do; all that the role allows unless given.")
    ] = None,
    role: Annotated[RoleName, typer.Option(help="What it is here for.", case_sensitive=False)] = "ADMIN",
    name: Annotated[str, typer.Option(help="What it is for.")] = "command line",
    expires_in: Annotated[
        timedelta | None, typer.Option(parser=duration, metavar="30d", help="When it ends; never unless given.")
    ] = None,
    data: Data = None,
) -> None:
    """Issue a token to a new principal and print it. It is shown this once."""
    issued = terminal.run(_create_token(terminal.settings(data), tenant, scope, role, name, expires_in))
    terminal.say(f"Token {issued.token.id} of {tenant}: {' '.join(issued.token.scopes)}. It is shown this once.")
    typer.echo(str(issued.secret))


@tokens.command("list")
def list_tokens(tenant: Slug, data: Data = None) -> None:
    """Print every token of a tenant: id, beginning, name, state."""
    for token in terminal.run(_tokens(terminal.settings(data), tenant)):
        ends = f"expires {token.expires_at:%Y-%m-%d %H:%M}Z" if token.expires_at else "does not expire"
        state = f"revoked {token.revoked_at:%Y-%m-%d %H:%M}Z" if token.revoked_at else ends
        typer.echo(f"{token.id}\ttnr_{token.prefix}\t{token.name}\t{state}")


@tokens.command("revoke")
def revoke_token(
    tenant: Slug, token: Annotated[str, typer.Argument(help="The token's id.")], data: Data = None
) -> None:
    """End a token now."""
    terminal.run(_revoke_token(terminal.settings(data), tenant, token))
    terminal.say(f"Token {token} of {tenant} is revoked.")


@audit.command("verify")
def verify_audit(
    tenant: Slug,
    earlier: Annotated[str | None, typer.Option(metavar="LENGTH:DIGEST", help="What an earlier check printed.")] = None,
    data: Data = None,
) -> None:
    """Recompute a tenant's audit chain and print its length and head digest: keep them, to compare with later."""
    from domain.core.audit import Head

    head = Head(*_head(earlier)) if earlier else None
    found = terminal.run(_verify(terminal.settings(data), tenant, head))
    terminal.say(f"The audit log of {tenant} is whole: {found.length} entries.")
    typer.echo(f"{found.length}:{found.digest.hex()}")


def _head(text: str) -> tuple[int, bytes]:
    found = re.fullmatch(r"([0-9]{1,18}):([0-9a-f]{64})", text)
    if found is None:
        raise typer.BadParameter("Give what an earlier check printed, LENGTH:DIGEST.", param_hint="--earlier")
    return int(found[1]), bytes.fromhex(found[2])


async def _create_tenant(settings: Settings, new: NewTenant) -> UUID:
    from domain.tenants import actions

    async with terminal.opened(settings) as database:
        return await actions.create_tenant(database, new)


async def _every_tenant(settings: Settings) -> Sequence[TenantEntry]:
    from domain.tenants import queries

    async with terminal.opened(settings) as database:
        return await queries.every_tenant(database)


async def _create_token(
    settings: Settings, slug: str, scopes: list[str] | None, role: str, name: str, expires_in: timedelta | None
) -> IssuedToken:
    from domain.tenants import actions, queries
    from domain.tenants.model import Role
    from domain.tenants.rules import SCOPES_OF_ROLE

    async with terminal.opened(settings) as database:
        tenant_id = await queries.by_slug(database, slug)
        async with database.unit_of_work(tenant_id) as work:
            principal = await actions.create_principal(work, name, Role(role))
            return await actions.create_token(work, principal, name, scopes or sorted(SCOPES_OF_ROLE[role]), expires_in)


async def _tokens(settings: Settings, slug: str) -> Sequence[ApiToken]:
    from domain.tenants import queries

    async with (
        terminal.opened(settings) as database,
        database.reading(await queries.by_slug(database, slug)) as reading,
    ):
        return await queries.tokens(reading)


async def _revoke_token(settings: Settings, slug: str, token: str) -> None:
    from uuid import UUID

    from domain.core.problems import NotFound
    from domain.tenants import actions, queries

    try:
        token_id = UUID(token)
    except ValueError as wrong:
        raise NotFound from wrong
    async with (
        terminal.opened(settings) as database,
        database.unit_of_work(await queries.by_slug(database, slug)) as work,
    ):
        await actions.revoke_token(work, token_id)


async def _verify(settings: Settings, slug: str, earlier: Head | None) -> Head:
    from domain.core import audit
    from domain.tenants import queries

    async with (
        terminal.opened(settings) as database,
        database.reading(await queries.by_slug(database, slug)) as reading,
    ):
        return await audit.verify(reading, earlier)
