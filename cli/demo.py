"""`tenure demo`: a lively tenant on this machine, from nothing to the first query."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import terminal

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from uuid import UUID

    from cli.business.promises import Kept
    from cli.vendors.running import Vendors
    from domain.core.database import Database
    from domain.core.settings import Settings

HOME = Path("var/demo")
TENANT = "demo"
ENVIRONMENT = HOME / "env"
"""What other commands need to reach what the demo's server reaches: sourced by a shell."""
HOST = "127.0.0.1"
"""The demo's token stands in a file and its data is made up: it is for this machine alone."""

QUERY = (
    "query Life($email: EmailAddress!) { customer(by: {email: $email}) { "
    "displayName organisation { displayName } stage { stage { name } enteredAt visit } "
    "stageHistory(first: 20) { nodes { stage { name } visit enteredAt exitedAt } } "
    "timeline(first: 5) { nodes { occurredAt kind channel summary } } "
    "orderTotals { orders gross { amount currency } refunded { amount currency } net { amount currency } "
    "firstAt lastAt } } }"
)
"""A customer's stage history, timeline and order totals, on one line."""


_ELSEWHERE = ("database_url", "database_owner_url", "database_eraser_url", "key_file")
"""The settings that would lead to another database."""

CONNECTED = (
    "{ integrations(first: 2) { nodes { label state accuracy streams { name readUntil seenCount } "
    "runs(first: 3) { nodes { stream startedAt read created updated error } } } } }"
)
"""What is connected, on one line."""


def demo(
    port: Annotated[
        int, typer.Option(envvar="PORT", help="The port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8000,
    customers: Annotated[
        int, typer.Option(envvar="TENURE_DEMO_CUSTOMERS", help="How many customers to make up.", min=1, max=200_000)
    ] = 2000,
) -> None:
    """Serve a made-up business with two lively years, on this machine only; its data stays in var/demo."""
    from cli import serving
    from cli.vendors import running

    chosen = _settings()
    with serving.bound(HOST, port) as listening, running.opened(HOME / "vendors.jsonl") as vendors:
        settings = vendors.settings(chosen, serving.address(listening))
        serving.run(_served(settings, listening, vendors, customers))


async def token(database: Database, tenant_id: UUID) -> str:
    """The token in the demo's file; where there is none, or it no longer works, a new one."""
    from cli.asking import DEMO_TOKEN
    from domain.tenants import actions, queries
    from domain.tenants.model import Role
    from domain.tenants.rules import SCOPES_OF_ROLE, TokenRefused

    with suppress(FileNotFoundError, UnicodeDecodeError, TokenRefused):
        known = DEMO_TOKEN.read_text(encoding="ascii").strip()
        await queries.authenticate(database, known)
        return known
    async with database.unit_of_work(tenant_id) as work:
        principal = await actions.create_principal(work, "Demo", Role.ADMIN)
        issued = await actions.create_token(work, principal, "demo", sorted(SCOPES_OF_ROLE[Role.ADMIN]))
    _write_for_me_alone(DEMO_TOKEN, f"{issued.secret}\n")
    return str(issued.secret)


def curl(address: str, bearer: str) -> str:
    """The command that asks for the life of a customer: one line of bash."""
    from cli.business.shirin import EMAIL

    body = json.dumps({"query": QUERY, "variables": {"email": EMAIL}})
    return (
        f"curl -s {address}/graphql -H 'Authorization: Bearer {bearer}' -H 'Content-Type: application/json' "
        f"-d '{body}' | python3 -m json.tool --no-ensure-ascii"
    )


async def _served(settings: Settings, listening: socket.socket, vendors: Vendors, customers: int) -> None:
    """Serve the tenant, its business and its vendors until the demo is stopped."""
    from cli import serving
    from cli.vendors import admitting

    issued = ""
    kept: list[Kept] = []
    listens = asyncio.Event()
    connected: asyncio.Future[Database] = asyncio.get_running_loop().create_future()

    async def prepare(database: Database) -> None:
        nonlocal issued
        issued = await _prepared(database, customers)
        kept.extend(await _measured(database))
        await _connected(settings, database, vendors, issued, customers)
        connected.set_result(database)

    def announce(address: str) -> None:
        typer.echo(_guide(address, issued, vendors.addresses, kept))
        listens.set()

    async def live() -> None:
        await listens.wait()
        comparing = admitting.compare_once_read(await connected, TENANT, vendors.quiet)
        await asyncio.gather(vendors.live(serving.address(listening)), comparing)

    async with vendors.listening():
        living = asyncio.create_task(live())
        try:
            await serving.serve(settings, listening, announce, prepare)
        finally:
            living.cancel()
            await asyncio.wait({living})


async def _connected(settings: Settings, database: Database, vendors: Vendors, issued: str, customers: int) -> None:
    """Have the vendors be as they were, and be let in."""
    from cli.vendors import admitting

    await vendors.remember(customers)
    with vendors.approving():
        await admitting.admit(settings, database, issued)
    _write_for_me_alone(ENVIRONMENT, _exports(settings))


def _exports(settings: Settings) -> str:
    """The settings of the demo's server as commands of a shell."""
    from shlex import quote

    values = {
        "TENURE_DATA": str(settings.data.absolute()),
        "TENURE_PUBLIC_URL": settings.public_url or "",
        "TENURE_SANDBOXES": settings.sandboxes,
        **{f"TENURE_OAUTH_{name}": value.get_secret_value() for name, value in settings.oauth.items()},
    }
    others = " ".join(f"TENURE_{name.upper()}" for name in _ELSEWHERE)
    return f"unset {others}\n" + "".join(f"export {name}={quote(value)}\n" for name, value in values.items())


def _settings() -> Settings:
    """The embedded database of the demo, whatever the environment says of another one."""
    chosen = terminal.settings(HOME, cors_origins="http://localhost:*,http://127.0.0.1:*", metrics_port=0)
    return chosen.model_copy(update=dict.fromkeys(_ELSEWHERE))


async def _prepared(database: Database, customers: int) -> str:
    """Have the tenant, its business and a token that works; the token is returned."""
    from cli.business.filling import fill, is_filled
    from domain.tenants.actions import NewTenant, SlugTaken, create_tenant
    from domain.tenants.queries import by_slug

    with suppress(SlugTaken):
        await create_tenant(database, NewTenant(slug=TENANT, name="Demo Trading", time_zone="Europe/London"))
    tenant_id = await by_slug(database, TENANT)
    if await is_filled(database, tenant_id):
        terminal.say(f"The business in {HOME} is there already; remove that directory to begin anew.")
    else:
        terminal.say(f"Making up a business with {customers:,} customers and two years behind it, in {HOME}.")
        with _bar() as report:
            await fill(database, tenant_id, customers, report)
    return await token(database, tenant_id)


async def _measured(database: Database) -> list[Kept]:
    """Both initiatives, measured."""
    from cli.business.promises import measured
    from domain.tenants.queries import by_slug

    with terminal.waiting("Valuing the customers and measuring two initiatives"):
        return await measured(database, await by_slug(database, TENANT))


def _write_for_me_alone(file: Path, text: str) -> None:
    """Write a file that is whole or not there, and that nobody else can read at any moment."""
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as opened:
        opened.write(text)
    new.replace(file)


@contextmanager
def _bar() -> Iterator[Callable[[float], None]]:
    """A bar on a terminal, nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich import progress
    from rich.console import Console

    columns = (progress.TextColumn("{task.description}"), progress.BarColumn(), progress.TimeElapsedColumn())
    with progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("Two years go by", total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _told(kept: Sequence[Kept]) -> str:
    """What was found of the initiatives, with the truths beside it."""
    if not kept:
        return ""
    lines = [
        f"  {each.promise.name:<16}{each.verdict:<13}{_change(each.change):<34}truth: {_truth(each.promise.effect)}"
        for each in kept
    ]
    return f"""
Two initiatives were for half of the customers each. Their baselines are sealed, and they were measured:
{chr(10).join(lines)}
The whole answer as a page with pictures, and whether the seals are intact:
  . {ENVIRONMENT}; .venv/bin/tenure initiative report ini_{kept[0].initiative_id.hex} --tenant {TENANT}
  . {ENVIRONMENT}; .venv/bin/tenure baseline verify --tenant {TENANT}
"""


def _change(change: float | None) -> str:
    return "" if change is None else f"purchases of each customer {change:+.1%}"


def _truth(effect: float) -> str:
    return f"{effect:+.0%}" if effect else "it changes nothing"


def _guide(address: str, bearer: str, vendors: Mapping[str, str], kept: Sequence[Kept]) -> str:
    return f"""
Tenure listens on {address}/graphql
The token (also in {HOME / "token"}):
{bearer}

Paste this to read a customer's stage history, timeline and order totals:

{curl(address, bearer)}

Then try, in another terminal:
  .venv/bin/tenure query --url {address} '{{ customers(first: 5, search: "mahtab") {{ nodes {{ displayName }} }} }}'

QuickBooks and Outlook are connected, as sandboxes on this machine ({vendors["quickbooks"]} and
{vendors["outlook"]}), where something happens every 20 seconds. What was read of them, and how alike both sides are:
  .venv/bin/tenure query --url {address} '{CONNECTED}'
  . {ENVIRONMENT}; .venv/bin/tenure sync status quickbooks --tenant {TENANT} --follow
  . {ENVIRONMENT}; .venv/bin/tenure reconcile quickbooks --tenant {TENANT}

{_told(kept)}
  docs/tutorial/first-look.md    ten minutes with this data
Ctrl-C stops the demo; its data stays in {HOME}.
"""
