"""The pages that people read, and what stands in them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"


class Block(NamedTuple):
    """A fenced block: the page, the line where it begins, its language (with what follows it), its text."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page of the repository that git knows."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def headings(page: Path) -> list[str]:
    """The headings of a page, without their marks; what stands in a fenced block is none."""
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return re.findall(r"^#+ (.+?)\s*$", prose, flags=re.MULTILINE)


def blocks(page: Path, language: str) -> list[Block]:
    """The fenced blocks in a language."""
    text = text_of(page)
    return [
        Block(page, text.count("\n", 0, found.start()) + 1, found[1], found[2])
        for found in re.finditer(r"^```(\S[^\n]*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
        if found[1].split()[0] == language
    ]
