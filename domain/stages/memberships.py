"""Who was in which segment, and when: whoever keeps segments makes that known here, so that rules can ask for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from domain.core.unit_of_work import Reading
    from domain.stages.conditions import Span
    from domain.stages.rules import Lifecycle


class Memberships(Protocol):
    """What stages know of segments."""

    async def spans(
        self, reading: Reading, customers: Sequence[UUID], segments: Collection[UUID], /
    ) -> Mapping[UUID, Mapping[UUID, Sequence[Span]]]:
        """When these customers, as recorded, were in these segments: by customer, then by segment."""
        ...

    async def check(self, reading: Reading, lifecycle: Lifecycle, /) -> None:
        """Promises that rules may ask for the segments that they name, and that moves by them come to an end."""
        ...


class _Nobody:
    """Without segments nobody is in any, and every rule may ask for that."""

    async def spans(
        self, _reading: Reading, _customers: Sequence[UUID], _segments: Collection[UUID], /
    ) -> Mapping[UUID, Mapping[UUID, Sequence[Span]]]:
        return {}

    async def check(self, _reading: Reading, _lifecycle: Lifecycle, /) -> None:
        return None


_KNOWN: list[Memberships] = [_Nobody()]


def provide(memberships: Memberships) -> Memberships:
    """Let rules ask for segments."""
    _KNOWN[:] = [memberships]
    return memberships


def known() -> Memberships:
    """What was made known."""
    return _KNOWN[0]
