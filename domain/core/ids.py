"""Ids: UUIDv7, made by the application, in the order in which things were learnt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from uuid_utils import uuid7

NewId = Callable[[], UUID]


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): unique, and later ones sort after earlier ones."""
    return UUID(int=uuid7().int)


def in_order(first: UUID, count: int) -> Sequence[str]:
    """As many ids as wanted, in hexadecimal: a fresh one and those that count on from it (RFC 9562, section 6.2).

    For rows that are written together: the random bits of the first keep them apart from all others.
    """
    start = first.int
    return [f"{start + place:032x}" for place in range(count)]


def divisible(first: UUID) -> tuple[str, int]:
    """An id as SQL counts on from it, as `in_order` does: its first half in hexadecimal, its second as a bigint."""
    second = first.int & (1 << 64) - 1
    return f"{first.int >> 64:016x}", second - (1 << 64) if second >> 63 else second
