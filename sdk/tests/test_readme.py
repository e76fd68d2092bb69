"""The README shows what runs, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from acme_books import AcmeBooks

from tenure_sdk.testing import CHECKS, RemoteSide

SDK = Path(__file__).parents[1]
README = (SDK / "README.md").read_text()


def test_it_shows_the_example_as_it_runs() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert shown == (SDK / "examples/acme_books/src/acme_books/__init__.py").read_text()
    [entry] = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    assert entry in (SDK / "examples/acme_books/pyproject.toml").read_text()
    assert [stream.name for stream in AcmeBooks.streams()] == ["customers", "products", "invoices"]


def test_it_names_every_check() -> None:
    rows = re.findall(r"^\| ([A-Z]{3}-.*?) \|", README, flags=re.MULTILINE)
    assert [name for row in rows for name in row.split(", ")] == list(CHECKS)


def test_it_names_what_a_remote_side_overrides() -> None:
    methods = {name for name, member in vars(RemoteSide).items() if callable(member) and name[0] != "_"}
    assert {name for name in methods if f"`{name}`" not in README} == {"transport", "expire_cursors"}
