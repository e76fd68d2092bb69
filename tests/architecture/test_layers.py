from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOT_SHIPPED = {"bench", "docs", "tests", "var", "web"}


def contracts() -> dict[str, dict[str, Any]]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    return {contract["name"]: contract for contract in settings["tool"]["importlinter"]["contracts"]}


def layers_of(contract: dict[str, Any]) -> set[str]:
    return {name.strip(" ()") for layer in contract["layers"] for name in layer.split("|")}


def packages(directory: Path) -> set[str]:
    return {found.parent.name for found in directory.glob("*/__init__.py")}


def test_every_top_level_package_has_its_layer() -> None:
    (order,) = (contract for name, contract in contracts().items() if name.startswith("cli > api"))
    placed = layers_of(order) | {"plugins"}  # which stand beside the layers, on the SDK alone
    assert (packages(ROOT) | packages(ROOT / "sdk" / "src")) - NOT_SHIPPED == placed


def test_every_shipped_package_is_watched_and_packed() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    shipped = packages(ROOT) - NOT_SHIPPED
    assert set(settings["importlinter"]["root_packages"]) == shipped | {"tenure_sdk"}
    assert set(settings["hatch"]["build"]["targets"]["wheel"]["packages"]) == shipped


def test_every_concept_has_its_layer() -> None:
    (concepts,) = (contract for contract in contracts().values() if contract.get("exhaustive"))
    assert concepts["containers"] == ["domain"]
    assert packages(ROOT / "domain") == layers_of(concepts)


def test_the_layers_inside_hold_for_every_concept() -> None:
    (inside,) = (
        contract
        for contract in contracts().values()
        if contract["type"] == "layers" and "(rules)" in contract["layers"]
    )
    assert set(inside["containers"]) == {f"domain.{concept}" for concept in packages(ROOT / "domain") - {"core"}}


def test_packages_that_others_import_from_import_nothing_themselves() -> None:
    for package in ("domain", "domain/core"):
        lines = (ROOT / package / "__init__.py").read_text(encoding="utf-8").splitlines()
        assert [line for line in lines if line.startswith(("import ", "from "))] == []


def test_no_file_is_named_after_nothing() -> None:
    nothing = {"utils", "helpers", "common", "service", "services", "manager", "base", "misc"}
    shipped = [path for package in packages(ROOT) - NOT_SHIPPED for path in (ROOT / package).rglob("*.py")]
    assert [str(path.relative_to(ROOT)) for path in shipped if path.stem in nothing] == []
