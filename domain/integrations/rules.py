"""How an integration lives: which state follows which, and who wins where both sides changed the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.core.problems import Conflict, Invalid

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LIVING = ("ACTIVE", "RATE_LIMITED", "DEGRADED")
_TROUBLE = ("NEEDS_REAUTH", "QUARANTINED", "PAUSED", "DISCONNECTED")

MOVES: Mapping[str, frozenset[str]] = {
    "DRAFT": frozenset({"AUTHORIZING", "CHECKING", "DISCONNECTED"}),
    "AUTHORIZING": frozenset({"DRAFT", "CHECKING", "ACTIVE", "PAUSED", "NEEDS_REAUTH", "DISCONNECTED"}),
    "CHECKING": frozenset({"DRAFT", "AUTHORIZING", "ACTIVE", "NEEDS_REAUTH", "DISCONNECTED"}),
    "ACTIVE": frozenset({*_LIVING, *_TROUBLE, "AUTHORIZING"} - {"ACTIVE"}),
    "RATE_LIMITED": frozenset({*_LIVING, *_TROUBLE, "AUTHORIZING"} - {"RATE_LIMITED"}),
    "DEGRADED": frozenset({*_LIVING, *_TROUBLE, "AUTHORIZING"} - {"DEGRADED"}),
    "PAUSED": frozenset({"ACTIVE", "AUTHORIZING", "NEEDS_REAUTH", "DISCONNECTED"}),
    "NEEDS_REAUTH": frozenset({"AUTHORIZING", "CHECKING", "ACTIVE", "PAUSED", "DISCONNECTED"}),
    "QUARANTINED": frozenset({"ACTIVE", "PAUSED", "DISCONNECTED"}),
    "DISCONNECTED": frozenset({"DRAFT"}),
}
"""Which states may follow a state. Who comes back after disconnecting takes up the same integration: its records are
known by it, and another one would bring them all a second time.
"""

READABLE = frozenset(_LIVING)
"""The states in which streams are read, or tried."""

FIELDS_OF_MONEY = frozenset(
    {"lines", "total", "balance", "currency", "amount", "allocations", "status", "due_on", "units", "number"}
)


class WrongState(Conflict):
    """This cannot be done in the state that the integration is in."""


class UnknownStream(Invalid):
    """The connector has no stream of this name. Take one that it lists."""


class CannotPush(Invalid):
    """This stream cannot be written: the connector only reads it. Leave it read-only."""


class UnknownField(Invalid):
    """The records of this stream have no field of this name. Take one that they have."""


def check_move(state: str, to: str) -> None:
    """Raises WrongState where a state cannot follow another; it says which ones can."""
    if to not in MOVES[state]:
        following = ", ".join(sorted(MOVES[state])) or "nothing"
        raise WrongState(f"The integration is {state}; from there it can become {following}, not {to}.", state=state)


def check_state(state: str, *among: str) -> None:
    """Raises WrongState where an integration is in none of these states."""
    if state not in among:
        raise WrongState(f"The integration is {state}; this takes one that is {' or '.join(among)}.", state=state)


def check_streams(named: Iterable[str], known: Iterable[str]) -> None:
    """Raises UnknownStream for the first name that is none of the connector's."""
    listed = sorted(known)
    for name in named:
        if name not in listed:
            raise UnknownStream(f"The connector has no stream {name}; it has: {', '.join(listed)}.", stream=name)


def owner_of(field: str, category: str, chosen: Mapping[str, str]) -> str:
    """Who wins when both sides changed a field: as the admin chose, or as is usual for the connector's category.

    In accounting the books decide about money; everywhere else the newer value wins.
    """
    if field in chosen:
        return chosen[field]
    return "REMOTE" if category == "accounting" and field in FIELDS_OF_MONEY else "NEWEST"
