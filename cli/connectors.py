"""`tenure connectors`: what is installed, where its code runs, and what the operator decides about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cli import terminal
from cli.terminal import Data

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from domain.core.database import Database
    from domain.core.settings import Settings
    from domain.integrations.model import ConnectorPolicy, Integration
    from sync.registry import Loaded, Registry

    Row = tuple[str, ...]

connectors = terminal.app("Look at the connectors of this installation, and decide about them.")

Key = Annotated[str, typer.Argument(metavar="CONNECTOR", help="The key of the connector.")]
Level = Literal["loop", "process"]


@connectors.command("list")
def list_connectors(data: Data = None) -> None:
    """Print every connector that is installed: its version and tier, where it runs, what keeps it from being used."""
    columns = ("connector", "version", "tier", "distribution", "status", "runs in", "what is in its way")
    terminal.table(columns, terminal.run(_rows(terminal.settings(data))))


@connectors.command("isolate")
def isolate_connector(
    connector: Key,
    level: Annotated[Level, typer.Argument(help="In the worker itself, or in a process of its own.")],
    data: Data = None,
) -> None:
    """Say where a connector's code runs, from its next run on."""
    from domain.integrations.model import Isolation
    from sync.isolation import policies

    terminal.run(_decide(data, connector, lambda to: policies.isolate(to, connector, Isolation(level.upper()))))
    terminal.say(f"{connector} runs in {_PLACES[level.upper()]} from its next run on.")


@connectors.command("block")
def block_connector(
    connector: Key,
    reason: Annotated[str | None, typer.Option(help="Why, for the admins of the tenants.")] = None,
    data: Data = None,
) -> None:
    """Leave a connector alone for all tenants, until it is unblocked; a run that is under way ends as usual."""
    from sync.isolation import policies

    terminal.run(_decide(data, connector, lambda to: policies.block(to, connector, reason)))
    terminal.say(f"{connector} is blocked.")


@connectors.command("unblock")
def unblock_connector(connector: Key, data: Data = None) -> None:
    """Use a connector again; its integrations go on within ten minutes."""
    from sync.isolation import policies

    terminal.run(_decide(data, connector, lambda to: policies.unblock(to, connector)))
    terminal.say(f"{connector} is used again.")


@connectors.command("release")
def release_integration(
    integration: Annotated[str, typer.Argument(help="Its id or, where only one has it, its connector or label.")],
    tenant: Annotated[str, typer.Option(help="The tenant's short name.")],
    data: Data = None,
) -> None:
    """Try an integration again whose connector broke its contract too often."""
    released = terminal.run(_release(terminal.settings(data), tenant, integration))
    terminal.say(f"{released.label} (ing_{released.id.hex}) is {released.state}.")


_PLACES = {"LOOP": "the worker", "PROCESS": "a process of its own"}


async def _rows(settings: Settings) -> list[Row]:
    from sync.isolation import policies

    registry = _registry(settings)
    async with terminal.opened(settings) as database:
        decided = await policies.every(database)
    return [row for loaded in registry.report for row in _of_plugin(settings, registry, decided, loaded)]


def _of_plugin(
    settings: Settings, registry: Registry, decided: dict[str, ConnectorPolicy], loaded: Loaded
) -> Iterator[Row]:
    """A line for each connector of a plugin; one for the plugin where it brings none."""
    from domain.integrations.model import ConnectorPolicy
    from sync.access import readiness
    from sync.isolation import policies

    came = (loaded.distribution, loaded.status.value)
    unknown = [f"unknown hook {name}" for name in loaded.unknown_hooks]
    if not loaded.connectors:
        yield (
            loaded.entry,
            loaded.version,
            "",
            *came,
            "",
            "; ".join([loaded.error, *unknown] if loaded.error else unknown),
        )
    for key in loaded.connectors:
        connector, policy = registry.connectors[key], decided.get(key) or ConnectorPolicy(connector=key, blocked=False)
        blocked = [f"blocked{f': {policy.reason}' if policy.reason else ''}"] if policy.blocked else []
        obstacles = [*blocked, *readiness.missing(settings, connector), *unknown]
        place = _PLACES[policies.level(policy, registry.origins[key])]
        tier = registry.tiers.get(key, "none")
        yield (key, connector.version, tier, *came, place, " ".join(obstacles) or "nothing")


def _registry(settings: Settings) -> Registry:
    from sync import registry

    return registry.load(admission=registry.Admission.of(settings))


async def _decide(data: Data, connector: str, decide: Callable[[Database], Awaitable[None]]) -> None:
    """Note a decision about a connector that is installed. Raises UnknownConnector."""
    settings = terminal.settings(data)
    _registry(settings).connector(connector)
    async with terminal.opened(settings) as database:
        await decide(database)


async def _release(settings: Settings, slug: str, name: str) -> Integration:
    from domain.integrations import queries
    from domain.tenants.queries import by_slug
    from sync import overview, troubles

    async with terminal.opened(settings) as database, database.unit_of_work(await by_slug(database, slug)) as work:
        found = await queries.integration(work, (await overview.named(work, name)).id, lock=True)
        await troubles.release(work, found)
        return found
