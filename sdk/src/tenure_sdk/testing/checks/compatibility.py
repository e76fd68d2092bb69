"""CMP: it runs on the SDK that it says it runs on, and uses it as it is typed."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from tenure_sdk.testing.bench import Bench, Breach, check, near
from tenure_sdk.testing.checks.packaging import name_of, own_files, package_of, project_of, root_of, source_of
from tenure_sdk.testing.releases import Release, releases, uses, version
from tenure_sdk.testing.remote import Missing

if TYPE_CHECKING:
    from pathlib import Path

SDK = "tenure-sdk"


@check(
    "CMP-1",
    "silver",
    "It runs on the oldest SDK that it says it runs on",
    f'Name in the dependencies the oldest release that has what the connector uses, such as "{SDK}>=0.1".',
)
async def runs_on_the_oldest(bench: Bench) -> None:
    """By the public names, and the fields and arguments that they are called with."""
    oldest = _oldest(bench)
    number = ".".join(map(str, oldest.version))
    for path in own_files(bench):
        for use in uses(path.read_text(encoding="utf-8")):
            lacking = oldest.lacks(use)
            if lacking is not None:
                seen = f"{path.name}:{use.line} uses {lacking}"
                raise Breach(seen=seen, expected=f"only what {SDK} {number} has in its public names")


@check(
    "CMP-2",
    "silver",
    "Its types are right, strictly",
    "Annotate every function, such as `async def customers(self, ctx: Context[Config], cursor: Cursor)`, and mend"
    " what mypy --strict says.",
)
async def types_are_right(bench: Bench) -> None:
    """By mypy, which reads the settings of the package's pyproject.toml."""
    if find_spec("mypy") is None:
        raise Missing('mypy is not installed: pip install "tenure-sdk[testing]"')
    said = await _mypy(own_files(bench), root_of(bench), _folder(bench))
    found = [line for line in said if ": error:" in line or line.startswith("mypy:")]
    if found:
        more = f" and {len(found) - 1} more: mypy --strict {near(root_of(bench))}" if len(found) > 1 else ""
        raise Breach(seen=f"{found[0]}{more}", expected="no error of mypy --strict")


def _oldest(bench: Bench) -> Release:
    """The release that the package asks for at least. Raises Breach where it names none that is supported."""
    package = package_of(bench)
    asked = [each for each in (package[2] if package else []) if name_of(each) == SDK]
    bound = re.search(r">=\s*([\d.]+)", asked[0]) if asked else None
    if bound is None:
        raise Breach(seen=f"the package asks for {asked[0] if asked else 'no ' + SDK}", expected=f'"{SDK}>=0.1"')
    supported = releases()
    reached = [release for release in supported if release.version <= version(bound[1])]
    newest = ".".join(map(str, supported[-1].version))
    if not reached:
        seen = f"{asked[0]}, which is no longer supported"
        raise Breach(seen=seen, expected=f"at least {'.'.join(map(str, supported[0].version))}")
    if version(bound[1])[:2] > supported[-1].version:
        raise Breach(seen=f"{asked[0]}, which is not yet there", expected=f"at most {newest}")
    return reached[-1]


def _folder(bench: Bench) -> Path:
    project = project_of(bench)
    return project[1] if project else source_of(bench).parent


async def _mypy(files: list[Path], root: Path, folder: Path) -> list[str]:
    """What mypy says of files that are imported from `root`, asked in `folder`."""
    path = os.pathsep.join(filter(None, [str(root), os.environ.get("MYPYPATH", "")]))
    asked = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--no-error-summary", *map(str, files),
        cwd=folder, env=os.environ | {"MYPYPATH": path},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    told, _ = await asked.communicate()
    return told.decode(errors="replace").splitlines()
