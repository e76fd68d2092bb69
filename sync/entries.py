"""What stands behind an entry point: a connector, or a plugin whose hooks are asked one by one.

The server and the process of a connector read it in the same way; nothing here knows the database.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

from tenure_sdk import Connector, hooks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from importlib.metadata import EntryPoint

    from pluggy import HookImpl

GROUP = "tenure.connectors"


class Plugin:
    """What an entry point names, loaded. Loading it runs its code, which may raise whatever it likes."""

    def __init__(self, entry: EntryPoint) -> None:
        self.found = entry.load()
        self._manager = pluggy.PluginManager(hooks.PROJECT)
        self._manager.add_hookspecs(hooks)
        if not _is_connector(self.found):
            self._manager.register(self.found, entry.name)

    def connectors(self) -> list[object]:
        """The connectors that it brings; one that is named directly needs no hook."""
        return [self.found] if _is_connector(self.found) else self.collected("register_connectors")

    def collected(self, hook: str) -> list[object]:
        """What its implementations of a hook give, one after the other."""
        return [each for call in self.implementations(hook) for each in call()]

    def implementations(self, hook: str) -> list[Callable[..., Any]]:
        """Its implementations of a hook; each takes by name what it asks for.

        The host calls each by itself: pluggy's own call ends with the first one that raises.
        """
        caller = getattr(self._manager.hook, hook)
        return [_called(implementation) for implementation in caller.get_hookimpls()]

    def unknown_hooks(self) -> list[str]:
        """The hooks that it implements and this host does not have."""
        callers: Iterable[pluggy.HookCaller] = self._manager.get_hookcallers(self.found) or ()
        return sorted(caller.name for caller in callers if not caller.has_spec())


def _is_connector(found: object) -> bool:
    return isinstance(found, type) and issubclass(found, Connector)


def _called(implementation: HookImpl) -> Callable[..., Any]:
    def call(**given: Any) -> Any:
        return implementation.function(*(given[name] for name in implementation.argnames))

    return call
