"""Inputs of mutations: how they are declared, how their values are read, and where in them a value stands."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import strawberry
from strawberry.types.base import StrawberryObjectDefinition
from strawberry.utils.str_converters import to_camel_case

from api import ids

Path = tuple[str, ...]


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
    return None if text is None or text is strawberry.UNSET else ids.reader(prefix)(text)


def told(value: Any, otherwise: Any = None) -> Any:
    """What the client gave, or something else where nothing was given."""
    return otherwise if value is strawberry.UNSET else value


def plain(value: Any) -> Any:
    """An input as lists and mappings by the names of the schema, without what was not given."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if not _is_input(value):
        return value
    return {name: plain(part) for name, part in _fields(value).items()}


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every single value in an input, with the way to it in the names of the schema."""
    for step, part in _steps(value):
        if _is_input(part) or isinstance(part, list):
            yield from leaves(part, (*path, step))
        else:
            yield (*path, step), part


def place_of(wanted: Sequence[str | UUID], asked: Any) -> Path:
    """Where the first of these values stands in an input, an id as the client wrote it; empty where none does."""
    for value in wanted:
        for path, leaf in leaves(asked):
            if leaf == value or (isinstance(value, UUID) and isinstance(leaf, str) and leaf[4:] == value.hex):
                return path
    return ()


def located(path: Path, asked: Any) -> Path:
    """A path of the domain in the names of the schema: from the root of the input, and through lists by index.

    The domain knows neither under which field an input holds what it was told, nor that a mapping is a list of keys
    and values here.
    """
    names = [to_camel_case(part) for part in path]
    if not _is_input(asked) or not names or names[0] in _fields(asked):
        return tuple(_walked(path, asked))
    inner = next(((name, part) for name, part in _fields(asked).items() if _is_input(part)), None)
    return tuple(names) if inner is None else (inner[0], *located(path, inner[1]))


def _walked(path: Path, value: Any) -> Iterator[str]:
    for place, part in enumerate(path):
        if isinstance(value, Mapping):  # a JSON value, whose keys are not names of the schema
            yield from path[place:]
            return
        step = to_camel_case(part)
        if isinstance(value, list):
            step = next((str(place) for place, each in enumerate(value) if getattr(each, "key", None) == part), step)
        inner = _holding(step, value)
        if inner is not None:
            yield inner
            value = dict(_steps(value))[inner]
        yield step
        value = dict(_steps(value)).get(step)


def _holding(step: str, value: Any) -> str | None:
    """The field of an input under which another one holds what it was told itself; None where it needs none."""
    if not _is_input(value) or step in _fields(value):
        return None
    return next((name for name, part in _fields(value).items() if _is_input(part) and step in _fields(part)), None)


def _steps(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        yield from ((str(place), part) for place, part in enumerate(value))
    elif _is_input(value):
        yield from _fields(value).items()


def _fields(value: Any) -> Mapping[str, Any]:
    """The fields of an input that were given, by their names in the schema."""
    fields = type(value).__strawberry_definition__.fields
    return {
        field.graphql_name or to_camel_case(field.python_name): part
        for field in fields
        if (part := getattr(value, field.python_name)) is not strawberry.UNSET
    }


def _is_input(value: Any) -> bool:
    return isinstance(getattr(type(value), "__strawberry_definition__", None), StrawberryObjectDefinition)
