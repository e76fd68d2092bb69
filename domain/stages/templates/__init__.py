"""The lifecycle templates: those that ship, one TOML file each, and how those of plugins are made."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import msgspec

from domain.core.problems import NotFound
from domain.stages.conditions import decode
from domain.stages.rules import Lifecycle, Rule, Stage, Text, Trigger

if TYPE_CHECKING:
    from collections.abc import Mapping

# The order in which they are offered: the plain ones first.
KEYS = ("classic", "buyer", "b2b", "saas", "crm", "analytics", "prospect")


class UnknownTemplate(NotFound):
    """No lifecycle template has this key. Choose one of the keys that the message names."""


class LifecycleTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """A lifecycle to begin with: what it is for, and its first version."""

    title: Text
    description: Text
    lifecycle: Lifecycle

    @property
    def key(self) -> str:
        """The key under which the template is chosen."""
        return self.lifecycle.key


class _RuleLine(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule as the files write it: one line stands for the same rule out of several stages."""

    to: str
    trigger: Trigger
    enters: bool = False
    sources: tuple[str, ...] = msgspec.field(name="from", default=())
    when: Any = None


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    title: Text
    description: Text
    stages: tuple[Stage, ...]
    rules: tuple[_RuleLine, ...]


@cache
def templates() -> tuple[LifecycleTemplate, ...]:
    """Every template, in the order in which they are offered."""
    return tuple(_read(key) for key in KEYS)


def template(key: str, brought: Mapping[str, LifecycleTemplate] | None = None) -> LifecycleTemplate:
    """The template of this key, one that ships or one of those that plugins brought; raises UnknownTemplate."""
    known = {one.key: one for one in templates()} | dict(brought or {})
    if key not in known:
        raise UnknownTemplate(f"No lifecycle template is called {key!r}. There are {', '.join(known)}.", key=key)
    return known[key]


def made(key: str, plain: Mapping[str, Any]) -> LifecycleTemplate:
    """The template that these plain values describe, as a file has them.

    Raises msgspec.ValidationError, InvalidCondition or InvalidDefinition.
    """
    file = msgspec.convert(plain, _File)
    rules = tuple(rule for line in file.rules for rule in _rules(line))
    return LifecycleTemplate(
        title=file.title,
        description=file.description,
        lifecycle=Lifecycle(key=key, stages=file.stages, rules=rules),
    )


def _rules(line: _RuleLine) -> list[Rule]:
    sources: tuple[str | None, ...] = (None, *line.sources) if line.enters else line.sources
    when = None if line.when is None else decode(line.when)
    return [Rule(source=source, target=line.to, trigger=line.trigger, when=when) for source in sources]


def _read(key: str) -> LifecycleTemplate:
    return made(key, tomllib.loads(files(__package__).joinpath(f"{key}.toml").read_text(encoding="utf-8")))
