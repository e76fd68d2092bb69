"""PKG: what is installed, and what it brings along."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import tomllib
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tenure_sdk.hooks import PROJECT
from tenure_sdk.testing.bench import Bench, Breach, NotApplicable, check, some
from tenure_sdk.testing.elsewhere import address_of, ask

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

GROUP = "tenure.connectors"
LONGEST_IMPORT = 0.3
OURS = {"tenure_sdk", "msgspec"}


@check(
    "PKG-1",
    "bronze",
    "An entry point names the connector",
    f'Add [project.entry-points."{GROUP}"] to pyproject.toml with a line such as acme-books = "acme:AcmeBooks".',
)
async def entry_point(bench: Bench) -> None:
    """Among what is installed, or in the pyproject.toml above the source."""
    named = {f"{point.value}" for point in metadata.entry_points(group=GROUP)}
    project = project_of(bench)
    if project is not None:
        named |= set(project[0].get("project", {}).get("entry-points", {}).get(GROUP, {}).values())
    if not any(_brings(value, bench) for value in named):
        seen = f"the group {GROUP} has {some(named) or 'nothing'}"
        expected = f"an entry point whose value ends in :{bench.connector.__name__}, or a module that registers it"
        raise Breach(seen=seen, expected=expected)


@check(
    "PKG-2",
    "bronze",
    "Importing it is quick and does nothing",
    "Move what the module does into methods: its import may only define.",
)
async def imports_quietly(bench: Bench) -> None:
    """In a new interpreter."""
    found = ask("imported", address_of(bench.connector))
    if found["did"]:
        raise Breach(seen=f"importing did: {some(found['did'])}", expected="no network, file, process or thread")
    if found["seconds"] > LONGEST_IMPORT:
        raise Breach(seen=f"importing took {found['seconds']:.2f} s", expected=f"at most {LONGEST_IMPORT} s")


@check(
    "PKG-3",
    "bronze",
    "It imports the SDK and what it declares, and nothing else",
    "Add the package to the dependencies in pyproject.toml, or do without it.",
)
async def imports_what_it_declares(bench: Bench) -> None:
    """The connector's module, and those of its own package that it imports."""
    allowed = OURS | _declared(bench)
    for path, line, name in _imports(bench):
        if name not in allowed | sys.stdlib_module_names:
            raise Breach(seen=f"{path.name}:{line} imports {name}", expected=f"only {some(allowed)}")


@check(
    "PKG-4",
    "silver",
    "The wheel is typed, has a licence, and its version is the connector's",
    "Put an empty py.typed beside the code, name a licence in pyproject.toml, and use one version in both places.",
)
async def wheel_is_complete(bench: Bench) -> None:
    """By the pyproject.toml above the source, or by what is installed."""
    found = package_of(bench)
    if found is None:
        expected = "a package of its own"
        raise Breach(seen="no pyproject.toml above the source, and no installed package", expected=expected)
    version, licence, _ = found
    if version != bench.connector.version:
        seen = f"the package's version is {version}, the connector's {bench.connector.version}"
        raise Breach(seen=seen, expected="the same version")
    if not licence:
        raise Breach(seen="the package names no licence", expected="license = ... in pyproject.toml")
    if not (source_of(bench).parent / "py.typed").exists():
        raise Breach(seen=f"no py.typed beside {source_of(bench).name}", expected="the package says that it is typed")


def source_of(bench: Bench) -> Path:
    """The file of the connector's class. Raises NotApplicable where there is none."""
    try:
        return Path(inspect.getfile(bench.connector)).resolve()
    except (OSError, TypeError) as problem:
        raise NotApplicable("the connector has no source file") from problem


def project_of(bench: Bench) -> tuple[dict[str, Any], Path] | None:
    """The nearest pyproject.toml above the source, and its folder; None where there is none."""
    for folder in source_of(bench).parents:
        file = folder / "pyproject.toml"
        if file.exists():
            return tomllib.loads(file.read_text(encoding="utf-8")), folder
    return None


def package_of(bench: Bench) -> tuple[str | None, str | None, list[str]] | None:
    """The version, the licence and the requirements of the package that the connector comes in; None where none is."""
    project = project_of(bench)
    if project is not None:
        table = project[0].get("project", {})
        return table.get("version"), table.get("license"), table.get("dependencies", [])
    for point in metadata.entry_points(group=GROUP):
        if point.dist is not None and _brings(point.value, bench):
            told = point.dist.metadata
            licence = next((told[name] for name in ("License-Expression", "License") if name in told), None)
            return point.dist.version, licence, point.dist.requires or []
    return None


def _brings(value: str, bench: Bench) -> bool:
    """Whether an entry point names the connector, or a module whose `register_connectors` does."""
    module, _, attribute = value.partition(":")
    if attribute:
        return attribute == bench.connector.__name__ and _is_of(value, bench)
    try:
        register: Any = getattr(importlib.import_module(module), "register_connectors", None)
    except ImportError:
        return False
    return hasattr(register, f"{PROJECT}_impl") and bench.connector in register()


def _is_of(value: str, bench: Bench) -> bool:
    module = value.partition(":")[0]
    own = bench.connector.__module__
    return (
        module == own
        or own.startswith(f"{module}.")
        or source_of(bench).with_suffix("").parts[-1] == module.rpartition(".")[2]
    )


def _declared(bench: Bench) -> set[str]:
    """The top-level names that the declared dependencies bring."""
    found = package_of(bench)
    wanted = {name_of(requirement) for requirement in (found[2] if found else [])}
    brought = {name for name, dists in _installed().items() if wanted & set(map(name_of, dists))}
    return brought | {name.replace("-", "_") for name in wanted}


@cache
def _installed() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def name_of(requirement: str) -> str:
    """The name of the package that a requirement asks for, as all spellings of it are compared."""
    letters = "".join(letter if letter.isalnum() or letter in "._-" else " " for letter in requirement)
    return (letters.split() or [""])[0].lower().replace("_", "-").replace(".", "-")


def own_files(bench: Bench) -> list[Path]:
    """The connector's module, and the modules of its own that it imports, at any depth."""
    root = root_of(bench)
    waiting, found = [source_of(bench)], []
    while waiting:
        path = waiting.pop()
        found.append(path)
        mine = [file for _, name in _names(path, root) for file in _own(root, name)]
        waiting += [file for file in dict.fromkeys(mine) if file not in {*found, *waiting}]
    return found


def root_of(bench: Bench) -> Path:
    """The folder from which the connector's module is imported."""
    start = source_of(bench)
    depth = bench.connector.__module__.count(".") + (start.name == "__init__.py")
    return start.parents[min(depth, len(start.parents) - 1)]


def _imports(bench: Bench) -> Iterator[tuple[Path, int, str]]:
    """What is imported from elsewhere, by the connector's module and its own modules that it imports."""
    root = root_of(bench)
    for path in own_files(bench):
        for line, name in _names(path, root):
            if not _own(root, name):
                yield path, line, name.partition(".")[0]


def _own(root: Path, name: str) -> list[Path]:
    """The files of a module of the connector's own; none for one from elsewhere."""
    if name.partition(".")[0] in sys.stdlib_module_names:
        return []
    return [file for file in _files(root, name) if file.exists()]


def _names(path: Path, root: Path) -> Iterator[tuple[int, str]]:
    package = list(path.relative_to(root).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            before = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*before, *([node.module] if node.module else [])])
            submodules = [f"{module}.{alias.name}" for alias in node.names]
            found = [name for name in submodules if any(file.exists() for file in _files(root, name))]
            yield from ((node.lineno, name) for name in found or [module])


def _files(root: Path, name: str) -> tuple[Path, Path]:
    place = root.joinpath(*name.split("."))
    return place.with_suffix(".py"), place / "__init__.py"
