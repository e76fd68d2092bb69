"""What each release of the SDK has, so that a connector can be held against the oldest that it says it runs on.

A file is named by its release, and lists every public name with its fields or its signature. A release that only mends
(0.1.4) has no file: it brings no names.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from importlib import resources
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES = frozenset({"tenure_sdk", "tenure_sdk.testing"})
"""The modules that connectors and their tests import from; what lies deeper may move."""

_LINE = re.compile(r"(?:class )?(?P<name>tenure_sdk[\w.]*)(?P<signature>\(.*)?(?P<field>: (?:required|optional))?$")
_PARAMETER = re.compile(r"[(,] ?\*{0,2}(\w+)(?=[:=,)])")

Version: TypeAlias = tuple[int, ...]


class Use(Struct, frozen=True):
    """A public name that a source takes from the SDK."""

    line: int
    name: str
    """In full, such as `tenure_sdk.Customer`."""
    keywords: frozenset[str] = frozenset()
    """What it is called with by name."""


class Release(Struct, frozen=True):
    """The public names of one release."""

    version: Version
    names: Mapping[str, frozenset[str] | None]
    """What each name can be called with; None where nobody knows."""

    def lacks(self, use: Use) -> str | None:
        """What the release does not have of what is used; None where it has all of it."""
        if use.name not in self.names:
            return use.name
        known = self.names[use.name]
        missing = use.keywords - known if known is not None else ()
        return f"{use.name}({min(missing)}=...)" if missing else None


def releases() -> list[Release]:
    """All that are supported, the oldest first."""
    files = [file for file in resources.files(__name__).iterdir() if file.name.endswith(".txt")]
    found = [release(version(file.name.removesuffix(".txt")), file.read_text(encoding="utf-8")) for file in files]
    return sorted(found, key=lambda each: each.version)


def release(number: Version, listing: str) -> Release:
    """A release by its listing."""
    names: dict[str, frozenset[str] | None] = dict.fromkeys(MODULES)
    for line in listing.splitlines():
        found = _LINE.fullmatch(line)
        if found is None:
            continue
        name, signature = found["name"], found["signature"]
        if found["field"]:
            owner, _, field = name.rpartition(".")
            names[owner] = (names.get(owner) or frozenset()) | {field}
        else:
            names.setdefault(name, frozenset(_PARAMETER.findall(signature)) if signature else None)
    return Release(number, names)


def version(text: str) -> Version:
    """A version as numbers that can be compared."""
    return tuple(int(part) for part in re.findall(r"\d+", text))


def uses(source: str) -> Iterator[Use]:
    """What a source takes from the SDK, and with which names it calls it."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    yield from (Use(node.lineno, name) for node in imports for name in _imported(node).values())
    local = {ours: name for node in imports for ours, name in _imported(node).items()}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (name := _dotted(node, local)) and name.rpartition(".")[0] in MODULES:
            yield Use(node.lineno, name)
        elif isinstance(node, ast.Call) and (name := _dotted(node.func, local)):
            yield Use(node.lineno, name, frozenset(word.arg for word in node.keywords if word.arg))


def _imported(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """What of the SDK is imported, by the name that it has in the source."""
    if isinstance(node, ast.ImportFrom):
        module = "" if node.level else node.module or ""
        names = {alias.asname or alias.name: f"{module}.{alias.name}" for alias in node.names}
    else:
        names = {alias.asname or alias.name.partition(".")[0]: alias.name for alias in node.names}
    return {ours: name for ours, name in names.items() if name.partition(".")[0] == "tenure_sdk"}


def _dotted(node: ast.expr, local: Mapping[str, str]) -> str | None:
    """The full name of what an expression names, where it is a name of the SDK."""
    if isinstance(node, ast.Name):
        return local.get(node.id)
    if isinstance(node, ast.Attribute) and (owner := _dotted(node.value, local)) in MODULES:
        return f"{owner}.{node.attr}"
    return None
