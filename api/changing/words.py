"""Small words for declaring inputs."""

from typing import Any

import strawberry

from api import ids


def given(description: str, default: Any = strawberry.UNSET, **options: Any) -> Any:
    """A field of an input that may be left out."""
    return strawberry.field(default=default, description=description, **options)


def needed(description: str, **options: Any) -> Any:
    """A field of an input that must be there."""
    return strawberry.field(description=description, **options)


def several(description: str) -> Any:
    """A list in an input, empty when it is left out."""
    return strawberry.field(default_factory=list, description=description)


def id_of(prefix: str, text: Any) -> Any:
    """The UUID in an id that the client gave, or None where none was given. Raises BadUserInput."""
    return ids.reader(prefix)(text) if text not in {None, strawberry.UNSET} else None


def told(value: Any, otherwise: Any = None) -> Any:
    """What the client gave, or something else where nothing was given."""
    return otherwise if value is strawberry.UNSET else value


__all__ = ["given", "id_of", "needed", "several", "told"]
