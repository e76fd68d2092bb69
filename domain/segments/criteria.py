"""Who belongs to a segment: a typed tree of what is asked of a customer, and its form as plain JSON."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

import msgspec
from typing_extensions import override

from domain.core.problems import Invalid

if TYPE_CHECKING:
    from collections.abc import Iterator

Value: TypeAlias = str | bool | int | float

MOST_DAYS = 36_525
"""How far back criteria can look: a hundred years."""

MOST_NODES = 200
"""How many conditions the criteria of one segment can have."""


class InvalidCriteria(Invalid):
    """The criteria of a segment are not ones that Tenure understands. Correct what the reason names."""


class Since(StrEnum):
    """From when on days are counted; a customer without it has no such number of days."""

    FIRST_SEEN = "FIRST_SEEN"
    FIRST_PURCHASE = "FIRST_PURCHASE"
    LAST_PURCHASE = "LAST_PURCHASE"
    FIRST_INTERACTION = "FIRST_INTERACTION"
    LAST_INTERACTION = "LAST_INTERACTION"

    @property
    def counts_interactions(self) -> bool:
        """Whether it is an interaction, of certain kinds if any are named."""
        return self in {Since.FIRST_INTERACTION, Since.LAST_INTERACTION}


class Node(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="type",
    tag=lambda name: "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_"),
):
    """One node of the criteria; in JSON its `type` is the class name in snake_case. What is unknown does not hold."""

    @property
    def is_timed(self) -> bool:
        """Whether time alone can change the answer, metrics aside."""
        return False

    @property
    def parts(self) -> tuple[Criteria, ...]:
        """The criteria that this one is made of."""
        return ()


class All(Node, frozen=True):
    """Every one of these holds."""

    of: tuple[Criteria, ...]

    def __post_init__(self) -> None:
        _require(bool(self.of), "name at least one condition")

    @property
    @override
    def parts(self) -> tuple[Criteria, ...]:
        return self.of


class AnyOf(Node, frozen=True):
    """At least one of these holds."""

    of: tuple[Criteria, ...]

    def __post_init__(self) -> None:
        _require(bool(self.of), "name at least one condition")

    @property
    @override
    def parts(self) -> tuple[Criteria, ...]:
        return self.of


class Not(Node, frozen=True):
    """This does not hold."""

    of: Criteria

    @property
    @override
    def parts(self) -> tuple[Criteria, ...]:
        return (self.of,)


class KindIs(Node, frozen=True):
    """The customer is a person, or an organisation."""

    kind: str

    def __post_init__(self) -> None:
        _require(self.kind in {"PERSON", "ORGANISATION"}, "a customer is a PERSON or an ORGANISATION")


class CountryIs(Node, frozen=True):
    """The primary address is in one of these countries."""

    among: tuple[str, ...]

    def __post_init__(self) -> None:
        _require(bool(self.among), "name at least one country")


class AttributeIs(Node, frozen=True):
    """The golden value of an attribute equals `eq`, or lies between `gte` and `lte` (both included)."""

    key: str
    eq: Value | None = None
    gte: Value | None = None
    lte: Value | None = None

    def __post_init__(self) -> None:
        _require(bool(self.key), "name the attribute")
        ranged = self.gte is not None or self.lte is not None
        _require((self.eq is not None) != ranged, "give either eq, or gte, lte or both")


class _Bounded(Node, frozen=True):
    """A whole number that is at least `gte` and less than `lt`."""

    gte: int | None = None
    lt: int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.gte, self.lt) if bound is not None]
        _require(bool(bounds), "give gte, lt or both")
        _require(all(0 <= bound <= 2**31 for bound in bounds), "a bound is a number from 0 to two thousand million")
        _require(len(bounds) < 2 or bounds[0] < bounds[1], "gte must be less than lt")


class _Days(_Bounded, frozen=True):
    """A number of whole days up to now."""

    def __post_init__(self) -> None:
        super().__post_init__()
        _require(max(self.gte or 0, self.lt or 0) <= MOST_DAYS, f"a number of days is at most {MOST_DAYS}")

    @property
    @override
    def is_timed(self) -> bool:
        return True


class _Counted(_Bounded, frozen=True):
    """How many happened: ever, or in the last `within_days` days."""

    within_days: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_within(self.within_days)

    @property
    @override
    def is_timed(self) -> bool:
        return self.within_days is not None


class Occasions(_Counted, frozen=True):
    """The number of purchase occasions: days with a completed sale that was not wholly refunded."""


class Interactions(_Counted, frozen=True):
    """The number of interactions of these kinds, or of any; those of machines are not counted."""

    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_kinds(self.kinds)


class Spent(Node, frozen=True):
    """What the customer bought less what was given back, in the base currency: at least `gte`, less than `lt`.

    Where the value of a document in the base currency is not known, the sum is not known either.
    """

    gte: Decimal | None = None
    lt: Decimal | None = None
    within_days: int | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.gte, self.lt) if bound is not None]
        _require(bool(bounds), "give gte, lt or both")
        _require(all(bound.is_finite() and abs(bound) < 10**12 for bound in bounds), "an amount is under 10^12")
        _require(len(bounds) < 2 or bounds[0] < bounds[1], "gte must be less than lt")
        _check_within(self.within_days)

    @property
    @override
    def is_timed(self) -> bool:
        return self.within_days is not None


class DaysSince(_Days, frozen=True, kw_only=True):
    """So many whole days have gone by since something first or last happened; false where it never did."""

    what: Since
    kinds: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_kinds(self.kinds)
        _require(not self.kinds or self.what.counts_interactions, "only interactions have kinds")


class LifeSpan(_Bounded, frozen=True):
    """The number of days from the first purchase occasion to the last one; 0 for one occasion, none without any."""


class _OfStage(Node, frozen=True):
    """A stage by its key, in one lifecycle or in any, or by the step that it stands for."""

    stage: str | None = None
    step: str | None = None
    lifecycle: str | None = None

    def __post_init__(self) -> None:
        _require((self.stage is None) != (self.step is None), "give either a stage or a step")


class InStage(_OfStage, frozen=True):
    """The customer is in a stage now, and has been there for at least `gte` and less than `lt` days."""

    gte: int | None = None
    lt: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gte is not None or self.lt is not None:
            _Days(gte=self.gte, lt=self.lt)

    @property
    @override
    def is_timed(self) -> bool:
        return self.gte is not None or self.lt is not None


class EnteredStage(_OfStage, frozen=True):
    """The customer came into a stage: ever, or in the last `within_days` days."""

    within_days: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_within(self.within_days)

    @property
    @override
    def is_timed(self) -> bool:
        return self.within_days is not None


class Metric(Node, frozen=True):
    """A figure of the customer, or its percentile among all, lies between `gte` and `lte` (both included)."""

    key: str
    gte: Decimal | None = None
    lte: Decimal | None = None
    percentile: bool = False

    def __post_init__(self) -> None:
        _require(bool(self.key), "name the metric")
        bounds = [bound for bound in (self.gte, self.lte) if bound is not None]
        _require(bool(bounds), "give gte, lte or both")
        _require(all(bound.is_finite() for bound in bounds), "a bound is a number")
        _require(not self.percentile or all(0 <= bound <= 100 for bound in bounds), "a percentile is from 0 to 100")


class InSegment(Node, frozen=True):
    """The customer is in another segment."""

    segment: UUID


Criteria: TypeAlias = (
    All | AnyOf | Not | KindIs | CountryIs | AttributeIs | Occasions | Interactions | Spent | DaysSince | LifeSpan
    | InStage | EnteredStage | Metric | InSegment
)  # fmt: skip


def nodes(criteria: Criteria) -> Iterator[Criteria]:
    """Every node of the tree, each before its parts."""
    yield criteria
    for part in criteria.parts:
        yield from nodes(part)


def literals(criteria: Criteria) -> tuple[Criteria, ...]:
    """What is asked in the end, each once: the leaves of the tree, denied where the tree denies them."""
    return tuple(dict.fromkeys(_literals(criteria, denied=False)))


def refers_to(criteria: Criteria) -> frozenset[UUID]:
    """The segments that the criteria ask about."""
    return frozenset(node.segment for node in nodes(criteria) if isinstance(node, InSegment))


def encode(criteria: Criteria) -> dict[str, Any]:
    """The criteria as plain JSON, without the fields that say nothing."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(criteria))
    return plain


def decode(plain: Any) -> Criteria:
    """The criteria that plain JSON describes.

    Raises InvalidCriteria, whose reason names the place and what is wrong there.
    """
    try:
        criteria: Criteria = msgspec.convert(plain, Criteria, str_keys=True)
    except msgspec.ValidationError as error:
        raise InvalidCriteria(f"These criteria are not understood: {error}", reason=str(error)) from error
    except RecursionError as error:
        raise InvalidCriteria(reason="too deep") from error
    if sum(1 for _ in nodes(criteria)) > MOST_NODES:
        raise InvalidCriteria(f"Criteria have at most {MOST_NODES} conditions.", reason="too many conditions")
    return criteria


def _literals(criteria: Criteria, *, denied: bool) -> Iterator[Criteria]:
    match criteria:
        case Not(of=inner):
            yield from _literals(inner, denied=not denied)
        case All(of=several) | AnyOf(of=several):
            for each in several:
                yield from _literals(each, denied=denied)
        case leaf:
            yield Not(of=leaf) if denied else leaf


def _check_within(days: int | None) -> None:
    _require(days is None or 0 < days <= MOST_DAYS, f"within_days is from 1 to {MOST_DAYS}")


def _check_kinds(kinds: tuple[str, ...]) -> None:
    _require(len(set(kinds)) == len(kinds), "name each kind once")


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise ValueError(otherwise)
