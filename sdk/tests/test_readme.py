"""The README shows what runs, and names what there is."""

from __future__ import annotations

import re
from pathlib import Path

from acme_books import AcmeBooks

from tenure_sdk import Answer
from tenure_sdk.http import default_problem
from tenure_sdk.testing import CHECKS, RemoteSide
from tenure_sdk.testing.checks.declarations import CATEGORIES

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


def test_it_names_every_category() -> None:
    [named] = re.findall(r"^\| `category` \| (.*?) \|$", README, flags=re.MULTILINE)
    assert named.replace(" or ", ", ").split(", ") == sorted(CATEGORIES)


def test_it_says_what_a_status_raises() -> None:
    [told] = re.findall(r"by the status: (.*?)\. `classify`", README.replace("\n ", ""), flags=re.DOTALL)
    for status in (401, 403, 404, 410, 409, 412, 429, 408):
        raised = type(default_problem(Answer(status, {}, b"", ""))).__name__
        assert re.search(rf"\b{status}\b[\w ]*`{raised}`", told), status
    assert [type(default_problem(Answer(status, {}, b"", ""))).__name__ for status in (500, 400)] == [
        "Transient", "ContractViolation",
    ]  # fmt: skip
