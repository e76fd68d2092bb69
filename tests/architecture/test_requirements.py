from __future__ import annotations

import re
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).parents[2] / "requirements"
LOCKED = sorted(path.name for path in REQUIREMENTS.glob("*.txt"))


def entries(name: str) -> list[str]:
    """Each requirement with its continued lines, without comments."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (REQUIREMENTS / name).read_text(encoding="utf-8"))
    return [entry for entry in re.sub(r"\\\n\s*", " ", text).splitlines() if entry.strip()]


@pytest.mark.parametrize("name", LOCKED)
def test_every_requirement_is_pinned_by_version_and_hash(name: str) -> None:
    for entry in entries(name):
        assert re.match(r"[A-Za-z0-9._-]+(\[[a-z0-9,._-]+\])?==[^ ;]+", entry), entry
        assert "--hash=sha256:" in entry, entry


@pytest.mark.parametrize("name", LOCKED)
def test_no_lock_file_names_a_registry(name: str) -> None:
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert not re.search(r"(?m)^\s*--(?:index-url|extra-index-url|find-links)", text)


def test_every_lock_file_has_its_source() -> None:
    assert [f"{path.stem}.txt" for path in sorted(REQUIREMENTS.glob("*.in"))] == LOCKED


def test_the_server_needs_only_what_developers_have_too() -> None:
    def pins(name: str) -> set[str]:
        return {entry.split(" ")[0] for entry in entries(name)}

    assert pins("base.txt") <= pins("dev.txt")
