"""Events are known by their names alone, across concepts that do not import each other: so the names are checked."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from domain.core.events import reactions
from sync import worker

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "events.md"
NAME = re.compile(r"[a-z]+\.[A-Z]\w+")


def sources() -> list[Path]:
    return sorted(path for layer in ("domain", "sync") for path in (ROOT / layer).rglob("*.py"))


def is_call_of(node: ast.AST, name: str) -> bool:
    if not isinstance(node, ast.Call):
        return False
    return getattr(node.func, "attr", getattr(node.func, "id", None)) == name


def names_in(path: Path) -> set[str]:
    """The event names that a module writes, other than to react to them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    heard = {id(node.args[0]) for node in ast.walk(tree) if is_call_of(node, "on")}  # type: ignore[attr-defined]
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
        if NAME.fullmatch(node.value) and id(node) not in heard
    }


def emitted() -> set[str]:
    return set().union(*map(names_in, sources()))


def test_a_name_is_written_out_where_it_is_emitted() -> None:
    """So that whoever searches for the name of an event finds who tells it."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if is_call_of(node, "emit"):
                assert isinstance(node.args[0], ast.Constant | ast.Name | ast.IfExp), f"{path}:{node.lineno}"


def test_every_reaction_is_to_an_event_that_is_emitted() -> None:
    worker.load()
    heard = {name for name, found in reactions.by_name.items() if any(not is_a_tests(each) for each in found)}
    assert heard
    assert heard <= emitted()


def is_a_tests(reaction: object) -> bool:
    return "tests" in reaction.__module__.split(".")


def test_an_event_is_named_after_the_concept_that_emits_it() -> None:
    concepts = {path.parent.name for path in (ROOT / "domain").glob("*/__init__.py")}
    assert {name.partition(".")[0] for name in emitted()} <= concepts


def test_the_page_of_events_has_each_of_them() -> None:
    assert set(re.findall(r"^### `(.+)`$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == emitted()
