"""Three-way merge, field by field: what both sides last agreed on, what we have, what they have.

The two sides may write the same value differently (a phone number without its country, a name cut to 41 letters), so
what they agreed on is kept as a pair: ours and theirs. A side changed a field when its own value differs from its own
half; a change that merely comes back as they write it is no change.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from domain.integrations.model import Ownership

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime

Pair = tuple[Any, Any]
"""A field's value as both sides had it when they agreed: ours and theirs, plain JSON values."""

NEVER = {"agreed": False}
"""Stands in a pair for a value that its side never has, so that the other half decides, as a person has chosen."""


@dataclass(frozen=True)
class Side:
    """What one side has: the value of each field, and since when it has it."""

    values: Mapping[str, Any]
    since: Mapping[str, datetime] = field(default_factory=dict)


@dataclass
class Merged:
    """What follows for each field: send ours, take theirs, ask a person, or nothing but to agree."""

    send: list[str] = field(default_factory=list)
    take: list[str] = field(default_factory=list)
    ask: list[str] = field(default_factory=list)
    agreed: dict[str, Pair] = field(default_factory=dict)
    """The pairs of the fields on which both sides agree by themselves."""


def merge(
    fields: Iterable[str], base: Mapping[str, Pair], ours: Side, theirs: Side, owner: Callable[[str], Ownership]
) -> Merged:
    """What each field needs so that both sides have the same. Before they ever agreed, whoever has a value gives it."""
    merged = Merged()
    for name in fields:
        mine, their = ours.values.get(name), theirs.values.get(name)
        base_mine, base_their = base.get(name, (None, None))
        if mine == their or (name in base and (mine, their) == (base_mine, base_their)):
            merged.agreed[name] = (mine, their)
        elif their == base_their:
            merged.send.append(name)
        elif mine == base_mine:
            merged.take.append(name)
        else:
            _settle(name, merged, ours, theirs, owner(name))
    return merged


def _settle(name: str, merged: Merged, ours: Side, theirs: Side, owner: Ownership) -> None:
    """Both sides changed the field, and not to the same."""
    if owner == Ownership.NEWEST:
        mine, their = ours.since.get(name), theirs.since.get(name)
        if mine is None or their is None or mine == their:
            merged.ask.append(name)  # nobody can tell which one is newer
            return
        owner = Ownership.LOCAL if mine > their else Ownership.REMOTE
    match owner:
        case Ownership.LOCAL:
            merged.send.append(name)
        case Ownership.REMOTE:
            merged.take.append(name)
        case _:
            merged.ask.append(name)
