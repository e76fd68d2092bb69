"""The schema is committed, whole and described."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    build_schema,
    find_breaking_changes,
    is_introspection_type,
    is_specified_scalar_type,
    validate_schema,
)

from api.schema import core, sdl

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "schema.graphql"
CHANGELOG = ROOT / "CHANGELOG.md"

OURS = [of for of in core.type_map.values() if not is_introspection_type(of) and not is_specified_scalar_type(of)]


def git(*words: str) -> str | None:
    """What git says, or None where it refuses."""
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def parts(of: Any) -> Iterator[tuple[str, Any]]:
    """A type and all that it is made of, by how the schema calls it."""
    yield of.name, of
    if isinstance(of, GraphQLEnumType):
        yield from ((f"{of.name}.{name}", value) for name, value in of.values.items())
    for name, field in getattr(of, "fields", {}).items():
        yield f"{of.name}.{name}", field
        if not isinstance(of, GraphQLInputObjectType):
            yield from ((f"{of.name}.{name}({argument})", given) for argument, given in field.args.items())


def test_it_is_valid() -> None:
    assert validate_schema(core) == []


def test_the_committed_schema_is_what_is_served() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == sdl(), "run make schema"


@pytest.mark.parametrize("of", OURS, ids=lambda of: of.name)
def test_everything_is_described_in_sentences(of: Any) -> None:
    bare = [name for name, part in parts(of) if not (part.description or "").endswith((".", "?"))]
    assert bare == []


def test_a_breaking_change_stands_in_the_changelog() -> None:
    """Against the latest release: what breaks is named, by its type or field, under a heading of a later one."""
    release = git("describe", "--tags", "--abbrev=0")
    before = git("show", f"{release}:schema.graphql") if release else None
    if before is None:
        pytest.skip("there is no release yet")
    news = CHANGELOG.read_text(encoding="utf-8").partition(f"## {release.removeprefix('v')}")[0]
    changes = find_breaking_changes(build_schema(before), build_schema(sdl()))
    assert [change.description for change in changes if not is_told(change.description, news)] == []


def is_told(description: str, news: str) -> bool:
    """Whether the changelog names what a breaking change is about: the first name in its description."""
    named = re.search(r"[A-Za-z_]\w*\.\w+|\b[A-Z]\w+", description)
    return named is not None and f"`{named[0]}`" in news
