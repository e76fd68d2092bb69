"""The words of problems in the reader's language, with English where there are none."""

import tomllib
from functools import cache
from pathlib import Path


@cache
def _catalogue(language: str) -> dict[str, str]:
    file = Path(__file__).parent / "messages" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}


def translated(code: str, english: str, language: str) -> str:
    """The message of a problem in a language; English for a code that has no translation."""
    return english if language == "en" else _catalogue(language).get(code, english)
