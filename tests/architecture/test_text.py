"""What may not stand in any file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent.relative_to(ROOT)
BINARY = {".parquet", ".png", ".ico", ".woff2", ".gz"}

NOT_ANYWHERE = {
    "a machine's own path": r"/work/|/root/",
    "a registry's address": r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|registry\.yarnpkg|index-url|extra-index",
    "work left for later": r"\b(?:TODO|FIXME|XXX|HACK)\b",
    "a debugger": r"\b(?:breakpoint|pdb\.set_trace)\(\)",
}
NOT_SHIPPED = {
    # The embedded server's socket needs a short path where the data directory's is too long.
    "a temporary path": (r"[\"']/tmp", {"domain/core/embedded.py"}),
    "the shared data": (r"\.\./shared|TENURE_SHARED", set()),
}


def files() -> list[Path]:
    """Everything that git tracks, as paths from the root."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    found = [Path(name) for name in listed.stdout.splitlines()]
    return [
        path for path in found if path.suffix not in BINARY and HERE not in path.parents and (ROOT / path).is_file()
    ]


def where(pattern: str, paths: list[Path]) -> list[str]:
    return [
        f"{path}:{number}"
        for path in paths
        for number, line in enumerate((ROOT / path).read_text(encoding="utf-8", errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]


@pytest.mark.parametrize("what", NOT_ANYWHERE)
def test_no_file_holds(what: str) -> None:
    # requirements/ says with which options it was locked; test_requirements.py looks into it.
    assert (
        where(NOT_ANYWHERE[what], [path for path in files() if path.parts[0] not in {"requirements", "Makefile"}]) == []
    )


@pytest.mark.parametrize("what", NOT_SHIPPED)
def test_no_shipped_file_holds(what: str) -> None:
    pattern, allowed = NOT_SHIPPED[what]
    shipped = [
        path for path in files() if path.parts[0] not in {"tests", "bench", "docs"} and "tests" not in path.parts
    ]
    assert where(pattern, [path for path in shipped if path.suffix == ".py" and str(path) not in allowed]) == []


def test_everything_is_at_home_in_the_checkout() -> None:
    """No link leads out of the repository."""
    outside = [path for path in files() if not (ROOT / path).resolve().is_relative_to(ROOT.resolve())]
    assert outside == []
