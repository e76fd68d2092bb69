from __future__ import annotations

import re
from pathlib import Path

from domain.interactions.model import FAMILY_OF

PAGE = Path(__file__).parents[3] / "docs" / "concepts" / "interactions.md"


def test_the_page_lists_every_kind_with_its_family() -> None:
    rows = re.findall(r"^\| ([A-Z]+) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    told = {kind: family for family, kinds in rows for kind in kinds.split(", ")}
    assert told == FAMILY_OF
