"""What a plugin can implement besides a connector: a module with functions that are marked `@hookimpl`.

The entry point (group `tenure.connectors`) then names the module. A plugin that brings nothing but a connector needs no
hook: its entry point names the class.
"""

from __future__ import annotations

from datetime import datetime
from logging import Logger, LoggerAdapter
from typing import TYPE_CHECKING, Any

import pluggy
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable

    from tenure_sdk.connector import Connector
    from tenure_sdk.metrics import Metric
    from tenure_sdk.templates import LifecycleTemplate

PROJECT = "tenure"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Event(Struct, frozen=True, kw_only=True):
    """Something that happened: its name, whom it is about, and a body of ids and facts without personal values."""

    id: str
    """The same whenever it is told again."""
    name: str
    """Such as `customers.CustomerCreated`."""
    subject: str
    """The id of what it is about, in hexadecimal."""
    body: dict[str, Any]
    occurred_at: datetime


class EventContext(Struct, frozen=True, kw_only=True):
    """For which tenant a plugin is told, and where it may write what it has to say."""

    tenant: str
    """The tenant's id, in hexadecimal."""
    log: Logger | LoggerAdapter[Logger]


@hookspec
def register_connectors() -> Iterable[type[Connector[Any]]]:
    """The connectors that the plugin brings; asked when it is loaded."""
    raise NotImplementedError


@hookspec
def register_lifecycle_templates() -> Iterable[LifecycleTemplate]:
    """The lifecycle templates that the plugin brings, beside those that ship; asked when it is loaded."""
    raise NotImplementedError


@hookspec
def register_metrics() -> Iterable[Metric]:
    """The metrics that the plugin brings, over the facts that there are; asked when it is loaded."""
    raise NotImplementedError


@hookspec
def on_event(event: Event, context: EventContext) -> Awaitable[None] | None:
    """Something happened at a tenant for which a connector of the plugin is enabled; may be `async def`.

    Told at least once, after it is settled, by a worker: know an event that comes again by its id. What an
    implementation raises is logged and counted, and not tried again.
    """
