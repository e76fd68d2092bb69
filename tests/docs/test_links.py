from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import ROOT, headings, pages, text_of

if TYPE_CHECKING:
    from pathlib import Path

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def anchor(heading: str) -> str:
    """How a heading is linked to: lower case, blanks as hyphens, without signs."""
    plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
    return re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")


def broken(page: Path) -> list[str]:
    prose = re.sub(r"^```.*?^```", "", text_of(page), flags=re.DOTALL | re.MULTILINE)
    return [link for link in LINK.findall(prose) if not leads_somewhere(page, link)]


def leads_somewhere(page: Path, link: str) -> bool:
    if link.startswith("https://"):
        return True
    name, _, fragment = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.is_relative_to(ROOT) or not target.exists():
        return False
    return not fragment or fragment in map(anchor, headings(target))


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert broken(page) == []


def linked(index: Path) -> set[Path]:
    return {(index.parent / link.partition("#")[0]).resolve() for link in LINK.findall(text_of(index))}


def test_every_page_is_in_the_index_or_in_one_that_it_names() -> None:
    index = ROOT / "docs" / "README.md"
    named = linked(index)
    named = named.union(*(linked(page) for page in named if page.name == "README.md" and page.is_file()))
    assert {page for page in pages() if page.is_relative_to(index.parent)} - named - {index} == set()
