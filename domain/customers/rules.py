"""What is true of a customer: which of several facts counts, which values an attribute takes, what was consented to."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from domain.core.problems import Invalid
from domain.customers.folding import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable
    from typing import Any
    from uuid import UUID

Value = str | int | Decimal | bool | date | datetime
"""What an attribute holds."""

MANUAL = "manual"
"""The source of a fact that somebody entered by hand."""


class AttributeType(StrEnum):
    """What kind of value an attribute has."""

    TEXT = "TEXT"
    INTEGER = "INTEGER"
    DECIMAL = "DECIMAL"
    BOOLEAN = "BOOLEAN"
    DATE = "DATE"
    DATETIME = "DATETIME"


class Survivorship(StrEnum):
    """Which of several facts is the golden one. What was entered by hand wins under each of them."""

    LATEST = "LATEST"
    MOST_TRUSTED = "MOST_TRUSTED"
    MOST_FREQUENT = "MOST_FREQUENT"


@dataclass(frozen=True, slots=True)
class Definition:
    """What an attribute may hold and which of its facts counts; `authority` lists sources, the most trusted first."""

    key: str
    type: AttributeType
    survivorship: Survivorship = Survivorship.LATEST
    authority: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fact:
    """What a source gave an attribute (a value, or an address by its parts), when it held and when we believed so.

    Both periods are half-open; None as their end means that it has not come. The confidence is in per cent.
    """

    id: UUID
    value: Value | Mapping[str, Value]
    source: str
    valid_from: datetime
    recorded_at: datetime
    valid_to: datetime | None = None
    superseded_at: datetime | None = None
    confidence: int = 100

    def holds(self, at: datetime, as_of: datetime | None = None) -> bool:
        """Whether it held at a moment, by what was known as of another (by default: by what is known now)."""
        believed = self.superseded_at is None if as_of is None else _within(as_of, self.recorded_at, self.superseded_at)
        return believed and _within(at, self.valid_from, self.valid_to)


class UnknownAttribute(Invalid):
    """No attribute with this key is defined. Define it first, or use one of the defined keys."""


class WrongAttributeType(Invalid):
    """This value does not fit the type of the attribute."""


class ConsentDecision(StrEnum):
    """What a customer said to being contacted, the most restrictive last."""

    GRANTED = "GRANTED"
    REVOKED = "REVOKED"
    DENIED = "DENIED"


@dataclass(frozen=True, slots=True)
class Consent:
    """One statement of a customer about a purpose and a channel."""

    id: UUID
    customer: UUID
    purpose: str
    channel: str
    decision: ConsentDecision
    at: datetime


def golden(
    facts: Iterable[Fact], definition: Definition, *, at: datetime, as_of: datetime | None = None
) -> Fact | None:
    """The fact that counts at a moment (by what was known as of another), or None when no fact holds.

    Facts by hand come before all others. Then LATEST takes the one valid from the latest moment; MOST_TRUSTED the
    source that stands first in the definition's authority (unlisted ones last), then the highest confidence;
    MOST_FREQUENT the value (texts: folded) that most facts agree on. What is still equal is decided by the latest
    valid_from, recorded_at and id, so the order of the facts decides nothing.
    """
    holding = [fact for fact in facts if fact.holds(at, as_of)]
    by_hand = [fact for fact in holding if fact.source == MANUAL]
    standing = by_hand or holding
    if len(standing) < 2:
        return next(iter(standing), None)
    rank = _RANKS[definition.survivorship](standing, definition)
    return max(standing, key=lambda fact: (rank(fact), *_recency(fact)))


def definition_of(definitions: Mapping[str, Definition], key: str) -> Definition:
    """The definition of an attribute; raises UnknownAttribute (`key`, `known`: the defined keys)."""
    if key not in definitions:
        raise UnknownAttribute(path=("attributes", key), key=key, known=sorted(definitions))
    return definitions[key]


def check_value(definition: Definition, value: object) -> Value:
    """The value as it is stored: decimals exact, moments in UTC. Nothing is guessed from text.

    Raises WrongAttributeType (`expected`, `given`). A whole number, and a decimal in millionths, fits 64 bits;
    a moment needs its offset; a text needs something to read, and neither NUL nor half a surrogate pair.
    """
    stored = _STORED[definition.type](value)
    if stored is None:
        path = ("attributes", definition.key)
        raise WrongAttributeType(path=path, expected=definition.type.value, given=type(value).__name__)
    return stored


def effective_consent(
    statements: Iterable[Consent], merged_at: datetime | None = None
) -> dict[tuple[str, str], ConsentDecision]:
    """What holds for a customer and all his members, per purpose and channel; silence is no entry.

    The latest statement counts. What members said before they were merged (`merged_at`: the latest merge) is kept
    at its most restrictive, until the merged customer speaks again. At one moment the more restrictive counts.
    """
    said: defaultdict[tuple[str, str], list[Consent]] = defaultdict(list)
    for statement in statements:
        said[statement.purpose, statement.channel].append(statement)
    return {about: _standing(heard, merged_at) for about, heard in said.items()}


_RESTRICTION = {decision: strictness for strictness, decision in enumerate(ConsentDecision)}
_INTEGERS = range(-(2**63), 2**63)
_PLACES = 6
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_LARGEST_DECIMAL = Decimal(2**63 - 1).scaleb(-_PLACES)


def _standing(heard: list[Consent], merged_at: datetime | None) -> ConsentDecision:
    since = [statement for statement in heard if merged_at is not None and statement.at >= merged_at]
    if since:
        return max(since, key=_lateness).decision
    latest: dict[UUID, Consent] = {}
    for statement in sorted(heard, key=_lateness):
        latest[statement.customer] = statement
    return max((statement.decision for statement in latest.values()), key=_RESTRICTION.__getitem__)


def _lateness(statement: Consent) -> tuple[datetime, int]:
    return statement.at, _RESTRICTION[statement.decision]


def _within(moment: datetime, start: datetime, end: datetime | None) -> bool:
    return start <= moment and (end is None or moment < end)


def _recency(fact: Fact) -> tuple[datetime, datetime, UUID]:
    return fact.valid_from, fact.recorded_at, fact.id


def _by_recency(_standing: list[Fact], _definition: Definition) -> Callable[[Fact], Any]:
    return lambda _fact: 0


def _by_trust(_standing: list[Fact], definition: Definition) -> Callable[[Fact], Any]:
    place = {source: -index for index, source in enumerate(definition.authority)}
    return lambda fact: (place.get(fact.source, -len(place)), fact.confidence)


def _by_frequency(standing: list[Fact], _definition: Definition) -> Callable[[Fact], Any]:
    agreeing = Counter(_comparable(fact.value) for fact in standing)
    return lambda fact: agreeing[_comparable(fact.value)]


def _comparable(value: Value | Mapping[str, Value]) -> Hashable:
    if isinstance(value, Mapping):
        return frozenset((key, _comparable(part)) for key, part in value.items())
    return fold(value) if isinstance(value, str) else value


_RANKS = {
    Survivorship.LATEST: _by_recency,
    Survivorship.MOST_TRUSTED: _by_trust,
    Survivorship.MOST_FREQUENT: _by_frequency,
}


def _text(value: object) -> Value | None:
    return value if isinstance(value, str) and fold(value) and not _UNSTORABLE.search(value) else None


def _integer(value: object) -> Value | None:
    return value if type(value) is int and value in _INTEGERS else None


def _decimal(value: object) -> Value | None:
    if type(value) is not int and not isinstance(value, Decimal):
        return None
    exact = Decimal(value)
    fits = exact.is_finite() and abs(exact) <= _LARGEST_DECIMAL and exact == round(exact, _PLACES)
    return exact if fits else None


def _boolean(value: object) -> Value | None:
    return value if isinstance(value, bool) else None


def _date(value: object) -> Value | None:
    return value if isinstance(value, date) and not isinstance(value, datetime) else None


def _moment(value: object) -> Value | None:
    if not isinstance(value, datetime) or value.utcoffset() is None:
        return None
    try:
        return value.astimezone(UTC)
    except OverflowError:  # the first and last hours of the calendar have no UTC on the other side
        return None


_STORED: Mapping[AttributeType, Callable[[object], Value | None]] = {
    AttributeType.TEXT: _text,
    AttributeType.INTEGER: _integer,
    AttributeType.DECIMAL: _decimal,
    AttributeType.BOOLEAN: _boolean,
    AttributeType.DATE: _date,
    AttributeType.DATETIME: _moment,
}
