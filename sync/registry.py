"""Which connectors are installed: found by entry point, each loaded by itself, so that a broken one harms nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from domain.core.problems import DomainError, NotFound
from domain.metrics.catalogue import CATALOGUE
from domain.stages.templates import KEYS
from sync import metrics
from sync.entries import GROUP, Plugin
from sync.templates import translated
from tenure_sdk import Connector, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from importlib.metadata import EntryPoint

    from domain.core.settings import Settings
    from domain.metrics.catalogue import Definition
    from domain.stages.templates import LifecycleTemplate

CONTRACT = 1
"""The version of the contract with connectors that this host speaks; it also speaks the one before."""

OURS = "tenure"
"""The distribution whose connectors ship with the server."""


class UnknownConnector(NotFound):
    """No connector with this key is installed."""


class PluginsBroken(DomainError):
    """A plugin could not be loaded, and TENURE_PLUGINS_STRICT is set."""

    code = "REFUSED_TO_START"


class Status(StrEnum):
    """What became of a plugin when it was loaded."""

    LOADED = "LOADED"
    FAILED = "FAILED"
    BLOCKED = "BLOCKED"
    INCOMPATIBLE = "INCOMPATIBLE"


@dataclass(frozen=True)
class Loaded:
    """One entry point: the distribution it came from, and what it brings or what went wrong."""

    entry: str
    distribution: str
    version: str
    status: Status
    connectors: tuple[str, ...] = ()
    error: str | None = None
    unknown_hooks: tuple[str, ...] = ()
    """Hooks that it implements and this server does not have; they are never called."""


@dataclass(frozen=True)
class Origin:
    """Where a connector's code is, so that another process finds it."""

    entry: str
    """`module:attribute`."""
    distribution: str

    @property
    def is_shipped(self) -> bool:
        """Whether it comes with the server itself."""
        return self.distribution == OURS


@dataclass(frozen=True)
class Listener:
    """A plugin that wants to hear what happens, at tenants for which one of its connectors is enabled."""

    plugin: str
    connectors: frozenset[str]
    hear: Callable[..., Any]


class Incompatible(Exception):
    """The connector speaks another version of the contract."""


@dataclass
class Registry:
    """What the plugins bring that can be used, and a report on every entry point."""

    connectors: dict[str, type[Connector[Any]]] = field(default_factory=dict)
    report: list[Loaded] = field(default_factory=list)
    origins: dict[str, Origin] = field(default_factory=dict)
    """Where the connectors come from, by their keys; one that was handed in here has none."""
    templates: dict[str, LifecycleTemplate] = field(default_factory=dict)
    metrics: dict[str, Definition] = field(default_factory=dict)
    listeners: list[Listener] = field(default_factory=list)
    tiers: dict[str, str] = field(default_factory=dict)
    """The tiers that the connectors' own reports of the conformance kit give them; those without one have none."""

    def connector(self, key: str) -> type[Connector[Any]]:
        """The connector with a key. Raises UnknownConnector, which says why where loading it failed."""
        if key in self.connectors:
            return self.connectors[key]
        failed = "; ".join(f"{loaded.entry}: {loaded.error}" for loaded in self.report if loaded.error)
        known = ", ".join(sorted(self.connectors)) or "none"
        raise UnknownConnector(
            f"No connector {key} is installed; there are: {known}.{f' Not loaded: {failed}.' if failed else ''}"
        )


@dataclass(frozen=True)
class Admission:
    """Which distributions the operator lets in, by their names; those of the server itself unless they are blocked."""

    allowed: frozenset[str] | None = None
    """None: all of them."""
    blocked: frozenset[str] = frozenset()
    strict: bool = False
    """Whether a plugin that cannot be loaded ends the start."""

    @classmethod
    def of(cls, settings: Settings) -> Admission:
        """As the settings have it."""
        allowed = frozenset(map(_normal, settings.allowed_plugins)) or None
        return cls(allowed, frozenset(map(_normal, settings.blocked_plugins)), settings.plugins_strict)

    def refuses(self, distribution: str) -> str | None:
        """Why a distribution is not loaded; None when it is."""
        name = _normal(distribution)
        if name in self.blocked:
            return "TENURE_PLUGINS_BLOCK names it"
        if self.allowed is not None and name not in self.allowed and name != OURS:
            return "TENURE_PLUGINS_ALLOW does not name it"
        return None


def load(entries: Iterable[EntryPoint] | None = None, admission: Admission = Admission()) -> Registry:
    """Load every installed plugin; one that cannot be loaded is reported and left out. Raises PluginsBroken."""
    registry = Registry()
    for entry in _distinct(entry_points(group=GROUP) if entries is None else entries):
        registry.report.append(_loaded(entry, registry, admission))
    broken = [each for each in registry.report if each.status in {Status.FAILED, Status.INCOMPATIBLE}]
    if admission.strict and broken:
        raise PluginsBroken("; ".join(f"{each.entry} ({each.distribution}): {each.error}" for each in broken))
    return registry


def _distinct(entries: Iterable[EntryPoint]) -> Iterator[EntryPoint]:
    """Each entry point of a distribution once: a distribution may be found at two places of the path."""
    seen = set()
    for entry in entries:
        key = (_normal(entry.dist.name) if entry.dist else None, entry.name, entry.value)
        if key not in seen:
            seen.add(key)
            yield entry


def _normal(distribution: str) -> str:
    """A distribution's name as it is compared (PEP 503)."""
    return re.sub(r"[-_.]+", "-", distribution).lower()


def _loaded(entry: EntryPoint, registry: Registry, admission: Admission) -> Loaded:
    distribution, version = (entry.dist.name, entry.dist.version) if entry.dist else ("?", "?")
    if (refused := admission.refuses(distribution)) is not None:
        return Loaded(entry.name, distribution, version, Status.BLOCKED, error=refused)
    try:
        plugin = Plugin(entry)
        brought = _brought(plugin, entry, registry)
        unknown = tuple(plugin.unknown_hooks())
    except Incompatible as problem:
        return Loaded(entry.name, distribution, version, Status.INCOMPATIBLE, error=str(problem))
    except (Exception, SystemExit) as problem:  # noqa: BLE001 - a plugin may fail in any way; the others go on
        told = f"{type(problem).__name__}: {problem}"
        return Loaded(entry.name, distribution, version, Status.FAILED, error=told)
    registry.connectors.update(brought.connectors)
    registry.tiers.update({key: tier for key, each in brought.connectors.items() if (tier := report.tier(each))})
    registry.origins.update(dict.fromkeys(brought.connectors, Origin(entry.value, _normal(distribution))))
    registry.templates.update(brought.templates)
    registry.metrics.update(brought.metrics)
    registry.listeners.extend(brought.listeners)
    return Loaded(
        entry.name, distribution, version, Status.LOADED, tuple(sorted(brought.connectors)), unknown_hooks=unknown
    )


def _brought(plugin: Plugin, entry: EntryPoint, known: Registry) -> Registry:
    """What one plugin brings, all of it sound and none of it known already."""
    connectors = {connector.key: connector for connector in map(_checked, plugin.connectors())}
    found = map(translated, plugin.collected("register_lifecycle_templates"))
    brought = {template.key: template for template in found}
    measures = {metric.key: metric for metric in map(metrics.translated, plugin.collected("register_metrics"))}
    _check_free(connectors.keys() & known.connectors.keys())
    _check_free({key for key in measures if key in known.metrics or CATALOGUE.is_ours(key)})
    _check_free(brought.keys() & {*known.templates, *KEYS})
    listeners = [
        Listener(entry.name, frozenset(connectors), hear) for hear in plugin.implementations("on_event") if connectors
    ]
    return Registry(connectors, templates=brought, metrics=measures, listeners=listeners)


def _check_free(taken: set[str]) -> None:
    if taken:
        raise ValueError(f"another distribution already brings {', '.join(sorted(taken))}")


def _checked(connector: object) -> type[Connector[Any]]:
    if not (isinstance(connector, type) and issubclass(connector, Connector)):
        raise TypeError(f"{connector!r} is no Connector")
    if not speaks(connector.api):
        raise Incompatible(f"it is written for contract {connector.api}; this server speaks {CONTRACT}")
    if not connector.key or not connector.streams():
        raise TypeError(f"{connector.__name__} needs a key and at least one stream")
    connector.config_type()
    return connector


def speaks(version: object, contract: int = CONTRACT) -> bool:
    """Whether a host of this contract runs connectors of a version: its own, or the one before."""
    return version in {contract, contract - 1} and version != 0
