# noqa: INP001 - beside the script that uses it
"""The records of the SDK as tables: what `tenure_sdk.records` says of each field, read from its source."""

from __future__ import annotations

import ast
import inspect
from typing import TYPE_CHECKING, NamedTuple

from tenure_sdk import records

if TYPE_CHECKING:
    from collections.abc import Iterator


class Field(NamedTuple):
    """A field of a record, as it is written down."""

    name: str
    type: str
    default: str | None
    """None where it has to be given."""
    meaning: str


class Shape(NamedTuple):
    """A record, or a part of one."""

    name: str
    base: str
    meaning: str
    fields: tuple[Field, ...]


def shapes() -> dict[str, Shape]:
    """Every class of `tenure_sdk.records` in the order in which it stands there."""
    tree = ast.parse(inspect.getsource(records))
    return {node.name: _shape(node) for node in tree.body if isinstance(node, ast.ClassDef)}


def kinds() -> dict[str, list[str]]:
    """The kinds of interactions by the payload that they take."""
    found: dict[str, list[str]] = {}
    for kind, payload in records.PAYLOADS.items():
        found.setdefault(payload.__name__, []).append(kind)
    return found


def _shape(node: ast.ClassDef) -> Shape:
    return Shape(node.name, ast.unparse(node.bases[0]), ast.get_docstring(node) or "", tuple(_fields(node)))


def _fields(node: ast.ClassDef) -> Iterator[Field]:
    for line, after in zip(node.body, [*node.body[1:], None], strict=True):
        if isinstance(line, ast.AnnAssign):
            default = None if line.value is None else ast.unparse(line.value)
            yield Field(ast.unparse(line.target), ast.unparse(line.annotation), default, _text(after))


def _text(line: ast.stmt | None) -> str:
    """The words below a field; empty where other code follows."""
    if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
        return inspect.cleandoc(str(line.value.value)).replace("\n", " ")
    return ""
