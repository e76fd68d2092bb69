"""Which connectors are installed: found by entry point, each loaded by itself, so that a broken one harms nobody."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, cast

import pluggy

from domain.core.problems import NotFound
from tenure_sdk import Connector

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

PROJECT = "tenure"
GROUP = "tenure.connectors"
CONTRACT = 1
"""The version of the contract with connectors that this host speaks."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Hooks:
    """What a plugin can implement."""

    @hookspec
    def register_connectors(self) -> Iterable[type[Connector[Any]]]:  # type: ignore[empty-body]
        """The connectors that the plugin brings."""


class UnknownConnector(NotFound):
    """No connector with this key is installed."""


class Status(StrEnum):
    """What became of a plugin when it was loaded."""

    LOADED = "LOADED"
    FAILED = "FAILED"
    INCOMPATIBLE = "INCOMPATIBLE"


@dataclass(frozen=True)
class Loaded:
    """One entry point: the distribution it came from, and its connectors or what went wrong."""

    entry: str
    distribution: str
    version: str
    status: Status
    connectors: tuple[str, ...] = ()
    error: str | None = None


class Incompatible(Exception):
    """The connector speaks another version of the contract."""


@dataclass
class Registry:
    """The connectors that can be used, and a report on every entry point."""

    connectors: dict[str, type[Connector[Any]]] = field(default_factory=dict)
    report: list[Loaded] = field(default_factory=list)

    def connector(self, key: str) -> type[Connector[Any]]:
        """The connector with a key. Raises UnknownConnector, which says why where loading it failed."""
        if key in self.connectors:
            return self.connectors[key]
        failed = "; ".join(f"{loaded.entry}: {loaded.error}" for loaded in self.report if loaded.error)
        known = ", ".join(sorted(self.connectors)) or "none"
        raise UnknownConnector(
            f"No connector {key} is installed; there are: {known}.{f' Not loaded: {failed}.' if failed else ''}"
        )


def load(entries: Iterable[EntryPoint] | None = None) -> Registry:
    """Load every installed connector; one that cannot be loaded is reported and left out."""
    registry, manager = Registry(), pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(Hooks)
    for entry in entry_points(group=GROUP) if entries is None else entries:
        registry.report.append(_loaded(entry, manager, registry.connectors))
    return registry


def _loaded(entry: EntryPoint, manager: pluggy.PluginManager, known: dict[str, type[Connector[Any]]]) -> Loaded:
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
    status, connectors, error = Status.LOADED, {}, None
    try:
        connectors = {connector.key: connector for connector in _connectors(entry, manager)}
        _check_free(connectors.keys() & known.keys())
        known.update(connectors)
    except Incompatible as problem:
        status, error = Status.INCOMPATIBLE, str(problem)
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - a plugin may fail in any way; the others go on
        status, error = Status.FAILED, f"{type(problem).__name__}: {problem}"
    if status is not Status.LOADED:
        connectors = {}
        if manager.has_plugin(entry.name):
            manager.unregister(name=entry.name)
    return Loaded(entry.name, distribution, version, status, tuple(sorted(connectors)), error)


def _check_free(taken: set[str]) -> None:
    if taken:
        raise ValueError(f"another distribution already brings {', '.join(sorted(taken))}")


def _connectors(entry: EntryPoint, manager: pluggy.PluginManager) -> list[type[Connector[Any]]]:
    """The connectors behind an entry point, which names a Connector or a plugin that registers some."""
    found = entry.load()
    if isinstance(found, type) and issubclass(found, Connector):
        return [_checked(found)]
    manager.register(found, entry.name)
    manager.check_pending()
    # Each implementation is called by itself: pluggy's own call ends with the first one that raises.
    implementations = manager.hook.register_connectors.get_hookimpls()
    return [
        _checked(connector)
        for implementation in implementations
        if implementation.plugin is found
        for connector in cast("Iterable[object]", implementation.function())
    ]


def _checked(connector: object) -> type[Connector[Any]]:
    if not (isinstance(connector, type) and issubclass(connector, Connector)):
        raise TypeError(f"{connector!r} is no Connector")
    if connector.api != CONTRACT:
        raise Incompatible(f"it is written for contract {connector.api}; this server speaks {CONTRACT}")
    if not connector.key or not connector.streams():
        raise TypeError(f"{connector.__name__} needs a key and at least one stream")
    connector.config_type()
    return connector
