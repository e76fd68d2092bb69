"""The words of problems in the reader's language, with English where there are none."""

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from domain.core.problems import DomainError

_FOLDER = Path(__file__).parent / "messages"


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """The messages of a language by the codes of their problems; `{name}` stands for a detail of the problem."""
    file = _FOLDER / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def message(problem: DomainError, language: str) -> str:
    """What a problem says in a language; English where the language has no words for it, or lacks a detail of it."""
    words = catalogue(language).get(problem.code)
    if words is None:
        return problem.message
    try:
        return words.format_map({name: _shown(value) for name, value in problem.details.items()})
    except KeyError:
        return problem.message


def _shown(value: Any) -> str:
    return "، ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
