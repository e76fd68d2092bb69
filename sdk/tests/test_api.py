"""What partners stand on stays: every public name, with its signature, is as the listing of the release has it.

A new name is added to the listing of the release which brings it, by `python sdk/tests/test_api.py`. A line that has to
change there breaks connectors.
"""

from __future__ import annotations

import inspect
import re
import tomllib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import msgspec

import tenure_sdk
from tenure_sdk import testing
from tenure_sdk.testing import releases

PROJECT = tomllib.loads(Path(__file__).parents[1].joinpath("pyproject.toml").read_text())["project"]
WRITTEN = Path(releases.__file__).with_name(f"{PROJECT['version'].rpartition('.')[0]}.txt")


def described(prefix: str, name: str, thing: Any) -> list[str]:
    """The lines of one public name: a class with its fields and methods, a function with its signature."""
    full = f"{prefix}.{name}"
    if inspect.isfunction(thing):
        return [f"{full}{inspect.signature(thing)}"]
    if not inspect.isclass(thing):
        return [full]
    lines = [f"class {full}"]
    if issubclass(thing, msgspec.Struct):
        lines += [f"{full}.{field.name}: {field_default(field)}" for field in msgspec.structs.fields(thing)]
    for method, member in sorted(vars(thing).items()):
        if method[0] != "_" and (inspect.isfunction(member) or isinstance(member, classmethod)):
            lines.append(f"{full}.{method}{inspect.signature(getattr(thing, method))}")
        elif method[0] != "_" and isinstance(member, property):
            lines.append(f"{full}.{method}")
    return lines


def field_default(field: Any) -> str:
    return "required" if field.required else "optional"


def public() -> list[str]:
    """Every line, sorted."""
    lines = [line for name in tenure_sdk.__all__ for line in described("tenure_sdk", name, getattr(tenure_sdk, name))]
    for name in testing.__all__:
        lines += described("tenure_sdk.testing", name, getattr(testing, name))
    return sorted({re.sub(r" at 0x[0-9a-f]+", "", line) for line in lines})


def test_nothing_public_is_gone_or_changed() -> None:
    assert sorted(set(WRITTEN.read_text().splitlines()) - set(public())) == []


def test_the_sdk_says_that_it_is_typed() -> None:
    spec = find_spec("tenure_sdk")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).with_name("py.typed").exists()


if __name__ == "__main__":
    WRITTEN.write_text("\n".join(public()) + "\n")
