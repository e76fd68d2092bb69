"""Ids: UUIDv7, made by the application, in the order in which things were learnt."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from uuid_utils import uuid7

NewId = Callable[[], UUID]


def new_id() -> UUID:
    """A fresh UUIDv7 (RFC 9562): unique, and later ones sort after earlier ones."""
    return UUID(int=uuid7().int)
