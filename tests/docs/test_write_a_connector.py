"""The tutorial on connectors, followed from an empty folder to its end: it passes, and says what the page shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import DOCS, Block, blocks

PAGE = DOCS / "tutorial" / "write-a-connector.md"
KEY = "brightdesk"
CACHE = DOCS.parent / ".mypy_cache" / "connectors"
GOOD, LIBERTY = 'row.get("priority")', 'row["priority"]'


def steps() -> list[Block]:
    """What the page has its reader write, run and see, in turn."""
    found = [block for language in ("python", "sh", "text") for block in blocks(PAGE, language)]
    return sorted(found, key=lambda block: block.line)


def write(block: Block, folder: Path, written: set[Path]) -> None:
    """The first block with a path is the file from its beginning, and those after it go on."""
    file = folder / block.language.split()[1]
    file.write_text((file.read_text() if file in written else "") + block.text)
    written.add(file)


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder, env=os.environ | {"PATH": path, "COLUMNS": "80", "MYPY_CACHE_DIR": str(CACHE)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.stdout + done.stderr


def taking_the_liberty(command: str, folder: Path) -> str:
    """The command with the mistake that the page proposes, which is put back."""
    mapping = folder / "src" / KEY / "mapping.py"
    good = mapping.read_text()
    assert good.count(GOOD) == 1
    mapping.write_text(good.replace(GOOD, LIBERTY))
    said = run(command, folder)
    mapping.write_text(good)
    return said


def without_time(text: str) -> str:
    return re.sub(r"\bin \d+\.\d+s", "in a while", text)


def test_it_can_be_followed(tmp_path: Path) -> None:
    said, written = "", set[Path]()
    for block in steps():
        folder = tmp_path / KEY if (tmp_path / KEY).exists() else tmp_path
        if block.language == "text":
            assert without_time(block.text) in without_time(said), block
        elif block.language == "sh":
            said = (taking_the_liberty if "SCH-2" in block.text else run)(block.text, folder)
        else:
            write(block, folder, written)
    assert {file.name for file in written} == {"__init__.py", "mapping.py", "sandbox.py", f"test_{KEY}.py"}


def test_the_mistake_is_the_one_that_the_page_proposes() -> None:
    assert f"`{LIBERTY}` where `{GOOD}` stands" in PAGE.read_text(encoding="utf-8")
