"""Opaque global ids: what kind of thing, then its UUID."""

import re
from collections.abc import Callable
from typing import Any
from uuid import UUID

from api.problems import BadUserInput

_ID = re.compile(r"([a-z]{3})_([0-9a-f]{32})")


def encode(prefix: str, id_: UUID) -> str:
    """The id of a thing as clients hold it."""
    return f"{prefix}_{id_.hex}"


def decode(text: Any) -> tuple[str, UUID]:
    """The kind and the UUID in a client's id. Raises BadUserInput when it was not made here."""
    found = _ID.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        raise BadUserInput("This is no id. Use one that an answer gave, as it stands.")
    return found[1], UUID(found[2])


def reader(prefix: str) -> Callable[[Any], UUID]:
    """Reads ids of one kind. Raises BadUserInput for an id of another kind."""

    def read(text: Any) -> UUID:
        kind, id_ = decode(text)
        if kind != prefix:
            raise BadUserInput("This id is of another type than the one asked for.")
        return id_

    return read


def kind_of(text: Any) -> str | None:
    """The kind that an id claims, without a check of the rest."""
    return text[:3] if isinstance(text, str) and text[3:4] == "_" else None
